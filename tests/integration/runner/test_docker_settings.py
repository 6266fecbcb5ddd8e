"""What [runners.docker] says, read back from the engine and from inside the containers.

The engine is asked past our own client. Where only its answer is looked at, and not what the
kernel makes of it, the test says so.
"""

import asyncio
import subprocess
import tomllib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tracekeeper.engine.client import Engine
from tracekeeper.engine.host import Host
from tracekeeper.errors import JobError
from tracekeeper.protocol.payload import (
    DockerOptions,
    ExecutorOptions,
    ImageSpec,
    JobInfo,
    JobPayload,
    Step,
)
from tracekeeper.runner.docker.config import DockerSettings
from tracekeeper.runner.docker.reading import choose, read
from tracekeeper.runner.docker.volumes import Owner
from tracekeeper.runner.executors.docker import DockerExecutor
from tracekeeper.runner.executors.leftovers import DATA_LABEL, RUN_LABEL
from tracekeeper.runner.executors.volumes import CACHE_LABEL, OWNER_LABEL, PROJECT_LABEL

pytestmark = pytest.mark.docker

STEP = Step("script", (), 60)
Api = Callable[..., Any]


class Heard:
    """An output that remembers."""

    def __init__(self) -> None:
        self.output = b""
        self.notes: list[str] = []

    def write(self, data: bytes, *, at: int | None = None) -> None:
        self.output += data

    def preview(self, data: bytes) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)

    def checkpoint(self, standing: object, *, now: bool = False) -> None: ...

    def tell(self, event: object) -> None: ...


class NoSources:
    def materialize(self, dest: Path) -> None: ...

    def release(self, dest: Path) -> None:
        raise AssertionError

    def tar(self, prefix: str) -> Iterator[bytes]:
        yield bytes(1024)


def settings(toml: str) -> DockerSettings:
    """Settings from the text of a section in which everything is right."""
    reading = read(choose(tomllib.loads(f"[runners.docker]\n{toml}")))
    assert reading.findings.errors == reading.findings.warnings == ()
    return DockerSettings(reading.config)


class Jobs:
    """Makes jobs of one project, and looks at what the engine has of them."""

    def __init__(self, url: str, api: Api, image: str) -> None:
        self.url, self.api, self.image = url, api, image
        self.id = uuid.uuid4().hex
        self.heard = Heard()

    @asynccontextmanager
    async def prepared(
        self,
        toml: str = "",
        *,
        image: ImageSpec | None = None,
        services: tuple[ImageSpec, ...] = (),
        variables: Mapping[str, str] | None = None,
        no_image: bool = False,
    ) -> AsyncIterator[DockerExecutor]:
        spec = None if no_image else image or ImageSpec(self.image)
        info = JobInfo(7, "job", "test", project_name="project")
        executor = DockerExecutor(
            JobPayload(7, "", info, (), (), image=spec, services=services),
            variables or {},
            host=Host(self.url),
            sources=NoSources(),
            labels={DATA_LABEL: self.id, RUN_LABEL: "1"},
            settings=settings(toml),
            owner=Owner(self.id, "/the/project"),
            grace=1.0,
        )
        try:
            await executor.prepare(self.heard)
            yield executor
        finally:
            await executor.cleanup()

    def inside(self, toml: str, script: str, **options: Any) -> str:
        """What a script prints in a job of these settings."""

        async def main() -> None:
            async with self.prepared(toml, **options) as executor:
                await executor.run(STEP, script.encode(), self.heard)

        asyncio.run(main())
        return self.heard.output.decode().strip()

    def refusal(self, toml: str, **options: Any) -> JobError:
        """How a job of these settings fails."""
        with pytest.raises(JobError) as caught:
            self.inside(toml, "echo never", **options)
        assert not self.heard.output
        return caught.value

    def looked_at(
        self, toml: str, look: Callable[[DockerExecutor], Awaitable[None]], **options: Any
    ) -> None:
        async def main() -> None:
            async with self.prepared(toml, **options) as executor:
                await look(executor)

        asyncio.run(main())

    def inspected(self, toml: str, **options: Any) -> Any:
        """What the engine says of the job's container."""
        found: dict[str, Any] = {}

        async def look(executor: DockerExecutor) -> None:
            found.update(self.inspect(executor._container))

        self.looked_at(toml, look, **options)
        return found

    def inspected_service(self, toml: str, **options: Any) -> Any:
        """What the engine says of the job's one service."""
        found: dict[str, Any] = {}

        async def look(executor: DockerExecutor) -> None:
            found.update(self.inspect(self.service(executor)))

        services = (ImageSpec(self.image, alias="web", command=("sleep", "600")),)
        self.looked_at(toml, look, **{"services": services, **options})
        return found

    def service(self, executor: DockerExecutor) -> str:
        services = executor._around.services
        assert services is not None
        (container,) = services.containers
        return container

    def inspect(self, container: str) -> Any:
        return self.api("GET", f"/containers/{container}/json")

    def labelled(self, label: str) -> list[Any]:
        """Containers, networks and volumes with a label."""
        filters = quote(f'{{"label": ["{label}"]}}')
        volumes = self.api("GET", f"/volumes?filters={filters}")["Volumes"]
        return [*asyncio.run(self._others(label)), *(volumes or ())]

    async def _others(self, label: str) -> list[Any]:
        async with await Engine.connect(self.url) as engine:
            return [*await engine.containers.list(label), *await engine.networks.list(label)]


@pytest.fixture
def jobs(engine_url: str, engine_api: Api, busybox: str) -> Iterator[Jobs]:
    jobs = Jobs(engine_url, engine_api, busybox)
    yield jobs
    assert jobs.labelled(f"{DATA_LABEL}={jobs.id}") == []


@pytest.fixture
def other(engine_api: Api, busybox: str) -> Iterator[str]:
    """The name of a running container that is no job's, with a volume."""
    name = f"tracekeeper-test-{uuid.uuid4().hex[:12]}"
    config = f'{{"Image": "{busybox}", "Cmd": ["sleep", "600"], "Volumes": {{"/shared": {{}}}}}}'
    engine_api("POST", f"/containers/create?name={name}", config.encode())
    engine_api("POST", f"/containers/{name}/start")
    yield name
    engine_api("DELETE", f"/containers/{name}?force=true&v=true")


# ------------------------------------------------------------------------ the job's container


TOGETHER = """
memory = "64m"
shm_size = 1048576
extra_hosts = ["reg.$DOMAIN:10.1.2.3"]
dns = ["10.9.9.9"]
dns_search = ["x.example"]
group_add = ["4711"]
cap_drop = ["ALL"]
cap_add = ["SYS_TIME"]
hostname = "box"
security_opt = ["seccomp=unconfined", "no-new-privileges"]
devices = ["/dev/null:/dev/mine:r"]
oom_score_adjust = 300
mac_address = "92:d0:c6:0a:29:33"
ulimit = { nofile = "100:200" }
sysctls = { "net.core.somaxconn" = "77" }
tmpfs = { "/fast" = "rw,size=64k" }
"""
MEMORY = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes || cat /sys/fs/cgroup/memory.max"
SEEN = {
    "memory": (MEMORY, "67108864"),
    "shm_size": ("df -k /dev/shm | awk 'END { print $2 }'", "1024"),
    "extra_hosts": ("awk '/10.1.2.3/ { print $2 }' /etc/hosts", "reg.x.example"),
    "dns": ("grep ^name /etc/resolv.conf", "nameserver 10.9.9.9"),
    "dns_search": ("grep ^search /etc/resolv.conf", "search x.example"),
    "group_add": ("id -G | grep -wo 4711", "4711"),
    "cap_add, cap_drop": ("awk '/CapEff/ { print $2 }' /proc/self/status", "0000000002000000"),
    "hostname": ("hostname", "box"),
    "security_opt, seccomp": ("awk '/^Seccomp:/ { print $2 }' /proc/self/status", "0"),
    "security_opt, privileges": ("awk '/^NoNew/ { print $2 }' /proc/self/status", "1"),
    "devices": ("test -c /dev/mine && cat /dev/mine && echo read", "read"),
    "oom_score_adjust": ("cat /proc/self/oom_score_adj", "300"),
    "mac_address": ("cat /sys/class/net/eth0/address", "92:d0:c6:0a:29:33"),
    "ulimit": ("echo $(ulimit -Sn) $(ulimit -Hn)", "100 200"),
    "sysctls": ("cat /proc/sys/net/core/somaxconn", "77"),
    "tmpfs": ("df -k /fast | awk 'END { print $1, $2 }'", "tmpfs 64"),
}


def test_seen_from_inside(jobs: Jobs) -> None:
    script = "\n".join(f"echo '{key}:' $({seen})" for key, (seen, _) in SEEN.items())
    lines = jobs.inside(TOGETHER, f"{{ {script}\n}} 2>/dev/null", variables={"DOMAIN": "x.example"})
    found = dict(line.split(": ", 1) for line in lines.splitlines())
    assert found == {key: expected for key, (_, expected) in SEEN.items()}


@pytest.mark.parametrize(
    ("toml", "script", "expected"),
    [
        ('user = "1000"', "id -u", "1000"),
        ('network_mode = "none"', "grep -c eth /proc/net/dev", "0"),
        ("network_mtu = 1337", "cat /sys/class/net/eth0/mtu", "1337"),
    ],
)
def test_seen_alone(jobs: Jobs, toml: str, script: str, expected: str) -> None:
    assert jobs.inside(toml, script) == expected


def test_a_seccomp_profile_is_the_containers(jobs: Jobs) -> None:
    profile = '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],'
    profile += '"action":"SCMP_ACT_ERRNO"}]}'
    assert "refused" in jobs.inside(
        f"security_opt = ['seccomp={profile}']", "mkdir /x 2>/dev/null || echo refused"
    )


ASKED: dict[str, dict[str, object]] = {
    'cpus = "1.5"\ncpu_shares = 512': {"NanoCpus": 1_500_000_000, "CpuShares": 512},
    'cpuset_cpus = "0"\ncpuset_mems = "0"': {"CpusetCpus": "0", "CpusetMems": "0"},
    'memory = "64m"\nmemory_swap = "128m"\nmemory_reservation = "32m"': {
        "MemorySwap": 134217728,
        "MemoryReservation": 33554432,
    },
    'memory = "64m"\noom_kill_disable = true': {"OomKillDisable": True},
    'device_cgroup_rules = ["c 42:* rwm"]': {"DeviceCgroupRules": ["c 42:* rwm"]},
    'cgroup_parent = "/tracekeeper-test"': {"CgroupParent": "/tracekeeper-test"},
    'network_mode = "host"': {"NetworkMode": "host"},
    'pid_mode = "host"': {"PidMode": "host"},
    'ipcmode = "host"': {"IpcMode": "host"},
    'userns_mode = "host"': {"UsernsMode": "host"},
    'runtime = "runc"': {"Runtime": "runc"},
    'isolation = "default"': {"Isolation": "default"},
    "privileged = true": {"Privileged": True},
    'volume_driver = "local"': {"VolumeDriver": "local"},
}


@pytest.mark.parametrize(("toml", "expected"), ASKED.items())
def test_asked_of_the_engine(jobs: Jobs, toml: str, expected: dict[str, object]) -> None:
    host = jobs.inspected(toml)["HostConfig"]
    assert {key: host[key] for key in expected} == expected


AS_THE_CLI = {
    "--memory=64m": 'memory = "64m"',
    "--memory-swap=1.5g": 'memory_swap = "1.5g"',
    "--memory-reservation=6144kb": 'memory_reservation = "6144kb"',
    "--cpus=1.25": 'cpus = "1.25"',
    "--cpu-shares=77": "cpu_shares = 77",
    "--cpuset-cpus=0": 'cpuset_cpus = "0"',
    "--cpuset-mems=0": 'cpuset_mems = "0"',
    "--cgroup-parent=/tracekeeper-test": 'cgroup_parent = "/tracekeeper-test"',
    "--device=/dev/null:/dev/a": 'devices = ["/dev/null:/dev/a"]',
    "--device-cgroup-rule=c 42:* rwm": 'device_cgroup_rules = ["c 42:* rwm"]',
    '--gpus="device=0,1",driver=x,"capabilities=compute,utility"': (
        """gpus = '"device=0,1",driver=x,"capabilities=compute,utility"'"""
    ),
    "--oom-kill-disable": "oom_kill_disable = true",
    "--oom-score-adj=-7": "oom_score_adjust = -7",
    "--ulimit=nofile=10:20": 'ulimit = { nofile = "10:20" }',
    "--sysctl=net.core.somaxconn=9": 'sysctls = { "net.core.somaxconn" = "9" }',
    "--tmpfs=/fast:rw,size=1m": 'tmpfs = { "/fast" = "rw,size=1m" }',
    "--shm-size=1048576": "shm_size = 1048576",
    "--dns=10.0.0.1": 'dns = ["10.0.0.1"]',
    "--dns-search=x.example": 'dns_search = ["x.example"]',
    "--add-host=a:10.0.0.2": 'extra_hosts = ["a:10.0.0.2"]',
    "--cap-add=CAP_SYS_TIME": 'cap_add = ["CAP_SYS_TIME"]',
    "--cap-drop=CAP_CHOWN": 'cap_drop = ["CAP_CHOWN"]',
    "--security-opt=no-new-privileges": 'security_opt = ["no-new-privileges"]',
    "--group-add=4711": 'group_add = ["4711"]',
    "--ipc=host": 'ipcmode = "host"',
    "--pid=host": 'pid_mode = "host"',
    "--userns=host": 'userns_mode = "host"',
    "--privileged": "privileged = true",
    "--runtime=runc": 'runtime = "runc"',
    "--isolation=default": 'isolation = "default"',
    "--volume=/tmp:/there:ro": 'volumes = ["/tmp:/there:ro"]',
    "--volume-driver=local": 'volume_driver = "local"',
}


def said(value: Any) -> Any:
    """`value` without what is empty in it: the CLI says some of that too."""
    if isinstance(value, list):
        value = [said(item) for item in value]
    if isinstance(value, dict):
        value = {key: said(item) for key, item in value.items() if item}
    return value or None


def test_the_engine_is_asked_as_the_docker_cli_asks_it(jobs: Jobs) -> None:
    ours = jobs.inspected("\n".join(AS_THE_CLI.values()))["HostConfig"]
    command = [
        "docker",
        "-H",
        jobs.url,
        "create",
        "--network=default",
        *AS_THE_CLI,
        jobs.image,
        "true",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    container = done.stdout.strip()
    theirs = jobs.inspect(container)["HostConfig"]
    jobs.api("DELETE", f"/containers/{container}")
    unlike = {key for key in theirs if said(ours[key]) != said(theirs[key])}
    assert unlike <= {"LogConfig", "RestartPolicy"}, {
        key: (ours[key], theirs[key]) for key in unlike
    }


def test_labels_and_log_options(jobs: Jobs) -> None:
    toml = (
        "container_labels = { job = '$CI_JOB_NAME' }\n"
        "log_options = { env = 'CI_JOB_NAME', labels = 'job' }"
    )
    found = jobs.inspected(toml, variables={"CI_JOB_NAME": "unit"})
    assert found["Config"]["Labels"]["job"] == "unit"
    log = found["HostConfig"]["LogConfig"]
    assert log["Type"] == "json-file"
    assert (log["Config"]["env"], log["Config"]["labels"]) == ("CI_JOB_NAME", "job")
    assert log["Config"]["max-size"] == "1000g"


def test_log_options_leave_the_output_as_it_is(jobs: Jobs) -> None:
    toml = "log_options = { env = 'SECRET' }"
    assert jobs.inside(toml, "echo out", variables={"SECRET": "hidden"}) == "out"


def test_links(jobs: Jobs, other: str) -> None:
    assert jobs.inside(f'links = ["{other}:friend"]', "grep -c friend /etc/hosts") == "1"


def test_volumes_of_another_container(jobs: Jobs, other: str) -> None:
    assert jobs.inside(f'volumes_from = ["{other}"]', "grep -c ' /shared ' /proc/mounts") == "1"


# ------------------------------------------------------------------------------------ volumes


def test_directories_of_the_host_and_named_volumes(
    jobs: Jobs, tmp_path: Path, engine_api: Api
) -> None:
    (tmp_path / "file").write_text("from the host")
    name = f"tracekeeper-test-{uuid.uuid4().hex[:12]}"
    toml = f'volumes = ["{tmp_path}:$WHERE:ro", "{name}:/named"]'
    script = "cat /there/file; touch /there/x || echo read-only; touch /named/x"
    try:
        seen = jobs.inside(toml, f"({script}) 2>/dev/null", variables={"WHERE": "/there"})
        assert seen == "from the hostread-only"
        assert jobs.inside(toml, "ls /named", variables={"WHERE": "/there"}).endswith("\nx")
    finally:
        engine_api("DELETE", f"/volumes/{name}")


@pytest.fixture
def kept(jobs: Jobs) -> Iterator[Callable[[], list[str]]]:
    """The cache volumes that jobs have made since the test began; they go with it."""

    def names() -> set[str]:
        return {volume["Name"] for volume in jobs.labelled(CACHE_LABEL)}

    before = names()
    yield lambda: sorted(names() - before)
    for name in names() - before:
        jobs.api("DELETE", f"/volumes/{name}")


WRITE = "cat /cache/deep/x 2>/dev/null; echo more >>/cache/deep/x"


def test_a_cache_volume_is_there_for_the_next_job_whoever_its_user_is(
    jobs: Jobs, kept: Callable[[], list[str]]
) -> None:
    toml = 'volumes = ["/cache/deep"]'
    assert jobs.inside(f'{toml}\nuser = "1000"', WRITE) == ""
    assert jobs.inside(toml, WRITE) == "more"
    assert len(kept()) == 1
    [volume] = jobs.labelled(f"{OWNER_LABEL}={jobs.id}")
    assert volume["Labels"][CACHE_LABEL] == "/cache/deep"
    assert volume["Labels"][PROJECT_LABEL] == "/the/project"
    jobs.id = uuid.uuid4().hex
    assert jobs.inside(toml, "ls /cache/deep") == "more"
    assert len(kept()) == 2


def test_without_the_cache_volumes_go_with_the_job(
    jobs: Jobs, kept: Callable[[], list[str]]
) -> None:
    toml = 'disable_cache = true\nvolumes = ["/cache/deep"]'
    assert jobs.inside(toml, WRITE) == ""
    assert jobs.inside(toml, WRITE) == ""
    assert kept() == []


def test_services_share_the_volumes(jobs: Jobs) -> None:
    command = ("sh", "-c", "echo hello >/share/x; sleep 600")
    seen = jobs.inside(
        'disable_cache = true\nvolumes = ["/share"]\nwait_for_services_timeout = -1',
        "until cat /share/x; do sleep 0.1; done 2>/dev/null",
        services=(ImageSpec(jobs.image, command=command),),
    )
    assert seen == "hello"


def test_caches_in_a_directory_of_the_host(
    jobs: Jobs, tmp_path: Path, kept: Callable[[], list[str]]
) -> None:
    toml = f'cache_dir = "{tmp_path}"\nvolumes = ["/cache/deep"]'
    assert jobs.inside(toml, WRITE) == ""
    assert jobs.inside(toml, WRITE) == "more"
    assert kept() == []
    (place,) = tmp_path.iterdir()
    assert (place / "x").read_text() == "more\nmore\n"


@pytest.mark.parametrize("keep", [True, False])
def test_anonymous_volumes_stay_if_asked(
    jobs: Jobs, make_image: Callable[..., str], keep: bool
) -> None:
    image = make_image(Volumes={"/data": {}})
    found = jobs.inspected(f"volume_keep = {str(keep).lower()}", image=ImageSpec(image))
    (volume,) = [mount["Name"] for mount in found["Mounts"]]
    names = [each["Name"] for each in jobs.api("GET", "/volumes")["Volumes"] or ()]
    assert (volume in names) is keep
    if keep:
        jobs.api("DELETE", f"/volumes/{volume}")


def test_two_volumes_for_one_directory(jobs: Jobs) -> None:
    error = jobs.refusal('volumes = ["/a", "/tmp:$A"]', variables={"A": "/a"})
    assert error.message == (
        "volumes in [runners.docker] has two volumes for /a: leave one of them out"
    )


# ------------------------------------------------------------------------ what a job may have


def test_the_image_of_jobs_that_name_none(jobs: Jobs) -> None:
    toml = f'image = "$IMAGE"\nallowed_images = ["ruby:*"]\nuser = "{1000}"'
    assert jobs.inside(toml, "id -u", no_image=True, variables={"IMAGE": jobs.image}) == "1000"


def test_images_services_and_users_that_are_not_allowed(jobs: Jobs) -> None:
    assert "allowed_images" in jobs.refusal('allowed_images = ["ruby:*"]').message
    services = (ImageSpec(jobs.image),)
    refusal = jobs.refusal('allowed_services = ["ruby:*"]', services=services)
    assert "allowed_services" in refusal.message
    options = ExecutorOptions(docker=DockerOptions(user="$WHO"))
    spec = ImageSpec(jobs.image, executor_opts=options)
    refusal = jobs.refusal('allowed_users = ["me"]', image=spec, variables={"WHO": "root"})
    assert "user root is not one of allowed_users" in refusal.message
    assert "services_limit" in jobs.refusal("services_limit = 0", services=services).message


def test_a_user_of_the_jobs_own(jobs: Jobs) -> None:
    options = ExecutorOptions(docker=DockerOptions(user="$WHO"))
    spec = ImageSpec(jobs.image, executor_opts=options)
    toml = 'allowed_users = ["1000"]'
    assert jobs.inside(toml, "id -u", image=spec, variables={"WHO": "1000"}) == "1000"


def test_an_entrypoint_that_may_not_be_overwritten(jobs: Jobs) -> None:
    spec = ImageSpec(jobs.image, entrypoint=("/nowhere",))
    toml = "disable_entrypoint_overwrite = true"
    assert jobs.inside(toml, "echo ran", image=spec) == "ran"
    assert any("entrypoint" in note for note in jobs.heard.notes)


def test_privileges_only_for_some_images(jobs: Jobs) -> None:
    toml = 'privileged = true\nallowed_privileged_images = ["docker:*"]'
    assert jobs.inspected(toml)["HostConfig"]["Privileged"] is False


def test_a_pull_policy_that_is_not_allowed(jobs: Jobs) -> None:
    spec = ImageSpec(jobs.image, pull_policy=("always",))
    error = jobs.refusal('pull_policy = "never"', image=spec)
    assert "pull policy always, which is not one of pull_policy" in error.message


def test_a_cancelled_job_in_the_hosts_pid_namespace_ends_nobody_else(
    jobs: Jobs, other: str
) -> None:
    async def look(executor: DockerExecutor) -> None:
        running = asyncio.create_task(executor.run(STEP, b"echo begun; sleep 600", jobs.heard))
        while b"begun" not in jobs.heard.output:
            await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    jobs.looked_at('pid_mode = "host"', look)
    assert jobs.inspect(other)["State"]["Running"]


# ----------------------------------------------------------------------------- what is refused


REFUSED = {
    'devices = ["/dev/none"]': "devices",
    'network_mode = "tracekeeper-no-such-network"': "network_mode",
    'cap_add = ["NONSENSE"]': "cap_add",
    'cap_drop = ["NONSENSE"]': "cap_drop",
    'runtime = "nope"': "runtime",
    'memory = "1k"': "memory",
    'memory = "64m"\nmemory_swap = "1m"': "memory_swap",
    'memory_reservation = "1k"': "memory_reservation",
    'volumes_from = ["tracekeeper-nobody"]': "volumes_from",
    'links = ["tracekeeper-nobody:a"]': "links",
    'group_add = ["nogroup-of-that-name"]': "group_add",
    'user = "nobody-of-that-name"': "user",
    'cpus = "1000"': "cpus",
    'cpuset_cpus = "99"': "cpuset_cpus",
    'cpuset_mems = "9"': "cpuset_mems",
    "oom_score_adjust = 5000": "oom_score_adjust",
    "cpu_shares = 1": "cpu_shares",
    'isolation = "process"': "isolation",
    'ipcmode = "nope"': "ipcmode",
    'security_opt = ["x=y"]': "security_opt",
    'gpus = "all"': "gpus",
    "tmpfs = { '/x' = 'nonsense=1' }": "tmpfs",
    "ulimit = { nonsense = '1' }": "ulimit",
    "sysctls = { 'kernel.nonsense' = '1' }": "sysctls",
    'volumes = ["/nowhere:/x:z,shared,ro,rw"]': "volumes",
}


@pytest.mark.parametrize(("toml", "key"), REFUSED.items())
def test_what_the_engine_refuses_names_the_key(jobs: Jobs, toml: str, key: str) -> None:
    error = jobs.refusal(toml)
    assert error.message.endswith(f" ({key} in [runners.docker])")
    assert error.message.startswith("the Docker Engine refused the job's container: ")
    assert error.reason == "runner_configuration_error"


def test_a_service_that_is_refused_names_its_key(jobs: Jobs) -> None:
    error = jobs.refusal('service_memory = "1k"', services=(ImageSpec(jobs.image),))
    assert error.message.startswith(f"service {jobs.image} cannot be started: Minimum memory")
    assert error.message.endswith(" (service_memory in [runners.docker])")


# ----------------------------------------------------------------------------------- services


SERVICES = """
wait_for_services_timeout = -1
privileged = true
services_privileged = false
service_memory = "64m"
service_memory_swap = "128m"
service_memory_reservation = "32m"
service_cpus = "1"
service_cpu_shares = 512
service_cpuset_cpus = "0"
service_cgroup_parent = "/tracekeeper-test"
services_security_opt = ["seccomp=unconfined"]
services_tmpfs = { "/fast" = "rw" }
shm_size = 1048576
"""


def test_asked_of_the_engine_for_services(jobs: Jobs) -> None:
    host = jobs.inspected_service(SERVICES)["HostConfig"]
    expected = {
        "Privileged": False,
        "Memory": 67108864,
        "MemorySwap": 134217728,
        "MemoryReservation": 33554432,
        "NanoCpus": 1_000_000_000,
        "CpuShares": 512,
        "CpusetCpus": "0",
        "CgroupParent": "/tracekeeper-test",
        "SecurityOpt": ["seccomp=unconfined"],
        "Tmpfs": {"/fast": "rw"},
        "ShmSize": 1048576,
    }
    assert {key: host[key] for key in expected} == expected


def test_devices_of_services_by_their_image(jobs: Jobs) -> None:
    toml = 'wait_for_services_timeout = -1\nservices_devices = { "%s" = ["/dev/null:/dev/x"] }'
    for pattern, count in (("tracekeeper-test-*", 1), ("ruby:*", 0)):
        host = jobs.inspected_service(toml % pattern)["HostConfig"]
        assert len(host["Devices"] or ()) == count


def test_a_service_of_the_file(jobs: Jobs) -> None:
    toml = f"""
    allowed_services = ["ruby:*"]
    [[runners.docker.services]]
    name = "{jobs.image}"
    alias = "first other"
    command = ["sh", "-c", 'echo "$HELLO" >index.html; exec httpd -f -p 80']
    environment = ["HELLO=hello $NAME", "HEALTHCHECK_TCP_PORT=80"]
    """
    variables = {"NAME": "job"}
    assert jobs.inside(toml, "wget -qO- http://other/", variables=variables) == "hello job"


HTTPD = "echo hello >index.html; exec httpd -f -p {port}"


def web(image: str, port: int = 80, alias: str = "web") -> ImageSpec:
    return ImageSpec(image, alias=alias, command=("sh", "-c", HTTPD.format(port=port)))


@pytest.fixture
def network(engine_api: Api) -> Iterator[str]:
    name = f"tracekeeper-test-{uuid.uuid4().hex[:12]}"
    engine_api("POST", "/networks/create", f'{{"Name": "{name}"}}'.encode())
    yield name
    engine_api("DELETE", f"/networks/{name}")


@pytest.mark.parametrize("mode", ["bridge", "host", "named", ""])
def test_services_are_reached_by_their_names(jobs: Jobs, network: str, mode: str) -> None:
    port = 48213 if mode == "host" else 80
    toml = f'network_mode = "{network if mode == "named" else mode}"'
    variables = {"HEALTHCHECK_TCP_PORT": str(port)}
    seen = jobs.inside(
        toml,
        f"wget -qO- http://web:{port}/",
        services=(web(jobs.image, port),),
        variables=variables,
    )
    assert seen == "hello"
    assert not any("WARNING" in note for note in jobs.heard.notes)


def test_a_name_is_the_first_services_that_has_it(jobs: Jobs) -> None:
    name = jobs.image.partition(":")[0]
    services = (web(jobs.image), ImageSpec(jobs.image, command=("sleep", "600")))
    script = f"until wget -qO- http://{name}/; do sleep 0.1; done 2>/dev/null"
    assert jobs.inside("wait_for_services_timeout = -1", script, services=services) == "hello"
    assert f"WARNING: it is not called {name}: another service is" in jobs.heard.notes


def test_logs_of_services_are_in_the_trace_if_asked_for(jobs: Jobs) -> None:
    script = "echo begun; echo trouble >&2; echo hi >index.html; exec httpd -f -vv -p 80"
    service = ImageSpec(jobs.image, alias="db", command=("sh", "-c", script))
    variables = {"CI_DEBUG_SERVICES": "true", "HEALTHCHECK_TCP_PORT": "80"}
    seen = jobs.inside("", "wget -qO- http://db/", services=(service,), variables=variables)
    assert seen == "hi"
    shown = [note for note in jobs.heard.notes if note.startswith("[service:db] ")]
    assert sorted(shown)[-2:] == ["[service:db] begun", "[service:db] trouble"]
    assert sum("response:200" in note for note in shown) == 1, "said while the script ran"
    assert len(set(shown)) == len(shown), "nothing twice"


def test_long_lines_of_services_are_whole_in_the_trace(jobs: Jobs) -> None:
    script = "printf '%016380d-hunter2\\n' 0; exec httpd -f -p 80"
    service = ImageSpec(jobs.image, alias="db", command=("sh", "-c", script))
    variables = {"CI_DEBUG_SERVICES": "true", "HEALTHCHECK_TCP_PORT": "80"}
    jobs.inside("", "true", services=(service,), variables=variables)
    assert f"[service:db] {'0' * 16380}-hunter2" in jobs.heard.notes


def test_logs_of_services_are_not_in_the_trace_unless_asked_for(jobs: Jobs) -> None:
    service = ImageSpec(jobs.image, command=("sh", "-c", "echo begun; sleep 600"))
    jobs.inside("wait_for_services_timeout = -1", "true", services=(service,))
    assert not any("begun" in note for note in jobs.heard.notes)
