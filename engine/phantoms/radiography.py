"""From thickness maps to a radiograph: attenuation, scatter, detector blur, quantum noise, and the processing "for presentation".

Shared by every projection phantom. Knows nothing of anatomy, never writes text into the image (markings.py does) and writes no files.

Order of use: `transmitted` -> `scatter_of` -> `detected` -> `processing_of` (from the image WITHOUT lesion) -> `presented`.
Scatter and processing are taken from the lesion-free patient for both images of a pair, so that a lesion changes only its own pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

FloatImage = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Spectrum:
    """A tube spectrum as a few energy bins.

    Attributes:
        weights: share of the detected energy in each bin, sum 1.
        soft: linear attenuation of water-like tissue in 1/mm for each bin.
        bone: linear attenuation of cortical bone (1.92 g/cm3) in 1/mm for each bin.
    """

    weights: tuple[float, ...]
    soft: tuple[float, ...]
    bone: tuple[float, ...]


# Mass attenuation coefficients: Hubbell and Seltzer, NISTIR 5632 (water; cortical bone, ICRU-44), times density.
CHEST_120_KV = Spectrum(weights=(0.3, 0.4, 0.3), soft=(0.0227, 0.0193, 0.0171), bone=(0.0814, 0.0499, 0.0356))
EXTREMITY_55_KV = Spectrum(weights=(0.35, 0.4, 0.25), soft=(0.0376, 0.0295, 0.0246), bone=(0.2556, 0.1580, 0.1050))


@dataclass(frozen=True)
class Exposure:
    """How an image is taken.

    Attributes:
        spectrum: the beam.
        scatter_ratio: scattered to primary energy behind the thickest tissue, after the grid (chest with grid: 0.3 to 1).
        scatter_range_mm: standard deviation of the scatter spread.
        blur_mm: standard deviation of focal spot, motion and detector blur.
        quanta_per_mm2: detected quanta for each square millimetre of open beam; the noise follows its square root. 0: no noise.
    """

    spectrum: Spectrum
    scatter_ratio: float = 0.5
    scatter_range_mm: float = 35.0
    blur_mm: float = 0.35
    quanta_per_mm2: float = 3e5


@dataclass(frozen=True)
class Look:
    """How a manufacturer's processing makes an image for presentation.

    Attributes:
        flattening: how much of the coarse structure is taken away, 0 (none) to 1 (all): brings mediastinum and lung into one window.
        coarse_mm: standard deviation that parts coarse structure from detail.
        sharpening: gain of the finest detail (0: none).
        fine_mm: standard deviation of the sharpened detail.
        gamma: exponent of the final curve; above 1 darkens the middle.
        low_percentile, high_percentile: of the tissue's signal, mapped to `low_level` and `high_level`.
        low_level, high_level: grey levels in [0, 1] of those percentiles.
    """

    flattening: float = 0.35
    coarse_mm: float = 25.0
    sharpening: float = 0.6
    fine_mm: float = 1.2
    gamma: float = 1.0
    low_percentile: float = 2.0
    high_percentile: float = 98.0
    low_level: float = 0.1
    high_level: float = 0.92


@dataclass(frozen=True, eq=False)
class Processing:
    """What `processing_of` measured on one image and `presented` applies to it and to its pair with a lesion."""

    look: Look
    spacing: float
    coarse: FloatImage
    low: float
    high: float


def transmitted(soft_mm: FloatImage, bone_mm: FloatImage, spectrum: Spectrum) -> FloatImage:
    """[rows, columns] primary energy as a share of the open beam, by Beer and Lambert's law in each energy bin.

    `soft_mm` and `bone_mm` are line integrals: mm of water and of cortical bone that the ray crosses, each weighted by density
    (fat 0.91, inflated lung 0.2 to 0.3, spongy bone 0.15 to 0.4 of the bone map and the rest soft).
    """
    primary = np.zeros(soft_mm.shape, np.float32)
    for weight, soft, bone in zip(spectrum.weights, spectrum.soft, spectrum.bone, strict=True):
        primary += np.float32(weight) * np.exp(-np.float32(soft) * soft_mm - np.float32(bone) * bone_mm)
    return primary


def scatter_of(primary: FloatImage, spacing: float, exposure: Exposure) -> FloatImage:
    """[rows, columns] scattered energy as a share of the open beam: a broad fog, strongest beside bright beam and behind thick tissue.

    Grows with the scattering mass in the beam, after Boone and Seibert, Med Phys 1988;15:713 (broad Gaussian point spread).
    `spacing` in mm.
    """
    thickness = -np.log(np.clip(primary, 1e-6, 1.0))
    source = primary * np.minimum(thickness / np.float32(3.0), 1.0)
    sigma = exposure.scatter_range_mm / spacing
    fog = _broad_blur(source, sigma)
    return np.asarray(np.float32(exposure.scatter_ratio) * fog, np.float32)


def detected(
    primary: FloatImage,
    scatter: FloatImage,
    spacing: float,
    exposure: Exposure,
    rng: np.random.Generator | None,
) -> FloatImage:
    """[rows, columns] log signal, -ln of the detected share of the open beam: larger = denser. Noise-free when `rng` is None.

    The noise has the variance of counted quanta and the texture of a scintillator (slightly blurred). The generator is drawn from once
    for a whole image, so that the same generator state gives the same noise to a pair with and without a lesion.
    """
    energy = gaussian_filter(primary, exposure.blur_mm / spacing) + scatter
    if rng is not None and exposure.quanta_per_mm2 > 0:
        white = rng.standard_normal(energy.shape, dtype=np.float32)
        grain = gaussian_filter(white, 0.5) * np.float32(1.56)  # 1.56 restores the variance that the blur took
        quanta = np.maximum(energy, 1e-5) * np.float32(exposure.quanta_per_mm2 * spacing**2)
        energy = energy + energy * grain / np.sqrt(quanta)
    return np.asarray(-np.log(np.clip(energy, 1e-4, 4.0)), np.float32)


def processing_of(signal: FloatImage, spacing: float, look: Look, tissue: npt.NDArray[np.bool_]) -> Processing:
    """Measure the coarse structure and the grey range of a noise-free log signal, over the pixels of `tissue`."""
    coarse = _broad_blur(signal, look.coarse_mm / spacing)
    flattened = signal - np.float32(look.flattening) * coarse
    inside = flattened[tissue] if tissue.any() else flattened.ravel()
    low, high = np.percentile(inside[::7], (look.low_percentile, look.high_percentile))
    return Processing(look, spacing, coarse, float(low), float(max(high, low + 1e-3)))


def presented(signal: FloatImage, processing: Processing) -> FloatImage:
    """[rows, columns] float32 in [0, 1], bright = dense: flattened, sharpened, windowed and bent by a film-like curve."""
    look = processing.look
    flattened = signal - np.float32(look.flattening) * processing.coarse
    if look.sharpening > 0:
        flattened = flattened + np.float32(look.sharpening) * (
            signal - gaussian_filter(signal, look.fine_mm / processing.spacing)
        )
    unit = (flattened - np.float32(processing.low)) / np.float32(processing.high - processing.low)
    grey = np.float32(look.low_level) + np.float32(look.high_level - look.low_level) * unit
    return np.asarray(np.power(_soft_clip(grey), np.float32(look.gamma)), np.float32)


def _soft_clip(grey: FloatImage) -> FloatImage:
    """Film has a toe and a shoulder: values near black and white are squeezed, not cut."""
    knee = np.float32(0.06)
    low = np.where(grey < knee, knee * np.exp(np.minimum(grey - knee, 0) / knee), grey)
    high = np.where(low > 1 - knee, 1 - knee * np.exp(-np.maximum(low - (1 - knee), 0) / knee), low)
    return np.asarray(high, np.float32)


def _broad_blur(image: FloatImage, sigma: float) -> FloatImage:
    """A Gaussian blur; broad ones on a quarter-size grid, where nothing is lost but time."""
    if sigma < 8:
        return np.asarray(gaussian_filter(image, sigma), np.float32)
    rows, columns = image.shape
    step = 4
    padded = np.pad(image, ((0, -rows % step), (0, -columns % step)), mode="edge")
    small = padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step).mean((1, 3))
    small = gaussian_filter(small, sigma / step)
    return _enlarged(small, step)[:rows, :columns]


def _enlarged(small: FloatImage, step: int) -> FloatImage:
    """Linear interpolation by a whole factor, pixel centres kept."""
    for axis in (0, 1):
        count = small.shape[axis]
        place = np.clip((np.arange(count * step) + 0.5) / step - 0.5, 0, count - 1)
        below = np.minimum(place.astype(np.int64), count - 2) if count > 1 else np.zeros(count * step, np.int64)
        share = (place - below).astype(np.float32)
        share = share[:, None] if axis == 0 else share[None, :]
        above = np.minimum(below + 1, count - 1)
        small = np.take(small, below, axis) * (1 - share) + np.take(small, above, axis) * share
    return np.asarray(small, np.float32)
