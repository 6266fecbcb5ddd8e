import pytest

from tracekeeper.trace.ledger import Changes, Hop, Verdict, judge

SOURCE = Hop("source", 100, 1)
RECORDED = Hop("recorded", 190, 2)
SPOOL = Hop("spool", 190, 2)
CHANGES = Changes(masked=-5, utf8=2, headers=64, newlines=1, runner=28, limited=0)


def test_a_checksum_is_written_as_gitlab_does() -> None:
    assert Hop("spool", 0, 0xAB).checksum == "crc32:000000ab"


def test_the_changes_add_up() -> None:
    changes = Changes(1, 2, 3, 4, 5, limited=-100, waiting=7, secrets=8, replaced=9)
    assert changes.total == 1 + 2 + 3 + 4 + 5 - 100 - 7


@pytest.mark.parametrize(
    ("hops", "changes", "doubt", "verdict", "reason"),
    [
        ((SOURCE, RECORDED, SPOOL), CHANGES, "", "proven", ""),
        ((SOURCE, RECORDED, SPOOL), CHANGES, "the engine died", "unproven", "the engine died"),
        ((SOURCE, RECORDED), CHANGES, "", "unproven", "the trace was not read back"),
        (
            (SOURCE, Hop("recorded", 186, 2), Hop("spool", 186, 2)),
            Changes(-5, 2, 64, 1, 28, waiting=4),
            "",
            "unproven",
            "4 bytes of output were not recorded",
        ),
        (
            (SOURCE, Hop("recorded", 140, 2), Hop("spool", 140, 2)),
            Changes(-5, 2, 64, 1, 28, limited=-50),
            "",
            "limited",
            "50 bytes are left out between its head and its tail",
        ),
        (
            (SOURCE, Hop("recorded", 140, 2), Hop("spool", 140, 2)),
            Changes(-5, 2, 64, 1, 28, limited=-50),
            "the engine died",
            "unproven",
            "the engine died",
        ),
        (
            (Hop("source", 1000, 1), RECORDED, SPOOL),
            CHANGES,
            "",
            "altered",
            "190 bytes were recorded where 1,090 were to be",
        ),
        (
            (SOURCE, RECORDED, Hop("spool", 190, 3), Hop("read", 190, 4)),
            CHANGES,
            "the engine died",
            "altered",
            "spool holds 190 bytes (crc32:00000003), but recorded holds 190 bytes (crc32:00000002)",
        ),
        (
            (SOURCE, RECORDED, SPOOL, Hop("read", 150, 2)),
            CHANGES,
            "",
            "altered",
            "read holds 150 bytes (crc32:00000002), but spool holds 190 bytes (crc32:00000002)",
        ),
    ],
)
def test_a_verdict_and_its_reason(
    hops: tuple[Hop, ...], changes: Changes, doubt: str, verdict: Verdict, reason: str
) -> None:
    ledger = judge(hops, changes, doubt=doubt)
    assert (ledger.hops, ledger.changes) == (hops, changes)
    assert (ledger.verdict, ledger.reason) == (verdict, reason)


def test_a_source_that_was_altered_is_worse_than_one_in_doubt() -> None:
    hops = SOURCE, RECORDED, SPOOL
    ledger = judge(hops, CHANGES, doubt="no end marker", altered="it begins later now")
    assert (ledger.verdict, ledger.reason) == ("altered", "it begins later now")
    assert judge((SOURCE, RECORDED), CHANGES, altered="it begins later now") == judge(
        (SOURCE, RECORDED), CHANGES, altered="it begins later now", doubt="no end marker"
    )
