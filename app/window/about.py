"""What Normascope is, in one box."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QMessageBox, QWidget

from app.results.wording import RESEARCH_NOTICE


def show_about(parent: QWidget) -> None:
    """Open the box; it does not hold up the window."""
    try:
        number = version("normascope")
    except PackageNotFoundError:
        number = "from source"
    box = QMessageBox(parent)
    box.setWindowTitle("About Normascope")
    box.setText(f"<b>Normascope</b> {number}")
    box.setInformativeText(
        "Learns what normal looks like and shows what is not.\n\n"
        f"{RESEARCH_NOTICE}. Scores compare a study with a model's own normal cohort; "
        "a reconstruction is the model's idea of a normal image, never the patient's.\n\nApache-2.0"
    )
    box.addButton(QMessageBox.StandardButton.Ok).setIcon(QIcon())  # the platform's own is of another style
    box.open()
