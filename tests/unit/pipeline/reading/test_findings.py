from tracekeeper.pipeline.reading.findings import Findings
from tracekeeper.problems import Position, Problem

HERE, THERE = Position("f", 1, 1), Position("f", 2, 1)


def test_errors_make_the_file_fail() -> None:
    problems: list[Problem] = []
    findings = Findings(problems)
    assert [findings.failed] == [False]
    findings.warn("w", "take care", HERE, "look")
    assert [findings.failed] == [False]
    findings.error("e", "wrong", HERE, "right")
    assert [findings.failed] == [True]
    assert problems == [
        Problem("w", "take care", HERE, "look", warning=True),
        Problem("e", "wrong", HERE, "right"),
    ]


def test_what_is_unknown_is_wrong_unless_a_file_is_unread() -> None:
    problems: list[Problem] = []
    known, unread = Findings(problems), Findings(problems, "look there", unread=True)
    known.unknown("u", "what?", HERE, "look")
    unread.unknown("u", "what?", HERE)
    assert [known.failed, unread.failed] == [True, False]
    assert [(problem.hint, problem.warning) for problem in problems] == [
        ("look", False),
        ("look there", True),
    ]


def test_the_same_finding_at_the_same_place_counts_once() -> None:
    problems: list[Problem] = []
    findings = Findings(problems)
    findings.error("e", "of job a", HERE)
    findings.error("e", "of job b", HERE)
    findings.error("e", "elsewhere", THERE)
    assert [problem.message for problem in problems] == ["of job a", "elsewhere"]
