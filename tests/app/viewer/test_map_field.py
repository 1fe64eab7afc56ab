"""A map stored smaller than its film is drawn over the whole film, in place; a map of another image is not."""

from __future__ import annotations

import numpy as np
import pytest

from app.viewer.map_field import at_pixels, covers


@pytest.mark.parametrize(
    ("given", "image", "expected"),
    [
        ((40, 60), (40, 60), True),
        ((512, 427), (3000, 2500), True),
        ((9, 256, 256), (9, 1024, 1024), True),
        ((8, 256, 256), (9, 1024, 1024), False),
        ((512, 512), (3000, 2500), False),
        ((41, 60), (40, 60), False),
    ],
)
def test_only_maps_of_the_same_field_are_taken(given: tuple[int, ...], image: tuple[int, ...], expected: bool) -> None:
    assert covers(given, image) is expected


def test_values_keep_their_place() -> None:
    small = np.zeros((8, 6), np.float16)
    small[2, 4] = 3
    large = at_pixels(small, 80, 60)
    assert large.shape == (80, 60)
    assert np.unravel_index(large.argmax(), large.shape) == pytest.approx((24.5, 44.5), abs=1)
    assert large[:10].max() == 0


def test_what_the_model_did_not_see_stays_unseen() -> None:
    small = np.full((4, 4), np.nan, np.float16)
    small[2:] = 1
    large = at_pixels(small, 16, 16)
    assert np.isnan(large[:4]).all()
    assert (large[12:] == 1).all()
