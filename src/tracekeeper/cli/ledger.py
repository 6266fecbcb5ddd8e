"""The ledger of a log for a person: bytes and CRC-32 at each hop, and where they differ."""

from collections.abc import Sequence

from tracekeeper.cli.report import VERDICT_STYLES
from tracekeeper.cli.table import table
from tracekeeper.cli.terminal import Palette
from tracekeeper.local.logs import KeptLog
from tracekeeper.runner.spool import read_back
from tracekeeper.trace.ledger import Changes, Hop, Ledger, judge

HEAD = ("hop", "bytes", "crc32", "")
BYTES = 1


def read_again(log: KeptLog) -> Ledger | None:
    """The ledger of `log`, its file read once more as the hop ``read``; None if it is not closed.

    Raises StorageError where the file cannot be read.
    """
    result = log.result()
    if result is None:
        return None
    kept = result.ledger
    read = read_back(log.directory.path)
    hops = [*kept.hops, Hop("read", read.bytes, read.crc)]
    return judge(
        hops,
        kept.changes,
        doubt=kept.reason if kept.verdict == "unproven" else "",
        altered=kept.reason if kept.verdict == "altered" else "",
    )


def report(log: KeptLog, ledger: Ledger | None, palette: Palette) -> str:
    """What is known of the bytes of `log`."""
    title = palette(f"{log.name} (run {log.run.number})", "bold")
    if ledger is None:
        state = "is still being written" if log.grows() else "was never closed: its run was killed"
        return f"{title}: the log {state}; there is no ledger yet\n"
    verdict = palette(ledger.verdict, VERDICT_STYLES[ledger.verdict])
    reason = f": {ledger.reason}" if ledger.reason else ""
    rows = table(HEAD, _rows(ledger), palette, right=(BYTES,))
    return f"{title}: {verdict}{reason}\n{rows}\n"


def _rows(ledger: Ledger) -> Sequence[Sequence[str]]:
    source, *later = ledger.hops
    return [
        _row(source, "what the script wrote"),
        *(("", f"{count:+,}", "", cause) for count, cause in _causes(ledger.changes)),
        *(_row(hop, "") for hop in later),
    ]


def _row(hop: Hop, remark: str) -> Sequence[str]:
    return (hop.name, f"{hop.bytes:,}", f"{hop.crc:08x}", remark)


def _causes(changes: Changes) -> Sequence[tuple[int, str]]:
    causes = (
        (changes.masked, f"masking of {changes.secrets} secrets"),
        (changes.utf8, f"{changes.replaced} bytes that were not UTF-8"),
        (changes.headers, "line headers"),
        (changes.newlines, "newlines added to unfinished and long lines"),
        (changes.runner, "the runner's own lines"),
        (changes.limited, "left out because of the limit"),
        (-changes.waiting, "not recorded"),
    )
    return [(count, cause) for count, cause in causes if count]
