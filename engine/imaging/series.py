"""A series as discovery finds it: what it is and where its files are, without pixels. Serialises to JSON so that any process can load it.

A `Series` is what is shown and scored as one thing (a display set): ONE radiograph, or ONE volume. A DICOM series that holds several
projection images, or slices of several orientations or sizes (a localiser beside its axials), becomes several `Series` which share
`series_uid` and differ in `key`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from engine.imaging.series_files import FileFormat

if TYPE_CHECKING:
    from engine.imaging.radiograph import Radiograph
    from engine.imaging.volume import Volume

SeriesKind = Literal["radiograph", "volume"]


@dataclass(frozen=True)
class Series:
    """One radiograph or one volume, found but not decoded.

    Attributes:
        key: unique in a store: the series UID, with `/` and a suffix where one DICOM series makes several.
        study_uid, series_uid: DICOM UIDs; for files without any, UIDs derived from the content's path (2.25.* from a UUID5 of the absolute path).
        sources: where the bytes are, in file-name order: plain paths, or `archive.zip!/member`. One entry a file.
        modality: DICOM (0008,0060): CR, DX, CT, ...; "" when neither the file (PNG, JPEG, NIfTI have no tags) nor a cohort's table says it.
        body_part: (0018,0015) upper case, "" when absent.  view: ViewPosition (0018,5101), "" when absent.
        laterality: "L", "R" or "" ((0020,0062) else (0020,0060)).
        study_date: YYYY-MM-DD or "".  age: (0010,1010) as stored, else from birth and study date.  frames: images or slices as far as headers tell.
        synthetic: True when the file says it is a phantom of ours.
        label: "normal", "abnormal" or "" from a cohort CSV.
        fingerprint: changes when the files' content does, not when they are moved; "" when unknown.
        warnings: in words, for the person who reads the study.
    """

    key: str
    study_uid: str
    series_uid: str
    kind: SeriesKind
    format: FileFormat
    sources: tuple[str, ...]
    patient_id: str = ""
    patient_name: str = ""
    sex: str = ""
    age: str = ""
    modality: str = ""
    body_part: str = ""
    view: str = ""
    laterality: str = ""
    description: str = ""
    study_description: str = ""
    study_date: str = ""
    accession_number: str = ""
    rows: int = 0
    columns: int = 0
    frames: int = 1
    synthetic: bool = False
    label: str = ""
    warnings: tuple[str, ...] = field(default=())
    fingerprint: str = ""

    @property
    def path(self) -> str:
        """What to call the series in a list: its file, or the folder (or archive) that holds its files."""
        first = self.sources[0]
        if len(self.sources) == 1:
            return first
        return first.rsplit("/", 1)[0]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `Series.from_json` is its inverse."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in self.__dict__.items()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Series:
        """The series that `to_json` wrote."""
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**fields)

    def load_radiograph(self) -> Radiograph:
        """Decode the pixels. Raises the `NormascopeError`s of engine.errors; only for kind "radiograph"."""
        from engine.imaging.reading import read_radiograph

        return read_radiograph(self)

    def load_volume(
        self,
        *,
        on_slice: Callable[[Volume, int], None] | None = None,
        workers: int = 2,
        cancelled: Callable[[], bool] | None = None,
    ) -> Volume:
        """Decode the slices, middle one first, into one int16 HU array; `on_slice(volume, index)` follows each slice (from a worker thread).

        Only for kind "volume". Raises the `NormascopeError`s of engine.errors.
        """
        from engine.imaging.volume_reading import read_volume

        return read_volume(self, on_slice=on_slice, workers=workers, cancelled=cancelled)
