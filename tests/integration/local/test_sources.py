"""What a job finds in its project directory, and what masking knows of it."""

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("strategy", "copied"), [("none", False), ("empty", False), ("clone", True)]
)
def test_git_strategy(checkout: Any, strategy: str, copied: bool) -> None:
    checkout.write("kept", "")
    checkout.pipeline(f"""
job: {{variables: {{GIT_STRATEGY: {strategy}}}, script: [ls kept 2>&1 || true]}}
""")
    checkout.commit()
    run = checkout.run()
    assert run.code == 0
    assert ("kept" in run.lines()) == copied


def test_a_masked_value_may_name_the_project_directory(checkout: Any) -> None:
    checkout.write("v.yml", 'P: {value: "$CI_PROJECT_DIR/key", masked: true}\n')
    checkout.pipeline("job: {script: ['echo $P; pwd']}")
    run = checkout.run("--variables-file", str(checkout.root / "v.yml"))
    lines = run.lines()
    assert "[MASKED]" in lines
    (directory,) = (line for line in lines if line.startswith("/"))
    assert f"{directory}/key" not in run.output()


def test_a_run_in_a_hook_leaves_the_hooks_repository_alone(checkout: Any) -> None:
    checkout.pipeline("job: {script: [touch new, git add new, git commit -q -m new]}")
    linked = checkout.root.parent / "linked"
    checkout.git("worktree", "add", "-q", str(linked))
    git_dir = checkout.root / ".git/worktrees/linked"
    hook = {"GIT_DIR": str(git_dir), "GIT_INDEX_FILE": str(git_dir / "index"), "GIT_PREFIX": ""}
    run = checkout.run("-C", str(linked), environment=hook)
    assert run.results == {"job": "success"}
    assert checkout.git("-C", str(linked), "status", "--short") == ""
    assert checkout.git("-C", str(linked), "log", "--format=%s") == "state\n"
