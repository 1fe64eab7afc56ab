"""The starter bundle of Tang's one-class GAN."""

from __future__ import annotations

from trainers.starters.image_sets import CHEST_PAEDIATRIC
from trainers.starters.starter import Starter

ONE_CLASS_GAN = [
    Starter(
        CHEST_PAEDIATRIC,
        "one-class-gan",
        {"width": 8, "batch": 16, "noise": 0.1, "selection_share": 0.2},
        "Learned normal from 931 frontal chest radiographs of children aged 1 to 5; draws them again without the noise that was put on them.",
        primary_score="ssim",
        note=(
            "The second recipe. The first had twice the channels and .801 by ssim on the same validation patients; the noise (.1, of .1 and .3) was chosen "
            "on its calibration normals and selection patients. Half the channels take half the time an image, and say as much on selection patients: ssim, "
            "which is not the paper's and ranks, .79 (first recipe .78), discriminator .72 (.55), the paper's own sum, anomaly, .65 (.51), code_distance "
            ".55 (.60), reconstruction_error .42 (.23): haze hides the ribs and vessels that are hard to draw, and a lung without them is drawn again more "
            "closely than a normal one. All but ssim change by a tenth or two from epoch to epoch. Run once."
        ),
        limits=(
            "Its skips hand most of an image through: what it draws again is close to the patient's film, lesion and all.",
        ),
        recipe={
            "network": (
                "Tang 2019's at its 64 x 64 with an eighth of DCGAN's channels (8 to 64; the paper gives none), and its 15 epochs in batches of 16 for "
                "64, so that 931 images make as many updates as the paper's 4,479"
            )
        },
    )
]
