from tracekeeper.net.incident.job import FIRST, HELLO, LAST, Output, output


def test_the_job_greets_after_its_sleep() -> None:
    assert output(601_000) == [Output(0, FIRST), Output(601_000, HELLO), Output(601_000, LAST)]
