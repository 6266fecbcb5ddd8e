import pytest

from tracekeeper.engine.host import shown


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("tcp://host:2376", "tcp://host:2376"),
        ("ssh://me@host:22/path", "ssh://me@host:22/path"),
        ("http://me:secret@proxy:3128", "http://me:…@proxy:3128"),
        ("http://me:sec/r:e@t@proxy", "http://me:…@proxy"),
        ("http://:secret@proxy", "http://:…@proxy"),
        ("http://me:secret@", "http://me:…@"),
    ],
)
def test_no_password_is_shown(url: str, seen: str) -> None:
    assert shown(url) == seen
