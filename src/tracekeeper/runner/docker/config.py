"""The keys of `[runners.docker]`, each with its type, its check and what it means here. Pure.

The struct is the one list of keys: reading, completion of mistyped names and docs/docker-config.md
come from it. Source: GitLab Runner docs, "Advanced configuration", "The `[runners.docker]`
section", and the keys that its code of version 19.4 reads beyond those.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from tracekeeper.runner.docker import values
from tracekeeper.runner.docker.volumes import parse as parsed_volume

PullPolicy: TypeAlias = Literal["always", "if-not-present", "never"]
TlsVersion: TypeAlias = Literal["", "1.2", "1.3"]
Check: TypeAlias = Callable[[Any], object]

LOG_OPTIONS = ("env", "labels")
SERVICES_WAIT = 30


def key(
    meaning: str,
    check: Check | None = None,
    *,
    ignored: str = "",
    differs: str = "",
    default: str = "",
) -> msgspec.Meta:
    """What is to be known of a key: its meaning; a check of its value that raises ValueError;
    why it is not acted on; how it differs from gitlab-runner; what holds where it is not given, if
    the type's default does not tell."""
    extra = {"check": check, "ignored": ignored, "differs": differs, "default": default}
    return msgspec.Meta(description=meaning, extra=extra)


def _each(check: Check) -> Check:
    def check_items(items: tuple[str, ...]) -> None:
        for item in items:
            try:
                check(item)
            except ValueError as error:
                raise ValueError(f"{item!r} {error}") from None

    return check_items


def _ulimits(limits: Mapping[str, str]) -> None:
    for name, limit in limits.items():
        try:
            values.ulimit(name, limit)
        except ValueError as error:
            raise ValueError(f"{name} = {limit!r} {error}") from None


def _devices_of(services: Mapping[str, tuple[str, ...]]) -> None:
    for devices in services.values():
        _each(values.device)(devices)


def _log_options(options: Mapping[str, str]) -> None:
    for name in options:
        if name not in LOG_OPTIONS:
            raise ValueError(f"has {name!r}: only env and labels are taken")


_NO_HELPER = "there is no helper container: files go in and out by the engine's archive calls"
_NO_SLOTS = "slots belong to gitlab-runner's autoscaler"
_Texts: TypeAlias = tuple[str, ...]
_Table: TypeAlias = dict[str, str]


class ServiceConfig(msgspec.Struct, frozen=True):
    """One `[[runners.docker.services]]`."""

    name: Annotated[str, key("The image; variables are expanded.")]
    alias: Annotated[str, key("Host names, separated by spaces or commas.")] = ""
    command: Annotated[_Texts, key("In place of the image's CMD.")] = ()
    entrypoint: Annotated[_Texts, key("In place of the image's ENTRYPOINT.")] = ()
    environment: Annotated[
        _Texts, key("`KEY=VALUE` beside the job's variables.", _each(values.variable))
    ] = ()
    suspend_data_path: Annotated[str, key("", ignored="jobs are not suspended")] = ""


_Seconds16: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=32767)]
_Probes: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=127)]
_Patience: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=2147483)]


class KeepaliveConfig(msgspec.Struct, frozen=True):
    """The table form of `keepalive`: TCP's own probes, which carry no payload. Seconds, but for
    `count`; the limits are Linux's.
    """

    idle: Annotated[
        _Seconds16, key("Quiet seconds before the first probe. Not the `idle` of the table above.")
    ] = 15
    interval: Annotated[_Seconds16, key("Seconds between probes.")] = 5
    count: Annotated[_Probes, key("Unanswered probes that end the connection.")] = 3
    user_timeout: Annotated[
        _Patience, key("Seconds that sent data may stay unacknowledged before the connection ends.")
    ] = 30


_Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0)]
_WEAKENS = "who has a capture of the connection can read it more easily"


class ConnectionConfig(msgspec.Struct, frozen=True):
    """`[runners.docker.connection]`: how the connections to the engine are made.

    A table of our own, which gitlab-runner passes over. The `tls_…` keys need TLS to the engine.
    """

    keepalive: Annotated[
        bool | KeepaliveConfig,
        key(
            "Whether TCP's keepalive is on. `true` is the same as not given; a table chooses its "
            "times, see below; it is not for UNIX sockets."
        ),
    ] = True
    idle: Annotated[
        _Seconds,
        key(
            "Seconds after which a middlebox that counts payload alone forgets a connection, "
            "keepalives or not; see above. 0: there is none.",
            values.finite,
        ),
    ] = 0
    patience: Annotated[
        _Seconds | None,
        key(
            "Seconds that a job waits for an engine that is gone to come back.",
            values.finite,
            default="300",
        ),
    ] = None
    preview: Annotated[
        bool | None,
        key(
            "Whether lines are shown before they end.",
            default="true for an engine on this machine, else false",
        ),
    ] = None
    proxy: Annotated[
        str,
        key("The URL of an HTTP proxy on the way.", default="as the environment says"),
    ] = ""
    tls_ciphers: Annotated[
        str, key(f"OpenSSL's names of ciphers; {_WEAKENS}.", default="OpenSSL's own")
    ] = ""
    tls_max_version: Annotated[
        TlsVersion, key(f"The newest version of TLS; {_WEAKENS}.", default="the newest there is")
    ] = ""
    tls_keylog: Annotated[
        str,
        key(
            "A file for the connection's keys; who has it can read the connection.",
            default="`SSLKEYLOGFILE`, if that is set",
        ),
    ] = ""


class DockerConfig(msgspec.Struct, frozen=True):
    """`[runners.docker]`."""

    allowed_images: Annotated[
        _Texts, key("Patterns of the images that a job may name; `image` always may be.")
    ] = ()
    allowed_privileged_images: Annotated[
        _Texts, key("Patterns of the images that are privileged where `privileged` is on.")
    ] = ()
    allowed_privileged_services: Annotated[
        _Texts, key("The same for services and `services_privileged`.")
    ] = ()
    allowed_pull_policies: Annotated[
        tuple[PullPolicy, ...],
        key(
            "The pull policies that a job may have; default: those of `pull_policy`.",
            differs="if neither key is given, every policy is allowed (there: `always` alone)",
        ),
    ] = ()
    allowed_services: Annotated[
        _Texts,
        key(
            "Patterns of the services that a job may name; those of this file always may be.",
            differs="matched after variables are expanded",
        ),
    ] = ()
    allowed_users: Annotated[
        _Texts, key("The users that a job may have; default: `user` if that is given.")
    ] = ()
    cache_dir: Annotated[str, key("A directory of the engine's host for cache volumes.")] = ""
    cap_add: Annotated[_Texts, key("Capabilities that the job has beside the usual.")] = ()
    cap_drop: Annotated[_Texts, key("Capabilities that the job does not have.")] = ()
    cgroup_parent: Annotated[str, key("The control group above the job's.")] = ""
    connection: Annotated[ConnectionConfig, key("See below.")] = ConnectionConfig()
    container_labels: Annotated[
        _Table,
        key(
            "Labels on the job's and the services' containers; variables are expanded.",
            differs="services have no second copy under `com.gitlab.gitlab-runner.`",
        ),
    ] = {}
    cpu_shares: Annotated[int, key("The job's weight against other containers.")] = 0
    cpus: Annotated[str, key("CPUs that the job may use, such as `1.5`.", values.nano_cpus)] = ""
    cpuset_cpus: Annotated[str, key("The CPUs that the job may use, such as `0,1`.")] = ""
    cpuset_mems: Annotated[str, key("The memory nodes that the job may use.")] = ""
    device_cgroup_rules: Annotated[
        _Texts, key("Rules such as `c 42:* rwm`.", _each(values.cgroup_rule))
    ] = ()
    devices: Annotated[
        _Texts, key("Devices of the host: `HOST[:CONTAINER[:MODE]]`.", _each(values.device))
    ] = ()
    disable_cache: Annotated[
        bool, key("Cache volumes are for one job and its services, and go with them.")
    ] = False
    disable_entrypoint_overwrite: Annotated[
        bool, key("The `entrypoint` of a job's images is not taken; the trace says so.")
    ] = False
    dns: Annotated[_Texts, key("Addresses of name servers.", _each(values.address))] = ()
    dns_search: Annotated[_Texts, key("Domains to look names up in.")] = ()
    enable_ipv6: Annotated[
        bool,
        key(
            "IPv6 on the job's own network.",
            differs="the job then always has a network of its own, if `network_mode` is not set",
        ),
    ] = False
    extra_hosts: Annotated[
        _Texts,
        key(
            "`NAME:ADDRESS` for /etc/hosts.",
            _each(values.extra_host),
            differs="variables are expanded",
        ),
    ] = ()
    gpus: Annotated[str, key("`all`, a number, or as `docker run --gpus`.", values.gpus)] = ""
    group_add: Annotated[_Texts, key("Further groups of the job's processes.")] = ()
    helper_image: Annotated[str, key("", ignored=_NO_HELPER)] = ""
    helper_image_autoset_arch_and_os: Annotated[bool, key("", ignored=_NO_HELPER)] = False
    helper_image_flavor: Annotated[str, key("", ignored=_NO_HELPER)] = ""
    host: Annotated[
        str,
        key(
            "The engine's URL. Empty: as the Docker CLI finds it. `--docker-host` wins.",
            differs="`ssh://` is spoken too",
        ),
    ] = ""
    hostname: Annotated[str, key("The job container's host name.")] = ""
    image: Annotated[
        str,
        key(
            "The image of jobs that name none; variables are expanded.",
            differs="with `--executor auto` such jobs run in a container as soon as it is set",
        ),
    ] = ""
    ipcmode: Annotated[str, key("The job's IPC namespace.")] = ""
    isolation: Annotated[
        str, key("For Windows engines.", values.one_of("default", "process", "hyperv"))
    ] = ""
    links: Annotated[
        _Texts,
        key(
            "`CONTAINER[:ALIAS]` of other containers (Docker's legacy links).",
            differs="without `network_mode` the job is then on the network `bridge`",
        ),
    ] = ()
    log_options: Annotated[
        _Table, key("`env` and `labels` of the json-file log.", _log_options)
    ] = {}
    mac_address: Annotated[
        str,
        key(
            "The job's hardware address.",
            values.mac,
            differs="engines older than API 1.44 get it too; services do not have the same one",
        ),
    ] = ""
    memory: Annotated[str, key("Most memory of the job, such as `512m`.", values.size)] = ""
    memory_reservation: Annotated[str, key("Its soft limit.", values.size)] = ""
    memory_swap: Annotated[
        str, key("Most memory and swap together.", values.swap, differs="`-1` is no limit")
    ] = ""
    network_mode: Annotated[
        str,
        key(
            "`bridge`, `host`, `none`, `container:…` or a network's name, for job and services.",
            differs="without it, a job with services has a network of its own; on `host` the "
            "services' names are 127.0.0.1",
        ),
    ] = ""
    network_mtu: Annotated[
        int,
        key(
            "The MTU of the job's own network.",
            differs="the job then always has a network of its own, if `network_mode` is not set",
        ),
    ] = 0
    oom_kill_disable: Annotated[bool, key("Processes wait where memory ends.")] = False
    oom_score_adjust: Annotated[int, key("How soon the kernel ends the job: -1000…1000.")] = 0
    pid_mode: Annotated[
        str,
        key(
            "The job's PID namespace, such as `host`.",
            differs="a cancelled job is then ended without SIGTERM, which could not be sent to "
            "its processes alone",
        ),
    ] = ""
    privileged: Annotated[bool, key("The job has all rights on the engine's host.")] = False
    pull_policy: Annotated[
        PullPolicy | tuple[PullPolicy, ...],
        key(
            "When images are pulled; each policy is tried if those before it failed.",
            differs="the default of `tracekeeper run` is `if-not-present` (there: `always`)",
        ),
    ] = ()
    runtime: Annotated[str, key("The OCI runtime of job and services.")] = ""
    security_opt: Annotated[
        _Texts, key("Security options; the FILE of `seccomp=FILE` is read on this machine.")
    ] = ()
    service_cgroup_parent: Annotated[str, key("The control group above each service's.")] = ""
    service_cpu_shares: Annotated[int, key("As `cpu_shares`, for each service.")] = 0
    service_cpus: Annotated[str, key("As `cpus`, for each service.", values.nano_cpus)] = ""
    service_cpuset_cpus: Annotated[str, key("As `cpuset_cpus`, for each service.")] = ""
    service_gpus: Annotated[str, key("As `gpus`, for each service.", values.gpus)] = ""
    service_memory: Annotated[str, key("As `memory`, for each service.", values.size)] = ""
    service_memory_reservation: Annotated[
        str, key("As `memory_reservation`, for each service.", values.size)
    ] = ""
    service_memory_swap: Annotated[str, key("As `memory_swap`, for each service.", values.swap)] = (
        ""
    )
    service_slot_cgroup_template: Annotated[str, key("", ignored=_NO_SLOTS)] = ""
    services: Annotated[
        tuple[ServiceConfig, ...], key("Services of every job, before its own. See below.")
    ] = ()
    services_devices: Annotated[
        dict[str, _Texts], key("`PATTERN = [DEVICE…]` for services by image.", _devices_of)
    ] = {}
    services_limit: Annotated[int | None, key("Most services of a job; -1 is no limit.")] = None
    services_privileged: Annotated[
        bool | None, key("As `privileged`, for services; default: `privileged`.")
    ] = None
    services_security_opt: Annotated[_Texts, key("As `security_opt`, for services.")] = ()
    services_tmpfs: Annotated[_Table, key("As `tmpfs`, for services.")] = {}
    shm_size: Annotated[
        Annotated[int, msgspec.Meta(ge=0)], key("Bytes of /dev/shm, for job and services.")
    ] = 0
    sysctls: Annotated[_Table, key("Kernel parameters of the job's namespaces.")] = {}
    tls_cert_path: Annotated[
        str, key("A directory with ca.pem, cert.pem and key.pem, for `tls_verify`.")
    ] = ""
    tls_verify: Annotated[
        bool, key("Whether TLS is spoken to `host`, its certificate checked.")
    ] = False
    tmpfs: Annotated[_Table, key("`DIRECTORY = OPTIONS`, mounted in the job's memory.")] = {}
    ulimit: Annotated[_Table, key("`NAME = SOFT[:HARD]` for the job's processes.", _ulimits)] = {}
    user: Annotated[str, key("The job's user; wins over the job's own `docker:user`.")] = ""
    userns_mode: Annotated[str, key("The user namespace of job and services.")] = ""
    volume_driver: Annotated[str, key("The driver of volumes that are made.")] = ""
    volume_driver_ops: Annotated[_Table, key("Options of that driver.")] = {}
    volume_keep: Annotated[
        bool, key("Anonymous volumes stay on the engine when their container goes.")
    ] = False
    volumes: Annotated[
        _Texts,
        key(
            "`/cache` (kept for the project's next jobs), `/host/dir:/dir[:mode]`, "
            "`name:/dir[:mode]`; variables in the destination are expanded.",
            _each(parsed_volume),
            differs="protected branches share their caches with others",
        ),
    ] = ()
    volumes_from: Annotated[_Texts, key("`CONTAINER[:ro]` whose volumes the job has.")] = ()
    wait_for_services_timeout: Annotated[
        int, key("Seconds that services have to be ready (default 30); -1: no wait.")
    ] = SERVICES_WAIT

    @property
    def pull_policies(self) -> tuple[PullPolicy, ...]:
        """`pull_policy` as a list, empty where it is not given."""
        policy = self.pull_policy
        return (policy,) if isinstance(policy, str) else policy


FALLBACK_POLICY = ("if-not-present",)
"""How images are pulled where neither job nor configuration says it."""


class DockerSettings(msgspec.Struct, frozen=True):
    """What a configuration file says of docker jobs. `auth` is a value for DOCKER_AUTH_CONFIG
    that a job's own variable of that name replaces."""

    config: DockerConfig = DockerConfig()
    auth: str = ""
    pull_policy: tuple[str, ...] = FALLBACK_POLICY


DEFAULTS = DockerSettings()
"""Where there is no configuration file."""
