"""How SALAD learns (Bozorgtabar et al. 2020, section 2): reconstruction, codes that tell images apart, then codes that gather in neighbourhoods.

Let p(i, j) be equation 1's likeness of image i's code to the bank's code of image j. A step minimises, over the B images of a batch,

    weight x |x - x'|^2 / pixels + lambda (sum over the others of -log p(i, i) + sum over prototypical ones of -log sum over N_k(i) of p(i, j)) / B

Equation 1's random versions of one image share one place in the bank, whose code is their moving average. In pre-training no image is prototypical.
In round r of R, the share r / R of the images with the lowest entropy of p(i, .) is, and each of them is drawn to its place in the bank and to the k
nearest others. How neighbourhoods grow is not in the text; these rounds, the entropy, and k = 1 are those of the work that the wording follows
(Huang J, et al. Unsupervised deep learning by neighbourhood discovery. ICML 2019).

Known abnormal images, where there are some, are training images as normals are: each is learned from once an epoch, under a place of its own that the
scored bank does not have ("we discard anomalous prototypical vectors for anomaly score calculation"). Their labels enter no loss.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from lightning_fabric import Fabric
from pydantic import Field
from torch import Tensor, nn

from engine.models.salad import SALAD
from trainers.memory_autoencoder import MemoryAutoencoderPlan, MemoryAutoencoderTrainer, squared_error
from trainers.method import Batch, TrainingImages


class SALADPlan(MemoryAutoencoderPlan):
    """The paper's for chests. 50 epochs of pre-training and ten rounds of 50, or as many in proportion."""

    method: str = "salad"
    pretraining_share: float = Field(
        default=1 / 11, ge=0, lt=1, description="of the epochs; equal rounds share the rest"
    )
    training_rounds: int = Field(default=10, ge=1, description="over which neighbourhoods grow to all images")
    temperature: float = Field(default=0.1, gt=0, le=1, description="tau")
    latent_weight: float = Field(default=0.25, ge=0, description="lambda, of the losses on the code")
    neighbourhood: int = Field(
        default=1, ge=1, description="k, the nearest others that a prototypical image is drawn to"
    )
    known_abnormal_share: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="at most, of the training images, where a mixture of known abnormal images is given",
    )
    mixture_rate: float | None = Field(default=1.0, gt=0, le=1, description="the mixture holds abnormal images alone")


class Prototypical(nn.Module):
    """Which places of the bank are prototypical in the current round: a buffer `chosen` [N], so that a resumed run goes on with it."""

    chosen: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("chosen", torch.zeros(size, dtype=torch.bool))


class SALADTrainer(MemoryAutoencoderTrainer):
    """One network with three losses, and rounds."""

    plan_class = SALADPlan
    plan: SALADPlan
    mixture: ClassVar[Literal["never", "optional", "always"]] = "optional"

    def __init__(self, plan: SALADPlan, fabric: Fabric) -> None:
        super().__init__(plan, fabric)
        self.pretraining = round(plan.pretraining_share * plan.epochs)
        self.rounds = min(plan.training_rounds, max(1, plan.epochs - self.pretraining))

    def begin(self, images: TrainingImages) -> None:
        super().begin(images)
        size = len(self.memory.codes)
        self.prototypical = Prototypical(size).to(self.fabric.device)
        self.modules["prototypical"] = self.prototypical
        mixture = 0 if images.mixture is None else len(images.mixture)
        abnormal = size - self.normals
        generator = torch.Generator().manual_seed(self.plan.seed)
        drawn = torch.randperm(mixture, generator=generator)[:abnormal]
        self.mixture_once = drawn.numpy()
        self.place_of_mixture = torch.full((mixture,), -1)  # [M], -1 for images that are not learned from
        self.place_of_mixture[drawn] = torch.arange(self.normals, size)
        self.place_of_mixture = self.place_of_mixture.to(self.fabric.device)
        self.findings["known_abnormal_images"] = abnormal

    def known_abnormals(self, images: TrainingImages) -> int:
        if images.mixture is None:
            return 0
        share = self.plan.known_abnormal_share
        return min(len(images.mixture), round(share / (1 - share) * len(images.normal)))

    def begin_epoch(self, epoch: int) -> str:
        """At the start of each round, the bank says which images are prototypical in it."""
        self.epoch = epoch
        now, before = self.round_of(epoch), self.round_of(epoch - 1)
        if now > before:
            entropies = self.memory.entropies(self.plan.temperature)
            lowest = entropies.argsort(stable=True)[: round(len(entropies) * now / self.rounds)]
            self.prototypical.chosen.zero_()
            self.prototypical.chosen[lowest] = True
        return f"round {now} of {self.rounds}" if now else "pre-training"

    def round_of(self, epoch: int) -> int:
        """1 to R; 0 in pre-training."""
        since = epoch - self.pretraining
        return 0 if since < 0 else since * self.rounds // (self.plan.epochs - self.pretraining) + 1

    def learned_from(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The normals, and the known abnormal images that are due in this batch."""
        if batch.mixture is None or batch.mixture_indices is None:
            return batch.normal, batch.indices
        places = self.place_of_mixture[batch.mixture_indices]
        return torch.cat([batch.normal, batch.mixture]), torch.cat([batch.indices, places])

    def losses(self, x: Tensor, z: Tensor, reconstruction: Tensor, places: Tensor) -> dict[str, Tensor]:
        """Equation 3, and its parts. `sample_specific` and `aggregation` are means over their own images, NaN where there are none."""
        error = squared_error(x, reconstruction)
        likeness = self.memory.log_probabilities(z, self.plan.temperature)  # [B, N]
        grown = self.prototypical.chosen[places]  # [B]
        latent = torch.where(
            grown,
            -neighbourhood_likeness(likeness, places, self.plan.neighbourhood),
            -likeness.gather(1, places[:, None])[:, 0],
        )
        return {
            "total": self.plan.reconstruction_weight * error + self.plan.latent_weight * latent.mean(),
            "reconstruction": error,
            "sample_specific": latent[~grown].mean(),
            "aggregation": latent[grown].mean(),
        }

    def scoring_model(self) -> SALAD:
        return self.scored_by(SALAD)


def neighbourhood_likeness(likeness: Tensor, places: Tensor, neighbours: int) -> Tensor:
    """Log of equation 2's sum: the likeness to an image's own place and to the k places nearest its code besides.

    Args:
        likeness: [B, N] log p(i, j).
        places: [B] int64, each image's own.
        neighbours: k.

    Returns:
        [B].
    """
    own = likeness.gather(1, places[:, None])  # [B, 1]
    others = likeness.scatter(1, places[:, None], -torch.inf)
    nearest = others.topk(min(neighbours, likeness.shape[1] - 1), dim=1).values  # [B, k]
    return torch.cat([own, nearest], 1).logsumexp(1)
