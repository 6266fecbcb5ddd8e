"""The order of findings."""

from tracekeeper.engine.check.finding import error, note, ok, warning, worst_first


def test_the_worst_comes_first() -> None:
    findings = [ok("a", "."), error("b", ".", ""), note("c", "."), warning("d", ".", "")]
    findings += [error("e", ".", "do"), ok("f", ".")]
    assert [finding.code for finding in worst_first(findings)] == ["b", "e", "d", "c", "a", "f"]
