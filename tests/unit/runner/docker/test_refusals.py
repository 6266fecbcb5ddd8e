import pytest

from tracekeeper.runner.docker.config import DockerConfig
from tracekeeper.runner.docker.refusals import about_key, refused_key

EVERYTHING = DockerConfig(
    cap_add=("X",),
    cpus="1",
    devices=("/dev/x",),
    extra_hosts=("a:b",),
    gpus="all",
    group_add=("g",),
    ipcmode="x",
    isolation="process",
    links=("x",),
    memory="1m",
    memory_swap="1m",
    network_mode="x",
    pid_mode="x",
    privileged=True,
    runtime="x",
    security_opt=("x",),
    service_memory="1m",
    services_devices={"*": ("/dev/x",)},
    sysctls={"a": "b"},
    ulimit={"x": "1"},
    user="u",
    volumes=("/a",),
    volumes_from=("x",),
)
SENTENCES = {
    "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available": "cpus",
    "Minimum memory limit allowed is 6MB": "memory",
    "Minimum memoryswap limit should be larger than memory limit, see usage": "memory_swap",
    'error gathering device information while adding custom device "/dev/x": no such file or '
    "directory": "devices",
    'could not select device driver "" with capabilities: [[gpu]]': "gpus",
    "Unknown runtime specified x": "runtime",
    "unknown or invalid runtime name: x": "runtime",
    'invalid CapAdd: unknown capability: "CAP_X"': "cap_add",
    "network x not found": "network_mode",
    "runc create failed: unable to apply caps: operation not permitted": "privileged",
    "No such container: x": "volumes_from",
    "could not get container for x": "links",
    "invalid IPC mode: x": "ipcmode",
    "invalid PID mode: x": "pid_mode",
    "sysctl 'a' is not whitelisted": "sysctls",
    "Unable to find group g: no matching entries in group file": "group_add",
    "unable to find user u: no matching entries in passwd file": "user",
    'invalid --security-opt 1: "x"': "security_opt",
    "invalid ulimit type: x": "ulimit",
    "invalid isolation (process): linux does not support it": "isolation",
    'invalid IP address in add-host: "b"': "extra_hosts",
    'invalid mount config for type "bind": bind source path does not exist': "volumes",
    'exec: "sh": executable file not found in $PATH': "",
}


@pytest.mark.parametrize(("sentence", "key"), SENTENCES.items())
def test_what_the_engine_says_names_a_key(sentence: str, key: str) -> None:
    assert refused_key(EVERYTHING, sentence) == key


def test_a_key_that_is_not_set_is_never_named() -> None:
    assert [refused_key(DockerConfig(), sentence) for sentence in SENTENCES] == [""] * len(
        SENTENCES
    )


def test_services_have_keys_of_their_own() -> None:
    assert refused_key(EVERYTHING, "Minimum memory limit is 6MB", service=True) == "service_memory"
    assert refused_key(EVERYTHING, "custom device", service=True) == "services_devices"
    assert refused_key(EVERYTHING, "invalid IPC mode: x", service=True) == "ipcmode"


def test_words_for_a_sentence() -> None:
    assert about_key(EVERYTHING, "network x not found") == " (network_mode in [runners.docker])"
    assert about_key(EVERYTHING, "no space left on device") == ""
