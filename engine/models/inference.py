"""Runs a bundle's network as fast as the device allows without changing what it says. Never decodes, calibrates or stores anything.

torch.compile is left out: it needs a compiler on the user's machine.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Literal, overload

import torch
from torch import Tensor, nn
from torch.nn.utils import convert_conv2d_weight_memory_format, convert_conv3d_weight_memory_format
from torch.nn.utils.fusion import fuse_conv_bn_eval

from engine.errors import DeviceExhausted
from engine.models.base import Anomaly, AnomalyModel
from engine.models.bundle import Bundle
from engine.models.upsampled_convolution import UpsampledConvolution

Precision = Literal["auto", "float32", "bfloat16"]

MOST_DRIFT = 0.05
"""Change of a score by bfloat16, as a share of the normals' standard deviation, beyond which float32 is used."""


class Inference:
    """One bundle's network, ready on one device.

    Args:
        bundle: as loaded; its network is copied, not changed.
        device: "auto" (CUDA where there is one), "cpu", "cuda" or "cuda:1".
        precision: "auto" is bfloat16 where the device computes in it and the card says that the scores hold; float32 otherwise.

    Raises:
        DeviceExhausted: the device is not there, or has no room for the network.
    """

    def __init__(self, bundle: Bundle, device: str = "auto", precision: Precision = "auto") -> None:
        self.device = choose_device(device)
        wanted = precision == "bfloat16" or (precision == "auto" and holds_in_bfloat16(bundle))
        self.dtype = torch.bfloat16 if wanted and computes_bfloat16(self.device) else torch.float32
        try:
            self._anomaly = prepare_for_inference(bundle.model, self.device, self.dtype)
        except torch.OutOfMemoryError as error:
            raise DeviceExhausted(
                f"{self.device} has no room for the model", cure="Close other programs, or choose the CPU."
            ) from error

    def __call__(self, x: Tensor) -> Anomaly:
        """[B, C, *S] float32 -> its scores and maps, float32 on the CPU. An image scores alone as it does in any batch."""
        found = self._anomaly(x)
        return Anomaly(
            scores={name: _home(score) for name, score in found.scores.items()},
            heatmap=_home(found.heatmap),
            reconstruction=_home(found.reconstruction),
            posterior=_home(found.posterior),
        )

    def free_memory(self) -> None:
        """Give back what the device keeps for later, after it ran out."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def choose_device(device: str) -> torch.device:
    """The device a person asked for; "auto" is CUDA where there is one. Raises DeviceExhausted when it is not there."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise DeviceExhausted("there is no CUDA device here", cure="Choose the device cpu, or auto.")
    return torch.device(device)


def computes_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware; emulated, it would be slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())


def holds_in_bfloat16(bundle: Bundle) -> bool:
    """Whether every score moved by less than `MOST_DRIFT` in bfloat16 on the calibration normals, as the card's recipe records."""
    drift = bundle.card.recipe.get("bfloat16_drift")
    return isinstance(drift, dict) and bool(drift) and all(float(value) < MOST_DRIFT for value in drift.values())


def prepare_for_inference(model: AnomalyModel, device: torch.device, dtype: torch.dtype) -> Callable[[Tensor], Anomaly]:
    """A copy of a network in eval mode, channels last, normalisation and upsampling folded into convolutions, under autocast to `dtype`.

    The result takes [B, C, *S] float32 on any device and answers on `device`.
    """
    ready = copy.deepcopy(model).requires_grad_(False).eval()
    fold_normalisation(ready)
    for layer in ready.modules():
        if isinstance(layer, UpsampledConvolution):
            layer.folded = True
    ready.to(device)
    flat = model.spec.spatial_dims == 2
    layout = torch.channels_last if flat else torch.channels_last_3d
    (convert_conv2d_weight_memory_format if flat else convert_conv3d_weight_memory_format)(ready, layout)

    @torch.inference_mode()
    def anomaly(x: Tensor) -> Anomaly:
        x = x.to(device, non_blocking=True).contiguous(memory_format=layout)
        with torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32):
            return ready.anomaly(x)

    return anomaly


def fold_normalisation(module: nn.Module) -> None:
    """Multiply each batch normalisation that follows a convolution in a Sequential into it. Eval mode only; the outputs stay the same."""
    for child in module.modules():
        if isinstance(child, nn.Sequential):
            for first, second in zip(range(len(child)), range(1, len(child)), strict=False):
                convolution, normalisation = child[first], child[second]
                if isinstance(convolution, nn.Conv2d | nn.Conv3d) and isinstance(
                    normalisation, nn.BatchNorm2d | nn.BatchNorm3d
                ):
                    child[first] = fuse_conv_bn_eval(convolution, normalisation)
                    child[second] = nn.Identity()


@overload
def _home(value: Tensor) -> Tensor: ...
@overload
def _home(value: None) -> None: ...
def _home(value: Tensor | None) -> Tensor | None:
    return None if value is None else value.float().cpu()
