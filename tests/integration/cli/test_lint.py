from pathlib import Path
from typing import Any


def test_every_error_has_file_line_column_and_hint(project: Any) -> None:
    project.write("a:\n  scrpt: [x]\nb:\n  script: [x]\n  stage: nope\n")
    result = project.tracekeeper("lint")
    assert result.returncode == 2
    lines = result.stdout.decode().splitlines()
    assert lines[:2] == [
        ".gitlab-ci.yml:2:3: error: `scrpt` is not a keyword of a job",
        "    did you mean `script`?",
    ]
    assert any(line.startswith(".gitlab-ci.yml:5:10: error: ") for line in lines)
    assert result.stderr.decode().startswith("1 file: ")


def test_a_warning_is_told_and_the_file_is_valid(project: Any) -> None:
    project.write("a: {script: [x], release: {tag_name: v1, description: d}}\n")
    result = project.tracekeeper("lint")
    assert result.returncode == 0
    assert b".gitlab-ci.yml:1:" in result.stdout
    assert b": warning: " in result.stdout
    assert result.stderr == b"1 file: 0 errors, 1 warning\n"


def test_several_files_are_all_checked(project: Any) -> None:
    project.write("a: {script: [x]}\n", file="good.yml")
    project.write("a: {scrpt: [x]}\n", file="bad.yml")
    result = project.tracekeeper("lint", "good.yml", "none.yml", ".", "bad.yml")
    assert result.returncode == 2
    lines = result.stdout.decode().splitlines()
    assert lines[:2] == [
        "none.yml:1:1: error: there is no such file",
        ".:1:1: error: it is a directory",
    ]
    assert lines[2].startswith("bad.yml:1:5: error: ")
    assert project.tracekeeper("lint", "good.yml").stderr == b"1 file: valid\n"


def test_files_are_named_as_seen_from_here_and_included_from_the_top(project: Any) -> None:
    (project.path / "ci").mkdir()
    project.write("b: {scrpt: [x]}\n", file="ci/part.yml")
    project.write("include: ci/part.yml\na: {script: [x]}\n", file="ci/main.yml")
    inside = project.tracekeeper("lint", "main.yml", cwd="ci")
    assert inside.stdout.startswith(b"part.yml:1:5: error: ")
    outside = project.tracekeeper("lint", "ci/main.yml")
    assert outside.stdout.startswith(b"ci/part.yml:1:5: error: ")


def test_colours_only_on_a_terminal(project: Any, terminal: Any) -> None:
    project.write("a: {scrpt: [x]}\n")
    assert b"\x1b" not in project.tracekeeper("lint").stdout
    window = terminal("tracekeeper", "lint")
    window.until_shown("1 error")
    assert "\x1b[31merror" in window.screen(escapes=True)


def test_control_characters_of_a_file_do_not_reach_the_terminal(project: Any) -> None:
    project.write('"a\\e[2J": {scrpt: [x]}\n"\\e]0;t\\a": 1\n')
    result = project.tracekeeper("lint", FORCE_COLOR="1")
    assert result.returncode == 2
    assert b"\x1b[2J" not in result.stdout
    assert b"\x1b]" not in result.stdout


def test_list_and_show(project: Any) -> None:
    project.write(
        "a: {script: [x]}\nb: {script: [x], needs: [a], allow_failure: {exit_codes: [3, 4]}}\n"
        "c: {script: [x], when: manual, needs: []}\nd: {script: [x], rules: [{if: $NO}]}\n"
    )
    table = project.tracekeeper("list").stdout.decode().splitlines()
    assert [line.split() for line in table[1:]] == [
        ["a", "test", "on_success", "no", "earlier", "stages"],
        ["b", "test", "on_success", "with", "3,", "4", "a"],
        ["c", "test", "manual", "yes", "nothing"],
    ]
    listed = project.tracekeeper("list", "--json").stdout
    import json

    assert json.loads(listed)[1] == {
        "name": "b",
        "stage": "test",
        "when": "on_success",
        "allow_failure": {"exit_codes": [3, 4]},
        "needs": ["a"],
    }
    assert b"needs:" in project.tracekeeper("show", "b").stdout
    project.write("workflow: {rules: [{if: $NO}]}\na: {script: [x]}\n")
    nothing = project.tracekeeper("list")
    assert (nothing.returncode, nothing.stdout) == (0, b"")
    assert nothing.stderr.startswith(b"No pipeline: ")


def test_a_path_outside_of_git_is_checked_too(project: Any, tmp_path: Path) -> None:
    (tmp_path / "alone.yml").write_text("a: {scrpt: [x]}\n")
    result = project.tracekeeper("lint", "../alone.yml")
    assert result.stdout.startswith(b"../alone.yml:1:5: error: ")
