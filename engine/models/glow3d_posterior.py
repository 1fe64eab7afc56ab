"""Two 3D-Glows for head CT (Shibata et al. 2021, Appendix B): the method of engine/models/glow_posterior.py with 1x1x1 and 3x3x3 convolutions. No training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from torch import Tensor

from engine.models.base import Anomaly
from engine.models.glow_posterior import GlowPosterior
from engine.models.local_error import local_error


class Glow3DPosterior(GlowPosterior):
    """`GlowPosterior` of volumes, with the paper's sizes as defaults (its Table 4).

    Args:
        size: (slices, rows, columns); the paper's is (32, 128, 128).
        levels, depth, width: of each flow; the paper's are 4, 32 and 512.
        bits: of a grey value; 7 as clip(HU + 14, 0, 127) has (equation 4).
        preprocessing, heatmap_sigma: as for radiographs.
    """

    method: ClassVar[str] = "glow3d-posterior"
    paper: ClassVar[dict[str, str]] = GlowPosterior.paper | {
        "figures": "Head CT, 32 x 128 x 128: log posterior AUROC .866 (infarct .904, haematoma .857); log likelihood alone below .5",
    }

    def __init__(
        self,
        size: Sequence[int] = (32, 128, 128),
        levels: int = 4,
        depth: int = 32,
        width: int = 512,
        bits: int = 7,
        preprocessing: str = "head-ct",
        heatmap_sigma: float = 1 / 64,
    ) -> None:
        if len(size) != 3:
            raise ValueError(f"size must be slices, rows and columns, not {tuple(size)}")
        super().__init__(size, levels, depth, width, bits, preprocessing, heatmap_sigma)

    def anomaly(self, x: Tensor) -> Anomaly:
        """The scores of `GlowPosterior`, and `local_posterior`, which is not the paper's: the mean of the heatmap's highest hundredth.

        The two flows know the heads that they learned from better than others, each its own, and that is spread over the whole head; a lesion is not.
        """
        found = super().anomaly(x)
        assert found.heatmap is not None
        return replace(found, scores=found.scores | {"local_posterior": local_error(found.heatmap, 0)})
