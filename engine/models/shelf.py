"""The bundles that are installed, and their cards, read without torch: a safetensors file begins with its header's length and the header as JSON.

Never loads weights (bundle.py does), never runs anything that a file contains.
"""

from __future__ import annotations

import hashlib
import json
import logging
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import ValidationError

from engine.errors import BundleRejected
from engine.models.card import CARD_VERSION, Card
from engine.models.registry import METHODS

log = logging.getLogger(__name__)

SUFFIX = ".safetensors"
LONGEST_HEADER = 100_000_000  # bytes; the safetensors format's own limit
SHIPPED = Path(__file__).parents[2] / "resources" / "models"

_ELEMENT_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


@dataclass(frozen=True)
class InstalledBundle:
    """One bundle on the shelf. `id` is the card's, `hash` names the file's content."""

    id: str
    path: Path
    hash: str
    card: Card


def user_folder() -> Path:
    """Where a user's own bundles are kept."""
    return Path(platformdirs.user_data_path("normascope")) / "models"


def installed(*, on_error: Callable[[BundleRejected], None] | None = None) -> list[InstalledBundle]:
    """Every sound bundle, those that ship first, by id. A user's bundle takes the place of a shipped one of the same id.

    `on_error` is told of each file that is not a sound bundle; without it such a file is logged and left out.
    """
    found: dict[str, InstalledBundle] = {}
    for path in _files():
        try:
            bundle = _installed_bundle(path)
        except BundleRejected as error:
            if on_error is not None:
                on_error(error)
            else:
                log.warning("%s", error)
            continue
        found[bundle.id] = bundle
    return list(found.values())


def find(id_or_path: str | Path) -> InstalledBundle:
    """The bundle in a file, or on the shelf under an id.

    Raises:
        BundleRejected: there is no such file or id, or the file is not a sound bundle.
    """
    path = Path(id_or_path)
    if path.suffix == SUFFIX or path.is_file():
        return _installed_bundle(path)
    shelf = installed()
    for bundle in shelf:
        if bundle.id == str(id_or_path):
            return bundle
    known = ", ".join(bundle.id for bundle in shelf) or "none"
    raise BundleRejected(
        f"no model is called {str(id_or_path)!r}",
        cure=f"Installed: {known}. Or give the path of a {SUFFIX} file.",
    )


def read_card(path: str | Path) -> Card:
    """The card in a bundle's header; no weight is read.

    Raises:
        BundleRejected: missing, truncated, not safetensors, no card, a card of a newer version, one that contradicts itself, or an unknown
            method or preprocessing.
    """
    path = Path(path)
    header = read_header(path)
    metadata = header.get("__metadata__")
    text = metadata.get("card") if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        raise _rejected(path, "it is a safetensors file without a model card", "Choose a model made by Normascope.")
    try:
        values: dict[str, Any] = json.loads(text)
        version = int(values["card_version"])
    except (ValueError, TypeError, KeyError) as error:
        raise _rejected(path, "its model card is damaged", "Copy the file again from where it came.") from error
    if version > CARD_VERSION:
        raise _rejected(
            path,
            f"its card is of version {version}, and this Normascope reads up to {CARD_VERSION}",
            "Install a newer Normascope.",
        )
    try:
        card = Card.model_validate(values)
    except ValidationError as error:
        raise _rejected(
            path, f"its model card is not valid ({_first_fault(error)})", "Ask its maker for a new one."
        ) from error
    if card.method not in METHODS:
        raise _rejected(
            path, f"it needs the method {card.method!r}, which is not known here", "Install a newer Normascope."
        )
    _check_preprocessing(path, card)
    return card


def bundle_hash(path: str | Path) -> str:
    """The first 16 hex digits of the file's SHA-256: results are kept under it. Raises BundleRejected when the file cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise _unreadable(Path(path), error) from error


def read_header(path: Path) -> dict[str, Any]:
    """A safetensors header, its offsets checked against the file's length.

    Raises:
        BundleRejected: as `read_card`, for what concerns the file alone.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            if not start:
                raise _rejected(path, "the file is empty", "Copy it again from where it came.")
            if len(start) < 8:
                raise _not_safetensors(path)
            (length,) = struct.unpack("<Q", start)
            if length > LONGEST_HEADER:
                raise _not_safetensors(path)
            if 8 + length > size:
                raise _truncated(path)
            text = file.read(length)
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        header = json.loads(text)
        tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
        end = max((_checked_end(entry) for entry in tensors.values()), default=0)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _not_safetensors(path) from error
    if 8 + length + end > size:
        raise _truncated(path)
    return dict(header)


def _checked_end(entry: dict[str, Any]) -> int:
    """Where a tensor's bytes end; raises ValueError when they do not fit its shape."""
    first, last = entry["data_offsets"]
    count = 1
    for extent in entry["shape"]:
        count *= int(extent)
    if not 0 <= first <= last or last - first != count * _ELEMENT_BYTES[entry["dtype"]]:
        raise ValueError("offsets do not fit the shape")
    return int(last)


def _check_preprocessing(path: Path, card: Card) -> None:
    """Raises BundleRejected unless images can be prepared as the card says: told of each image instead, it would look like the image's fault."""
    # imported here: the first window shows its frame without it
    from engine.preprocess import HeadCtOptions, chosen_options

    name = card.preprocessing.name
    try:
        options = chosen_options(card.preprocessing)
    except ValueError as error:
        reason = _first_fault(error) if isinstance(error, ValidationError) else str(error)
        raise _rejected(
            path,
            f"it needs the preprocessing {name!r} as it is not known here ({reason})",
            "It may be from a newer version: install a newer Normascope, or ask its maker for a new one.",
        ) from error
    if card.input.spatial_dims != (3 if isinstance(options, HeadCtOptions) else 2):
        raise _rejected(
            path,
            f"its model card is not valid (the preprocessing {name!r} does not make an input of {card.input.spatial_dims} dimensions)",
            "Ask its maker for a new one.",
        )


def _first_fault(error: ValidationError) -> str:
    """What is wrong with the first field that is, after its name, without pydantic's own words."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return ": ".join(part for part in (place, first["msg"].removeprefix("Value error, ")) if part)


def _files() -> Iterator[Path]:
    for folder in (SHIPPED, user_folder()):
        if folder.is_dir():
            yield from sorted(folder.glob(f"*{SUFFIX}"))


def _installed_bundle(path: Path) -> InstalledBundle:
    card = read_card(path)
    return InstalledBundle(card.id, path, bundle_hash(path), card)


def _rejected(path: Path, what: str, cure: str) -> BundleRejected:
    return BundleRejected(what, where=path, cure=cure)


def _not_safetensors(path: Path) -> BundleRejected:
    return _rejected(path, "this is not a safetensors file", f"Choose a model bundle, a {SUFFIX} file with a card.")


def _truncated(path: Path) -> BundleRejected:
    return _rejected(path, "the file is shorter than its header says", "Copy it again from where it came.")


def _unreadable(path: Path, error: OSError) -> BundleRejected:
    return _rejected(
        path, f"the file cannot be read ({error.strerror or error})", "Check the path and its permissions."
    )
