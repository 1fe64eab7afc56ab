"""The starter bundles of Davletshina's methods. What was chosen, and on whom, is in each note."""

from __future__ import annotations

from trainers.plan import Augmentation
from trainers.starters.image_sets import CHEST_PAEDIATRIC
from trainers.starters.starter import Starter

_CHOSEN = (
    "Grey values, the narrow code and the primary score (ssim, which is not the paper's) were chosen on calibration and selection patients; validation "
    "images were scored once, after the last epoch."
)
_BLURRED = "Its reconstructions are blurred: ribs, vessels and trabeculae are errors in normals too, and the heatmap shows them faintly."

DAVLETSHINA = [
    Starter(
        CHEST_PAEDIATRIC,
        "cae",
        {
            "size": (64, 64),
            "preprocessing": "chest",
            "preprocessing_options": {"grey": "percentile"},
            "epochs": 20,
            "learning_rate": 2e-3,
            "final_rate": 0.05,
            "width": 8,
            "bottleneck": 32,
            "augmentation": Augmentation(),
            "selection_share": 0.2,
        },
        "Learned normal from 931 frontal chest radiographs of children aged 1 to 5, through a narrow code that cannot carry disease.",
        primary_score="ssim",
        note=_CHOSEN,
        limits=(_BLURRED,),
        recipe={
            "network": (
                "the paper's CAE at 64 x 64 instead of 512 x 512 pixels, with half its channels and a bottleneck of 2 x 2 places of 32 channels instead "
                "of 16 x 16 of 512"
            ),
            "training": (
                "20 epochs at rates falling from 2e-3 to 1e-4 instead of 1,000 at 1e-4; mild shifts, turns and scalings instead of the paper's advanced "
                "set, whose flips make a chest that no normal is; greys stretched between percentiles instead of equalised"
            ),
        },
    ),
]
