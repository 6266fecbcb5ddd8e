"""Containers that outlive their job: which are kept, and what is said of them.

A kept container is marked by a file in its job's directory, which names the engine. Its labels
alone would not do: those of what a killed run left are the same, and that is removed.
"""

import shlex
from typing import Literal, TypeAlias

import msgspec

KeepWhen: TypeAlias = Literal["never", "failed", "always"]


class Keep(msgspec.Struct, frozen=True):
    """After which ends a job's container is kept, with its services and their network.

    `command` is what opens a shell in it, but for the job's name.
    """

    when: KeepWhen = "never"
    command: str = "tracekeeper debug"

    def wants(self, status: str) -> bool:
        """Whether the container of a job that ended with `status` is to be kept."""
        return self.when == "always" or self.when == status

    def sentence(self, job: str) -> str:
        """What a person is told of the kept container of `job`."""
        name = shlex.quote(job)
        return (
            f"the container is kept: `{self.command} {name}` opens a shell in it,"
            f" `{self.command} --remove {name}` removes it"
        )
