"""What the autoencoders of Davletshina et al. 2020 have in common: an encoder, a decoder, and how an image is judged by what they make of it. No layers.

arXiv:2001.10883, section 2.3. The layers, table by table, are in cae.py, bae.py and vae.py.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from engine.models.base import Anomaly, AnomalyModel, ModelSpec
from engine.models.masked_error import judged_reconstruction


class MaskedAutoencoder(AnomalyModel):
    """A method sets `encoder` and `decoder`, and adds what it takes besides to `architecture`.

    Args:
        size: side of the image.
        preprocessing: name in engine.preprocess.
        heatmap_sigma: the heatmap's smoothing as a share of the side.
    """

    encoder: nn.Sequential
    decoder: nn.Sequential

    def __init__(self, size: int, preprocessing: str, heatmap_sigma: float) -> None:
        super().__init__()
        self.spec = ModelSpec(spatial_dims=2, size=(size, size), preprocessing=preprocessing)
        self.heatmap_sigma = heatmap_sigma

    @property
    def architecture(self) -> dict[str, Any]:
        return {
            "size": self.spec.size[0],
            "preprocessing": self.spec.preprocessing,
            "heatmap_sigma": self.heatmap_sigma,
        }

    def reconstruct(self, x: Tensor) -> Tensor:
        """[B, 1, S, S] -> [B, 1, S, S] in [-1, 1]."""
        drawn: Tensor = self.decoder(self.encoder(x))
        return drawn

    def anomaly(self, x: Tensor) -> Anomaly:
        """`mse` and `mse_top200` (table 1), `ssim` and `local_error`; see `judged_reconstruction`."""
        return judged_reconstruction(x, self.reconstruct(x), self.heatmap_sigma)
