"""The starter bundles of Davletshina's methods. What was chosen, and on whom, is in each note."""

from __future__ import annotations

from collections.abc import Mapping

from trainers.plan import Augmentation
from trainers.starters.image_sets import CHEST_PAEDIATRIC, KNEE, KNEE_JOINT
from trainers.starters.starter import Starter

_CHEST: Mapping[str, object] = {
    "size": (64, 64),
    "preprocessing": "chest",
    "preprocessing_options": {"grey": "percentile"},
    "augmentation": Augmentation(),
    "selection_share": 0.2,
}
_KNEE: Mapping[str, object] = {
    "size": (64, 64),
    "preprocessing": "musculoskeletal",
    "preprocessing_options": KNEE_JOINT,
    "augmentation": Augmentation(mirror=True),
    "selection_share": 0.2,
}

_CHEST_CHOSEN = (
    "Grey values and the primary score (ssim, which is not the paper's) were chosen with short runs of the convolutional autoencoder, on its calibration "
    "and selection patients; validation images were scored once, after the last epoch."
)
_KNEE_CHOSEN = (
    "A second recipe: the first saw the whole film, with greys equalised, and ranked by local_error (validation AUROC {first:.3f}, which had been seen "
    "by then). Framing the joint, turning negatives over and the primary score (ssim, which is not the paper's) were chosen with short runs of the "
    "convolutional autoencoder, on its calibration and selection patients: ssim .74 with them, .65 without; greys between percentiles or evened out "
    "locally made no difference (.74, .75). Validation images were scored once, after the last epoch."
)
_BLURRED = "Its reconstructions are blurred: ribs, vessels and trabeculae are errors in normals too, and the heatmap shows them faintly."

_CHEST_CHANGES = (
    "mild shifts, turns and scalings instead of the paper's flips, which make a chest that no normal is; greys stretched between percentiles instead of "
    "equalised"
)
_KNEE_CHANGES = (
    "the band of the joint instead of the whole film; mild shifts, turns and scalings and left-right flips; none upside down, as no knee stands on its "
    "head"
)

DAVLETSHINA = [
    Starter(
        CHEST_PAEDIATRIC,
        "cae",
        {**_CHEST, "epochs": 20, "learning_rate": 2e-3, "final_rate": 0.05, "width": 8, "bottleneck": 32},
        "Learned normal from 931 frontal chest radiographs of children aged 1 to 5, through a narrow code that cannot carry disease.",
        primary_score="ssim",
        note=_CHEST_CHOSEN,
        limits=(_BLURRED,),
        recipe={
            "network": (
                "the paper's CAE at 64 x 64 instead of 512 x 512 pixels, with half its channels and a bottleneck of 2 x 2 places of 32 channels instead "
                "of 16 x 16 of 512"
            ),
            "training": f"20 epochs at rates falling from 2e-3 to 1e-4 instead of 1,000 at 1e-4; {_CHEST_CHANGES}",
        },
    ),
    Starter(
        CHEST_PAEDIATRIC,
        "vae",
        {**_CHEST, "epochs": 24, "batch": 16, "learning_rate": 1e-3, "final_rate": 0.05, "width": 256, "code": 128},
        "Learned normal from 931 frontal chest radiographs of children aged 1 to 5, as a distribution of codes.",
        primary_score="ssim",
        note=_CHEST_CHOSEN,
        limits=(_BLURRED,),
        recipe={
            "network": (
                "the paper's VAE at 64 x 64 instead of 512 x 512 pixels (its three outermost levels left out), with half its channels and a code of 128 "
                "instead of 1024"
            ),
            "training": f"24 epochs of batches of 16 at rates falling from 1e-3 to 5e-5 instead of 500 of 32 at 1e-4; {_CHEST_CHANGES}",
        },
    ),
    Starter(
        KNEE,
        "cae",
        {
            **_KNEE,
            "epochs": 40,
            "batch": 8,
            "learning_rate": 2e-3,
            "final_rate": 0.05,
            "width": 8,
            "bottleneck": 16,
        },
        "Learned normal from 425 knees without osteoarthritis, through a narrow code that cannot carry disease.",
        primary_score="ssim",
        note=_KNEE_CHOSEN.format(first=0.699),
        limits=(_BLURRED,),
        recipe={
            "network": (
                "the paper's CAE at 64 x 64 instead of 512 x 512 pixels, with half its channels and a bottleneck of 2 x 2 places of 16 channels instead "
                "of 16 x 16 of 512"
            ),
            "training": f"40 epochs of batches of 8 at rates falling from 2e-3 to 1e-4 instead of 1,000 of 32 at 1e-4; {_KNEE_CHANGES}",
        },
    ),
    Starter(
        KNEE,
        "vae",
        {**_KNEE, "epochs": 50, "batch": 8, "learning_rate": 1e-3, "final_rate": 0.05, "width": 256, "code": 128},
        "Learned normal from 425 knees without osteoarthritis, as a distribution of codes.",
        primary_score="ssim",
        note=_KNEE_CHOSEN.format(first=0.676),
        limits=(_BLURRED,),
        recipe={
            "network": (
                "the paper's VAE at 64 x 64 instead of 512 x 512 pixels (its three outermost levels left out), with half its channels and a code of 128 "
                "instead of 1024"
            ),
            "training": f"50 epochs of batches of 8 at rates falling from 1e-3 to 5e-5 instead of 500 of 32 at 1e-4; {_KNEE_CHANGES}",
        },
    ),
    Starter(
        KNEE,
        "hand-alpha-gan",
        {
            **_KNEE,
            "epochs": 24,
            "batch": 8,
            "discriminator_rate": 0.05,
            "reconstruction_weight": 50,
            "width": 16,
        },
        "Learned normal from 425 knees without osteoarthritis, as an autoencoder with two discriminators.",
        primary_score="ssim",
        note=_KNEE_CHOSEN.format(first=0.563),
        limits=("Briefly trained: its reconstructions are blurred, and its code discriminator says nothing yet.",),
        recipe={
            "network": (
                "the paper's alpha-GAN at 64 x 64 instead of 128 x 128 pixels (its innermost level left out), with a quarter of its "
                "channels"
            ),
            "training": (
                "24 epochs of batches of 8 instead of 500 of 16; the discriminators at 5e-5 instead of 5e-6, having far fewer steps; "
                f"a weight of 50 for the reconstruction, of which the paper says nothing; {_KNEE_CHANGES}; "
                "equalised greys, which the paper's best alpha-GAN did without"
            ),
        },
    ),
]
