"""The disk of the Docker host is full, for good or for a while.

What dockerd 20.10 does then: a line that it cannot write is dropped, with a word in its own log and
none to anybody else; it goes on as soon as there is room. The first line that does not fit is
written in part, so the next one is joined to it, and a reading skips both, or ends with an error.
"""

import pytest
from tests.support import machine
from tests.support.jobs import Job, Project, job_yaml

from tracekeeper.engine.host import Host

pytestmark = [pytest.mark.docker, pytest.mark.root]

LINES = 3000
FILL = "head -c 100m /dev/zero >/fill 2>/dev/null || true"
EMPTY = "rm /fill"
WRITTEN = b"".join(b"line %d %s\n" % (n, b"x" * 70) for n in range(LINES))


def script(then: str) -> str:
    """A third of the lines, the rest while the disk is full; after two thirds, `then`."""
    return f"""\
i=0
line={"x" * 70}
while [ $i -lt {LINES} ]; do
  echo line $i $line
  i=$((i + 1))
  [ $i != {LINES // 3} ] || {FILL}
  [ $i != {LINES * 2 // 3} ] || {then}
done"""


def job_on_a_full_disk(
    project: Project, then: str, *, planted: str = "", preview: bool | None = None
) -> Job:
    """A job whose output the engine cannot write, until `then`. `preview` False: an engine that is
    far, to which there is no attach."""
    with machine.started(disk="24m") as engine:
        host = Host(engine.url, patience=10, preview=preview)
        run = project.run(host, job_yaml(script(then)), planted=planted)
        job = run.job()
        print(f"{len(job.written)} of {len(WRITTEN)} bytes: {job.message} {job.notes}")
        assert len(job.written) < len(WRITTEN), "the disk was not full"
        assert engine.left() == []
    return job


@pytest.mark.parametrize("then", [":", EMPTY], ids=["for good", "for a while"])
def test_a_job_whose_log_could_not_be_written(project: Project, then: str) -> None:
    job = job_on_a_full_disk(project, then)
    assert job.is_loud
    assert job.verdict == "unproven"


@pytest.mark.parametrize("then", [":", EMPTY], ids=["for good", "for a while"])
def test_on_an_engine_that_is_far(project: Project, then: str) -> None:
    """There is no attach to compare with: the second reading has to find the hole, and does unless
    the disk was full at the very end of a line: once in about 150 times, one line's length."""
    tries = (job_on_a_full_disk(project, then, preview=False) for _ in range(3))
    assert any(job.is_loud for job in tries)


def test_a_planted_bug_is_caught(project: Project) -> None:
    """Nobody compares the log with what the container was seen to write."""
    planted = """
from tracekeeper.runner.executors.preview import Preview
Preview.missing = property(lambda self: 0)
"""
    assert not job_on_a_full_disk(project, EMPTY, planted=planted).is_loud
