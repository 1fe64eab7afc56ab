"""How the workstation looks: every colour, font and measure, named once. Draws nothing and knows no screen.

One dark theme. Greys are nearly neutral with a trace of blue, so that a radiograph beside them reads as grey; the only warm colours
are the ones that mean "look here" (flagged, abnormal, error).
"""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication

# Surfaces, darkest first.
CANVAS = "#050607"
WINDOW = "#12151a"
PANEL = "#181c22"
RAISED = "#222830"
HOVER = "#2a313b"
LINE = "#2b323c"

# Text. Against PANEL: 12:1, 6.6:1 and 4.6:1.
TEXT = "#dde2e8"
TEXT_QUIET = "#9aa4b0"
TEXT_FAINT = "#7d8793"

# Meaning.
ACCENT = "#5fb0ee"
SELECTION = "#1f3d58"
COHORT = "#566b82"
"""The normal cohort: histogram bars, and the percentile bar of a study that is not flagged."""
FLAGGED = "#f2a541"
"""This study is over the model's cut-off."""
VERDICT_ABNORMAL = "#f08a5d"
VERDICT_NORMAL = "#6cc08b"
VERDICT_UNSURE = "#c9b662"
ERROR = "#ee6f68"
WARNING = "#e0b050"
WORKING = "#5fb0ee"

# Measures in pixels.
GAP = 8
ROW_HEIGHT = 24
TOOL_ICON = 18
RADIUS = 4

FONT_FAMILIES = (
    "Inter",
    "Segoe UI",
    "SF Pro Text",
    "Noto Sans",
    "DejaVu Sans Condensed",
    "DejaVu Sans",
    "Liberation Sans",
)
BODY_PIXELS = 12
SMALL_PIXELS = 11
TITLE_PIXELS = 14
FIGURE_PIXELS = 22


def font(pixels: int = BODY_PIXELS, *, bold: bool = False) -> QFont:
    """The interface's font at a size in pixels."""
    made = QFont()
    made.setFamilies(list(FONT_FAMILIES))
    made.setPixelSize(pixels)
    made.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
    return made


def mixed(over: str, under: str, share: float) -> QColor:
    """`share` of the first colour over the second, opaque."""
    a, b = QColor(over), QColor(under)
    pairs = ((a.red(), b.red()), (a.green(), b.green()), (a.blue(), b.blue()))
    return QColor(*(round(x * share + y * (1 - share)) for x, y in pairs))


def verdict_colour(read_state: str) -> str:
    """Colour of a reading: "abnormal", "normal", "unsure", "outdated", or anything else for unread."""
    known = {"abnormal": VERDICT_ABNORMAL, "normal": VERDICT_NORMAL, "unsure": VERDICT_UNSURE, "outdated": WARNING}
    return known.get(read_state, TEXT_FAINT)


def apply_appearance(application: QApplication) -> None:
    """Give the application its style, palette, font and style sheet."""
    application.setStyle("Fusion")
    application.setPalette(palette())
    application.setFont(font())
    application.setStyleSheet(STYLE_SHEET)


def fonts_are_missing() -> bool:
    """True when the system has no font at all: text would be drawn as boxes."""
    return not QFontDatabase.families()


def palette() -> QPalette:
    """The dark palette, disabled text included."""
    roles = QPalette.ColorRole
    made = QPalette()
    for role, colour in {
        roles.Window: WINDOW,
        roles.WindowText: TEXT,
        roles.Base: PANEL,
        roles.AlternateBase: PANEL,
        roles.Text: TEXT,
        roles.Button: RAISED,
        roles.ButtonText: TEXT,
        roles.BrightText: ERROR,
        roles.ToolTipBase: RAISED,
        roles.ToolTipText: TEXT,
        roles.Highlight: SELECTION,
        roles.HighlightedText: TEXT,
        roles.PlaceholderText: TEXT_FAINT,
        roles.Link: ACCENT,
        roles.Mid: LINE,
        roles.Dark: LINE,
        roles.Light: HOVER,
    }.items():
        made.setColor(role, QColor(colour))
    for role in (roles.Text, roles.WindowText, roles.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, role, QColor(TEXT_FAINT))
    made.setColor(roles.Shadow, QColor(Qt.GlobalColor.black))
    return made


STYLE_SHEET = f"""
QMainWindow, QDialog {{ background: {WINDOW}; }}
QDialog {{ border: 1px solid {LINE}; }}
QToolTip {{ background: {RAISED}; color: {TEXT}; border: 1px solid {LINE}; padding: 4px 6px; }}
QMenuBar {{ background: {WINDOW}; color: {TEXT_QUIET}; padding: 1px 4px; }}
QMenuBar::item {{ padding: 3px 8px; border-radius: {RADIUS}px; background: transparent; }}
QMenuBar::item:selected {{ background: {HOVER}; color: {TEXT}; }}
QMenu {{ background: {RAISED}; border: 1px solid {LINE}; padding: 4px; }}
QMenu::item {{ padding: 4px 24px 4px 24px; border-radius: {RADIUS}px; }}
QMenu::item:selected {{ background: {SELECTION}; }}
QMenu::item:disabled {{ color: {TEXT_FAINT}; }}
QMenu::separator {{ height: 1px; background: {LINE}; margin: 4px 6px; }}
QToolBar {{ background: {WINDOW}; border: 0; spacing: 2px; padding: 2px 4px; }}
QToolBar::separator {{ background: {LINE}; width: 1px; margin: 4px 5px; }}
QToolButton {{ background: transparent; border: 1px solid transparent; border-radius: {RADIUS}px; padding: 3px 5px; color: {TEXT}; }}
QToolBar QToolButton {{ padding: 3px; }}
QToolBar QToolButton#qt_toolbar_ext_button {{ background: {RAISED}; min-width: 12px; }}
QToolButton:hover {{ background: {HOVER}; }}
QToolButton:checked {{ background: {SELECTION}; border-color: {ACCENT}; }}
QToolButton:pressed {{ background: {SELECTION}; }}
QToolButton:disabled {{ color: {TEXT_FAINT}; }}
QPushButton {{ background: {RAISED}; border: 1px solid {LINE}; border-radius: {RADIUS}px; padding: 4px 12px; color: {TEXT}; }}
QPushButton:hover {{ background: {HOVER}; }}
QPushButton:pressed {{ background: {SELECTION}; }}
QPushButton:focus {{ border-color: {ACCENT}; }}
QPushButton:disabled {{ color: {TEXT_FAINT}; background: {PANEL}; }}
QLineEdit, QComboBox, QSpinBox {{
    background: {PANEL}; border: 1px solid {LINE}; border-radius: {RADIUS}px; padding: 3px 6px; color: {TEXT};
    selection-background-color: {SELECTION};
}}
QLineEdit:focus, QComboBox:focus {{ border-color: {ACCENT}; }}
QComboBox QAbstractItemView {{ background: {RAISED}; border: 1px solid {LINE}; selection-background-color: {SELECTION}; }}
QHeaderView {{ background: {WINDOW}; }}
QHeaderView::section {{
    background: {WINDOW}; color: {TEXT_QUIET}; border: 0; border-bottom: 1px solid {LINE}; padding: 3px 6px; font-weight: normal;
}}
QHeaderView::section:hover {{ color: {TEXT}; }}
QTableView {{ background: {PANEL}; border: 0; gridline-color: transparent; outline: 0; }}
QSplitter::handle {{ background: {CANVAS}; }}
QSplitter::handle:hover {{ background: {ACCENT}; }}
QScrollArea {{ background: transparent; border: 0; }}
QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 0; }}
QScrollBar::handle {{ background: {HOVER}; border-radius: 4px; min-height: 28px; min-width: 28px; margin: 1px; }}
QScrollBar::handle:hover {{ background: {COHORT}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
QStatusBar {{ background: {WINDOW}; color: {TEXT_QUIET}; border-top: 1px solid {LINE}; }}
QStatusBar::item {{ border: 0; }}
QProgressBar {{ background: {RAISED}; border: 0; border-radius: 3px; max-height: 6px; text-align: center; }}
QProgressBar::chunk {{ background: {ACCENT}; border-radius: 3px; }}
QSlider::groove:horizontal {{ background: {RAISED}; height: 4px; border-radius: 2px; }}
QSlider::sub-page:horizontal {{ background: {COHORT}; height: 4px; border-radius: 2px; }}
QSlider::handle:horizontal {{ background: {TEXT_QUIET}; width: 12px; height: 12px; margin: -4px 0; border-radius: 6px; }}
QSlider::handle:horizontal:hover, QSlider::handle:horizontal:focus {{ background: {ACCENT}; }}
"""
