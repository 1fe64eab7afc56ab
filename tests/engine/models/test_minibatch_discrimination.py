"""Closeness to a batch is seen in training; at inference an image is compared with a fixed set, whatever batch it comes in."""

from __future__ import annotations

import torch

from engine.models.minibatch_discrimination import REFERENCES, MinibatchDiscrimination


def _module(features: int = 5 * 2 * 2, outputs: int = 3) -> MinibatchDiscrimination:
    torch.manual_seed(0)
    return MinibatchDiscrimination(features, outputs)


def test_it_adds_channels_that_are_constant_over_the_image() -> None:
    x = torch.randn(4, 5, 2, 2)
    found = _module()(x)
    assert found.shape == (4, 8, 2, 2) and torch.equal(found[:, :5], x)
    assert torch.equal(found[:, 5:], found[:, 5:, :1, :1].expand(-1, -1, 2, 2))


def test_images_that_are_all_alike_are_told_from_others_in_training() -> None:
    module = _module()
    with torch.no_grad():
        module.projection.weight.mul_(10)
    alike = torch.randn(1, 5, 2, 2).expand(6, -1, -1, -1)
    torch.testing.assert_close(module(alike)[:, 5:], torch.ones(6, 3, 2, 2))
    assert module(torch.randn(6, 5, 2, 2))[:, 5:].max() < 0.9


def test_at_the_first_step_nothing_is_infinitely_far() -> None:
    closeness = _module(features=16384)(torch.randn(8, 1024, 4, 4))[:, 1024:]
    assert closeness.min() > 0.1 and closeness.max() < 0.9


def test_an_image_alone_has_no_others() -> None:
    assert torch.isfinite(_module()(torch.randn(1, 5, 2, 2))).all()


def test_at_inference_only_the_remembered_images_count() -> None:
    module = _module().eval()
    known, x = torch.randn(10, 5, 2, 2), torch.randn(4, 5, 2, 2)
    module.remember(known)
    together = module(x)
    torch.testing.assert_close(together, torch.cat([module(image[None]) for image in x]))
    by_hand = torch.exp(
        -(module._places(x)[:, None] - module._places(known.repeat(7, 1, 1, 1)[:REFERENCES])[None]).abs().sum(3)
    ).mean(1)
    torch.testing.assert_close(together[:, 5:, 0, 0], by_hand)
