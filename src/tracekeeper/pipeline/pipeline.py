"""A pipeline: the jobs that exist here and now, after rules, matrix and variables."""

from collections.abc import Mapping

import msgspec

from tracekeeper.pipeline.config import AllowFailure, JobConfig, Variable, When
from tracekeeper.problems import Problem


class JobNeed(msgspec.Struct, frozen=True):
    """A need that points at one job of this pipeline."""

    job: str
    artifacts: bool = True


class Job(msgspec.Struct, frozen=True):
    """One job of a pipeline.

    `name` is unique: ``build``, ``build 2/5`` or ``build: [linux, gcc]``; `config` is the job as
    written and `config.name` the name without the instance. `when`, `start_in` (seconds),
    `allow_failure`, `needs` and `variables` are final: rules and matrix are in them. `variables`
    holds global (as inherited), job, matrix and rule variables, unexpanded, the strongest last.
    `needs` None follows the stages. `node_index` and `node_total` are 0 unless `parallel`.
    """

    name: str
    config: JobConfig
    stage_index: int
    when: When
    start_in: int = 0
    allow_failure: AllowFailure = AllowFailure()
    needs: tuple[JobNeed, ...] | None = None
    variables: Mapping[str, Variable] = {}
    node_index: int = 0
    node_total: int = 0

    @property
    def stage(self) -> str:
        """The stage's name."""
        return self.config.stage


class Pipeline(msgspec.Struct, frozen=True):
    """The jobs of one pipeline, in the order of their stages and then of the file.

    `name` is ``workflow:name``, unexpanded. `variables` are the global ones with those of the
    matching workflow rule, unexpanded. `reason` says why a pipeline has no jobs: GitLab would not
    create it.
    """

    stages: tuple[str, ...]
    jobs: Mapping[str, Job]
    name: str = ""
    variables: Mapping[str, Variable] = {}
    warnings: tuple[Problem, ...] = ()
    reason: str = ""
