from pathlib import Path

import pytest

from tracekeeper.workspace.git import GitState, parse_config, remote_path, without_credentials
from tracekeeper.workspace.repository import Repository


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://gitlab.example.com/group/sub/name.git", "group/sub/name"),
        ("https://gitlab.example.com:8443/group/name/", "group/name"),
        ("git@gitlab.example.com:group/name.git", "group/name"),
        ("gitlab.example.com:/group/name", "group/name"),
        ("ssh://git@gitlab.example.com:2222/group/name.git", "group/name"),
        ("git://host/name.git", "name"),
        ("file:///srv/git/name.git", ""),
        ("/srv/git/name.git", ""),
        ("../name.git", ""),
        ("./a:b", ""),
        ("", ""),
    ],
)
def test_remote_path(url: str, path: str) -> None:
    assert remote_path(url) == path


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://user:secret@host/p@th", "https://host/p@th"),
        ("http://token@host:80", "http://host:80"),
        ("https://us@r:p@ss@host/x", "https://host/x"),
        ("https://host/x", "https://host/x"),
        ("ssh://git@host/x", "ssh://git@host/x"),
        ("git@host:x", "git@host:x"),
    ],
)
def test_without_credentials(url: str, clean: str) -> None:
    assert without_credentials(url) == clean


def test_parse_config() -> None:
    listing = "a.b\n1\0a.b\n2\0flag\0multi.line\nx\ny\0"
    assert parse_config(listing) == {"a.b": "2", "flag": "", "multi.line": "x\ny"}


def test_what_follows_from_a_state() -> None:
    here = Repository(Path("/src/name"), Path("/src/name/.git"), Path("/src/name/.git"))
    state = GitState(here, sha="0123456789abcdef", branch="main", message="Title\n\nBody\n")
    assert (state.short_sha, state.ref_name, state.title) == ("01234567", "main", "Title")
    assert state.project_path == "local/name"
    assert GitState(here, sha="0123", tag="v1").ref_name == "v1"
    assert GitState(here, sha="0123").ref_name == "0123"
