"""Draws the cohorts of a run: known normals, and for methods that want one an unlabelled mixture, apart by patient or by their body parts. Decodes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.errors import CohortRejected
from engine.imaging.series import Series
from trainers.cohort import Cohort, check_alike, check_labels, check_normals, read_cohort
from trainers.copies import copies_in_words, copies_within, units_with_copies
from trainers.method import MethodTrainer
from trainers.parts import check_known_parts, check_one_part, regions
from trainers.plan import TrainingPlan
from trainers.split import FEWEST_CALIBRATION, Shares, Split, split_by_unit
from trainers.training_images import FEWEST_TRAINING

FEWEST_MIXTURE = 20
ONE_OF_ALL = "Keep them apart: a model learns what one kind of image looks like. To train one model of all, say so: --option several_parts=true."
FEWEST_WATCHED = 5
"""Normals, and abnormal images, below which an AUROC is none to choose an epoch by."""


def drawn_cohorts(trainer: MethodTrainer, normals: str | Path, mixture: str | Path | None) -> tuple[Cohort, Split]:
    """Everything a run reads, in one cohort, and who is in which part of it.

    A mixture holds normal and abnormal images and nobody says which. It comes

    - from a cohort of its own: all of it, labels ignored, less the patients among the known normals; or
    - from `normals` itself, where `mixture` is the same file and its labels name abnormal images: some training normals leave the known ones
      (`mixture_normals`), some abnormal patients join them (`mixture_abnormals`, cut to `mixture_rate`), and the labels are forgotten.

    Copies of one image, whatever they are called, are on one side of the split, and so are the patients whom they are said to be of.

    No image is in both: what the mixture has beyond the known normals would otherwise be the abnormal images, and so a label.

    Raises:
        CohortRejected: too few normals, one patient, mixed kinds, a mixture that is missing or not wanted, or too small; or too few to choose an epoch by.
    """
    plan = trainer.plan
    _check_wanted(trainer, mixture)
    cohort = _decided(read_cohort(normals))
    check_labels(normals)
    _check_normals(cohort, plan)
    within = mixture is not None and Path(mixture) == Path(normals)
    shares = _shares(cohort, plan, mixture_within=within)
    cohort, units = _with_copies_together(cohort, plan)
    abnormal = [series.label == "abnormal" for series in cohort.series]
    split = split_by_unit(units, abnormal, seed=plan.seed_of_split, shares=shares)
    if mixture is not None and not within:
        cohort, split = _joined(cohort, split, mixture, plan)
    _check_watched(cohort, split, plan)
    _check_enough(cohort, split, plan, mixture)
    return cohort, split


def _with_copies_together(cohort: Cohort, plan: TrainingPlan) -> tuple[Cohort, tuple[str, ...]]:
    """The cohort, with a note where it has copies, and the units to split it by. Raises CohortRejected for an image that is normal and abnormal."""
    units, same = cohort.units(plan.split_by), copies_within(cohort.series)
    for group in same:
        labelled = {cohort.series[index].label: cohort.series[index].path for index in group}
        if len(labelled) > 1:  # with labels at all, every image has one here
            raise CohortRejected(
                f"copies of one image are labelled {' and '.join(labelled)} ({', '.join(labelled.values())})",
                where=cohort.path,
                cure="Leave the one that is right.",
            )
    note = copies_in_words(units, same)
    return replace(cohort, notes=(note,) if note else ()), units_with_copies(units, same)


def _check_normals(cohort: Cohort, plan: TrainingPlan) -> None:
    normal = cohort.labelled("normal", "")
    _check_parts(cohort, (), plan)  # before what knows no cure for several
    check_normals(normal, together=regions(normal.series) if plan.several_parts else ())
    check_alike(cohort.series, cohort.path)
    _check_kind(cohort, plan)


def _shares(cohort: Cohort, plan: TrainingPlan, *, mixture_within: bool) -> Shares:
    """How the cohort is shared out, as the plan has it. Raises CohortRejected where that takes abnormal images and there are none."""
    labelled = bool(cohort.labelled("abnormal").series)
    if plan.watched == "auroc" and not labelled:
        raise CohortRejected(
            "no image is labelled abnormal, and the best epoch was to be told by such images",
            where=cohort.path,
            cure="Give a CSV whose label column names abnormal images, or leave out best_by.",
        )
    shares = Shares(
        plan.train_share, plan.calibration_share, selection=plan.selection_share, stopping=plan.stopping_share
    )
    if not mixture_within:
        return shares
    if not labelled:
        raise CohortRejected(
            "the mixture is the same as the normals",
            where=cohort.path,
            cure="Give unlabelled images, normal and abnormal, or a CSV whose label column names abnormal ones.",
        )
    return replace(
        shares,
        mixture_normals=plan.mixture_normals,
        mixture_abnormals=plan.mixture_abnormals,
        mixture_rate=plan.mixture_rate,
    )


def _check_enough(cohort: Cohort, split: Split, plan: TrainingPlan, mixture: str | Path | None) -> None:
    if len(split.calibration) < FEWEST_CALIBRATION:
        raise CohortRejected(
            f"{len(split.calibration)} images, of the normals not learned from, are too few to calibrate on",
            where=cohort.path,
            # one to learn from, and as many as images are needed
            cure=f"Collect normals of {FEWEST_CALIBRATION + 1} patients at least; of several hundred for a useful model.",
        )
    if len(split.train) < FEWEST_TRAINING:
        raise CohortRejected(
            f"{len(split.train)} normal images are left to learn from, which are too few",
            where=cohort.path,
            cure="Collect normals of more patients, or draw others: --option split_seed=N.",
        )
    if mixture is not None and len(split.mixture) < FEWEST_MIXTURE:
        raise CohortRejected(
            f"{len(split.mixture)} images make too small a mixture",
            where=mixture,
            cure=f"Collect at least {FEWEST_MIXTURE} of patients who are not among the normals; several hundred are useful.",
        )


def watched_abnormals(cohort: Cohort, split: Split, plan: TrainingPlan) -> tuple[int, ...]:
    """The abnormal images among those of the selection patients, where a run's best epoch is told by them; else none. Validation patients have no part."""
    if plan.watched != "auroc":
        return ()
    return tuple(index for index in split.selection if cohort.series[index].label == "abnormal")


def _check_watched(cohort: Cohort, split: Split, plan: TrainingPlan) -> None:
    if plan.watched is None:
        return
    normal, abnormal = len(split.stopping), len(watched_abnormals(cohort, split, plan))
    if plan.watched == "loss" and not normal:
        raise CohortRejected(
            "no normals are left to choose an epoch by", where=cohort.path, cure="Set a larger stopping_share."
        )
    if plan.watched == "auroc" and min(normal, abnormal) < FEWEST_WATCHED:
        raise CohortRejected(
            f"{normal} held-out normals and {abnormal} abnormal images are too few to choose an epoch by",
            where=cohort.path,
            cure=f"Set a larger stopping_share or selection_share, for {FEWEST_WATCHED} of each at least, or leave out best_by.",
        )


def _check_wanted(trainer: MethodTrainer, mixture: str | Path | None) -> None:
    if mixture is not None and trainer.mixture == "never":
        raise CohortRejected(
            f"{trainer.plan.method} learns from normals alone", where=mixture, cure="Leave the mixture out."
        )
    if mixture is None and trainer.mixture == "always":
        raise CohortRejected(
            f"{trainer.plan.method} learns from normals and from an unlabelled mixture",
            cure="Name the mixture with --mixture: images of the same kind, normal and abnormal, unlabelled.",
        )


def _decided(cohort: Cohort) -> Cohort:
    """Where any image has a label, without those that are called neither normal nor abnormal ("uncertain"): they are nobody's example."""
    if not any(series.label for series in cohort.series):
        return cohort
    return replace(cohort, series=cohort.labelled("normal", "abnormal").series)


def _joined(cohort: Cohort, split: Split, mixture: str | Path, plan: TrainingPlan) -> tuple[Cohort, Split]:
    """The cohort with the mixture's images behind it, less those of patients it has already, and of those who share an image with them under another name."""
    other = read_cohort(mixture)
    _check_kind(other, plan)
    # what tells two kinds of image apart would be learned instead of disease
    check_alike((*cohort.series, *other.series), other.path)
    _check_parts(cohort, other.series, plan)
    first = len(cohort.series)
    owners = units_with_copies((*cohort.patients, *other.patients), copies_within((*cohort.series, *other.series)))
    known = set(owners[:first])
    added = [series for series, owner in zip(other.series, owners[first:], strict=True) if owner not in known]
    joined = replace(cohort, series=(*cohort.series, *added), failures=(*cohort.failures, *other.failures))
    return joined, replace(split, mixture=tuple(range(first, first + len(added))))


def _check_parts(cohort: Cohort, mixture: Sequence[Series], plan: TrainingPlan) -> None:
    """Raises CohortRejected when several body parts are together and nobody wants that, or somebody does and they are not all known."""
    everything = (*cohort.series, *mixture)
    if plan.several_parts:
        check_known_parts(cohort.labelled("normal", "").series, everything, cohort.path)
    else:
        check_one_part(everything, cohort.path, cure=ONE_OF_ALL)


def _check_kind(cohort: Cohort, plan: TrainingPlan) -> None:
    wanted = "volume" if len(plan.size) == 3 else "radiograph"
    if cohort.series[0].kind != wanted:
        raise CohortRejected(
            f"{plan.method} learns from {wanted}s, and these are {cohort.series[0].kind}s",
            where=cohort.path,
            cure="Choose another method or cohort.",
        )
