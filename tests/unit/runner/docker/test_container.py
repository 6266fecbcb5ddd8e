from typing import Any

import pytest

from tracekeeper.protocol.payload import DockerOptions, ExecutorOptions, ImageSpec, JobVariable
from tracekeeper.runner.docker.config import DockerConfig, ServiceConfig
from tracekeeper.runner.docker.container import (
    OWN_NETWORK,
    Attachment,
    Setup,
    job_body,
    network_body,
    network_mode,
    service_body,
    service_spec,
)

LOG: dict[str, object] = {"Type": "json-file", "Config": {"max-size": "1g"}}
VARIABLES = {"A": "b", "DOMAIN": "x.example"}
LABELS = {"ours": "1"}
NOWHERE = Attachment()
NET = Attachment("net", ("db",))
POSTGRES = ImageSpec("postgres:16")


def job(config: DockerConfig, network: Attachment = NOWHERE, **options: Any) -> dict[str, Any]:
    api = options.pop("api", (1, 41))
    setup = Setup(config, VARIABLES, LABELS, options.pop("binds", ()), api)
    given: dict[str, Any] = {"entrypoint": None, "user": "", "privileged": False, **options}
    return job_body(setup, "image", ("sh", "run"), network, LOG, **given)


def service(
    config: DockerConfig,
    network: Attachment = NET,
    spec: ImageSpec = POSTGRES,
    *,
    privileged: bool = False,
) -> dict[str, Any]:
    setup = Setup(config, VARIABLES, LABELS, ("/a:/b",))
    environment = {"C": "d"}
    return service_body(
        setup, spec.name, spec, network, LOG, environment=environment, privileged=privileged
    )


def test_without_a_configuration_nothing_is_said_that_need_not_be() -> None:
    assert job(DockerConfig()) == {
        "Image": "image",
        "Cmd": ("sh", "run"),
        "Env": ["A=b", "DOMAIN=x.example"],
        "Labels": LABELS,
        "User": "",
        "HostConfig": {"LogConfig": LOG},
    }


JOB_KEYS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"memory": "64m"}, {"Memory": 67108864}),
    ({"memory_swap": "-1"}, {"MemorySwap": -1}),
    ({"memory_reservation": "1k"}, {"MemoryReservation": 1024}),
    ({"cgroup_parent": "/x"}, {"CgroupParent": "/x"}),
    ({"cpuset_cpus": "0,1"}, {"CpusetCpus": "0,1"}),
    ({"cpuset_mems": "0"}, {"CpusetMems": "0"}),
    ({"cpu_shares": 512}, {"CpuShares": 512}),
    ({"cpus": "1.5"}, {"NanoCpus": 1_500_000_000}),
    (
        {"devices": ("/dev/x::r",)},
        {
            "Devices": [
                {"PathOnHost": "/dev/x", "PathInContainer": "/dev/x", "CgroupPermissions": "r"}
            ]
        },
    ),
    ({"gpus": "all"}, {"DeviceRequests": [{"Count": -1, "Capabilities": [["gpu"]]}]}),
    ({"device_cgroup_rules": ("c 1:1 r",)}, {"DeviceCgroupRules": ("c 1:1 r",)}),
    ({"oom_kill_disable": True}, {"OomKillDisable": True}),
    ({"oom_score_adjust": -5}, {"OomScoreAdj": -5}),
    ({"ulimit": {"core": "0"}}, {"Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}]}),
    ({"group_add": ("g",)}, {"GroupAdd": ("g",)}),
    ({"cap_add": ("A",)}, {"CapAdd": ("A",)}),
    ({"cap_drop": ("A",)}, {"CapDrop": ("A",)}),
    ({"security_opt": ("a=b",)}, {"SecurityOpt": ("a=b",)}),
    ({"pid_mode": "host"}, {"PidMode": "host"}),
    ({"ipcmode": "host"}, {"IpcMode": "host"}),
    ({"links": ("a:b",)}, {"Links": ("a:b",)}),
    ({"volume_driver": "d"}, {"VolumeDriver": "d"}),
    ({"volumes_from": ("a:ro",)}, {"VolumesFrom": ("a:ro",)}),
    ({"tmpfs": {"/t": "rw"}}, {"Tmpfs": {"/t": "rw"}}),
    ({"sysctls": {"a": "b"}}, {"Sysctls": {"a": "b"}}),
]
SHARED_KEYS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"dns": ("10.0.0.1",)}, {"Dns": ("10.0.0.1",)}),
    ({"dns_search": ("x",)}, {"DnsSearch": ("x",)}),
    ({"extra_hosts": ("r.$DOMAIN:10.0.0.1",)}, {"ExtraHosts": ["r.x.example:10.0.0.1"]}),
    ({"isolation": "default"}, {"Isolation": "default"}),
    ({"runtime": "runsc"}, {"Runtime": "runsc"}),
    ({"userns_mode": "host"}, {"UsernsMode": "host"}),
    ({"shm_size": 5}, {"ShmSize": 5}),
    (
        {"log_options": {"env": "A"}},
        {"LogConfig": {"Type": "json-file", "Config": {"env": "A", "max-size": "1g"}}},
    ),
]
SERVICE_KEYS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"service_memory": "64m"}, {"Memory": 67108864}),
    ({"service_memory_swap": "-1"}, {"MemorySwap": -1}),
    ({"service_memory_reservation": "1k"}, {"MemoryReservation": 1024}),
    ({"service_cgroup_parent": "/x"}, {"CgroupParent": "/x"}),
    ({"service_cpuset_cpus": "0"}, {"CpusetCpus": "0"}),
    ({"service_cpu_shares": 512}, {"CpuShares": 512}),
    ({"service_cpus": "2"}, {"NanoCpus": 2_000_000_000}),
    ({"service_gpus": "1"}, {"DeviceRequests": [{"Count": 1, "Capabilities": [["gpu"]]}]}),
    ({"services_security_opt": ("a=b",)}, {"SecurityOpt": ("a=b",)}),
    ({"services_tmpfs": {"/t": ""}}, {"Tmpfs": {"/t": ""}}),
    (
        {"services_devices": {"postgres:*": ("/dev/x",), "ruby:*": ("/dev/y",)}},
        {
            "Devices": [
                {"PathOnHost": "/dev/x", "PathInContainer": "/dev/x", "CgroupPermissions": "rwm"}
            ]
        },
    ),
]


@pytest.mark.parametrize(("given", "expected"), [*JOB_KEYS, *SHARED_KEYS])
def test_keys_of_the_jobs_container(given: dict[str, Any], expected: dict[str, Any]) -> None:
    host = job(DockerConfig(**given))["HostConfig"]
    assert host == {"LogConfig": LOG} | expected


@pytest.mark.parametrize(("given", "expected"), [*SERVICE_KEYS, *SHARED_KEYS])
def test_keys_of_a_service(given: dict[str, Any], expected: dict[str, Any]) -> None:
    host = service(DockerConfig(**given))["HostConfig"]
    assert host == {"LogConfig": LOG, "NetworkMode": "net", "Binds": ("/a:/b",)} | expected


@pytest.mark.parametrize("given", [given for given, _ in JOB_KEYS])
def test_what_is_the_jobs_alone_is_no_services(given: dict[str, Any]) -> None:
    assert service(DockerConfig(**given)) == service(DockerConfig())


def test_what_the_job_decides() -> None:
    body = job(
        DockerConfig(hostname="box", container_labels={"a": "$A", "ours": "no"}),
        entrypoint=("/entry",),
        user="me",
        privileged=True,
        binds=("/a:/b",),
    )
    assert body["Entrypoint"] == ("/entry",)
    assert (body["User"], body["Hostname"]) == ("me", "box")
    assert body["Labels"] == {"a": "b", "ours": "1"}
    assert body["HostConfig"] == {"LogConfig": LOG, "Privileged": True, "Binds": ("/a:/b",)}


def test_what_a_service_decides() -> None:
    spec = ImageSpec(
        "postgres:16",
        entrypoint=("/entry",),
        command=("run",),
        executor_opts=ExecutorOptions(docker=DockerOptions(user="u-$A")),
    )
    body = service(DockerConfig(), spec=spec, privileged=True)
    assert (body["Entrypoint"], body["Cmd"], body["User"]) == (("/entry",), ("run",), "u-b")
    assert body["Env"] == ["C=d"]
    assert body["HostConfig"]["Privileged"] is True
    assert body["NetworkingConfig"] == {"EndpointsConfig": {"net": {"Aliases": ("db",)}}}
    kept = service(DockerConfig(disable_entrypoint_overwrite=True), spec=spec)
    assert "Entrypoint" not in kept


@pytest.mark.parametrize("mode", ["", "bridge", "default", "host", "none", "container:x"])
def test_networks_without_names(mode: str) -> None:
    body = job(DockerConfig(links=("a:b",)), Attachment(mode, hosts=("db:10.0.0.2",)))
    assert "NetworkingConfig" not in body
    assert body["HostConfig"]["ExtraHosts"] == ["db:10.0.0.2"]
    assert body["HostConfig"]["Links"] == ("a:b",)
    assert body["HostConfig"].get("NetworkMode", "") == mode


def test_links_on_a_network_with_names_are_the_endpoints() -> None:
    body = job(DockerConfig(links=("a:b",)), Attachment("net"))
    assert body["NetworkingConfig"] == {"EndpointsConfig": {"net": {"Links": ("a:b",)}}}
    assert "Links" not in body["HostConfig"]


MAC = "92:d0:c6:0a:29:33"


@pytest.mark.parametrize(("mode", "name"), [("", "default"), ("bridge", "bridge"), ("net", "net")])
def test_a_hardware_address_is_said_where_the_api_wants_it(mode: str, name: str) -> None:
    config = DockerConfig(mac_address=MAC)
    new = job(config, Attachment(mode), api=(1, 44))
    assert new["NetworkingConfig"] == {"EndpointsConfig": {name: {"MacAddress": MAC}}}
    assert "MacAddress" not in new
    old = job(config, Attachment(mode), api=(1, 43))
    assert old["MacAddress"] == MAC
    assert MAC not in str(old.get("NetworkingConfig"))
    assert MAC not in str(service(config))


@pytest.mark.parametrize(
    ("config", "services", "expected"),
    [
        (DockerConfig(), False, ""),
        (DockerConfig(), True, OWN_NETWORK),
        (DockerConfig(network_mtu=1400), False, OWN_NETWORK),
        (DockerConfig(enable_ipv6=True), False, OWN_NETWORK),
        (DockerConfig(links=("a",)), True, "bridge"),
        (DockerConfig(network_mode="host", links=("a",)), True, "host"),
    ],
)
def test_where_containers_are(config: DockerConfig, services: bool, expected: str) -> None:
    assert network_mode(config, services=services) == expected


def test_a_network_of_the_jobs_own() -> None:
    assert network_body(DockerConfig()) == {}
    assert network_body(DockerConfig(network_mtu=1400, enable_ipv6=True)) == {
        "EnableIPv6": True,
        "Options": {"com.docker.network.driver.mtu": "1400"},
    }


def test_a_service_of_the_configuration() -> None:
    assert service_spec(ServiceConfig("a")) == ImageSpec("a")
    full = ServiceConfig("a", alias="b", command=("c",), entrypoint=("d",), environment=("E=f=g",))
    assert service_spec(full) == ImageSpec(
        "a",
        alias="b",
        command=("c",),
        entrypoint=("d",),
        variables=(JobVariable("E", "f=g"),),
    )
