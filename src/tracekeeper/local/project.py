"""The project at hand: its pipeline file, evaluated against this checkout."""

import getpass
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Self

import msgspec

import tracekeeper
from tracekeeper.errors import InvalidPipeline, UsageError
from tracekeeper.jobs.facts import GitFacts, PipelineFacts, ProjectFacts, ServerFacts, UserFacts
from tracekeeper.jobs.predefined import pipeline_variables
from tracekeeper.pipeline.config import Config, Variable
from tracekeeper.pipeline.evaluate import evaluate
from tracekeeper.pipeline.load import check
from tracekeeper.pipeline.pipeline import Pipeline
from tracekeeper.pipeline.selection import select
from tracekeeper.pipeline.variables import expand, resolve
from tracekeeper.problems import Problem
from tracekeeper.workspace.changes import changed
from tracekeeper.workspace.git import GitState, describe
from tracekeeper.workspace.project import Project

DEFAULT_FILE = ".gitlab-ci.yml"


class LocalProject:
    """A directory with a pipeline file. Implements `tracekeeper.pipeline.world.Context`.

    `created_at` is the pipeline's time in seconds since the epoch, `number` that of the run.
    """

    def __init__(
        self,
        root: Path,
        *,
        file: str = DEFAULT_FILE,
        overrides: Mapping[str, Variable] | None = None,
        created_at: int = 0,
        number: int = 1,
    ) -> None:
        self.root = root
        self.file = file
        self.overrides = overrides or {}
        self.files = Project(root)
        self._created_at = created_at
        self._number = number
        self._changed: dict[str, Sequence[str] | None] = {}
        if not root.is_dir():
            raise UsageError(f"{root} is not a directory")

    @classmethod
    def restored(
        cls,
        root: Path,
        *,
        file: str,
        overrides: Mapping[str, Variable],
        facts: PipelineFacts,
        pipeline: Pipeline,
    ) -> Self:
        """The project as it was when a run began: nothing of it is evaluated again."""
        project = cls(root, file=file, overrides=overrides)
        project.facts = project.named_facts = facts
        project.pipeline = pipeline
        return project

    @cached_property
    def git(self) -> GitState | None:
        """What the checkout says of itself; None outside of git."""
        return describe(self.root)

    @cached_property
    def facts(self) -> PipelineFacts:
        """What the pipeline's predefined variables are made of."""
        git = self.git
        path = git.project_path if git else f"local/{self.root.name}"
        url = f"https://gitlab.com/{path}"
        return PipelineFacts(
            git=_git_facts(git),
            project=ProjectFacts(path, url=url, repository_url=f"{url}.git", config_path=self.file),
            id=self._number,
            iid=self._number,
            created_at=self._created_at,
            server=ServerFacts(version=tracekeeper.__version__),
            user=_user(git.author if git else ""),
        )

    @cached_property
    def variables(self) -> Mapping[str, Variable]:
        """Variables known before any job."""
        return pipeline_variables(self.facts)

    def changed(self, compare_to: str) -> Sequence[str] | None:
        """Paths that changed, for ``rules: changes``; None if unknown."""
        if compare_to not in self._changed:
            self._changed[compare_to] = changed(self.root, compare_to)
        return self._changed[compare_to]

    @cached_property
    def _checked(self) -> tuple[Config | None, list[Problem]]:
        if self.files.read(self.file) is None:
            raise UsageError(
                f"there is no {self.file} in {self.root}",
                hint="name another directory with -C, or another file with -f",
            )
        known = resolve([*self.variables.values(), *self.overrides.values()])
        return check(self.file, self.files, known, changed=self.changed)

    @cached_property
    def config(self) -> Config:
        """The pipeline file as written. Raises InvalidPipeline or UsageError."""
        config, problems = self._checked
        if config is None:
            raise InvalidPipeline([problem for problem in problems if not problem.warning])
        return config

    @cached_property
    def pipeline(self) -> Pipeline:
        """The jobs that the rules leave. Raises InvalidPipeline or UsageError."""
        return evaluate(self.config, self)

    def select(self, names: Sequence[str], *, with_needs: bool = False) -> Pipeline:
        """The named jobs of the pipeline; see `tracekeeper.pipeline.selection.select`. Raises
        UsageError for a name that is not in it."""
        for name in names:
            if name in self.config.jobs and not self._has_job(name):
                raise UsageError(f"'{name}' is not in this pipeline: its rules leave it out")
        return select(self.pipeline, names, with_needs=with_needs)

    def _has_job(self, name: str) -> bool:
        return any(name in (job.name, job.config.name) for job in self.pipeline.jobs.values())

    @cached_property
    def named_facts(self) -> PipelineFacts:
        """`facts` with the name that ``workflow:name`` gives the pipeline, as its jobs get them."""
        pipeline, given = self.pipeline, self.overrides
        known = [*self.variables.values(), *pipeline.variables.values(), *given.values()]
        return msgspec.structs.replace(self.facts, name=expand(pipeline.name, resolve(known)))

    def problems(self) -> Sequence[Problem]:
        """Every error and warning of the file and of the pipeline it gives. Raises UsageError."""
        config, problems = self._checked
        if config is None:
            return problems
        try:
            return self.pipeline.warnings
        except InvalidPipeline as error:
            return [*problems, *error.problems]


def _git_facts(git: GitState | None) -> GitFacts:
    if git is None:
        return GitFacts(sha="", ref="")
    return GitFacts(
        sha=git.sha,
        ref=git.ref_name,
        is_tag=bool(git.tag),
        tag_message=git.tag_message,
        before_sha=git.before_sha,
        message=git.message,
        author=git.author,
        timestamp=git.timestamp,
        default_branch=git.default_branch or "main",
    )


def _user(author: str) -> UserFacts:
    """The person at this machine, taken to be the `author` of the last commit."""
    try:
        login = getpass.getuser()
    except (KeyError, OSError):
        login = str(os.getuid())
    name, _, email = author.rpartition(" <")
    return UserFacts(login=login, name=name or login, email=email.removesuffix(">"))
