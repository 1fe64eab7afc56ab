"""Makes the bundles that ship: `python -m trainers.starters NAME --data FOLDER --out FOLDER`. Each recipe below is the whole of what was chosen by hand.

phantom-chest, phantom-hand and phantom-head draw their own cohorts with engine.phantoms (kept in --data and used again); chest-paediatric reads the
labels.csv of the Guangzhou set (Kermany et al. 2018) from --data.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from engine.models.card import Applicability
from engine.models.inference import choose_device, computes_bfloat16
from engine.phantoms.cohort import make_cohort
from trainers.plan import Augmentation, Precision, TrainingPlan
from trainers.run import CardText, Trained, train
from trainers.training import Progress

PHANTOM_SEED = 7
"""Not the demonstration's: its patients must be new to the models that read them."""
_OURS = "Apache-2.0"
_PHANTOM_LIMITS = (
    "Trained on synthetic phantoms: it says nothing about patients.",
    "It shows what the program does; how well it finds lesions of phantoms says nothing of how well it would find a patient's.",
    "Small and briefly trained: it finds plain lesions at best, and ranks normals of unusual build as high.",
)


def phantom_chest(data: Path, out: Path, device: str, on_progress: Callable[[Progress], None]) -> Trained:
    """A small alpha-GAN of synthetic chests for the demonstration."""
    cohort = make_cohort(data / "chest", seed=PHANTOM_SEED, chest=130, hands=0, heads=0, lesion_share=0.2)
    plan = _small_alpha_gan("chest", Augmentation(), device)
    text = CardText(
        id="chest-phantom-alpha-gan",
        title="Synthetic chest, alpha-GAN",
        summary="Learned normal from synthetic chest radiographs; reads the demonstration's chests.",
        cohort="Normascope chest phantoms, seed 7",
        source="engine.phantoms",
        data_licence=_OURS,
        licence=_OURS,
        primary_score="ssim",
        limits=_PHANTOM_LIMITS,
        public_patients=True,
        applicability=Applicability(modality=("CR", "DX"), body_part=("CHEST",), synthetic=True),
    )
    return train(
        "alpha-gan",
        cohort,
        out=out / f"{text.id}.safetensors",
        device=device,
        plan=plan,
        text=text,
        on_progress=on_progress,
        resume=True,
    )


def phantom_hand(data: Path, out: Path, device: str, on_progress: Callable[[Progress], None]) -> Trained:
    """A small alpha-GAN of synthetic hands, left and right, for the demonstration."""
    cohort = make_cohort(data / "hands", seed=PHANTOM_SEED, chest=0, hands=110, heads=0, lesion_share=0.2)
    plan = _small_alpha_gan("musculoskeletal", Augmentation(mirror=True), device)
    text = CardText(
        id="hand-phantom-alpha-gan",
        title="Synthetic hand, alpha-GAN",
        summary="Learned normal from synthetic hand radiographs; reads the demonstration's hands.",
        cohort="Normascope hand phantoms, seed 7",
        source="engine.phantoms",
        data_licence=_OURS,
        licence=_OURS,
        primary_score="ssim",
        limits=(*_PHANTOM_LIMITS, "A fracture is finer than what 64 x 64 pixels show; it is mostly missed."),
        public_patients=True,
        applicability=Applicability(modality=("CR", "DX"), body_part=("HAND",), synthetic=True),
    )
    return train(
        "alpha-gan",
        cohort,
        out=out / f"{text.id}.safetensors",
        device=device,
        plan=plan,
        text=text,
        on_progress=on_progress,
        resume=True,
    )


def phantom_head(data: Path, out: Path, device: str, on_progress: Callable[[Progress], None]) -> Trained:
    """A small 3D autoencoder of synthetic head CT for the demonstration."""
    cohort = make_cohort(data / "heads", seed=PHANTOM_SEED, chest=0, hands=0, heads=64, lesion_share=0.2)
    plan = TrainingPlan(
        method="autoencoder-3d",
        size=(32, 64, 64),
        preprocessing="head-ct",
        epochs=120,
        batch=4,
        learning_rate=2e-3,
        betas=(0.9, 0.999),
        width=8,
        code=64,
        augmentation=Augmentation(shift=0.02, rotation=4, scale=0.03, mirror=True),
        precision=_precision(device),
        seed=2021,
    )
    text = CardText(
        id="head-phantom-autoencoder-3d",
        title="Synthetic head CT, 3D autoencoder",
        summary="Learned normal from synthetic head CT; reads the demonstration's heads.",
        cohort="Normascope head CT phantoms, seed 7",
        source="engine.phantoms",
        data_licence=_OURS,
        licence=_OURS,
        limits=_PHANTOM_LIMITS,
        public_patients=True,
        applicability=Applicability(modality=("CT",), body_part=("HEAD",), synthetic=True),
    )
    return train(
        "autoencoder-3d",
        cohort,
        out=out / f"{text.id}.safetensors",
        device=device,
        plan=plan,
        text=text,
        on_progress=on_progress,
        resume=True,
    )


def chest_paediatric(data: Path, out: Path, device: str, on_progress: Callable[[Progress], None]) -> Trained:
    """The starter bundle of real chests, ages 1 to 5: about an hour on two CPU cores."""
    plan = TrainingPlan(
        method="alpha-gan",
        size=(128, 128),
        epochs=72,
        cool_down_epochs=14,
        average_decay=0.995,
        width=256,
        precision=_precision(device),
        selection_share=0.2,
        seed=2021,
    )
    text = CardText(
        id="chest-paediatric-alpha-gan",
        title="Paediatric chest, alpha-GAN",
        summary="Learned normal from 931 frontal chest radiographs of children aged 1 to 5; shows what such a normal would look like.",
        cohort="Guangzhou paediatric chest radiographs, official training split, normal",
        source="Kermany DS, et al. Cell 2018;172:1122-1131 (Mendeley Data rscbjbr9sj), resized to 224 x 224",
        data_licence="CC BY 4.0",
        licence=_OURS,
        primary_score="ssim",
        evaluation_note=_PAEDIATRIC_NOTE,
        limits=_PAEDIATRIC_LIMITS,
        public_patients=True,
        applicability=Applicability(
            modality=("CR", "DX"), body_part=("CHEST",), view=("AP", "PA"), age_years=(0.5, 6.0)
        ),
        recipe={"network": "Table 3's of Nakao 2021 without its outermost rung (128 x 128) and with half its channels"},
    )
    return train(
        "alpha-gan",
        data / "labels.csv",
        out=out / f"{text.id}.safetensors",
        device=device,
        plan=plan,
        text=text,
        on_progress=on_progress,
        resume=True,
    )


_PAEDIATRIC_NOTE = (
    "Images of patients whom neither training nor calibration saw. Rates, weights of the losses and the primary score (ssim, which is not the "
    "paper's) were chosen on training, calibration and selection patients; the last epoch is shipped whatever it scored. Validation figures of an "
    "earlier epoch of the same run were seen once; nothing was chosen by them. One hospital: normal and abnormal films differ in exposure, framing "
    "and burned-in letters as well as in disease, so that part of this AUROC is not for the disease. Single images are judged, not studies; the "
    "intervals are over patients."
)
_PAEDIATRIC_LIMITS = (
    "Children aged 1 to 5 from one hospital; adults, neonates and other machines are outside what it knows.",
    "Seen at 128 x 128 pixels with the film's aspect lost: small nodules, thin pneumothoraces, fractures and line tips are not visible to it.",
    "The abnormal films it was judged on are pneumonias; nothing was measured for any other disease.",
    "Low contrast, unusual exposure, rotation, raised arms, a lead apron, tubes and letters raise the score without disease.",
    "The ribs and vessels of a reconstruction are invented, not the patient's; the heatmap lights up faintly along such edges in normals too.",
    "The code norm, the paper's best score, is weak here: its codes are further from a standard Gaussian than a long training makes them.",
)


def _small_alpha_gan(preprocessing: str, augmentation: Augmentation, device: str) -> TrainingPlan:
    """A quarter of Table 3's channels at 64 pixels."""
    return TrainingPlan(
        method="alpha-gan",
        size=(64, 64),
        preprocessing=preprocessing,
        epochs=260,
        stage_epochs=4,
        batch=10,
        width=128,
        code=64,
        average_decay=0.99,
        augmentation=augmentation,
        precision=_precision(device),
        seed=2021,
    )


def _precision(device: str) -> Precision:
    return "bf16-mixed" if computes_bfloat16(choose_device(device)) else "32-true"


RECIPES: dict[str, Callable[[Path, Path, str, Callable[[Progress], None]], Trained]] = {
    "chest-paediatric": chest_paediatric,
    "phantom-chest": phantom_chest,
    "phantom-hand": phantom_hand,
    "phantom-head": phantom_head,
}


def main() -> None:
    """Make one bundle and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="auto")
    asked = parser.parse_args()

    def show(progress: Progress) -> None:
        print(f"{progress.epoch}/{progress.epochs} {progress.what} {progress.losses}", flush=True)

    trained = RECIPES[asked.name](asked.data, asked.out, asked.device, show)
    print(trained.path, trained.hash, {name: (m.auroc, m.auroc_ci95) for name, m in trained.card.evaluation.items()})


if __name__ == "__main__":
    main()
