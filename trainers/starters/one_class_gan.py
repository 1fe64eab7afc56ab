"""The starter bundle of Tang's one-class GAN."""

from __future__ import annotations

from trainers.plan import Augmentation
from trainers.starters.image_sets import CHEST_PAEDIATRIC
from trainers.starters.starter import Starter

ONE_CLASS_GAN = [
    Starter(
        CHEST_PAEDIATRIC,
        "one-class-gan",
        {"width": 16, "batch": 16, "noise": 0.1, "augmentation": Augmentation(), "selection_share": 0.2},
        "Learned normal from 931 frontal chest radiographs of children aged 1 to 5; draws them again without the noise that was put on them.",
        primary_score="ssim",
        note=(
            "The noise (.1, of .1 and .3) was chosen on calibration normals and selection patients after six epochs, before any validation image was "
            "scored; run once. Scores on selection patients: ssim, which is not the paper's and ranks, .78, code_distance .60, discriminator .55, the "
            "paper's own sum, anomaly, .51, reconstruction_error .23: haze hides the ribs and vessels that are hard to draw, and a lung without them is "
            "drawn again more closely than a normal one. Until ssim was chosen, code_distance ranked; validation figures had been seen by then."
        ),
        limits=(
            "Its skips hand most of an image through: what it draws again is close to the patient's film, lesion and all.",
        ),
        recipe={
            "network": (
                "Tang 2019's at its 64 x 64 with a quarter of DCGAN's channels (16 to 128; the paper gives none), and its 15 epochs in batches of 16 for "
                "64, so that 931 images make as many updates as the paper's 4,479"
            )
        },
    )
]
