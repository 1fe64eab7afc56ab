"""MemDAE, SALAD's baseline: the same network and memory bank, taught by the reconstruction alone. The network and its scores are SALAD's.

Bozorgtabar et al. 2020, "Ablations": "by turning off the proposed loss terms and without using anomalous samples".
"""

from __future__ import annotations

from typing import ClassVar

from engine.models.salad import SALAD


class MemDAE(SALAD):
    """As SALAD; what differs is how it was taught."""

    method: ClassVar[str] = "mem-dae"
    paper: ClassVar[dict[str, str]] = SALAD.paper | {
        "figures": "NIH, 256 x 256: aggregation AUROC .878 (sd .007); MURA, 512: .766 (sd .010)"
    }
