"""A small network with a card, for bundles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.models.alpha_gan import AlphaGAN
from engine.models.base import AnomalyModel
from engine.models.bundle import save_bundle
from engine.models.card import Card
from tests.cards import card_of


@pytest.fixture
def model() -> AlphaGAN:
    torch.manual_seed(0)
    return AlphaGAN(size=32, code=16, width=64).eval()


@pytest.fixture
def card(model: AlphaGAN) -> Card:
    return card_of(model, np.linspace(0, 4, 21))


@pytest.fixture
def write(tmp_path: Path, model: AlphaGAN, card: Card) -> Callable[..., Path]:
    """Write a bundle, changed as asked."""

    def written(name: str = "small.safetensors", other: AnomalyModel | None = None, **changes: Any) -> Path:
        path = tmp_path / name
        tables = torch.zeros(1, 32, 32), torch.ones(1, 32, 32)
        save_bundle(path, other or model, card.model_copy(update=changes), *tables)
        return path

    return written
