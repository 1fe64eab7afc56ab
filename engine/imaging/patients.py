"""Keeps patients apart whose images share a study or series UID, as botched anonymisation leaves them. Never changes what belongs to whom."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from engine.imaging.identifiers import split_uid
from engine.imaging.image_header import ImageHeader

Patient = tuple[str, str]


def patient_of(header: ImageHeader) -> Patient:
    """Whose image it is: identifier and name, without regard to case and empty name components (PS3.5 6.2.1)."""
    return header.patient_id.strip(), header.patient_name.upper().rstrip("^= ")


@dataclass
class PatientsApart:
    """Remembers, for each UID of what is being opened, whose images bear it."""

    _of_uid: dict[str, list[Patient]] = field(default_factory=dict)

    def told_apart(self, header: ImageHeader) -> ImageHeader:
        """The header; with UIDs of its own where another patient's images came before under the same study or series UID.

        For headers as they were read, each once.
        """
        patient = patient_of(header)
        own: dict[str, Any] = {}
        for name in ("study_uid", "series_uid"):
            if uid := getattr(header, name):
                patients = self._of_uid.setdefault(uid, [patient])
                if patient not in patients:
                    patients.append(patient)
                if patient != patients[0]:
                    own[name] = split_uid(uid, *patient)
                    self._of_uid[own[name]] = patients
        return replace(header, **own) if own else header

    def warnings(self, header: ImageHeader) -> tuple[str, ...]:
        """In words, when images of another patient bear the UIDs of this header, as far as they are known by now."""
        patient = patient_of(header)
        uids = (header.study_uid, header.series_uid)
        others = {other: None for uid in uids for other in self._of_uid.get(uid, ()) if other != patient}
        if not others:
            return ()
        names = ", ".join(" ".join(filter(None, other)) or "a patient without name" for other in others)
        return (f"The same study or series UID is also on images of {names}: kept apart. Check whose these are.",)
