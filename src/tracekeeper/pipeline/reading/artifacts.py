"""``artifacts``."""

import re
from typing import Any

from tracekeeper.pipeline.config import Artifacts, ArtifactsWhen
from tracekeeper.pipeline.node import Node
from tracekeeper.pipeline.reading.findings import Findings
from tracekeeper.pipeline.reading.paths import (
    project_path,
    project_path_or_paths,
    project_paths,
)
from tracekeeper.pipeline.reading.values import (
    Table,
    boolean,
    choice,
    duration,
    fields,
    not_acted_on,
    required,
    string,
    wrong_value,
)

ARTIFACTS_WHEN: tuple[ArtifactsWhen, ...] = ("on_success", "on_failure", "always")

_REPORT_TYPES = """
    accessibility annotations api_fuzzing browser_performance cluster_applications
    cluster_image_scanning codequality container_scanning coverage_fuzzing cyclonedx dast
    dependency_scanning dotenv junit license_management license_scanning load_performance lsif
    metrics performance repository_xray requirements requirements_v2 sarif sast
    scip secret_detection terraform
"""
_COVERAGE_REPORT: Table = {
    "coverage_format": choice(("cobertura", "jacoco")),
    "path": project_path,
}


def _coverage_report(node: Node, what: str, findings: Findings) -> dict[str, tuple[str, ...]]:
    values = fields(node, what, _COVERAGE_REPORT, findings)
    for key in _COVERAGE_REPORT:
        required(node, what, key, values, findings)
    return {values.get("coverage_format", ""): (values.get("path", ""),)}


_REPORTS: Table = {
    **dict.fromkeys(_REPORT_TYPES.split(), project_path_or_paths),
    "coverage_report": _coverage_report,
}


def _reports(node: Node, what: str, findings: Findings) -> dict[str, tuple[str, ...]]:
    """The paths of each report; a coverage report goes by its format, as runners are told."""
    values = fields(node, what, _REPORTS, findings)
    return {**values.pop("coverage_report", {}), **values}


def _expire_in(node: Node, what: str, findings: Findings) -> int | None:
    text = string(node, what, findings)
    return None if text.strip().lower() == "never" else duration(node, what, findings)


_EXPOSE_AS = re.compile(r"\w[-\w ]*")


def _expose_as(node: Node, what: str, findings: Findings) -> str:
    text = string(node, what, findings)
    if text and not _EXPOSE_AS.fullmatch(text):
        message = f"`{what}` may hold only letters, digits, `-`, `_` and spaces"
        wrong_value(node, message, findings)
    return text


_ARTIFACTS: Table = {
    "paths": project_paths,
    "exclude": project_paths,
    "untracked": boolean,
    "name": string,
    "when": choice(ARTIFACTS_WHEN),
    "expire_in": _expire_in,
    "expose_as": _expose_as,
    "reports": _reports,
    "public": not_acted_on,
    "access": not_acted_on,
}


def artifacts(node: Node, what: str, findings: Findings) -> Artifacts:
    """``artifacts``: what to keep of the job's files."""
    values = fields(node, what, _ARTIFACTS, findings)
    if "expose_as" in values:
        _check_exposed(node, what, values, findings)
    reports = values.pop("reports", {})
    return Artifacts(**values, dotenv=reports.pop("dotenv", ()), reports=reports)


def _check_exposed(node: Node, what: str, values: dict[str, Any], findings: Findings) -> None:
    paths = values.get("paths", ())
    if not paths:
        wrong_value(node, f"`{what}:expose_as` needs `{what}:paths`", findings)
    elif any("*" in path for path in paths):
        message = f"`{what}:paths` must not have `*` where `expose_as` is given"
        wrong_value(node, message, findings)
