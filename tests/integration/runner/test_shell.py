"""The shell executor with real shells: output, ends, leftovers, cancellation."""

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tracekeeper.errors import JobError, StorageError
from tracekeeper.events import ConnectionEvent
from tracekeeper.protocol.payload import Step
from tracekeeper.runner import processes
from tracekeeper.runner.executors.base import StepResult
from tracekeeper.runner.executors.shell import ShellExecutor, write_secret
from tracekeeper.workspace.trees import remove_tree

STEP = Step("script", (), 60)


class Recorder:
    """An `Output` that keeps everything, and can be waited on."""

    def __init__(self) -> None:
        self.data = b""
        self.notes: list[str] = []
        self.waiting: list[tuple[bytes, asyncio.Event]] = []

    def write(self, data: bytes, *, at: int | None = None) -> None:
        self.data += data
        for word, event in self.waiting:
            if word in self.data:
                event.set()

    def checkpoint(self, standing: object, *, now: bool = False) -> None: ...

    def tell(self, event: ConnectionEvent) -> None: ...

    def preview(self, data: bytes) -> None:
        raise AssertionError("the shell executor records everything")

    def note(self, text: str) -> None:
        self.notes.append(text)

    async def until(self, word: bytes) -> None:
        event = asyncio.Event()
        self.waiting.append((word, event))
        self.write(b"")
        await asyncio.wait_for(event.wait(), 30)


class Copy:
    """Sources with one file."""

    def materialize(self, dest: Path) -> None:
        dest.mkdir()
        (dest / "file").write_text("content")

    def release(self, dest: Path) -> None:
        remove_tree(dest)

    def tar(self, prefix: str) -> Iterator[bytes]:
        raise AssertionError("shell jobs get a directory")


@pytest.fixture(autouse=True)
def _subreaper() -> None:
    processes.become_subreaper()


def run_script(
    tmp_path: Path, script: str, *, grace: float = 5, cancel_at: bytes = b"", cancels: int = 1
) -> tuple[StepResult | None, Recorder]:
    """Run `script`; cancel it `cancels` times once `cancel_at` was printed (result None)."""

    async def main() -> tuple[StepResult | None, Recorder]:
        output = Recorder()
        executor = ShellExecutor(
            tmp_path / "job", project="project", sources=Copy(), marker="m/1/2", grace=grace
        )
        await executor.prepare(output)
        await executor.put_sources(output)
        task = asyncio.create_task(executor.run(STEP, script.encode(), output))
        if cancel_at:
            await output.until(cancel_at)
            for _ in range(cancels):
                task.cancel()
                await asyncio.sleep(0)
        (result,) = await asyncio.gather(task, return_exceptions=True)
        assert executor.doubt == ""
        await executor.cleanup()
        if isinstance(result, asyncio.CancelledError):
            return None, output
        if isinstance(result, BaseException):
            raise result
        return result, output

    result, output = asyncio.run(main())
    assert not (tmp_path / "job").exists()
    assert processes.marked_anywhere("m/1/2") == []
    return result, output


def test_output_and_exit_code(tmp_path: Path) -> None:
    result, output = run_script(tmp_path, "cat file; echo out; echo err >&2; echo more; exit 7")
    assert result == StepResult(7)
    assert output.data == b"contentout\nerr\nmore\n"


def test_every_byte_of_a_flood_arrives(tmp_path: Path) -> None:
    result, output = run_script(tmp_path, "seq 1 300000")
    assert result == StepResult(0)
    assert output.data == b"".join(b"%d\n" % n for n in range(1, 300001))


def test_lines_written_one_by_one_arrive_in_order(tmp_path: Path) -> None:
    script = "i=0; while [ $i -lt 20000 ]; do echo $i; echo e$i >&2; i=$((i+1)); done"
    _, output = run_script(tmp_path, script)
    assert output.data == b"".join(b"%d\ne%d\n" % (n, n) for n in range(20000))


def test_a_signal_is_an_exit_code_over_128(tmp_path: Path) -> None:
    result, _ = run_script(tmp_path, "kill -KILL $$")
    assert result == StepResult(128 + signal.SIGKILL)


def test_closed_stdout_is_not_the_end(tmp_path: Path) -> None:
    result, output = run_script(tmp_path, "echo before; exec >&- 2>&-; sleep 0.2; exit 3")
    assert result == StepResult(3)
    assert output.data == b"before\n"


def test_daemons_are_ended_and_their_output_is_kept(tmp_path: Path) -> None:
    script = (
        'setsid sh -c \'trap "echo last words; exit" TERM; echo daemon; touch up; '
        "while :; do :; done' & while ! [ -e up ]; do :; done; echo done"
    )
    result, output = run_script(tmp_path, script)
    assert result == StepResult(0)
    assert {b"daemon", b"done", b"last words"} <= set(output.data.split(b"\n"))


def test_a_daemon_that_hides_its_environment_is_found_by_its_session(tmp_path: Path) -> None:
    result, output = run_script(tmp_path, "env -i sleep 300 & echo pid $!")
    pid = int(output.data.split()[1])
    assert result == StepResult(0)
    assert not os.path.exists(f"/proc/{pid}")


def test_cancel_gives_the_script_time_to_say_why(tmp_path: Path) -> None:
    script = "trap 'echo stopping; exit 9' TERM; echo ready; while :; do :; done"
    result, output = run_script(tmp_path, script, cancel_at=b"ready")
    assert result is None
    assert output.data == b"ready\nstopping\n"


def test_cancel_kills_who_ignores_sigterm(tmp_path: Path) -> None:
    script = "trap '' TERM; echo ready; while :; do :; done"
    result, output = run_script(tmp_path, script, cancel_at=b"ready", grace=0.2)
    assert result is None
    assert output.data == b"ready\n"


def test_a_second_cancel_does_not_wait_for_the_grace(tmp_path: Path) -> None:
    script = "trap '' TERM; echo ready; while :; do :; done"
    result, _ = run_script(tmp_path, script, cancel_at=b"ready", grace=100, cancels=2)
    assert result is None


def test_remove_tree_removes_read_only_directories(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "locked").mkdir(parents=True)
    (tree / "locked" / "file").write_text("x")
    (tree / "locked").chmod(0o500)
    remove_tree(tree)
    assert not tree.exists()
    remove_tree(tree)


def test_the_script_is_nobody_elses_to_read(tmp_path: Path) -> None:
    result, output = run_script(tmp_path, 'stat -c "%a %n" "$0" "${0%/*}"')
    assert result == StepResult(0)
    modes = [line.split()[0] for line in output.data.splitlines()]
    assert modes == [b"600", b"700"]


def test_what_a_trap_runs_to_clean_up_is_not_signalled(tmp_path: Path) -> None:
    script = "trap 'sh -c \"sleep 0.2; echo cleaned\"; exit' TERM; echo ready; while :; do :; done"
    result, output = run_script(tmp_path, script, cancel_at=b"ready")
    assert result is None
    assert output.data == b"ready\ncleaned\n"


def test_who_forks_without_end_is_ended(tmp_path: Path) -> None:
    script = (
        "f() { trap '' TERM; while :; do (trap '' TERM; sleep 0.01) & sleep 0.01; done; }; "
        "f & setsid sh -c 'trap \"\" TERM; while :; do sleep 0.01; done' & echo ready; exit 0"
    )
    result, output = run_script(tmp_path, script, grace=0.3)
    assert result == StepResult(0)
    assert output.data == b"ready\n"


def test_any_number_of_cancels(tmp_path: Path) -> None:
    script = "trap '' TERM; echo ready; while :; do :; done"
    before = len(os.listdir("/proc/self/fd")) if processes.LINUX else 0
    result, _ = run_script(tmp_path, script, cancel_at=b"ready", grace=100, cancels=7)
    assert result is None
    assert not processes.LINUX or len(os.listdir("/proc/self/fd")) == before


def test_a_shell_that_cannot_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: str(tmp_path / "none"))
    with pytest.raises(JobError, match="cannot be started: No such file") as caught:
        run_script(tmp_path, "echo")
    assert caught.value.reason == "runner_system_failure"


def test_a_secret_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "script.sh"
    path.write_text("old")
    path.chmod(0o666)
    write_secret(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(StorageError):
        write_secret(tmp_path / "none" / "script.sh", b"")


@pytest.mark.root
def test_what_cannot_be_removed_is_said(tmp_path: Path) -> None:
    held = tmp_path / "tree" / "held"
    held.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tk-held", held], check=True)
    try:
        (held / "file").touch()
        with pytest.raises(StorageError, match="held cannot be removed: Device or resource busy"):
            remove_tree(tmp_path / "tree")
    finally:
        subprocess.run(["umount", held], check=True)
    remove_tree(tmp_path / "tree")


def test_a_tree_that_two_remove_at_once(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for n in range(300):
        (tree / str(n % 30)).mkdir(parents=True, exist_ok=True)
        (tree / str(n % 30) / f"file-{n}").touch()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(remove_tree, [tree] * 4))
    assert not tree.exists()


def test_a_cancelled_copy_is_over_before_the_clean_up(tmp_path: Path) -> None:
    begun, go = threading.Event(), threading.Event()

    class Slow(Copy):
        def materialize(self, dest: Path) -> None:
            begun.set()
            assert go.wait(30)
            super().materialize(dest)

    async def main() -> None:
        output = Recorder()
        executor = ShellExecutor(tmp_path / "job", project="p", sources=Slow(), marker="m/1/2")
        await executor.prepare(output)
        copying = asyncio.create_task(executor.put_sources(output))
        await asyncio.to_thread(begun.wait, 30)
        for _ in range(3):
            copying.cancel()
            await asyncio.sleep(0)
        assert not copying.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await copying
        assert (tmp_path / "job/p/file").exists()
        await executor.cleanup()

    asyncio.run(main())
    assert not (tmp_path / "job").exists()
