"""Every starter bundle. A recipe is decided before its validation images are scored, and run once."""

from __future__ import annotations

from collections.abc import Mapping

from trainers.plan import Augmentation
from trainers.starters.davletshina import DAVLETSHINA
from trainers.starters.denoising_autoencoder import DENOISING_AUTOENCODER
from trainers.starters.glow_posterior import GLOW3D_POSTERIOR, GLOW_POSTERIOR
from trainers.starters.image_sets import CHEST_ADULT, CHEST_PAEDIATRIC
from trainers.starters.one_class_gan import ONE_CLASS_GAN
from trainers.starters.ratio_posterior import RATIO_POSTERIOR
from trainers.starters.salad import MEM_DAE, SALAD
from trainers.starters.starter import Starter

_RATES = (
    "Adam at 3e-4 with .5 and .99 (discriminators a quarter of it) instead of 5e-4 with .5 and .9; discriminators' weights of .2 instead of 1, the "
    "reconstruction's of 50; the moving average of the last weights instead of the epoch that labelled validation images liked best; images mildly "
    "shifted, turned and scaled at random, of which the paper says nothing"
)
_SETTLED: Mapping[str, object] = {
    "learning_rate": 3e-4,
    "betas": (0.5, 0.99),
    "discriminator_rate": 0.25,
    "adversarial_weight": 0.2,
    "code_weight": 0.2,
    "augmentation": Augmentation(),
    "selection_share": 0.2,
}
"""For hundreds of images (trainers/alpha_gan.py)."""

ALPHA_GAN = [
    Starter(
        CHEST_PAEDIATRIC,
        "alpha-gan",
        {**_SETTLED, "size": (128, 128), "epochs": 72, "cool_down_epochs": 14, "average_decay": 0.995, "width": 256},
        "Learned normal from 931 frontal chest radiographs of children aged 1 to 5; shows what such a normal would look like.",
        primary_score="ssim",
        note=(
            "Rates, weights of the losses and the primary score (ssim, which is not the paper's) were chosen on training, calibration and selection "
            "patients; the last epoch is shipped whatever it scored. Validation figures of an earlier epoch of the same run were seen once; nothing was "
            "chosen by them."
        ),
        limits=(
            "The ribs and vessels of a reconstruction are invented, not the patient's; the heatmap lights up faintly along such edges in normals too.",
            "The code norm, the paper's best score, is weak here: its codes are further from a standard Gaussian than a long training makes them.",
        ),
        recipe={
            "network": "Table 3's of Nakao 2021 without its outermost rung (128 x 128) and with half its channels",
            "training": f"72 epochs on 931 films instead of the paper's 6,853; {_RATES}",
        },
    ),
    Starter(
        CHEST_ADULT,
        "alpha-gan",
        {
            **_SETTLED,
            "size": (64, 64),
            "preprocessing_options": {"grey": "percentile"},
            "epochs": 70,
            "cool_down_epochs": 15,
            "average_decay": 0.99,
            "width": 256,
        },
        "Learned normal from 227 frontal chest radiographs of adults; shows what such a normal would look like.",
        primary_score="ssim",
        note="The recipe, the primary score (ssim, which is not the paper's) included, was decided before any of its images was scored, and run once.",
        limits=(
            "Taught by few films and for 70 short epochs: its reconstructions are blurred, and its codes are not yet Gaussian.",
            "The ribs and vessels of a reconstruction are invented, not the patient's; the heatmap lights up faintly along such edges in normals too.",
        ),
        recipe={
            "network": "Table 3's of Nakao 2021 without its two outermost rungs (64 x 64) and with half its channels",
            "training": f"70 epochs on 227 films instead of the paper's 6,853; {_RATES}",
        },
    ),
]

STARTERS: dict[str, Starter] = {
    starter.id: starter
    for starter in [
        *ALPHA_GAN,
        *DENOISING_AUTOENCODER,
        *ONE_CLASS_GAN,
        *DAVLETSHINA,
        *RATIO_POSTERIOR,
        *GLOW_POSTERIOR,
        *GLOW3D_POSTERIOR,
        *MEM_DAE,
        *SALAD,
    ]
}
