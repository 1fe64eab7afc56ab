"""Requests that run off the GUI thread and the responses they bring back. A request captures all it needs and changes nothing it was given.

Every response carries the key of the series it answers for; the viewer drops those whose key is not the one on screen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.tasks import TaskControl
from app.viewer.map_field import covers
from app.viewer.picture import Picture, picture_of_radiograph, picture_of_volume
from app.viewer.result_layers import ResultLayers, empty_layer, fill_grey, fill_heatmap
from engine.errors import InconsistentSeries, NormascopeError, UnreadableImage
from engine.imaging.series import Series
from engine.imaging.volume import Volume


@dataclass(frozen=True, eq=False)
class PictureResponse:
    """A picture of the series `series_key`; `slice_index` has just been loaded, or None once all are."""

    series_key: str
    picture: Picture
    slice_index: int | None = None


@dataclass(frozen=True)
class OpenSeries:
    """Decode a series. A volume reports each slice as a partial `PictureResponse`, the middle one first."""

    series: Series

    def __call__(self, control: TaskControl) -> PictureResponse:
        """On a worker thread. Raises the `NormascopeError`s of the engine."""
        try:
            return self._open(control)
        except MemoryError as error:
            raise UnreadableImage(
                "there is not enough memory for this series",
                where=self.series.path,
                cure="Close other programs and open it again.",
            ) from error

    def _open(self, control: TaskControl) -> PictureResponse:
        key = self.series.key
        if self.series.kind == "radiograph":
            return PictureResponse(key, picture_of_radiograph(self.series, self.series.load_radiograph()))
        pictures: dict[int, Picture] = {}

        def on_slice(volume: Volume, index: int) -> None:
            picture = pictures.get(id(volume))
            if picture is None:
                picture = pictures.setdefault(id(volume), picture_of_volume(self.series, volume))
            control.partial(PictureResponse(key, picture, index))

        volume = self.series.load_volume(on_slice=on_slice, cancelled=control.cancelled)
        return PictureResponse(key, picture_of_volume(self.series, volume))


@dataclass(frozen=True, eq=False)
class GivenResult:
    """A result as it was handed over: arrays may be memory maps. `label` says which model's it is."""

    heatmap: npt.NDArray[np.generic] | None
    reconstruction: npt.NDArray[np.generic] | None
    difference: npt.NDArray[np.generic] | None
    label: str


@dataclass(frozen=True, eq=False)
class PrepareResult:
    """Make a result's maps ready to draw. Reports each slice as a partial (`ResultLayers`, index)."""

    series_key: str
    shape: tuple[int, ...]
    first_slice: int
    given: GivenResult

    def __call__(self, control: TaskControl) -> ResultLayers:
        """On a worker thread. Raises InconsistentSeries when a map does not have the image's shape: it is of another image."""
        given = self.given
        layers = ResultLayers(
            self.series_key,
            self._checked("heatmap", given.heatmap),
            self._checked("reconstruction", given.reconstruction),
            self._checked("difference", given.difference),
            given.label,
        )
        for layer, values, fill in (
            (layers.heatmap, given.heatmap, fill_heatmap),
            (layers.reconstruction, given.reconstruction, fill_grey),
            (layers.difference, given.difference, fill_grey),
        ):
            if layer is not None and values is not None:
                for index in fill(layer, values, self.first_slice, control.cancelled):
                    control.partial((layers, index))
        return layers

    def _checked(self, what: str, given: npt.NDArray[Any] | None) -> Any:
        if given is None:
            return None
        if not covers(given.shape, self.shape):
            made, wanted = (" x ".join(map(str, shape)) for shape in (given.shape, self.shape))
            raise InconsistentSeries(
                f"the {what} is {made}, the image {wanted}, so it is not drawn", cure="Score the study again."
            )
        return empty_layer(self.shape)


def as_normascope_error(error: Exception, series: Series) -> NormascopeError:
    """What to show for any error: ours as it is; a fault of the program named as such, with what the reader can do."""
    if isinstance(error, NormascopeError):
        return error
    return UnreadableImage(
        f"an unexpected fault stopped the loading ({type(error).__name__}: {error})",
        where=series.path,
        cure="Open another series; if it happens again, report it with the log.",
    )
