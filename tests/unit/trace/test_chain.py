"""The whole way: what is in the trace is what was written, and the ledger accounts for it."""

from zlib import crc32

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.trace.chain import Chain, Checkpoint
from tracekeeper.trace.format import HEADER_SIZE, MAX_PIECE, Stream
from tracekeeper.trace.lines import Stripper, parse, text_of
from tracekeeper.trace.masker import Masker, Masks
from tracekeeper.trace.utf8 import Utf8

MASKS = Masks(["secret", "cretin", "a\nb", "─"])
OUTPUT = st.lists(
    st.sampled_from(
        [b"secret", b"sec", b"ret", b"cretin", b"in", b"a", b"b", b"\n", b"\r", b" ", b"\xe2\x94",
         b"\x80", b"\xff", "é".encode(), b"glpat-", b"?rss_token=", b"word\n", b"1\n2\n3\n",
         b"x" * MAX_PIECE, b"y" * 5000, b"+", b"2026-11-23T02:29:16.123456Z 01O "]
    ),
    max_size=8,
).map(b"".join)  # fmt: skip


def as_recorded(written: list[bytes]) -> bytes:
    """Output masked and made valid; a masker that was drained starts anew."""
    out = b""
    for output in written:
        masker, utf8 = Masker(MASKS), Utf8()
        text = utf8.feed(masker.feed(output) + masker.finish())
        out += text + utf8.finish()
    return out


STEPS = st.lists(
    st.tuples(st.sampled_from([1, 15]), OUTPUT)
    | st.sampled_from([(0, b"note"), (0, b"flush"), (0, b"drain")]),
    max_size=12,
)


class Driver:
    """Two streams and the runner write; anything may be flushed or drained at any time."""

    def __init__(self, limit: int | None = None) -> None:
        self.chain = Chain(MASKS, limit=limit)
        self.trace = b""
        self.source = b""
        self.notes = b""
        self.written: dict[int, list[bytes]] = {1: [b""], 15: [b""]}

    def do(self, stream: int, what: bytes, at: int) -> None:
        if stream:
            self.source += what
            self.written[stream][-1] += what
            self.trace += self.chain.write(what, stream=stream, at=at)
        elif what == b"note":
            self.notes += b"note [MASKED]\n"
            self.trace += self.chain.note("note secret", at)
        elif what == b"flush":
            self.trace += self.chain.flush()
            assert self.chain.pending == b""
        else:
            self.trace += self.chain.drain()
            for outputs in self.written.values():
                outputs.append(b"")
            assert not self.chain.held

    def check_ledger(self) -> None:
        source, recorded, changes = self.chain.source, self.chain.recorded, self.chain.changes
        assert (source.bytes, source.crc) == (len(self.source), crc32(self.source))
        assert (recorded.bytes, recorded.crc) == (len(self.trace), crc32(self.trace))
        assert recorded.bytes == source.bytes + changes.total

    def run(self, steps: list[tuple[int, bytes]]) -> None:
        for at, (stream, what) in enumerate(steps):
            self.do(stream, what, at)
            self.check_ledger()
            assert len(self.chain.pending) <= MAX_PIECE
        self.trace += self.chain.finish(len(steps))
        self.check_ledger()
        assert self.chain.changes.waiting == 0


@given(STEPS)
def test_every_stream_can_be_read_back_and_the_ledger_adds_up(
    steps: list[tuple[int, bytes]],
) -> None:
    driver = Driver()
    driver.run(steps)
    texts = {stream: text_of(driver.trace, stream) for stream in (0, 1, 15)}
    recorded = {stream: as_recorded(outputs) for stream, outputs in driver.written.items()}
    # Where both streams end without a newline, only one can be marked so.
    longer = [stream for stream, text in recorded.items() if texts[stream] != text]
    assert all(texts[stream] == recorded[stream] + b"\n" for stream in longer)
    assert len(longer) <= (not any(text.endswith(b"\n") for text in recorded.values()))
    assert texts[0] == driver.notes
    assert all(len(piece.text) <= MAX_PIECE for piece in parse(driver.trace))


@given(STEPS, st.integers(0, 40_000))
def test_the_ledger_of_a_limited_trace_adds_up(steps: list[tuple[int, bytes]], limit: int) -> None:
    driver = Driver(limit)
    driver.run(steps)
    changes = driver.chain.changes
    remarks = changes.runner - len(driver.notes)
    assert driver.chain.recorded.bytes <= limit + 1 + max(0, remarks) + 2 * HEADER_SIZE
    assert (changes.limited < 0) == (b"are left out here" in driver.trace)
    assert all(piece.at is not None for piece in parse(driver.trace))
    driver.trace.decode()


@given(OUTPUT, st.lists(st.integers(0, 30_000), max_size=6), st.booleans())
def test_stripping_gives_back_what_was_written(output: bytes, cuts: list[int], flush: bool) -> None:
    chain = Chain(MASKS)
    trace = b""
    for at, byte in enumerate(range(0, len(output), 3000)):
        trace += chain.write(output[byte : byte + 3000], at=at)
        if flush:
            trace += chain.flush()
    trace += chain.finish(0)
    stripper, text, start = Stripper(), b"", 0
    for cut in sorted(cuts):
        text += stripper.feed(trace[start:cut])
        start = max(start, cut)
    assert text + stripper.feed(trace[start:]) + stripper.finish() == as_recorded([output])


def test_what_is_pending_and_whether_something_is_held() -> None:
    chain = Chain(MASKS)
    assert (chain.pending, chain.held) == (b"", False)
    chain.write(b"Password: sec", at=1)
    assert (chain.pending, chain.held) == (b"Password: ", True)
    assert chain.flush().endswith(b"O Password: ")
    assert (chain.pending, chain.held) == (b"", True)
    chain.write(b"ret\n", at=2)
    assert (chain.pending, chain.held) == (b"", False)
    chain.write(b"\xe2", stream=Stream.SERVICE, at=3)
    assert not chain.held
    chain.write(b"\xe2", at=3)
    assert chain.held


def test_a_preview_is_masked_and_changes_nothing() -> None:
    chain = Chain(MASKS)
    chain.write(b"x sec", at=1)
    before = chain.changes
    assert chain.preview(b"ret? a") == (b"x [MASKED]? ", True)
    assert chain.preview(b"\xff.") == ("x sec\ufffd.".encode(), False)
    assert chain.preview(b"") == (b"x ", True)
    assert chain.changes == before


def test_notes_are_masked_too() -> None:
    chain = Chain(MASKS)
    trace = chain.note("using secret\nand glpat-x\udc80", 5)
    assert text_of(trace, 0) == b"using [MASKED]\nand glpat-[MASKED]?\n"
    assert chain.changes.secrets == 0


def test_a_note_comes_after_what_was_written_before_it() -> None:
    chain = Chain(MASKS)
    trace = chain.write(b"Continue? ", at=1) + chain.note("waiting", 2) + chain.finish(3)
    assert [(piece.at, piece.text) for piece in parse(trace)] == [
        (1, b"Continue? "),
        (2, b"waiting"),
        (3, b""),
    ]


@pytest.mark.parametrize("limit", [100_000, 8_000_000])
def test_a_flood_keeps_its_head_and_its_tail(limit: int) -> None:
    chain = Chain(Masks(), limit=limit)
    block = b"".join(b"line %05d\n" % number for number in range(5000))
    parts = [chain.write(block, at=1_000_000) for _ in range(100)]
    parts.append(chain.note("the job is done", 2_000_000))
    trace = b"".join((*parts, chain.finish(3_000_000)))
    text = b"".join(piece.text + b"\n" for piece in parse(trace))
    assert text.startswith(b"line 00000\nline 00001\n")
    assert text.endswith(b"line 04999\nthe job is done\n")
    left_out = f"{-chain.changes.limited:,} bytes of the log are left out here, because of"
    assert text.count(left_out.encode()) == 1
    assert limit * 0.95 < len(trace) < limit + 1000


def test_what_comes_close_to_the_limit_but_fits_is_whole() -> None:
    chain = Chain(Masks(), limit=1000)
    trace = b"".join(chain.write(b"%d\n" % number, at=number) for number in range(26))
    assert b"comes close to its limit" in trace
    trace += chain.finish(30)
    assert text_of(trace, 1) == b"".join(b"%d\n" % number for number in range(26))
    assert chain.changes.limited == 0


def test_what_is_said_beside_the_trace_is_masked_and_changes_nothing() -> None:
    chain = Chain(Masks(["secret"]))
    chain.write(b"sec", at=1)
    assert chain.masked("ret, secret and glpat-abc") == "ret, [MASKED] and glpat-[MASKED]"
    assert chain.changes.runner == 0
    assert text_of(chain.finish(2), 1) == b"sec"


# ----------------------------------------------------------------------------- checkpoints


def restored(chain: Chain) -> Chain | None:
    """Another chain that goes on from here, as a journal would bring it about."""
    checkpoint = chain.checkpoint()
    if checkpoint is None:
        return None
    kept = msgspec.json.decode(msgspec.json.encode(checkpoint), type=Checkpoint)
    return Chain.restore(MASKS, chain.recorded, kept)


@given(STEPS, st.integers(0, 12))
def test_another_chain_goes_on_from_any_checkpoint(
    steps: list[tuple[int, bytes]], killed_after: int
) -> None:
    steps = [(min(stream, 1), what) for stream, what in steps]
    whole = Driver()
    whole.run(steps)
    chain, trace, since = Chain(MASKS), b"", 0
    driver = Driver()
    for at, (stream, what) in enumerate(steps[:killed_after]):
        driver.do(stream, what, at)
        if (again := restored(driver.chain)) is not None:
            chain, trace, since = again, driver.trace, at + 1
    driver.chain, driver.trace = chain, trace
    for at, (stream, what) in enumerate(steps[since:], since):
        driver.do(stream, what, at)
    driver.trace += driver.chain.finish(len(steps))
    assert driver.trace == whole.trace
    assert driver.chain.source == whole.chain.source
    assert driver.chain.changes == whole.chain.changes


@pytest.mark.parametrize(
    "written",
    [b"", b"a line\n", b"secret\n", b"bar\r", b"Continue? ", b"glpat-token\n", b"!" * MAX_PIECE],
)
def test_where_a_checkpoint_is(written: bytes) -> None:
    chain = Chain(Masks(["secret"]))
    chain.write(written, at=1)
    chain.flush()
    assert chain.checkpoint() is not None


@pytest.mark.parametrize("written", [b"sec", b"\xe2", b"glpat-", b"glpat-tok", b"&rss_token=x"])
def test_where_none_is_until_the_script_ends(written: bytes) -> None:
    chain = Chain(Masks(["secret"]))
    chain.write(written, at=1)
    chain.flush()
    assert chain.checkpoint() is None
    chain.drain()
    assert chain.checkpoint() is not None


def test_a_line_that_is_not_stored_has_none() -> None:
    chain = Chain(MASKS)
    chain.write(b"word ", at=1)
    assert chain.checkpoint() is None


def test_a_token_prefix_of_two_lines_has_none_between_them() -> None:
    chain = Chain(Masks([], ["gl\npat-"]))
    chain.write(b"gl\n", at=1)
    assert chain.checkpoint() is None


def test_a_limit_that_was_reached_has_none() -> None:
    chain = Chain(MASKS, limit=200)
    chain.write(b"a line\n", at=1)
    assert chain.checkpoint() is not None
    chain.write(b"a line\n" * 100, at=2)
    assert chain.checkpoint() is None


def test_no_output_is_in_a_checkpoint() -> None:
    chain = Chain(Masks(["hunter2"]))
    chain.write(b"hunter2 and words\n", at=1)
    assert msgspec.json.encode(chain.checkpoint()).isascii()
    assert set(msgspec.json.encode(chain.checkpoint())) <= set(b"[]-,0123456789truefals")


def test_a_tail_whose_chain_is_gone_counts_as_it_is() -> None:
    chain = Chain(MASKS)
    trace = chain.write(b"prompt? ", at=1) + chain.flush()
    tail = b"\nwhatever\n"
    chain.keep(tail)
    trace += tail + chain.note("the end", 2)
    assert trace.split(b"\n")[1] == b"whatever"
    assert trace.endswith(b" 00O the end\n")
    assert (chain.recorded.bytes, chain.recorded.crc) == (len(trace), crc32(trace))
    assert chain.recorded.bytes == chain.source.bytes + chain.changes.total
