"""Which class implements which published method. Imports a method only when it is asked for, so that listing them costs nothing."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.models.base import AnomalyModel

METHODS: dict[str, str] = {
    "alpha-gan": "engine.models.alpha_gan:AlphaGAN",
    "autoencoder-3d": "engine.models.autoencoder_3d:Autoencoder3D",
    "glow-posterior": "engine.models.glow_posterior:GlowPosterior",
    "glow3d-posterior": "engine.models.glow3d_posterior:Glow3DPosterior",
    "bae": "engine.models.bae:BAE",
    "bigan": "engine.models.bigan:BiGAN",
    "cae": "engine.models.cae:CAE",
    "dcgan": "engine.models.dcgan:DCGAN",
    "denoising-autoencoder": "engine.models.denoising_autoencoder:DenoisingAutoencoder",
    "hand-alpha-gan": "engine.models.hand_alpha_gan:HandAlphaGAN",
    "mem-dae": "engine.models.mem_dae:MemDAE",
    "one-class-gan": "engine.models.one_class_gan:OneClassGAN",
    "ratio-posterior": "engine.models.ratio_posterior:RatioPosterior",
    "salad": "engine.models.salad:SALAD",
    "vae": "engine.models.vae:VAE",
}
"""Method name -> "module:Class"."""


def model_class(name: str) -> type[AnomalyModel]:
    """The network of a method. Raises KeyError for a name that is not in METHODS."""
    module, _, attribute = METHODS[name].partition(":")
    found: type[AnomalyModel] = getattr(importlib.import_module(module), attribute)
    return found
