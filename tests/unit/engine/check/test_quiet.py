"""What two quiet connections prove."""

import pytest

from tracekeeper.engine.check.quiet import End, Outcome, judged


@pytest.mark.parametrize(
    ("kept", "forgotten", "level", "sentence"),
    [
        ("survived", "survived", "ok", "the path does not forget so soon"),
        ("survived", "dropped", "ok", "the path forgets, and our keepalives prevent it"),
        ("dropped", "dropped", "error", "its packets vanish, nothing answers; known after 9 s"),
        ("reset", "reset", "error", "it was reset"),
        ("closed", "closed", "error", "the other side closed it"),
        ("reset", "survived", "warning", "though one without survived"),
    ],
)
def test_the_verdict(kept: End, forgotten: End, level: str, sentence: str) -> None:
    finding = judged(Outcome(kept, 9.2), Outcome(forgotten, 9.2), 600.0)
    assert finding.level == level
    assert sentence in finding.sentence
    assert finding.sentence.startswith("quiet for 600 s, ")
