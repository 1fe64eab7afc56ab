"""What went wrong in this sitting, a line a file, newest last. Knows no Qt."""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import NormascopeError

MOST = 5000
"""More lines than anyone reads; a folder of a million text files must not fill the memory."""


@dataclass(frozen=True)
class Problem:
    """One thing that went wrong: which file ("" when none), what, and the cure."""

    where: str
    what: str
    cure: str
    kind: str = ""

    @classmethod
    def of(cls, error: Exception) -> Problem:
        """What to tell the reader of an error; one that is not ours to expect is named as such."""
        if isinstance(error, NormascopeError):
            return cls(error.where or "", error.what, error.cure, error.kind)
        return cls(
            "",
            f"{type(error).__name__}: {error}",
            "This is a fault of Normascope; please report it with the log.",
            "Unexpected",
        )


class ProblemList:
    """The problems, without repeats."""

    def __init__(self) -> None:
        self.items: list[Problem] = []
        self.left_out = 0
        self._seen: set[Problem] = set()

    def add(self, problem: Problem) -> bool:
        """Add it unless it is there already or the list is full. True when the list grew."""
        if problem in self._seen:
            return False
        if len(self.items) >= MOST:
            self.left_out += 1
            return False
        self._seen.add(problem)
        self.items.append(problem)
        return True

    def clear(self) -> None:
        """Forget all."""
        self.items.clear()
        self._seen.clear()
        self.left_out = 0
