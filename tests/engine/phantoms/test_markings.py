"""What is written over an image stays inside it, can be read, and leaves the rest alone."""

from __future__ import annotations

import numpy as np
import pytest

from engine.phantoms.markings import (
    collimated,
    marked_synthetic,
    side_marked,
    slices_marked_synthetic,
    stamped,
    text_mask,
)


@pytest.mark.parametrize("background", [0.0, 0.85, 1.0])
@pytest.mark.parametrize("shape", [(96, 96), (512, 400)])
def test_the_word_synthetic_stands_out_on_any_background(shape: tuple[int, int], background: float) -> None:
    plain = np.full(shape, background, np.float32)
    marked = marked_synthetic(plain)
    changed = marked != plain
    assert marked[changed].max() - marked[changed].min() > 0.5 or background == 0.0
    assert changed[shape[0] // 2 :, :].sum() == changed.sum() > 40


def test_a_stamp_that_would_stick_out_is_pushed_inside() -> None:
    image = np.zeros((40, 40), np.float32)
    assert np.array_equal(image, np.zeros_like(image))
    assert stamped(image, np.ones((5, 5), np.float32), 38, -3, 1.0)[35:40, 0:5].all()
    assert stamped(image, np.ones((90, 90), np.float32), 0, 0, 1.0).all()
    assert not image.any()


def test_the_side_marker_is_a_letter_where_asked() -> None:
    marked = side_marked(np.zeros((256, 256), np.float32), "L", 0.1, 0.9)
    rows, columns = np.nonzero(marked > 0.5)
    assert abs(rows.mean() / 256 - 0.1) < 0.02 and abs(columns.mean() / 256 - 0.9) < 0.02
    assert not np.array_equal(text_mask("L", 20), text_mask("R", 20))


def test_shutters_close_the_sides_asked_for() -> None:
    closed = collimated(np.ones((100, 100), np.float32), (0.1, -1, 0.2, -1))
    assert not closed[:9].any() and not closed[:, :19].any()
    assert (closed[12:, 22:] == 1).all()


def test_every_slice_of_a_volume_is_marked_in_its_corner() -> None:
    volume = np.full((5, 128, 128), -1000, np.int16)
    marked = slices_marked_synthetic(volume)
    assert (marked.reshape(5, -1).max(1) == 400).all()
    assert (marked[:, :100] == -1000).all()
    assert (volume == -1000).all()
