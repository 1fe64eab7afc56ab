"""Growing follows the paper's order and fills the epochs it was given."""

from __future__ import annotations

import pytest
import torch

from engine.errors import NormascopeError
from engine.models.alpha_gan import resolutions
from trainers.alpha_gan import AlphaGANPlan
from trainers.augment import augmented
from trainers.growing import growing_stages
from trainers.plan import Augmentation, TrainingPlan
from trainers.planning import default_plan, planned


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


def test_the_papers_size_epochs_batch_widths_and_rates_are_the_defaults() -> None:
    plan = default_plan("alpha-gan", None, None, 0, torch.device("cpu"))
    assert isinstance(plan, AlphaGANPlan)
    assert (plan.size, plan.epochs, plan.batch, plan.width, plan.code) == ((256, 256), 50, 10, 512, 128)
    assert (plan.learning_rate, plan.betas, plan.discriminator_rate) == (5e-4, (0.5, 0.9), 1)
    assert plan.adversarial_weight == plan.code_weight == 1  # Rosca 2017, algorithm 1
    x = torch.rand(2, 1, 16, 16) * 2 - 1
    torch.testing.assert_close(augmented(x, plan.augmentation, torch.Generator()), x)


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


def test_what_is_not_asked_for_changes_nothing_that_was_drawn_before() -> None:
    x = torch.rand(6, 1, 16, 16) * 2 - 1
    how = Augmentation(shift=0.1, rotation=10, scale=0.1, mirror=True)
    generator = torch.Generator().manual_seed(3)
    angle, scale = (torch.rand(6, generator=generator) * 2 - 1 for _ in range(2))
    shift = torch.rand(12, generator=generator).view(6, 2) * 2 - 1
    mirrored = torch.where(torch.rand(6, generator=generator) < 0.5, -1.0, 1.0)
    angle, scale = torch.deg2rad(10 * angle), 1 + 0.1 * scale
    rows = [scale * angle.cos() * mirrored, -scale * angle.sin(), 0.2 * shift[:, 0]]
    rows += [scale * angle.sin() * mirrored, scale * angle.cos(), 0.2 * shift[:, 1]]
    matrix = torch.stack(rows, 1).view(6, 2, 3)
    grid = torch.nn.functional.affine_grid(matrix, list(x.shape), align_corners=False)
    expected = torch.nn.functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
    torch.testing.assert_close(augmented(x, how, torch.Generator().manual_seed(3)), expected)


def test_the_default_set_flips_half_of_the_images_each_way_and_changes_nothing_else() -> None:
    x = torch.rand(1, 1, 16, 16).expand(200, 1, 16, 16) * 2 - 1
    changed = augmented(x, Augmentation.default_set(), torch.Generator().manual_seed(0))
    versions = [x[0].flip(dims) for dims in ((), (1,), (2,), (1, 2))]
    counts = [sum(bool(torch.allclose(image, version, atol=1e-5)) for image in changed) for version in versions]
    assert sum(counts) == 200 and min(counts) > 30


def test_the_advanced_set_leaves_a_change_out_for_half_of_the_images() -> None:
    x = torch.full((400, 1, 16, 16), 0.0)  # grey throughout: only brightness shows
    changed = augmented(x, Augmentation.advanced_set(), torch.Generator().manual_seed(0)).mean((1, 2, 3))
    untouched = changed.abs() < 1e-6
    assert 150 < int(untouched.sum()) < 250
    assert changed.min() >= -0.2 - 1e-6 and changed.max() <= 0.2 + 1e-6  # a factor of .8 to 1.2 of a grey halfway up


def test_a_stretch_is_drawn_for_each_axis_on_its_own() -> None:
    y, x = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 64), indexing="ij")
    square = torch.where((x.abs() < 0.5) & (y.abs() < 0.5), 1.0, -1.0).expand(50, 1, 64, 64)
    how = Augmentation(shift=0, rotation=0, scale=0, stretch=0.2)
    bright = augmented(square, how, torch.Generator().manual_seed(0))[:, 0] > 0
    height, width = bright[:, :, 32].sum(1) / 32, bright[:, 32].sum(1) / 32
    assert 0.8 < height.min() < 0.9 and 1.1 < height.max() < 1.3
    assert torch.corrcoef(torch.stack([height, width]))[0, 1].abs() < 0.5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"patience": 2}, "patience needs a stopping_share"),
        ({"best_by": "loss"}, "best_by loss needs a stopping_share"),
        ({"best_by": "auroc", "selection_share": 0.2}, "best_by auroc needs a stopping_share"),
        ({"best_by": "auroc", "stopping_share": 0.2}, "best_by auroc needs a selection_share"),
        ({"best_by": "luck"}, "best_by"),
    ],
)
def test_an_epoch_is_chosen_by_nobody_only_if_nobody_asked(options: dict[str, object], words: str) -> None:
    with pytest.raises(NormascopeError, match=words):
        planned(None, "cae", 32, 1, 0, torch.device("cpu"), options)


@pytest.mark.parametrize(
    ("options", "watched"),
    [
        ({}, None),
        ({"stopping_share": 0.2, "selection_share": 0.2}, None),
        ({"patience": 2, "stopping_share": 0.2}, "loss"),
        ({"best_by": "loss", "stopping_share": 0.2}, "loss"),
        ({"best_by": "auroc", "patience": 2, "stopping_share": 0.2, "selection_share": 0.2}, "auroc"),
    ],
)
def test_patience_alone_looks_at_the_loss(options: dict[str, object], watched: str | None) -> None:
    assert default_plan("cae", 32, 1, 0, torch.device("cpu"), options).watched == watched


def test_a_split_by_body_part_means_several_and_a_split_leaves_somebody_to_validate() -> None:
    assert TrainingPlan(method="salad").split_by == "patient" and not TrainingPlan(method="salad").several_parts
    assert TrainingPlan(method="salad", split_by="patient-and-body-part").several_parts
    for wrong in (
        {"split_by": "patient-and-body-part", "several_parts": False},
        {"train_share": 0.9},
        {"split_by": "image"},
    ):
        with pytest.raises(ValueError, match=r"several_parts|nobody to validate|split_by"):
            TrainingPlan.model_validate({"method": "salad"} | wrong)


def test_float16_whose_losses_nobody_scales_is_no_choice() -> None:
    with pytest.raises(ValueError, match="precision"):
        TrainingPlan(method="cae", precision="16-mixed")  # type: ignore[arg-type]
