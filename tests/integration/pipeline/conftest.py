"""A project in a directory, from small documents."""

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from tracekeeper.local.project import LocalProject
from tracekeeper.pipeline.config import Variable

MakeProject = Callable[..., LocalProject]


@pytest.fixture
def make_project(tmp_path: Path) -> MakeProject:
    """Writes a pipeline file, and other files, outside of git; `given` are the user's variables."""

    def make(
        document: str,
        files: Mapping[str, str] | None = None,
        given: Mapping[str, str] | None = None,
    ) -> LocalProject:
        for path, text in {".gitlab-ci.yml": document, **(files or {})}.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(dedent(text))
        overrides = {key: Variable(key, value) for key, value in (given or {}).items()}
        return LocalProject(tmp_path, overrides=overrides)

    return make
