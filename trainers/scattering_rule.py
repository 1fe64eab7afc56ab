"""How a ratio posterior's rule on wavelet scattering learns: penalised logistic regression, each of several times without the images of one fold.

The risk is convex and is brought to its least, without steps. The rule that ships is the mean of those of the folds: being linear, they are one rule.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
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


def fit_rule(
    rule: ScatteringRule,
    features: npt.NDArray[np.float32],
    known: npt.NDArray[np.bool_],
    folds: npt.NDArray[np.int64],
    penalty: float,
) -> Floats:
    """Put the folds' mean rule in place. Returns the logit [N] of each image by the rule that has not learned from its fold.

    Args:
        features: [views, N, C h w] of `scattered`; an image's views are learned alike, and their mean logit is its own.
        known: [N] whether the image is a known normal, or of the mixture. Both classes weigh the same.
        folds: [N], equal for images of one patient.
        penalty: half of it times the sum of squared weights, of features in units of their standard deviation, is added to the mean risk.
    """
    logits = np.zeros(features.shape[1])
    weights, biases = [], []
    for fold in np.unique(folds):
        learned = folds != fold
        views = features[:, learned].reshape(-1, features.shape[2])
        truth = np.tile(known[learned], len(features))
        strength = 1 / (penalty * len(truth))
        regression = LogisticRegression(C=strength, class_weight="balanced", max_iter=MOST_ITERATIONS)
        fitted = make_pipeline(StandardScaler(), regression).fit(views, truth)
        for view in features[:, ~learned]:
            logits[~learned] += fitted.decision_function(view) / len(features)
        scaler = fitted[0]
        weights.append(regression.coef_[0] / scaler.scale_)
        biases.append(float(regression.intercept_[0] - weights[-1] @ scaler.mean_))
    # the logit is the mean of the places' terms, not their sum
    weight = np.mean(weights, axis=0).reshape(rule.weight.shape) * rule.bias.numel()
    normal = (features[:, known].mean((0, 1)).reshape(rule.weight.shape) * weight).sum(
        0
    )  # what each place says of them
    with torch.no_grad():
        rule.weight.copy_(torch.from_numpy(weight))
        rule.bias.copy_(torch.from_numpy(float(np.mean(biases)) + normal.mean() - normal))
    return logits
