"""How a job may fail, be tried again and be multiplied: ``allow_failure``, ``retry``,
``parallel``, ``coverage``."""

from math import prod

from tracekeeper.pipeline import node as nodes
from tracekeeper.pipeline.config import AllowFailure, MatrixRow, Retry
from tracekeeper.pipeline.node import Node
from tracekeeper.pipeline.reading.findings import Findings
from tracekeeper.pipeline.reading.values import (
    Table,
    boolean,
    choice,
    fields,
    integer,
    listed,
    one_or_listed,
    required,
    string,
    wrong_value,
)
from tracekeeper.pipeline.reading.variables import matrix_variables

MOST_PARALLEL = 200
_MOST_RETRIES = 2
_LARGEST_EXIT_CODE = 2**32 - 1

_exit_codes = one_or_listed(integer(0, _LARGEST_EXIT_CODE))

# GitLab takes every failure reason it knows, not only those its documentation lists.
_RETRY_REASONS = """
    always unknown_failure script_failure api_failure stuck_or_timeout_failure
    runner_system_failure runner_unsupported stale_schedule job_execution_timeout
    archived_failure unmet_prerequisites scheduler_failure data_integrity_failure
    missing_dependency_failure forward_deployment_failure user_blocked project_deleted
    ci_quota_exceeded pipeline_loop_detected no_matching_runner trace_size_exceeded
    builds_disabled environment_creation_failure deployment_rejected
    failed_outdated_deployment_job job_execution_server_timeout
    stuck_pending_with_matching_runners stuck_pending_no_matching_runners no_updates_running
    no_updates_canceling server_timeout_running server_timeout_canceling
    runner_configuration_error runner_external_dependency_failure runner_interrupted
    protected_environment_failure insufficient_bridge_permissions
    downstream_bridge_project_not_found invalid_bridge_trigger upstream_bridge_project_not_found
    insufficient_upstream_permissions bridge_pipeline_is_child_pipeline
    downstream_pipeline_creation_failed secrets_provider_not_found
    reached_max_descendant_pipelines_depth ip_restriction_failure
    reached_max_pipeline_hierarchy_size reached_downstream_pipeline_trigger_rate_limit
"""

_times = integer(0, _MOST_RETRIES)
_RETRY: Table = {
    "max": _times,
    "when": one_or_listed(choice(tuple(_RETRY_REASONS.split()))),
    "exit_codes": _exit_codes,
}


def retry(node: Node, what: str, findings: Findings) -> Retry:
    """``retry``: a number, or a mapping."""
    if isinstance(node, nodes.Scalar):
        return Retry(_times(node, what, findings))
    return Retry(**fields(node, what, _RETRY, findings, "a number or a mapping"))


_ALLOW_FAILURE: Table = {"exit_codes": _exit_codes}


def allow_failure(node: Node, what: str, findings: Findings) -> AllowFailure:
    """``allow_failure``: a boolean, or the exit codes that are allowed."""
    if isinstance(node, nodes.Scalar):
        return AllowFailure(boolean(node, what, findings))
    values = fields(node, what, _ALLOW_FAILURE, findings, "a boolean or a mapping")
    required(node, what, "exit_codes", values, findings)
    return AllowFailure(allowed=True, **values)


def matrix_row(node: Node, what: str, findings: Findings) -> MatrixRow:
    """One row of ``parallel:matrix``."""
    return MatrixRow(matrix_variables(node, what, findings), node.at)


matrix_rows = listed(matrix_row)
_PARALLEL: Table = {"matrix": matrix_rows}
_instances = integer(1, MOST_PARALLEL)


def parallel(node: Node, what: str, findings: Findings) -> int | tuple[MatrixRow, ...]:
    """``parallel``: a number of instances, or the rows of a matrix."""
    if isinstance(node, nodes.Scalar):
        return _instances(node, what, findings)
    values = fields(node, what, _PARALLEL, findings, "a number or a mapping")
    required(node, what, "matrix", values, findings)
    rows: tuple[MatrixRow, ...] = values.get("matrix", ())
    count = sum(prod(map(len, row.variables.values())) for row in rows)
    if "matrix" in values and not 1 <= count <= MOST_PARALLEL:
        message = f"`{what}:matrix` makes {count} jobs, allowed are 1 to {MOST_PARALLEL}"
        wrong_value(node, message, findings)
    return rows


def coverage(node: Node, what: str, findings: Findings) -> str:
    """``coverage``: a regular expression between slashes."""
    pattern = string(node, what, findings)
    if pattern and not (len(pattern) > 2 and pattern[0] == pattern[-1] == "/"):
        message = f"`{what}` must be a regular expression between slashes"
        wrong_value(node, message, findings, f"write '/{pattern.strip('/')}/'")
    return pattern
