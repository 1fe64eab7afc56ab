"""SALAD: an autoencoder whose codes gather around prototypes, and a bank of the normals' codes (Bozorgtabar et al., MICCAI 2020). The network and its scores.

Bozorgtabar B, Mahapatra D, Vray G, Thiran JP. Anomaly detection on X-rays using self-supervised aggregation learning. arXiv:2010.09856.

Read from the paper: the unit code, the bank of one vector for each training image, equation 4 over the bank and its K, and that the vectors of known
abnormal images are discarded from the bank before scoring. Ours, or a reading of it:

- The paper's bank is the one that training left, moving averages of the codes of each training image in its random versions; the trainer says why ours
  holds codes computed anew with the final weights unless asked otherwise.
- Equation 4's scores are not stretched to [0, 1], and K is at most a quarter of the bank (memory_bank.py says why).
- The paper ranks by equation 4 alone. `mse`, its reconstruction loss, is a score here too, and the heatmap and the pictures of neighbours are ours.
- The last layer of the decoder has no batch normalisation, which the paper has "after each layer" (normalised_autoencoder.py says what it gives of them).
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from engine.models.base import Anomaly, AnomalyModel, ModelSpec
from engine.models.local_error import local_error
from engine.models.memory_bank import MemoryBank
from engine.models.normalised_autoencoder import NetworkName, normalised_autoencoder
from engine.models.structural_similarity import smoothed, structural_dissimilarity

NEIGHBOURS_SHOWN = 4


class SALAD(AnomalyModel):
    """Autoencoder, memory bank, and pictures of what the bank holds if they may travel.

    Args:
        network: "unet" for chests or "resnet18" for limbs.
        size: side of the image; the paper's is 256 for chests and 512 for limbs.
        width: channels of the first layer.
        code: length of the code; the paper's is 200.
        bank: N, the number of training normals.
        neighbours: K of equation 4; the paper's is 100 of about 4,500.
        thumbnail: side of the pictures of the training normals that the bundle carries; 0 carries none.
        preprocessing: name in engine.preprocess.
        heatmap_sigma: the heatmap's smoothing as a share of the side.
    """

    method: ClassVar[str] = "salad"
    primary_score: ClassVar[str] = "aggregation"
    paper: ClassVar[dict[str, str]] = {
        "citation": "Bozorgtabar B, et al. SALAD: self-supervised aggregation learning for anomaly detection on X-rays. MICCAI 2020:468-478",
        "doi": "10.1007/978-3-030-59710-8_46",
        "figures": "NIH, 256 x 256, a tenth of known abnormal images: aggregation AUROC .917; MURA, 512, a twentieth: .812",
    }

    thumbnails: Tensor

    def __init__(
        self,
        network: NetworkName = "unet",
        size: int = 256,
        width: int = 64,
        code: int = 200,
        bank: int = 4479,
        neighbours: int = 100,
        thumbnail: int = 0,
        preprocessing: str = "chest",
        heatmap_sigma: float = 1 / 64,
    ) -> None:
        super().__init__()
        self.spec = ModelSpec(spatial_dims=2, size=(size, size), preprocessing=preprocessing)
        self.network, self.width, self.code = network, width, code
        self.neighbours, self.heatmap_sigma = neighbours, heatmap_sigma
        self.autoencoder = normalised_autoencoder(network, size, width, code)
        self.memory = MemoryBank(bank, code)
        self.register_buffer("thumbnails", torch.zeros(bank if thumbnail else 0, thumbnail, thumbnail).byte())

    @property
    def architecture(self) -> dict[str, Any]:
        return {
            "network": self.network,
            "size": self.spec.size[0],
            "width": self.width,
            "code": self.code,
            "bank": len(self.memory.codes),
            "neighbours": self.neighbours,
            "thumbnail": self.thumbnails.shape[-1],
            "preprocessing": self.spec.preprocessing,
            "heatmap_sigma": self.heatmap_sigma,
        }

    def anomaly(self, x: Tensor) -> Anomaly:
        """The paper's score, and three of ours.

        `aggregation`: equation 4, over the bank of normals.
        `mse`: mean squared error of the reconstruction, the paper's loss.
        `ssim`, `local_error`: structural dissimilarity, and the squared error where it is worst.
        Heatmap: squared error per pixel, smoothed by `heatmap_sigma`. Neighbours: pictures of the normals with the nearest codes.
        """
        z, reconstruction = self.autoencoder(x)  # [B, code], [B, 1, S, S]
        reconstruction = reconstruction.float()
        error = torch.square(x.float() - reconstruction)
        scores = {
            "aggregation": self.memory.aggregation(z, self.neighbours),
            "mse": error.flatten(1).mean(1),
            "ssim": structural_dissimilarity(x, reconstruction),
            "local_error": local_error(error),
        }
        alike = self.thumbnails[self.memory.nearest(z, NEIGHBOURS_SHOWN)] if len(self.thumbnails) else None
        return Anomaly(
            scores,
            heatmap=smoothed(error, self.heatmap_sigma),
            reconstruction=reconstruction,
            neighbours=None if alike is None else alike.float() / 127.5 - 1,
        )
