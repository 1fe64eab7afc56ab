"""Judges a run at the end of an epoch by images that no weight learns from. Leaves the run as it was: its weights, its modes, its random numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from sklearn.metrics import roc_auc_score

from engine.errors import TrainingFailed
from engine.models.base import AnomalyModel
from trainers.method import Bytes, MethodTrainer, TrainingImages, as_input, held_normals
from trainers.one_device import fabric_on
from trainers.registry import trainer_class


def held_out_loss(trainer: MethodTrainer, images: TrainingImages) -> float | None:
    """The method's loss on held-out normals; None while it is too early to judge, or when it is not finite."""
    with _unchanged(trainer), torch.no_grad():
        for module in trainer.modules.values():
            module.eval()
        loss = trainer.held_out_loss(images)
    return loss if math.isfinite(loss) else None


def held_out_auroc(trainer: MethodTrainer, images: TrainingImages) -> float | None:
    """AUROC of the method's ranking score, held-out normals against abnormal images set apart, by what would be shipped if the run ended here.

    None when a score is not finite. Nakao et al. 2021 choose their epoch so, by patients on whom they do not report.
    """
    if images.held_abnormal is None or not len(images.held_abnormal):
        raise TrainingFailed(
            "no abnormal images were set apart to choose an epoch by",
            cure="Set selection_share and stopping_share and give labels, or leave out best_by.",
        )
    with _unchanged(trainer):
        model = _shipped_now(trainer, images)
        sides = [_ranking(model, side, trainer) for side in (held_normals(images), images.held_abnormal)]
    scores = torch.cat(sides).double()
    if not torch.isfinite(scores).all():
        return None
    return float(roc_auc_score([0] * len(sides[0]) + [1] * len(sides[1]), scores.numpy()))


def _shipped_now(trainer: MethodTrainer, images: TrainingImages) -> AnomalyModel:
    """The network for scoring, by another trainer that is given the weights: what `finish` changes, such as a memory bank, the run still learns with."""
    plan = trainer.plan
    other = trainer_class(plan.method)(plan, fabric_on(trainer.fabric.device, plan.precision))
    other.begin(images)
    for name, module in other.modules.items():
        module.load_state_dict(trainer.modules[name].state_dict())
    other.finish(images)
    return other.scoring_model()


@torch.inference_mode()
def _ranking(model: AnomalyModel, images: Bytes, trainer: MethodTrainer) -> torch.Tensor:
    """[N] of [N, *S], on the CPU."""
    size = trainer.plan.batch
    parts = (as_input(images[first : first + size], trainer.fabric.device) for first in range(0, len(images), size))
    return torch.cat([model.anomaly(part).scores[model.primary_score].float().cpu() for part in parts])


@contextmanager
def _unchanged(trainer: MethodTrainer) -> Iterator[None]:
    """Puts every module back into the mode it was in, and torch's random numbers to where they were."""
    device = trainer.fabric.device
    modes = {module: module.training for network in trainer.modules.values() for module in network.modules()}
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield
    for module, mode in modes.items():
        module.training = mode
