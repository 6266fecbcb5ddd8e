import re

import pytest

from tracekeeper.engine.caution import cautions, how_to_speak_tls
from tracekeeper.engine.host import Host, Tls


@pytest.mark.parametrize(
    "host",
    [
        Host("unix:///var/run/docker.sock", keepalive=None),
        Host("tcp://localhost:2375"),
        Host("tcp://far:2376", tls=Tls()),
        Host("tcp://far:2376", tls=Tls(max_version="1.3")),
        Host("ssh://far"),
        Host("ssh://far", proxy="http://u:hunter2@p"),
    ],
)
def test_nothing_to_say(host: Host) -> None:
    assert list(cautions(host)) == []


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (Host("tcp://far"), ["plain text"]),
        (Host("http://far"), ["plain text"]),
        (Host("tcp://localhost", proxy="http://u:hunter2@p"), ["plain text"]),
        (Host("tcp://far", tls=Tls(), keepalive=None), ["keepalives to tcp://far are off"]),
        (Host("ssh://far", keepalive=None), ["keepalives to ssh://far are off"]),
        (Host("tcp://far", tls=Tls(verify=False)), ["is not checked"]),
        (Host("tcp://far", tls=Tls(keylog="/k")), ["written to /k"]),
        (Host("tcp://far", tls=Tls(max_version="1.2")), ["version 1.2"]),
        (Host("tcp://far", tls=Tls(ciphers="AES128-SHA")), ["AES128-SHA.*set tls_max_version"]),
        (
            Host("tcp://far", tls=Tls(ciphers="AES128-SHA", max_version="1.2")),
            ["AES128-SHA.*not for every day", "version 1.2"],
        ),
    ],
)
def test_what_is_weak_is_said(host: Host, words: list[str]) -> None:
    said = list(cautions(host))
    assert len(said) == len(words)
    for sentence, pattern in zip(said, words, strict=True):
        assert re.search(pattern, sentence)
        assert "hunter2" not in sentence


@pytest.mark.parametrize(
    ("url", "words"), [("http://far", "write tcp:// or https://"), ("tcp://far", "^set DOCKER_TLS")]
)
def test_what_to_do_where_tls_is_spoken(url: str, words: str) -> None:
    said = how_to_speak_tls(url)
    assert re.search(words, said)
    assert "DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH" in said


def test_no_password_is_shown() -> None:
    url = "tcp://me:hunter2@far"
    hosts = (Host(url, keepalive=None), Host(url, tls=Tls(verify=False, keylog="/k")))
    sentences = [sentence for host in hosts for sentence in cautions(host)]
    assert len(sentences) == 4
    assert all("me:…@far" in sentence for sentence in sentences)
