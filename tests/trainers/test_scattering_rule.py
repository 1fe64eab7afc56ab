"""The rule on scattering learns from other folds than it is judged on, and what ships is the mean of what was judged."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.models.ratio_posterior import ScatteringRule
from tests.trainers.conftest import drawn
from trainers.method import as_input
from trainers.scattering_rule import fit_rule, scattered

KNOWN = np.arange(24) < 12
FOLDS = np.arange(24) % 3


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.stack([drawn(seed, abnormal=seed >= 12 and seed % 2 == 0, side=32) for seed in range(24)])


def _rule() -> ScatteringRule:
    return ScatteringRule((32, 32), 0.0)


def test_what_ships_says_on_new_images_the_mean_of_what_the_folds_rules_say(images: np.ndarray) -> None:
    rule = _rule()
    features = scattered(rule, images, mirrored=False)
    new = np.stack([drawn(100 + seed, side=32) for seed in range(4)])
    unseen = scattered(rule, new, mirrored=False)
    fit_rule(rule, features, KNOWN, FOLDS, 6.0)
    each = []
    for fold in range(3):  # the rule without this fold judges the new images, which are left out with it
        kept = fold != FOLDS
        together = np.concatenate([features[:, kept], unseen], axis=1)
        known = np.append(KNOWN[kept], [True, False, True, False])
        each.append(fit_rule(_rule(), together, known, np.repeat([0, 1], [kept.sum(), 4]), 6.0)[-4:])
    with torch.inference_mode():
        said = rule.terms(as_input(new, torch.device("cpu"))).mean((1, 2, 3)).numpy()
    np.testing.assert_allclose(said, np.mean(each, axis=0), rtol=0, atol=1e-4)
    assert np.ptp(said) > 0.01


def test_an_images_own_fold_has_no_part_in_its_logit(images: np.ndarray) -> None:
    features = scattered(_rule(), images, mirrored=False)
    before = fit_rule(_rule(), features, KNOWN, FOLDS, 6.0)
    changed = features.copy()
    changed[:, 0] += 5  # an image of fold 0
    after = fit_rule(_rule(), changed, KNOWN, FOLDS, 6.0)
    same = (FOLDS == 0) & (np.arange(24) != 0)
    np.testing.assert_allclose(after[same], before[same], rtol=0, atol=1e-9)
    assert np.abs(after[FOLDS == 1] - before[FOLDS == 1]).max() > 1e-3


def test_a_larger_penalty_makes_a_flatter_rule(images: np.ndarray) -> None:
    features = scattered(_rule(), images, mirrored=False)
    spread = [np.ptp(fit_rule(_rule(), features, KNOWN, FOLDS, penalty)) for penalty in (1.0, 100.0)]
    assert spread[1] < 0.5 * spread[0]


def test_a_place_says_of_the_known_normals_what_every_other_says(images: np.ndarray) -> None:
    rule = ScatteringRule((32, 32), 0.0)
    fit_rule(rule, scattered(rule, images, mirrored=False), KNOWN, FOLDS, 6.0)
    with torch.inference_mode():
        terms = rule.terms(as_input(images[KNOWN], torch.device("cpu"))).mean((0, 1))
    torch.testing.assert_close(terms, terms.mean().expand_as(terms), rtol=0, atol=1e-3)
    assert terms.mean() > 0
