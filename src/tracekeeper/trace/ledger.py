"""The ledger of a trace: bytes and CRC-32 at each hop, and the verdict that follows.

A hop is a place a trace passes: ``source`` (what the script wrote, or the engine's log),
``recorded`` (after masking, UTF-8 and timestamps), ``spool`` (read back from the disk). Later
ones (acknowledged, live, persisted, archived, read) join as they are built. The ledger can be
compared hop by hop; the first hop that differs is named.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

Verdict: TypeAlias = Literal["proven", "unproven", "altered", "limited"]


class Hop(msgspec.Struct, frozen=True):
    """Bytes and CRC-32 (IEEE) of a trace at one place."""

    name: str
    bytes: int
    crc: int

    @property
    def checksum(self) -> str:
        """The CRC as GitLab writes it: ``crc32:`` and eight hex digits."""
        return f"crc32:{self.crc:08x}"


class Changes(msgspec.Struct, frozen=True):
    """Why ``recorded`` is not ``source``: every byte added or removed, by cause.

    Always true: recorded.bytes == source.bytes + masked + utf8 + headers + newlines + runner
    + limited - waiting. `masked` is negative where secrets are longer than ``[MASKED]``; `runner`
    counts the runner's own lines without headers; `limited` is zero or negative; `waiting` counts
    bytes that are taken but not recorded yet, none once a trace is finished.
    `secrets` and `replaced` count matches of the masker and bytes that were not UTF-8.
    """

    masked: int = 0
    utf8: int = 0
    headers: int = 0
    newlines: int = 0
    runner: int = 0
    limited: int = 0
    waiting: int = 0
    secrets: int = 0
    replaced: int = 0


class Ledger(msgspec.Struct, frozen=True):
    """A finished trace: its hops, what changed between the first two, its verdict and why."""

    hops: tuple[Hop, ...]
    changes: Changes
    verdict: Verdict
    reason: str = ""


def judge(hops: Sequence[Hop], changes: Changes, *, doubt: str = "") -> Ledger:
    """The ledger of a trace that took the way of `hops`, the first of them its source.

    `doubt` says why not all output may have come, and is empty where it is known that all came.
    """
    verdict, reason = _verdict(hops, changes, doubt)
    return Ledger(tuple(hops), changes, verdict, reason)


def _verdict(hops: Sequence[Hop], changes: Changes, doubt: str) -> tuple[Verdict, str]:
    source, recorded, *later = hops
    if recorded.bytes != source.bytes + sum(_parts(changes)):
        return "altered", "the bytes recorded do not add up to those of the source"
    for hop in later:
        if (hop.bytes, hop.crc) != (recorded.bytes, recorded.crc):
            return "altered", (
                f"the {hop.name} has {hop.bytes} bytes ({hop.checksum}), but {recorded.bytes}"
                f" ({recorded.checksum}) were recorded"
            )
    if doubt or not later:
        return "unproven", doubt or "the trace was not read back"
    if changes.limited:
        return "limited", f"{-changes.limited} bytes are left out because of the log's limit"
    return "proven", ""


def _parts(changes: Changes) -> tuple[int, ...]:
    return (
        changes.masked,
        changes.utf8,
        changes.headers,
        changes.newlines,
        changes.runner,
        changes.limited,
        -changes.waiting,
    )
