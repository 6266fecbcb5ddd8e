"""``rules``: the first one whose conditions all hold decides.

Source: https://docs.gitlab.com/ci/yaml/#rules and GitLab's lib/gitlab/ci/build/rules.
"""

from collections.abc import Sequence

from tracekeeper.errors import InvalidPipeline
from tracekeeper.pipeline.config import PathCondition, Rule
from tracekeeper.pipeline.expressions import ExpressionError, evaluate
from tracekeeper.pipeline.globs import GlobError
from tracekeeper.pipeline.scope import Scope
from tracekeeper.problems import Problem


def first_match(rules: Sequence[Rule], scope: Scope) -> Rule | None:
    """The rule that decides, None where none matches.

    Raises InvalidPipeline for an expression or a pattern that cannot be used.
    """
    return next((rule for rule in rules if _holds(rule, scope)), None)


def _holds(rule: Rule, scope: Scope) -> bool:
    try:
        return (
            (rule.condition is None or evaluate(rule.condition, scope.values))
            and (rule.changes is None or _changes(rule.changes, scope))
            and (rule.exists is None or _exists(rule.exists, scope))
        )
    except ExpressionError as error:
        problem = Problem("bad_expression", f"`if`: {error}", rule.at)
    except GlobError as error:
        problem = Problem("bad_pattern", str(error), rule.at)
    raise InvalidPipeline([problem])


def _changes(condition: PathCondition, scope: Scope) -> bool:
    compare_to = scope.expand(condition.compare_to)
    return scope.world.changed(_patterns(condition, scope), compare_to)


def _exists(condition: PathCondition, scope: Scope) -> bool:
    return scope.world.exists(_patterns(condition, scope))


def _patterns(condition: PathCondition, scope: Scope) -> list[str]:
    return list(dict.fromkeys(map(scope.expand, condition.paths)))
