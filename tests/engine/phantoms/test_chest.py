"""A synthetic chest is a chest: anatomy where it belongs, one patient per seed, and lesions that change their own pixels only."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from engine.phantoms.chest import render
from engine.phantoms.markings import SYNTHETIC_TEXT, text_mask
from engine.phantoms.phantom import LESION_KINDS, LesionKind, LesionRequest, Phantom, Side

SIZE = 192


@lru_cache(maxsize=64)
def _chest(seed: int, kind: LesionKind | None = None, side: Side = "", size_mm: float | None = None) -> Phantom:
    request = None if kind is None else LesionRequest(kind, side=side, size_mm=size_mm)
    return render(seed, request, size=SIZE, noise=False, markings=False)


def test_a_seed_is_a_patient() -> None:
    again = render(4, size=96)
    assert np.array_equal(render(4, size=96).image, again.image)
    assert np.abs(render(5, size=96).image - again.image).mean() > 0.02


def test_the_image_is_a_float_radiograph_with_its_spacing_and_view() -> None:
    phantom = render(2, size=128)
    assert phantom.image.shape == (128, 128) and phantom.image.dtype == np.float32
    assert phantom.image.min() >= 0 and phantom.image.max() <= 1
    assert phantom.view == "PA" and phantom.label == "normal"
    assert 320 < phantom.spacing[0] * 128 < 520
    assert render(2, size=256).spacing[0] == pytest.approx(phantom.spacing[0] / 2)


@pytest.mark.parametrize("seed", range(4))
def test_lungs_are_dark_the_mediastinum_bright_and_the_heart_lies_to_the_left(seed: int) -> None:
    image = _chest(seed).image
    middle = SIZE // 2
    chest = image[int(0.3 * SIZE) : int(0.6 * SIZE)]
    mediastinum = np.median(chest[:, middle - 5 : middle + 5])
    lungs = np.median(
        np.hstack([chest[:, int(0.25 * SIZE) : int(0.35 * SIZE)], chest[:, int(0.67 * SIZE) : int(0.77 * SIZE)]])
    )
    assert mediastinum > lungs + 0.3
    halfway = (mediastinum + lungs) / 2
    heart = image[int(0.55 * SIZE) : int(0.64 * SIZE), int(0.25 * SIZE) : int(0.8 * SIZE)] > halfway
    columns = np.flatnonzero(heart.mean(0) > 0.5) + int(0.25 * SIZE)
    assert columns.max() - middle > 1.2 * (middle - columns.min())  # image right is the patient's left


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", LESION_KINDS["chest"])
def test_a_lesion_changes_its_mask_and_nothing_else(seed: int, kind: LesionKind) -> None:
    healthy, ill = _chest(seed), _chest(seed, kind)
    (lesion,) = ill.lesions
    difference = ill.image - healthy.image
    assert lesion.mask.sum() > 10
    assert not difference[~lesion.mask].any()
    assert difference[lesion.mask].mean() > 0.02  # all of them are denser than lung
    assert lesion.contrast == pytest.approx(float(difference[lesion.mask].mean()), abs=1e-4)
    assert ill.label == "abnormal" and lesion.kind == kind


@pytest.mark.parametrize("kind", ["opacity", "nodule", "effusion"])
@pytest.mark.parametrize("side", ["L", "R"])
def test_a_lesion_of_the_patients_left_is_at_image_right(kind: LesionKind, side: Side) -> None:
    (lesion,) = _chest(3, kind, side).lesions
    column = np.argwhere(lesion.mask)[:, 1].mean()
    assert lesion.side == side
    assert (column > SIZE / 2) == (side == "L")


def test_noise_and_markings_are_the_same_with_and_without_a_lesion() -> None:
    healthy, ill = render(6, size=SIZE), render(6, LesionRequest("effusion"), size=SIZE)
    (lesion,) = ill.lesions
    assert np.array_equal(ill.image[~lesion.mask], healthy.image[~lesion.mask])


@pytest.mark.parametrize("size_mm", [14.0, 26.0])
def test_a_nodule_is_as_large_as_asked(size_mm: float) -> None:
    phantom = _chest(1, "nodule", size_mm=size_mm)
    (lesion,) = phantom.lesions
    diameter = 2 * np.sqrt(lesion.mask.sum() / np.pi) * phantom.spacing[0]
    assert diameter == pytest.approx(size_mm, rel=0.25)
    assert lesion.size_mm == size_mm


def test_a_stronger_lesion_has_more_contrast() -> None:
    contrasts = [
        render(8, LesionRequest("opacity", strength=strength), size=128, noise=False).lesions[0].contrast
        for strength in (0.5, 1.0)
    ]
    assert contrasts[1] > 1.2 * contrasts[0]


def test_noise_is_zero_on_average() -> None:
    grain = render(9, size=SIZE, markings=False).image - _chest(9).image
    assert 0.0005 < grain.std() < 0.05
    assert abs(grain.mean()) < 0.1 * grain.std()


@pytest.mark.parametrize("size", [128, 512])
def test_the_word_synthetic_is_burned_in(size: int) -> None:
    text = text_mask(SYNTHETIC_TEXT, max(6, round(size / 42)))
    marked = render(9, size=size, noise=False).image
    likeness = max(
        np.corrcoef(marked[row : row + text.shape[0], column : column + text.shape[1]].ravel(), text.ravel())[0, 1]
        for row in range(size - text.shape[0] - size // 20, size - text.shape[0])
        for column in range(size - text.shape[1] - size // 20, size - text.shape[1])
    )
    assert likeness > 0.8


def test_what_a_chest_cannot_have_is_refused() -> None:
    with pytest.raises(ValueError, match="fracture"):
        render(1, LesionRequest("fracture"))
    with pytest.raises(ValueError, match="64"):
        render(1, size=32)
