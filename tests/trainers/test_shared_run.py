"""Two processes that share every batch learn what one alone would, stay alike to the last bit, and skip, stop and resume as one."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine.errors import CohortRejected, DeviceExhausted, NormascopeError
from engine.models.registry import METHODS
from tests.trainers.device_work import PARITY, SMALL, everything, images_for, plan_of
from tests.trainers.method_runs import fresh_trainer
from trainers.batches import Part, epoch_batches
from trainers.checkpoint import save_modules
from trainers.devices import Devices, check_devices, on_every_device
from trainers.method import Batch, MethodTrainer
from trainers.shared_run import check_shares, train_together
from trainers.training import DEVICES_APART, STEPS_APART, run_training

CPU = torch.device("cpu")
Said = list[object]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Said]:
    """The weights that both processes ended with in every run of `device_work.everything`, and what they said."""
    folder, said = tmp_path_factory.mktemp("shared"), Said()
    on_every_device(partial(everything, folder), Devices("cpu", 2), said.append)
    return folder, said


def _weights(folder: Path, name: str) -> list[dict[str, torch.Tensor]]:
    return [load_file(folder / f"{name}-{number}.safetensors") for number in (0, 1)]


def _same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_every_methods_networks_and_buffers_end_alike_on_both_devices_and_have_learned(
    ran: tuple[Path, Said], method: str, tmp_path: Path
) -> None:
    first, second = _weights(ran[0], method)
    assert _same(first, second)
    untrained = fresh_trainer(plan_of(method))
    torch.manual_seed(0)
    untrained.begin(images_for(untrained.plan))
    save_modules(tmp_path / "untrained.safetensors", untrained)
    assert not _same(first, load_file(tmp_path / "untrained.safetensors"))


@pytest.mark.slow
@pytest.mark.parametrize(("method", "noise"), [("alpha-gan", "randn"), ("glow-posterior", "rand")])
def test_two_devices_learn_what_one_learns_from_the_same_batches(
    ran: tuple[Path, Said], method: str, noise: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = fresh_trainer(PARITY[method])
    torch.manual_seed(0)
    alone.begin(images := images_for(alone.plan))
    save_modules(tmp_path / "untrained.safetensors", alone)
    generator = torch.Generator().manual_seed(0)
    for epoch in range(alone.plan.epochs):
        alone.begin_epoch(epoch)
        seeds = [epoch + number * DEVICES_APART + STEPS_APART for number in (0, 1)]
        both = [torch.Generator().manual_seed(seed) for seed in seeds]
        for batch in epoch_batches(images, alone.plan, CPU, generator):
            _step_with_the_noise_of_both(alone, batch, noise, both, monkeypatch)
    save_modules(tmp_path / "alone.safetensors", alone)
    expected, found = load_file(tmp_path / "alone.safetensors"), _weights(ran[0], f"parity {method}")[0]
    untrained = load_file(tmp_path / "untrained.safetensors")
    moved = max(float((value - untrained[name]).abs().max()) for name, value in expected.items())
    apart = max(float((value - found[name]).abs().max()) for name, value in expected.items())
    assert apart < 1e-4 * moved


def _step_with_the_noise_of_both(
    trainer: MethodTrainer, batch: Batch, noise: str, both: list[torch.Generator], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step in which each image has the noise, of that function of torch's, that it has on the device that sees it."""
    draw = getattr(torch, noise)

    def shared(*shape: object, generator: torch.Generator) -> torch.Tensor:
        count, *rest = shape[0] if len(shape) == 1 else shape
        drawn = torch.empty(count, *rest)
        for number, own in enumerate(both):
            drawn[number::2] = draw(count // 2, *rest, generator=own)
        return drawn

    with monkeypatch.context() as patched:
        patched.setattr(torch, noise, shared)
        trainer.step(batch, torch.Generator())


@pytest.mark.slow
def test_devices_agree_on_gradients_answers_and_codes(ran: tuple[Path, Said]) -> None:
    agreed = {
        "gradients": [
            [6.0, 7.0],
            [2.0, 3.0],
            None,
        ],  # means, that of one device counting as half; what nobody learns stays as it is
        "finite": [True, False],
        "everywhere": [True, False],
        "gathered": [0.0, 10.0, 11.0],
    }
    assert ran[1].count(agreed) == 2


@pytest.mark.slow
def test_what_is_not_finite_on_one_device_is_skipped_on_both(ran: tuple[Path, Said]) -> None:
    folder, said = ran
    assert said.count((3, 2)) == 2, "of five steps one has no finite loss on the second device, one no finite gradient"
    first, second = _weights(folder, "spoiled")
    assert _same(first, second) and all(value.isfinite().all() for value in first.values())


@pytest.mark.slow
def test_the_first_devices_held_out_loss_ends_the_run_on_both(ran: tuple[Path, Said]) -> None:
    assert ran[1].count([0.0, 1.0, 2.0]) == 2


@pytest.mark.slow
def test_random_numbers_of_each_device_survive_a_resumption(ran: tuple[Path, Said]) -> None:
    folder, said = ran
    assert len({item for item in said if isinstance(item, tuple) and item[0] == "drew next"}) == 2
    whole, resumed = _weights(folder, "whole"), _weights(folder, "resumed")
    assert said[-2:] == [2, 3], "the first device alone tells, and of what was left to do alone"
    assert _same(whole[0], resumed[0]) and _same(whole[1], resumed[1])


def test_parts_of_a_batch_hold_what_one_device_would_see_changed_alike() -> None:
    images, plan = images_for(plan_of("ratio-posterior"), 11), plan_of("ratio-posterior")

    def seen(part: Part) -> list[Batch]:
        return list(epoch_batches(images, plan, CPU, torch.Generator().manual_seed(3), part))

    for whole, *parts in zip(seen(Part()), *(seen(Part(number, 2)) for number in (0, 1)), strict=True):
        for number, part in enumerate(parts):
            assert torch.equal(part.normal, whole.normal[number::2]) and part.share == whole.share
            assert torch.equal(part.indices, whole.indices[number::2])
            assert torch.equal(part.mixture, whole.mixture[number::2])
            assert torch.equal(part.mixture_indices, whole.mixture_indices[number::2])


def test_devices_share_the_images_that_an_epoch_sees_once_and_one_may_have_none() -> None:
    images, plan = images_for(plan_of("salad"), 8), plan_of("salad")
    once = np.array([1, 3, 6])

    def seen(part: Part) -> list[Batch]:
        return list(epoch_batches(images, plan, CPU, torch.Generator().manual_seed(3), part, once))

    counts = []
    for whole, *parts in zip(seen(Part()), *(seen(Part(number, 2)) for number in (0, 1)), strict=True):
        counts.append([len(part.mixture) for part in parts])
        for number, part in enumerate(parts):
            assert torch.equal(part.normal, whole.normal[number::2])
            assert torch.equal(part.mixture, whole.mixture[number::2])
            assert torch.equal(part.mixture_indices, whole.mixture_indices[number::2])
    assert counts == [[1, 1], [1, 0]]


def test_images_that_cannot_be_dealt_out_evenly_wait_for_another_shuffle() -> None:
    images, plan, seen = images_for(SMALL, 9), SMALL.model_copy(update={"batch": 12}), set[int]()
    generator = torch.Generator().manual_seed(0)
    for _ in range(30):
        state = generator.get_state()
        for number in (0, 1):
            (batch,) = epoch_batches(images, plan, CPU, generator.set_state(state), Part(number, 2))
            assert len(batch.normal) == 4
            seen |= set(batch.indices.tolist())
    assert seen == set(range(9))


@pytest.mark.parametrize(
    ("batch", "devices", "cure"), [(4, 3, "batch=6"), (4, 8, "batch=16"), (2, 2, "batch=4"), (10, 4, "batch=8")]
)
def test_a_batch_that_devices_cannot_share_is_refused_with_one_that_they_can(
    batch: int, devices: int, cure: str
) -> None:
    plan = SMALL.model_copy(update={"batch": batch})
    with pytest.raises(NormascopeError, match="cannot be shared") as caught:
        check_shares(plan, devices)
    assert cure in caught.value.cure
    check_shares(plan.model_copy(update={"batch": int(caught.value.cure.split("batch=")[1].split(",")[0])}), devices)
    check_shares(plan, 1)


def test_too_few_images_for_so_many_devices_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CohortRejected, match="3 training images are too few for 2 devices"):
        train_together(2, fresh_trainer(SMALL), images_for(SMALL, 3), tmp_path / "checkpoint.safetensors")


def test_more_gpus_than_there_are_or_gpus_of_two_kinds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda, names = torch.device("cuda"), ["one kind", "one kind", "another"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(names))
    monkeypatch.setattr(torch.cuda, "get_device_name", names.__getitem__)
    check_devices(cuda, 2)
    with pytest.raises(DeviceExhausted, match="3 CUDA devices are here, not 4"):
        check_devices(cuda, 4)
    with pytest.raises(DeviceExhausted, match="several kinds"):
        check_devices(cuda, 3)
    with pytest.raises(NormascopeError, match="not 0"):
        check_devices(CPU, 0)


@pytest.mark.cuda
@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_two_gpus_end_with_the_same_weights(tmp_path: Path) -> None:
    said = Said()
    on_every_device(partial(everything, tmp_path), Devices("cuda", 2), said.append)
    for name in (*METHODS, *(f"parity {method}" for method in PARITY), "spoiled"):
        assert _same(*_weights(tmp_path, name)), name


@pytest.mark.slow
def test_a_shared_run_is_taken_over_with_its_weights_its_history_and_what_scoring_needs(tmp_path: Path) -> None:
    """From a file and from memory: the memory autoencoder's bank is made anew from both devices' weights by the process that asked."""
    plan = plan_of("mem-dae")
    images, told = images_for(plan), list[int]()
    np.save(tmp_path / "images.npy", images.normal)
    mapped = type(images)(np.load(tmp_path / "images.npy", mmap_mode="r")[:8], None, images.normal[8:])
    trainer = fresh_trainer(plan)
    trainer.findings["known before"] = 1
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    checkpoint.parent.mkdir()
    history = train_together(2, trainer, mapped, checkpoint, on_progress=lambda progress: told.append(progress.epoch))
    assert [progress.epoch for progress in history] == told == [1]
    assert {file.name for file in checkpoint.parent.iterdir()} == {"checkpoint.safetensors", "held.npy"}
    assert trainer.findings["known before"] == 1
    kept = load_file(checkpoint)
    assert all(
        torch.equal(value, kept[f"module/network/{name}"])
        for name, value in trainer.modules["network"].state_dict().items()
    )
    assert not torch.equal(trainer.modules["memory"].codes, kept["module/memory/codes"])
    again = fresh_trainer(plan)
    run_training(again, mapped, checkpoint, resume=True)
    assert torch.equal(again.modules["memory"].codes, trainer.modules["memory"].codes)
