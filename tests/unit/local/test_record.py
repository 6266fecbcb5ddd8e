"""What a run keeps for another process."""

from pathlib import Path

import msgspec
import pytest

from tracekeeper.engine.host import Host, Tls
from tracekeeper.errors import StorageError
from tracekeeper.jobs.facts import GitFacts, PipelineFacts, ProjectFacts
from tracekeeper.local.keeping import Keep
from tracekeeper.local.project import LocalProject
from tracekeeper.local.record import RunRecord, read_record, write_record
from tracekeeper.pipeline.config import Variable
from tracekeeper.workspace.entry import GitDirectory

FILE = """
stages: [build, test]
default: {retry: {max: 1, when: script_failure}, image: {name: a, entrypoint: [""]}}
one: {stage: build, script: [a], parallel: {matrix: [{A: [x, y]}]}, cache: {key: {files: [f]}}}
two:
  needs: [{job: one, artifacts: false}]
  services: [{name: s, alias: t}]
  rules: [{if: $CI_PIPELINE_SOURCE, changes: [f], when: delayed, start_in: 3 s}]
  script: [b]
  artifacts: {paths: [o], reports: {dotenv: d, junit: j}}
  environment: {name: e}
  allow_failure: {exit_codes: [3]}
three: {script: [c], only: [main], inherit: {variables: [A]}}
"""


def record(root: Path) -> RunRecord:
    (root / ".gitlab-ci.yml").write_text(FILE)
    return RunRecord(
        root=root,
        file=".gitlab-ci.yml",
        overrides={"A": Variable("A", "not \udcff UTF-8", masked=True)},
        facts=PipelineFacts(GitFacts("sha", "main"), ProjectFacts("group/project")),
        pipeline=LocalProject(root).pipeline,
        git_directories=(GitDirectory(".git", Path("/objects")),),
        executor="docker",
        host=Host("tcp://host:2376", tls=Tls(ca="ca.pem"), keepalive=None),
        docker=None,
        jobs_at_once=3,
        keep=Keep("failed"),
    )


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    written = record(tmp_path)
    assert written.pipeline.jobs
    write_record(path, written)
    assert read_record(path, RunRecord) == written


def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    write_record(tmp_path / "run.json", Keep())
    assert (tmp_path / "run.json").stat().st_mode & 0o777 == 0o600


def test_one_that_is_torn_is_none(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    assert read_record(path, RunRecord) is None
    write_record(path, record(tmp_path))
    path.write_bytes(path.read_bytes()[:-5])
    assert read_record(path, RunRecord) is None
    path.write_text('{"when": "now"}')
    assert read_record(path, Keep) is None


def test_a_disk_that_refuses(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        write_record(tmp_path / "none" / "run.json", Keep())


class Odd(msgspec.Struct):
    """Has a path."""

    path: Path


def test_paths(tmp_path: Path) -> None:
    write_record(tmp_path / "odd", Odd(Path("/a")))
    assert read_record(tmp_path / "odd", Odd) == Odd(Path("/a"))
