"""What a network's layers put out, without computing it: for comparison with a paper's table. Imported by the methods' tests."""

from __future__ import annotations

import torch
from torch import nn

WITH_WEIGHTS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


def shapes_of(network: nn.Module, *inputs: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Output shapes, without the batch, of every convolution and linear layer in the order in which they run; `network` is on the meta device."""
    seen: list[tuple[int, ...]] = []
    hooks = [
        layer.register_forward_hook(lambda _module, _inputs, out: seen.append(tuple(out.shape[1:])))
        for layer in network.modules()
        if isinstance(layer, WITH_WEIGHTS)
    ]
    network.eval()(*(torch.zeros(2, *shape, device="meta") for shape in inputs))
    for hook in hooks:
        hook.remove()
    return seen


def parameters_of(*networks: nn.Module) -> int:
    """Weights that are learned."""
    return sum(parameter.numel() for network in networks for parameter in network.parameters())
