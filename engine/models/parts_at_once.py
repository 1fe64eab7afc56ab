"""Parts of a batch at once, each on a thread of its own, on the way there and, for training, on the way back. Knows no network.

Threads that share an operation wait at each, all for the slowest, and a small one takes less time than to share it; threads that each take a part of the
batch through all operations wait once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

FEWEST_IMAGES = 2
"""Of a part."""


@contextmanager
def thread_each(parts: int) -> Iterator[Executor]:
    """Workers for so many parts, at most as many as torch has threads; torch's threads are shared out among them while they work."""
    threads = torch.get_num_threads()
    workers = min(threads, parts)
    try:
        with ThreadPoolExecutor(workers, "part", torch.set_num_threads, (threads // workers,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(threads)  # part of the setting is one for all threads


def pays(batch: Tensor) -> bool:
    """Whether a batch [B, ...] is on a processor of several threads and has images for each of them."""
    return batch.device.type == "cpu" and 1 < torch.get_num_threads() <= len(batch) // FEWEST_IMAGES


Way = Callable[[Tensor, Sequence[Tensor]], Sequence[Tensor]]


def with_gradients(way: Way, batch: Tensor, weights: Sequence[Tensor], axes: Sequence[int]) -> tuple[Tensor, ...]:
    """What `way` makes of a batch [B, ...] and of weights, through which gradients reach both.

    Args:
        way: takes any part of the batch and the weights; each result of it depends on its own images alone.
        weights: parameters, or what has been made of them for all parts together.
        axes: where each of the results has its images.
    """
    found: tuple[Tensor, ...] = _Parts.apply(batch, way, axes, *weights)
    return found


class _Parts(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, batch: Tensor, way: Way, axes: Sequence[int], *weights: Tensor) -> tuple[Tensor, ...]:
        ctx.parts = [part.detach().requires_grad_(batch.requires_grad) for part in batch.chunk(torch.get_num_threads())]
        ctx.axes, ctx.weights = axes, [weight.detach().requires_grad_() for weight in weights]

        def there(part: Tensor) -> Sequence[Tensor]:
            with torch.enable_grad():
                return way(part, ctx.weights)

        with thread_each(len(ctx.parts)) as pool:
            ctx.results = list(pool.map(there, ctx.parts))
        return tuple(torch.cat(pieces, axis) for axis, *pieces in zip(axes, *ctx.results, strict=True))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        sizes = [len(part) for part in ctx.parts]
        shares = [gradient.split(sizes, axis) for gradient, axis in zip(gradients, ctx.axes, strict=True)]
        of_batch = ctx.needs_input_grad[0]

        def back(part: Tensor, results: Sequence[Tensor], share: Sequence[Tensor]) -> tuple[Tensor, ...]:
            wanted = (part, *ctx.weights) if of_batch else ctx.weights
            return torch.autograd.grad(results, wanted, share, materialize_grads=True)

        with thread_each(len(ctx.parts)) as pool:
            first, *others = pool.map(back, ctx.parts, ctx.results, zip(*shares, strict=True))
        ctx.results = ctx.parts = None  # and with them what the ways there kept
        batch_gradient = torch.cat([first[0], *(other[0] for other in others)]) if of_batch else None
        of_weights = list(first[1:] if of_batch else first)
        for other in others:
            torch._foreach_add_(of_weights, list(other[1:] if of_batch else other))
        return batch_gradient, None, None, *of_weights
