"""A card says of its training how long it took and on what, or nothing of either."""

from __future__ import annotations

import pytest

from app.results.card_view import card_rows
from tests.cards import plain_card


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({"seconds": 840, "device_name": "NVIDIA H100", "devices": 1}, "Training took 14 min on NVIDIA H100."),
        ({"seconds": 840, "device_name": "NVIDIA H100", "devices": 4}, "Training took 14 min on 4 × NVIDIA H100."),
        (
            {"seconds": 840, "device": "cpu", "device_name": "AMD EPYC, 2 threads", "devices": 2},
            "Training took 14 min in 2 processes on AMD EPYC, 2 threads.",
        ),
        ({"seconds": 12, "device_name": "AMD EPYC, 2 threads"}, "Training took 12 s on AMD EPYC, 2 threads."),
    ],
)
def test_a_training_time_stands_beside_the_device_that_it_took(recipe: dict, words: str) -> None:
    assert dict(card_rows(plain_card(recipe=recipe)))["Trained on"].endswith(words)


@pytest.mark.parametrize("recipe", [{}, {"seconds": 840, "device": "cuda"}, {"device_name": "NVIDIA H100"}])
def test_a_card_from_before_devices_were_named_says_no_time(recipe: dict) -> None:
    assert "took" not in dict(card_rows(plain_card(recipe=recipe)))["Trained on"]
