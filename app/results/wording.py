"""Scores in words: a number never goes without what it is compared to. Text only."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.models.card import Card


RESEARCH_NOTICE = "Research use only – not for diagnosis"

_ABBREVIATIONS = {"ssim", "mse", "mae", "ct"}
_NOUNS = {"CHEST": "chests", "HAND": "hands", "WRIST": "wrists", "KNEE": "knees", "HEAD": "heads"}


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, ... 11th, 12th, 13th."""
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def cohort_noun(card: Card) -> str:
    """What the calibration cohort consists of: "normal chests", "normal phantom hands", "normal studies"."""
    noun = next((_NOUNS[part] for part in card.applicability.body_part if part in _NOUNS), "studies")
    return f"normal phantom {noun}" if card.applicability.synthetic else f"normal {noun}"


def shown_percentile(percentile: float) -> int:
    """The whole percentile that is shown: rounded down, so that nothing short of the very top reads 100."""
    return int(min(max(percentile, 0.0), 100.0))


def compared(percentile: float, normals: int, noun: str) -> str:
    """ "97th percentile of 161 normal chests"; at the ends, what that means in words."""
    if percentile >= 100:
        return f"higher than all {normals} {noun}"
    if percentile <= 0:
        return f"lower than all {normals} {noun}"
    return f"{ordinal(shown_percentile(percentile))} percentile of {normals} {noun}"


def place_in_words(percentile: float, normals: int) -> str:
    """The same in few words: "97th percentile", "above all 161"."""
    if percentile >= 100:
        return f"above all {normals}"
    return f"below all {normals}" if percentile <= 0 else f"{ordinal(shown_percentile(percentile))} percentile"


def score_title(name: str) -> str:
    """A score's name as read: `latent_distance` becomes "Latent distance", `ssim` "SSIM"."""
    words = [word.upper() if word in _ABBREVIATIONS else word for word in name.replace("-", "_").split("_") if word]
    title = " ".join(words)
    return title[:1].upper() + title[1:]


def raw_number(value: float) -> str:
    """A raw score with three figures that matter."""
    return f"{value:.3g}" if value == 0 or 1e-3 <= abs(value) < 1e4 else f"{value:.2e}"


def person_name(dicom_name: str) -> str:
    """A DICOM person name (PS3.5 6.2) as read: "Doe^Jane" becomes "Doe, Jane"."""
    alphabetic = dicom_name.split("=", 1)[0]
    family, _, given = alphabetic.partition("^")
    given = " ".join(part for part in given.split("^") if part)
    return f"{family}, {given}" if family and given else family or given
