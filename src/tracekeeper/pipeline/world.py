"""What evaluation may ask about the world. Pure code gets it passed in."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from tracekeeper.pipeline.config import Variable


class ProjectFiles(Protocol):
    """The files of the project a pipeline file belongs to. Paths are relative, with ``/``."""

    def read(self, path: str) -> bytes | None:
        """The content of `path`; None where there is no such file, or where it is not inside
        the project (also by a symlink)."""
        ...

    def paths(self) -> Sequence[str]:
        """Every file of the project (tracked or not, ignored ones left out), sorted."""
        ...


class Context(Protocol):
    """What rules are evaluated against."""

    @property
    def variables(self) -> Mapping[str, Variable]:
        """Variables known before any job: predefined ``CI_*`` ones and the caller's own."""
        ...

    @property
    def overrides(self) -> Mapping[str, Variable]:
        """Variables that win over every variable in the file (command line, variables file)."""
        ...

    @property
    def files(self) -> ProjectFiles:
        """The project's files, for ``exists``."""
        ...

    def changed(self, compare_to: str) -> Sequence[str] | None:
        """Paths changed in this pipeline, against `compare_to` if it is not empty, else against
        what GitLab compares with. None means unknown: GitLab then takes `changes` as true."""
        ...
