"""Growing follows the paper's order and fills the epochs it was given."""

from __future__ import annotations

import pytest
import torch

from engine.models.alpha_gan import resolutions
from trainers.alpha_gan import AlphaGANPlan
from trainers.augment import augmented
from trainers.growing import growing_stages
from trainers.plan import Augmentation
from trainers.planning import default_plan


def test_growth_is_the_papers_a_fade_and_a_stable_stage_at_each_resolution() -> None:
    stages = growing_stages(resolutions(256), epochs=50, stage_epochs=1)
    assert [(s.resolution, s.fading, s.epochs) for s in stages[:5]] == [
        (4, False, 1),
        (8, True, 1),
        (8, False, 1),
        (16, True, 1),
        (16, False, 1),
    ]
    assert (stages[-1].resolution, stages[-1].fading, stages[-1].epochs) == (256, False, 38)
    assert sum(stage.epochs for stage in stages) == 50


@pytest.mark.parametrize("epochs", [1, 2, 3, 5, 12, 13])
def test_few_epochs_leave_out_the_low_resolutions_and_end_at_the_final_one(epochs: int) -> None:
    stages = growing_stages(resolutions(256), epochs=epochs, stage_epochs=1)
    assert sum(stage.epochs for stage in stages) == epochs
    assert not stages[0].fading, "nothing can fade in over a rung that was never trained"
    assert (stages[-1].resolution, stages[-1].fading) == (256, False)
    assert [s.resolution for s in stages] == sorted(s.resolution for s in stages)


def test_the_papers_size_epochs_batch_and_widths_are_the_defaults() -> None:
    plan = default_plan("alpha-gan", None, None, 0, torch.device("cpu"))
    assert (plan.size, plan.epochs, plan.batch, plan.width, plan.code) == ((256, 256), 50, 10, 512, 128)


def test_one_number_is_the_in_plane_side_of_a_volume() -> None:
    assert default_plan("autoencoder-3d", 64, None, 0, torch.device("cpu")).size == (32, 64, 64)


def test_a_chest_is_never_mirrored_unless_asked_for() -> None:
    x = torch.full((64, 1, 16, 16), -1.0)
    x[..., 10:] = 1  # bright on the right
    changed = augmented(x, AlphaGANPlan(size=(16, 16)).augmentation, torch.Generator().manual_seed(0))
    assert (changed[..., 8:].mean((1, 2, 3)) > changed[..., :8].mean((1, 2, 3))).all()
    mirrored = augmented(x, Augmentation(mirror=True), torch.Generator().manual_seed(0))
    assert 10 < (mirrored[..., 8:].mean((1, 2, 3)) > mirrored[..., :8].mean((1, 2, 3))).sum() < 54


def test_augmentation_is_repeatable_mild_and_keeps_the_range() -> None:
    x = torch.rand(4, 1, 8, 32, 32) * 2 - 1
    how = Augmentation(exposure=0.2)
    first, second = (augmented(x, how, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first, second) and first.shape == x.shape
    assert first.abs().max() <= 1 and not torch.equal(first, x)


def test_a_shift_moves_by_a_share_of_the_side() -> None:
    x = torch.full((32, 1, 64, 64), -1.0)
    x[:, :, 32, 32] = 1
    moved = augmented(x, Augmentation(shift=0.1, rotation=0, scale=0), torch.Generator().manual_seed(0))
    columns = moved.amax(2).squeeze(1).argmax(1) - 32
    assert columns.abs().max() <= 7 and columns.abs().max() >= 4
