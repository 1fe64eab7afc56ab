"""Fictional images of a generative model, in grey as they are shown. Marks, saves and shows nothing: whoever does says that they are synthetic."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from engine.errors import BundleRejected, DeviceExhausted, NotApplicable
from engine.models.bundle import Bundle, load_bundle
from engine.models.inference import choose_device
from engine.models.sampling import Sampler


def load_sampler(path: Path, device: str = "auto") -> tuple[Bundle, Sampler]:
    """A bundle, and its network as one that draws.

    Raises:
        BundleRejected: the file is not a sound bundle.
        NotApplicable: the method cannot draw images.
        DeviceExhausted: the device is not there, or has no room for the network.
    """
    try:
        bundle = load_bundle(path, choose_device(device))
    except torch.OutOfMemoryError as error:
        raise _no_room(path) from error
    if not isinstance(bundle.model, Sampler):
        raise NotApplicable(
            f"{bundle.card.method} cannot draw images", where=path, cure="Choose a Glow or an alpha-GAN."
        )
    return bundle, bundle.model


def fictional_images(
    bundle: Bundle,
    network: Sampler,
    *,
    count: int,
    temperature: float,
    seed: int,
    on_image: Callable[[int], None] = lambda done: None,
) -> npt.NDArray[np.float32]:
    """[count, *S] in [0, 1]. One at a time: a flow of large films or volumes needs much memory for each.

    Args:
        temperature: standard deviation of the codes; below 1, images are more alike and cleaner (Kingma and Dhariwal 2018 use 0.7).
        seed: the same one draws the same images.
        on_image: is told how many are drawn.

    Raises:
        BundleRejected: what it draws are not numbers.
        DeviceExhausted: the device has no memory left for even one image.
    """
    generator = torch.Generator().manual_seed(seed)
    images: list[npt.NDArray[np.float32]] = []
    for done in range(1, count + 1):
        try:
            x = network.sample(1, temperature, generator)[0, 0].float().cpu()
        except torch.OutOfMemoryError as error:
            raise _no_room(bundle.path) from error
        if not bool(torch.isfinite(x).all()):
            raise BundleRejected(
                "what it draws are not all numbers",
                where=bundle.path,
                cure="Choose a lower temperature, or train the model again.",
            )
        images.append(((x + 1) / 2).clamp(0, 1).numpy())
        on_image(done)
    return np.stack(images)


def middle_slices(images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """[N, *S] -> [N, rows, columns]: a volume by its middle slice, a film as it is."""
    return images if images.ndim == 3 else images[:, images.shape[1] // 2]


def _no_room(path: Path) -> DeviceExhausted:
    return DeviceExhausted(
        "there is no memory left to draw with this model",
        where=path,
        cure="Close other programs, or wait for the engine.",
    )
