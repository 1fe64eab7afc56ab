"""Body part and view as codes say them, for the DX images that leave the plain tags empty (PS3.3 C.8.11.5, PS3.16 CID 4009, 4010)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_BODY_PARTS = {
    "51185008": "CHEST", "T-D3000": "CHEST", "816094009": "CHEST", "43799004": "CHEST",
    "69536005": "HEAD", "T-D1100": "HEAD", "T-11100": "SKULL", "89546000": "SKULL",
    "85562004": "HAND", "T-D8700": "HAND", "7569003": "FINGER", "T-D8800": "FINGER",
    "8205005": "WRIST", "T-15460": "WRIST", "74670003": "WRIST", "14975008": "FOREARM", "T-D8500": "FOREARM",
    "127949000": "ELBOW", "T-15430": "ELBOW", "16953009": "ELBOW", "85050009": "HUMERUS", "T-12410": "HUMERUS",
    "16982005": "SHOULDER", "T-D2220": "SHOULDER", "31398001": "SHOULDER", "72696002": "KNEE", "T-D9200": "KNEE",
    "56459004": "FOOT", "T-D9700": "FOOT", "70258002": "ANKLE", "T-15750": "ANKLE", "24136001": "HIP", "T-15710": "HIP",
    "12921003": "PELVIS", "T-D6000": "PELVIS", "818981001": "ABDOMEN", "T-D4000": "ABDOMEN", "76752008": "BREAST",
    "T-04000": "BREAST", "421060004": "SPINE", "T-11500": "SPINE", "122494005": "CSPINE", "122495006": "TSPINE",
    "122496007": "LSPINE", "30021000": "LEG", "71341001": "FEMUR",
}  # fmt: skip
_VIEWS = {
    "R-10206": "AP", "399348003": "AP", "R-10214": "PA", "272479007": "PA", "R-10236": "LL", "399173006": "LL",
    "R-10232": "RL", "399198007": "RL", "R-10224": "ML", "399260004": "ML", "R-10228": "LM", "399352003": "LM",
    "R-10242": "CC", "399162004": "CC", "R-10226": "MLO", "399368009": "MLO",
}  # fmt: skip


def coded_body_part(dataset: Dataset) -> str:
    """BodyPartExamined's term for Anatomic Region Sequence (0008,2218), "" when absent or unknown."""
    items = dataset.get("AnatomicRegionSequence") or ()
    return next((_BODY_PARTS.get(str(item.get("CodeValue", "")).strip(), "") for item in items), "")


def coded_view(dataset: Dataset) -> str:
    """ViewPosition's term for View Code Sequence (0054,0220), "" when absent or unknown."""
    items = dataset.get("ViewCodeSequence") or ()
    return next((_VIEWS.get(str(item.get("CodeValue", "")).strip(), "") for item in items), "")
