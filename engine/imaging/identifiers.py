"""UIDs for files that have none: the same file always gets the same one (PS3.5 B.2, UUID derived). Random for nothing."""

from __future__ import annotations

import uuid
from pathlib import Path

_NAMESPACE = uuid.UUID("8a4fbb0c-6a52-5d6e-9f0f-2c41f5a7c0de")


def derived_uid(kind: str, source: str | Path) -> str:
    """`2.25.` UID of the absolute path of a file, folder or archive member; `kind` ("study", "series", "instance") keeps them apart."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, f'{kind}:{Path(source).absolute()}').int}"


def split_uid(uid: str, patient_id: str, patient_name: str) -> str:
    """`2.25.` UID for the images of one patient under a UID that several patients bear; the same whichever folder they are in."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, f'patient:{uid}:{patient_id}:{patient_name}').int}"
