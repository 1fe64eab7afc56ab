"""What a cohort's table says of an image that the image's file does not: its body part, view, modality, and the patient's sex and age. Reads no files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engine.errors import CohortRejected
from engine.imaging.cohort_csv import CohortRow
from engine.imaging.series import Series
from engine.imaging.terms import age_in_years, age_string, same_part, same_view, says_more

_SEXES = {"M": "M", "MALE": "M", "F": "F", "FEMALE": "F", "O": "O", "OTHER": "O"}
_MODALITIES = dict.fromkeys(("XR", "X-RAY", "XRAY", "RADIOGRAPH", "RADIOGRAPHY"), "DX")
_FILMS = {"CR", "DX", "DR", "RG"}
"""Modalities that are one kind of image here."""
_YEARS_APART = 2.0
"""Ages from which two are not one person's in one study: birthdays and rounding account for less."""
_NAMES = {"body_part": "body part"}


def as_stated(series: Series, row: CohortRow) -> Series:
    """The series with its row's patient and label, and with what its row states where its file has no such tag.

    A tag of the file wins, but where it names a limb alone and the row a part of it. A view, sex or age that the two tell differently is a warning.

    Raises:
        CohortRejected: the two name different body parts or modalities. Then the row is likely to be another file's, and so is its label.
    """
    found: dict[str, Any] = {}
    warnings: list[str] = []
    for name, said in stated(row.others).items():
        own = str(getattr(series, name))
        if not own or (name == "body_part" and says_more(said, own)):
            found[name] = said
        elif not _agree(name, said, own):
            words = f"the table says {_NAMES.get(name, name)} {said}, and the file {own}"
            if name in ("body_part", "modality"):
                raise CohortRejected(words, where=series.path, cure="Correct the row, or name the right file in it.")
            warnings.append(f"{words[0].upper()}{words[1:]}: the file is believed.")
    return replace(
        series,
        patient_id=row.patient_id or series.patient_id,
        label=row.label,
        warnings=(*series.warnings, *warnings),
        **found,
    )


def stated(cells: Mapping[str, str]) -> dict[str, str]:
    """What a row's further cells say in DICOM's terms, by attribute of `Series`; cells that are not understood are left out.

    Args:
        cells: `CohortRow.others`.
    """
    modality = cells.get("modality", "").upper()
    found = {
        "body_part": cells.get("body_part", "").upper().removeprefix("XR_"),  # as MURA calls its parts
        "view": cells.get("view", "").upper(),
        "modality": _MODALITIES.get(modality, modality),
        "sex": _SEXES.get(cells.get("sex", "").upper(), ""),
        "age": age_string(cells.get("age", "")),
    }
    return {name: value for name, value in found.items() if value}


def _agree(name: str, said: str, own: str) -> bool:
    """Whether the table's word and the file's can both be right."""
    if name == "body_part":
        return same_part(said, own) or says_more(own, said)
    if name == "view":
        return same_view(said, own)
    if name == "age":
        ages = age_in_years(said), age_in_years(own)
        return ages[0] is None or ages[1] is None or abs(ages[0] - ages[1]) < _YEARS_APART
    return said == own.upper() or (name == "modality" and {said, own.upper()} <= _FILMS)
