"""Where an engine is, and how its connections are to be made. Values only; nothing is dialled here.

A `Host` is all that the rest of the program says about an engine: hosts.py finds it (options,
environment, docker contexts), transport.py dials it.
"""

import math
import re
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from tracekeeper.sockets.options import DEFAULT, Keepalive

TlsVersion: TypeAlias = Literal["", "1.2", "1.3"]
PLAIN_PORT, TLS_PORT, SSH_PORT = 2375, 2376, 22
LOOPBACK = ("localhost", "127.0.0.1", "::1")
IDLE_SHARE = 0.7
"""The share of an idle budget after which a quiet connection is replaced."""
UNWATCHED = 30.0
"""Seconds that a connection without keepalives may be quiet."""
UNWATCHED_REUSE = 5.0
"""Seconds that one may lie idle and be used again. Another costs little; a request over one that a
firewall has forgotten, all the time that an answer has."""


class Tls(msgspec.Struct, frozen=True):
    """TLS to an engine; files are named by their paths.

    `ca` empty: the system's authorities. `cert` and `key` are the client's. `ciphers` (OpenSSL's
    names), `max_version` and `keylog` weaken the connection so that a capture of it can be read.
    """

    ca: str = ""
    cert: str = ""
    key: str = ""
    verify: bool = True
    ciphers: str = ""
    max_version: TlsVersion = ""
    keylog: str = ""


class Host(msgspec.Struct, frozen=True):
    """An engine by its `url` (unix, tcp, http, https or ssh), and how to speak to it.

    `keepalive` None leaves it off. `proxy` is the URL of an HTTP proxy. `idle` is the seconds
    after which a middlebox on the way forgets a connection without payload, 0 if there is none.
    `patience` is how long, in seconds, a job waits for an engine that has gone to come back.
    `preview` says whether unfinished lines are shown: an attach that the network swallows stops
    the container after about a megabyte of output, until the engine's own TCP gives up.
    """

    url: str
    tls: Tls | None = None
    proxy: str = ""
    keepalive: Keepalive | None = DEFAULT
    idle: float = 0.0
    patience: float = 300.0
    preview: bool | None = None

    @property
    def shows_unfinished_lines(self) -> bool:
        """Whether an attach is wanted, or does no harm because no network can swallow it."""
        return self.is_local if self.preview is None else self.preview

    @property
    def renew_after(self) -> float | None:
        """Seconds of silence after which a connection may be forgotten and is not to be trusted;
        None where keepalives see to it."""
        if self.idle:
            return self.idle * IDLE_SHARE
        return None if self.keepalive is not None or self.is_local else UNWATCHED

    @property
    def reuse_within(self) -> float:
        """Seconds that a connection may lie idle and be used for another request."""
        if self.renew_after is None:
            return math.inf
        return self.renew_after if self.idle else UNWATCHED_REUSE

    @property
    def is_local(self) -> bool:
        """Whether no network lies between us and the engine."""
        parts = urlsplit(self.url)
        if parts.scheme == "unix":
            return True
        return parts.scheme != "ssh" and not self.proxy and parts.hostname in LOOPBACK


def shown(url: str) -> str:
    """`url` as it may be seen in a message: without a password, even where it is no proper URL."""
    return re.sub(r"((?:^|//)[^:/@]*):(?!//).*@", r"\1:…@", url)
