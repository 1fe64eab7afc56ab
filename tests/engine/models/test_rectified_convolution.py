"""A convolution with its rectifier keeps a convolution's names, and comes apart for inference."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from engine.models.rectified_convolution import RectifiedConvolution


def test_it_is_a_convolution_and_a_leaky_relu_together_and_apart() -> None:
    torch.manual_seed(0)
    layer = RectifiedConvolution(3, 4, 3, 0.2)
    x = torch.randn(2, 3, 8, 8)
    with torch.inference_mode():
        plain = F.leaky_relu(F.conv2d(x, layer.weight, layer.bias, padding=1), 0.2)
        torch.testing.assert_close(layer(x), plain)
        torch.testing.assert_close(layer.for_inference()(x), plain)
        assert float(plain.min()) < 0 < float(plain.max())


def test_its_weights_are_named_as_a_convolution_s() -> None:
    assert list(RectifiedConvolution(3, 4, 1, 0.2).state_dict()) == list(nn.Conv2d(3, 4, 1).state_dict())
