"""Opening the workstation: application, store, window, engine, in the order that puts the window on screen first. `normascope open` is this.

Without a display (no DISPLAY, no WAYLAND_DISPLAY) Qt draws into memory: a screenshot needs no screen.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path


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
    from PySide6.QtWidgets import QApplication

    from app.appearance import apply_appearance, fonts_are_missing
    from app.main_window import MainWindow
    from app.processes import EngineProcess
    from app.state.settings import Settings, load_settings, settings_path
    from engine.store import Store

    folder = Path(data_folder) if data_folder else default_data_folder()
    store = Store(None, folder)
    application = QApplication.instance() or QApplication(["normascope"])
    assert isinstance(application, QApplication)
    apply_appearance(application)
    settings_file = None if screenshot else settings_path()
    settings, complaint = load_settings(settings_file) if settings_file else (Settings(), "")
    window = MainWindow(store, settings, settings_file, engine=EngineProcess(folder))
    window.show()
    if complaint:
        window.say(complaint)
    if fonts_are_missing():
        print(
            "normascope: no fonts are installed, so text cannot be drawn. Install fonts-dejavu-core.", file=sys.stderr
        )
    window.open_paths([str(path) for path in paths])
    try:
        if screenshot is None:
            return application.exec()
        from app.screenshot import Screenshot

        picture = Screenshot(window, Path(screenshot), expect_studies=bool(paths))
        picture.left.connect(application.exit)
        return application.exec()
    finally:
        window.close()
        store.close()


def no_display() -> bool:
    """True on a Unix without X11 or Wayland."""
    if sys.platform in ("win32", "darwin"):
        return False
    return not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def default_data_folder() -> Path:
    """Where studies, results and readings are kept: the user's data folder."""
    import platformdirs

    return Path(platformdirs.user_data_path("normascope"))
