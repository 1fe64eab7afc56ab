"""How the variational autoencoder of Davletshina et al. 2020 learns: masked squared error and divergence of the code. The network is in engine/models/vae.py.

One image's loss is (sum over the mask of (x - x')^2 + weight x sum over the code of the divergence) / area of the mask, and a batch's is their mean:
the two terms are sums over one image, so that their balance depends neither on its size nor on the batch's. The paper gives no weight; 1 is the
likelihood's bound for a Gaussian of variance 1/2 a pixel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from lightning_fabric import Fabric
from pydantic import Field
from torch import Tensor

from engine.models.masked_error import foreground, masked_mean
from engine.models.vae import VAE, divergence
from trainers.masked_autoencoder import MaskedAutoencoderPlan, MaskedAutoencoderTrainer
from trainers.plan import Augmentation


class VAEPlan(MaskedAutoencoderPlan):
    """The paper's (supplement .4, VAE)."""

    method: str = "vae"
    trial: ClassVar[Mapping[str, Any]] = {"size": (64, 64), "width": 64, "code": 64}
    augmentation: Augmentation = Field(default_factory=Augmentation.default_set)
    width: int = Field(default=512, ge=1, description="channels at 2 x 2")
    code: int = Field(default=1024, ge=1)
    kld_weight: float = Field(default=1.0, ge=0, description="of the divergence, both terms being sums over an image")


class VAETrainer(MaskedAutoencoderTrainer):
    """One network, two terms of one loss."""

    plan_class = VAEPlan
    called: ClassVar[tuple[str, ...]] = ("encode", "decode")

    def __init__(self, plan: VAEPlan, fabric: Fabric) -> None:
        self.kld_weight = plan.kld_weight
        network = VAE(plan.size[0], plan.width, plan.code, plan.kld_weight, plan.preprocessing, plan.heatmap_sigma)
        super().__init__(plan, fabric, network)

    def losses(self, x: Tensor) -> dict[str, Tensor]:
        """A code is drawn while training; held-out normals are judged by its mean, so that epochs can be compared."""
        mean, log_variance = self.network_in_use.encode(x)
        z = mean
        if self.network.training:
            z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        mask = foreground(x)
        error = masked_mean(torch.square(x - self.network_in_use.decode(z).float()), mask)  # [B]
        kld = divergence(mean, log_variance)  # [B]
        area = mask.flatten(1).sum(1).clamp_min(1)
        return {
            "bound": (error + self.kld_weight * kld / area).mean(),
            "reconstruction": error.mean(),
            "divergence": kld.mean(),
        }
