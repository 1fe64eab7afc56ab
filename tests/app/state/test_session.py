"""What is open: the most abnormal series first, changes told once, readings that can be taken back in turn."""

from __future__ import annotations

from app.state.session import PastReading, Session
from engine.imaging.series import Series
from engine.store.rows import ResultRow, ScoreRow


def series(key: str) -> Series:
    return Series(key=key, study_uid="1", series_uid=key, kind="radiograph", format="dicom", sources=(f"/{key}.dcm",))


def result(key: str, percentile: float, *, current: bool = True, bundle: str = "model") -> ResultRow:
    scores = {"error": ScoreRow(1.0, percentile, False)}
    return ResultRow(key, "1", bundle, bundle, "done", current, scores, "error")


def test_a_study_opens_on_its_most_abnormal_series() -> None:
    session = Session()
    session.open_study("1", [series("a"), series("b"), series("c")], [result("a", 40), result("b", 90)])
    assert session.series_key == "b"


def test_an_unscored_study_opens_on_its_first_series() -> None:
    session = Session()
    session.open_study("1", [series("a"), series("b")], [])
    assert session.series_key == "a"


def test_results_of_a_replaced_model_do_not_count() -> None:
    session = Session()
    session.open_study("1", [series("a"), series("b")], [result("a", 99, current=False), result("b", 10)])
    assert session.series_key == "b"
    assert session.results_of("a") == []


def test_the_series_on_screen_stays_when_scores_arrive() -> None:
    session = Session()
    session.open_study("1", [series("a"), series("b")], [])
    session.update_results([result("b", 99)])
    assert session.series_key == "a"


def test_listeners_hear_only_of_differences() -> None:
    session, heard = Session(), []
    session.open_study("1", [series("a")], [])
    session.listen(heard.append)
    session.update_results([])
    session.update_series([series("a")])
    assert heard == []
    session.update_results([result("a", 5)])
    session.show_series("a")
    session.show_series("unknown")
    assert heard == ["results"]


def test_stepping_through_series_stays_at_the_ends() -> None:
    session = Session()
    session.open_study("1", [series("a"), series("b")], [])
    session.step_series(-1)
    assert session.series_key == "a"
    session.step_series(1)
    session.step_series(1)
    assert session.series_key == "b"


def test_the_most_abnormal_result_of_a_series_comes_first() -> None:
    session = Session()
    found = [result("a", 20, bundle="x"), result("a", 80, bundle="y"), ResultRow("a", "1", "z", "z", "queued")]
    session.open_study("1", [series("a")], found)
    assert [row.bundle_id for row in session.results_of("a")] == ["y", "x", "z"]


def test_readings_are_taken_back_latest_first() -> None:
    session = Session()
    session.remember("1", "unread")
    session.remember("2", "normal")
    assert session.take_back() == PastReading("2", "normal")
    assert session.take_back() == PastReading("1", "unread")
    assert session.take_back() is None


def test_the_most_abnormal_models_overlay_is_drawn_until_the_reader_asks_for_anothers() -> None:
    session, heard = Session(), []
    session.open_study("1", [series("a")], [result("a", 99, bundle="high"), result("a", 20, bundle="low")])
    session.listen(heard.append)
    assert session.drawn_result("a").bundle_hash == "high"
    session.next_model()
    assert session.drawn_result("a").bundle_hash == "low" and heard == ["model"]
    session.show_model("nobody's")
    session.next_model()
    assert session.drawn_result("a").bundle_hash == "high" and heard == ["model", "model"]


def test_another_study_begins_with_its_own_most_abnormal_model() -> None:
    session = Session()
    session.open_study("1", [series("a")], [result("a", 99, bundle="high"), result("a", 20, bundle="low")])
    session.show_model("low")
    session.open_study("2", [series("a")], [result("a", 99, bundle="high"), result("a", 20, bundle="low")])
    assert session.drawn_result("a").bundle_hash == "high"
