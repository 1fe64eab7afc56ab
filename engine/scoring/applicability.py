"""Whether a model may be asked about a series, and if not, why, in the radiologist's words. Reads tags only; never pixels."""

from __future__ import annotations

import re

from engine.imaging.series import Series
from engine.models.card import Applicability, Card

# DICOM's body part terms (PS3.16 annex L) are written in many ways; each group means one region here.
_SAME_BODY_PART: tuple[frozenset[str], ...] = (
    frozenset({"CHEST", "THORAX", "LUNG", "LUNGS", "CHEST_ABDOMEN"}),
    frozenset({"HEAD", "BRAIN", "SKULL", "HEADBRAIN", "CEREBRUM"}),
    frozenset({"HAND", "HANDS", "WRIST_HAND"}),
    frozenset({"KNEE", "KNEES"}),
)


def why_not(card: Card, series: Series, *, named: bool) -> str:
    """Empty when the model applies to the series, else the reason.

    `named` says that a person asked for this model by name: then images whose tags say nothing are scored, and so are phantoms by a
    model of patients (and the other way round). A tag that contradicts the card is a refusal in either case. Unasked, silence is a refusal too:
    a film without a stated age or view could be an adult's or a lateral.
    """
    limits = card.applicability
    wanted = "volume" if card.input.spatial_dims == 3 else "radiograph"
    if series.kind != wanted:
        return f"{card.title} reads {wanted}s; this is a {series.kind}"
    if not named:
        if limits.synthetic and not series.synthetic:
            return f"{card.title} was trained on synthetic phantoms and says nothing about patients"
        if series.synthetic and not limits.synthetic:
            return f"this is a synthetic phantom; {card.title} was trained on patients"
        if series.format != "dicom":
            return "the file has no DICOM tags: name the model to score it"
    # first what no naming cures: an MR slice without a body part is not to be offered to models of films
    if series.format == "dicom" and (contradiction := _contradiction(card, limits, series)):
        return contradiction
    if not named and (unsaid := _unsaid(card, limits, series)):
        return f"{unsaid}: name the model to score it"
    return ""


def _unsaid(card: Card, limits: Applicability, series: Series) -> str:
    """What the card or the series leaves open, so that only a person can tell that they belong together."""
    if not limits.modality or not limits.body_part:
        return f"the card of {card.title} does not say which studies it reads"
    if not series.body_part:
        return f"body part not stated; {card.title} reads {_one_of(limits.body_part)}"
    if limits.view and not series.view:
        return f"view not stated; {card.title} reads {_one_of(limits.view)}"
    if limits.age_years and age_in_years(series.age) is None:
        return f"age not stated; {card.title} was trained on ages {limits.age_years[0]:g} to {limits.age_years[1]:g}"
    return ""


def _contradiction(card: Card, limits: Applicability, series: Series) -> str:
    """The first tag of a DICOM series that lies outside the card."""
    if limits.modality and series.modality.upper() not in limits.modality:
        return f"modality {series.modality or 'not stated'}; {card.title} reads {_one_of(limits.modality)}"
    if (
        limits.body_part
        and series.body_part
        and not any(same_part(series.body_part, part) for part in limits.body_part)
    ):
        return f"body part {series.body_part}; {card.title} reads {_one_of(limits.body_part)}"
    if limits.view and series.view and series.view.upper() not in limits.view:
        return f"view {series.view}; {card.title} reads {_one_of(limits.view)}"
    if limits.age_years and (age := age_in_years(series.age)) is not None:
        youngest, oldest = limits.age_years
        # an Age String counts whole years, months or days: one of 6Y stands for anything up to the seventh birthday
        if not youngest <= age < oldest + 1:
            return f"patient aged {age:g}; {card.title} was trained on ages {youngest:g} to {oldest:g}"
    return ""


def age_in_years(age: str) -> float | None:
    """Years of a DICOM Age String such as 045Y, 018M, 006W or 010D (PS3.5 section 6.2); None when it is not one."""
    match = re.fullmatch(r"\s*(\d{1,3})([YMWD])\s*", age.upper())
    if match is None:
        return None
    return int(match[1]) / {"Y": 1.0, "M": 12.0, "W": 52.18, "D": 365.25}[match[2]]


def same_part(stated: str, wanted: str) -> bool:
    """Whether two body part terms mean one region: THORAX and CHEST do."""
    stated, wanted = stated.upper().replace(" ", "_"), wanted.upper()
    return stated == wanted or any(stated in group and wanted in group for group in _SAME_BODY_PART)


def _one_of(values: tuple[str, ...]) -> str:
    return " or ".join(values)
