"""The panel of results says every score with its cohort, why a model was not applied, and that it is for research; always."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from app.results.histogram import Histogram
from app.results.labels import Foldout
from app.results.neighbours import CAPTION, NeighboursRow
from app.results.panel import ResultsPanel
from app.results.wording import RESEARCH_NOTICE
from app.state.session import Session
from engine.imaging.series import Series
from engine.models.card import (
    Applicability,
    Calibration,
    CohortSummary,
    InputSpec,
    Metric,
    ScoreCalibration,
)
from engine.models.shelf import InstalledBundle
from engine.store.rows import ReadingRow, ResultRow, ScoreRow, WorklistRow
from tests.cards import plain_card

NORMALS = ScoreCalibration(normal_scores=tuple(np.linspace(0, 1, 161)), n=161)
METRIC = Metric(
    auroc=0.812,
    auroc_ci95=(0.771, 0.853),
    auprc=0.8,
    youden_cutoff=0.5,
    sensitivity=0.7,
    specificity=0.8,
    n_normal=90,
    n_abnormal=110,
)
CHEST = InstalledBundle(
    "chest",
    Path("/models/chest.safetensors"),
    "c" * 16,
    plain_card(
        id="chest",
        title="Chest alpha-GAN",
        summary="Scores chest radiographs.",
        applicability=Applicability(modality=("CR",), body_part=("CHEST",)),
        primary_score="latent",
        calibration=Calibration(scores={"latent": NORMALS, "ssim": NORMALS}),
        training=CohortSummary(name="Guangzhou children", n_train=900, n_calibration=161, licence="CC BY 4.0"),
        evaluation={"latent": METRIC},
        limits=("Lines and tubes raise the score.",),
        licence="Apache-2.0",
    ),
)
KNEE = replace(
    CHEST,
    id="knee",
    hash="k" * 16,
    card=CHEST.card.model_copy(
        update={"title": "Knee model", "applicability": Applicability(modality=("CR",), body_part=("KNEE",))}
    ),
)
SERIES = Series(
    "s1",
    "1",
    "s1",
    "radiograph",
    "dicom",
    ("/a.dcm",),
    modality="CR",
    body_part="CHEST",
    warnings=("Spacing is not known.",),
)
ROW = WorklistRow(
    "1",
    "P1",
    "Doe^Jane",
    "CR",
    "CHEST",
    "PA",
    "2026-01-01",
    "",
    1,
    "done",
    97.5,
    "latent",
    True,
    "unread",
    False,
    "",
    "chest",
)
SCORED = ResultRow(
    "s1",
    "1",
    "chest",
    "c" * 16,
    "done",
    scores={"latent": ScoreRow(0.98, 97.5, True), "ssim": ScoreRow(0.4, 40.2, False)},
    primary="latent",
    posterior=-12.5,
    warnings=("The image was padded.",),
)


def session_of(*results: ResultRow, series: tuple[Series, ...] = (SERIES,)) -> Session:
    session = Session()
    session.open_study("1", list(series), list(results))
    return session


@pytest.fixture
def panel(qtbot: QtBot) -> ResultsPanel:
    made = ResultsPanel()
    qtbot.addWidget(made)
    made.resize(320, 900)
    made.show()
    return made


def words(widget: QWidget) -> str:
    """All text that can be seen."""
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisible())


def test_every_score_stands_beside_its_cohort(panel: ResultsPanel) -> None:
    panel.show_study(ROW, session_of(SCORED), [CHEST], [])
    said = words(panel)
    assert "97th percentile of 161 normal chests" in said
    assert "Flagged: over the 95th percentile" in said
    assert "40th percentile" in said
    assert {plot.data.score for plot in panel.findChildren(Histogram)} == {0.98, 0.4}
    assert "log p(normal) -12.5" in said


def test_the_normals_that_an_image_is_most_like_stand_in_a_row_under_its_scores(panel: ResultsPanel) -> None:
    pictures = np.stack([np.full((40, 40), grey, np.uint8) for grey in (10, 90, 170, 250)])
    result = replace(SCORED, neighbours="ab/alike.npy")
    panel.show_study(ROW, session_of(result), [CHEST], [], {"ab/alike.npy": pictures})
    (row,) = panel.findChildren(NeighboursRow)
    assert CAPTION in words(row)
    shown = [label.pixmap().toImage().pixelColor(5, 5).red() for label in row.findChildren(QLabel) if label.pixmap()]
    assert shown == [10, 90, 170, 250]
    assert row.geometry().right() <= panel.width()


def test_a_model_without_such_pictures_shows_none(panel: ResultsPanel) -> None:
    panel.show_study(ROW, session_of(SCORED), [CHEST], [], {})
    assert not panel.findChildren(NeighboursRow)


def test_warnings_of_image_and_result_are_said_once(panel: ResultsPanel) -> None:
    panel.set_image_warnings(["Spacing is not known.", "Converted from colour."])
    panel.show_study(ROW, session_of(SCORED), [CHEST], [])
    said = words(panel)
    for warning in ("Spacing is not known.", "Converted from colour.", "The image was padded."):
        assert said.count(warning) == 1


def test_a_model_that_does_not_apply_says_why(panel: ResultsPanel) -> None:
    panel.show_study(replace(ROW, percentile=None), session_of(), [KNEE], [])
    assert "Body part CHEST; Knee model reads KNEE." in words(panel)
    assert not [button for button in panel.findChildren(QPushButton) if button.text() == "Score with it"]


def test_a_person_may_name_the_model_for_a_file_without_tags(panel: ResultsPanel, qtbot: QtBot) -> None:
    png = replace(SERIES, format="raster", modality="", body_part="")
    panel.show_study(replace(ROW, percentile=None), session_of(series=(png,)), [CHEST], [])
    button = next(button for button in panel.findChildren(QPushButton) if button.text() == "Score with it")
    with qtbot.waitSignal(panel.score_wanted) as wanted:
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert wanted.args == ["s1", "c" * 16]


def test_for_a_file_without_tags_models_stand_by_what_they_read_and_of_many_the_best_alone(
    panel: ResultsPanel,
) -> None:
    def named(number: int, of: InstalledBundle, lowest: float) -> InstalledBundle:
        metric = METRIC.model_copy(update={"auroc_ci95": (lowest, 1.0)})
        card = of.card.model_copy(update={"title": f"Model {number}", "evaluation": {"latent": metric}})
        return replace(of, id=f"m{number}", hash=f"{number:016}", card=card)

    png = replace(SERIES, format="raster", modality="", body_part="")
    bundles = [named(1, CHEST, 0.6), named(2, KNEE, 0.5), named(3, KNEE, 0.9), named(4, KNEE, 0.7)]
    panel.show_study(replace(ROW, percentile=None), session_of(series=(png,)), bundles, [])
    shown = [word for word in words(panel).splitlines() if word.endswith("radiographs") or word.startswith("Model ")]
    assert shown == ["Chest radiographs", "Model 1", "Knee radiographs", "Model 3"]
    others = next(part for part in panel.findChildren(Foldout) if part.button.text() == "2 others")
    others.button.click()
    assert "Model 4" in words(panel) and "Model 2" in words(panel)


def test_a_reason_that_several_models_share_is_said_once(panel: ResultsPanel) -> None:
    def of(number: int, **changes: object) -> InstalledBundle:
        card = CHEST.card.model_copy(update={"title": f"Model {number}", **changes})
        return replace(CHEST, id=f"m{number}", hash=f"{number:016}", card=card)

    heads = InputSpec(spatial_dims=3, size=(8, 8, 8))
    ghosts = Applicability(modality=("CR",), body_part=("CHEST",), synthetic=True)
    bundles = [*(of(n, input=heads) for n in (1, 2)), *(of(n, applicability=ghosts) for n in (3, 4))]
    panel.show_study(replace(ROW, percentile=None), session_of(), bundles, [])
    said = words(panel)
    assert said.count("These read volumes; this is a radiograph.") == 1 and "Model 1,  Model 2" in said
    assert "These were trained on synthetic phantoms and say nothing about patients." in said
    assert len([button for button in panel.findChildren(QPushButton) if button.text() == "Score with it"]) == 2


def test_a_failed_job_says_its_reason(panel: ResultsPanel) -> None:
    failed = ResultRow("s1", "1", "chest", "c" * 16, "failed", error="/a.dcm: it is truncated. Copy it again.")
    panel.show_study(replace(ROW, percentile=None), session_of(failed), [CHEST], [])
    assert "it is truncated. Copy it again." in words(panel)


def test_the_model_card_tells_training_evaluation_limits_and_licence(panel: ResultsPanel) -> None:
    panel.show_study(ROW, session_of(SCORED), [CHEST], [])
    card = next(part for part in panel.findChildren(Foldout) if part.button.text() == "Model card")
    assert "Lines and tubes" not in words(panel)
    card.button.click()
    said = words(panel)
    for part in (
        "900 normals of Guangzhou children",
        "AUROC 0.81 (0.77 to 0.85)",
        "Lines and tubes raise",
        "Apache-2.0",
        "CC BY 4.0",
    ):
        assert part in said


def test_an_open_card_stays_open_while_nothing_changes(panel: ResultsPanel) -> None:
    session = session_of(SCORED)
    panel.show_study(ROW, session, [CHEST], [])
    card = next(part for part in panel.findChildren(Foldout) if part.button.text() == "Model card")
    card.button.click()
    panel.show_study(ROW, session, [CHEST], [ReadingRow("1", "unread", "", "", 0.0)])
    assert "Lines and tubes" in words(panel)


def test_scores_of_a_model_that_is_gone_are_still_shown(panel: ResultsPanel) -> None:
    panel.show_study(ROW, session_of(SCORED), [], [])
    said = words(panel)
    assert "97" in said and "no longer installed" in said


def test_the_research_notice_is_there_with_and_without_a_study(panel: ResultsPanel) -> None:
    assert RESEARCH_NOTICE in words(panel)
    panel.show_study(ROW, session_of(SCORED), [CHEST], [])
    assert RESEARCH_NOTICE in words(panel)


def test_the_reading_is_shown_with_who_and_agreement(panel: ResultsPanel) -> None:
    read = replace(ROW, read_state="abnormal")
    panel.show_study(read, session_of(SCORED), [CHEST], [ReadingRow("1", "abnormal", "", "kim", 1_760_000_000.0)])
    said = words(panel)
    assert "Read as abnormal by kim" in said and "you agree" in said
    assert panel.readings.buttons["abnormal"].isChecked()


def test_several_series_are_offered_with_their_percentiles(panel: ResultsPanel, qtbot: QtBot) -> None:
    other = replace(SERIES, key="s2", series_uid="s2", description="Lateral")
    panel.show_study(ROW, session_of(SCORED, series=(SERIES, other)), [CHEST], [])
    listed = panel.header.series
    assert listed.isVisible() and listed.count() == 2
    assert "97th percentile" in listed.item(0).text()
    with qtbot.waitSignal(panel.series_chosen) as chosen:
        at = listed.visualItemRect(listed.item(1)).center()
        qtbot.mouseClick(listed.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert chosen.args == ["s2"]


def test_where_several_models_scored_the_overlay_says_whose_it_is_and_can_be_anothers(
    panel: ResultsPanel, qtbot: QtBot
) -> None:
    other = replace(
        SCORED, bundle_id="salad", bundle_hash="d" * 16, scores={"ssim": ScoreRow(0.1, 10.0, False)}, primary="ssim"
    )
    session = session_of(SCORED, other)
    panel.show_study(ROW, session, [CHEST], [])
    buttons = {button.text(): button for button in panel.findChildren(QToolButton) if "verlay" in button.text()}
    assert set(buttons) == {"Overlay shown", "Show overlay"} and not buttons["Overlay shown"].isEnabled()
    with qtbot.waitSignal(panel.model_chosen) as chosen:
        qtbot.mouseClick(buttons["Show overlay"], Qt.MouseButton.LeftButton)
    assert chosen.args == ["d" * 16]
    panel.show_study(ROW, session_of(SCORED), [CHEST], [])
    assert not [
        button for button in panel.findChildren(QToolButton) if "verlay" in button.text() and button.isVisible()
    ]
