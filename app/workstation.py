"""Opening the workstation: application, store, window, engine, in the order that puts the window on screen first. `normascope open` is this.

Without a display (no DISPLAY, no WAYLAND_DISPLAY) Qt draws into memory: a screenshot needs no screen.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # nothing of Qt until the platform is chosen
    from PySide6.QtWidgets import QApplication

    from app.main_window import MainWindow


def open_workstation(
    paths: Sequence[str | Path], screenshot: Path | None = None, data_folder: Path | None = None
) -> int:
    """Show the window, open `paths`, and stay until it is closed.

    Args:
        screenshot: save a picture of the window once the first study is shown and (within reason) scored, then leave.
        data_folder: of the store; None is the user's own.

    Returns:
        0, or 1 when no picture could be saved.

    Raises:
        StorageUnavailable: the store cannot be opened.
    """
    if no_display():
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from app.state.settings import settings_path

    folder = Path(data_folder) if data_folder else default_data_folder()
    application, window = show_window(folder, None if screenshot else settings_path())
    window.open_paths([str(path) for path in paths])
    try:
        if screenshot is not None:
            from app.screenshot import Screenshot

            picture = Screenshot(window, Path(screenshot), expect_studies=bool(paths))
            picture.left.connect(application.exit)
        return application.exec()
    finally:
        window.close()
        window.store.close()


def show_window(
    folder: Path, settings_file: Path | None, *, with_engine: bool = True
) -> tuple[QApplication, MainWindow]:
    """The application and its window, shown, on the store in `folder`. `settings_file` None: defaults, and none are kept."""
    from PySide6.QtWidgets import QApplication

    from app.appearance import apply_appearance, fonts_are_missing
    from app.main_window import MainWindow
    from app.processes import EngineProcess
    from app.state.settings import Settings, load_settings
    from engine.store import Store

    store = Store(None, folder)
    application = QApplication.instance() or QApplication(["normascope"])
    assert isinstance(application, QApplication)
    apply_appearance(application)
    settings, complaint = load_settings(settings_file) if settings_file else (Settings(), "")
    window = MainWindow(store, settings, settings_file, engine=EngineProcess(folder) if with_engine else None)
    window.show()
    if complaint:
        window.say(complaint)
    if fonts_are_missing():
        print("normascope: no fonts are installed: text cannot be drawn. Install fonts-dejavu-core.", file=sys.stderr)
    return application, window


def no_display() -> bool:
    """True on a Unix without X11 or Wayland."""
    if sys.platform in ("win32", "darwin"):
        return False
    return not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def default_data_folder() -> Path:
    """Where studies, results and readings are kept: the user's data folder."""
    import platformdirs

    return Path(platformdirs.user_data_path("normascope"))
