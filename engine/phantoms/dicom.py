"""Phantoms as DICOM files: DX or CR images for radiographs, CT series for heads, marked synthetic in tags and pixels.

The same phantom gives the same bytes: UIDs, dates and times come from its seed (PS3.5 B.2). Never writes over a finished file halfway:
each file is written under a temporary name and renamed.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    generate_uid,
)

from engine.phantoms.markings import slices_marked_synthetic
from engine.phantoms.phantom import Phantom
from engine.phantoms.whole_file import write_whole

MANUFACTURER = "Normascope"
COMMENT = "SYNTHETIC PHANTOM - NOT A PATIENT"
MAXIMUM = 4095  # 12 bits
MAGNIFICATION = 1.05
RadiographModality = Literal["DX", "CR"]

_BODY_PARTS = {"chest": "CHEST", "hand": "HAND", "head": "HEAD"}
_REGIONS = {  # SNOMED CT codes of PS3.16 CID 4031
    "chest": ("816094009", "Chest"),
    "hand": ("85562004", "Hand"),
    "head": ("69536005", "Head"),
}
_DESCRIPTIONS = {"chest": "Chest PA", "hand": "Hand PA", "head": "Head without contrast"}


@dataclass(frozen=True)
class Identity:
    """Who and when a phantom pretends to be; all of it from kind and seed."""

    patient_id: str
    patient_name: str
    birth_date: str
    study_date: str
    study_time: str
    accession_number: str
    study_uid: str
    series_uid: str
    frame_uid: str

    @classmethod
    def of(cls, phantom: Phantom) -> Identity:
        """The identity of a phantom; the same patient with and without a lesion has two studies."""
        rng = np.random.default_rng([phantom.seed, 977])
        lesion = ",".join(lesion.kind for lesion in phantom.lesions)
        name = f"{phantom.kind}/{phantom.seed}"
        day, month, hour, minute = (int(rng.integers(*limits)) for limits in ((1, 29), (1, 13), (7, 19), (0, 60)))
        born = 2025 - int(phantom.age_years) - (1 if (month, day) < (7, 1) else 0)
        return cls(
            patient_id=f"PHANTOM-{phantom.kind.upper()}-{phantom.seed:06d}",
            patient_name=f"Phantom^{phantom.kind.capitalize()} {phantom.seed:06d}",
            birth_date=f"{born:04d}0701",
            study_date=f"2025{month:02d}{day:02d}",
            study_time=f"{hour:02d}{minute:02d}00",
            accession_number=f"{phantom.kind[:2].upper()}{phantom.seed:06d}",
            study_uid=_uid(name, lesion, "study"),
            series_uid=_uid(name, lesion, "series"),
            frame_uid=_uid(name, lesion, "frame of reference"),
        )


def write_radiograph(
    phantom: Phantom, path: Path, *, modality: RadiographModality = "DX", minimum_is_white: bool = False
) -> Path:
    """Write a chest or hand as one 12-bit image for presentation (PS3.3 A.26 for DX, A.2 for CR); `minimum_is_white` makes it MONOCHROME1.

    Raises:
        ValueError: the phantom is a volume.
        StorageUnavailable: the folder cannot be written or the disk is full.
    """
    if phantom.image.ndim != 2:
        raise ValueError(f"a {phantom.kind} phantom is not a radiograph: use write_ct_series")
    identity = Identity.of(phantom)
    storage = DigitalXRayImageStorageForPresentation if modality == "DX" else ComputedRadiographyImageStorage
    data = _common(phantom, identity, storage, _uid(identity.series_uid, "1"), modality)
    stored = np.rint(np.clip(phantom.image, 0, 1) * MAXIMUM).astype(np.uint16)
    if minimum_is_white:
        stored = (MAXIMUM - stored).astype(np.uint16)
    _add_pixels(data, stored, bits_stored=12, photometric="MONOCHROME1" if minimum_is_white else "MONOCHROME2")
    _add_projection(data, phantom, modality)
    if modality == "DX":
        _add_digital_x_ray(data, phantom, minimum_is_white)
    return _save(data, path)


def write_ct_series(phantom: Phantom, folder: Path) -> tuple[Path, ...]:
    """Write a volume as one CT image a slice (PS3.3 A.3), feet to head, `slice-001.dcm` and on. Raises as `write_radiograph` does."""
    if phantom.image.ndim != 3:
        raise ValueError(f"a {phantom.kind} phantom is not a volume: use write_radiograph")
    identity = Identity.of(phantom)
    thickness, row_mm, column_mm = phantom.spacing
    voxels = slices_marked_synthetic(phantom.image.astype(np.int16))
    count, rows, columns = voxels.shape
    paths = []
    for index in range(count):
        data = _common(phantom, identity, CTImageStorage, _uid(identity.series_uid, str(index + 1)), "CT")
        stored = (np.clip(voxels[index].astype(np.int32), -1024, 3071) + 1024).astype(np.uint16)
        _add_pixels(data, stored, bits_stored=12, photometric="MONOCHROME2")
        data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        data.InstanceNumber = index + 1
        data.FrameOfReferenceUID = identity.frame_uid
        data.PositionReferenceIndicator = ""
        data.PatientPosition = "HFS"
        corner = (-(columns - 1) / 2 * column_mm, -(rows - 1) / 2 * row_mm, (index - (count - 1) / 2) * thickness)
        data.ImagePositionPatient = [f"{value:.4f}" for value in corner]
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.SliceLocation = f"{corner[2]:.4f}"
        data.PixelSpacing = [f"{row_mm:.5f}", f"{column_mm:.5f}"]
        data.SliceThickness = f"{thickness:.4f}"
        data.SpacingBetweenSlices = f"{thickness:.4f}"
        data.KVP, data.AcquisitionNumber, data.ConvolutionKernel = "120", 1, "STANDARD"
        data.RescaleIntercept, data.RescaleSlope, data.RescaleType = "-1024", "1", "HU"
        data.WindowCenter, data.WindowWidth = "40", "80"
        data.WindowCenterWidthExplanation = "BRAIN"
        paths.append(_save(data, folder / f"slice-{index + 1:03d}.dcm"))
    return tuple(paths)


def _uid(*sources: str) -> str:
    return str(generate_uid(entropy_srcs=["normascope phantom", *sources]))


def _common(phantom: Phantom, identity: Identity, storage: str, instance_uid: str, modality: str) -> FileDataset:
    """Patient, study, series, equipment and SOP common modules (PS3.3 C.7 and C.12.1), and what says that it is synthetic."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(storage), UID(instance_uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SpecificCharacterSet = "ISO_IR 192"
    data.SOPClassUID, data.SOPInstanceUID = storage, instance_uid
    data.PatientName, data.PatientID = identity.patient_name, identity.patient_id
    data.PatientBirthDate, data.PatientSex = identity.birth_date, phantom.sex
    data.PatientAge = f"{int(phantom.age_years):03d}Y"
    data.StudyInstanceUID, data.SeriesInstanceUID = identity.study_uid, identity.series_uid
    data.StudyDate = data.SeriesDate = data.ContentDate = data.AcquisitionDate = identity.study_date
    data.StudyTime = data.SeriesTime = data.ContentTime = data.AcquisitionTime = identity.study_time
    data.StudyID, data.AccessionNumber = "1", identity.accession_number
    data.ReferringPhysicianName = ""
    data.StudyDescription = data.SeriesDescription = f"{_DESCRIPTIONS[phantom.kind]} (synthetic)"
    data.Modality, data.SeriesNumber, data.InstanceNumber = modality, 1, 1
    data.Manufacturer, data.ManufacturerModelName = MANUFACTURER, "Phantom"
    data.DeviceSerialNumber, data.SoftwareVersions, data.StationName = "0", "1", "PHANTOM"
    data.ImageComments = COMMENT
    data.BurnedInAnnotation = "YES"
    data.BodyPartExamined = _BODY_PARTS[phantom.kind]
    data.LossyImageCompression = "00"
    return data


def _add_pixels(data: FileDataset, stored: npt.NDArray[np.uint16], *, bits_stored: int, photometric: str) -> None:
    """Image pixel module, PS3.3 C.7.6.3."""
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, photometric
    data.Rows, data.Columns = stored.shape
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, bits_stored, bits_stored - 1, 0
    data.PixelData = stored.astype("<u2").tobytes()


def _add_projection(data: FileDataset, phantom: Phantom, modality: str) -> None:
    """What DX and CR share: geometry, view, side and window (PS3.3 C.8.1.1, C.8.11, C.11.2)."""
    data.ImageType = ["ORIGINAL", "PRIMARY"] if modality == "CR" else ["ORIGINAL", "PRIMARY", ""]
    data.PixelSpacing = [
        f"{mm:.5f}" for mm in phantom.spacing
    ]  # in the patient; at the detector everything is larger (PS3.3 10.7.1.3)
    data.ImagerPixelSpacing = [f"{mm * MAGNIFICATION:.5f}" for mm in phantom.spacing]
    data.EstimatedRadiographicMagnificationFactor = f"{MAGNIFICATION}"
    data.ViewPosition = phantom.view
    if phantom.kind == "chest":
        data.PatientOrientation = ["L", "F"]
    else:  # fingers up, from the back of the hand; directions are those of a hand that hangs down, palm forward: rows run to the wrist
        data.PatientOrientation = ["L", "H"]
    if phantom.laterality:
        data.Laterality = phantom.laterality
    data.KVP = "120" if phantom.kind == "chest" else "55"
    data.DistanceSourceToDetector = "1800" if phantom.kind == "chest" else "1100"
    data.WindowCenter, data.WindowWidth = "2048", "4096"
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = "0", "1", "US"


def _add_digital_x_ray(data: FileDataset, phantom: Phantom, minimum_is_white: bool) -> None:
    """What DX asks for beyond CR (PS3.3 C.8.11.1 to C.8.11.7)."""
    data.PresentationIntentType = "FOR PRESENTATION"
    data.PresentationLUTShape = "INVERSE" if minimum_is_white else "IDENTITY"
    data.PixelIntensityRelationship = "LOG"
    data.PixelIntensityRelationshipSign = 1 if minimum_is_white else -1
    data.ImageLaterality = phantom.laterality or "U"
    data.DetectorType, data.PositionerType = "SCINTILLATOR", "NONE"
    data.AcquisitionContextSequence = Sequence()
    region = Dataset()
    region.CodeValue, region.CodeMeaning = _REGIONS[phantom.kind]
    region.CodingSchemeDesignator = "SCT"
    data.AnatomicRegionSequence = Sequence([region])
    view = Dataset()
    view.CodeValue, view.CodingSchemeDesignator, view.CodeMeaning = "399348003", "SCT", "postero-anterior"
    view.ViewModifierCodeSequence = Sequence()
    data.ViewCodeSequence = Sequence([view])


def _save(data: FileDataset, path: Path) -> Path:
    stream = io.BytesIO()
    data.save_as(stream, enforce_file_format=True)
    write_whole(path, stream.getvalue())
    return path
