"""What every method looks like from outside: a network that turns images into anomaly scores. Knows nothing of files, studies or training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn


@dataclass(frozen=True)
class ModelSpec:
    """What a network takes.

    Attributes:
        spatial_dims: 2 for radiographs, 3 for volumes.
        size: [*S] input size in pixels or voxels, e.g. (256, 256) or (32, 128, 128).
        channels: 1 for grey.
        preprocessing: name in engine.preprocess that makes the input ("chest", "musculoskeletal", "head-ct").
    """

    spatial_dims: int
    size: tuple[int, ...]
    channels: int = 1
    preprocessing: str = "chest"


@dataclass(frozen=True)
class Anomaly:
    """What a network says of a batch.

    Attributes:
        scores: name -> [B] float32, higher = more abnormal. Batch-independent: an image alone scores as in any batch.
        heatmap: [B, 1, *S] float32 raw per-pixel anomaly (not yet in cohort units), or None.
        reconstruction: [B, C, *S] in the input's range, or None.
        posterior: [B] log p(normal | x) up to a constant, higher = more normal, or None.
        neighbours: [B, k, *T] in the input's range, small pictures of the training normals most like each image, the nearest first, or None.
    """

    scores: dict[str, Tensor]
    heatmap: Tensor | None = None
    reconstruction: Tensor | None = None
    posterior: Tensor | None = None
    neighbours: Tensor | None = None


class AnomalyModel(nn.Module, ABC):
    """A published method's network with its anomaly scores. Input is [B, C, *S] float32 in [-1, 1].

    Subclasses take only JSON-able keyword arguments, listed again in `architecture`, so that a bundle can rebuild them without code.
    """

    method: ClassVar[str]
    """Name in the registry, e.g. "alpha-gan"."""
    primary_score: ClassVar[str]
    """The score that ranks studies unless the card names another."""
    paper: ClassVar[dict[str, str]] = {}
    """citation, doi, and the paper's own figures in words; empty for a method of ours. It goes into the card."""

    spec: ModelSpec

    @property
    @abstractmethod
    def architecture(self) -> dict[str, Any]:
        """Keyword arguments that rebuild this network: `type(model)(**model.architecture)`."""

    @abstractmethod
    def anomaly(self, x: Tensor) -> Anomaly:
        """Scores, heatmap and reconstruction of a batch. Call in eval mode under `torch.inference_mode()`."""
