"""The 3D autoencoder is the denoising autoencoder of volumes, and of nothing else."""

from __future__ import annotations

import pytest
import torch

from engine.models.autoencoder_3d import Autoencoder3D


def test_a_volume_keeps_its_shape_and_is_scored_by_what_is_usual() -> None:
    torch.manual_seed(0)
    model = Autoencoder3D(size=(16, 32, 48), width=2).eval()
    torch.nn.init.normal_(model.last.weight)
    x = torch.rand(2, 1, 16, 32, 48) * 2 - 1
    with torch.inference_mode():
        found = model.anomaly(x)
    assert found.reconstruction is not None and found.reconstruction.shape == x.shape
    assert found.heatmap is not None and found.heatmap.shape == x.shape
    assert Autoencoder3D.primary_score == "unusual_error" and (found.scores["unusual_error"] > 0).all()
    assert type(model)(**model.architecture).state_dict().keys() == model.state_dict().keys()


@pytest.mark.parametrize("size", [(32, 128), (8, 128, 128), (32, 100, 128)])
def test_an_image_and_a_size_that_cannot_be_halved_four_times_are_refused(size: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="size must be"):
        Autoencoder3D(size=size)
