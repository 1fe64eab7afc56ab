"""The starter bundle of Tang's one-class GAN."""

from __future__ import annotations

from trainers.starters.image_sets import CHEST_PAEDIATRIC
from trainers.starters.starter import Starter

ONE_CLASS_GAN = [
    Starter(
        CHEST_PAEDIATRIC,
        "one-class-gan",
        {"width": 16, "batch": 16, "noise": 0.1, "selection_share": 0.2},
        "Learned normal from 931 frontal chest radiographs of children aged 1 to 5; draws them again without the noise that was put on them.",
        primary_score="code_distance",
        note=(
            "The noise (.1, of .1 and .3) and the ranking score were chosen on calibration normals and selection patients after six epochs, before any "
            "validation image was scored; run once. The paper's own sum, `anomaly`, was below chance on them and so does not rank: haze hides the ribs and "
            "vessels that are hard to draw, and a lung without them is drawn again more closely than a normal one."
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
