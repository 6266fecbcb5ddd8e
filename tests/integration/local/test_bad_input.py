"""Scripts that behave badly, and disks that are full: a clear sentence or the right result."""

import os
import signal
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tracekeeper.runner import processes
from tracekeeper.trace.format import Stream
from tracekeeper.trace.lines import text_of

MEMORY = 100 * 1024 * 1024


def script_output(checkout: Any, job: int = 1) -> bytes:
    """What the script of a job wrote, as the trace has it."""
    (path,) = checkout.kept().path.glob(f"jobs/{job}-*/trace")
    return text_of(path.read_bytes(), Stream.SCRIPT)


def assert_proven(checkout: Any, end: dict[str, Any]) -> None:
    """Count the trace with a tool of our own."""
    assert end["verdict"] == "proven", end["verdict_reason"]
    (path,) = checkout.kept().path.glob(f"jobs/{end['job'] % 100_000}-*/trace")
    size = crc = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            size += len(block)
            crc = zlib.crc32(block, crc)
    assert (end["bytes"], end["checksum"]) == (size, f"crc32:{crc:08x}")


def test_a_script_that_closes_its_output(checkout: Any) -> None:
    checkout.pipeline("""
job: {script: [echo before, 'exec >&- 2>&-', 'echo unheard || :', sleep 0.2, touch done, exit 3]}
""")
    run = checkout.run()
    assert run.code == 1
    assert run.finished()["exit_code"] == 3
    assert "before" in run.lines()
    assert_proven(checkout, run.finished())


@pytest.mark.skipif(not processes.LINUX, reason="looks at /proc")
@pytest.mark.parametrize("command", ["head -c 1G /dev/zero | tr '\\\\0' x", "seq 1 5000000"])
def test_a_flood_takes_little_memory(checkout: Any, command: str) -> None:
    checkout.pipeline(f"""
job: {{script: ["{command}"]}}
""")
    run = checkout.start("--data", str(checkout.home / "data"), json=False)
    peak = 0
    while run.process.poll() is None:
        peak = max(peak, _peak(run.process.pid))
        os.sched_yield()
    assert run.code == 0
    assert 0 < peak < MEMORY


def _peak(pid: int) -> int:
    """The most memory that a process has had, in bytes."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    sizes = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(sizes[0]) * 1024 if sizes else 0


def test_every_byte_of_a_line_without_end(checkout: Any) -> None:
    checkout.pipeline("""
job: {script: ["head -c 50M /dev/zero | tr '\\\\0' x"]}
""")
    end = checkout.run().finished()
    assert script_output(checkout).splitlines()[-1] == b"x" * (50 << 20)
    assert_proven(checkout, end)


def test_sigterm_ignored(checkout: Any) -> None:
    checkout.pipeline("""
job: {timeout: 1 second, script: ["trap '' TERM; echo ready; while :; do sleep 1; done"]}
""")
    run = checkout.run()
    assert run.code == 1
    assert run.finished()["failure_reason"] == "job_execution_timeout"
    assert processes.marked_anywhere(checkout.data.id) == []


@pytest.mark.skipif(not processes.LINUX, reason="elsewhere only process groups are known")
@pytest.mark.parametrize(
    "daemon",
    [
        "sleep 611 &",
        "nohup sleep 611 >/dev/null 2>&1 &",
        "setsid sleep 611 >/dev/null 2>&1 &",
        "(setsid sh -c 'sleep 611 & exit' &)",
        "setsid env -i sleep 611 &",
        "setsid env -i sleep 611 >/dev/null 2>&1 &",
        "(cd / && setsid env -i sleep 611 &)",
        "(cd / && setsid env -i sleep 611 >/dev/null 2>&1 &)",
    ],
)
def test_daemons_end_with_their_job(checkout: Any, daemon: str) -> None:
    before = _sleepers()
    checkout.pipeline(f"""
job: {{script: ["{daemon}", 'while ! pgrep -x sleep >/dev/null; do :; done', echo last words]}}
""")
    run = checkout.run()
    assert run.code == 0, run.finished()["message"]
    assert "last words" in run.lines()
    assert_proven(checkout, run.finished())
    assert _sleepers() == before


def _sleepers() -> set[int]:
    found = subprocess.run(["pgrep", "-f", "^sleep 611$"], capture_output=True, check=False)
    return set(map(int, found.stdout.split()))


def test_binary_garbage_becomes_valid_text(checkout: Any) -> None:
    garbage = bytes(range(256)) * 40
    (checkout.root / "garbage").write_bytes(garbage)
    checkout.pipeline("job: {script: [cat garbage]}")
    run = checkout.run()
    assert run.code == 0
    assert_proven(checkout, run.finished())
    trace = next(checkout.kept().path.glob("jobs/1-*/trace")).read_bytes()
    trace.decode()
    expected = b"".join(bytes([b]) if b < 0x80 else "\ufffd".encode() for b in garbage)
    assert expected in script_output(checkout)


@pytest.mark.parametrize("json", [True, False])
def test_a_prompt_is_seen_while_it_waits(checkout: Any, json: bool) -> None:
    checkout.pipeline("""
job:
  script:
    - printf 'Continue? [y/N] '; sleep 600
""")
    run = checkout.start(json=json)
    run.wait(lambda: "Continue? [y/N] " in (run.output() + "".join(run.printed)).split("sleep")[-1])
    assert run.process.poll() is None
    run.signal(signal.SIGINT)
    assert run.code == 130


def test_what_masking_holds_back_is_seen_as_such(checkout: Any, tmp_path: Path) -> None:
    (tmp_path / "v.yml").write_text("SECRET: {value: hunter2hunter3, masked: true}\n")
    checkout.pipeline("job: {script: [printf 'Password hunter2'; sleep 600]}")
    run = checkout.start("--variables-file", str(tmp_path / "v.yml"), json=False)
    run.wait(lambda: any(line.endswith("Password …\n") for line in run.printed))
    run.signal(signal.SIGINT)
    assert run.code == 130


def test_a_secret_is_never_on_the_disk(checkout: Any, tmp_path: Path) -> None:
    secret = "hunter2hunter2hunter3"
    (tmp_path / "v.yml").write_text(f"SECRET: {{value: {secret}, masked: true}}\n")
    checkout.pipeline("""
job:
  script:
    - printf hunter2hun; sleep 1.3; printf ter2hun; sleep 1.3; echo ter3
    - for c in h u n t e r 2 h u n t e r 2 h u n t e r 3; do printf $c; sleep 0.01; done; echo
    - stat -c 'mode %a' "$0"; grep -c hunter3 "$0"
    - echo "$SECRET$SECRET" >&2
    - printf "$SECRET"
  after_script: [echo "$SECRET"]
""")
    run = checkout.run("--variables-file", str(tmp_path / "v.yml"))
    assert run.code == 0
    assert "mode 600" in run.lines()
    assert secret not in run.output()
    assert "[MASKED]" in run.lines()
    kept = [path for path in checkout.data.path.rglob("*") if path.is_file()]
    assert {path.name for path in kept} >= {"trace", "journal", "events.jsonl", "result.json"}
    assert [path for path in kept if secret.encode() in path.read_bytes()] == []
    assert checkout.builds == []


# ------------------------------------------------------------------------------- full disks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tk-small", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.root
def test_the_data_directory_is_full(checkout: Any, small_disk: Path) -> None:
    checkout.pipeline("""
flood: {script: [head -c 8M /dev/zero | tr '\\0' x, echo never reached]}
other: {stage: deploy, when: always, script: [echo fine]}
""")
    run = checkout.run("--data", str(small_disk / "data"))
    assert run.code == 1
    end = run.finished("flood")
    assert end["failure_reason"] == "runner_system_failure"
    assert "No space left on device" in end["message"]
    assert "make room on the disk" in end["message"]
    assert end["verdict"] == "unproven"
    assert run.finished("other")["status"] == "failed"
    assert run.errors == ""
    assert run.of_type("run_finished")
    assert checkout.builds == []


@pytest.mark.root
@pytest.mark.parametrize("full", ["a cache", "an artifact"])
def test_a_full_data_directory_keeps_no_files(checkout: Any, small_disk: Path, full: str) -> None:
    checkout.pipeline("""
a cache: {script: [head -c 8M /dev/urandom > big], cache: {key: k, paths: [big]}}
an artifact: {script: [head -c 8M /dev/urandom > big], artifacts: {paths: [big]}}
""")
    run = checkout.run("--data", str(small_disk / "data"), full)
    if full == "a cache":
        assert run.code == 0
        assert any("was not saved" in line and "full" in line for line in run.lines(full))
    else:
        assert run.code == 1
        assert "the disk is full" in run.finished(full)["message"]
    assert checkout.builds == []
    assert not list(small_disk.rglob("*.partial"))


@pytest.mark.root
@pytest.mark.parametrize("size", [3, 6])
def test_the_builds_directory_is_full(checkout: Any, small_disk: Path, size: int) -> None:
    """Too full for the snapshot, or for the job's copy of it."""
    (checkout.root / "big").write_bytes(os.urandom(size << 20))
    checkout.pipeline("""
job: {script: [echo]}
other: {script: [echo]}
""")
    run = checkout.run(environment={"XDG_CACHE_HOME": str(small_disk)})
    assert run.code == 1
    if size == 6:
        assert "the disk is full" in run.errors
    else:
        assert "the disk is full" in run.finished()["message"]
    assert run.of_type("run_finished")[0]["exit_code"] == 1
    assert "Traceback" not in run.errors
    assert not list(small_disk.glob("tracekeeper/builds/*/*"))


@pytest.mark.root
def test_a_script_fills_the_disk(checkout: Any, small_disk: Path) -> None:
    checkout.pipeline("""
job: {script: [head -c 8M /dev/zero > big], after_script: [rm -f big, echo cleaned]}
""")
    run = checkout.run(environment={"XDG_CACHE_HOME": str(small_disk)})
    assert run.code == 1
    assert run.finished()["failure_reason"] == "script_failure"
    assert any("No space left on device" in line for line in run.lines())


@pytest.mark.root
def test_artifacts_go_to_another_file_system(checkout: Any, small_disk: Path) -> None:
    checkout.pipeline("""
stages: [a, b]
one:
  stage: a
  script: [echo 1 > one, echo X=2 > v.env]
  artifacts: {paths: [one], reports: {dotenv: v.env}}
two: {stage: b, script: ['test "$(cat one),$X" = 1,2']}
""")
    assert checkout.run("--data", str(small_disk / "data")).code == 0
