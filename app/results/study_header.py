"""Who and what is on screen: patient, study, and the series to choose from when there are several. Shows; opens nothing itself."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from app import appearance
from app.results.labels import heading, text
from app.results.wording import ordinal, person_name, shown_percentile
from app.state.session import Session
from engine.imaging.series import Series
from engine.store.rows import ResultRow, WorklistRow

MOST_SERIES_SHOWN = 6


class StudyHeader(QWidget):
    """Signals:
    series_chosen(str): key of the series that the reader wants.
    """

    series_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name = text("", pixels=appearance.TITLE_PIXELS, bold=True)
        self.person = text("", appearance.TEXT_QUIET)
        self.study = text("", appearance.TEXT_QUIET)
        self.series_heading = heading("")
        self.series = QListWidget()
        self.series.setToolTip("Series of this study: , and . go through them")
        self.series.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.series.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.series.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.series.setStyleSheet(
            f"QListWidget {{ background: {appearance.WINDOW}; border: 1px solid {appearance.LINE};"
            f" border-radius: {appearance.RADIUS}px; outline: 0; }}"
            f"QListWidget::item {{ padding: 2px 6px; }}"
            f"QListWidget::item:selected {{ background: {appearance.SELECTION}; color: {appearance.TEXT}; }}"
        )
        self.series.itemClicked.connect(self._choose)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(1)
        for widget in (self.name, self.person, self.study):
            column.addWidget(widget)
        column.addSpacing(4)
        column.addWidget(self.series_heading)
        column.addWidget(self.series)

    def show_study(self, row: WorklistRow, session: Session) -> None:
        """Everything that is said of the study and its series."""
        title = person_name(row.patient_name) or row.patient_id or row.description or "Unnamed"
        self.name.setText(title)
        person = _said_once(title, row.patient_id, row.sex, _age(row.age), "Synthetic phantom" if row.synthetic else "")
        self.person.setText(person)
        self.person.setVisible(bool(person))
        study = _said_once(title, row.study_date, row.modality, row.body_part.capitalize(), row.view, row.description)
        self.study.setText(study)
        self.study.setVisible(bool(study))
        several = len(session.series) > 1
        self.series_heading.setVisible(several)
        self.series.setVisible(several)
        if several:
            self._list(session)

    def _list(self, session: Session) -> None:
        self.series_heading.setText(f"{len(session.series)} series   (keys  ,  and  . )")
        self.series.clear()
        for number, one in enumerate(session.series, start=1):
            item = QListWidgetItem(f"{number}   {series_line(one, session.results_of(one.key))}")
            item.setData(Qt.ItemDataRole.UserRole, one.key)
            item.setToolTip(one.path)
            self.series.addItem(item)
            if one.key == session.series_key:
                self.series.setCurrentItem(item)
        row_height = max(self.series.sizeHintForRow(0), 18)
        self.series.setFixedHeight(row_height * min(len(session.series), MOST_SERIES_SHOWN) + 4)

    def _choose(self, item: QListWidgetItem) -> None:
        self.series_chosen.emit(item.data(Qt.ItemDataRole.UserRole))


def _said_once(title: str, *parts: str) -> str:
    """The parts in one line, without those that say again what the title or another part says."""
    said, kept = {title.casefold()}, []
    for part in parts:
        if part and part.casefold() not in said:
            said.add(part.casefold())
            kept.append(part)
    return "  ·  ".join(kept)


def series_line(series: Series, results: list[ResultRow]) -> str:
    """One series in one line: description, view, images, percentile."""
    name = series.description or series.body_part.capitalize() or series.path.rsplit("/", 1)[-1]
    count = f"{series.frames} slices" if series.kind == "volume" else ""
    highest = max((row.percentile for row in results if row.percentile is not None), default=None)
    score = "" if highest is None else f"{ordinal(shown_percentile(highest))} percentile"
    return "  ·  ".join(part for part in (name, series.view, series.laterality, count, score) if part)


def _age(dicom_age: str) -> str:
    """An Age String as read: 045Y becomes "45 years"."""
    units = {"Y": "years", "M": "months", "W": "weeks", "D": "days"}
    number, unit = dicom_age[:-1], dicom_age[-1:].upper()
    return f"{int(number)} {units[unit]}" if number.isdigit() and unit in units else dicom_age
