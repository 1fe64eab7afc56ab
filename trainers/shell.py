"""How a command ends, `normascope` and the trainers' own (`python -m trainers.NAME`): an error that a person can cure is one line, never a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable

from engine.errors import NormascopeError


def run_command(main: Callable[[], None]) -> None:
    """Run a command; leaves with status 1 and the error's own words, or 130 when it is stopped from the keyboard."""
    try:
        main()
    except NormascopeError as error:
        print(f"normascope: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("normascope: stopped; what was finished is kept.", file=sys.stderr)
        sys.exit(130)
