"""Which methods draw is known without torch, and is what their networks say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from engine.models.registry import METHODS, model_class
from engine.models.sampling import DRAWING_METHODS, can_draw
from tests.cards import plain_card


def test_the_methods_that_draw_are_those_whose_network_can() -> None:
    assert {name for name in METHODS if hasattr(model_class(name), "sample")} == DRAWING_METHODS
    assert can_draw(plain_card(method="alpha-gan")) and not can_draw(plain_card(method="cae"))


def test_to_know_it_loads_no_torch() -> None:
    code = "import sys, engine.models.sampling; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3]).returncode == 0
