import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tracekeeper.engine.marker import EndMarker
from tracekeeper.runner.executors import dispatcher

SHELLS = [
    [path, *rest]
    for name, *rest in (("bash",), ("dash",), ("busybox", "sh"))
    if (path := shutil.which(name))
]


def run(shell: list[str], script: bytes, directory: Path) -> tuple[int, bytes, EndMarker]:
    """The dispatcher, in a directory of ours instead of the container's."""
    with tarfile.open(fileobj=io.BytesIO(dispatcher.step_archive(script, "ab" * 16))) as tar:
        tar.extractall(directory, filter="data")
    return dispatch(shell, directory)


def dispatch(shell: list[str], directory: Path) -> tuple[int, bytes, EndMarker]:
    text = dispatcher.DISPATCHER.replace(dispatcher.DIRECTORY, f"{directory}/.tracekeeper")
    done = subprocess.run(
        [*shell, "-c", text],
        capture_output=True,
        check=False,
        timeout=60,
        cwd=directory / ".tracekeeper",
    )
    assert done.stderr == b""
    marker = EndMarker("ab" * 16)
    return done.returncode, marker.scan(done.stdout), marker


@pytest.mark.parametrize("shell", SHELLS, ids=str)
@pytest.mark.parametrize(
    ("script", "status", "output"),
    [
        (b"", 0, b""),
        (b"echo out; echo err >&2; printf rest; exit 7", 7, b"out\nerr\nrest"),
        (b"kill -KILL $$", 137, None),
        (b"read line || echo no stdin", 0, b"no stdin\n"),
        (b"trap 'exit 3' INT; kill -INT $$; exit 4", 3, b""),
        (b"exec >/dev/null 2>&1", 0, b""),
        (b"cat nonce; exit 5", 5, b""),
    ],
)
def test_the_marker_follows_the_output(
    shell: list[str], script: bytes, status: int, output: bytes | None, tmp_path: Path
) -> None:
    code, found, marker = run(shell, script, tmp_path)
    assert (code, marker.status) == (status, status)
    assert output is None or found == output
    assert (tmp_path / ".tracekeeper/begun").exists()


@pytest.mark.parametrize("shell", SHELLS, ids=str)
def test_a_step_runs_once_however_often_it_is_started(shell: list[str], tmp_path: Path) -> None:
    assert run(shell, b"echo once", tmp_path)[1] == b"once\n"
    code, output, marker = dispatch(shell, tmp_path)
    assert (code != 0, output, marker.status) == (True, b"", None)


def test_any_user_may_read_and_write() -> None:
    archive = dispatcher.first_members("/builds", "/builds/project")
    archive += dispatcher.step_archive(b"x", "n")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        found = {info.name: info.mode for info in tar if info.isdir()}
        assert {info.mode for info in tar if info.isfile()} == {0o666}
        assert dispatcher.COMMAND[-1].lstrip("/") in tar.getnames()
    assert found == dict.fromkeys([".tracekeeper", "builds", "builds/project"], 0o777)
