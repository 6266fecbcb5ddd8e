"""Resource groups: of the jobs that share one, one runs at a time.

Source: https://docs.gitlab.com/ci/resource_groups/. Who waits is served first come first served.
"""

from collections import deque
from collections.abc import Mapping

from tracekeeper.pipeline.status import Status


class Resources:
    """Who holds each group, and who waits for it. `groups` is each job's group, or ``""``."""

    def __init__(self, groups: Mapping[str, str]) -> None:
        self._group = groups
        self._holders: dict[str, str] = {}
        self._queues: dict[str, deque[str]] = {}

    def take(self, job: str) -> bool:
        """Let `job` have its group, or stand in its queue; whether it has it."""
        group = self._group[job]
        if not group:
            return True
        if self._holders.setdefault(group, job) == job:
            return True
        self._queues.setdefault(group, deque()).append(job)
        return False

    def release(self, job: str, statuses: Mapping[str, Status]) -> str | None:
        """Take `job`'s group from it, if it has it; who gets it then."""
        group = self._group[job]
        if not group or self._holders.get(group) != job:
            return None
        del self._holders[group]
        queue = self._queues.get(group, deque())
        while queue:
            heir = queue.popleft()
            if statuses[heir] == "waiting_for_resource":
                self._holders[group] = heir
                return heir
        return None

    def forget_queues(self) -> None:
        """Nobody waits any more."""
        self._queues.clear()
