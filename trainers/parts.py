"""Body parts of a cohort: whether they may be learned or judged together, and the unit of a split that is finer than a patient. Reads no files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from engine.errors import CohortRejected
from engine.imaging.series import Series
from engine.imaging.terms import region_of

KEEP_APART = "Keep them apart: a model learns what one kind of image looks like."


def regions(series: Iterable[Series]) -> Counter[str]:
    """How many images of each body part there are; "" counts those that state none."""
    return Counter(region_of(one.body_part) for one in series)


def in_words(found: Counter[str]) -> str:
    """ "20 CHEST, 12 HAND", the most first."""
    return ", ".join(f"{count} {part}" for part, count in sorted(found.items(), key=lambda item: -item[1]) if part)


def check_one_part(series: Sequence[Series], path: str, together: Iterable[str] = (), cure: str = KEEP_APART) -> None:
    """Raises CohortRejected when several body parts are mixed; what states none is taken for alike.

    Args:
        together: parts that one model knows, which are no mixture.
    """
    known = {region_of(part) for part in together}
    found = regions(series)
    del found[""]
    if len({"" if part in known else part for part in found}) > 1:
        raise CohortRejected(f"several body parts are mixed ({in_words(found)})", where=path, cure=cure)


def check_known_parts(normals: Sequence[Series], everything: Sequence[Series], path: str) -> None:
    """Raises CohortRejected unless each image of everything, normals among it, says which body part it shows, and normals show each of them.

    Only then can the card of a model of several parts name them all; and a part that no normal shows would be learned as the disease.
    """
    known, found = regions(normals), regions(everything)
    if unsaid := found.pop("", 0):
        raise CohortRejected(
            f"{unsaid} images do not say which body part they show",
            where=path,
            cure="Name it in a column `body_part` of the CSV: a model of several parts must know them.",
        )
    if new := Counter({part: count for part, count in found.items() if not known[part]}):
        raise CohortRejected(
            f"no normal image shows what others do ({in_words(new)})",
            where=path,
            cure="Add normals of these body parts, or leave the others out.",
        )


def part_of_patient(patient: str, part: str) -> str:
    """The unit that a split by patient and body part keeps on one side, as cards name it: "WRIST/p12". No part has a "/", so that no two units share a name."""
    return f"{region_of(part).replace('/', '-')}/{patient}"


def patient_of(unit: str) -> str:
    """The patient of a unit that `part_of_patient` named."""
    return unit.partition("/")[2]
