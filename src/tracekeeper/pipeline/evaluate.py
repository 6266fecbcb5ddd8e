"""From a `Config` and the world to the jobs of one pipeline.

Variables, weakest first: predefined, global, the matching workflow rule's, the job's, its
matrix's, the matching rule's, the caller's overrides. Source:
https://docs.gitlab.com/ci/variables/#cicd-variable-precedence and GitLab's
lib/gitlab/ci/pipeline/seed/build.rb.
"""

from collections.abc import Mapping

import msgspec

from tracekeeper.errors import InvalidPipeline
from tracekeeper.pipeline.config import (
    FIRST_STAGE,
    LAST_STAGE,
    AllowFailure,
    Config,
    JobConfig,
    Need,
    Rule,
    Variables,
)
from tracekeeper.pipeline.links import link
from tracekeeper.pipeline.matrix import Instance, instances, interpolated
from tracekeeper.pipeline.only import included
from tracekeeper.pipeline.pipeline import Job, Pipeline
from tracekeeper.pipeline.rules import first_match
from tracekeeper.pipeline.scope import Scope, World, facts_of
from tracekeeper.pipeline.world import Context
from tracekeeper.problems import Problem


def evaluate(config: Config, context: Context) -> Pipeline:
    """The pipeline that `config` gives in `context`.

    Where GitLab would create none, because of ``workflow: rules`` or for want of a job outside
    ``.pre`` and ``.post``, the pipeline has no jobs and says why in `reason`.

    Raises InvalidPipeline with every problem found, and UsageError where the value of a variable
    grows without end.
    """
    world = World(context)
    variables = _global_variables(config, world)
    if variables is None:
        return _pipeline(config, config.variables, {}, "`workflow: rules` lets no pipeline run")
    if not config.jobs:
        return _pipeline(config, variables, {}, "no job of it is known in full (see its warnings)")
    jobs = _Evaluation(config, world, variables).jobs()
    if not jobs:
        return _pipeline(config, variables, {}, "the rules of the jobs leave none of them")
    if all(job.stage in (FIRST_STAGE, LAST_STAGE) for job in jobs.values()):
        return _pipeline(config, variables, {}, "there are jobs in .pre and .post alone")
    return _pipeline(config, variables, jobs)


def _pipeline(
    config: Config, variables: Variables, jobs: Mapping[str, Job], reason: str = ""
) -> Pipeline:
    ordered = sorted(jobs.items(), key=lambda item: item[1].stage_index)
    name = config.workflow.name
    return Pipeline(config.stages, dict(ordered), name, variables, config.warnings, reason)


def _global_variables(config: Config, world: World) -> Variables | None:
    """Those of the file and of the workflow rule that matches; None where none lets it run."""
    if config.workflow.rules is None:
        return config.variables
    rule = first_match(config.workflow.rules, Scope(world, config.variables))
    if rule is None or rule.when == "never":
        return None
    return {**config.variables, **rule.variables}


class _Evaluation:
    """The way from the jobs of a file to those of one pipeline."""

    def __init__(self, config: Config, world: World, variables: Variables) -> None:
        self._config = config
        self._world = world
        self._variables = variables
        self._order = {stage: index for index, stage in enumerate(config.stages)}
        self._jobs: dict[str, Job] = {}
        self._needs: dict[str, tuple[Need, ...]] = {}

    def jobs(self) -> dict[str, Job]:
        """Every job of the pipeline, in file order. Raises InvalidPipeline."""
        problems: dict[Problem, None] = {}
        for config in self._config.jobs.values():
            try:
                self._add(config)
            except InvalidPipeline as error:
                problems |= dict.fromkeys(error.problems)
        if problems:
            raise InvalidPipeline(sorted(problems, key=lambda problem: problem.at))
        return link(self._config, self._jobs, self._needs)

    def _add(self, config: JobConfig) -> None:
        """Add those instances of a job that its rules let in. Raises InvalidPipeline."""
        if config.stage not in self._order:
            message = f"stage `{config.stage}` of job `{config.name}` is not in `stages`"
            raise InvalidPipeline([Problem("unknown_stage", message, config.at)])
        inherited = self._inherited(config)
        for instance in instances(config):
            variables = {**inherited, **config.variables, **instance.variables}
            rule = self._rule(config, Scope(self._world, variables, facts_of(config, instance)))
            if rule is not None:
                self._keep(config, instance, rule, {**variables, **rule.variables})

    def _inherited(self, config: JobConfig) -> Variables:
        """The global variables that ``inherit: variables`` leaves to a job."""
        names = config.inherit_variables
        if isinstance(names, bool):
            return self._variables if names else {}
        return {name: self._variables[name] for name in names if name in self._variables}

    def _rule(self, config: JobConfig, scope: Scope) -> Rule | None:
        """The rule that lets a job in, an empty one where it has no rules; None if it stays out."""
        rule: Rule | None = Rule(config.at)
        if config.rules is not None:
            rule = first_match(config.rules, scope)
        elif not included(config, scope, workflow_rules=self._config.workflow.rules is not None):
            return None
        return None if rule is None or (rule.when or config.when) == "never" else rule

    def _keep(
        self, config: JobConfig, instance: Instance, rule: Rule, variables: Variables
    ) -> None:
        needs = config.needs if rule.needs is None else rule.needs
        if needs is not None:
            self._needs[instance.name] = tuple(interpolated(need, instance) for need in needs)
        if rule.interruptible is not None:
            config = msgspec.structs.replace(config, interruptible=rule.interruptible)
        when = rule.when or config.when
        start_in = config.start_in if rule.start_in is None else rule.start_in
        self._jobs[instance.name] = Job(
            name=instance.name,
            config=config,
            stage_index=self._order[config.stage],
            when=when,
            start_in=start_in if when == "delayed" else 0,
            allow_failure=_allow_failure(config, rule),
            variables=variables,
            node_index=instance.index,
            node_total=instance.total,
        )


def _allow_failure(config: JobConfig, rule: Rule) -> AllowFailure:
    """A rule's word replaces the job's, exit codes included. Without either, a job that is
    manual by itself may fail, one that a rule makes manual may not."""
    if rule.allow_failure is not None:
        return AllowFailure(rule.allow_failure)
    return config.allow_failure or AllowFailure(config.when == "manual")
