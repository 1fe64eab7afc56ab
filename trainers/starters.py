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
    )


def _small_alpha_gan(preprocessing: str, augmentation: Augmentation, device: str) -> TrainingPlan:
    """A quarter of Table 3's channels at 64 pixels."""
    return TrainingPlan(
        method="alpha-gan",
        size=(64, 64),
        preprocessing=preprocessing,
        epochs=150,
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
