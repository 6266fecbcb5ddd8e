"""What a run keeps so that another process can take it up: its pipeline and options, and what each
of its jobs was told.

Variables are in it that no log may show: the files are for their owner alone, and gone once what
they are about has ended. They are written before anything is begun that needs them, so one that
is torn by a kill counts as none.
"""

import json
import os
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tracekeeper.engine.host import Host
from tracekeeper.jobs.facts import PipelineFacts
from tracekeeper.local.executors import Wanted
from tracekeeper.local.keeping import Keep
from tracekeeper.pipeline.config import Variable
from tracekeeper.pipeline.pipeline import Pipeline
from tracekeeper.workspace.disk import storing
from tracekeeper.workspace.entry import GitDirectory

T = TypeVar("T", bound=msgspec.Struct)


class RunRecord(msgspec.Struct, frozen=True):
    """All that a run was made of, evaluated: a pipeline file that has changed since is no matter.

    `root` and `file` name the project's pipeline file, `git_directories` are its snapshot's;
    the others are those of `RunOptions`, but for `docker`, which is `DockerSettings` as JSON.
    """

    root: Path
    file: str
    overrides: dict[str, Variable]
    facts: PipelineFacts
    pipeline: Pipeline
    git_directories: tuple[GitDirectory, ...]
    executor: Wanted
    host: Host
    docker: Any
    jobs_at_once: int
    keep: Keep
    engine_named_by: str = ""


def write_record(path: Path, record: msgspec.Struct) -> None:
    """Write `record` to the file `path`, for the owner alone. Raises StorageError."""
    # Arguments and file names may hold bytes that are not UTF-8, as surrogates: JSON escapes them.
    text = json.dumps(msgspec.to_builtins(record, enc_hook=str), separators=(",", ":"))
    with storing(str(path)), open(path, "w", encoding="ascii", opener=_private) as file:
        file.write(text)


def read_record(path: Path, kind: type[T]) -> T | None:
    """The record in `path`; None where there is none, or none that can be read."""
    try:
        return msgspec.convert(json.loads(path.read_bytes()), kind, dec_hook=_converted)
    except (OSError, ValueError, msgspec.ValidationError):
        return None


def _converted(kind: type[Any], value: object) -> Any:
    return kind(value)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
