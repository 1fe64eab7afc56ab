"""Reads a cohort for training or evaluation: which series, whose, and what is known of them; checks that it can be used. Loads no network."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.errors import CohortRejected, NormascopeError, first_reason
from engine.imaging.cohort_csv import LABELS, read_cohort_csv
from engine.imaging.discovery import open_study
from engine.imaging.series import Series
from engine.models.card import Applicability, Preprocessing, SplitBy
from engine.preprocess import prepare
from trainers.copies import copies
from trainers.parts import KEEP_APART, check_one_part, in_words, part_of_patient, regions

FEWEST_NORMALS = 20
SIZES_APART = 4
"""Ratio of the longest sides from which sizes are said to be mixed."""
_RADIOGRAPHY = frozenset({"CR", "DX", "RG", "DR", "XR"})
_LAYOUT = 2
"""Of what a run's folder keeps of prepared images; another one is made anew."""


@dataclass(frozen=True)
class Cohort:
    """Series of one kind, and what could not be read.

    Attributes:
        series: found, not decoded; `label` is "abnormal", "normal" or "" (not stated).
        failures: one error a file that is no image or cannot be opened, or that is a film of `series` with an impossible spacing.
        notes: in words, what whoever trains on it must know of how it was drawn.
    """

    path: str
    series: tuple[Series, ...]
    failures: tuple[NormascopeError, ...] = field(default=())
    notes: tuple[str, ...] = field(default=())

    @property
    def patients(self) -> tuple[str, ...]:
        """Whose each series is. A file that names no patient is taken for a patient of its own."""
        return tuple(series.patient_id or series.study_uid for series in self.series)

    def units(self, split_by: SplitBy) -> tuple[str, ...]:
        """What a split keeps on one side: whose each series is, or which body part of whom."""
        if split_by == "patient":
            return self.patients
        pairs = zip(self.patients, self.series, strict=True)
        return tuple(part_of_patient(patient, series.body_part) for patient, series in pairs)

    def labelled(self, *labels: str) -> Cohort:
        """The series with one of these labels."""
        return Cohort(self.path, tuple(s for s in self.series if s.label in labels), self.failures)


def read_cohort(path: str | Path) -> Cohort:
    """Everything `open_study` finds at `path`; a bad file is one failure, and the rest goes on.

    Raises:
        CohortRejected: nothing could be read, radiographs and volumes are mixed, or a table contradicts itself.
    """
    failures: list[NormascopeError] = []
    series = tuple(open_study(path, on_error=failures.append))
    if not series:
        if failures and isinstance(failures[0], CohortRejected):
            raise failures[0]  # it is the table that cannot be used, and not its images
        raise CohortRejected(
            f"no image could be read{first_reason(failures)}",
            where=path,
            cure="Give a folder, archive or CSV of images.",
        )
    kinds = {item.kind for item in series}
    if len(kinds) > 1:
        raise CohortRejected(
            "radiographs and volumes are mixed", where=path, cure="Keep them apart: a model reads one kind."
        )
    _check_agreement(series, path)
    return Cohort(str(path), series, tuple(failures))


def _check_agreement(series: Sequence[Series], path: str | Path) -> None:
    """Raises CohortRejected when one image is of two patients, or normal and abnormal: it could lie on both sides of a split."""
    known: dict[tuple[str, ...], tuple[str, str]] = {}
    for one in series:
        patient, label = known.get(one.sources, ("", ""))
        differing = [
            what
            for what, first, second in (("patients", patient, one.patient_id), ("labels", label, one.label))
            if first and second and first != second
        ]
        known[one.sources] = patient or one.patient_id, label or one.label
        if differing:
            raise CohortRejected(
                f"{one.path} is there more than once, with different {' and '.join(differing)}",
                where=path,
                cure="Leave the line that is right.",
            )


def check_labels(path: str | Path) -> None:
    """Raises CohortRejected when a table has labels and none of them is known: 0 and 1, say, or "healthy" and "sick".

    Taken for no labels at all, they would make every image a normal one.
    """
    called = _labels(path)
    if called and not any(word.lower() in LABELS for word in called):
        raise CohortRejected(
            f"no label of this table is {' or '.join(LABELS)} (it has {_most(called)})",
            where=path,
            cure=f"Write {' or '.join(LABELS)} in the column `label`, or give the column another name if all images are normal.",
        )


def unknown_labels(path: str | Path) -> str:
    """In brackets, which labels a table has that nobody knows, beside which are known; "" where all are, or it has none."""
    unknown = Counter({word: count for word, count in _labels(path).items() if word.lower() not in LABELS})
    return f" (the table also has the labels {_most(unknown)}; known are {' and '.join(LABELS)})" if unknown else ""


def _labels(path: str | Path) -> Counter[str]:
    """How often each is in a table, as it is written there; none of what is no table."""
    if Path(path).suffix.lower() != ".csv":
        return Counter()
    return Counter(row.called for row in read_cohort_csv(path) if row.called)


def _most(called: Counter[str]) -> str:
    return ", ".join(repr(word) for word, _ in called.most_common(3))


def check_normals(cohort: Cohort, together: Iterable[str] = ()) -> None:
    """Raises CohortRejected unless there are enough normals of one kind, of more than one patient, none of them labelled abnormal.

    Args:
        together: body parts that one model knows, which are no mixture.
    """
    if any(series.label == "abnormal" for series in cohort.series):
        raise CohortRejected("images labelled abnormal are among the normals", where=cohort.path, cure="Take them out.")
    if len(cohort.series) < FEWEST_NORMALS:
        raise CohortRejected(
            f"{len(cohort.series)} normal images are too few{unknown_labels(cohort.path)}",
            where=cohort.path,
            cure=f"Collect at least {FEWEST_NORMALS}; several hundred make a useful model.",
        )
    if len(set(cohort.patients)) < 2:
        raise CohortRejected(
            "all images are of one patient", where=cohort.path, cure="Collect images of many patients, with their IDs."
        )
    check_alike(cohort.series, cohort.path)
    check_one_part(cohort.series, cohort.path, together)


def check_alike(series: Sequence[Series], path: str) -> None:
    """Raises CohortRejected when modalities, or patients and phantoms are mixed; what states no modality is taken for alike."""
    if len({one.synthetic for one in series}) > 1:
        raise CohortRejected(
            "patients and synthetic phantoms are mixed", where=path, cure="Keep them apart: they look different."
        )
    modalities = Counter(
        "radiograph" if one.modality in _RADIOGRAPHY else one.modality for one in series if one.modality
    )
    if len(modalities) > 1:
        raise CohortRejected(f"several modalities are mixed ({in_words(modalities)})", where=path, cure=KEEP_APART)


def mixed_sizes(series: Sequence[Series]) -> str:
    """In words, that images of very different sizes are together (thumbnails among originals, say); "" when they are not."""
    sizes = sorted(((one.rows, one.columns) for one in series if one.rows and one.columns), key=max)
    if not sizes or max(sizes[-1]) < SIZES_APART * max(sizes[0]):
        return ""
    (low, wide), (high, wider) = sizes[0], sizes[-1]
    return f"Images from {low} x {wide} to {high} x {wider} pixels are mixed. All are resized, so that sharpness may tell them apart instead of disease."


def unnamed_patients(series: Sequence[Series]) -> str:
    """In words, that images name no patient, so that two of one patient cannot be told; "" when all do."""
    unnamed = sum(not one.patient_id for one in series)
    if not unnamed:
        return ""
    return f"{unnamed} images name no patient. Each is taken for a patient of its own: films of one patient may lie on both sides of a split."


def check_apart(normals: Cohort, abnormals: Cohort) -> None:
    """Raises CohortRejected when an image is on both sides, be it the same file or a copy of it."""
    both = {series.sources for series in normals.series} & {series.sources for series in abnormals.series}
    both = both or copies(normals.series, abnormals.series)
    if both:
        raise CohortRejected(
            f"{len(both)} images are among the normals and the abnormals",
            where=abnormals.path,
            cure="Give two folders without images in common, or a CSV with a label column for both.",
        )


def inferred_applicability(series: Sequence[Series]) -> Applicability:
    """What the cohort's tags and table say a study must be; what some images do not state limits nothing but the modality."""

    def values(name: str) -> tuple[str, ...]:
        found = {str(getattr(item, name)).upper() for item in series}
        return () if "" in found else tuple(sorted(found))

    part = regions(series)
    modality = tuple(sorted({item.modality.upper() for item in series if item.modality}))
    if set(modality) & {"CR", "DX"}:
        modality = tuple(sorted({*modality, "CR", "DX"}))  # two names of one kind of image
    return Applicability(
        modality=modality,
        body_part=() if "" in part else tuple(sorted(part)),
        view=values("view"),
        synthetic=all(item.synthetic for item in series),
    )


def decoded(
    series: Sequence[Series], preprocessing: Preprocessing, size: tuple[int, ...], workers: int = 2
) -> Iterator[npt.NDArray[np.float32] | NormascopeError]:
    """What the network sees of each series, [1, *S] float32 in [-1, 1], in order; or why it cannot be prepared."""

    def one(item: Series) -> npt.NDArray[np.float32] | NormascopeError:
        try:
            image = item.load_radiograph() if item.kind == "radiograph" else item.load_volume(workers=1)
            return prepare(image, preprocessing, size).tensor
        except NormascopeError as error:
            error.where = error.where or item.path
            return error

    ahead = 8 * workers  # so that a large cohort is never decoded faster than it is taken
    with ThreadPoolExecutor(workers) as pool:
        for first in range(0, len(series), ahead):
            yield from pool.map(one, series[first : first + ahead])


def as_bytes(seen: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """[1, *S] in [-1, 1] -> [*S], 0 and 255 standing for -1 and 1."""
    return np.rint((seen[0] + 1) * 127.5).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class PreparedCohort:
    """Network inputs kept as bytes, so that loading never stalls an epoch.

    Attributes:
        images: [N, *S] uint8, memory-mapped; 0 and 255 stand for -1 and 1.
        kept: index into the cohort of each.
        failures: why the others could not be prepared.
    """

    images: npt.NDArray[np.uint8]
    kept: tuple[int, ...]
    failures: tuple[NormascopeError, ...]


def prepare_cohort(
    series: Sequence[Series],
    preprocessing: Preprocessing,
    size: tuple[int, ...],
    folder: Path,
    on_share: Callable[[float], None] | None = None,
) -> PreparedCohort:
    """Decode and preprocess once, into `folder`; what an earlier run left there of the same series is used again.

    Raises OSError when there is no room for it.
    """
    asked = json.dumps([_LAYOUT, [s.sources for s in series], preprocessing.model_dump(), size], sort_keys=True)
    name = hashlib.sha256(asked.encode()).hexdigest()[:16]
    array_file, index_file = folder / f"{name}.npy", folder / f"{name}.json"
    if index_file.exists():
        index = json.loads(index_file.read_text())
        errors = tuple(NormascopeError(e["what"], where=e["where"], cure=e["cure"]) for e in index["failures"])
        # the array has a row for every series asked for: those past the kept ones were never written
        images = np.load(array_file, mmap_mode="r")[: len(index["kept"])]
        return PreparedCohort(images, tuple(index["kept"]), errors)
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{name}.partial.npy"
    images = np.lib.format.open_memmap(partial, "w+", np.uint8, (len(series), *size))
    _reserve(partial)
    kept: list[int] = []
    failures: list[NormascopeError] = []
    for done, found in enumerate(decoded(series, preprocessing, size)):
        if isinstance(found, NormascopeError):
            failures.append(found)
        else:
            images[len(kept)] = as_bytes(found)
            kept.append(done)
        if on_share is not None:
            on_share((done + 1) / len(series))
    images.flush()
    del images
    partial.replace(array_file)
    said = [{"what": error.what, "where": error.where, "cure": error.cure} for error in failures]
    write_whole(index_file, json.dumps({"kept": kept, "failures": said}))
    return PreparedCohort(np.load(array_file, mmap_mode="r")[: len(kept)], tuple(kept), tuple(failures))


def _reserve(path: Path) -> None:
    """Find out now whether the disk has room for all of a file: a sparse one on a full disk kills the process at the first write."""
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError:
        path.unlink()
        raise


def write_whole(path: Path, text: str) -> None:
    """All of the text or nothing, also when the power fails."""
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def write_table(path: Path, columns: Sequence[str], rows: Sequence[dict[str, object]]) -> None:
    """A CSV file with a header."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
