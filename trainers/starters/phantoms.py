"""Recipes of the bundles that read the demonstration's phantoms."""

from __future__ import annotations

from trainers.plan import Augmentation
from trainers.starters.image_sets import CHEST_PHANTOM, HAND_PHANTOM
from trainers.starters.starter import Starter

_LIMITS = (
    "Its unlabelled half held lesions of the kinds that it is shown in the demonstration; another kind may pass for normal.",
    "Its heatmap says which coarse places the score came from, not where a lesion ends; there is no reconstruction.",
)
_SMALL = {
    "width": 16,
    "members": 3,
    "folds": 4,
    "batch": 16,
    "risk": "non-negative",
    "least_normal_share": 0.3,
    "selection_share": 0.15,
}

PHANTOMS = [
    Starter(
        CHEST_PHANTOM,
        "ratio-posterior",
        {
            **_SMALL,
            "size": (112, 112),
            "epochs": 36,
            "augmentation": Augmentation(shift=0.05, rotation=6, scale=0.06, exposure=0.3, mirror=True),
        },
        "Learned from normal synthetic chests, and from unlabelled ones, which look least normal; reads the demonstration's chests.",
        limits=(*_LIMITS, "Nodules are a few of its pixels wide, and are often missed."),
        recipe={"network": "three residual networks of a quarter of a million weights each at 112 x 112"},
        mixture=True,
    ),
    Starter(
        HAND_PHANTOM,
        "ratio-posterior",
        {
            **_SMALL,
            "size": (128, 128),
            "preprocessing": "musculoskeletal",
            "epochs": 54,
            "mixture_normals": 0.28,
            "augmentation": Augmentation(shift=0.05, rotation=8, scale=0.06, exposure=0.3, mirror=True),
        },
        "Learned from normal synthetic hands, and from unlabelled ones, which look least normal; reads the demonstration's hands.",
        limits=(*_LIMITS, "A fracture is finer than what 128 x 128 pixels show; it is mostly missed."),
        recipe={"network": "three residual networks of a quarter of a million weights each at 128 x 128"},
        mixture=True,
    ),
]
