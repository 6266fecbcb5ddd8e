"""From the merged node tree to a checked `Config`: every problem at once, each with its place."""

from tracekeeper.pipeline import node as nodes
from tracekeeper.pipeline.config import DEFAULT_STAGES, FIRST_STAGE, LAST_STAGE, Config, Workflow
from tracekeeper.pipeline.node import Entry, Mapping, Node
from tracekeeper.pipeline.reading.checks import check_jobs
from tracekeeper.pipeline.reading.findings import Findings
from tracekeeper.pipeline.reading.inherit import GLOBALS, INHERITED, read_defaults
from tracekeeper.pipeline.reading.jobs import JOB, WORK, ReadJob, read_job
from tracekeeper.pipeline.reading.rules import workflow
from tracekeeper.pipeline.reading.unread import all_stages, complete_entries, complete_jobs
from tracekeeper.pipeline.reading.values import Table, fields, names, not_acted_on, suggest
from tracekeeper.pipeline.reading.variables import global_variables
from tracekeeper.problems import Problem


def _stages(node: Node, what: str, findings: Findings) -> tuple[str, ...]:
    """``stages``, without repetitions, between ``.pre`` and ``.post``."""
    return _with_edges(names(node, what, findings))


def _with_edges(stages: tuple[str, ...]) -> tuple[str, ...]:
    middle = dict.fromkeys(stage for stage in stages if stage not in (FIRST_STAGE, LAST_STAGE))
    return (FIRST_STAGE, *middle, LAST_STAGE)


def _read_elsewhere(_node: Node, _what: str, _findings: Findings) -> None:
    """``default`` and its older forms are read with the jobs, ``include`` before all."""


_GLOBAL: Table = {
    "stages": _stages,
    "variables": global_variables,
    "workflow": workflow,
    "spec": not_acted_on,
    "$schema": not_acted_on,
    **dict.fromkeys(("default", "include", *GLOBALS), _read_elsewhere),
}
"""Every keyword that may stand at the top of the file."""


def read(
    document: Mapping, problems: list[Problem], *, elsewhere: str = "", unread: bool = False
) -> Config | None:
    """Read `document`, appending every error and warning to `problems`.

    `elsewhere` is a hint for what may be missing only because an include was not read; with
    `unread`, because we do not read what GitLab would: what is unknown is then left out.

    Includes, ``extends`` and ``!reference`` must be resolved. Returns None if there is an error.
    The problems are in the order of the file's keywords, with checks of jobs among each other last.
    """
    findings = Findings(problems, elsewhere, unread=unread)
    document = complete_entries(document, findings) if unread else document
    before = len(problems)
    own = {key: entry for key, entry in document.entries.items() if key in _GLOBAL}
    _check_reserved_names(own, findings)
    keywords = Mapping(own, document.at)
    values = fields(keywords, "", _GLOBAL, findings)
    stages = values.get("stages", _with_edges(DEFAULT_STAGES))
    jobs = _read_jobs(document, read_defaults(keywords, findings), findings)
    if not jobs and not findings.failed and not unread:
        message = "the pipeline should contain at least one visible job"
        hint = findings.elsewhere or "jobs whose name begins with a dot are hidden"
        findings.error("no_jobs", message, document.at, hint)
    check_jobs(jobs, stages, findings)
    if unread:
        jobs, stages = complete_jobs(jobs, findings), all_stages(stages, jobs)
    if findings.failed:
        return None
    return Config(
        stages=stages,
        jobs={name: job.config for name, job in jobs.items()},
        variables=values.get("variables", {}),
        workflow=values.get("workflow", Workflow()),
        warnings=tuple(problems[before:]),
    )


def _check_reserved_names(entries: dict[str, Entry], findings: Findings) -> None:
    """A keyword with a script in it was meant as a job. Variables may have any name."""
    for key, entry in list(entries.items()):
        node = entry.value
        if key == "variables" or not isinstance(node, nodes.Mapping):
            continue
        if any(work in node for work in WORK):
            message = f"`{key}` is a keyword and cannot be the name of a job"
            findings.error("reserved_name", message, entry.at, "choose another name")
            del entries[key]


def _read_jobs(
    document: Mapping, defaults: dict[str, Entry], findings: Findings
) -> dict[str, ReadJob]:
    jobs: dict[str, ReadJob] = {}
    for entry in document:
        if entry.key in _GLOBAL or entry.key.startswith("."):
            continue
        if not isinstance(entry.value, nodes.Mapping) or _is_mistyped(entry, entry.value):
            _not_a_job(entry, findings)
        else:
            jobs[entry.key] = read_job(entry, entry.value, defaults, findings)
    return jobs


def _is_mistyped(entry: Entry, job: Mapping) -> bool:
    """Whether a mapping that runs nothing was rather meant as a keyword (``variabels``)."""
    return not any(work in job for work in WORK) and suggest(entry.key, _GLOBAL) != ""


def _not_a_job(entry: Entry, findings: Findings) -> None:
    hint = suggest(entry.key, _GLOBAL)
    if entry.key in INHERITED:
        hint = f"write it under `default` to give every job its `{entry.key}`"
    elif entry.key in JOB:
        hint = "it is a keyword of a job"
    message = f"`{entry.key}` is neither a keyword nor a job, which is a mapping with `script`"
    findings.error("unknown_keyword", message, entry.at, hint)
