"""What a file is, from its first bytes, and which files of a folder are no images by their names. Opens nothing."""

from __future__ import annotations

from typing import Literal

from engine.imaging.raster import looks_like_raster
from engine.imaging.sources import looks_like_zip

FileKind = Literal["dicom", "raster", "nifti", "zip", "text", "other", "unknown"]

START_BYTES = 544
"""How much of a file tells its kind."""

_NO_IMAGES = frozenset(
    [
        ".csv",
        ".tsv",
        ".txt",
        ".json",
        ".xml",
        ".yaml",
        ".yml",
        ".html",
        ".htm",
        ".css",
        ".js",
        ".md",
        ".rst",
        ".log",
        ".pdf",
        ".doc",
        ".docx",
        ".xls",
        ".xlsx",
        ".ppt",
        ".pptx",
        ".odt",
        ".ods",
        ".rtf",
        ".py",
        ".ipynb",
        ".r",
        ".m",
        ".ini",
        ".inf",
        ".cfg",
        ".toml",
        ".exe",
        ".dll",
        ".so",
        ".bat",
        ".cmd",
        ".sh",
        ".jar",
        ".sha1",
        ".sha256",
        ".md5",
        ".bval",
        ".bvec",
        ".npy",
        ".npz",
        ".pt",
        ".pth",
        ".safetensors",
        ".sqlite",
        ".db",
        ".lnk",
        ".ico",
        ".icns",
        ".url",
        ".svg",
        ".mp4",
        ".avi",
        ".mov",
        ".mp3",
        ".wav",
        ".parquet",
        ".feather",
        ".pkl",
        ".lock",
        ".sql",
        ".eml",
        ".msg",
    ]
)
_NAMES = frozenset(("thumbs.db", "desktop.ini", "license", "licence", "readme", "autorun.inf", "__macosx", "lockfile"))
_OTHER_KINDS = (
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
    (b"BM", "a BMP picture"),
    (b"GIF8", "a GIF picture"),
    (b"RIFF", "a WebP picture or a film"),
    (b"\x00\x00\x00\x0cjP  ", "a bare JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a bare JPEG 2000 picture"),
    (b"%PDF", "a PDF document"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"NRRD", "an NRRD volume"),
    (b"ObjectType", "a MetaImage volume"),
    (b"\x89HDF", "an HDF5 file"),
    (b"SQLite format 3", "a database"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)


def kind_of_file(name: str, start: bytes) -> FileKind:
    """The kind, from the name (for NIfTI's `.nii.gz`) and the first bytes, `START_BYTES` or more. "unknown" may still be DICOM without a preamble."""
    lowered = name.lower()
    if start[128:132] == b"DICM":
        return "dicom"
    if looks_like_raster(start):
        return "raster"
    if lowered.endswith((".nii", ".nii.gz")) or start[344:348] in (b"n+1\x00", b"ni1\x00") or start[4:8] == b"n+2\x00":
        return "nifti"
    if looks_like_zip(start):
        return "zip"
    if foreign_kind(start):
        return "other"
    return "text" if _is_text(start[:START_BYTES]) else "unknown"


def foreign_kind(start: bytes) -> str:
    """A kind that Normascope knows but does not read, in words, or ""."""
    if start[257:262] == b"ustar":
        return "a tar archive"
    return next((words for magic, words in _OTHER_KINDS if start.startswith(magic)), "")


def is_unmentioned(path: str) -> bool:
    """True for what lies in a folder or archive for the computer's sake: hidden files, leftovers of desktops, the DICOMDIR beside its images."""
    folder, _, name = (
        path.lower().replace("\\", "/").rpartition("/")
    )  # strings: a PurePath for each of 100,000 files takes seconds
    if not name or name.startswith(".") or name in _NAMES:
        return True
    if folder and any(part.startswith(".") or part == "__macosx" for part in folder.split("/")):
        return True
    return name.split(".")[0].split(";")[0] == "dicomdir"


def is_document(path: str) -> bool:
    """True for what nobody takes for an image, by its name: tables, texts, programs."""
    stem, dot, ending = path.lower().rpartition(".")
    return stem != "" and dot + ending in _NO_IMAGES


def has_image_name(name: str) -> bool:
    """True when the name alone promises an image."""
    return name.lower().endswith((".dcm", ".dicom", ".dic", ".ima", ".png", ".jpg", ".jpeg", ".nii", ".nii.gz"))


def _is_text(start: bytes) -> bool:
    if not start or b"\x00" in start:
        return False
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as problem:
        return problem.start >= len(start) - 4  # a character cut at the end of what was read
    return True
