"""How a ratio posterior learns: known normals against an unlabelled mixture, each member without the images of one fold. The network is in engine/models.

With l(y) = -log sigmoid(y), f a member's logit, N the known normals and M the mixture, each risk is a mean over its images, so that both classes
weigh the same however many images of each there are (the logit is then equation 1 of engine/models/ratio_posterior.py, without a term for their sizes):

    logistic        E_N l(f) + E_M l(-f)
    non-negative    E_N l(f) + c E_N l(-f) + max(0, E_M l(-f) - c E_N l(-f))

A network with more weights than images can learn by heart which images are known; what it says of the mixture then falls below what its normals allow.
The second risk is Kiryo et al.'s for learning from positive and unlabelled data (NeurIPS 2017, equation 6 and algorithm 1), with a density ratio's
loss as in Kato and Teshima (ICML 2021): the part in brackets is the abnormal images' own, and cannot be negative if at least a share c of the
mixture is normal. Where a batch makes it so, a step is taken the other way. Where it does not, both risks are the same.

What the ensemble needs besides weights comes from images that a member has not seen: member k learns nothing from fold k of the patients, of the
known normals and the mixture alike. On those, logits are fitted to the truth of "known or mixture" (Platt's slope and offset), the risk is measured,
and the mixture's share of normals is estimated. Where that does not show that members add to the rule, the rule counts alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn.utils import convert_conv2d_weight_memory_format
from torch.optim import AdamW

from engine.models.base import AnomalyModel
from engine.models.bundle import load_bundle
from engine.models.local_contrast import NEIGHBOURHOOD
from engine.models.ratio_posterior import RatioNetwork, RatioPosterior, ScatteringRule
from engine.models.shelf import find
from trainers.held_out_slopes import SURE, fitted_slopes, surplus
from trainers.method import Batch, Bytes, MethodTrainer, Patients, TrainingImages, as_input
from trainers.mixture_proportion import normal_share
from trainers.moving_average import follow
from trainers.occlusion import occluded
from trainers.plan import Augmentation, TrainingPlan
from trainers.scattering_rule import fit_rule, scattered, turned_alike
from trainers.together import everywhere

Floats = npt.NDArray[np.float64]


class RatioPosteriorPlan(TrainingPlan):
    """Ours: there is no paper to follow."""

    trial: ClassVar[dict[str, object]] = {"width": 8, "members": 1}

    method: str = "ratio-posterior"
    size: tuple[int, ...] = (96, 96)
    epochs: int = Field(default=14, ge=1)
    batch: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0, description="at the start; it falls to nothing along a cosine")
    weight_decay: float = Field(default=0.05, ge=0)
    heatmap_sigma: float = Field(default=0.0, ge=0, le=0, description="none: the heatmap is exact as it is")
    augmentation: Augmentation = Field(
        default_factory=lambda: Augmentation(shift=0.05, rotation=8, scale=0.08, exposure=0.35, mirror=True)
    )
    mixture_normals: float = Field(default=0.35, ge=0, lt=1)
    width: int = Field(default=24, ge=1, description="channels at the network's first level")
    members: int = Field(default=4, ge=1, description="networks, from other seeds, whose logits are averaged")
    folds: int = Field(default=4, ge=2, description="of the patients, one of which each member does not learn from")
    dropout: float = Field(default=0.2, ge=0, lt=1, description="of the pooled features")
    average_decay: float = Field(default=0.97, ge=0, lt=1, description="of the moving average of the weights")
    start: str = Field(
        default="", description="id or file of a ratio posterior of other images, whose weights training starts from"
    )
    risk: Literal["logistic", "non-negative"] = Field(default="logistic", description="see the module")
    least_normal_share: float = Field(
        default=0.4, ge=0, lt=1, description="c of the non-negative risk: the mixture surely has as many normals"
    )
    occlusion: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="share of the images whose edges are hidden, and of those with a hidden box",
    )
    margin: float = Field(
        default=0.0, ge=0, lt=0.4, description="of the side, at each edge, where the networks never look"
    )
    mirrored: bool = Field(default=False, description="score an image together with its mirror image")
    member_size: tuple[int, int] | None = Field(
        default=None, description="height and width at which the members see the image; none: as it is"
    )
    scattering: bool = Field(default=False, description="a linear rule on wavelet scattering beside the members")
    scattering_penalty: float = Field(default=6.0, gt=0, description="see trainers/scattering_rule.py")
    scattering_likeness: bool = Field(default=False, description="see trainers/scattering_rule.py")
    scattering_evened: bool = Field(
        default=False, description="the rule also looks at the image with its contrast evened out from place to place"
    )
    scattering_film: bool = Field(
        default=True, description="the rule looks at the image as it is; without, at the evened one alone"
    )
    scattering_window: float = Field(
        default=NEIGHBOURHOOD, gt=0, description="pixels over which the rule's contrast is evened out"
    )
    scattering_turned: bool = Field(
        default=False, description="the rule turns images so that left and right ones lie alike; with `mirrored` only"
    )
    occlusion_frame: float = Field(default=0.15, ge=0, lt=0.5, description="widest hidden edge, of the side")
    occlusion_box: float = Field(default=0.3, ge=0, le=1, description="longest side of a hidden box, of the side")

    @model_validator(mode="after")
    def _turns_only_what_is_mirrored(self) -> Self:
        if self.scattering_turned and not self.mirrored:
            raise ValueError("scattering_turned needs mirrored: otherwise a score would depend on the side")
        return self

    @model_validator(mode="after")
    def _looks_at_the_image(self) -> Self:
        if not (self.scattering_film or self.scattering_evened):
            raise ValueError("without scattering_film the rule needs scattering_evened: it must look at something")
        return self


class RatioPosteriorTrainer(MethodTrainer):
    """Members side by side, each with its own optimiser, its own fold left out and its own hidden frames and boxes."""

    plan_class = RatioPosteriorPlan
    plan: RatioPosteriorPlan
    mixture = "always"
    shipped_weights = "the moving average of the weights"

    def __init__(self, plan: RatioPosteriorPlan, fabric: Fabric) -> None:
        super().__init__(plan, fabric)
        self.average = RatioPosterior(
            plan.size,
            plan.width,
            plan.members,
            margin=plan.margin,
            mirrored=plan.mirrored,
            member_size=plan.member_size,
            scattering_slope=1.0 if plan.scattering else None,
            scattering_evened=plan.scattering_evened,
            scattering_turned=plan.scattering_turned,
            scattering_film=plan.scattering_film,
            scattering_window=plan.scattering_window,
            preprocessing=plan.preprocessing,
        )
        self.networks = [
            RatioNetwork(plan.width, plan.dropout, plan.margin, self.average.member_size) for _ in range(plan.members)
        ]
        if plan.start:
            self._start_from(load_bundle(find(plan.start).path).model)
        for network, average in zip(self.networks, self.average.members, strict=True):
            average.load_state_dict(network.state_dict())
        self.average.requires_grad_(False).eval()
        self.modules = {"average": self.average}
        self.modules |= {f"member {index}": network for index, network in enumerate(self.networks)}
        self.optimizers = {}
        self.learners: list[nn.Module] = []
        for module in self.modules.values():
            convert_conv2d_weight_memory_format(module.to(fabric.device), torch.channels_last)
        for index, network in enumerate(self.networks):
            optimizer = AdamW(
                network.parameters(), plan.learning_rate, plan.betas, weight_decay=plan.weight_decay, fused=True
            )
            learner, _ = fabric.setup(network, optimizer)
            self.optimizers[f"member {index}"] = optimizer
            self.learners.append(learner)
        self.epoch = 0

    def _start_from(self, other: AnomalyModel) -> None:
        """Take the features of another ratio posterior, a member each; what they mean here is learned anew. Raises ValueError when they do not fit."""
        if not isinstance(other, RatioPosterior) or other.width != self.plan.width:
            raise ValueError(f"{self.plan.start} is no ratio posterior of width {self.plan.width} to start from")
        members = [member for member in other.members if isinstance(member, RatioNetwork)]
        for index, network in enumerate(self.networks):
            network.features.load_state_dict(members[index % len(members)].features.state_dict())

    def begin(self, images: TrainingImages) -> None:
        assert images.mixture is not None  # `mixture = "always"` refuses a run without one
        generator = np.random.default_rng(self.plan.seed)
        self.folds = [
            torch.from_numpy(_folds(len(side), patients, self.plan.folds, generator)).to(self.fabric.device)
            for side, patients in (
                (images.normal, images.normal_patients),
                (images.mixture, images.mixture_patients),
            )
        ]

    def begin_epoch(self, epoch: int) -> str:
        self.epoch = epoch
        return ""

    def step(self, batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        assert batch.mixture is not None and batch.mixture_indices is not None
        rate = self.plan.learning_rate * (1 + math.cos(math.pi * (self.epoch + batch.share) / self.plan.epochs)) / 2
        folds = torch.cat([self.folds[0][batch.indices], self.folds[1][batch.mixture_indices]])
        known = torch.arange(len(folds), device=folds.device) < len(batch.indices)
        images = torch.cat([batch.normal, batch.mixture])  # [2B, 1, S, S]
        losses = []
        for index, learner in enumerate(self.learners):
            name = f"member {index}"
            hidden = occluded(
                images, self.plan.occlusion, self.plan.occlusion_frame, self.plan.occlusion_box, generator
            ).contiguous(memory_format=torch.channels_last)
            seen = folds != index % self.plan.folds
            for group in self.optimizers[name].param_groups:
                group["lr"] = rate
            # both classes in one batch: batch normalisation must not see them apart
            logits = learner(hidden[seen]).float()
            # of a small part of a batch a device may see no image of a class: a member learns from what all have, or not at all
            if not everywhere(self.fabric, bool(known[seen].any() and not known[seen].all())):
                continue
            loss, step = self.risk(logits[known[seen]], logits[~known[seen]])
            self.update(name, step)
            losses.append(loss.detach())
        self._move_average(batch.share)
        return {"risk": torch.stack(losses).mean() if losses else torch.tensor(torch.nan, device=images.device)}

    def risk(self, known: Tensor, mixture: Tensor) -> tuple[Tensor, Tensor]:
        """The risk of logits of either class, and what a step is to make smaller: the same, unless the non-negative risk has passed its bound."""
        normal, unlabelled = F.softplus(-known).mean(), F.softplus(mixture).mean()
        if self.plan.risk == "logistic":
            return normal + unlabelled, normal + unlabelled
        share = self.plan.least_normal_share * F.softplus(known).mean()
        abnormal = unlabelled - share
        risk = normal + share + abnormal.clamp(min=0)
        return risk, (risk if abnormal >= 0 else -abnormal)

    def _move_average(self, share: float) -> None:
        """Short at first, so that the first weights are soon forgotten."""
        decay = min(self.plan.average_decay, self.epoch + share)
        for network, average in zip(self.networks, self.average.members, strict=True):
            follow(average, network, decay)

    def finish(self, images: TrainingImages) -> None:
        """Fit the log ratio and estimate the mixture's share of normals on what each member, and each fold's rule, has not learned from."""
        sides = [side[:, None] for side in self.held_out(images)]
        if self.average.rule is None:
            slopes, offset = fitted_slopes(*sides)
        else:
            rule = self._fit_rule(images, self.average.rule)
            left_out = [np.concatenate(self._left_out(folds)) for folds in self.folds]
            beside = [
                np.column_stack((side, all_of[of])) for side, all_of, of in zip(sides, rule, left_out, strict=True)
            ]
            owners = [
                _owners(len(side), of)
                for side, of in zip(rule, (images.normal_patients, images.mixture_patients), strict=True)
            ]
            adds = surplus(beside[0], beside[1], (owners[0][left_out[0]], owners[1][left_out[1]]))
            sides, (slopes, offset) = beside, fitted_slopes(*beside)
            if adds is None or adds < SURE:
                sides = [np.column_stack((np.zeros(len(side)), side)) for side in rule]
                of_rule, offset = fitted_slopes(*(side[:, 1:] for side in sides))
                slopes = np.array([0.0, of_rule[0]])
            self.average.scattering_slope = float(slopes[1])
            self.findings["slopes_of_members_and_rule"] = [round(float(slope), 4) for slope in slopes]
            self.findings["standard_errors_that_members_add_to_the_rule"] = None if adds is None else round(adds, 2)
        known, mixture = (side @ slopes for side in sides)
        share = normal_share(known, mixture)
        self.average.slope, self.average.offset, self.average.normal_share = float(slopes[0]), offset, share
        self.findings |= {
            "normal_share_of_mixture": round(share, 4),
            "normal_share_rule": "best bin estimation on known normals and mixture, each by what did not learn from them; without labels",
            # what does not count is no part of the mean: beside nothing, a rule would be judged by half of what it says
            "held_out_risk": round(_risk(*(side[:, slopes > 0].mean(1) for side in sides)), 5),
            "held_out_risk_fitted": round(_risk(offset + known, offset + mixture), 5),
            "held_out_risk_of_chance": round(2 * math.log(2), 5),
            "held_out_images": [len(known), len(mixture)],
        }

    def held_out_loss(self, images: TrainingImages) -> float:
        """The logistic risk of a member on images that it learned nothing from, by its average: normals held out from all, and the mixture's of its own fold.

        All members that have a fold judge each held-out normal, so that both sides are of single members and their mean is a member's risk. No label takes
        part, as the mixture has none. The mixture's images are those that `finish` measures the members' risk on, which is then near the lowest of the epochs.
        """
        assert images.mixture is not None
        members = self.average.members[: min(self.plan.members, self.plan.folds)]

        def normal(x: Tensor) -> Tensor:
            return torch.stack([F.softplus(-self._logits(member, x)).mean() for member in members]).mean()

        mixture = self._by_left_out(images.mixture, self.folds[1])
        return self.mean_over_held(images, normal) + float(np.logaddexp(0, mixture).mean())

    def held_out(self, images: TrainingImages) -> tuple[Floats, Floats]:
        """Logits of known normals and of mixture images, [N'] and [M'], by the average of the member that learned nothing from their fold."""
        assert images.mixture is not None
        return self._by_left_out(images.normal, self.folds[0]), self._by_left_out(images.mixture, self.folds[1])

    @torch.inference_mode()
    def _by_left_out(self, pixels: Bytes, folds: Tensor) -> Floats:
        """One side of `held_out`."""
        found = []
        for member, left_out in zip(self.average.members, self._left_out(folds), strict=False):
            for first in range(0, len(left_out), self.plan.batch):
                part = as_input(_picked(pixels, left_out[first : first + self.plan.batch]), self.fabric.device)
                found.append(self._logits(member, part).cpu().numpy())
        return np.concatenate(found)

    def _logits(self, member: nn.Module, x: Tensor) -> Tensor:
        """[B] float64 of [B, 1, S, S], by an averaged member."""
        terms = self.average.terms_of(member, x.contiguous(memory_format=torch.channels_last))
        return terms.double().mean((1, 2, 3))

    def _left_out(self, folds: Tensor) -> list[npt.NDArray[np.int64]]:
        """Of each member that has a fold of its own, the images in it."""
        owners = folds.cpu().numpy()
        return [np.flatnonzero(owners == index) for index in range(min(self.plan.members, self.plan.folds))]

    def _fit_rule(self, images: TrainingImages, rule: ScatteringRule) -> tuple[Floats, Floats]:
        """The rule's logits of all known normals and of all the mixture, [N] and [M], by the fold that has not learned from each."""
        assert images.mixture is not None
        both = self.plan.augmentation.mirror or rule.turned
        features = [scattered(rule, side, both) for side in (images.normal, images.mixture)]
        known = np.repeat([True, False], [len(images.normal), len(images.mixture)])
        folds = torch.cat(self.folds).cpu().numpy()
        plan = self.plan
        together = np.concatenate(features, axis=1)
        if rule.turned:
            together = turned_alike(rule, together)
        logits = fit_rule(rule, together, known, folds, plan.scattering_penalty, plan.scattering_likeness)
        return logits[known], logits[~known]

    def scoring_model(self) -> RatioPosterior:
        model = RatioPosterior(**self.average.architecture)
        model.load_state_dict(self.average.state_dict())
        return model.to(self.fabric.device).eval()


def _picked(pixels: Bytes, indices: npt.NDArray[np.int64]) -> Bytes:
    return np.asarray(pixels[indices])


def _owners(count: int, patients: Patients | None) -> Patients:
    """[count], equal for images of one patient."""
    return np.arange(count) if patients is None else patients


def _folds(count: int, patients: Patients | None, folds: int, generator: np.random.Generator) -> npt.NDArray[np.int64]:
    """[count] in 0 ... folds - 1, equal for images of one patient, as many patients in each as can be."""
    unique, place = np.unique(_owners(count, patients), return_inverse=True)
    return (generator.permutation(len(unique)) % folds)[place]


def _risk(known: Floats, mixture: Floats) -> float:
    """The logistic risk."""
    return float(np.logaddexp(0, -known).mean() + np.logaddexp(0, mixture).mean())
