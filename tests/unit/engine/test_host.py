import math

import pytest

from tracekeeper.engine.host import UNWATCHED_REUSE, Host, shown


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("tcp://host:2376", "tcp://host:2376"),
        ("ssh://me@host:22/path", "ssh://me@host:22/path"),
        ("http://me:secret@proxy:3128", "http://me:…@proxy:3128"),
        ("http://me:sec/r:e@t@proxy", "http://me:…@proxy"),
        ("http://:secret@proxy", "http://:…@proxy"),
        ("http://me:secret@", "http://me:…@"),
        ("me:secret@proxy", "me:…@proxy"),
        ("unix:///a@b", "unix:///a@b"),
    ],
)
def test_no_password_is_shown(url: str, seen: str) -> None:
    assert shown(url) == seen


@pytest.mark.parametrize(
    ("host", "seconds"),
    [
        (Host("tcp://far:2376"), math.inf),
        (Host("unix:///run/docker.sock", keepalive=None), math.inf),
        (Host("tcp://far:2376", idle=100.0), 70.0),
        (Host("tcp://far:2376", keepalive=None), UNWATCHED_REUSE),
    ],
)
def test_a_connection_that_may_be_forgotten_is_not_used_again(host: Host, seconds: float) -> None:
    assert host.reuse_within == seconds
