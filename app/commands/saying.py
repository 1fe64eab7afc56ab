"""What a command says on the terminal: words as they are, since a file's name may hold what rich takes for markup."""

from __future__ import annotations

from rich.console import Console

from app.research_use import RESEARCH_USE


def say(console: Console, words: str, style: str = "") -> None:
    """A line, or lines, never wrapped inside a path."""
    console.print(words, style=style or None, markup=False, highlight=False, soft_wrap=True)


def warn(console: Console, words: object) -> None:
    """What went wrong with one thing of many; the rest goes on."""
    say(console, str(words), "yellow")


def say_research_use(console: Console) -> None:
    """The notice, quietly: the last line of every command that gives a score."""
    say(console, RESEARCH_USE, "dim")
