"""An interrupted run goes on as what it was, with the images it began with, or says why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import CohortRejected, NormascopeError
from engine.models.bundle import load_bundle
from trainers.alpha_gan import AlphaGANPlan
from trainers.kept_run import forget, is_interrupted, run_folder
from trainers.run import train

Make = Callable[..., Path]
PLAN = AlphaGANPlan(size=(16, 16), epochs=3, width=16, code=4)


class PulledPlug(Exception):
    pass


@pytest.fixture
def interrupted(cohort_csv: Make, tmp_path: Path) -> tuple[Path, Path]:
    """The cohort of a run that was killed after its first epoch, and what it was to write."""
    source, out = cohort_csv(), tmp_path / "m.safetensors"

    def pull(progress: object) -> None:
        if getattr(progress, "epoch", 0):
            raise PulledPlug

    with pytest.raises(PulledPlug):
        train("alpha-gan", source, out=out, plan=PLAN, on_progress=pull)
    return source, out


def test_a_run_is_not_resumed_as_another_method(interrupted: tuple[Path, Path]) -> None:
    source, out = interrupted
    with pytest.raises(NormascopeError, match="one of alpha-gan, not of cae") as caught:
        train("cae", source, out=out, resume=True)
    assert "--method alpha-gan" in caught.value.cure and not out.exists()


def test_a_run_is_not_resumed_with_other_images_whose_split_would_mix_what_it_learned_from_with_what_judges_it(
    interrupted: tuple[Path, Path], cohort_csv: Make
) -> None:
    _, out = interrupted
    with pytest.raises(CohortRejected, match="not the images that the interrupted run began with"):
        train("alpha-gan", cohort_csv(normals=41, name="grown"), out=out, resume=True)
    assert not out.exists()


def test_a_folder_that_was_moved_is_resumed(interrupted: tuple[Path, Path], tmp_path: Path) -> None:
    source, out = interrupted
    moved = source.parent.rename(tmp_path / "moved") / source.name
    epochs: list[int] = []
    train("alpha-gan", moved, out=out, resume=True, on_progress=lambda progress: epochs.append(progress.epoch))
    assert [epoch for epoch in epochs if epoch] == [2, 3]


def test_a_finished_bundle_is_not_replaced_by_resuming_what_was_never_interrupted(
    cohort_csv: Make, tmp_path: Path
) -> None:
    source, out = cohort_csv(), tmp_path / "m.safetensors"
    plan = PLAN.model_copy(update={"epochs": 1})
    train("alpha-gan", source, out=out, plan=plan, resume=True)  # nothing lay there: it is begun
    made = out.read_bytes()
    with pytest.raises(NormascopeError, match="finished already") as caught:
        train("alpha-gan", source, out=out, plan=plan, resume=True)
    assert str(out) in str(caught.value) and "Leave out --resume" in caught.value.cure
    assert out.read_bytes() == made and not out.with_suffix(".run").exists()


def test_a_new_run_over_a_finished_bundle_is_resumed_when_it_was_interrupted(
    interrupted: tuple[Path, Path],
) -> None:
    source, out = interrupted
    out.write_bytes(b"an earlier bundle")
    epochs: list[int] = []
    train("alpha-gan", source, out=out, resume=True, on_progress=lambda progress: epochs.append(progress.epoch))
    assert [epoch for epoch in epochs if epoch] == [2, 3] and load_bundle(out).card.method == "alpha-gan"


def test_a_run_whose_removal_was_cut_short_is_not_taken_for_one_that_has_just_begun(
    interrupted: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, out = interrupted

    def killed(*_: object, **__: object) -> None:
        raise PulledPlug

    monkeypatch.setattr("trainers.kept_run.shutil.rmtree", killed)
    assert is_interrupted(out)
    with pytest.raises(PulledPlug):
        forget(run_folder(out))
    assert run_folder(out).exists() and not is_interrupted(out)
