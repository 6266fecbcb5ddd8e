from pathlib import Path

import pytest

from tracekeeper.cli import last_words as module
from tracekeeper.cli.last_words import last_words
from tracekeeper.trace.chain import Chain
from tracekeeper.trace.masks import Masks
from tracekeeper.trace.sections import section_end, section_start

AT = 1_700_000_000_000_000
P = b"| "


@pytest.fixture
def chain() -> Chain:
    return Chain(Masks([]))


def write(path: Path, chain: Chain, script: bytes, *, ended: bool = True) -> Path:
    parts = [
        chain.note("Preparing", AT),
        chain.note(section_start("step_script", 1, title="Running"), AT),
        chain.write(script, at=AT),
        chain.drain(),
    ]
    if ended:
        parts += [
            chain.note(section_end("step_script", 2), AT),
            chain.write(b"said afterwards\n", at=AT),
            chain.note("ERROR", AT),
        ]
    path.write_bytes(b"".join((*parts, chain.finish(AT))))
    return path


def test_it_is_the_scripts_end(tmp_path: Path, chain: Chain) -> None:
    trace = write(tmp_path / "trace", chain, b"one\ntwo\nthree")
    assert last_words(trace, 2, P, colour=False) == b"| two\n| three\n"
    assert last_words(trace, 9, P, colour=False) == b"| one\n| two\n| three\n"


def test_without_a_script_it_is_the_logs_end(tmp_path: Path, chain: Chain) -> None:
    trace = tmp_path / "trace"
    trace.write_bytes(chain.note("Preparing\nno such image", AT) + chain.finish(AT))
    assert last_words(trace, 9, P, colour=False) == b"| Preparing\n| no such image\n"


def test_the_result_is_not_repeated(tmp_path: Path, chain: Chain) -> None:
    trace = tmp_path / "trace"
    result = "\x1b[31;1mERROR: Job failed: no such image\x1b[0;m"
    alike = chain.note(f"{result}\nPulling", AT)  # a job may run us
    end = chain.note(result, AT) + chain.finish(AT)
    trace.write_bytes(alike + end)
    assert last_words(trace, 1, P, colour=False) == b"| Pulling\n"
    assert last_words(trace, 9, P, colour=False).count(b"ERROR") == 1
    trace.write_bytes(end)
    assert last_words(trace, 9, P, colour=False) == b""


def test_a_script_that_did_not_end(tmp_path: Path, chain: Chain) -> None:
    trace = write(tmp_path / "trace", chain, b"one\n", ended=False)
    assert last_words(trace, 9, P, colour=False) == b"| one\n"


def test_only_the_end_of_a_long_log_is_read(
    tmp_path: Path, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = write(tmp_path / "trace", chain, b"x" * 500 + b"\nlast\n", ended=False)
    monkeypatch.setattr(module, "TAIL", 60)
    assert last_words(trace, 9, P, colour=False) == b"| last\n"


def test_colours_stay_and_nothing_else(tmp_path: Path, chain: Chain) -> None:
    trace = write(tmp_path / "trace", chain, b"\x1b[31mred\x1b[2J\n")
    assert last_words(trace, 9, P, colour=True) == b"| \x1b[31mred\x1b[0m\n"
