"""The keys of `[[runners]]`, which are gitlab-runner's own: what there is for a docker job. Pure.

Source: GitLab Runner docs, "Advanced configuration", "The `[[runners]]` section", and what its code
of version 19.4 reads beyond those.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tracekeeper.pipeline.nearest import did_you_mean

AUTH_VARIABLE = "DOCKER_AUTH_CONFIG"
OF_A_JOB = (
    "builds_dir",
    "cache_dir",
    "clone_url",
    "environment",
    "feature_flags",
    "output_limit",
    "post_build_script",
    "post_get_sources_script",
    "pre_build_script",
    "pre_get_sources_script",
    "shell",
)
"""Keys that would change what a docker job does there."""
OF_THE_RUNNER = (
    "autoscaler",
    "cache",
    "clean_git_config",
    "custom",
    "custom_build_dir",
    "debug_trace_disabled",
    "docker",
    "executor",
    "get_sources_timeout",
    "id",
    "instance",
    "job_status_final_update_retry_limit",
    "kubernetes",
    "labels",
    "limit",
    "machine",
    "monitoring",
    "name",
    "parallels",
    "post_clone_script",
    "pre_clone_script",
    "prepare_timeout",
    "proxy_exec",
    "referees",
    "request_concurrency",
    "safe_directory_checkout",
    "slot_cgroup_template",
    "ssh",
    "strict_check_interval",
    "tls-ca-file",
    "tls-cert-file",
    "tls-key-file",
    "token",
    "token_expires_at",
    "token_obtained_at",
    "unhealthy_interval",
    "unhealthy_requests_limit",
    "url",
    "use_slot_cgroups",
    "virtualbox",
)
"""Keys that are of no matter here."""


def auth_of(environment: object) -> str:
    """The value of DOCKER_AUTH_CONFIG in a list of ``KEY=VALUE``; the last one counts."""
    entries = environment if isinstance(environment, list) else []
    pairs = [entry.partition("=") for entry in entries if isinstance(entry, str)]
    found = [value for name, _, value in pairs if name == AUTH_VARIABLE]
    return found[-1] if found else ""


def warnings_of(runner: Mapping[str, Any], *, has_auth: bool) -> Iterator[str]:
    """Sentences on the keys of a runner that are not acted on, or not known."""
    for name, value in runner.items():
        if name not in OF_A_JOB and name not in OF_THE_RUNNER:
            yield unknown(name, "[[runners]]", (*OF_A_JOB, *OF_THE_RUNNER))
        elif name not in OF_A_JOB or not value:
            continue
        elif name != "environment" or not has_auth:
            yield f"known, not acted on: {name} in [[runners]]; it is the runner's"
        elif len(value) > 1:
            yield f"of environment in [[runners]] only {AUTH_VARIABLE} is acted on"


def unknown(name: str, section: str, known: tuple[str, ...]) -> str:
    """The sentence on a key that `section` does not have."""
    hint = did_you_mean(name, known)
    return f"unknown key {name} in {section}" + (f"; {hint}" if hint else "")
