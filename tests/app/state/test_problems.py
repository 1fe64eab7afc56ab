"""A problem is said once, in words; more than anyone can read are counted, not kept."""

from __future__ import annotations

from app.state import problems
from app.state.problems import Problem, ProblemList
from engine.errors import UnreadableImage


def test_an_error_of_ours_keeps_file_and_cure() -> None:
    problem = Problem.of(UnreadableImage("it is empty", where="/a/b.dcm", cure="Copy it again."))
    assert (problem.where, problem.what, problem.cure, problem.kind) == (
        "/a/b.dcm",
        "it is empty",
        "Copy it again.",
        "UnreadableImage",
    )


def test_a_fault_of_the_program_is_named_as_such() -> None:
    problem = Problem.of(ZeroDivisionError("division by zero"))
    assert "ZeroDivisionError" in problem.what and "report" in problem.cure


def test_the_same_problem_is_listed_once() -> None:
    found = ProblemList()
    assert found.add(Problem("/a", "x", "y"))
    assert not found.add(Problem("/a", "x", "y"))
    assert len(found.items) == 1


def test_what_nobody_could_read_is_counted(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(problems, "MOST", 3)
    found = ProblemList()
    for number in range(5):
        found.add(Problem(str(number), "x", "y"))
    assert (len(found.items), found.left_out) == (3, 2)
