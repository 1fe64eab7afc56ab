"""Evened contrast says what is where, whatever the exposure of the place."""

from __future__ import annotations

import pytest
import torch
from scipy.ndimage import gaussian_filter

from engine.models.local_contrast import DEVIATIONS, FAINTEST, NEIGHBOURHOOD, evened


def _grains() -> torch.Tensor:
    return torch.rand(3, 1, 48, 80, generator=torch.Generator().manual_seed(0)) - 0.5


@pytest.mark.parametrize("neighbourhood", [NEIGHBOURHOOD, 1.8])
def test_it_is_each_pixel_against_its_neighbourhood(neighbourhood: float) -> None:
    image = _grains()[:1]
    pixels = image[0, 0].double().numpy()
    difference = pixels - gaussian_filter(pixels, neighbourhood, mode="nearest")
    deviation = gaussian_filter(difference**2, neighbourhood, mode="nearest") ** 0.5
    expected = (difference / (deviation + FAINTEST) / DEVIATIONS).clip(-1, 1)
    torch.testing.assert_close(
        evened(image, neighbourhood)[0, 0].double(), torch.from_numpy(expected), rtol=0, atol=1e-4
    )


def test_a_bright_and_a_faint_side_look_alike() -> None:
    image = _grains()
    uneven = torch.cat([image[..., :40] * 0.6 + 0.5, image[..., 40:] - 0.4], dim=3)
    far = torch.ones(80, dtype=torch.bool)
    far[40 - 16 : 40 + 16] = False  # where the window sees both sides
    change = (evened(uneven) - evened(image))[..., far].std()
    assert change < 0.1 * evened(image).std()
    assert (uneven - image)[..., far].std() > evened(image).std()


def test_an_empty_place_stays_empty_and_an_image_alone_is_as_in_a_batch() -> None:
    images = torch.cat([_grains(), torch.full((1, 1, 48, 80), -1.0)])
    together = evened(images)
    assert together[-1].abs().max() < 1e-4
    torch.testing.assert_close(together, torch.cat([evened(image[None]) for image in images]), rtol=0, atol=1e-5)
    assert together.abs().max() <= 1


@pytest.mark.parametrize("turned", [2, 3])
def test_a_mirror_image_is_evened_alike(turned: int) -> None:
    images = _grains()
    torch.testing.assert_close(evened(images.flip(turned)), evened(images).flip(turned), rtol=0, atol=1e-5)
