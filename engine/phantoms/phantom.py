"""What a phantom is: an image of made-up anatomy, and the lesions put into it with their exact masks. Renders nothing, writes nothing.

The same seed with and without a `LesionRequest` is the same patient in the same position under the same noise: only the pixels of
`Lesion.mask` differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

PhantomKind = Literal["chest", "hand", "head"]
LesionKind = Literal["opacity", "nodule", "effusion", "cardiomegaly", "fracture", "metal", "haemorrhage", "infarct"]
Side = Literal["L", "R", ""]

LESION_KINDS: dict[PhantomKind, tuple[LesionKind, ...]] = {
    "chest": ("opacity", "nodule", "effusion", "cardiomegaly"),
    "hand": ("fracture", "metal"),
    "head": ("haemorrhage", "infarct"),
}


@dataclass(frozen=True)
class LesionRequest:
    """A lesion to put into the anatomy. What is left open is drawn from the phantom's seed.

    Attributes:
        kind: one of `LESION_KINDS` of the phantom; another raises ValueError.
        size_mm: greatest extent in mm (a nodule's diameter, an effusion's height, how much wider the heart is); None: a usual size.
        strength: multiple of the kind's usual density difference; 1 is typical, 0.5 subtle.
        side: the PATIENT's side, "L" or "R"; "" for either (ignored by lesions that have no side).
    """

    kind: LesionKind
    size_mm: float | None = None
    strength: float = 1.0
    side: Side = ""


@dataclass(frozen=True, eq=False)
class Lesion:
    """A lesion as it came out on the image.

    Attributes:
        mask: bool, the image's shape: exactly the pixels (voxels) that the lesion changed visibly.
        size_mm: greatest extent in mm in the patient.
        contrast: mean signed difference inside the mask, with lesion minus without, in the image's units (radiograph: 0..1; CT: HU).
        side: the PATIENT's side, "L" or "R", "" where it has none or lies in the midline.
    """

    kind: LesionKind
    mask: npt.NDArray[np.bool_]
    size_mm: float
    contrast: float
    side: Side = ""


@dataclass(frozen=True, eq=False)
class Phantom:
    """One synthetic image.

    Attributes:
        kind: which anatomy.
        seed: what it was made from.
        image: chest and hand: float32 [rows, columns] in [0, 1], bright = dense, ready for presentation, viewed as DICOM shows it
            (patient's left at image right); head: int16 [slices, rows, columns] HU, slices from caudal to cranial.
        spacing: mm between adjacent pixels, (row, column) or (slice, row, column).
        lesions: what was put in; empty for a normal phantom.
        sex: "M" or "F".  age_years: whole or fractional years.
        laterality: "L" or "R" for a limb, "" otherwise.
        view: DICOM ViewPosition ("PA"), "" for CT.
    """

    kind: PhantomKind
    seed: int
    image: npt.NDArray[np.float32] | npt.NDArray[np.int16]
    spacing: tuple[float, ...]
    lesions: tuple[Lesion, ...] = field(default=())
    sex: Literal["M", "F"] = "M"
    age_years: float = 40.0
    laterality: Side = ""
    view: str = ""

    @property
    def label(self) -> Literal["normal", "abnormal"]:
        """What a cohort's `label` column says of it."""
        return "abnormal" if self.lesions else "normal"
