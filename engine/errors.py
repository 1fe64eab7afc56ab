"""The errors that people see. Each names the file it is about and what can be done; none is raised for a fault of our own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class NormascopeError(Exception):
    """What went wrong with which file, and the cure.

    `where` is a path, an archive member written as `archive.zip!/folder/file.dcm`, or None when no file is concerned.
    `str(error)` is one line that can stand alone in a table cell: "where: what. cure".
    """

    def __init__(self, what: str, *, where: str | Path | None = None, cure: str) -> None:
        self.what = what
        self.where = None if where is None else str(where)
        self.cure = cure
        super().__init__(what)

    def __str__(self) -> str:
        prefix = f"{self.where}: " if self.where else ""
        return f"{prefix}{self.what.rstrip('.')}. {self.cure}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.where, self.cure))

    @property
    def kind(self) -> str:
        """The type's name, as stored with a failed job and shown beside the message."""
        return type(self).__name__


def first_reason(errors: Sequence[NormascopeError | str]) -> str:
    """The first of what was wrong, in brackets, to end a sentence that the error around it closes; "" where nothing was."""
    return f" (the first reason: {str(errors[0]).rstrip('.')})" if errors else ""


def _rebuild(kind: type[NormascopeError], what: str, where: str | None, cure: str) -> NormascopeError:
    """Errors cross process borders: pickle rebuilds them through keyword arguments."""
    return kind(what, where=where, cure=cure)


class UnreadableImage(NormascopeError):
    """The file is empty, truncated, corrupt or not an image."""


class UnsupportedTransferSyntax(UnreadableImage):
    """The file is DICOM, but compressed in a way no installed decoder reads."""


class UnsafeArchive(NormascopeError):
    """An archive that would expand without bound, writes outside itself or is encrypted."""


class ImplausibleImage(NormascopeError):
    """The file decodes, but what it holds cannot be a medical image: one pixel, NaN, absurd spacing, a colour photograph."""


class ImpossibleSpacing(ImplausibleImage):
    """A film says that its pixels lie impossibly far apart. The one error that withholds nothing: it is shown and scored, and not measured."""


class InconsistentSeries(NormascopeError):
    """The slices do not make one volume: too few, mixed sizes or orientations."""


class NotApplicable(NormascopeError):
    """The image is sound, but outside what the model was trained on (modality, body part, view)."""


class BundleRejected(NormascopeError):
    """A model bundle that is truncated, of another architecture or version, or not safetensors."""


class CohortRejected(NormascopeError):
    """A training or evaluation cohort that cannot be used: too few studies, one patient, mixed kinds."""


class StorageUnavailable(NormascopeError):
    """The disk is full, the folder is read-only or the database cannot be opened."""


class DeviceExhausted(NormascopeError):
    """The device has no memory left for even one image."""


class TrainingFailed(NormascopeError):
    """The cohort is sound, but the run did not come to a network: no finite loss, nothing to stop by, no memory for a step."""
