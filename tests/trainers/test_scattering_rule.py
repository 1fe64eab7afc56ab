"""The rule on scattering learns from other folds than it is judged on, and what ships is the mean of what was judged."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from engine.models.ratio_posterior import ScatteringRule
from tests.trainers.conftest import drawn
from trainers.method import as_input
from trainers.scattering_rule import fit_rule, scattered, turned_alike

KNOWN: npt.NDArray[np.bool_] = np.arange(24) < 12
FOLDS = np.arange(24) % 3


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.stack([drawn(seed, abnormal=seed >= 12 and seed % 2 == 0, side=32) for seed in range(24)])


def _rule() -> ScatteringRule:
    return ScatteringRule((32, 32), 0.0)


@pytest.mark.parametrize("likeness", [False, True])
def test_what_ships_says_on_new_images_the_mean_of_what_the_folds_rules_say(images: np.ndarray, likeness: bool) -> None:
    rule = _rule()
    features = scattered(rule, images, mirrored=False)
    new = np.stack([drawn(100 + seed, side=32) for seed in range(4)])
    unseen = scattered(rule, new, mirrored=False)
    fit_rule(rule, features, KNOWN, FOLDS, 6.0, likeness)
    each = []
    for fold in range(3):  # the rule without this fold judges the new images, which are left out with it
        kept = fold != FOLDS
        together = np.concatenate([features[:, kept], unseen], axis=1)
        known = np.append(KNOWN[kept], [True, False, True, False])
        parts = np.repeat([0, 1], [len(together[0]) - 4, 4])
        each.append(fit_rule(_rule(), together, known, parts, 6.0, likeness)[-4:])
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


def test_by_likeness_counts_more_what_many_features_share(images: np.ndarray) -> None:
    """One trait moves half of the features together, another a single one; both tell the classes apart as well."""
    generator = np.random.default_rng(0)
    features = generator.normal(size=scattered(_rule(), images, mirrored=False).shape)
    half = features.shape[2] // 2
    features[0, :, :half] += 2 * generator.normal(size=(24, 1)) + 2 * KNOWN[:, None]
    features[0, :, -1] += 2 * generator.normal(size=24) + 2 * KNOWN
    shares = []
    for likeness in (False, True):
        rule = _rule()
        fit_rule(rule, features.astype(np.float32), KNOWN, FOLDS, 6.0, likeness)
        weight = rule.weight.detach().numpy().ravel()
        shares.append(np.abs(weight[:half].sum()) / np.abs(weight).sum())
    assert shares[1] > 1.2 * shares[0]


def test_a_penalty_means_as_much_by_likeness_however_many_images_there_are(images: np.ndarray) -> None:
    features = scattered(_rule(), images, mirrored=False)
    once = fit_rule(_rule(), features, KNOWN, FOLDS, 6.0, True)
    twice = fit_rule(_rule(), np.tile(features, (1, 2, 1)), np.tile(KNOWN, 2), np.tile(FOLDS, 2), 6.0, True)
    np.testing.assert_allclose(twice[:24], once, rtol=0, atol=1e-2 * np.ptp(once))
    assert np.ptp(once) < 3 * np.ptp(fit_rule(_rule(), features, KNOWN, FOLDS, 6.0))


def test_images_are_turned_so_that_a_mark_lies_on_one_side_in_all_of_them() -> None:
    rule = ScatteringRule((32, 32), 0.0, turned=True)
    images = np.stack([drawn(seed, side=32) for seed in range(24)])
    mirrored = np.arange(24) % 2 == 1
    images[:, 20:28, 3:9] = 255
    images[mirrored] = images[mirrored, :, ::-1]
    features = scattered(rule, images, mirrored=True)
    alike = turned_alike(rule, features)
    assert alike.shape == (1, *features.shape[1:])
    with torch.inference_mode():
        views = [torch.from_numpy(view).reshape(-1, *rule.side.shape) for view in features]
        _, turned = rule.together(views[0], views[1])
    assert len(set((turned.flatten().numpy() ^ mirrored).tolist())) == 1
    apart = np.square(features[0][mirrored].mean(0) - features[0][~mirrored].mean(0)).sum()
    assert np.square(alike[0][mirrored].mean(0) - alike[0][~mirrored].mean(0)).sum() < 0.1 * apart
