"""``only`` and ``except``, the older way to say when a job is part of a pipeline.

Source: https://docs.gitlab.com/ci/yaml/deprecated_keywords/ and GitLab's
lib/gitlab/ci/build/policy.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from tracekeeper.errors import InvalidPipeline
from tracekeeper.pipeline.automaton import RegexError
from tracekeeper.pipeline.config import JobConfig, OnlyExcept
from tracekeeper.pipeline.expressions import ExpressionError, evaluate
from tracekeeper.pipeline.globs import GlobError
from tracekeeper.pipeline.regex import compile_literal
from tracekeeper.pipeline.scope import Scope
from tracekeeper.problems import Problem

_Fact: TypeAlias = Callable[[str], str | None]

_DEFAULT_REFS = ("branches", "tags")


def included(job: JobConfig, scope: Scope, *, workflow_rules: bool) -> bool:
    """Whether a job without ``rules`` is part of the pipeline.

    All parts of ``only`` have to hold and no part of ``except``. Where ``only`` names no refs,
    branches and tags are meant; without ``only`` they are too, unless the file has
    `workflow_rules`. ``kubernetes`` is not acted on.

    Raises InvalidPipeline for an expression or a pattern that cannot be used.
    """
    if job.only is not None:
        wanted = _parts(job.only, job.only.refs or _DEFAULT_REFS, scope)
    else:
        wanted = [workflow_rules or _any_ref(_DEFAULT_REFS, scope)]
    unwanted = [] if job.except_ is None else _parts(job.except_, job.except_.refs, scope)
    return all(wanted) and not any(unwanted)


def _parts(policy: OnlyExcept, refs: Sequence[str], scope: Scope) -> list[bool]:
    """Whether each given part of `policy` holds."""
    parts = []
    try:
        if refs:
            parts.append(_any_ref(refs, scope))
        if policy.variables:
            parts.append(any(evaluate(text, scope.values) for text in policy.variables))
        if policy.changes:
            parts.append(scope.world.changed(policy.changes))
    except (ExpressionError, GlobError) as error:
        raise InvalidPipeline([Problem("bad_condition", str(error), policy.at)]) from None
    return parts


def _any_ref(refs: Sequence[str], scope: Scope) -> bool:
    return any(_ref_matches(ref, scope.world.facts.get) for ref in refs)


def _ref_matches(ref: str, fact: _Fact) -> bool:
    """Whether `ref`, a keyword, name or ``/pattern/`` with ``@path`` or without, is meant."""
    pattern, at, project = ref.partition("@")
    if at and project != fact("CI_PROJECT_PATH"):
        return False
    source = (fact("CI_PIPELINE_SOURCE") or "").removesuffix("_event")
    if source and pattern in (source, _plural(source)):
        return True
    if source == "merge_request":
        return False
    if pattern == ("tags" if fact("CI_COMMIT_TAG") else "branches"):
        return True
    return _names(pattern, fact("CI_COMMIT_REF_NAME") or "")


def _names(pattern: str, ref: str) -> bool:
    """Whether `pattern` is the name of `ref` or matches it; a pattern that is not valid is
    taken as a name, as GitLab does."""
    try:
        return compile_literal(pattern).search(ref)
    except RegexError:
        return pattern == ref


def _plural(source: str) -> str:
    return f"{source}es" if source.endswith("sh") else f"{source}s"
