"""Throw-away git checkouts with a given pipeline file, as both programs want them."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILES = 50


@contextmanager
def project(
    pipeline: str, files: dict[str, str] | None = None, *, small_files: int = FILES
) -> Iterator[Path]:
    """A checkout with `pipeline`, some small files, one commit and a remote that is never asked."""
    with tempfile.TemporaryDirectory(prefix="tk-bench-") as directory:
        root = Path(directory)
        sources = {f"src/module_{n}.py": f"VALUE = {n}\n" for n in range(small_files)}
        ignored = {".gitignore": ".gitlab-ci-local/\n.tracekeeper/\n"}
        for name, text in {
            ".gitlab-ci.yml": pipeline,
            **sources,
            **ignored,
            **(files or {}),
        }.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text(text)
        git(root, "init", "--quiet", "--initial-branch=main")
        git(root, "remote", "add", "origin", "https://example.com/group/project.git")
        git(root, "add", "--all")
        git(
            root,
            "-c",
            "user.name=Bench",
            "-c",
            "user.email=bench@example.com",
            "commit",
            "-qm",
            "x",
        )
        yield root


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=root, check=True)
