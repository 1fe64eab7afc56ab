"""A convolution and the rectifier after it as one oneDNN operation on an x86 processor. For inference; networks are not written in terms of it.

The rectifier is applied while the result is still in the processor's registers, and the weights are laid out once for the processor's vectors
instead of at each call. A kernel as large as its input, or a transposed one over a single place, is a product of matrices and runs as one, at
several times the speed. The numbers are the plain layers' up to the order of additions.
"""

from __future__ import annotations

import itertools
import platform
from typing import TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Convolution = nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d


class FusedConvolution(nn.Module):
    """[B, C, *S] float32 channels last -> convolution -> LeakyReLU -> [B, D, *T] float32 channels last, on the CPU, without gradients.

    Args:
        convolution: one that `can_fuse`; its weights are those at the time of the first call.
        slope: the LeakyReLU's; 0 is a ReLU, 1 none at all.
    """

    def __init__(self, convolution: Convolution, slope: float) -> None:
        super().__init__()
        self.convolution = convolution
        self.slope = slope
        self._packed: Tensor | None = None
        self._matrix: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        layer = self.convolution
        if _is_product(layer, x.shape[2:]):
            return self._as_product(x)
        geometry: tuple[object, ...] = (layer.padding, layer.stride, layer.dilation, layer.groups)
        pack, run = torch.ops.mkldnn._reorder_convolution_weight, torch.ops.mkldnn._convolution_pointwise
        if isinstance(layer, nn.ConvTranspose2d):
            geometry = (layer.padding, layer.output_padding, layer.stride, layer.dilation, layer.groups)
            pack = torch.ops.mkldnn._reorder_convolution_transpose_weight
            run = torch.ops.mkldnn._convolution_transpose_pointwise
        if self._packed is None:
            # the best layout depends on the input's size; for another size oneDNN changes it on its way, slower but right
            self._packed = pack(layer.weight, *geometry, x.shape)
        result: Tensor = run(x, self._packed, layer.bias, *geometry, "leaky_relu", [self.slope], "")
        return result

    def _as_product(self, x: Tensor) -> Tensor:
        layer = self.convolution
        transposed = isinstance(layer, nn.ConvTranspose2d)
        places = layer.kernel_size if transposed else tuple(1 for _ in layer.kernel_size)
        if self._matrix is None:
            # rows are the results, channels last on either side
            weight = layer.weight.movedim(1, -1).flatten(1)
            self._matrix = weight if transposed else weight.T.contiguous()
        flat = x.movedim(1, -1).flatten(1)
        result = flat @ self._matrix
        result = result.unflatten(1, (*places, layer.out_channels))
        if layer.bias is not None:
            result += layer.bias
        return F.leaky_relu(result, self.slope, inplace=True).movedim(-1, 1)


def fuses_on(device: torch.device) -> bool:
    """Whether this build of torch has the operations, and the device is the kind of processor that they were found right and fast on."""
    return (
        device.type == "cpu"
        and platform.machine().lower() in {"x86_64", "amd64"}
        and torch.backends.mkldnn.is_available()
        and all(
            hasattr(torch.ops.mkldnn, name)
            for name in (
                "_reorder_convolution_weight",
                "_convolution_pointwise",
                "_reorder_convolution_transpose_weight",
                "_convolution_transpose_pointwise",
            )
        )
    )


def can_fuse(layer: nn.Module) -> TypeGuard[Convolution]:
    """Whether a layer is a plain convolution: no subclass, which might do more in its forward, and padded with a number of zeros."""
    return type(layer) in (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d) and (
        layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    )


def _is_product(layer: Convolution, size: torch.Size) -> bool:
    """Whether every weight meets every image of this size at one place alone."""
    alone = set(layer.padding) == {0} and layer.groups == 1 and set(layer.dilation) == {1}
    if isinstance(layer, nn.ConvTranspose2d):
        return alone and set(layer.output_padding) == {0} and set(size) == {1}
    return alone and tuple(size) == layer.kernel_size


def fuse_rectifiers(module: nn.Module) -> None:
    """In every Sequential, make one of each convolution and the LeakyReLU or ReLU that follows it, if need be after an Identity.

    An Identity takes the place of what is gone, as a network may count on the indices. What stands between the two cannot be looked at any more.
    """
    for sequence in [child for child in module.modules() if isinstance(child, nn.Sequential)]:
        working = [place for place, layer in enumerate(sequence) if not isinstance(layer, nn.Identity)]
        for here, following in itertools.pairwise(working):
            convolution, rectifier = sequence[here], sequence[following]
            if can_fuse(convolution) and isinstance(rectifier, nn.LeakyReLU | nn.ReLU):
                slope = rectifier.negative_slope if isinstance(rectifier, nn.LeakyReLU) else 0.0
                sequence[here] = FusedConvolution(convolution, slope)
                sequence[following] = nn.Identity()
