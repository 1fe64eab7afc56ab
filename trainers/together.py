"""What the processes of a run on several devices agree on, so that their weights stay the same. On one device each of these changes nothing.

Each process learns from its part of every batch. A loss is a mean over its images, so that the mean of the parts' gradients is the whole batch's; what a
layer or a loss makes of a batch in another way (batch normalisation, minibatch discrimination) it makes of its own part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
import torch.distributed as distributed
from lightning_fabric import Fabric
from torch import Tensor, nn

_NORMALISATIONS = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d
MOST_AT_ONCE = 1 << 24
"""Gradients that are sent together: beyond 64 MB, copies cost more memory than sending them at once saves time."""


def everywhere(fabric: Fabric, holds: bool) -> bool:
    """Whether something holds on every device: what decides on an update must be asked of all, or some would wait for ever."""
    if fabric.world_size == 1:
        return holds
    flag = torch.tensor(float(holds), device=fabric.device)
    distributed.all_reduce(flag, distributed.ReduceOp.MIN)
    return bool(flag)


def gathered(fabric: Fabric, values: Tensor) -> Tensor:
    """[B, ...] of this device, without their graph -> those of all devices in one, in the devices' order. Each may have another B."""
    if fabric.world_size == 1:
        return values
    values = values.detach()
    counts = [torch.zeros(1, dtype=torch.int64, device=values.device) for _ in range(fabric.world_size)]
    distributed.all_gather(counts, torch.tensor([len(values)], device=values.device))
    most = max(int(count) for count in counts)
    filled = values.new_zeros(most, *values.shape[1:])
    filled[: len(values)] = values
    parts = [torch.empty_like(filled) for _ in counts]
    distributed.all_gather(parts, filled)
    return torch.cat([part[: int(count)] for part, count in zip(parts, counts, strict=True)])


def share_gradients(fabric: Fabric, parameters: Sequence[nn.Parameter], finite: bool) -> bool:
    """Give every device the mean of all devices' gradients, in place; a gradient that no device has stays None.

    Args:
        finite: whether this device's loss was, and so has gradients.

    Returns:
        Whether every device's loss was finite; if not, nothing is shared.
    """
    if fabric.world_size == 1:
        return finite
    found = [not finite, *(parameter.grad is not None for parameter in parameters)]
    flags = torch.tensor(found, dtype=torch.float32, device=fabric.device)
    distributed.all_reduce(flags, distributed.ReduceOp.MAX)
    broken, *learned = flags.bool().tolist()
    if broken:
        return False
    for some in _parts([p for p, learns in zip(parameters, learned, strict=True) if learns]):
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in some]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= fabric.world_size
        for parameter, gradient, mean in zip(some, gradients, flat.split([p.numel() for p in some]), strict=True):
            parameter.grad = gradient.copy_(mean.view(gradient.shape))
    return True


def _parts(parameters: Sequence[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    """In order, at most `MOST_AT_ONCE` values in each part, or one parameter."""
    some: list[nn.Parameter] = []
    for parameter in parameters:
        if some and sum(p.numel() for p in some) + parameter.numel() > MOST_AT_ONCE:
            yield some
            some = []
        some.append(parameter)
    if some:
        yield some


@torch.no_grad()
def share_statistics(fabric: Fabric, modules: Iterable[nn.Module]) -> None:
    """Give every device the mean of all devices' running means and variances of batch normalisation, in place.

    They are moving averages, and so is a mean of them: to do this once an epoch comes to the same as at each step.
    """
    if fabric.world_size == 1:
        return
    layers = [layer for module in modules for layer in module.modules() if isinstance(layer, _NORMALISATIONS)]
    kept = [value for layer in layers for value in (layer.running_mean, layer.running_var) if value is not None]
    if not kept:
        return
    flat = torch.cat(kept)
    distributed.all_reduce(flat)
    flat /= fabric.world_size
    for value, mean in zip(kept, flat.split([len(value) for value in kept]), strict=True):
        value.copy_(mean)
