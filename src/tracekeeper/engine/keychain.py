"""This machine's own credentials for registries: Docker's configuration file and its helpers."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tracekeeper.engine.credentials import Configuration, Helper, Login, helpers_answer

HELPER_SECONDS = 30
"""A helper that takes longer is taken for one that asks somebody for a password."""


def configuration_file(environ: Mapping[str, str]) -> Path | None:
    """The Docker configuration that there is: of $DOCKER_CONFIG, else ``~/.docker/config.json``,
    else ``~/.dockercfg``."""
    home = Path(environ.get("HOME") or "/")
    directory = environ.get("DOCKER_CONFIG")
    where = [Path(directory)] if directory else [home / ".docker"]
    files = [*(path / "config.json" for path in where), home / ".dockercfg"]
    return next((file for file in files if file.is_file()), None)


def read_configuration(path: Path) -> Configuration:
    """Raises ValueError with a sentence if it cannot be read; nothing of it is in that."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ValueError(f"it cannot be read: {why}") from None
    if path.name == ".dockercfg":  # the older file is the value of `auths` alone
        text = f'{{"auths": {text}}}'
    return Configuration(text)


def ask(helper: Helper) -> Login | None:
    """What a credential helper knows; None if nothing. Blocks.

    Raises ValueError with a sentence if it cannot be run or understood. What it prints is never in
    that: it may be a secret.
    """
    program = f"docker-credential-{helper.name}"
    try:
        done = subprocess.run(
            [program, "get"],
            input=helper.server.encode(),
            capture_output=True,
            timeout=HELPER_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise ValueError(f"the program {program} is not installed") from None
    except OSError as error:
        raise ValueError(f"the program {program} cannot be run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise ValueError(f"{program} gave no answer within {HELPER_SECONDS} s") from None
    if b"not found" in done.stdout:  # the helpers' sentence for an unknown registry
        return None
    if done.returncode:
        raise ValueError(f"{program} ended with status {done.returncode} for {helper.server}")
    try:
        return helpers_answer(done.stdout, helper.server)
    except ValueError as error:
        raise ValueError(f"{program}: {error}") from None
