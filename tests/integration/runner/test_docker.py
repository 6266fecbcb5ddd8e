"""The docker executor against a real engine."""

import asyncio
import io
import tarfile
import threading
import uuid
import zipfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tracekeeper.engine.client import Engine, answers
from tracekeeper.engine.containers import Containers
from tracekeeper.engine.errors import ConnectionLost, EngineRefused
from tracekeeper.engine.host import Host
from tracekeeper.engine.tasks import end
from tracekeeper.errors import JobError
from tracekeeper.events import ConnectionEvent
from tracekeeper.protocol.payload import (
    DockerOptions,
    ExecutorOptions,
    ImageSpec,
    JobInfo,
    JobPayload,
    JobVariable,
    Step,
)
from tracekeeper.runner.docker.config import DockerConfig, DockerSettings
from tracekeeper.runner.executors import docker
from tracekeeper.runner.executors.docker import DockerExecutor
from tracekeeper.runner.executors.leftovers import DATA_LABEL, RUN_LABEL, remove_leftovers

pytestmark = pytest.mark.docker

SCRIPT = Step("script", (), 60)
AFTER = Step("after_script", (), 60)


def waiting(seconds: int) -> DockerSettings:
    """Settings with so much time for services to be ready."""
    return DockerSettings(DockerConfig(wait_for_services_timeout=seconds))


class Recorder:
    """An output that keeps everything, and tells when something has been seen."""

    def __init__(self) -> None:
        self.data = b""
        self.times: list[int | None] = []
        self.previews: list[bytes] = []
        self.notes: list[str] = []
        self._changed = asyncio.Event()

    def write(self, data: bytes, *, at: int | None = None) -> None:
        self.data += data
        self.times.append(at)
        self._changed.set()

    def checkpoint(self, standing: object, *, now: bool = False) -> None: ...

    def tell(self, event: ConnectionEvent) -> None: ...

    def preview(self, data: bytes) -> None:
        self.previews.append(data)
        self._changed.set()

    def note(self, text: str) -> None:
        self.notes.append(text)

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()


class Tree:
    """Sources of one file."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def materialize(self, dest: Path) -> None:
        raise NotImplementedError

    def release(self, dest: Path) -> None:
        raise AssertionError

    def tar(self, prefix: str) -> Iterator[bytes]:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for name, data in self.files.items():
                info = tarfile.TarInfo(f"{prefix.strip('/')}/{name}")
                info.size, info.mode = len(data), 0o666
                tar.addfile(info, io.BytesIO(data))
        data = archive.getvalue()
        for start in range(0, len(data), 1000):
            yield data[start : start + 1000]


class Job:
    """What a test needs to make jobs and to see that nothing of them is left."""

    def __init__(self, url: str, image: str) -> None:
        self.url = url
        self.image = image
        self.data_id = uuid.uuid4().hex
        self.output = Recorder()

    def executor(
        self,
        image: ImageSpec | str = "",
        *,
        services: tuple[ImageSpec, ...] = (),
        variables: dict[str, str] | None = None,
        files: dict[str, bytes] | None = None,
        url: str = "",
        **options: Any,
    ) -> DockerExecutor:
        spec = image if isinstance(image, ImageSpec) else ImageSpec(image or self.image)
        info = JobInfo(7, "job", "test", project_name="project")
        payload = JobPayload(7, "", info, (), (), image=spec, services=services)
        return DockerExecutor(
            payload,
            variables or {},
            host=Host(url or self.url),
            sources=Tree(files or {"README": b"read me\n"}),
            labels={DATA_LABEL: self.data_id, RUN_LABEL: "run-1"},
            **options,
        )

    @asynccontextmanager
    async def prepared(self, *args: Any, **options: Any) -> AsyncIterator[DockerExecutor]:
        executor = self.executor(*args, **options)
        try:
            await executor.prepare(self.output)
            yield executor
        finally:
            await executor.cleanup()

    async def left(self) -> list[object]:
        label = f"{DATA_LABEL}={self.data_id}"
        async with await Engine.connect(self.url) as engine:
            return [
                *await engine.containers.list(label),
                *await engine.networks.list(label),
                *await engine.volumes.list(label),
            ]


@pytest.fixture
def job(engine_url: str, busybox: str) -> Iterator[Job]:
    job = Job(engine_url, busybox)
    yield job
    assert asyncio.run(job.left()) == []


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


# ------------------------------------------------------------------------- output and results


def test_output_and_exit_status(job: Job) -> None:
    async def main() -> None:
        async with job.prepared() as executor:
            result = await executor.run(
                SCRIPT, b"for i in 1 2 3; do echo o$i; echo e$i >&2; done; exit 7", job.output
            )
        assert (result.exit_code, executor.doubt) == (7, "")
        assert job.output.data == b"o1\ne1\no2\ne2\no3\ne3\n"
        assert all(job.output.times)

    run(main())


def test_script_runs_with_sources_and_variables(job: Job) -> None:
    async def main() -> None:
        async with job.prepared(variables={"A": "b c"}) as executor:
            await executor.put_sources(job.output)
            script = f'cd {executor.project_dir}; cat README; echo "$A"; touch new'.encode()
            result = await executor.run(SCRIPT, script, job.output)
        assert result.exit_code == 0
        assert job.output.data == b"read me\nb c\n"

    run(main())


def test_after_script_goes_on_in_the_same_container(job: Job) -> None:
    async def main() -> None:
        async with job.prepared() as executor:
            await executor.run(SCRIPT, b"echo one; echo kept >/file; exit 1", job.output)
            result = await executor.run(AFTER, b"cat /file", job.output)
        assert result.exit_code == 0
        assert job.output.data == b"one\nkept\n"

    run(main())


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (b"", b""),
        (b"printf unfinished", b"unfinished"),
        (b"printf '\\n\\n'", b"\n\n"),
        (b"head -c 50000 /dev/zero | tr '\\0' x; echo", b"x" * 50000 + b"\n"),
        (b"head -c 16384 /dev/zero | tr '\\0' x", b"x" * 16384),
        (b"head -c 40000 /dev/zero | tr '\\0' x", b"x" * 40000),
        (b"printf 'a\\377b\\303'", "a\ufffdb\ufffd".encode()),
        (b"printf '\\036tracekeeper-end:0:0\\n'", b"\x1etracekeeper-end:0:0\n"),
        (b"exec >/dev/null 2>&1; echo gone", b""),
        (b"echo before; exec >&- 2>&-; exit 0", b"before\n"),
    ],
)
def test_output_is_byte_exact(job: Job, script: bytes, expected: bytes) -> None:
    async def main() -> None:
        async with job.prepared() as executor:
            await executor.run(SCRIPT, script, job.output)
        assert executor.doubt == ""
        assert job.output.data == expected

    run(main())


def test_flood_of_lines(job: Job) -> None:
    async def main() -> None:
        async with job.prepared() as executor:
            await executor.run(SCRIPT, b"seq 1 100000", job.output)
        assert executor.doubt == ""
        assert job.output.data == b"".join(b"%d\n" % n for n in range(1, 100001))
        times = [at for at in job.output.times if at is not None]
        assert times == sorted(times)

    run(main())


def test_prompt_is_shown_and_taken_back(job: Job) -> None:
    async def main() -> None:
        async with job.prepared() as executor:
            script = b"echo first; printf 'Continue? [y/N] '; read _ </pipe; echo no"
            await executor.run(SCRIPT, b"mkfifo /pipe", job.output)
            running = asyncio.create_task(executor.run(SCRIPT, script, job.output))
            await job.output.until(lambda: job.output.previews != [])
            assert job.output.previews == [b"Continue? [y/N] "]
            assert job.output.data == b"first\n"
            await executor._connected.containers.execute(
                executor._container, ["sh", "-c", "echo y >/pipe"]
            )
            await running
            assert executor.doubt == ""
        assert job.output.previews == [b"Continue? [y/N] ", b""]
        assert job.output.data == b"first\nContinue? [y/N] no\n"

    run(main())


def test_image_with_a_user(job: Job, make_image: Callable[..., str]) -> None:
    image = make_image(User="worker")

    async def main() -> None:
        async with job.prepared(image) as executor:
            await executor.put_sources(job.output)
            script = b"id -u; cd /builds/project; echo more >>README; cat README; mkdir -p ../x.tmp"
            result = await executor.run(SCRIPT, script, job.output)
        assert (result.exit_code, job.output.data) == (0, b"1000\nread me\nmore\n")

    run(main())


def test_sigint_is_not_ignored_in_scripts(job: Job) -> None:
    async def main() -> None:
        async with job.prepared() as executor:
            script = b"trap 'echo caught; exit 0' INT; kill -INT $$; echo missed"
            await executor.run(SCRIPT, script, job.output)
        assert job.output.data == b"caught\n"

    run(main())


def test_out_of_memory(job: Job, engine_api: Callable[..., Any]) -> None:
    async def main() -> None:
        async with job.prepared() as executor:
            limit = b'{"Memory": 16777216, "MemorySwap": 16777216}'
            engine_api("POST", f"/containers/{executor._container}/update", limit)
            result = await executor.run(SCRIPT, b"echo big; tail /dev/zero", job.output)
        assert result.oom
        assert result.exit_code == 137

    run(main())


def test_script_that_kills_everything_is_in_doubt(job: Job) -> None:
    async def main() -> None:
        async with job.prepared() as executor:
            engine = executor._connected
            running = asyncio.create_task(executor.run(SCRIPT, b"echo x; sleep 60", job.output))
            await job.output.until(lambda: job.output.data == b"x\n")
            await engine.containers.kill(executor._container)
            result = await running
        assert result.exit_code == 137
        assert "end marker" in executor.doubt

    run(main())


def test_container_restarted_under_us_runs_its_script_once(
    job: Job, engine_api: Callable[..., Any]
) -> None:
    async def main() -> None:
        async with job.prepared() as executor:
            running = asyncio.create_task(executor.run(SCRIPT, b"echo x; sleep 60", job.output))
            await job.output.until(lambda: job.output.data == b"x\n")
            restart = f"/containers/{executor._container}/restart?t=0"
            await asyncio.to_thread(engine_api, "POST", restart)
            await running
            assert "end marker" in executor.doubt
            await executor.run(AFTER, b"echo after", job.output)
        assert job.output.data == b"x\nafter\n"

    run(main())


def test_container_removed_under_us(job: Job) -> None:
    async def main() -> None:
        async with job.prepared() as executor:
            running = asyncio.create_task(executor.run(SCRIPT, b"echo x; sleep 60", job.output))
            await job.output.until(lambda: job.output.data == b"x\n")
            await executor._connected.containers.remove(executor._container)
            with pytest.raises(JobError, match="was removed") as caught:
                await running
        assert caught.value.reason == "runner_system_failure"

    run(main())


# --------------------------------------------------------------------------------- cancellation


def test_cancelled_script_may_say_goodbye(job: Job) -> None:
    async def main() -> None:
        async with job.prepared() as executor:
            script = b"trap 'echo bye; exit 1' TERM; echo up; while :; do sleep 0.1; done"
            running = asyncio.create_task(executor.run(SCRIPT, script, job.output))
            await job.output.until(lambda: b"up" in job.output.data)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert job.output.data.endswith(b"bye\n")  # after the shell's word on the sleep
            assert executor.doubt == ""
            await executor.run(AFTER, b"echo after", job.output)
        assert executor.doubt == ""
        assert job.output.data.endswith(b"bye\nafter\n")

    run(main())


def test_cancelled_script_that_ignores_sigterm_is_killed(job: Job) -> None:
    async def main() -> None:
        async with job.prepared(grace=0.5) as executor:
            script = b"trap '' TERM; echo up; while :; do sleep 0.1; done"
            running = asyncio.create_task(executor.run(SCRIPT, script, job.output))
            await job.output.until(lambda: b"up" in job.output.data)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            await executor.run(AFTER, b"echo after", job.output)
        assert executor.doubt == ""
        assert job.output.data == b"up\nafter\n"

    run(main())


def test_second_cancellation_kills_at_once(job: Job) -> None:
    async def main() -> None:
        async with job.prepared(grace=600.0) as executor:
            script = b"trap 'echo still here' TERM; echo up; while :; do sleep 0.1; done"
            running = asyncio.create_task(executor.run(SCRIPT, script, job.output))
            await job.output.until(lambda: b"up" in job.output.data)
            running.cancel()
            await job.output.until(lambda: b"still here" in job.output.data)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

    run(main())


async def never_ends(*_arguments: object, **_options: object) -> int:
    await asyncio.Event().wait()
    raise AssertionError


async def lost(*_arguments: object, **_options: object) -> None:
    raise ConnectionLost("the engine is away")


def test_a_signal_that_nobody_answers_holds_up_no_kill(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a script has put something else in the place of the image's `sh`."""

    async def main() -> None:
        async with job.prepared(grace=0.5) as executor:
            script = b"trap '' TERM; echo up; while :; do sleep 0.1; done"
            running = asyncio.create_task(executor.run(SCRIPT, script, job.output))
            await job.output.until(lambda: b"up" in job.output.data)
            monkeypatch.setattr(Containers, "execute", never_ends)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

    run(main())


def test_a_cancellation_while_the_engine_is_away_stays_one(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker, "LAST_WORDS", 0.1)

    async def main() -> None:
        async with job.prepared(grace=0.1) as executor:
            script = b"trap '' TERM; echo up; while :; do sleep 0.1; done"
            running = asyncio.create_task(executor.run(SCRIPT, script, job.output))
            await job.output.until(lambda: b"up" in job.output.data)
            for name in ("execute", "kill"):
                monkeypatch.setattr(Containers, name, lost)
            before = len(asyncio.all_tasks())
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert len(asyncio.all_tasks()) < before - 1, "the follower goes on"

    run(main())


# ------------------------------------------------------------------- images that cannot do it


def fails(job: Job, image: ImageSpec | str, **options: Any) -> JobError:
    async def main() -> None:
        async with job.prepared(image, **options) as executor:
            await executor.run(SCRIPT, b"echo never", job.output)

    with pytest.raises(JobError) as caught:
        run(main())
    assert b"never" not in job.output.data
    return caught.value


def test_unknown_image(job: Job) -> None:
    error = fails(job, "localhost:1/none/such:1")
    assert error.reason == "image_pull_failure"
    assert error.message.startswith("image localhost:1/none/such:1 cannot be pulled: ")


def test_image_that_may_not_be_pulled(job: Job) -> None:
    error = fails(job, "tracekeeper-no-such-image", settings=DockerSettings(pull_policy=("never",)))
    assert error.reason == "image_pull_failure"
    assert "its pull policy is 'never'" in error.message


def test_pull_policies_fall_back(job: Job) -> None:
    async def main() -> None:
        spec = ImageSpec(job.image, pull_policy=("always", "if-not-present"))
        async with job.prepared(spec) as executor:
            await executor.run(SCRIPT, b"", job.output)
            assert executor.doubt == ""
        assert any("trying the next pull policy" in note for note in job.output.notes)

    run(main())


def test_unknown_pull_policy(job: Job) -> None:
    error = fails(job, ImageSpec(job.image, pull_policy=("sometimes",)))
    assert error.reason == "runner_configuration_error"


def test_image_without_a_shell(job: Job, make_image: Callable[..., str]) -> None:
    error = fails(job, make_image(content=tar_of({"hello": b"hi"})))
    assert error.reason == "runner_configuration_error"
    assert "has no shell" in error.message


def test_entrypoint_that_is_not_there(job: Job) -> None:
    error = fails(job, ImageSpec(job.image, entrypoint=("/no/such",)))
    assert error.reason == "runner_configuration_error"
    assert "the entrypoint '/no/such'" in error.message


def test_entrypoint_that_does_not_run_its_arguments(job: Job) -> None:
    error = fails(job, ImageSpec(job.image, entrypoint=("echo", "usage:")))
    assert error.reason == "runner_configuration_error"
    assert "did not run the job's script" in error.message
    assert job.output.data.startswith(b"usage: sh /")


def test_entrypoint_is_reset_by_an_empty_one(job: Job, make_image: Callable[..., str]) -> None:
    image = make_image(Entrypoint=["/bin/false"])

    async def main() -> None:
        async with job.prepared(ImageSpec(image, entrypoint=("",))) as executor:
            assert (await executor.run(SCRIPT, b"echo ok", job.output)).exit_code == 0

    run(main())


def test_entrypoint_that_runs_its_arguments_is_kept(
    job: Job, make_image: Callable[..., str]
) -> None:
    image = make_image(Entrypoint=["sh", "-c", 'echo hello; exec "$@"', "-"])

    async def main() -> None:
        async with job.prepared(image) as executor:
            assert (await executor.run(SCRIPT, b"exit 4", job.output)).exit_code == 4
        assert job.output.data == b"hello\n"

    run(main())


def test_image_for_another_platform(job: Job, make_image: Callable[..., str]) -> None:
    foreign = bytearray(Path("/bin/busybox").read_bytes())
    foreign[18:20] = b"\xf3\x00"  # ELF e_machine: RISC-V
    image = make_image(architecture="riscv64", content=tar_of({"bin/sh": bytes(foreign)}))
    error = fails(job, image)
    assert error.reason == "runner_configuration_error"
    assert "is for linux/riscv64" in error.message


def test_local_image_of_another_platform_than_asked_for_is_pulled(job: Job) -> None:
    options = ExecutorOptions(docker=DockerOptions(platform="linux/riscv64"))
    error = fails(job, ImageSpec(job.image, executor_opts=options, pull_policy=("never",)))
    assert error.reason == "image_pull_failure"
    assert "for linux/riscv64" in error.message


def test_job_without_an_image(job: Job) -> None:
    executor = job.executor()
    executor._payload = JobPayload(1, "", JobInfo(1, "job", "test"), (), ())

    async def main() -> None:
        with pytest.raises(JobError, match="names no image"):
            await executor.prepare(job.output)
        await executor.cleanup()

    run(main())


def tar_of(files: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o755
            tar.addfile(info, io.BytesIO(data))
    return archive.getvalue()


# ---------------------------------------------------------------------------------------- files


def test_artifacts_come_out(job: Job) -> None:
    async def main() -> None:
        async with job.prepared() as executor:
            script = (
                b"cd /builds/project; mkdir -p out/deep other; echo 1 >out/deep/a; chmod 700 "
                b"out/deep/a; ln out/deep/a out/hard; ln -s deep/a out/soft; echo 2 >other/b; "
                b"mkfifo out/fifo; echo 3 >single; mkdir -m 0 out/locked"
            )
            assert (await executor.run(SCRIPT, script, job.output)).exit_code == 0
            async with executor.collect(["out/**/*", "single", "none/such"]) as root:
                found = {str(path.relative_to(root)) for path in root.rglob("*")}
                assert found == {
                    "out", "out/deep", "out/deep/a", "out/hard", "out/soft", "out/locked", "single",
                }  # fmt: skip
                assert (root / "out/hard").read_bytes() == b"1\n"
                assert (root / "out/soft").readlink() == Path("deep/a")
                assert (root / "out/deep/a").stat().st_mode & 0o777 == 0o700
            assert not root.exists()
            async with executor.collect(["*"]) as root:
                assert (root / "single").read_bytes() == b"3\n"
                assert (root / "other/b").read_bytes() == b"2\n"

    run(main())


def test_archives_go_in(job: Job, make_image: Callable[..., str], tmp_path: Path) -> None:
    image = make_image(User="worker")
    archive = tmp_path / "artifacts.zip"
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr("a/b.txt", "content\n")
        writer.writestr("README", "new\n")
    long_name = "n" * 150
    with zipfile.ZipFile(archive, "a") as writer:
        writer.writestr(f"a/{long_name}", "long\n")

    async def main() -> None:
        async with job.prepared(image) as executor:
            await executor.put_sources(job.output)
            await executor.put_archive(archive)
            script = f"cd /builds/project; cat a/b.txt README a/{long_name}; echo >>README"
            result = await executor.run(SCRIPT, script.encode(), job.output)
        assert (result.exit_code, job.output.data) == (0, b"content\nnew\nlong\n")

    run(main())


# ------------------------------------------------------------------------------------- services


SERVE = ("sh", "-c", "sleep 0.5; while :; do echo hello | nc -l -p 8080; done")


def test_service_is_ready_and_found_by_its_names(job: Job, make_image: Callable[..., str]) -> None:
    image = make_image(ExposedPorts={"8080/tcp": {}})
    service = ImageSpec(image, alias="db, also", command=SERVE)

    async def main() -> None:
        async with job.prepared(services=(service,)) as executor:
            alias = image.removesuffix(":latest")
            script = f"nc -w 5 db 8080; nslookup also >/dev/null && nslookup {alias} >/dev/null"
            result = await executor.run(SCRIPT, script.encode(), job.output)
        assert (result.exit_code, job.output.data) == (0, b"hello\n")
        assert not [note for note in job.output.notes if "WARNING" in note]

    run(main())


def test_service_gets_the_jobs_variables_and_its_own(
    job: Job, make_image: Callable[..., str]
) -> None:
    image = make_image(ExposedPorts={"8080/tcp": {}})
    service = ImageSpec(
        image,
        alias="svc",
        entrypoint=("sh", "-c"),
        command=('while :; do echo "$A $B $C" | nc -l -p 8080; done',),
        variables=(JobVariable("B", "own-$A"), JobVariable("C", "$A", raw=True)),
    )

    async def main() -> None:
        async with job.prepared(services=(service,), variables={"A": "job"}) as executor:
            await executor.run(SCRIPT, b"nc -w 5 svc 8080", job.output)
        assert job.output.data == b"job own-job $A\n"

    run(main())


def test_service_that_does_not_listen_is_a_warning_with_its_log(
    job: Job, make_image: Callable[..., str]
) -> None:
    image = make_image(ExposedPorts={"8080/tcp": {}})
    script = "printf '%016380d-hunter2\n' 0; echo oh no; printf '%020000d' 0; exec sleep 60"
    service = ImageSpec(image, alias="svc", command=("sh", "-c", script))

    async def main() -> None:
        async with job.prepared(services=(service,), settings=waiting(1)) as executor:
            await executor.run(SCRIPT, b"", job.output)
            assert executor.doubt == ""
        text = "\n".join(job.output.notes)
        assert "nothing listens on its port 8080 after 1 s" in text
        assert text.endswith(f"\nsvc: {'0' * 16380}-hunter2\nsvc: oh no")

    run(main())


def test_service_that_listens_on_loopback_only_is_not_ready(
    job: Job, make_image: Callable[..., str]
) -> None:
    image = make_image(ExposedPorts={"8080/tcp": {}})
    service = ImageSpec(image, command=("httpd", "-f", "-p", "127.0.0.1:8080"))

    async def main() -> None:
        async with job.prepared(services=(service,), settings=waiting(1)):
            assert any("nothing listens" in note for note in job.output.notes)

    run(main())


def test_service_that_ends_is_a_warning(job: Job, make_image: Callable[..., str]) -> None:
    image = make_image(ExposedPorts={"8080/tcp": {}})
    service = ImageSpec(image, alias="svc", command=("sh", "-c", "echo failed; sleep 1; exit 3"))

    async def main() -> None:
        async with job.prepared(services=(service,)):
            text = "\n".join(job.output.notes)
            assert "it ended with status 3" in text
            assert "svc: failed" in text

    run(main())


def test_service_whose_log_cannot_be_read_is_a_warning(
    job: Job, make_image: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = make_image(ExposedPorts={"8080/tcp": {}})
    service = ImageSpec(image, alias="svc", command=("false",))

    def refuse(*_arguments: object, **_options: object) -> None:
        raise EngineRefused("no log", status=501, reason="no log")

    async def main() -> None:
        async with job.prepared(services=(service,)):
            text = "\n".join(job.output.notes)
            assert "it ended with status 1" in text
            assert "svc: its log cannot be read: no log" in text

    monkeypatch.setattr(Containers, "logs", refuse)
    run(main())


def test_service_has_a_log_that_can_be_read_whatever_the_host_does(
    job: Job, make_image: Callable[..., str], engine_api: Callable[..., Any]
) -> None:
    service = ImageSpec(make_image(), alias="svc", command=("sleep", "60"))

    async def main() -> None:
        async with job.prepared(services=(service,)) as executor:
            services = executor._around.services
            assert services is not None
            (container,) = services.containers
            config = engine_api("GET", f"/containers/{container}/json")["HostConfig"]
            assert config["LogConfig"]["Type"] == "json-file"

    run(main())


def test_service_without_ports_is_not_waited_for(job: Job) -> None:
    async def main() -> None:
        service = ImageSpec(job.image, command=("sleep", "60"))
        async with job.prepared(services=(service,), settings=waiting(600)):
            assert any("not waiting" in note for note in job.output.notes)

    run(main())


def test_service_that_cannot_start(job: Job) -> None:
    error = fails(job, job.image, services=(ImageSpec(job.image, command=("/no/such",)),))
    assert f"service {job.image} cannot be started" in error.message


def test_anonymous_volumes_go_with_the_job(
    job: Job, make_image: Callable[..., str], engine_api: Callable[..., Any]
) -> None:
    image = make_image(Volumes={"/data": {}})

    def volumes() -> set[str]:
        return {volume["Name"] for volume in engine_api("GET", "/volumes")["Volumes"] or []}

    before = volumes()

    async def main() -> None:
        service = ImageSpec(image, command=("sleep", "60"))
        async with job.prepared(image, services=(service,)):
            assert len(volumes() - before) == 2

    run(main())
    assert volumes() <= before


# ------------------------------------------------------------------------------------- leftovers


def test_leftovers_of_a_crash_are_removed(job: Job) -> None:
    async def main() -> None:
        service = ImageSpec(job.image, command=("sleep", "60"))
        executor = job.executor(services=(service,))
        await executor.prepare(job.output)  # and no cleanup
        async with await Engine.connect(job.url) as engine:
            assert await remove_leftovers(engine, job.data_id, keep={"run-1"}) == 0
            assert len(await job.left()) == 3
            assert await remove_leftovers(engine, job.data_id) == 3
        await executor.cleanup()

    run(main())


def test_cancelled_preparation_leaves_nothing(job: Job, make_image: Callable[..., str]) -> None:
    image = make_image(ExposedPorts={"8080/tcp": {}})
    service = ImageSpec(image, command=("sleep", "60"))

    async def main() -> None:
        executor = job.executor(services=(service,))
        preparing = asyncio.create_task(executor.prepare(job.output))
        while not any("Waiting" in note for note in job.output.notes):
            await asyncio.sleep(0)
        preparing.cancel()
        await asyncio.gather(preparing, return_exceptions=True)
        await executor.cleanup()
        await executor.cleanup()

    run(main())


# ------------------------------------------------------------------------------------- answers


def test_an_engine_that_answers(engine_url: str) -> None:
    assert asyncio.run(answers(engine_url)) is None


def test_no_engine_answers(tmp_path: Path) -> None:
    before = threading.active_count()
    sentence = asyncio.run(answers(f"unix://{tmp_path}/none.sock"))
    assert sentence is not None
    assert "No such file or directory" in sentence
    assert threading.active_count() == before


# ------------------------------------------------------------------------- no answer


class Unanswered:
    """Forwards to an engine, but withholds the answers to what makes a `kind` of thing."""

    def __init__(self, engine: str, kind: str) -> None:
        self._engine = engine.removeprefix("unix://")
        self._head = f"/{kind}/create".encode()
        self._links: set[asyncio.Task[None]] = set()
        self.made = asyncio.Event()
        """The engine has made such a thing."""

    @asynccontextmanager
    async def listening(self, path: Path) -> AsyncIterator[str]:
        server = await asyncio.start_unix_server(self._link, path)
        try:
            yield f"unix://{path}"
        finally:
            server.close()
            await end(*self._links)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        above, below = await asyncio.open_unix_connection(self._engine)
        withheld = asyncio.Event()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(
                self._up(reader, below, withheld), self._down(above, writer, withheld)
            )
        below.close()
        writer.close()

    async def _up(
        self, reader: asyncio.StreamReader, below: asyncio.StreamWriter, withheld: asyncio.Event
    ) -> None:
        while data := await reader.read(65536):
            if self._head in data.partition(b"\r\n")[0]:
                withheld.set()
            below.write(data)
        below.close()

    async def _down(
        self, above: asyncio.StreamReader, writer: asyncio.StreamWriter, withheld: asyncio.Event
    ) -> None:
        while data := await above.read(65536):
            if withheld.is_set():
                self.made.set()
                continue
            writer.write(data)
        writer.close()


@pytest.mark.parametrize("kind", ["containers", "networks", "volumes"])
def test_what_an_engine_makes_and_does_not_answer_to_is_removed(
    job: Job, kind: str, engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("docker", "surroundings", "services"):
        monkeypatch.setattr(f"tracekeeper.runner.executors.{module}.UNANSWERED", 0.1)
    settings = DockerSettings(DockerConfig(disable_cache=True, volumes=("/cache",)))

    async def main() -> None:
        engine = Unanswered(engine_url, kind)
        async with engine.listening(tmp_path / "engine") as url:
            services = (ImageSpec(job.image),) if kind == "networks" else ()
            executor = job.executor(services=services, settings=settings, url=url)
            preparing = asyncio.create_task(executor.prepare(job.output))
            await engine.made.wait()
            for _ in range(3):
                preparing.cancel()
                await asyncio.sleep(0)
            with pytest.raises(asyncio.CancelledError):
                async with asyncio.timeout(30):
                    await preparing
            assert await job.left()
            await executor.cleanup()
            assert await job.left() == []

    run(main())
