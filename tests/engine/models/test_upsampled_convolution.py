"""The short way through an upsampling is the long one's equal."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from engine.models.upsampled_convolution import UpsampledConvolution


@pytest.mark.parametrize("slope", [1.0, 0.2])
def test_it_is_nearest_upsampling_a_convolution_and_a_rectifier_on_either_way(slope: float) -> None:
    torch.manual_seed(0)
    layer = UpsampledConvolution(6, 5, slope)
    x = torch.randn(2, 6, 7, 9)
    with torch.inference_mode():
        doubled = F.interpolate(x, scale_factor=2, mode="nearest")
        plain = F.leaky_relu(F.conv2d(doubled, layer.weight, layer.bias, padding=1), slope)
        torch.testing.assert_close(layer(x), plain)
        torch.testing.assert_close(layer.for_inference()(x), plain, rtol=1e-5, atol=1e-6)
