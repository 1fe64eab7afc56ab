"""The 3D autoencoder keeps shapes, passes everything through its code, and scores a volume alone as in a batch."""

from __future__ import annotations

import pytest
import torch

from engine.models.autoencoder_3d import Autoencoder3D
from engine.models.local_error import local_error


def test_all_that_is_drawn_comes_through_the_code() -> None:
    torch.manual_seed(0)
    model = Autoencoder3D(size=(16, 32, 48), width=2, code=8).eval()
    codes: list[torch.Tensor] = []
    model.encoder.register_forward_hook(lambda _m, _i, out: codes.append(out))
    x = torch.rand(2, 1, 16, 32, 48) * 2 - 1
    with torch.inference_mode():
        found = model.anomaly(x)
    assert codes[0].shape == (2, 8)
    assert found.reconstruction is not None and found.reconstruction.shape == x.shape
    torch.testing.assert_close(found.scores["local_error"], local_error((x - found.reconstruction).abs()))
    torch.testing.assert_close(found.scores["mse"], (x - found.reconstruction).square().mean((1, 2, 3, 4)))


def test_a_volume_scores_alone_as_in_a_batch() -> None:
    torch.manual_seed(0)
    model = Autoencoder3D(size=(16, 16, 16), width=2, code=8).eval()
    x = torch.rand(3, 1, 16, 16, 16) * 2 - 1
    with torch.inference_mode():
        together, alone = model.anomaly(x).scores, model.anomaly(x[1:2]).scores
    for name, values in alone.items():
        torch.testing.assert_close(values[0], together[name][1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [(32, 128), (8, 128, 128), (32, 100, 128)])
def test_a_size_that_cannot_be_halved_four_times_is_refused(size: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="multiples of 16"):
        Autoencoder3D(size=size)
