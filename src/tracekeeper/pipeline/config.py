"""A pipeline file as it was written: merged, checked, with nothing evaluated yet.

`reader` makes a `Config` from the merged node tree; `evaluate` makes a `Pipeline` from a
`Config`. Nothing here depends on variables, refs or files: that is what evaluation adds.
Strings may still hold ``$VARIABLES``. Durations are whole seconds.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from tracekeeper.problems import Position, Problem

When: TypeAlias = Literal["on_success", "on_failure", "always", "manual", "delayed", "never"]
ArtifactsWhen: TypeAlias = Literal["on_success", "on_failure", "always"]
PullPolicy: TypeAlias = Literal["always", "if-not-present", "never"]

DEFAULT_STAGES = ("build", "test", "deploy")
FIRST_STAGE, LAST_STAGE = ".pre", ".post"


class Variable(msgspec.Struct, frozen=True):
    """A variable. `raw` means that ``$`` in its value is not expanded (``expand: false``)."""

    key: str
    value: str
    raw: bool = False
    file: bool = False
    masked: bool = False
    public: bool = True
    description: str = ""
    options: tuple[str, ...] = ()


Variables: TypeAlias = Mapping[str, Variable]


class Image(msgspec.Struct, frozen=True):
    """A container image. `entrypoint` None leaves the image's own in place."""

    name: str
    entrypoint: tuple[str, ...] | None = None
    pull_policy: tuple[PullPolicy, ...] = ()
    user: str = ""
    platform: str = ""


class Service(msgspec.Struct, frozen=True):
    """A container that runs beside the job. `aliases` are its extra host names."""

    name: str
    aliases: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    variables: Mapping[str, Variable] = {}
    pull_policy: tuple[PullPolicy, ...] = ()
    user: str = ""
    platform: str = ""


class Artifacts(msgspec.Struct, frozen=True):
    """What to keep of a job's files. `dotenv` are paths of ``reports: dotenv``; `reports` maps
    every other report type to its paths; a coverage report goes by its format (``cobertura``).
    `expire_in` is None for "never" or not given."""

    paths: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    untracked: bool = False
    name: str = ""
    when: ArtifactsWhen = "on_success"
    expire_in: int | None = None
    expose_as: str = ""
    dotenv: tuple[str, ...] = ()
    reports: Mapping[str, tuple[str, ...]] = {}


class CacheKeyFiles(msgspec.Struct, frozen=True):
    """``cache:key:files``: the key follows the content of these files (globs allowed)."""

    files: tuple[str, ...]
    prefix: str = ""


class Cache(msgspec.Struct, frozen=True):
    """Files kept between runs. `key` is a string with variables, or the files it follows."""

    key: str | CacheKeyFiles = "default"
    paths: tuple[str, ...] = ()
    untracked: bool = False
    policy: str = "pull-push"
    when: ArtifactsWhen = "on_success"
    fallback_keys: tuple[str, ...] = ()
    unprotect: bool = False


class AllowFailure(msgspec.Struct, frozen=True):
    """``allow_failure``. With `exit_codes` only those are allowed, otherwise all or none."""

    allowed: bool = False
    exit_codes: tuple[int, ...] = ()


class Retry(msgspec.Struct, frozen=True):
    """How often and for what a failed job is tried again; empty `when` means always."""

    max: int = 0
    when: tuple[str, ...] = ()
    exit_codes: tuple[int, ...] = ()


class MatrixRow(msgspec.Struct, frozen=True):
    """One entry of ``parallel: matrix``: each variable with the values it takes."""

    variables: Mapping[str, tuple[str, ...]]
    at: Position


class Need(msgspec.Struct, frozen=True):
    """One entry of ``needs``. `matrix` selects instances of a ``parallel: matrix`` job."""

    job: str
    at: Position
    artifacts: bool = True
    optional: bool = False
    matrix: tuple[Mapping[str, tuple[str, ...]], ...] = ()


class PathCondition(msgspec.Struct, frozen=True):
    """``changes`` or ``exists``: glob patterns, with ``changes: compare_to``."""

    paths: tuple[str, ...]
    at: Position
    compare_to: str = ""


class Rule(msgspec.Struct, frozen=True):
    """One entry of ``rules``; what is None leaves the job's own setting in place."""

    at: Position
    condition: str | None = None
    changes: PathCondition | None = None
    exists: PathCondition | None = None
    when: When | None = None
    start_in: int | None = None
    allow_failure: bool | None = None
    variables: Mapping[str, Variable] = {}
    needs: tuple[Need, ...] | None = None
    interruptible: bool | None = None
    auto_cancel: Mapping[str, str] = {}


class OnlyExcept(msgspec.Struct, frozen=True):
    """``only`` or ``except``: refs and keywords, variable expressions, changed paths."""

    at: Position
    refs: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    kubernetes: bool = False


class Environment(msgspec.Struct, frozen=True):
    """``environment``: its name (with variables), URL and the rest as written."""

    name: str
    url: str = ""
    action: str = "start"
    on_stop: str = ""
    deployment_tier: str = ""
    auto_stop_in: str = ""


class Workflow(msgspec.Struct, frozen=True):
    """``workflow``: whether there is a pipeline at all. `rules` None means always."""

    name: str = ""
    rules: tuple[Rule, ...] | None = None


class JobConfig(msgspec.Struct, frozen=True):
    """One job as written, with ``default`` and ``extends`` already in it.

    `rules` None and `only` None mean "not given". `needs` None follows the stages, ``()`` starts
    at once. `dependencies` None means "artifacts of all earlier stages". `parallel` 0 is one
    plain job. Script lists are flat; one entry may hold several lines. A job with ``trigger``,
    ``run`` or ``needs: pipeline`` has no `script`, and a warning. `timeout` is seconds.
    """

    name: str
    at: Position
    stage: str = "test"
    image: Image | None = None
    services: tuple[Service, ...] = ()
    before_script: tuple[str, ...] = ()
    script: tuple[str, ...] = ()
    after_script: tuple[str, ...] = ()
    pre_get_sources_script: tuple[str, ...] = ()
    variables: Mapping[str, Variable] = {}
    inherit_variables: bool | tuple[str, ...] = True
    rules: tuple[Rule, ...] | None = None
    only: OnlyExcept | None = None
    except_: OnlyExcept | None = None
    when: When = "on_success"
    start_in: int = 0
    allow_failure: AllowFailure | None = None
    needs: tuple[Need, ...] | None = None
    dependencies: tuple[str, ...] | None = None
    artifacts: Artifacts | None = None
    cache: tuple[Cache, ...] = ()
    parallel: int = 0
    matrix: tuple[MatrixRow, ...] = ()
    retry: Retry = Retry()
    timeout: int | None = None
    tags: tuple[str, ...] = ()
    coverage: str = ""
    environment: Environment | None = None
    interruptible: bool = False
    resource_group: str = ""


class Config(msgspec.Struct, frozen=True):
    """A whole pipeline file. `stages` includes ``.pre`` and ``.post``; hidden jobs are gone.
    `warnings` names everything that is accepted and not acted on."""

    stages: tuple[str, ...]
    jobs: Mapping[str, JobConfig]
    variables: Mapping[str, Variable] = {}
    workflow: Workflow = Workflow()
    warnings: tuple[Problem, ...] = ()
