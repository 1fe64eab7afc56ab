"""The scattering transform: what wavelets find in an image, and what wavelets find in that, averaged over places. Nothing in it is learned.

Bruna J, Mallat S. Invariant scattering convolution networks. IEEE Trans Pattern Anal Mach Intell 2013;35:1872-1886. arXiv:1203.1513.

With psi a Morlet wavelet of scale 2^j and one of L directions, and phi an average over 16 x 16 pixels, the features of x are (equations 6 to 9)

    x * phi,     |x * psi_1| * phi,     | |x * psi_1| * psi_2 | * phi   for scales j_2 > j_1.

They hardly change when tissue is stretched a little, and a few hundred images suffice for a linear rule on them, where a network that must learn its
first layers too has learned its images by heart.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STRIDE = 16
"""Pixels of the image's side to a place of the features, which are averages over so many."""
SCALES = 4
DIRECTIONS = 6
SECOND_DIRECTIONS = DIRECTIONS // 2
FAINTEST = 1e-3
"""Added before the logarithm, of an image from 0 to 1: below it there is only noise."""
CHANNELS = 1 + SCALES * DIRECTIONS + SCALES * (SCALES - 1) // 2 * DIRECTIONS * SECOND_DIRECTIONS  # 133


class Scattering(nn.Module):
    """[B, 1, H, W] in [-1, 1] -> [B, 133, H / 16, W / 16], natural logarithms; the image is continued by its reflection.

    Waves of scale j vary slowly enough to be kept at every 2^(j - 1)-th pixel; their spectra are folded onto it.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        padded = (size[0] + 2 * STRIDE, size[1] + 2 * STRIDE)
        for step in {_step(scale) for scale in range(SCALES)}:
            for scale in range(SCALES):
                if _step(scale) >= step:
                    bank = torch.stack([_morlet(padded, step, scale, turn) for turn in range(DIRECTIONS)])
                    self.register_buffer(f"waves_{step}_{scale}", bank, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            image = F.pad((x.float() + 1) / 2, (STRIDE,) * 4, mode="reflect")[:, 0]
            found = [_averaged(image[:, None], 1)]
            spectrum = torch.fft.fft2(image)
            for scale in range(SCALES):
                waves = self._strength(spectrum[:, None], scale, 1, 1)  # [B, 6, h, w]
                found.append(_averaged(waves, _step(scale)))
                if scale + 1 < SCALES:
                    second = torch.fft.fft2(waves)[:, :, None]
                    for wider in range(scale + 1, SCALES):
                        strength = self._strength(second, wider, _step(scale), 2)  # [B, 6, 3, h, w]
                        found.append(_averaged(strength.flatten(1, 2), _step(wider)))
            return torch.cat(found, dim=1).add_(FAINTEST).log_()

    def _strength(self, spectrum: Tensor, scale: int, step: int, every: int) -> Tensor:
        """|image * psi| of every wave of a scale, of an image kept at each `step`-th pixel, at each `_step(scale)`-th."""
        product = spectrum * self.get_buffer(f"waves_{step}_{scale}")[::every]
        fold = _step(scale) // step
        if fold > 1:  # sums of slices: a sum over dimensions takes three times as long for complex numbers
            for dimension in (-2, -1):
                first, *others = product.chunk(fold, dimension)
                product = sum(others[1:], first + others[0])
            product = product / fold**2
        real, imaginary = torch.view_as_real(torch.fft.ifft2(product)).unbind(-1)
        return torch.sqrt(real * real + imaginary * imaginary)


def _step(scale: int) -> int:
    return 1 << max(scale - 1, 0)


def _averaged(maps: Tensor, step: int) -> Tensor:
    """Averages over 16 x 16 pixels, without the reflected margin."""
    return F.avg_pool2d(maps, STRIDE // step)[..., 1:-1, 1:-1]


def _morlet(padded: tuple[int, int], step: int, scale: int, turn: int) -> Tensor:
    """A wavelet's spectrum [h, w], for images of `padded` pixels of which each `step`-th is kept: a Gaussian window around a frequency, of mean zero."""
    down, across = (torch.fft.fftfreq(side // step, dtype=torch.float64) * 2 * math.pi / step for side in padded)
    angle, frequency, width = math.pi * turn / DIRECTIONS, 3 * math.pi / 4 / 2**scale, 0.8 * 2**scale
    along = math.cos(angle) * across + math.sin(angle) * down[:, None]
    beside = (-math.sin(angle) * across + math.cos(angle) * down[:, None]) * (DIRECTIONS / 4)

    def window(centre: float) -> Tensor:
        return torch.exp(-((along - centre) ** 2 + beside**2) * width**2 / 2)

    wave, mean = window(frequency), window(0.0)
    return (wave - mean * (wave[0, 0] / mean[0, 0])).float()
