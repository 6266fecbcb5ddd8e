"""One job: every keyword GitLab knows in it, and what must not stand together."""

from typing import Any

import msgspec

from tracekeeper.pipeline.config import JobConfig, When
from tracekeeper.pipeline.node import Entry, Mapping
from tracekeeper.pipeline.reading.attempts import allow_failure, coverage, parallel
from tracekeeper.pipeline.reading.environments import environment
from tracekeeper.pipeline.reading.findings import Findings
from tracekeeper.pipeline.reading.inherit import INHERITED, inherit, with_defaults
from tracekeeper.pipeline.reading.needs import needs
from tracekeeper.pipeline.reading.rules import only, rules, start_in
from tracekeeper.pipeline.reading.scripts import script
from tracekeeper.pipeline.reading.values import (
    Table,
    choice,
    duration_below,
    fields,
    is_absent,
    name,
    names,
    not_acted_on,
    one_or_listed,
    string,
)
from tracekeeper.pipeline.reading.variables import job_variables

LONGEST_NAME = 255
_LONGEST_TIMEOUT = 2_629_746  # a twelfth of a year

_WHEN: tuple[When, ...] = ("on_success", "on_failure", "always", "manual", "delayed")

JOB: Table = {
    **INHERITED,
    "script": script,
    "stage": name,
    "extends": one_or_listed(string),
    "inherit": inherit,
    "variables": job_variables,
    "rules": rules,
    "only": only,
    "except": only,
    "when": choice(_WHEN, {"never": "only an entry of `rules` may have it"}),
    "start_in": start_in,
    "allow_failure": allow_failure,
    "needs": needs,
    "dependencies": names,
    "parallel": parallel,
    "timeout": duration_below(_LONGEST_TIMEOUT, "1 month"),
    "coverage": coverage,
    "environment": environment,
    "resource_group": name,
    "dast_configuration": not_acted_on,
    "id_tokens": not_acted_on,
    "identity": not_acted_on,
    "inputs": not_acted_on,
    "manual_confirmation": not_acted_on,
    "pages": not_acted_on,
    "publish": not_acted_on,
    "release": not_acted_on,
    "run": not_acted_on,
    "secrets": not_acted_on,
    "trigger": not_acted_on,
}
"""Every keyword of a job, with how it is read."""

WORK = ("script", "trigger", "run")
"""A job has exactly one of these."""


class ReadJob(msgspec.Struct, frozen=True):
    """A job with the mapping it was read from, for positions."""

    config: JobConfig
    node: Mapping


def read_job(entry: Entry, job: Mapping, defaults: dict[str, Entry], findings: Findings) -> ReadJob:
    """Read the top-level `entry`, whose value is `job`."""
    takes = _inheritance(job, findings)
    node = with_defaults(job, defaults, takes.get("default", True))
    values = fields(node, "", JOB, findings)
    _check_work(entry, job, findings)
    _check_conflicts(job, values, findings)
    _check_name(entry, job, findings)
    return ReadJob(_config(entry, values), node)


def _inheritance(job: Mapping, findings: Findings) -> dict[str, Any]:
    node = job.get("inherit")
    return {} if node is None or is_absent(node) else inherit(node, "inherit", findings)


def _config(entry: Entry, values: dict[str, Any]) -> JobConfig:
    """The values under the names that `JobConfig` gives them."""
    values.pop("extends", None)
    inherited = values.pop("inherit", {})
    instances = values.pop("parallel", 0)
    return JobConfig(
        name=entry.key,
        at=entry.at,
        except_=values.pop("except", None),
        pre_get_sources_script=values.pop("hooks", ()),
        inherit_variables=inherited.get("variables", True),
        parallel=instances if isinstance(instances, int) else 0,
        matrix=() if isinstance(instances, int) else instances,
        **values,
    )


def _check_work(entry: Entry, job: Mapping, findings: Findings) -> None:
    """Exactly one of script, trigger and run. A mistyped keyword has been reported already."""
    given = [key for key in WORK if not is_absent(job.get(key))]
    for extra in given[1:]:
        message = f"job `{entry.key}` has both `{given[0]}` and `{extra}`"
        findings.error("conflicting_keywords", message, job.entries[extra].at)
    if not given and not _mirrors(job) and all(key in JOB for key in job.entries):
        findings.unknown(
            "missing_script",
            f"job `{entry.key}` has nothing to run",
            entry.at,
            findings.elsewhere
            or "give it `script`, or begin its name with a dot if it is a template",
        )


def _mirrors(job: Mapping) -> bool:
    """Whether the job shows another pipeline's status: ``needs: {pipeline: group/project}``."""
    needed = job.get("needs")
    return isinstance(needed, Mapping) and "pipeline" in needed


def _check_conflicts(job: Mapping, values: dict[str, Any], findings: Findings) -> None:
    if values.get("rules"):
        for key in ("only", "except", "start_in"):
            if not is_absent(job.get(key)):
                message = f"`{key}` must not be used together with `rules`"
                findings.error("conflicting_keywords", message, job.entries[key].at)
        if values.get("when") == "delayed":
            message = "`when: delayed` must stand in the rule, together with `start_in`"
            findings.error("conflicting_keywords", message, job.entries["when"].at)
        return
    delayed = values.get("when") == "delayed"
    if delayed and "start_in" not in values:
        at, hint = job.entries["when"].at, 'for example "30 minutes"'
        findings.error("missing_keyword", "`when: delayed` needs `start_in`", at, hint)
    if "start_in" in values and not delayed:
        message = "`start_in` has no meaning without `when: delayed`"
        findings.error("conflicting_keywords", message, job.entries["start_in"].at)


def _check_name(entry: Entry, job: Mapping, findings: Findings) -> None:
    job_name = entry.key
    if not job_name:
        findings.error("bad_job_name", "a job's name must not be empty", entry.at)
    if len(job_name) > LONGEST_NAME:
        message = f"a job's name must not be longer than {LONGEST_NAME} characters"
        findings.error("bad_job_name", f"{message}, this has {len(job_name)}", entry.at)
    if job_name in ("true", "false", "nil"):
        message = f"a job named `{job_name}` is allowed, but easily misread"
        findings.warn("unclear_job_name", message, entry.at, "GitLab advises against it")
    if job_name == "pages" and "pages" not in job:
        message = "job `pages` runs, but Tracekeeper publishes no Pages site"
        findings.warn("not_acted_on", message, entry.at)
