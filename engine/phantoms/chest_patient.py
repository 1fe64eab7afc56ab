"""Who a synthetic chest belongs to: sex, age, build and positioning drawn from a seed, and the shape of the thorax that follows from them.

Draws nothing. Patient coordinates in mm: x to the patient's left, y to the back, z to the head; z = 0 at the top of the right diaphragm dome.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]


@dataclass(frozen=True)
class ChestPatient:
    """What differs between patients. Lengths in mm, angles in degrees.

    Attributes:
        width: inner half width of the thorax at its widest.  height: from the right dome to the lung apices.  depth: inner half depth.
        fat: subcutaneous fat.  muscle: chest wall between fat and lung.
        left_dome: how much lower the left dome is.  dome_height: from the costophrenic angle to the dome.
        heart_ratio: cardiothoracic ratio.  heart_lean: 0 drop-shaped and vertical to 1 broad and horizontal.  aorta: 0 young to 1 unfolded.
        kyphosis, scoliosis: bend of the spine.  rib_slope: multiple of the usual slope.  rib_width: half height of a rib.
        lung_density: share of water.  markings: multiple of the usual vessel calibre.  bone_density: multiple of the usual mineral.
        shoulder_drop: how far the shoulders are lowered.  arm_angle: of the upper arm from vertical.
        breast: radius, 0 for none.  yaw: turn about the long axis.  roll: tilt in the image.  shift_x, shift_z: off-centre.
        field: side of the square image.  pedicle: multiple of the usual width of the great vessels.
    """

    sex: Literal["M", "F"]
    age: int
    width: float
    height: float
    depth: float
    fat: float
    muscle: float
    left_dome: float
    dome_height: float
    heart_ratio: float
    heart_lean: float
    aorta: float
    kyphosis: float
    scoliosis: float
    rib_slope: float
    rib_width: float
    lung_density: float
    markings: float
    bone_density: float
    shoulder_drop: float
    arm_angle: float
    breast: float
    yaw: float
    roll: float
    shift_x: float
    shift_z: float
    field: float
    pedicle: float


def drawn_patient(rng: np.random.Generator) -> ChestPatient:
    """An adult, from lean to heavy, young to old, in good to moderate inspiration, a little rotated and off-centre."""
    male = bool(rng.random() < 0.55)
    age = int(np.clip(rng.normal(50, 17), 18, 90))
    build = float(np.clip(rng.normal(0, 1), -1.8, 2.4))  # lean to heavy
    stature = float(np.clip(rng.normal(0, 1), -2, 2))
    breath = float(np.clip(rng.normal(0, 1), -1.8, 1.5))
    width = (143 if male else 127) + 5 * stature + 2.5 * build + 2 * breath
    height = (232 if male else 207) + 11 * stature + 13 * breath - 4 * build
    old = (age - 18) / 72
    heart = 0.435 + 0.012 * build - 0.012 * breath + 0.02 * old + rng.normal(0, 0.018)
    sagging = 0 if male else 58 + 6 * build + rng.normal(0, 5)
    field = max(2 * width / rng.uniform(0.68, 0.76), (height + 40) / rng.uniform(0.70, 0.78))
    return ChestPatient(
        sex="M" if male else "F",
        age=age,
        width=float(width),
        height=float(height),
        depth=float((83 if male else 75) + 3 * build + 4 * breath + 8 * old + rng.normal(0, 3)),
        fat=float(np.clip(12 + 6 * build + (4 if not male else 0), 5, 32)),
        muscle=float((24 if male else 18) + 2 * build + 2 * stature),
        left_dome=float(np.clip(rng.normal(12, 5), -4, 24)),
        dome_height=float(np.clip(rng.normal(50, 6), 36, 64) - 4 * old),
        heart_ratio=float(np.clip(heart, 0.37, 0.495)),
        heart_lean=float(np.clip(0.5 + 0.16 * build - 0.16 * breath + rng.normal(0, 0.12), 0, 1)),
        aorta=float(np.clip(old + rng.normal(0, 0.12), 0, 1)),
        kyphosis=float(old * rng.uniform(0.3, 1.0)),
        scoliosis=float(rng.normal(0, 3.0)),
        rib_slope=float(np.clip(rng.normal(1.0 + 0.1 * old, 0.13), 0.7, 1.4)),
        rib_width=float((6.9 if male else 6.1) * np.clip(rng.normal(1, 0.07), 0.85, 1.15)),
        lung_density=float(np.clip(rng.normal(0.26 - 0.03 * breath, 0.015), 0.19, 0.33)),
        markings=float(np.clip(rng.normal(1.0, 0.1), 0.75, 1.25)),
        bone_density=float(np.clip(rng.normal(1.08 - 0.3 * old, 0.1), 0.6, 1.3)),
        shoulder_drop=float(np.clip(rng.normal(0, 9), -18, 18)),
        arm_angle=float(np.clip(rng.normal(24, 10), 6, 50)),
        breast=float(max(sagging, 0)),
        yaw=float(rng.normal(0, 1.6)),
        roll=float(rng.normal(0, 1.1)),
        shift_x=float(rng.normal(0, 6)),
        shift_z=float(rng.normal(0, 7)),
        field=float(field),
        pedicle=float(np.clip(rng.normal(1, 0.1), 0.8, 1.25)),
    )


@dataclass(frozen=True)
class Thorax:
    """The inner shape of a patient's thorax: what lungs fill and ribs follow. All methods take z in mm and give mm of the same shape."""

    patient: ChestPatient

    def _rise(self, z: Array) -> Array:
        low = 0.08 * self.patient.height
        return np.clip((z - low) / (self.patient.height - low), 0.0, 1.0)

    def outer(self, z: Array) -> Array:
        """Half width to the lateral lung border."""
        rise = self._rise(z)
        low = 0.08 * self.patient.height
        flare = 0.06 * (np.clip(low - z, 0, 200) / 100) ** 2
        apex = 0.34
        return self.patient.width * (apex + (1 - apex) * (1 - rise**2.5) ** (1 / 2.0) - flare)

    def inner(self, z: Array) -> Array:
        """Where the lung would end medially if there were no mediastinum."""
        rise = self._rise(z)
        return self.patient.width * (0.34 - 0.27 * np.sqrt(1 - rise**6))

    def half_depth(self, z: Array) -> Array:
        """Half the inner front-to-back depth."""
        rise = self._rise(z)
        return self.patient.depth * (0.12 + 0.88 * np.sqrt(1 - 0.97 * rise**2)) * (1 - 0.3 * rise**4)

    def middle(self, z: Array) -> Array:
        """y of the middle of that depth: the front wall leans back towards the apex."""
        return 26 * self._rise(z) ** 1.3

    def spine_x(self, z: Array) -> Array:
        """x of the spine's midline."""
        return self.patient.scoliosis * np.sin(2.2 * np.pi * (z / self.patient.height - 0.1))


def vertebra_levels(patient: ChestPatient) -> Array:
    """[18] z in mm of the centres of C5, C6, C7, T1 .. T12, L1, L2, L3."""
    steps = np.linspace(0.8, 1.2, 11)
    steps = steps / steps.sum() * 1.07 * patient.height * (1 - 0.04 * patient.kyphosis)
    first = 0.94 * patient.height
    thoracic = first - np.concatenate([[0.0], np.cumsum(steps)])
    neck = first + steps[0] * np.array([3.15, 2.15, 1.1])
    lumbar = thoracic[-1] - steps[-1] * np.array([1.15, 2.4, 3.7])
    return np.concatenate([neck, thoracic, lumbar])


def turned(points: Array, patient: ChestPatient) -> npt.NDArray[np.float64]:
    """[n, 3] points after the patient's yaw about the thorax's long axis."""
    angle = np.deg2rad(patient.yaw)
    out = np.array(points, np.float64)
    out[:, 0] = points[:, 0] * np.cos(angle) - points[:, 1] * np.sin(angle)
    out[:, 1] = points[:, 0] * np.sin(angle) + points[:, 1] * np.cos(angle)
    return out
