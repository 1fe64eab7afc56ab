"""The scattering transform is what its equations say, tells scales and directions apart, and hardly minds a small shift."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from engine.models import scattering
from engine.models.scattering import CHANNELS, DIRECTIONS, SCALES, Scattering

SIZE = (64, 96)


@pytest.fixture(scope="module")
def transform() -> Scattering:
    return Scattering(SIZE)


def _smooth(seed: int) -> torch.Tensor:
    noise = torch.rand(2, 1, 16, 24, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return F.interpolate(noise, SIZE, mode="bicubic", align_corners=False).clamp(-1, 1)


def _grating(period: float, angle: float) -> torch.Tensor:
    down, across = torch.meshgrid(*(torch.arange(side) for side in SIZE), indexing="ij")
    return torch.cos(2 * math.pi / period * (math.cos(angle) * across + math.sin(angle) * down))[None, None]


def test_features_at_a_sixteenth_of_the_side(transform: Scattering) -> None:
    assert transform(_smooth(0)).shape == (2, CHANNELS, 4, 6)
    assert CHANNELS == 133


@pytest.mark.parametrize("scale", range(SCALES))
@pytest.mark.parametrize("turn", [0, 2, 3])
def test_a_grating_answers_in_its_own_scale_and_direction(transform: Scattering, scale: int, turn: int) -> None:
    grating = _grating(2 * math.pi / (3 * math.pi / 4 / 2**scale), math.pi * turn / DIRECTIONS)
    found = transform(grating).exp().mean((0, 2, 3))
    strengths = _first_order(found)
    assert int(strengths.argmax()) == scale * DIRECTIONS + turn


def _first_order(found: torch.Tensor) -> torch.Tensor:
    """The channels come scale by scale, each scale's second order behind its first."""
    starts, start = [], 1
    for scale in range(SCALES):
        starts.append(start)
        start += DIRECTIONS * (1 + (SCALES - 1 - scale) * scattering.SECOND_DIRECTIONS)
    return torch.cat([found[start : start + DIRECTIONS] for start in starts])


def test_folded_spectra_say_what_every_pixel_says(transform: Scattering, monkeypatch: pytest.MonkeyPatch) -> None:
    images = _smooth(1)
    folded = transform(images)
    monkeypatch.setattr(scattering, "_step", lambda scale: 1)
    whole = Scattering(SIZE)(images)
    assert (folded - whole).abs().mean() < 0.05 * whole.std()


def test_a_small_shift_changes_it_less_than_it_changes_the_image(transform: Scattering) -> None:
    canvas = torch.rand(2, 1, 66, 98, generator=torch.Generator().manual_seed(2)) * 2 - 1  # grains of a pixel
    images, moved = canvas[..., :-2, :-2], canvas[..., 2:, 2:]
    others = images.flip(0)

    def change(a: torch.Tensor, b: torch.Tensor) -> float:
        return float((a - b).norm())

    image_change = change(moved, images) / change(others, images)
    feature_change = change(transform(moved), transform(images)) / change(transform(others), transform(images))
    assert image_change > 0.95 and feature_change < 0.6


def test_an_image_alone_and_in_a_batch_and_a_flat_one_are_finite(transform: Scattering) -> None:
    images = torch.cat([_smooth(3), torch.full((1, 1, *SIZE), -1.0)])
    together = transform(images)
    assert together.isfinite().all()
    torch.testing.assert_close(together, torch.cat([transform(image[None]) for image in images]), rtol=1e-4, atol=1e-4)
