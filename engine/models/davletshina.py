"""The citation of the paper that six of the methods are from. A method adds the figures that the paper gives of it."""

from __future__ import annotations

CITATION = {
    "citation": "Davletshina D, et al. Unsupervised anomaly detection for X-ray images. arXiv:2001.10883, 2020",
    "doi": "10.48550/arXiv.2001.10883",
}
