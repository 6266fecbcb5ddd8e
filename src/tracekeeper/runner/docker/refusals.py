"""Which key an engine means when it refuses a container. Pure.

The engine's sentence is always shown; the key is named where the sentence tells it and the
configuration has it. The sentences are those of dockerd 20.10 to 29 and of runc.
"""

import re

from tracekeeper.runner.docker.config import DockerConfig

_TELLS = (
    ("memory_swap", r"memoryswap|memory\.memsw|memory\.swap"),
    ("memory_reservation", r"memory reservation|soft.?limit"),
    ("memory", r"memory limit|memory\.limit|memory\.max"),
    ("cpuset_mems", r"cpuset.?mems|memory nodes"),
    ("cpuset_cpus", r"cpuset|requested cpus"),
    ("cpu_shares", r"cpu.?shares"),
    ("cpus", r"range of cpus|nanocpus|cpu cfs|cpu\.cfs"),
    ("cgroup_parent", r"cgroup.?parent"),
    ("gpus", r"device driver|with capabilities"),
    ("device_cgroup_rules", r"device cgroup|device mode"),
    ("devices", r"device information|custom device|not a device node"),
    ("oom_score_adjust", r"oom.?score"),
    ("oom_kill_disable", r"oom.?kill|oom_control"),
    ("ulimit", r"ulimit|rlimit"),
    ("group_add", r"unable to find group"),
    ("user", r"unable to find user|no matching entries in passwd|\buid\b"),
    ("userns_mode", r"user namespace|userns"),
    ("privileged", r"apply caps"),
    ("cap_add", r"capadd|capability"),
    ("cap_drop", r"capdrop|capability"),
    ("security_opt", r"security-opt|security opt|seccomp|apparmor|selinux"),
    ("pid_mode", r"pid mode|pid namespace"),
    ("ipcmode", r"ipc mode|ipc namespace"),
    ("mac_address", r"mac.?address"),
    ("hostname", r"hostname"),
    ("links", r"\blinks?\b|could not get container"),
    ("volumes_from", r"volumes.?from|no such container"),
    ("volume_driver", r"volume (?:driver|plugin)|plugin"),
    ("tmpfs", r"tmpfs"),
    ("volumes", r"volume|mount|bind source|invalid mode"),
    ("sysctls", r"sysctl"),
    ("shm_size", r"shm"),
    ("runtime", r"runtime name|unknown runtime|runtime specified"),
    ("isolation", r"isolation"),
    ("extra_hosts", r"add-host|extra host|host-to-ip|host-gateway"),
    ("dns_search", r"dns.?search|search domain"),
    ("dns", r"dns"),
    ("enable_ipv6", r"ipv6"),
    ("network_mtu", r"mtu"),
    ("network_mode", r"network|container:"),
    ("log_options", r"log opt"),
)
_SERVICE_KEYS = {
    "memory": "service_memory",
    "memory_swap": "service_memory_swap",
    "memory_reservation": "service_memory_reservation",
    "cpus": "service_cpus",
    "cpu_shares": "service_cpu_shares",
    "cpuset_cpus": "service_cpuset_cpus",
    "cgroup_parent": "service_cgroup_parent",
    "gpus": "service_gpus",
    "devices": "services_devices",
    "privileged": "services_privileged",
    "security_opt": "services_security_opt",
    "tmpfs": "services_tmpfs",
}


def refused_key(config: DockerConfig, reason: str, *, service: bool = False) -> str:
    """The key that the engine's `reason` is about, among those that `config` sets; empty where
    that cannot be told."""
    text = reason.lower()
    for key, pattern in _TELLS:
        name = _SERVICE_KEYS.get(key, key) if service else key
        if re.search(pattern, text) and getattr(config, name):
            return name
    return ""


def about_key(config: DockerConfig, reason: str, *, service: bool = False) -> str:
    """Words such as `` (devices in [runners.docker])``, empty where no key can be named."""
    key = refused_key(config, reason, service=service)
    return f" ({key} in [runners.docker])" if key else ""
