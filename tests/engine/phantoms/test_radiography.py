"""The physics that chest and hand share: attenuation, scatter, noise and the processing for presentation."""

from __future__ import annotations

import numpy as np
import pytest

from engine.phantoms.radiography import (
    CHEST_120_KV,
    EXTREMITY_55_KV,
    Exposure,
    Look,
    detected,
    presented,
    processing_of,
    scatter_of,
    transmitted,
)


def _flat(value: float, size: int = 128) -> np.ndarray:
    return np.full((size, size), value, np.float32)


def test_an_open_beam_is_not_attenuated_and_each_bin_follows_beer_and_lambert() -> None:
    assert transmitted(_flat(0), _flat(0), CHEST_120_KV) == pytest.approx(1.0, abs=1e-6)
    expected = sum(
        w * np.exp(-100 * s - 10 * b)
        for w, s, b in zip(EXTREMITY_55_KV.weights, EXTREMITY_55_KV.soft, EXTREMITY_55_KV.bone, strict=True)
    )
    assert transmitted(_flat(100), _flat(10), EXTREMITY_55_KV) == pytest.approx(expected, rel=1e-5)


def test_the_beam_hardens_with_depth() -> None:
    first = -np.log(transmitted(_flat(20), _flat(0), CHEST_120_KV)[0, 0]) / 20
    deep = -np.log(transmitted(_flat(250), _flat(0), CHEST_120_KV)[0, 0]) / 250
    assert deep < first


def test_scatter_lowers_the_contrast_behind_thick_tissue() -> None:
    soft = _flat(180)
    soft[50:78, 50:78] += 20
    exposure = Exposure(CHEST_120_KV, scatter_ratio=0.5, scatter_range_mm=30)
    primary = transmitted(soft, _flat(0), CHEST_120_KV)
    fog = scatter_of(primary, 1.0, exposure)
    without = detected(primary, np.zeros_like(primary), 1.0, exposure, None)
    foggy = detected(primary, fog, 1.0, exposure, None)
    assert (foggy[64, 64] - foggy[10, 10]) < 0.85 * (without[64, 64] - without[10, 10])


def test_noise_follows_the_square_root_of_the_quanta() -> None:
    exposure = Exposure(CHEST_120_KV, scatter_ratio=0, quanta_per_mm2=1e4, blur_mm=0.1)
    spread = {}
    for share in (1.0, 0.25):
        primary = _flat(share, 256)
        signal = detected(primary, np.zeros_like(primary), 1.0, exposure, np.random.default_rng(1))
        spread[share] = float(signal.std())
    assert spread[1.0] == pytest.approx(0.01, rel=0.1)
    assert spread[0.25] == pytest.approx(2 * spread[1.0], rel=0.05)


def test_presentation_keeps_the_order_of_densities_within_the_grey_range() -> None:
    signal = np.tile(np.linspace(0, 4, 256, dtype=np.float32), (256, 1))
    processing = processing_of(signal, 1.0, Look(flattening=0.3, sharpening=0.0), np.ones_like(signal, bool))
    grey = presented(signal, processing)
    assert grey.min() >= 0 and grey.max() <= 1
    assert (np.diff(grey[0]) > 0).all()


def test_fine_detail_is_sharpened() -> None:
    signal = _flat(1.0)
    signal[:, 64:] = 1.4
    tissue = np.ones_like(signal, bool)
    looks = [
        Look(sharpening=s, low_percentile=0, high_percentile=100, low_level=0.35, high_level=0.65) for s in (0.0, 1.0)
    ]
    plain, crisp = (presented(signal, processing_of(signal, 1.0, look, tissue)) for look in looks)
    assert crisp[64, 64] - crisp[64, 63] > 1.3 * (plain[64, 64] - plain[64, 63])
