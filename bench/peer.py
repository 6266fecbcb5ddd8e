"""The peer: gitlab-ci-local, the newest version that starts on the Node at hand.

It is installed once, under .bench/peer/. It runs its jobs with

- `--shell-executor-no-image`: in a shell, as our shell executor does;
- `--shell-isolation`: each job on a copy of the checkout of its own, which is what ours always does
  (it makes the copy with rsync);
- `--no-color`, and a terminal that is not one, so that neither draws.
"""

import json
import shutil
import subprocess
from pathlib import Path

PACKAGE = "gitlab-ci-local"
HOME = Path(__file__).resolve().parent.parent / ".bench" / "peer"
FLAGS = ("--shell-executor-no-image", "--shell-isolation", "--no-color")


def command() -> list[str] | None:
    """The command that starts the peer; None, with the reason printed, where it cannot be had."""
    missing = [name for name in ("node", "npm", "rsync", "bash") if not shutil.which(name)]
    if missing:
        print(f"no peer: {PACKAGE} needs {', '.join(missing)}")
        return None
    chosen = HOME / "version"
    version = chosen.read_text() if chosen.exists() else install_newest_that_starts()
    if not version:
        print(f"no peer: no version of {PACKAGE} starts on this Node")
        return None
    chosen.write_text(version)
    print(f"peer: {PACKAGE} {version} {' '.join(FLAGS)}, node {output('node', '--version')}")
    return [str(program(version)), *FLAGS]


def install_newest_that_starts() -> str:
    HOME.mkdir(parents=True, exist_ok=True)
    versions: list[str] = json.loads(output("npm", "view", PACKAGE, "versions", "--json"))
    return next(filter(starts, sorted(versions, key=by_number, reverse=True)), "")


def by_number(version: str) -> list[int]:
    return [int(part) for part in version.split("-")[0].split(".")]


def starts(version: str) -> bool:
    """Install `version` and see whether it runs; what does not run is removed again."""
    print(f"trying {PACKAGE} {version}", flush=True)
    install = ("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix")
    output(*install, str(HOME / version), f"{PACKAGE}@{version}")
    if output(str(program(version)), "--version") == version:
        return True
    shutil.rmtree(HOME / version, ignore_errors=True)
    return False


def program(version: str) -> Path:
    return HOME / version / "node_modules" / ".bin" / PACKAGE


def output(*arguments: str) -> str:
    """What a program prints ("" if it cannot be started or fails)."""
    try:
        result = subprocess.run(
            arguments, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return result.stdout.strip()
