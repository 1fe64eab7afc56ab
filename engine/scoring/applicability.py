"""Whether a model may be asked about a series, and if not, why, in the radiologist's words. Reads what is stated only; never pixels."""

from __future__ import annotations

from engine.imaging.series import Series
from engine.imaging.terms import age_in_years, same_part, same_view
from engine.models.card import Applicability, Card


def why_not(card: Card, series: Series, *, named: bool) -> str:
    """Empty when the model applies to the series, else the reason.

    `named` says that a person asked for this model by name: then images of which nothing is stated are scored, and so are phantoms by a
    model of patients (and the other way round). A tag that contradicts the card is a refusal in either case, and so is what a cohort's table
    says of an image without tags (`engine.imaging.stated`), the patient's age apart: who names a model for a picture has weighed that, and is told.
    Unasked, silence is a refusal too: a film without a stated age or view could be an adult's or a lateral.
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
    # first what no naming cures: an MR slice without a body part is not to be offered to models of films
    if contradiction := _contradiction(card, limits, series):
        return contradiction
    if (other_age := _other_age(card, limits, series)) and series.format == "dicom":
        return other_age
    if not named and (unsure := other_age or _unsaid(card, limits, series)):
        return f"{unsure}: name the model to score it"
    return ""


def _unsaid(card: Card, limits: Applicability, series: Series) -> str:
    """What the card or the series leaves open, so that only a person can tell that they belong together."""
    if series.format != "dicom" and not (series.modality or series.body_part or series.view):
        return "the file has no DICOM tags"
    if not limits.modality or not limits.body_part:
        return f"the card of {card.title} does not say which studies it reads"
    if not series.modality:
        return f"modality not stated; {card.title} reads {_one_of(limits.modality)}"
    if not series.body_part:
        return f"body part not stated; {card.title} reads {_one_of(limits.body_part)}"
    if limits.view and not series.view:
        return f"view not stated; {card.title} reads {_one_of(limits.view)}"
    if limits.age_years and age_in_years(series.age) is None:
        return f"age not stated; {card.title} was trained on ages {limits.age_years[0]:g} to {limits.age_years[1]:g}"
    return ""


def _contradiction(card: Card, limits: Applicability, series: Series) -> str:
    """The first of what is stated of the image itself that lies outside the card. A DICOM file without a modality is one of no known kind."""
    told = series.modality or series.format == "dicom"
    if limits.modality and told and series.modality.upper() not in limits.modality:
        return f"modality {series.modality or 'not stated'}; {card.title} reads {_one_of(limits.modality)}"
    if (
        limits.body_part
        and series.body_part
        and not any(same_part(series.body_part, part) for part in limits.body_part)
    ):
        return f"body part {series.body_part}; {card.title} reads {_one_of(limits.body_part)}"
    if limits.view and series.view and not any(same_view(series.view, view) for view in limits.view):
        return f"view {series.view}; {card.title} reads {_one_of(limits.view)}"
    return ""


def _other_age(card: Card, limits: Applicability, series: Series) -> str:
    """That the patient's stated age lies outside the card."""
    if limits.age_years and (age := age_in_years(series.age)) is not None:
        youngest, oldest = limits.age_years
        # an Age String counts whole years, months or days: one of 6Y stands for anything up to the seventh birthday
        if not youngest <= age < oldest + 1:
            return f"patient aged {age:g}; {card.title} was trained on ages {youngest:g} to {oldest:g}"
    return ""


def _one_of(values: tuple[str, ...]) -> str:
    return " or ".join(values)
