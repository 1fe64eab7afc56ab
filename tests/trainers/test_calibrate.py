"""Half the size is taken where it moves nobody among the normals, whatever it does to all of them alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engine.errors import TrainingFailed
from engine.models.base import Anomaly, AnomalyModel, ModelSpec
from trainers.calibrate import calibrate, disagreement
from trainers.run import HALF_AGREES

CPU = torch.device("cpu")


class _Linear(AnomalyModel):
    """Scores an image by its grey values' weighted sum and an offset."""

    method = "linear"
    primary_score = "sum"

    def __init__(self) -> None:
        super().__init__()
        self.spec = ModelSpec(spatial_dims=2, size=(8, 8))
        self.weight = nn.Parameter(torch.ones(8, 8))
        self.offset = nn.Parameter(torch.zeros(()))

    @property
    def architecture(self) -> dict[str, Any]:
        return {}

    def anomaly(self, x: Tensor) -> Anomaly:
        return Anomaly({"sum": (x * self.weight).flatten(1).sum(1) + self.offset})


def _images() -> list[np.ndarray]:
    return list(np.random.default_rng(1).random((12, 1, 8, 8), np.float32))


def _changed(weight: float = 0.0, offset: float = 0.0) -> _Linear:
    model = _Linear()
    with torch.no_grad():
        model.weight[0, 0] += weight
        model.offset += offset
    return model


def test_a_shift_that_all_images_share_is_no_disagreement() -> None:
    assert disagreement(_Linear(), _changed(offset=5), _images(), CPU) < HALF_AGREES / 10


def test_images_that_change_places_are_a_disagreement() -> None:
    assert disagreement(_Linear(), _changed(weight=2), _images(), CPU) > HALF_AGREES
    assert disagreement(_Linear(), _changed(weight=2, offset=5), _images(), CPU) > HALF_AGREES


@pytest.mark.parametrize("broken", ["sum", "heatmap"])
def test_a_network_that_gives_no_finite_score_or_map_is_not_calibrated(broken: str) -> None:
    class Overflowing(_Linear):
        def anomaly(self, x: Tensor) -> Anomaly:
            found = super().anomaly(x)
            values = {"sum": found.scores["sum"], "heatmap": x.clone()}
            values[broken][0] = float("inf")
            return Anomaly({"sum": values["sum"]}, heatmap=values["heatmap"])

    with pytest.raises(TrainingFailed, match=f"no finite {broken}") as caught:
        calibrate(Overflowing(), _images(), "", CPU)
    assert "lower learning rate" in caught.value.cure
