"""What a part of a ratio posterior counts is what held-out images bear out, and chance on a few of them is not taken for it."""

from __future__ import annotations

import numpy as np
import pytest

from trainers.held_out_slopes import FEWEST_SURE, LEAST_SLOPE, SURE, fitted_slopes, surplus


@pytest.mark.parametrize(
    ("told_by", "counts"),
    [
        ((1.0, 0.0), (True, False)),
        ((0.0, 1.0), (False, True)),
        ((1.0, -1.0), (True, False)),
        ((1.0, 1.0), (True, True)),
    ],
)
def test_what_says_nothing_of_new_images_hardly_counts(told_by: tuple[float, float], counts: tuple[bool, bool]) -> None:
    noise = np.random.default_rng(0).normal(size=(2, 400, 2))
    known, mixture = noise[0] + np.array(told_by) / 2, noise[1] - np.array(told_by) / 2
    slopes, _ = fitted_slopes(known, mixture)
    assert slopes.min() >= LEAST_SLOPE
    assert tuple(slopes > 0.3) == counts


def _drawn(count: int, told_by: tuple[float, float], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits of a member and of a rule on known normals and on the mixture, which lie so far apart."""
    noise = np.random.default_rng(seed).normal(size=(2, count, 2))
    return noise[0] + np.array(told_by) / 2, noise[1] - np.array(told_by) / 2


def _surplus(known: np.ndarray, mixture: np.ndarray, patients: tuple[np.ndarray, np.ndarray] | None = None) -> float:
    found = surplus(known, mixture, patients)
    assert found is not None
    return found


def test_a_member_that_says_nothing_more_than_the_rule_seldom_passes_for_one_that_does() -> None:
    chance = [_surplus(*_drawn(60, (0.0, 1.0), seed)) for seed in range(200)]
    assert np.mean(np.array(chance) > SURE) < 0.06  # 2.3% of them, were the estimate exact
    assert np.std(chance) == pytest.approx(1, abs=0.2) and abs(np.mean(chance)) < 0.25


def test_a_member_that_adds_to_the_rule_is_seen_to_and_one_that_takes_away_is_not() -> None:
    assert min(_surplus(*_drawn(200, (1.0, 1.0), seed)) for seed in range(20)) > SURE
    assert max(_surplus(*_drawn(200, (-1.0, 1.0), seed)) for seed in range(20)) < -SURE


def test_surplus_does_not_depend_on_the_scale_of_logits_nor_on_how_many_images_a_side_has() -> None:
    known, mixture = _drawn(200, (1.0, 0.5), 0)
    plain = _surplus(known, mixture)
    assert _surplus(known * [1000, 0.01], mixture * [1000, 0.01]) == pytest.approx(plain, rel=1e-2)
    twice = _surplus(np.repeat(known, 2, axis=0), np.repeat(mixture, 2, axis=0))
    assert twice == pytest.approx(plain * np.sqrt(2), rel=1e-2)


def test_a_few_images_show_nothing_however_well_a_member_tells_them_apart() -> None:
    known, mixture = _drawn(FEWEST_SURE, (6.0, 1.0), 0)
    assert surplus(known[1:], mixture) is None and surplus(known, mixture[1:]) is None
    assert _surplus(*_drawn(FEWEST_SURE, (2.0, 1.0), 0)) > SURE


def test_several_images_of_a_patient_are_no_more_proof_than_one() -> None:
    """A member that adds nothing but errs alike in all images of a patient."""
    generator, owners, found = np.random.default_rng(0), np.repeat(np.arange(40), 5), []
    for _ in range(100):
        sides = [generator.normal(size=(200, 2)) * 0.5 + generator.normal(size=(40, 2))[owners] for _ in range(2)]
        sides[0][:, 1] += 0.5
        found.append((_surplus(sides[0], sides[1], (owners, owners)), _surplus(sides[0], sides[1])))
    by_patient, by_image = np.array(found).T
    assert np.mean(by_patient > SURE) < 0.08 < 0.12 < np.mean(by_image > SURE)
    known, mixture = _drawn(200, (2.0, 1.0), 0)
    assert surplus(known, mixture, (np.arange(200) % (FEWEST_SURE - 1), np.arange(200))) is None
    whole = _surplus(known, mixture)
    copies = [np.repeat(side, 3, axis=0) for side in (known, mixture)]
    each = np.repeat(np.arange(200), 3)
    assert _surplus(copies[0], copies[1], (each, each)) == pytest.approx(whole, rel=1e-3)
