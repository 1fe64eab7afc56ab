"""NIfTI files land in the patient's axes with the right values, and damaged ones are told from whole ones."""

from __future__ import annotations

import gzip
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from engine.errors import ImplausibleImage, InconsistentSeries, UnreadableImage
from engine.imaging.nifti import read_nifti_header, read_nifti_radiograph, read_nifti_volume
from engine.imaging.volume import check_for_scoring
from engine.imaging.volume_geometry import straightened
from engine.imaging.volume_reading import middle_out, read_volume

TYPES = {"uint8": 2, "int16": 4, "int32": 8, "float32": 16, "float64": 64, "int8": 256, "uint16": 512}
AXES = [[2.0, 0, 0, -10], [0, 2.0, 0, -20], [0, 0, 3.0, 30]]


def write_nifti(
    path: Path,
    values: np.ndarray,
    *,
    sform: list | None = None,
    qform: tuple | None = None,
    pixdim: tuple = (1.0, 2.0, 2.0, 3.0),
    slope: float = 1.0,
    inter: float = 0.0,
    units: int = 2,
    datatype: int | None = None,
    order: str = "<",
) -> Path:
    """A NIfTI-1 file of values[i, j, k(, t)], written by hand so that no library's habits are tested."""
    header = bytearray(352)
    struct.pack_into(order + "i", header, 0, 348)
    struct.pack_into(order + "8h", header, 40, values.ndim, *values.shape, *[1] * (7 - values.ndim))
    struct.pack_into(order + "2h", header, 70, datatype or TYPES[values.dtype.name], values.dtype.itemsize * 8)
    struct.pack_into(order + "8f", header, 76, *pixdim, 1, 1, 1, 1)
    struct.pack_into(order + "3f", header, 108, 352, slope, inter)
    header[123] = units
    struct.pack_into(order + "2h", header, 252, int(qform is not None), int(sform is not None))
    struct.pack_into(order + "6f", header, 256, *(qform or (0,) * 6))
    struct.pack_into(order + "12f", header, 280, *np.ravel(sform if sform is not None else np.zeros(12)))
    header[344:348] = b"n+1\0"
    content = bytes(header) + values.astype(values.dtype.newbyteorder(order)).tobytes(order="F")
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def ramp(shape: tuple = (5, 6, 7), kind: type = np.int16) -> np.ndarray:
    return (np.arange(np.prod(shape)).reshape(shape) - 100).astype(kind)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_voxels_and_geometry_equal_simpleitk_in_the_patients_axes(tmp_path, as_series, name):
    path = write_nifti(tmp_path / name, ramp(), sform=AXES)
    volume = read_volume(as_series(path, file_format="nifti"))
    peer = sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")
    assert (volume.voxels == sitk.GetArrayFromImage(peer)).all()
    assert straightened(volume).image.GetOrigin() == pytest.approx(peer.GetOrigin())
    assert straightened(volume).image.GetSpacing() == pytest.approx(peer.GetSpacing())
    assert straightened(volume).image.GetDirection() == pytest.approx(peer.GetDirection())


@pytest.mark.parametrize("flip", [(1, 1, 1), (-1, 1, 1), (1, -1, -1), (-1, -1, -1)])
@pytest.mark.parametrize("permute", [(0, 1, 2), (2, 0, 1), (1, 0, 2), (0, 2, 1)])
def test_any_order_and_sense_of_axes_shows_the_same_patient(tmp_path, as_series, flip, permute):
    """The value at each voxel encodes its place in right-anterior-superior mm."""
    affine = np.zeros((3, 4))
    for axis, (patient, sign) in enumerate(zip(permute, flip, strict=True)):
        affine[patient, axis] = sign * (2.0, 3.0, 4.0)[axis]
    affine[:, 3] = (5, -7, 11)
    index = np.stack(np.meshgrid(*[np.arange(n) for n in (5, 6, 7)], indexing="ij"), -1)
    place = index @ affine[:, :3].T + affine[:, 3]
    values = np.rint(place @ (1, 30, 900)).astype(np.int16)
    volume = read_nifti_volume(
        as_series(write_nifti(tmp_path / "a.nii", values, sform=affine.tolist()), file_format="nifti")
    )
    geometry = volume.geometry
    assert geometry.row_direction.tolist() == [1, 0, 0] and geometry.column_direction.tolist() == [0, 1, 0]
    slices, rows, columns = volume.voxels.shape
    for voxel in [(0, 0, 0), (1, 2, 3), (slices - 1, rows - 1, 0), (0, rows - 1, columns - 1)]:
        left, back, head = geometry.voxel_to_patient(*voxel)
        assert volume.voxels[voxel] == round(-left * 1 - back * 30 + head * 900)


def test_a_quaternion_places_voxels_as_simpleitk_does(tmp_path, as_series):
    tilted = (0.14943813, 0.0, 0.0, 4.0, 5.0, 6.0)  # about 17 degrees about the patient's left-right axis
    path = write_nifti(tmp_path / "a.nii", ramp(), qform=tilted, pixdim=(-1.0, 1.5, 1.5, 2.5))
    volume = read_nifti_volume(as_series(path, file_format="nifti"))
    peer = sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")
    assert (volume.voxels == sitk.GetArrayFromImage(peer)).all()
    assert volume.geometry.positions[0].tolist() == pytest.approx(list(peer.GetOrigin()), abs=1e-4)
    assert volume.geometry.normal.tolist() == pytest.approx(
        np.reshape(peer.GetDirection(), (3, 3))[:, 2].tolist(), abs=1e-5
    )


def test_scaling_is_applied_and_rounding_said(tmp_path, as_series):
    whole = read_nifti_volume(
        as_series(write_nifti(tmp_path / "a.nii", ramp(), sform=AXES, inter=-900), file_format="nifti")
    )
    assert int(whole.voxels.min()) == -1000 and whole.warnings == ()
    half = read_nifti_volume(
        as_series(write_nifti(tmp_path / "b.nii", ramp(), sform=AXES, slope=1.5), file_format="nifti")
    )
    assert int(half.voxels.min()) == -150 and any("rounded" in warning for warning in half.warnings)
    none = read_nifti_volume(
        as_series(write_nifti(tmp_path / "c.nii", ramp(), sform=AXES, slope=0), file_format="nifti")
    )
    assert int(none.voxels.min()) == -100


@pytest.mark.parametrize("kind", ["int8", "int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_number_types_and_byte_orders(tmp_path, as_series, kind, order):
    values = (np.arange(210).reshape(5, 6, 7) - 100).clip(-100, 100).astype(kind)
    series = as_series(write_nifti(tmp_path / "a.nii.gz", values, sform=AXES, order=order), file_format="nifti")
    volume = read_nifti_volume(series)
    assert sorted(volume.voxels.ravel()) == sorted(values.ravel().astype(int))


def test_slices_are_announced_from_the_middle(tmp_path, as_series):
    seen: list[int] = []
    series = as_series(write_nifti(tmp_path / "a.nii", ramp(), sform=AXES), file_format="nifti")
    volume = series.load_volume(on_slice=lambda volume, index: seen.append(index))
    assert seen == middle_out(7) and volume.loaded.all()
    check_for_scoring(volume)


def test_the_first_of_several_volumes_is_shown_and_said(tmp_path, as_series):
    values = ramp((5, 6, 7, 3))
    volume = read_nifti_volume(as_series(write_nifti(tmp_path / "a.nii.gz", values, sform=AXES), file_format="nifti"))
    assert sorted(volume.voxels.ravel()) == sorted(values[..., 0].ravel())
    assert any("3 volumes; only the first" in warning for warning in volume.warnings)
    assert read_nifti_header(str(tmp_path / "a.nii.gz")).volumes == 3


def test_doubts_about_the_transform_are_said(tmp_path, as_series):
    none = read_nifti_volume(as_series(write_nifti(tmp_path / "a.nii", ramp()), file_format="nifti"))
    assert any("does not say how the patient lies" in warning for warning in none.warnings)
    both = write_nifti(tmp_path / "b.nii", ramp(), sform=AXES, qform=(0, 0, 0, 50, 60, 70))
    volume = read_nifti_volume(as_series(both, file_format="nifti"))
    assert any("disagree" in warning for warning in volume.warnings)
    assert volume.geometry.positions[0].tolist() == pytest.approx([10 - 4 * 2, 20 - 5 * 2, 30])


def test_metres_become_millimetres(tmp_path, as_series):
    metres = (np.array(AXES) / 1000).tolist()
    volume = read_nifti_volume(
        as_series(write_nifti(tmp_path / "a.nii", ramp(), sform=metres, units=1), file_format="nifti")
    )
    assert volume.geometry.pixel_spacing == pytest.approx((2, 2))


def test_a_sheared_transform_is_a_tilted_stack(tmp_path, as_series):
    sheared = [[2.0, 0, 0, 0], [0, 2.0, 0.8, 0], [0, 0, 3.0, 0]]
    volume = read_nifti_volume(as_series(write_nifti(tmp_path / "a.nii", ramp(), sform=sheared), file_format="nifti"))
    assert any("tilted by 14.9 degrees" in warning for warning in volume.warnings)
    skewed = [[2.0, 0.8, 0, 0], [0, 2.0, 0, 0], [0, 0, 3.0, 0]]
    with pytest.raises(InconsistentSeries, match="perpendicular"):
        read_nifti_volume(as_series(write_nifti(tmp_path / "b.nii", ramp(), sform=skewed), file_format="nifti"))


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_truncated_file_is_not_read_as_if_it_were_whole(tmp_path, as_series, name):
    path = write_nifti(
        tmp_path / name, np.random.default_rng(0).integers(-1000, 1000, (9, 9, 9)).astype(np.int16), sform=AXES
    )
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(UnreadableImage, match="cut off"):
        read_nifti_volume(as_series(path, file_format="nifti"))


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08garbage", b"not an image at all" * 30, b"\0" * 400])
def test_what_is_not_nifti_is_a_typed_error(tmp_path, as_series, content):
    path = tmp_path / "a.nii"
    path.write_bytes(content)
    for read in (lambda: read_nifti_volume(as_series(path, file_format="nifti")), lambda: read_nifti_header(str(path))):
        with pytest.raises(UnreadableImage) as caught:
            read()
        assert caught.value.where == str(path) and caught.value.cure


def test_nan_colour_and_normalised_values_are_no_hounsfield_units(tmp_path, as_series):
    holes = ramp(kind=np.float32)
    holes[1, 1, 1] = np.nan
    with pytest.raises(ImplausibleImage, match="not numbers"):
        read_nifti_volume(as_series(write_nifti(tmp_path / "a.nii", holes, sform=AXES), file_format="nifti"))
    unit = np.linspace(0, 1, 210).reshape(5, 6, 7).astype(np.float32)
    with pytest.raises(ImplausibleImage, match="not Hounsfield units"):
        read_nifti_volume(as_series(write_nifti(tmp_path / "b.nii", unit, sform=AXES), file_format="nifti"))
    with pytest.raises(ImplausibleImage, match="RGB"):
        read_nifti_volume(
            as_series(write_nifti(tmp_path / "c.nii", ramp(), sform=AXES, datatype=128), file_format="nifti")
        )


def test_a_small_file_that_expands_without_bound_is_not_expanded(tmp_path, as_series):
    path = write_nifti(tmp_path / "a.nii", ramp(), sform=AXES)
    path.with_suffix(".nii.gz").write_bytes(gzip.compress(path.read_bytes() + b"\0" * 50_000_000))
    assert read_nifti_volume(as_series(path.with_suffix(".nii.gz"), file_format="nifti")).voxels.shape == (7, 6, 5)
    vast = bytearray(path.read_bytes())
    struct.pack_into("<8h", vast, 40, 3, 32000, 32000, 32000, 1, 1, 1, 1)
    path.write_bytes(vast)
    with pytest.raises(ImplausibleImage, match="absurdly many"):
        read_nifti_volume(as_series(path, file_format="nifti"))


def test_a_zip_member_is_read_like_a_file(tmp_path, as_series):
    path = write_nifti(tmp_path / "a.nii.gz", ramp(), sform=AXES)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(path, "scan/a.nii.gz")
    member = f"{tmp_path / 'a.zip'}!/scan/a.nii.gz"
    assert read_nifti_header(member).size == (5, 6, 7)
    assert (
        read_nifti_volume(as_series(member, file_format="nifti")).voxels
        == read_nifti_volume(as_series(path, file_format="nifti")).voxels
    ).all()


def test_a_single_slice_is_a_radiograph(tmp_path, as_series):
    values = ramp((5, 6))
    path = write_nifti(tmp_path / "a.nii", values, sform=AXES)
    radiograph = read_nifti_radiograph(as_series(path, file_format="nifti", kind="radiograph"))
    assert radiograph.pixels.shape == (6, 5) and radiograph.spacing == pytest.approx((2, 2))
    assert (
        radiograph.pixels[0, 0] == values[4, 5]
    )  # the first row is the patient's front, the first column the patient's right
    with pytest.raises(InconsistentSeries, match="7 slices"):
        read_nifti_radiograph(as_series(write_nifti(tmp_path / "b.nii", ramp(), sform=AXES), file_format="nifti"))


def test_an_absurd_spacing_of_a_radiograph_is_not_measured_with(tmp_path, as_series):
    path = write_nifti(tmp_path / "a.nii", ramp((5, 6)), sform=[[9000.0, 0, 0, 0], [0, 9000.0, 0, 0], [0, 0, 3.0, 0]])
    radiograph = read_nifti_radiograph(as_series(path, file_format="nifti", kind="radiograph"))
    assert (radiograph.spacing, radiograph.spacing_source) == (None, "")
    assert any("9000 x 9000 mm is impossible" in warning for warning in radiograph.warnings)
