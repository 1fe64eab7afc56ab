"""Whether heatmaps point at what people marked: boxes or masks against each image's peak and pixels. Scores nothing, reads no image.

Everything is placed in shares of the image's field (0 to 1 from the first edge to the last), so that boxes drawn on 1024 x 1024 pixels, an image
of 256 and a heatmap of 128 meet exactly.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from engine.errors import CohortRejected, UnreadableImage
from engine.imaging.cohort_csv import read_table
from engine.imaging.series import Series
from engine.scoring.result import SeriesResult
from trainers.metrics import RESAMPLES, resampled_patients

Floats = npt.NDArray[np.float64]
Heatmap = npt.NDArray[np.floating]
_FRAMES = (512, 1024, 256)
"""Columns x512, y512, w512, h512 say by their names that the box lies in a frame of 512 x 512."""


@dataclass(frozen=True, eq=False)
class Region:
    """What a person marked on one image: a box, or a mask.

    Attributes:
        finding: what it is, "" when not said.
        box: (top, left, bottom, right) in shares of the field.
        mask: bool, over the whole field, of any size; instead of a box.
    """

    finding: str
    box: tuple[float, float, float, float] | None = None
    mask: npt.NDArray[np.bool_] | None = None

    def inside(self, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
        """Which pixels of a grid of this shape over the field have their centre in the region."""
        centres = [(np.arange(extent) + 0.5) / extent for extent in shape]
        if self.mask is not None:
            places = [(c * extent).astype(int) for c, extent in zip(centres, self.mask.shape, strict=True)]
            return self.mask[np.ix_(*places)]
        assert self.box is not None
        top, left, bottom, right = self.box
        rows, columns = (centres[-2] >= top) & (centres[-2] < bottom), (centres[-1] >= left) & (centres[-1] < right)
        return np.outer(rows, columns)

    def holds(self, place: Sequence[float]) -> bool:
        """Whether a point, in shares of the field, lies in it."""
        if self.mask is not None:
            return bool(self.mask[tuple(int(p * extent) for p, extent in zip(place, self.mask.shape, strict=True))])
        assert self.box is not None
        top, left, bottom, right = self.box
        return top <= place[-2] < bottom and left <= place[-1] < right

    @property
    def area(self) -> float:
        """Share of the field: how often a point anywhere would hit."""
        if self.mask is not None:
            return float(self.mask.mean())
        assert self.box is not None
        top, left, bottom, right = self.box
        return (min(bottom, 1) - max(top, 0)) * (min(right, 1) - max(left, 0))


@dataclass(frozen=True, eq=False)
class Marked:
    """One image with its heatmap and regions.

    Attributes:
        peaks: [P, dims], where the heatmap has its maximum, in shares of the field; several where it is equal in several pixels.
    """

    result: SeriesResult
    patient: str
    regions: tuple[Region, ...]
    peaks: Floats

    def hit(self, region: Region) -> float:
        """1 when the peak lies in the region, 0 when not; between where the maximum is at several places."""
        return float(np.mean([region.holds(peak) for peak in self.peaks]))

    def pixel_auroc(self, regions: Sequence[Region]) -> float:
        """Area under the ROC curve of the heatmap's pixels inside against outside the regions; NaN where a side has no pixel."""
        assert self.result.heatmap is not None
        heat = self.result.heatmap.astype(np.float32)
        inside = np.logical_or.reduce([region.inside(heat.shape) for region in regions])
        seen = np.isfinite(heat)
        within, values = inside[seen], heat[seen]
        if within.all() or not within.any():
            return float("nan")
        return float(roc_auc_score(within, values))


def read_regions(path: str | Path) -> dict[str, list[Region]]:
    """The boxes (or masks) of a CSV by the image's path, as far as the table gives one: "a.png", or "films/a.png" where names alone do not tell.

    Columns: `path` (or `file`); `label` (or `finding`, `lesions`); and either x, y, w, h in pixels of the image that the boxes were drawn on, whose size the
    columns `rows` and `columns` give; or x512, y512, w512, h512, which say themselves that they lie in 512 x 512; or `mask`, an .npy file of bool
    over the image's whole field, relative to the CSV. Rows with neither are passed over.

    Raises:
        CohortRejected: the file cannot be read, or has no such columns.
    """
    place = Path(path)
    try:
        rows = [{(k or "").strip().lower(): (v or "").strip() for k, v in row.items() if k} for row in read_table(path)]
        found: dict[str, list[Region]] = defaultdict(list)
        for row in rows:
            region = _region(row, place.parent)
            if region is not None:
                found["/".join(_parts(row.get("path") or row["file"]))].append(region)
    except (UnreadableImage, OSError, csv.Error, ValueError, KeyError) as error:
        raise CohortRejected(
            f"the boxes cannot be read ({error.what if isinstance(error, UnreadableImage) else error})",
            where=path,
            cure="Give a CSV with the columns file, label, x, y, w, h, rows, columns.",
        ) from error
    if not found:
        raise CohortRejected(
            "there is no box in this table",
            where=path,
            cure="Give a CSV with the columns file, label, x, y, w, h, rows, columns.",
        )
    return dict(found)


def _region(row: Mapping[str, str], folder: Path) -> Region | None:
    finding = row.get("label") or row.get("finding") or row.get("lesions") or ""
    if row.get("mask"):
        return Region(
            row.get("lesions") or finding, mask=np.load(folder / row["mask"], allow_pickle=False).astype(bool)
        )
    for frame in _FRAMES:
        if row.get(f"x{frame}"):
            x, y, w, h = (float(row[f"{name}{frame}"]) / frame for name in "xywh")
            return Region(finding, (y, x, y + h, x + w))
    if not row.get("x"):
        return None
    rows, columns = float(row["rows"]), float(row["columns"])
    x, y, w, h = (float(row[name]) for name in "xywh")
    return Region(finding, (y / rows, x / columns, (y + h) / rows, (x + w) / columns))


def _parts(path: str) -> list[str]:
    """Folders and file, however they are separated and whatever the path is relative to."""
    return [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]


def called(series: Series) -> tuple[str, ...]:
    """What a table may call a series: the path of its file, or of its folder, or any end of it."""
    paths = dict.fromkeys((series.sources[0], series.path))
    parts = [_parts(str(Path(path).absolute())) for path in paths]
    return tuple("/".join(each[first:]) for each in parts for first in range(len(each)))


def regions_of(series: Series, regions: Mapping[str, Sequence[Region]]) -> tuple[Region, ...]:
    """Those of a series, by whatever it may be called."""
    return tuple(region for name in called(series) for region in regions.get(name, ()))


def check_told_apart(series: Sequence[Series], regions: Mapping[str, Sequence[Region]], path: str | Path) -> None:
    """Raises CohortRejected when boxes of one image would be another's too, or no image is called as the table `path` of the boxes has it."""
    whose: dict[str, str] = {}
    for one in series:
        for name in called(one):
            if name in regions and whose.setdefault(name, one.path) != one.path:
                raise CohortRejected(
                    f"boxes of {name} may be of {whose[name]} or of {one.path}",
                    where=path,
                    cure="Write each image's path into the column `path`, with as many folders as tell it from the others.",
                )
    if series and regions and not whose:
        raise CohortRejected(
            f"no image is called as in this table: it has {next(iter(regions))}, and an image here is {series[0].path}",
            where=path,
            cure="Write each image's file name into the column `path`, with no folder that it does not lie under.",
        )


def marked(
    results: Sequence[SeriesResult], patients: Sequence[str], regions: Mapping[str, Sequence[Region]]
) -> list[Marked]:
    """The results that have both regions and a heatmap."""
    found = []
    for result, patient in zip(results, patients, strict=True):
        own = regions_of(result.series, regions)
        if own and result.heatmap is not None and np.isfinite(result.heatmap).any():
            found.append(Marked(result, patient, own, _peaks(result.heatmap)))
    return found


def _peaks(heatmap: Heatmap) -> Floats:
    places = np.argwhere(heatmap == np.nanmax(heatmap))
    return (places + 0.5) / np.asarray(heatmap.shape)


def localisation(images: Sequence[Marked], regions: Mapping[str, Sequence[Region]]) -> dict[str, Any]:
    """As localisation.json has it: all regions together and those of each finding, with 95% intervals over patients."""
    findings = sorted({region.finding for image in images for region in image.regions})
    measured = sum(len(image.regions) for image in images)
    note = (
        "share_hit: regions in which the heatmap of their image has its highest pixel. share_hit_by_area: expected of a point anywhere in the "
        "image. share_hit_by_other_peaks: expected of another image's peak, which a model that always points at the same place reaches. "
        "pixel_auroc: of each image's pixels inside against outside its regions, then the mean over images. "
        f"Intervals: percentile bootstrap over patients ({RESAMPLES} resamples)."
    )
    return {
        "note": note,
        "n_regions_without_heatmap": sum(len(each) for each in regions.values()) - measured,
        "all": _figures(images, None),
        "findings": {finding or "not stated": _figures(images, finding) for finding in findings},
    }


def _figures(images: Sequence[Marked], finding: str | None) -> dict[str, Any]:
    """Of all regions, or of one finding's."""
    chosen = [
        (image, own)
        for image in images
        if (own := [r for r in image.regions if finding is None or r.finding == finding])
    ]
    # an image marked twice (by two readers, say) counts each region, and its pixels once
    sums = np.array([[len(own), *_hits(image, own, images)] for image, own in chosen], np.float64)
    pixels = np.array([image.pixel_auroc(own) for image, own in chosen])
    patients = [image.patient for image, _ in chosen]
    draws = np.stack(list(resampled_patients(np.ones(len(chosen), bool), patients)))
    totals = draws @ sums
    known = np.isfinite(pixels)
    areas = (draws @ np.where(known, pixels, 0)) / np.maximum(draws @ known, 1e-9)
    regions, hit, by_area, by_others = sums.sum(axis=0)
    return {
        "n_regions": int(regions),
        "n_images": len(chosen),
        "n_patients": len(set(patients)),
        "share_hit": hit / regions,
        "share_hit_ci95": _interval(totals[:, 1] / totals[:, 0]),
        "share_hit_by_area": by_area / regions,
        "share_hit_by_other_peaks": by_others / regions,
        "above_other_peaks_ci95": _interval((totals[:, 1] - totals[:, 3]) / totals[:, 0]),
        "pixel_auroc": float(pixels[known].mean()) if known.any() else None,
        "pixel_auroc_ci95": _interval(areas) if known.any() else None,
    }


def _hits(image: Marked, own: Sequence[Region], images: Sequence[Marked]) -> tuple[float, float, float]:
    """Hits of an image's regions: by its own peak, by a point anywhere, by the other images' peaks."""
    others = [other for other in images if other is not image and other.peaks.shape[1] == image.peaks.shape[1]]
    by_others = sum(np.mean([other.hit(region) for other in others]) if others else 0.0 for region in own)
    return sum(image.hit(region) for region in own), sum(region.area for region in own), float(by_others)


def _interval(values: Floats) -> tuple[float, float]:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
