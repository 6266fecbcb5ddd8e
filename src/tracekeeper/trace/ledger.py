"""The ledger of a trace: bytes and CRC-32 at each hop, and the verdict that follows.

A hop is a place a trace passes: ``source`` (what the script wrote, or the engine's log),
``recorded`` (after masking, UTF-8 and timestamps), ``spool`` (read back from the disk). Later
ones (acknowledged, live, persisted, archived, read) join as they are built. The ledger can be
compared hop by hop; the first hop that differs is named.
"""

from collections.abc import Sequence
from itertools import pairwise
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

    @property
    def total(self) -> int:
        """How many bytes ``recorded`` has more than ``source``."""
        added = self.masked + self.utf8 + self.headers + self.newlines + self.runner
        return added + self.limited - self.waiting


class Ledger(msgspec.Struct, frozen=True):
    """A finished trace: its hops, what changed between the first two, its verdict and why."""

    hops: tuple[Hop, ...]
    changes: Changes
    verdict: Verdict
    reason: str = ""


def judge(hops: Sequence[Hop], changes: Changes, *, doubt: str = "", altered: str = "") -> Ledger:
    """The ledger of a finished trace that took the way of `hops`: source, recorded, and others.

    `altered` is the sentence that says where the source, read a second time, was another one;
    `doubt` says why it may not be complete. A trace that was altered is called nothing better, nor
    is one that may lack something.
    """
    verdict, reason = _verdict(hops, changes, doubt, altered)
    return Ledger(tuple(hops), changes, verdict, reason)


def _verdict(
    hops: Sequence[Hop], changes: Changes, doubt: str, altered: str
) -> tuple[Verdict, str]:
    source, recorded, *later = hops
    expected = source.bytes + changes.total
    if recorded.bytes != expected:
        return "altered", f"{recorded.bytes:,} bytes were recorded where {expected:,} were to be"
    for before, hop in pairwise((recorded, *later)):
        if (hop.bytes, hop.crc) != (before.bytes, before.crc):
            return "altered", f"{_holds(hop)}, but {_holds(before)}"
    if altered:
        return "altered", altered
    if doubt:
        return "unproven", doubt
    if not later:
        return "unproven", "the trace was not read back"
    if changes.waiting:
        return "unproven", f"{changes.waiting:,} bytes of output were not recorded"
    if changes.limited:
        return "limited", f"{-changes.limited:,} bytes are left out between its head and its tail"
    return "proven", ""


def _holds(hop: Hop) -> str:
    return f"{hop.name} holds {hop.bytes:,} bytes ({hop.checksum})"
