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
        if (layer.kernel_size, layer.stride, layer.padding) == ((4, 4), (2, 2), (1, 1)):
            return _doubled(x, layer)
        (rows, columns), (down, across) = layer.kernel_size, layer.stride
        above, beside = (int(padding) for padding in layer.padding)
        sides = ((x.shape[2] - 1) * down - 2 * above + rows, (x.shape[3] - 1) * across - 2 * beside + columns)
        parts = x.permute(0, 2, 3, 1).flatten(1, 2) @ layer.weight.flatten(1)  # [B, H W, D k k]
        drawn = F.fold(parts.transpose(1, 2), sides, (rows, columns), padding=(above, beside), stride=(down, across))
        return drawn if layer.bias is None else drawn + layer.bias.view(-1, 1, 1)


def _doubled(x: Tensor, layer: nn.ConvTranspose2d) -> Tensor:
    """The usual kernel, which draws two rows and columns for one: its parts, [4, 4, D, B, H, W], are planes that are added up as they lie."""
    batch, channels, height, width = x.shape
    parts = layer.weight.permute(2, 3, 1, 0).flatten(0, 2) @ x.permute(0, 2, 3, 1).reshape(-1, channels).T
    parts = parts.view(4, 4, -1, batch, height, width)
    # an even row is the kernel's second and, from the place above, its fourth; an odd one its third and, from below, its first
    parts[1, ..., 1:, :] += parts[3, ..., :-1, :]
    parts[2, ..., :-1, :] += parts[0, ..., 1:, :]
    rows = parts[1:3]
    rows[:, 1, ..., 1:] += rows[:, 3, ..., :-1]
    rows[:, 2, ..., :-1] += rows[:, 0, ..., 1:]
    drawn = rows[:, 1:3].permute(3, 2, 4, 0, 5, 1).reshape(batch, -1, 2 * height, 2 * width)
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
