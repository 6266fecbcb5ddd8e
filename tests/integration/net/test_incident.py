"""The incident at the scaled size: ours lose nothing, and the lab really takes away from others."""

import pytest
from scripts.incident import matrix
from scripts.incident.attempt import Case, Outcome, Place
from scripts.incident.clients import OURS

pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]

IDLE = 10
PATIENCE = 25.0
BELOW, ABOVE = matrix.sleeps(IDLE)
OLD = "Docker CLI, no keepalive"
CONTROLS = [Case(OLD, Place("drop"), BELOW), Case(OLD, Place("drop"), ABOVE)]


@pytest.fixture(scope="module")
def outcomes() -> dict[Case, Outcome]:
    wanted = [*matrix.cases(IDLE, OURS), *CONTROLS]
    found = matrix.run(wanted, IDLE, PATIENCE, told=lambda outcome: None)
    return dict(zip(wanted, found, strict=True))


@pytest.mark.parametrize("case", matrix.cases(IDLE, OURS), ids=str)
def test_ours_is_complete(case: Case, outcomes: dict[Case, Outcome]) -> None:
    outcome = outcomes[case]
    assert outcome.complete, outcome.output
    assert outcome.right, outcome.output


def test_others_are_as_good_below_the_limit(outcomes: dict[Case, Outcome]) -> None:
    assert outcomes[CONTROLS[0]].good, outcomes[CONTROLS[0]].output


def test_others_lose_the_line_above_the_limit(outcomes: dict[Case, Outcome]) -> None:
    lost = outcomes[CONTROLS[1]]
    assert lost.lines == 1
    assert lost.status is None
    assert "Hello world!" not in lost.output
