import os
from pathlib import Path

import pytest

from tracekeeper.errors import WorkspaceError
from tracekeeper.workspace.globs import literal_prefixes, normalized, select


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for path in (
        "top.txt",
        "build/app",
        "build/deep/er/a.o",
        "build/deep/b.o",
        "build/.hidden/c.o",
        "src/x.c",
        ".git/HEAD",
        "sub/.git/HEAD",
    ):
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (root / "empty").mkdir()
    (root / "link").symlink_to("build/deep")
    (root / "broken").symlink_to("nowhere")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").touch()
    (root / "out").symlink_to("../outside")
    return root


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["top.txt"], ["top.txt"]),
        (["./top.txt"], ["top.txt"]),
        (["src/../top.txt"], ["top.txt"]),
        (["src"], ["src", "src/x.c"]),
        (["src/"], ["src", "src/x.c"]),
        (["empty"], ["empty"]),
        (["*.txt"], ["top.txt"]),
        (["build/*"], [
            "build/.hidden", "build/.hidden/c.o", "build/app", "build/deep", "build/deep/b.o",
            "build/deep/er", "build/deep/er/a.o",
        ]),
        (["build/*.o"], []),
        (["build/**/*.o"], ["build/.hidden/c.o", "build/deep/b.o", "build/deep/er/a.o"]),
        (["**/x.c", "*.txt"], ["src/x.c", "top.txt"]),
        (["build/{app,deep/b.o}"], ["build/app", "build/deep/b.o"]),
        (["link"], ["link"]),
        (["link/*"], ["link/b.o", "link/er", "link/er/a.o"]),
        (["broken"], ["broken"]),
        (["out"], ["out"]),
        (["**/secret"], []),
        ([".git"], [".git", ".git/HEAD"]),
        ([".git/*"], [".git/HEAD"]),
        (["su?"], ["sub", "sub/.git", "sub/.git/HEAD"]),
        (["/builds/p/src"], ["src", "src/x.c"]),
        (["top.txt/x"], []),
    ],
)  # fmt: skip
def test_paths(project: Path, paths: list[str], expected: list[str]) -> None:
    selection = select(project, paths, project_dir="/builds/p")
    assert list(selection.files) == expected
    assert selection.rejected == ()
    assert selection.missing == (() if expected else tuple(paths))


@pytest.mark.parametrize("everything", [".", "*", "**", "./", "**/*", "/builds/p"])
def test_everything_is_all_but_the_git_directory(project: Path, everything: str) -> None:
    files = select(project, [everything], project_dir="/builds/p").files
    walked = {
        os.path.relpath(os.path.join(directory, name), project)
        for directory, directories, names in os.walk(project)
        for name in (*directories, *names)
    }
    assert set(files) == {path for path in walked if path.split("/")[0] != ".git"}


@pytest.mark.parametrize(
    "pattern", ["../outside/secret", "/etc/passwd", "src/../../outside", "*/../../outside", ".."]
)
def test_outside_is_rejected_with_a_sentence(project: Path, pattern: str) -> None:
    selection = select(project, [pattern, "top.txt"], project_dir="/builds/p")
    assert (selection.files, selection.missing) == (("top.txt",), ())
    assert selection.rejected == (
        f"the path {pattern} is outside of the project directory and is left out",
    )


@pytest.mark.parametrize("pattern", ["out/secret", "out/*", "out/**"])
def test_a_symlink_is_not_followed_out(project: Path, pattern: str) -> None:
    selection = select(project, [pattern])
    assert selection.files == ()
    assert "outside of the project" in selection.rejected[0]


def test_absolute_paths_need_the_project_directory(project: Path) -> None:
    assert select(project, [f"{project}/src"]).files == ()
    assert select(project, [f"{project}/src"], project_dir=str(project)).files == ("src", "src/x.c")


def test_bad_patterns_are_sentences(project: Path) -> None:
    selection = select(project, ["", "[", "{a"])
    assert len(selection.rejected) == 3
    assert selection.missing == ()


def test_exclude_takes_only_what_it_matches(project: Path) -> None:
    selection = select(project, ["build", "src"], ["build/deep", "**/*.c", "./build/app"])
    assert selection.files == (
        *("build", "build/.hidden", "build/.hidden/c.o", "build/deep/b.o", "build/deep/er"),
        *("build/deep/er/a.o", "src"),
    )
    assert selection.found == {"build": 6, "src": 1}


def test_untracked_is_what_the_job_made(project: Path) -> None:
    known = {"top.txt", "src/x.c", "build/app"}
    selection = select(project, ["src/x.c"], ["**/*.o"], untracked=True, known=known)
    assert selection.files == ("broken", "link", "out", "src/x.c", "sub/.git/HEAD")
    assert selection.found == {"src/x.c": 1, "untracked": 4}


def test_nothing_untracked(tmp_path: Path) -> None:
    assert select(tmp_path, [], untracked=True).missing == ("untracked",)


def test_unreadable_directories_are_passed_over(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("deep"):
            raise PermissionError
        return scandir(path)

    monkeypatch.setattr("os.scandir", refuse)
    assert select(project, ["build/**/*.o"]).files == ("build/.hidden/c.o",)


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["a/b/*.o", "a/b/c/x"], ["a/b"]),
        (["a", "ab/c"], ["a", "ab/c"]),
        (["*.o", "a"], ["."]),
        (["."], ["."]),
        (["{a,b/c}/*"], ["a", "b/c"]),
        (["../x", "a"], ["a"]),
        (["/builds/p/dist/*"], ["dist"]),
        ([], []),
    ],
)
def test_literal_prefixes(patterns: list[str], expected: list[str]) -> None:
    assert literal_prefixes(patterns, "/builds/p") == expected


def test_normalized_keeps_to_the_project() -> None:
    assert normalized("/builds/p", "/builds/p/") == "."
    with pytest.raises(WorkspaceError, match="outside"):
        normalized("/builds/pp", "/builds/p")
