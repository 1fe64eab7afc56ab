"""The local error sees a small bright spot that a mean over the image does not, and judges each image by itself."""

from __future__ import annotations

import torch

from engine.models.local_error import local_error


def test_a_small_spot_counts_more_than_the_same_error_spread_out() -> None:
    spot = torch.zeros(1, 1, 64, 64)
    spot[..., 30:34, 30:34] = 1
    spread = torch.full((1, 1, 64, 64), float(spot.mean()))
    assert local_error(spot) > 10 * local_error(spread)


def test_scattered_single_pixels_count_less_than_the_same_pixels_together() -> None:
    together, scattered = torch.zeros(1, 1, 64, 64), torch.zeros(1, 1, 64, 64)
    together[..., 24:32, 24:32] = 1
    scattered[..., ::8, ::8] = 1
    assert together.sum() == scattered.sum()
    assert local_error(together) > 3 * local_error(scattered)


def test_an_image_scores_alone_as_in_a_batch_and_volumes_are_taken() -> None:
    error = torch.rand(3, 1, 16, 24, 24)
    torch.testing.assert_close(local_error(error)[1:2], local_error(error[1:2]))


def test_it_is_the_mean_of_the_worst_hundredth_however_they_lie() -> None:
    torch.manual_seed(0)
    for error in (torch.rand(3, 1, 64, 64), torch.rand(2, 1, 30, 31), torch.arange(4096.0).view(1, 1, 64, 64)):
        worst = error.flatten(1).sort(dim=1, descending=True).values[:, : round(0.01 * error[0].numel())]
        torch.testing.assert_close(local_error(error, 0), worst.mean(1))
