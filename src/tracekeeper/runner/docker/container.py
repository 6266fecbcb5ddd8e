"""What the engine is told of a job's container and of its services: configuration and payload to
the API's JSON. Pure.

Source: Docker Engine API, ``ContainerCreate``; which key acts on which container: GitLab Runner
docs, "The `[runners.docker]` section". What is empty is left out: the engine's own defaults hold.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from tracekeeper.pipeline.variables import expand
from tracekeeper.protocol.payload import ImageSpec, JobVariable
from tracekeeper.runner.docker import values
from tracekeeper.runner.docker.config import DockerConfig, ServiceConfig
from tracekeeper.runner.docker.policy import any_matches

Body = dict[str, object]
Version = tuple[int, int]

OWN_NETWORK = "own"
"""The mode of a network that is made for one job."""
_WITHOUT_ENDPOINTS = ("", "default", "bridge", "host", "none")
_MAC_IN_ENDPOINT = (1, 44)
"""The API version in which a hardware address moved to the endpoint's settings."""


class Attachment(msgspec.Struct, frozen=True):
    """The network of a container: a mode of the engine or a network's name, the names that the
    container has there, and entries for /etc/hosts (``NAME:ADDRESS``)."""

    mode: str = ""
    aliases: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    @property
    def is_named(self) -> bool:
        """Whether it is a network on which the engine gives names to containers."""
        return self.mode not in _WITHOUT_ENDPOINTS and not self.is_shared

    @property
    def is_shared(self) -> bool:
        """Whether it is another container's: that one's addresses and names hold."""
        return self.mode.startswith("container:")


class Setup(msgspec.Struct, frozen=True):
    """What all containers of a job share. `log` is the ``LogConfig`` before `log_options`."""

    config: DockerConfig
    variables: Mapping[str, str]
    labels: Mapping[str, str]
    binds: Sequence[str] = ()
    api: Version = (1, 41)


def network_mode(config: DockerConfig, *, services: bool) -> str:
    """Where a job's containers are: a mode of the engine, a network, or `OWN_NETWORK`."""
    if config.network_mode:
        return config.network_mode
    if config.links:
        return "bridge"
    wanted = services or config.network_mtu or config.enable_ipv6
    return OWN_NETWORK if wanted else ""


def network_body(config: DockerConfig) -> Body:
    """What is said of a job's own network beside its name and labels."""
    mtu = {"com.docker.network.driver.mtu": str(config.network_mtu)} if config.network_mtu else {}
    return _given({"EnableIPv6": config.enable_ipv6, "Options": mtu})


def job_body(
    setup: Setup,
    image: str,
    command: Sequence[str],
    network: Attachment,
    log: Mapping[str, object],
    *,
    entrypoint: Sequence[str] | None,
    user: str,
    privileged: bool,
) -> Body:
    """The container of a job's scripts."""
    config = setup.config
    body = _common(setup, image, user, setup.variables) | {
        "Cmd": command,
        "HostConfig": _shared_host(setup, network, log)
        | _given({"Privileged": privileged})
        | _job_host(config, network),
    }
    body |= _given({"Hostname": config.hostname}) | _networking(setup, network, config)
    return body if entrypoint is None else {**body, "Entrypoint": entrypoint}


def service_body(
    setup: Setup,
    image: str,
    spec: ImageSpec,
    network: Attachment,
    log: Mapping[str, object],
    *,
    environment: Mapping[str, str],
    privileged: bool,
) -> Body:
    """The container of a service."""
    user = expand(spec.executor_opts.docker.user, setup.variables)
    body = _common(setup, image, user, environment) | {
        "HostConfig": _shared_host(setup, network, log)
        | _given({"Privileged": privileged})
        | _service_host(setup.config, image),
    }
    body |= _networking(setup, network, None)
    if spec.entrypoint is not None and not setup.config.disable_entrypoint_overwrite:
        body["Entrypoint"] = spec.entrypoint
    return body if spec.command is None else {**body, "Cmd": spec.command}


def service_spec(service: ServiceConfig) -> ImageSpec:
    """A service of the configuration as a job would describe it."""
    return ImageSpec(
        service.name,
        alias=service.alias,
        entrypoint=service.entrypoint or None,
        command=service.command or None,
        variables=tuple(
            JobVariable(key, value) for key, value in map(values.variable, service.environment)
        ),
    )


def _common(setup: Setup, image: str, user: str, environment: Mapping[str, str]) -> Body:
    labels = {
        name: expand(value, setup.variables)
        for name, value in setup.config.container_labels.items()
    }
    return {
        "Image": image,
        "Env": [f"{key}={value}" for key, value in environment.items()],
        "Labels": {**labels, **setup.labels},
        "User": user,
    }


def _shared_host(setup: Setup, network: Attachment, log: Mapping[str, object]) -> Body:
    """The keys that hold for the job's container and for its services."""
    config = setup.config
    hosts = [*(expand(host, setup.variables) for host in config.extra_hosts), *network.hosts]
    return {"LogConfig": _log(log, config.log_options)} | _given(
        {
            "NetworkMode": network.mode,
            "Dns": config.dns,
            "DnsSearch": config.dns_search,
            "ExtraHosts": hosts,
            "Isolation": config.isolation,
            "Runtime": config.runtime,
            "UsernsMode": config.userns_mode,
            "Binds": setup.binds,
            "ShmSize": config.shm_size,
        }
    )


def _job_host(config: DockerConfig, network: Attachment) -> Body:
    return _given(
        {
            "Memory": _parsed(values.size, config.memory),
            "MemorySwap": _parsed(values.swap, config.memory_swap),
            "MemoryReservation": _parsed(values.size, config.memory_reservation),
            "CgroupParent": config.cgroup_parent,
            "CpusetCpus": config.cpuset_cpus,
            "CpusetMems": config.cpuset_mems,
            "CpuShares": config.cpu_shares,
            "NanoCpus": _parsed(values.nano_cpus, config.cpus),
            "Devices": [values.device(device) for device in config.devices],
            "DeviceRequests": _requests(config.gpus),
            "DeviceCgroupRules": config.device_cgroup_rules,
            "OomKillDisable": config.oom_kill_disable,
            "OomScoreAdj": config.oom_score_adjust,
            "Ulimits": [values.ulimit(name, limit) for name, limit in config.ulimit.items()],
            "GroupAdd": config.group_add,
            "CapAdd": config.cap_add,
            "CapDrop": config.cap_drop,
            "SecurityOpt": config.security_opt,
            "PidMode": config.pid_mode,
            "IpcMode": config.ipcmode,
            "Links": () if network.is_named else config.links,
            "VolumeDriver": config.volume_driver,
            "VolumesFrom": config.volumes_from,
            "Tmpfs": config.tmpfs,
            "Sysctls": config.sysctls,
        }
    )


def _service_host(config: DockerConfig, image: str) -> Body:
    devices = [
        values.device(device)
        for pattern, entries in config.services_devices.items()
        if any_matches([pattern], image)
        for device in entries
    ]
    return _given(
        {
            "Memory": _parsed(values.size, config.service_memory),
            "MemorySwap": _parsed(values.swap, config.service_memory_swap),
            "MemoryReservation": _parsed(values.size, config.service_memory_reservation),
            "CgroupParent": config.service_cgroup_parent,
            "CpusetCpus": config.service_cpuset_cpus,
            "CpuShares": config.service_cpu_shares,
            "NanoCpus": _parsed(values.nano_cpus, config.service_cpus),
            "Devices": devices,
            "DeviceRequests": _requests(config.service_gpus),
            "SecurityOpt": config.services_security_opt,
            "Tmpfs": config.services_tmpfs,
        }
    )


def _networking(setup: Setup, network: Attachment, job: DockerConfig | None) -> Body:
    """The endpoint of a container; links and a hardware address are for a job's own alone."""
    address = job.mac_address if job else ""
    in_endpoint = address and setup.api >= _MAC_IN_ENDPOINT
    endpoint = _given(
        {
            "Aliases": network.aliases,
            "Links": job.links if job and network.is_named else (),
            "MacAddress": address if in_endpoint else "",
        }
    )
    body = {"MacAddress": address} if address and not in_endpoint else {}
    if not network.is_named and not in_endpoint:
        return dict(body)
    return {
        **body,
        "NetworkingConfig": {"EndpointsConfig": {network.mode or "default": endpoint}},
    }


def _log(log: Mapping[str, object], options: Mapping[str, str]) -> Body:
    own = log["Config"]
    assert isinstance(own, dict), "a log driver's options"
    return {**log, "Config": {**options, **own}}


def _requests(gpus: str) -> Iterable[Body]:
    return [values.gpus(gpus)] if gpus else ()


def _parsed(parse: Callable[[str], int], text: str) -> int:
    return parse(text) if text else 0


def _given(fields: Body) -> Body:
    """The fields that say something."""
    return {name: value for name, value in fields.items() if value}
