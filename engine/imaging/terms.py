"""Body parts, views and ages in the many ways in which tags and tables write them. Reads no files."""

from __future__ import annotations

import re

# DICOM's body part terms (PS3.16 annex L) are written in many ways; each group means one region here, called by its first name.
_SAME_BODY_PART = (
    ("CHEST", "THORAX", "LUNG", "LUNGS", "CHEST_ABDOMEN"),
    ("HEAD", "BRAIN", "SKULL", "HEADBRAIN", "CEREBRUM"),
    ("HAND", "HANDS", "WRIST_HAND"),
    ("KNEE", "KNEES"),
)
_REGIONS = {term: group[0] for group in _SAME_BODY_PART for term in group}
_LIMBS = {
    "EXTREMITY", "UPPER_EXTREMITY", "LOWER_EXTREMITY", "LIMB", "UPPER_LIMB", "LOWER_LIMB", "UPPERLIMB", "LOWERLIMB",
}  # fmt: skip
_OF_LIMBS = {
    "FINGER", "THUMB", "HAND", "WRIST", "FOREARM", "ELBOW", "HUMERUS", "ARM", "SHOULDER", "CLAVICLE",
    "TOE", "FOOT", "CALCANEUS", "ANKLE", "LEG", "KNEE", "FEMUR", "HIP",
}  # fmt: skip
_WIDER_VIEWS = {"FRONTAL": {"AP", "PA"}, "LATERAL": {"LL", "RL"}}
"""Words of tables for more than one ViewPosition (0018,5101)."""


def region_of(part: str) -> str:
    """The one name of a body part, whichever of its terms is used: CHEST for "Thorax". "" stays "" (not stated)."""
    term = re.sub(r"[\s_-]+", "_", part.strip().upper())
    return _REGIONS.get(term, term)


def same_part(stated: str, wanted: str) -> bool:
    """Whether two body part terms mean one region: THORAX and CHEST do."""
    return region_of(stated) == region_of(wanted)


def says_more(part: str, than: str) -> bool:
    """Whether a body part is one of the limb that the other term only names: WRIST says more than UPPER LIMB."""
    return region_of(than) in _LIMBS and region_of(part) in _OF_LIMBS


def same_view(stated: str, wanted: str) -> bool:
    """Whether two views can be one: a frontal film is AP or PA."""
    stated, wanted = stated.upper(), wanted.upper()
    return stated == wanted or stated in _WIDER_VIEWS.get(wanted, ()) or wanted in _WIDER_VIEWS.get(stated, ())


def age_in_years(age: str) -> float | None:
    """Years of a DICOM Age String such as 045Y, 018M, 006W or 010D (PS3.5 section 6.2); None when it is not one."""
    match = re.fullmatch(r"\s*(\d{1,3})([YMWD])\s*", age.upper())
    if match is None:
        return None
    return int(match[1]) / {"Y": 1.0, "M": 12.0, "W": 52.18, "D": 365.25}[match[2]]


def age_string(age: str) -> str:
    """A number of years, or an Age String with or without its zeros, as DICOM's Age String; "" for what is no age of a person."""
    if match := re.fullmatch(r"\s*(\d{1,3})\s*([YMWD])\s*", age.upper()):
        return f"{int(match[1]):03d}{match[2]}"
    try:
        years = float(age)
    except ValueError:
        return ""
    if not 0 <= years < 150:  # also of NaN
        return ""
    # years are counted whole; under two, months say what they do not
    return f"{int(years * 12):03d}M" if years < 2 and years != int(years) else f"{int(years):03d}Y"
