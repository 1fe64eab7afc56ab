"""Finds what there is to read: file, folder, DICOMDIR, zip, PNG, JPEG, NIfTI or cohort CSV to `Series`. Decodes no pixel, writes nothing.

A projection image is handed over as soon as its header is read; slices wait until all files are known, since their series may lie scattered.
One bad file costs one `NormascopeError`, and the rest goes on. A film with an impossible spacing costs one too, and is handed over all the same.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.errors import NormascopeError, UnreadableImage, UnsafeArchive
from engine.imaging import archives, sources
from engine.imaging.cohort_csv import CohortRow, read_cohort_csv
from engine.imaging.dicom_header import frame_headers
from engine.imaging.dicomdir import DICOMDIR_CLASS, referenced_files
from engine.imaging.display_sets import radiograph_of, series_of_slices, volume_of_frames
from engine.imaging.file_kinds import foreign_kind, has_image_name, is_document, is_unmentioned, kind_of_file
from engine.imaging.film_spacing import spacing_error
from engine.imaging.fingerprint import file_fingerprint
from engine.imaging.header_memory import Beginning, beginning_of, remembered_header
from engine.imaging.identifiers import derived_uid
from engine.imaging.image_header import ImageHeader
from engine.imaging.instance_kinds import kind_of, not_a_picture
from engine.imaging.patients import PatientsApart
from engine.imaging.raster import raster_size
from engine.imaging.series import Series
from engine.imaging.stated import as_stated

OnError = Callable[[NormascopeError], None]
OnPassedOver = Callable[[str], None]


@dataclass(frozen=True)
class _Listener:
    """Who is told of what becomes no series."""

    error: OnError
    passed_over: OnPassedOver


def open_study(
    path: str | Path, *, on_error: OnError | None = None, on_passed_over: OnPassedOver | None = None
) -> Iterator[Series]:
    """The series at `path`: a file, a folder (with all below it), a DICOMDIR, a zip, or a cohort CSV. No pixel is decoded.

    Args:
        on_error: called with the `NormascopeError` of each item that cannot be opened; the rest goes on. Also, after a film is yielded whose
            spacing is impossible, with its `ImpossibleSpacing`. None raises the first instead.
        on_passed_over: called with each file of a folder or archive that nobody takes for an image: a PDF, a table, a text.

    Yields:
        One `Series` a display set. Projection images come in file order at once; volumes follow when all files have been seen.
    """
    listener = _Listener(on_error or _raise, on_passed_over or _ignore)
    try:
        yield from _opened(Path(path), listener)
    except NormascopeError as problem:
        if on_error is None:
            raise
        on_error(problem)


def _opened(place: Path, listener: _Listener) -> Iterator[Series]:
    if place.is_dir():
        yield from _from_folder(place, listener)
    elif place.suffix.lower() == ".csv" and place.is_file():
        yield from _from_cohort(place, listener)
    elif place.exists() and not place.is_file():
        raise UnreadableImage("this is neither a file nor a folder", where=place, cure="Choose a file or a folder")
    else:
        yield from _from_files([str(place)], listener, asked_for=True)


def _from_folder(folder: Path, listener: _Listener) -> Iterator[Series]:
    problems = 0

    def counted(problem: NormascopeError) -> None:
        nonlocal problems
        problems += 1
        listener.error(problem)

    found = 0
    counting = replace(listener, error=counted)
    for series in _from_files(_files_below(folder, counting), counting, asked_for=False):
        found += 1
        yield series
    if not found and not problems:
        raise UnreadableImage(
            "no image was found in this folder",
            where=folder,
            cure="Choose a folder with DICOM, PNG, JPEG or NIfTI files",
        )


def _from_cohort(table: Path, listener: _Listener) -> Iterator[Series]:
    for row in read_cohort_csv(table):
        for series in _from_row(row, listener):
            try:
                yield as_stated(series, row)
            except NormascopeError as problem:
                listener.error(problem)


def _from_row(row: CohortRow, listener: _Listener) -> Iterator[Series]:
    place = Path(row.path)
    try:
        if place.is_dir():
            yield from _from_folder(place, listener)
        else:
            yield from _from_files([row.path], listener, asked_for=True)
    except NormascopeError as problem:
        listener.error(problem)


def _files_below(folder: Path, listener: _Listener) -> Iterator[str]:
    """Every file below the folder in natural order ("2" before "10"), following links to folders but never round in a circle; documents are told apart."""
    seen: set[str] = set()
    waiting = [str(folder)]
    while waiting:
        place = waiting.pop()
        real = os.path.realpath(place)
        if real in seen:
            continue
        seen.add(real)
        try:
            folders, files = _entries(place)
        except OSError as problem:
            listener.error(sources.disk_error(problem.filename or place, problem))
            continue
        for name in files:
            path = os.path.join(place, name)  # noqa: PTH118 - 100,000 Paths take longer than looking into the files
            if is_document(name):
                listener.passed_over(path)
            else:
                yield path
        waiting += [os.path.join(place, name) for name in reversed(folders)]  # noqa: PTH118


def _entries(place: str) -> tuple[list[str], list[str]]:
    """(folders, files) of one folder in natural order, without what goes unmentioned; no pipes or devices. Links that lead nowhere are files."""
    folders, files = [], []
    with os.scandir(place) as entries:
        for entry in entries:
            if is_unmentioned(entry.name):
                continue
            if _is_folder(entry):
                folders.append(entry.name)
            elif entry.is_symlink() or entry.is_file():
                files.append(entry.name)
    return sorted(folders, key=natural_order), sorted(files, key=natural_order)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def natural_order(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts "slice 2" before "slice 10"."""
    return tuple(
        (0, int(part), "") if part.isdecimal() else (1, 0, part.lower()) for part in re.split(r"(\d+)", name) if part
    )


def _from_files(files: Iterable[str], listener: _Listener, *, asked_for: bool) -> Iterator[Series]:
    finder = _Finder(listener)
    for file in files:
        yield from _doubted(finder.add(file, asked_for=asked_for), listener)
    yield from _doubted(finder.volumes(), listener)


def _doubted(found: Iterator[Series], listener: _Listener) -> Iterator[Series]:
    """The series; the listener hears of each film that cannot be measured because its file says what cannot be."""
    for series in found:
        yield series
        if (problem := spacing_error(series)) is not None:
            listener.error(problem)


@dataclass
class _Finder:
    """Collects slices and hands over everything else, file by file."""

    listener: _Listener
    slices: list[ImageHeader] = field(default_factory=list)
    instances: dict[str, str] = field(default_factory=dict)
    patients: PatientsApart = field(default_factory=PatientsApart)

    def add(self, source: str, *, asked_for: bool) -> Iterator[Series]:
        """What the file holds that stands alone. `asked_for`: the person named this very file, so it is never passed over in silence."""
        try:
            yield from self._add(source, asked_for=asked_for)
        except NormascopeError as problem:
            self.listener.error(problem)

    def volumes(self) -> Iterator[Series]:
        """The volumes that the collected slices make."""
        yield from series_of_slices(self.slices, self.patients)

    def _add(self, source: str, *, asked_for: bool) -> Iterator[Series]:
        name = sources.source_name(source)
        beginning = beginning_of(source)
        start = beginning.data
        if not start:
            raise UnreadableImage("the file is empty", where=source, cure="Copy or export it again")
        kind = kind_of_file(name, start)
        if kind == "raster":
            yield _raster_series(source)
        elif kind == "nifti":
            yield _nifti_series(source)
        elif kind == "zip":
            yield from self._archive(source)
        elif kind == "other":
            raise UnreadableImage(
                f"{foreign_kind(start)}, which is not read", where=source, cure=_cure(foreign_kind(start))
            )
        elif kind != "text" or asked_for or has_image_name(name):
            yield from self._dicom(source, beginning, asked_for=asked_for)
        else:
            self.listener.passed_over(source)

    def _archive(self, source: str) -> Iterator[Series]:
        if sources.is_member(source):
            raise UnsafeArchive(
                "an archive inside an archive is not opened",
                where=source,
                cure="Unpack the outer archive and open the folder",
            )
        present = sorted((name for name in archives.members(source) if not is_unmentioned(name)), key=natural_order)
        names = [name for name in present if not is_document(name)]
        if not names:
            raise UnreadableImage(
                "no image was found in this archive",
                where=source,
                cure="Choose an archive of DICOM, PNG, JPEG or NIfTI files",
            )
        for name in present:
            member = sources.member_source(source, name)
            if is_document(name):
                self.listener.passed_over(member)
            else:
                yield from self.add(member, asked_for=False)

    def _dicom(self, source: str, beginning: Beginning, *, asked_for: bool) -> Iterator[Series]:
        header = remembered_header(source, beginning)
        if header.sop_class_uid == DICOMDIR_CLASS:
            if asked_for:
                yield from self._directory(source)
            return
        if words := not_a_picture(header):
            raise UnreadableImage(f"holds {words}, not an image", where=source, cure="Open the study's images")
        if not header.has_pixels:
            raise UnreadableImage(
                "the DICOM file has no pixel data, or ends before it", where=source, cure="Copy or export it again"
            )
        kind = kind_of(header)
        header = self.patients.told_apart(header)
        if kind == "slice":
            self.slices.append(header)
            return
        twin = self.instances.setdefault(header.sop_instance_uid or source, source)
        if twin == source:
            warnings = self.patients.warnings(header)
            yield self._slices_series(header, warnings) if kind == "slices" else radiograph_of(header, warnings)
        elif sources.read_bytes(twin) != sources.read_bytes(source):  # an exact copy is passed over
            yield radiograph_of(header, self.patients.warnings(header), unlike_its_twin=True)

    def _directory(self, source: str) -> Iterator[Series]:
        if sources.is_member(source):
            return  # its images are members too
        for item in referenced_files(source):
            if isinstance(item, NormascopeError):
                self.listener.error(item)
            else:
                yield from self.add(str(item), asked_for=False)

    def _slices_series(self, header: ImageHeader, warnings: tuple[str, ...]) -> Series:
        frames = frame_headers(header.source)
        if all(frame.position is not None and frame.orientation is not None for frame in frames):
            return volume_of_frames(header, frames[0], warnings)
        return radiograph_of(header, warnings)


def _raster_series(source: str) -> Series:
    rows, columns = raster_size(source)
    uid = derived_uid("series", source)
    return Series(
        key=uid,
        study_uid=derived_uid("study", source),
        series_uid=uid,
        kind="radiograph",
        format="raster",
        sources=(source,),
        description=sources.source_name(source),
        rows=rows,
        columns=columns,
        fingerprint=file_fingerprint(source),
    )


def _nifti_series(source: str) -> Series:
    from engine.imaging.nifti import read_nifti_header

    columns, rows, slices = read_nifti_header(source).size
    uid = derived_uid("series", source)
    return Series(
        key=uid,
        study_uid=derived_uid("study", source),
        series_uid=uid,
        kind="volume" if slices > 1 else "radiograph",
        format="nifti",
        sources=(source,),
        description=sources.source_name(source),
        rows=rows,
        columns=columns,
        frames=slices,
        fingerprint=file_fingerprint(source),
    )


def _cure(kind: str) -> str:
    if "archive" in kind:
        return "Unpack it and open the folder"
    return "Convert it to PNG" if "picture" in kind else "Open DICOM, PNG, JPEG or NIfTI files"


def _raise(problem: NormascopeError) -> None:
    raise problem


def _ignore(_: str) -> None:
    pass
