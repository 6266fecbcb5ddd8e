from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.errors import WorkspaceError
from tracekeeper.workspace.dotenv import MOST_BYTES, MOST_VARIABLES, parse_dotenv

keys = st.from_regex(r"[A-Za-z0-9_]{1,20}", fullmatch=True)
values = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=20).map(str.strip)


@given(st.dictionaries(keys, values, max_size=20))
def test_what_is_written_is_read(variables: dict[str, str]) -> None:
    text = "".join(f"{key}={value}\n" for key, value in variables.items())
    assert parse_dotenv(text.encode()) == variables


@given(st.binary(max_size=200))
def test_anything_ends_with_variables_or_a_sentence(data: bytes) -> None:
    with suppress(WorkspaceError):
        assert all(key.replace("_", "a").isalnum() for key in parse_dotenv(data))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", {}),
        (b"A=1", {"A": "1"}),
        (b"A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        (b" A = x y \n", {"A": "x y"}),
        (b"A=\"x\"\nB='y'\n", {"A": '"x"', "B": "'y'"}),
        (b"A=b=c\n", {"A": "b=c"}),
        (b"A=\n", {"A": ""}),
        (b"A=1\nA=2\n", {"A": "2"}),
        (b"A=$B # c\n", {"A": "$B # c"}),
        (b"\xef\xbb\xbfA=1\n", {"A": "1"}),
        ("\ufeffA=é\r\n".encode("utf-16-le"), {"A": "é"}),
        (b"A=\xff\n", {"A": "\ufffd"}),
    ],
)
def test_rules(data: bytes, expected: dict[str, str]) -> None:
    assert parse_dotenv(data) == expected


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"A=1\n\nB=2\n", "line 2 of the dotenv report is empty"),
        (b"# comment\n", "line 1 of the dotenv report is not KEY=VALUE"),
        (b"A=1\nexport B=2\n", "line 2 .* 'export B'"),
        (b"A-B=2\n", "letters, digits and underscores"),
        (b"=2\n", "the key ''"),
        (b"K" * 256 + b"=2\n", "at most 255"),
        ("é=1\n".encode(), "the key 'é'"),
    ],
)
def test_a_bad_line_is_named(data: bytes, sentence: str) -> None:
    with pytest.raises(WorkspaceError, match=sentence):
        parse_dotenv(data)


def test_limits() -> None:
    fits = b"A=" + b"x" * (MOST_BYTES - 3)
    assert len(parse_dotenv(fits)["A"]) == MOST_BYTES - 3
    with pytest.raises(WorkspaceError, match="too large; GitLab takes less than 5120 bytes"):
        parse_dotenv(fits + b"x")
    lines = [b"V%d=1" % number for number in range(MOST_VARIABLES)]
    assert len(parse_dotenv(b"\n".join(lines))) == MOST_VARIABLES
    with pytest.raises(WorkspaceError, match="151 variables; GitLab takes 150"):
        parse_dotenv(b"\n".join([*lines, b"ONE_MORE=1"]))
