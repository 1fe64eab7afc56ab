"""What a reader must know of a series. `Series` is one; readers know no more of it, so that it can call them."""

from __future__ import annotations

from typing import Literal, Protocol

FileFormat = Literal["dicom", "raster", "nifti"]


class SeriesFiles(Protocol):
    """Where a series' bytes are, and what discovery said of them: see `Series` for each attribute."""

    @property
    def format(self) -> FileFormat:
        """Which reader."""

    @property
    def sources(self) -> tuple[str, ...]:
        """One entry a file."""

    @property
    def path(self) -> str:
        """What to call the series in an error."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the reader's own warnings are added to."""
