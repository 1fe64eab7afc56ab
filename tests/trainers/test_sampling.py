"""Fictional images are drawn by models that can, say what they are, and come again with their seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.errors import NotApplicable
from engine.models.alpha_gan import AlphaGAN
from engine.models.autoencoder_3d import Autoencoder3D
from engine.models.base import AnomalyModel
from engine.models.bundle import save_bundle
from engine.models.glow3d_posterior import Glow3DPosterior
from engine.models.glow_posterior import GlowPosterior
from engine.models.hand_alpha_gan import HandAlphaGAN
from tests.cards import card_of
from trainers.sampling import draw


def _saved(model: AnomalyModel, folder: Path) -> Path:
    path = folder / "small.safetensors"
    save_bundle(path, model.eval(), card_of(model), None, None)
    return path


@pytest.mark.parametrize(
    "model",
    [
        AlphaGAN(size=16, code=8, width=16),
        HandAlphaGAN(size=32, width=4, code=8),
        GlowPosterior((16, 16), levels=2, depth=1, width=4),
        Glow3DPosterior((4, 16, 16), levels=2, depth=1, width=4),
    ],
    ids=lambda model: model.method,
)
def test_images_come_again_with_their_seed_and_are_written(model: AnomalyModel, tmp_path: Path) -> None:
    path = _saved(model, tmp_path)
    first, again, other = (
        draw(path, tmp_path / "drawn" / f"{number}.png", count=7, seed=seed) for number, seed in enumerate((1, 1, 2))
    )
    assert first.shape == (7, *model.spec.size) and first.min() >= 0 and first.max() <= 1
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    with Image.open(tmp_path / "drawn" / "0.png") as picture:
        assert picture.format == "PNG" and picture.width > 500


def test_a_method_that_cannot_draw_says_so(tmp_path: Path) -> None:
    path = _saved(Autoencoder3D((16, 16, 16), width=2), tmp_path)
    with pytest.raises(NotApplicable, match="cannot draw"):
        draw(path, tmp_path / "drawn.png")
