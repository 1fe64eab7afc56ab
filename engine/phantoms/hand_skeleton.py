"""The anatomy of the hand: which bones there are, how large, where, and how they grow. Projects nothing.

Everything is laid out for an adult man's LEFT hand lying on its palm, seen by the tube: thumb to the image's right (+x), fingertips up (+y),
dorsal side towards the tube (+z), origin in the middle of the capitate, millimetres. A right hand is its mirror image.

Lengths of metacarpals and phalanges: means of Buryanov and Kotiuk, Int J Morphol 2010;28:755, rounded; widths and outlines are drawn to look like
films. Ossification of carpals and closure of growth plates: Greulich and Pyle's atlas (2nd ed., 1959), boys; girls a year and a half ahead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from engine.phantoms.hand_bones import Bone, CarpalBone, LongBone, Physis
from engine.phantoms.phantom import Side

Points = npt.NDArray[np.float64]

# finger: (length, half-widths of base, waist and head) of metacarpal, proximal, middle and distal phalanx; the thumb has no middle one
RAYS: dict[int, tuple[tuple[float, float, float, float], ...]] = {
    1: ((46, 7.4, 5.0, 7.2), (31, 7.2, 4.5, 6.0), (22, 6.4, 3.6, 4.6)),
    2: ((67, 7.6, 4.2, 7.2), (40, 7.2, 4.4, 5.6), (23, 6.4, 3.8, 4.8), (16.5, 5.0, 2.5, 3.7)),
    3: ((65, 6.8, 4.3, 7.3), (44, 7.4, 4.6, 5.9), (27.5, 6.7, 4.1, 5.1), (17.5, 5.2, 2.6, 3.9)),
    4: ((57.5, 5.6, 3.6, 6.3), (41, 6.9, 4.3, 5.5), (26.5, 6.2, 3.9, 4.9), (17.5, 5.1, 2.6, 3.8)),
    5: ((53, 5.9, 3.8, 6.1), (32.5, 6.2, 3.7, 4.7), (18.5, 5.2, 3.2, 4.1), (15.8, 4.4, 2.2, 3.1)),
}
NAMES = ("metacarpal", "proximal phalanx", "middle phalanx", "distal phalanx")
BASES = {1: (27.5, 9.5, -7.0), 2: (12.8, 13.4, 0.0), 3: (0.3, 13.0, 1.5), 4: (-10.6, 11.8, 0.5), 5: (-20.6, 8.2, -2.0)}
DIRECTIONS = {1: 34.0, 2: 7.0, 3: 0.0, 4: -8.0, 5: -17.0}  # degrees from +y towards the thumb

# name: (first ossification in years, centre z, half depth, outline)
CARPALS: dict[str, tuple[float, float, float, tuple[tuple[float, float], ...]]] = {
    "capitate": (0.2, 1.0, 7.5, ((-4, -10), (0, -12.6), (4.2, -11), (6.4, -6.5), (5.6, -1), (6.6, 4), (6.4, 10.5), (3, 12.6),
                                 (-4.6, 12.2), (-6.6, 9.5), (-6.6, 3), (-6.2, -4))),
    "hamate": (0.3, -1.0, 7.0, ((-8.2, -9), (-8, -2), (-8, 5), (-8.6, 10.8), (-13, 11.4), (-19, 9), (-24.4, 6.4), (-25, 3),
                                (-20.5, -1), (-15, -6), (-11, -9.6))),
    "triquetrum": (2.4, -1.0, 5.5, ((-10.6, -12.3), (-14.5, -9), (-19, -4.4), (-23.8, -1.6), (-25.4, -6), (-23.4, -12),
                                    (-18, -17.2), (-13, -18.6), (-10.8, -16))),
    "lunate": (4.0, -1.0, 7.0, ((-8.8, -14.6), (-5.6, -12.8), (-2.6, -14.3), (0.6, -15), (4.4, -13.6), (6.4, -12.8), (7, -16.5),
                                (6, -21), (1.4, -23.8), (-4, -23.4), (-8, -20.4), (-9.2, -17.5))),
    "trapezium": (4.8, -6.0, 6.5, ((17.6, 1.4), (21, 0.6), (25.5, -0.4), (29.6, 3), (29.4, 7.6), (26, 10.2), (21.5, 11.6),
                                   (18.6, 10.4), (17, 6))),
    "trapezoid": (4.9, 0.5, 6.0, ((8.2, -2), (12.5, -2.4), (15.6, 0.2), (15.9, 5.5), (16.6, 10.4), (14, 12.6), (9.4, 12.2),
                                  (8.1, 8), (7.6, 3))),
    "scaphoid": (5.2, -4.0, 6.0, ((8, -13), (8.6, -19), (12.4, -20.8), (16.6, -17.8), (19.2, -13), (22.6, -8.2), (24, -3.6),
                                  (20.2, -0.9), (15, -1.9), (11.4, -4.2), (8, -7.4))),
    "pisiform": (9.5, -11.0, 4.5, ((-16, -11), (-16.4, -7.4), (-19.4, -5), (-23, -6), (-24.6, -10), (-23.4, -14.4), (-19.6, -15.8),
                                   (-17, -14.4))),
}  # fmt: skip


@dataclass(frozen=True)
class HandPatient:
    """Whose hand, and how it lies.

    Attributes:
        skeletal_age: years, as Greulich and Pyle read it.  scale: size relative to an adult man's hand.
        slenderness: bone width relative to the mean.  cortex: cortical thickness relative to a young adult's.
        bone_density: of cancellous bone relative to a young adult's.  flesh: soft-tissue thickness relative to the mean.
        spread: degrees added between neighbouring fingers.  flexion, sway: degrees a finger (1..5).
        tilt: degrees of pronation.  rotation: degrees in the image plane.
    """

    age_years: float
    skeletal_age: float
    sex: Literal["M", "F"]
    laterality: Side
    scale: float
    slenderness: float
    cortex: float
    bone_density: float
    flesh: float
    spread: float
    flexion: tuple[float, ...]
    sway: tuple[float, ...]
    joint_space: float
    tilt: float
    rotation: float
    length_variation: tuple[float, ...]

    @property
    def grown(self) -> bool:
        """True when every growth plate has closed."""
        return self.skeletal_age >= 17.5


def draw_patient(rng: np.random.Generator, laterality: Side, age_years: float | None) -> HandPatient:
    """A patient from the population: a third are children. `laterality` "" and `age_years` None are drawn."""
    child = rng.random() < 1 / 3
    drawn_age = float(rng.uniform(4.0, 16.5) if child else rng.uniform(18, 82))
    sex: Literal["M", "F"] = "F" if rng.random() < 0.5 else "M"
    side: Side = "L" if rng.random() < 0.5 else "R"
    age = drawn_age if age_years is None else float(age_years)
    skeletal = age + (1.5 if sex == "F" else 0.0) + float(np.clip(rng.normal(0, 0.6), -1.2, 1.2)) if age < 17.5 else age
    size = min(0.50 + 0.033 * age, 1.0) if age < 16 else 1.0
    old = max(age - 50, 0) / 30 * (1.3 if sex == "F" else 0.8)
    return HandPatient(
        age_years=round(age, 1),
        skeletal_age=skeletal,
        sex=sex,
        laterality=laterality or side,
        scale=size * (0.92 if sex == "F" and age > 13 else 1.0) * float(np.clip(rng.normal(1, 0.045), 0.9, 1.1)),
        slenderness=float(rng.normal(0.94 if sex == "F" else 1.0, 0.035)),
        cortex=float(rng.normal(1.0, 0.08)) * (1 - 0.28 * old) * (0.8 if age < 12 else 1.0),
        bone_density=float(rng.normal(1.0, 0.1)) * (1 - 0.3 * old),
        flesh=float(np.clip(rng.normal(1.0, 0.09), 0.82, 1.25)),
        spread=float(rng.normal(3.0, 2.6)),
        flexion=tuple(float(abs(a)) for a in rng.normal(0, 6.5, 5)),
        sway=tuple(float(a) for a in rng.normal(0, 2.5, 5)),
        joint_space=float(rng.normal(1.0, 0.12)) * (1 - 0.15 * max(age - 60, 0) / 20),
        tilt=float(rng.normal(0, 5)),
        rotation=float(rng.normal(0, 5)),
        length_variation=tuple(float(v) for v in rng.normal(1, 0.025, 20)),
    )


def skeleton(patient: HandPatient) -> list[Bone]:
    """Every bone that is ossified at the patient's age, as solids in image-frame millimetres before mirroring and rotation in the plane."""
    bones: list[Bone] = [*_forearm(patient), *_carpals(patient)]
    for finger in RAYS:
        bones.extend(_ray(patient, finger))
    thumb = next(bone for bone in bones if bone.name == "metacarpal 1")
    assert isinstance(thumb, LongBone)
    return [*bones, *_sesamoids(patient, thumb)]


def _turned(direction: float, pitch: float, roll: float) -> Points:
    """[3, 3] rows u, s, v of a bone pointing `direction` degrees off +y, bent `pitch` degrees towards the palm, rolled about its axis."""
    a, b, c = np.deg2rad([direction, pitch, roll])
    s = np.array([np.sin(a) * np.cos(b), np.cos(a) * np.cos(b), -np.sin(b)])
    u = np.array([np.cos(a), -np.sin(a), 0.0])
    v = np.cross(u, s)
    return np.stack([np.cos(c) * u + np.sin(c) * v, s, -np.sin(c) * u + np.cos(c) * v])


def _pronated(point: tuple[float, float, float], patient: HandPatient) -> Points:
    """A point of the adult layout, scaled to the patient and turned about the hand's long axis."""
    a = np.deg2rad(patient.tilt)
    x, y, z = (patient.scale * value for value in point)
    return np.array([x * np.cos(a) + z * np.sin(a), y, z * np.cos(a) - x * np.sin(a)])


def _ray(patient: HandPatient, finger: int) -> list[Bone]:
    """A metacarpal and its phalanges, joint by joint from the carpus outwards."""
    bones: list[Bone] = []
    gap = (
        (1.8 + (1.0 if not patient.grown else 0.0) * max(16 - patient.skeletal_age, 0) / 12)
        * patient.joint_space
        * patient.scale
    )
    joint = _pronated(BASES[finger], patient)
    direction = DIRECTIONS[finger] + 0.35 * patient.spread * (3 - finger if finger > 1 else 1.5)
    pitch = 18.0 if finger == 1 else 3.0
    direction += 1.8 * patient.sway[0] if finger == 1 else 0.0
    roll = patient.tilt + (58.0 if finger == 1 else (finger - 3) * -3.0)
    parts = RAYS[finger]
    names = NAMES if finger > 1 else (NAMES[0], NAMES[1], NAMES[3])
    for place, (name, measures) in enumerate(zip(names, parts, strict=True)):
        length = measures[0] * patient.scale * patient.length_variation[(finger - 1) * 4 + place]
        axes = _turned(direction, pitch, roll)
        bones.append(_tube(patient, f"{name} {finger}", name, joint, axes, length, measures[1:], finger))
        joint = joint + axes[1] * (length + gap * (0.8 if place == 0 else 1.0))
        if finger == 1:
            direction += (-13.0 if place == 0 else -6.0) + patient.sway[0]
            pitch = 8.0 + patient.flexion[0] * (0.3 if place == 0 else 1.2)
        else:
            direction += (
                patient.spread * (3 - finger) * 0.65 + patient.sway[finger - 1] if place == 0 else 0.4 * (finger - 3)
            )
            pitch = patient.flexion[finger - 1] * (0.2, 1.0, 1.5)[min(place, 2)]
    return bones


@dataclass(frozen=True)
class _Form:
    """What the bones of a kind have in common.

    Attributes:
        stations: shares of the length at which half widths are known.  base, waist, head: those, as multiples of the bone's own three measures.
        flat: depth over width.  proximal_dome, distal_dome, notch: mm of an adult, as `LongBone` has them.
    """

    stations: tuple[float, ...]
    base: tuple[float, ...]
    waist: tuple[float, ...]
    head: tuple[float, ...]
    flat: float
    proximal_dome: float
    distal_dome: float
    notch: float = 0.0


_PHALANX = _Form(
    stations=(0.0, 0.05, 0.15, 0.34, 0.6, 0.8, 0.9, 0.96, 1.0),
    base=(0.92, 1.0, 0.85),
    waist=(1.08, 1.0, 1.06),
    head=(0.95, 1.0, 0.9),
    flat=0.8,
    proximal_dome=-1.2,
    distal_dome=1.2,
    notch=1.3,
)
_FORMS = {
    "metacarpal": _Form(
        stations=(0.0, 0.05, 0.13, 0.26, 0.5, 0.7, 0.81, 0.89, 0.94, 1.0),
        base=(0.93, 1.0, 0.84),
        waist=(1.1, 1.0, 1.1),
        head=(0.74, 0.97, 1.0, 0.84),
        flat=0.92,
        proximal_dome=-0.6,
        distal_dome=4.8,
    ),
    "distal phalanx": _Form(
        stations=(0.0, 0.07, 0.18, 0.42, 0.66, 0.8, 0.9, 1.0),
        base=(0.92, 1.0, 0.8),
        waist=(1.08, 0.95),
        head=(0.88, 1.0, 0.92),
        flat=0.7,
        proximal_dome=-0.8,
        distal_dome=2.2,
    ),
}


def _tube(
    patient: HandPatient,
    title: str,
    name: str,
    joint: Points,
    axes: Points,
    length: float,
    measures: tuple[float, ...],
    finger: int,
) -> LongBone:
    """One metacarpal or phalanx with the shape of its kind."""
    base, waist, head = (m * patient.scale * patient.slenderness for m in measures)
    form = _FORMS.get(name, _PHALANX)
    widths = (*(s * base for s in form.base), *(s * waist for s in form.waist), *(s * head for s in form.head))
    return LongBone(
        name=title,
        origin=(float(joint[0]), float(joint[1]), float(joint[2])),
        axes=axes,
        length=length,
        stations=form.stations,
        half_width=widths,
        half_depth=tuple(form.flat * w for w in widths),
        cortex=max(0.41 * waist * patient.cortex, 0.7 * patient.scale),
        proximal_dome=form.proximal_dome * patient.scale,
        distal_dome=form.distal_dome * patient.scale,
        notch=form.notch * patient.scale,
        bow=(-0.6 if finger == 5 else 0.0) * patient.scale,
        physis=_physis(patient, name, finger, length),
    )


def _physis(patient: HandPatient, name: str, finger: int, length: float) -> Physis | None:
    """Fingers' metacarpals grow at their heads; the thumb's metacarpal and all phalanges at their bases. Distal ones close first."""
    closes = {"metacarpal": 16.2, "proximal phalanx": 16.0, "middle phalanx": 15.7, "distal phalanx": 15.2}[name]
    return _open_plate(
        patient, closes, name == "metacarpal" and finger > 1, length * (0.15 if name == "metacarpal" else 0.11)
    )


def _open_plate(patient: HandPatient, closes: float, at_distal_end: bool, distance: float) -> Physis | None:
    """The growth plate as it is at the patient's skeletal age, None once closed."""
    left = closes - patient.skeletal_age
    if left <= 0:
        return None
    growth = float(np.clip((patient.skeletal_age - 2.0) / 11.0, 0, 1))
    gap = float(np.clip(0.5 + 0.17 * left, 0.0, 1.9))
    return Physis(at_distal_end, distance * (0.62 + 0.38 * growth), gap, 0.72 + 0.3 * growth)


def _forearm(patient: HandPatient) -> list[Bone]:
    """Distal radius and ulna; both run out of the image at the bottom."""
    k, thin = patient.scale, patient.slenderness
    length = 75.0 * k
    radius_end = _pronated((8.6, -23.4, 0.0), patient)
    ulna_end = _pronated((-17.5, -26.5, 3.0), patient)
    bones: list[Bone] = []
    axes = _turned(2.5, 0.0, patient.tilt)
    stations = (0.0, 0.35, 0.55, 0.7, 0.82, 0.92, 1.0)
    widths = tuple(k * thin * w for w in (6.8, 7.2, 8.2, 10.2, 13.6, 16.2, 16.4))
    start = radius_end - axes[1] * length
    bones.append(
        LongBone(
            "radius", (float(start[0]), float(start[1]), float(start[2])), axes, length, stations, widths,
            tuple(w * f for w, f in zip(widths, (0.9, 0.9, 0.85, 0.78, 0.7, 0.66, 0.62), strict=True)),
            cortex=2.9 * k * patient.cortex, distal_dome=-1.6 * k, slant=0.26 if patient.skeletal_age > 9 else 0.16,
            styloid=(11.5 * k, 3.4 * k if patient.skeletal_age > 9 else 0.5, 4.5 * k),
            physis=_open_plate(patient, 17.3, True, 8.5 * k),
        )
    )  # fmt: skip
    axes = _turned(-1.0, 0.0, patient.tilt)
    widths = tuple(k * thin * w for w in (5.6, 5.4, 5.2, 5.6, 7.0, 8.6, 8.2))
    start = ulna_end - axes[1] * length
    bones.append(
        LongBone(
            "ulna", (float(start[0]), float(start[1]), float(start[2])), axes, length, stations, widths,
            tuple(0.9 * w for w in widths), cortex=2.5 * k * patient.cortex, distal_dome=2.2 * k,
            styloid=(-6.0 * k, 6.2 * k, 2.2 * k) if patient.skeletal_age > 8 else None,
            physis=_open_plate(patient, 17.2, True, 6.5 * k) if patient.skeletal_age > 5.5 else _unossified(length, k),
        )
    )  # fmt: skip
    return bones


def _unossified(length: float, scale: float) -> Physis:
    """Before about six years the ulna's end is cartilage: nothing of it is seen."""
    return Physis(True, 3.0 * scale, 12.0 * scale, 0.05)


def _sesamoids(patient: HandPatient, thumb: LongBone) -> list[Bone]:
    """The two pea-sized bones under the head of the thumb's metacarpal, which ossify at puberty. They are not among the 27."""
    if patient.skeletal_age < 13:
        return []
    angles = np.linspace(0, 2 * np.pi, 9)[:-1]
    bones: list[Bone] = []
    for name, across, size in (("radial sesamoid", -3.6, 2.1), ("ulnar sesamoid", 3.4, 2.4)):
        middle = thumb.end(0.93) + (thumb.axes[0] * across - thumb.axes[2] * 6.5) * patient.scale
        outline = middle[:2] + size * patient.scale * np.stack([np.cos(angles), 1.25 * np.sin(angles)], 1)
        bones.append(CarpalBone(name, outline, float(middle[2]), 2.0 * patient.scale, 0.4 * patient.scale))
    return bones


def _carpals(patient: HandPatient) -> list[Bone]:
    """The ossified carpals: small and round at first, filling their adult outline by about 13 years."""
    bones: list[Bone] = []
    for name, (onset, z, depth, corners) in CARPALS.items():
        since = patient.skeletal_age - onset
        if since <= 0.3:
            continue
        filled = float(np.clip(0.3 + 0.7 * (since / (13.0 - onset)) ** 0.75, 0, 1)) if onset < 13 else 1.0
        outline = np.asarray(corners, np.float64)
        middle = outline.mean(axis=0)
        arms = (outline - middle) * 1.15  # what rounding the corners takes away
        reach = np.hypot(arms[:, 0], arms[:, 1])[:, None]
        rounding = 0.75 * (1 - filled)
        arms = arms * ((1 - rounding) + rounding * reach.mean() / reach) * filled
        placed = np.stack([_pronated((float(px), float(py), z), patient) for px, py in middle + arms])
        size = depth * patient.scale * (0.4 + 0.6 * filled)
        bones.append(
            CarpalBone(name, placed[:, :2], float(placed[:, 2].mean()), size, 0.45 * patient.cortex * patient.scale)
        )
    return bones
