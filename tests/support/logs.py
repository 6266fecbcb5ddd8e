"""What an engine's log holds, read from its files by no code of ours: the oracle of exactness."""

import json
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.support.jobs import MARKER

POLL = 0.005


class KeptLogs:
    """Keeps every container's log file of a data directory, also when the container is removed.

    Use as a context manager around the containers' lives.
    """

    def __init__(self, data: Path) -> None:
        self._containers = data / "containers"
        self._descriptors: dict[str, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()
        for descriptor in self._descriptors.values():
            os.close(descriptor)

    def streams(self) -> dict[str, bytes]:
        """What stdout and stderr of the one container that wrote anything hold, less the marks
        that our dispatcher ends a step with."""
        logs = [entries for entries in map(_entries, self._descriptors.values()) if entries]
        assert len(logs) <= 1, "several containers have written"
        both: dict[str, list[str]] = {"stdout": [], "stderr": []}
        for entry in logs[0] if logs else []:
            both[entry["stream"]].append(entry["log"])
        return {name: MARKER.sub(b"", "".join(texts).encode()) for name, texts in both.items()}

    def _watch(self) -> None:
        while not self._stop.wait(POLL):
            self._look()

    def _look(self) -> None:
        with suppress(OSError):
            for name in os.listdir(self._containers):
                if name not in self._descriptors:
                    with suppress(OSError):
                        path = self._containers / name / f"{name}-json.log"
                        self._descriptors[name] = os.open(path, os.O_RDONLY)


def _entries(descriptor: int) -> list[dict[str, str]]:
    data = b"".join(iter(lambda: os.read(descriptor, 1 << 20), b""))
    return [json.loads(line) for line in data.splitlines()]
