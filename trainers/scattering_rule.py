"""How a ratio posterior's rule on wavelet scattering learns: penalised logistic regression, each of several times without the images of one fold.

The risk is convex and is brought to its least, without steps. The rule that ships is the mean of those of the folds: being linear, they are one rule.

A penalty on the weights takes every direction in the space of features for as likely to matter as any other. By `likeness` an image is described by its
inner product with each image that is learned from, and the penalty is on what those count: a direction is then the more likely to matter, the more the
images differ in it (a weight's prior variance is the features' own). The rule stays linear in the features.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from engine.models.ratio_posterior import ScatteringRule
from trainers.method import Bytes, as_input

Floats = npt.NDArray[np.float64]
BATCH = 16
MOST_ITERATIONS = 500


@torch.inference_mode()
def scattered(rule: ScatteringRule, images: Bytes, mirrored: bool) -> npt.NDArray[np.float32]:
    """[N, H, W] bytes -> features [views, N, C h w]: of the images and, where `mirrored`, of their mirror images."""
    device = rule.weight.device
    views: list[list[npt.NDArray[np.float32]]] = [[], []] if mirrored else [[]]
    for first in range(0, len(images), BATCH):
        x = as_input(np.asarray(images[first : first + BATCH]), device)
        for view, found in enumerate(views):
            found.append(rule.features(x.flip(3) if view else x).flatten(1).cpu().numpy())
    return np.stack([np.concatenate(found) for found in views])


@torch.inference_mode()
def turned_alike(rule: ScatteringRule, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Find which way images lie, put it in place, and bring [2, N, C h w] of `scattered` to [1, N, C h w] of images that lie alike.

    The direction is the first principal component of what images and their mirror images differ in; no label is needed. Which way it points is left to
    chance, since a rule that learns from turned images does not mind.
    """
    spread = features.std((0, 1)) + np.float32(1e-6)
    difference = (features[0] - features[1]) / spread
    component = TruncatedSVD(1, algorithm="arpack", random_state=0).fit(difference).components_[0]
    rule.side.copy_(torch.from_numpy(component / spread).reshape(rule.side.shape))
    first, second = (torch.from_numpy(view).reshape(-1, *rule.side.shape) for view in features)
    return rule.together(first.to(rule.side), second.to(rule.side))[0].flatten(1).cpu().numpy()[None]


def fit_rule(
    rule: ScatteringRule,
    features: npt.NDArray[np.float32],
    known: npt.NDArray[np.bool_],
    folds: npt.NDArray[np.int64],
    penalty: float,
    likeness: bool = False,
) -> Floats:
    """Put the folds' mean rule in place. Returns the logit [N] of each image by the rule that has not learned from its fold.

    Args:
        features: [views, N, C h w] of `scattered`; an image's views are learned alike, and their mean logit is its own.
        known: [N] whether the image is a known normal, or of the mixture. Both classes weigh the same.
        folds: [N], equal for images of one patient.
        penalty: half of it times the sum of squared weights, of features in units of their standard deviation, is added to the mean risk.
        likeness: see the module; likenesses are scaled so that they vary as much, all together, as the features.
    """
    logits = np.zeros(features.shape[1])
    weights, biases = [], []
    for fold in np.unique(folds):
        learned = folds != fold
        views = features[:, learned].reshape(-1, features.shape[2])
        truth = np.tile(known[learned], len(features))
        weight, bias = _line(views, truth, penalty, likeness)
        for view in features[:, ~learned]:
            logits[~learned] += (view @ weight + bias) / len(features)
        weights.append(weight)
        biases.append(bias)
    # the logit is the mean of the places' terms, not their sum
    weight = np.mean(weights, axis=0).reshape(rule.weight.shape) * rule.bias.numel()
    normal = (features[:, known].mean((0, 1)).reshape(rule.weight.shape) * weight).sum(
        0
    )  # what each place says of them
    with torch.no_grad():
        rule.weight.copy_(torch.from_numpy(weight))
        rule.bias.copy_(torch.from_numpy(float(np.mean(biases)) + normal.mean() - normal))
    return logits


def _line(
    views: npt.NDArray[np.float32], truth: npt.NDArray[np.bool_], penalty: float, likeness: bool
) -> tuple[Floats, float]:
    """Weights [C h w] and a bias, learned from features [M, C h w]."""
    scaler = StandardScaler()
    standard = scaler.fit_transform(views)
    described, scale = standard, 1.0
    if likeness:
        inner = standard @ standard.T
        scale = float(np.sqrt(np.trace(inner) / np.square(inner).sum()))
        described = inner * scale
    strength = 1 / (penalty * len(truth))
    regression = LogisticRegression(C=strength, class_weight="balanced", max_iter=MOST_ITERATIONS)
    counted = regression.fit(described, truth).coef_[0]
    weight = (scale * counted @ standard if likeness else counted) / scaler.scale_
    return weight, float(regression.intercept_[0] - weight @ scaler.mean_)
