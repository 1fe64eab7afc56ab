"""The sets that starter bundles learn from, and what is known to be wrong with each. Facts and words; trains nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engine.models.card import Applicability
from engine.phantoms.cohort import make_cohort
from trainers.starters.starter import OURS, ImageSet

PHANTOM_SEED = 7
"""Not the demonstration's: its patients must be new to the models that read them."""

CHEST_PAEDIATRIC = ImageSet(
    name="chest-paediatric",
    folder="chest_paediatric",
    title="Paediatric chest",
    cohort="Guangzhou paediatric chest radiographs, official training split",
    source="Kermany DS, et al. Cell 2018;172:1122-1131 (Mendeley Data rscbjbr9sj), resized to 224 x 224",
    licence="CC BY 4.0",
    applicability=Applicability(modality=("CR", "DX"), body_part=("CHEST",), view=("AP", "PA"), age_years=(0.5, 6.0)),
    note=(
        "Images of patients whom neither training nor calibration saw; single images are judged, not studies; intervals are over patients. One "
        "hospital: normal and abnormal films differ in exposure, framing and burned-in letters as well as in disease, so that part of this AUROC is "
        "not for the disease."
    ),
    limits=(
        "Children aged 1 to 5 from one hospital; adults, neonates and other machines are outside what it knows.",
        "Films arrive with their aspect lost and are seen small: nodules, thin pneumothoraces, fractures and line tips are not visible to it.",
        "The abnormal films it was judged on are pneumonias; nothing was measured for any other disease.",
        "Low contrast, unusual exposure, rotation, raised arms, a lead apron, tubes and letters raise the score without disease.",
    ),
)

CHEST_ADULT = ImageSet(
    name="chest-adult",
    folder="chest_adult",
    title="Adult chest",
    cohort="NIH ChestX-ray14, 1,515 frontal radiographs with RSNA labels",
    source="NIH Clinical Center; Wang X, et al. CVPR 2017:2097-2106; RSNA/STR pneumonia challenge labels; resized to 256 x 256",
    licence="no restriction on use; attribution to the NIH Clinical Center",
    applicability=Applicability(
        modality=("CR", "DX"), body_part=("CHEST",), view=("AP", "PA"), age_years=(16.0, 120.0)
    ),
    note=(
        "Images of patients whom neither training nor calibration saw; single images are judged, not studies; intervals are over patients. Labels are "
        "text-mined, about one in ten is wrong; images whose text and radiologists disagree are left out. 46% of the "
        "normal and 40% of the abnormal films are taken AP."
    ),
    limits=(
        "One institution, few normals: a site's own normals would serve better.",
        "Seen small: nodules, thin pneumothoraces, fractures and line tips are hardly visible to it.",
        "Lines, tubes, burned-in letters, portable AP films and black boxes raise the score without disease.",
    ),
)

KNEE = ImageSet(
    name="knee",
    folder="knee",
    title="Knee",
    cohort="OAI knees by Kellgren-Lawrence grade, 0 against 2 to 4",
    source="Chen P. Knee osteoarthritis severity grading dataset, Mendeley Data 56rmx5bjcr (images derive from the OAI)",
    licence="CC BY 4.0",
    applicability=Applicability(modality=("CR", "DX"), body_part=("KNEE",), view=("AP", "PA"), age_years=(40.0, 85.0)),
    note="Images of patients whom neither training nor calibration saw; intervals are over patients. Abnormal means osteoarthritis of grade 2 to 4.",
    limits=(
        "Contrast-equalised crops of weight-bearing knees, fixed-flexion: other projections and whole films are outside what it knows.",
        "The abnormal knees it was judged on have osteoarthritis; nothing was measured for fractures, tumours or implants.",
    ),
)

KNEE_JOINT = {"grey": "equalised", "negative": "turn", "part": "joint", "fit": "stretch"}
"""How the knee's autoencoders see it: the band in which osteoarthritis shows, bone white, every grey equally frequent."""

_PHANTOM_LIMITS = (
    "Trained on synthetic phantoms: it says nothing about patients.",
    "How well it finds lesions of phantoms says nothing of how well it would find a patient's.",
)
_PHANTOM_NOTE = "Phantoms whom neither training nor calibration saw."


def _chests(data: Path) -> Path:
    return make_cohort(data / "chest", seed=PHANTOM_SEED, chest=260, hands=0, heads=0, lesion_share=0.1)


def _hands(data: Path) -> Path:
    return make_cohort(data / "hands", seed=PHANTOM_SEED, chest=0, hands=240, heads=0, lesion_share=0.4)


def _heads(data: Path) -> Path:
    return make_cohort(data / "heads", seed=PHANTOM_SEED, chest=0, hands=0, heads=160, lesion_share=0.1)


def _mixed_heads(data: Path) -> Path:
    """Enough heads with a lesion to draw a mixture from, and to judge by."""
    return make_cohort(data / "mixed-heads", seed=PHANTOM_SEED, chest=0, hands=0, heads=780, lesion_share=0.4)


CHEST_PHANTOM = ImageSet(
    name="chest-phantom",
    title="Synthetic chest",
    cohort="Normascope chest phantoms, seed 7",
    source="engine.phantoms",
    licence=OURS,
    applicability=Applicability(modality=("CR", "DX"), body_part=("CHEST",), synthetic=True),
    note=_PHANTOM_NOTE,
    limits=_PHANTOM_LIMITS,
    draw=_chests,
)
HAND_PHANTOM = ImageSet(
    name="hand-phantom",
    title="Synthetic hand",
    cohort="Normascope hand phantoms, seed 7",
    source="engine.phantoms",
    licence=OURS,
    applicability=Applicability(modality=("CR", "DX"), body_part=("HAND",), synthetic=True),
    note=_PHANTOM_NOTE,
    limits=_PHANTOM_LIMITS,
    draw=_hands,
)
HEAD_PHANTOM = ImageSet(
    name="head-phantom",
    title="Synthetic head CT",
    cohort="Normascope head CT phantoms, seed 7",
    source="engine.phantoms",
    licence=OURS,
    applicability=Applicability(modality=("CT",), body_part=("HEAD",), synthetic=True),
    note=_PHANTOM_NOTE,
    limits=_PHANTOM_LIMITS,
    draw=_heads,
)
MIXED_HEAD_PHANTOM = replace(HEAD_PHANTOM, draw=_mixed_heads)
"""The same kind of heads, more of them, two in five with a lesion."""
