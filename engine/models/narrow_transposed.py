"""A transposed convolution to very few channels as one product of matrices, whose parts are added up where they overlap. For inference.

oneDNN works on eight or sixteen channels at once: the last layer of a decoder, which draws one, keeps it at a twelfth of its speed.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

MOST_CHANNELS = 4
"""Of the result, up to which the product is faster."""


class NarrowTransposed(nn.Module):
    """[B, C, H, W] -> the transposed convolution's [B, D, H', W'], the same numbers up to the order of additions.

    Args:
        convolution: one that `is_narrow`; its weights are those at the time of the call.
    """

    def __init__(self, convolution: nn.ConvTranspose2d) -> None:
        super().__init__()
        self.convolution = convolution

    def forward(self, x: Tensor) -> Tensor:
        layer = self.convolution
        (rows, columns), (down, across) = layer.kernel_size, layer.stride
        above, beside = (int(padding) for padding in layer.padding)
        sides = ((x.shape[2] - 1) * down - 2 * above + rows, (x.shape[3] - 1) * across - 2 * beside + columns)
        parts = x.permute(0, 2, 3, 1).flatten(1, 2) @ layer.weight.flatten(1)  # [B, H W, D k k]
        drawn = F.fold(parts.transpose(1, 2), sides, (rows, columns), padding=(above, beside), stride=(down, across))
        return drawn if layer.bias is None else drawn + layer.bias.view(-1, 1, 1)


def is_narrow(layer: nn.Module) -> bool:
    """Whether a layer is a plain transposed convolution to at most `MOST_CHANNELS`: one group, no holes, no rows added at the end."""
    return (
        type(layer) is nn.ConvTranspose2d
        and layer.out_channels <= MOST_CHANNELS
        and layer.groups == 1
        and set(layer.dilation) == {1}
        and set(layer.output_padding) == {0}
    )


def quicken_narrow(module: nn.Module) -> None:
    """Replace each transposed convolution to few channels, in place."""
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.ConvTranspose2d) and is_narrow(child):
                setattr(parent, name, NarrowTransposed(child))
