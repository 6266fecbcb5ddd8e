"""What is weaker about the way to an engine than a user may think, in sentences. Pure."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from tracekeeper.engine.host import Host, Tls, shown


def cautions(host: Host) -> Iterator[str]:
    """What a user should know before a job's secrets travel to `host`."""
    scheme, url = urlsplit(host.url).scheme, shown(host.url)
    if scheme in {"tcp", "http"} and host.tls is None and not host.is_local:
        yield (
            f"{url} is spoken to in plain text: whoever is on the way reads the jobs' secrets"
            " and can do anything on that machine; use TLS or ssh://"
        )
    if scheme != "unix" and host.keepalive is None:
        yield (
            f"keepalives to {url} are off: a firewall may forget a quiet connection, and a"
            " dead engine is noticed late"
        )
    if host.tls is not None:
        yield from _tls(url, host.tls)


def how_to_speak_tls(url: str) -> str:
    """What to do where plain HTTP was spoken to `url`, and TLS is spoken there."""
    variables = "DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH"
    if url.startswith("http:"):
        return f"http:// is never TLS: write tcp:// or https://, and set {variables}"
    return (
        f"set {variables}, or use a docker context; in a config.toml, tls_verify and tls_cert_path"
    )


def _tls(url: str, tls: Tls) -> Iterator[str]:
    if not tls.verify:
        yield (
            f"the certificate of {url} is not checked: anybody on the way can pose as the engine;"
            " give its CA (ca.pem) instead"
        )
    if tls.ciphers:
        yield (
            f"TLS with {url} is held to the cipher suites {tls.ciphers} (tls_ciphers), which is for"
            " looking inside a capture; TLS 1.3 is not affected, set tls_max_version to 1.2"
            if tls.max_version != "1.2"
            else f"TLS with {url} is held to the cipher suites {tls.ciphers} (tls_ciphers), which"
            " is for looking inside a capture, not for every day"
        )
    if tls.max_version == "1.2":
        yield f"TLS with {url} is held to version 1.2 (tls_max_version)"
    if tls.keylog:
        yield (
            f"the keys of TLS with {url} are written to {tls.keylog}: who has that file and a"
            " capture reads everything"
        )
