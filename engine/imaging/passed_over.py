"""The files of a folder that nobody takes for an image: passed over without an error, but not without a word. Keeps few names; reads no files."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.imaging.sources import source_name

_MOST_NAMES = 3


@dataclass
class PassedOver:
    """Counts what discovery passes over: give `add` to `open_study` as `on_passed_over`."""

    count: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, source: str) -> None:
        """One more file or archive member."""
        self.count += 1
        if len(self.names) < _MOST_NAMES:
            self.names.append(source_name(source))

    def in_words(self) -> str:
        """Half a line, "" when there was none: "2 files passed over, no images: report.pdf, notes.txt"."""
        if not self.count:
            return ""
        files = "1 file passed over, no image" if self.count == 1 else f"{self.count:,} files passed over, no images"
        more = f" and {self.count - len(self.names):,} more" if self.count > len(self.names) else ""
        return f"{files}: {', '.join(self.names)}{more}"
