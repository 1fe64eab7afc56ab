"""The mask is where the patient is: black on the scale from -1 to 1 is outside, black within is not, and no patient at all does not divide by zero."""

from __future__ import annotations

import torch

from engine.models.masked_error import foreground, masked_mean, masked_top


def test_darkness_around_is_outside_and_darkness_within_is_not() -> None:
    x = torch.full((1, 1, 100, 100), -1.0)
    x[..., 20:80, 20:80] = 0.0  # grey 0 is the middle of the scale: patient
    x[..., 49:52, 49:52] = -1.0  # air in it
    mask = foreground(x)
    assert mask[..., 20:80, 20:80].all()
    assert float(mask.sum()) == 64 * 64  # two pixels further on every side
    assert set(mask.unique().tolist()) == {0.0, 1.0}


def test_noise_of_compression_in_the_dark_is_outside() -> None:
    x = torch.full((1, 1, 50, 50), -1 + 2 / 127.5)
    assert not foreground(x).any()
    assert foreground(x + 1 / 127.5).all()


def test_the_mean_is_over_the_masks_area() -> None:
    error = torch.ones(2, 1, 10, 10)
    mask = torch.zeros(2, 1, 10, 10)
    mask[0, :, :3] = 1
    mask[1] = 1
    error[0, :, 3:] = 100  # outside
    torch.testing.assert_close(masked_mean(error, mask), torch.ones(2))


def test_an_empty_mask_gives_numbers_and_finite_gradients() -> None:
    error = torch.ones(2, 1, 20, 20, requires_grad=True)
    mask = torch.zeros(2, 1, 20, 20)
    values = masked_mean(error, mask) + masked_top(error, mask)
    values.sum().backward()
    assert values.tolist() == [0, 0] and error.grad is not None and torch.isfinite(error.grad).all()


def test_the_top_is_that_of_the_masked_pixels() -> None:
    error = torch.arange(400.0).view(1, 1, 20, 20)
    mask = torch.ones_like(error)
    mask[..., 10:, :] = 0
    torch.testing.assert_close(masked_top(error, mask), torch.arange(200.0).mean()[None])
    small = torch.ones(1, 1, 4, 4)
    torch.testing.assert_close(masked_top(small, small), torch.ones(1))
