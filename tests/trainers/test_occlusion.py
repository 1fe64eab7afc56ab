"""Hidden frames and boxes lie where they should, in as many images as asked for, and are drawn from the generator alone."""

from __future__ import annotations

import pytest
import torch

from trainers.occlusion import occluded


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(4)


def test_a_frame_hides_edges_and_no_middle() -> None:
    x = torch.full((200, 1, 40, 40), 5.0)
    hidden = occluded(x, 1.0, 0.2, 0.0, _generator()) != 5
    assert not hidden[..., 8:32, 8:32].any()
    assert hidden[..., 0, :].any() and hidden[..., -1, :].any() and hidden[..., 0].any() and hidden[..., -1].any()


def test_a_box_is_no_larger_than_asked_and_of_one_grey() -> None:
    x = torch.full((200, 1, 40, 40), 5.0)
    seen = occluded(x, 1.0, 0.0, 0.3, _generator())
    for image in seen:
        places = (image[0] != 5).nonzero()
        if len(places):
            assert (places.amax(0) - places.amin(0) + 1).max() <= 13
            assert image[0][image[0] != 5].unique().numel() == 1
    assert (seen != 5).flatten(1).any(1).float().mean() > 0.7


def test_as_many_images_are_changed_as_asked_for() -> None:
    x = torch.full((2000, 1, 32, 32), 5.0)
    changed = (occluded(x, 0.25, 0.3, 0.0, _generator()) != 5).flatten(1).any(1)
    assert float(changed.float().mean()) == pytest.approx(0.25, abs=0.04)
    assert occluded(x, 0.0, 0.3, 0.3, _generator()) is x


def test_the_same_seed_hides_the_same() -> None:
    x = torch.rand(8, 1, 32, 32)
    assert torch.equal(occluded(x, 0.5, 0.2, 0.2, _generator()), occluded(x, 0.5, 0.2, 0.2, _generator()))
