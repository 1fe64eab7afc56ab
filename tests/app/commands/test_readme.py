"""README's table of commands names every command with every option that it takes, and none that it does not."""

from __future__ import annotations

import re
from pathlib import Path

import typer

from app.cli import cli

README = Path(__file__).parents[3] / "README.md"


def test_every_command_and_option_is_in_the_readme_and_none_that_there_is_not() -> None:
    rows = re.findall(r"^\| `normascope (\w+)([^`]*)`", README.read_text(encoding="utf-8"), re.MULTILINE)
    described = {name: set(re.findall(r"--[a-z]+", words)) for name, words in rows}
    commands = typer.main.get_command(cli).commands  # type: ignore[attr-defined]
    taken = {
        name: {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
        for name, command in commands.items()
    }
    assert described == {name: options - {"--help"} for name, options in taken.items()}
