"""Which engine is meant: an option, the environment, or the local socket, as the Docker CLI has it.

Source: Docker CLI reference, "Environment variables"; a variable that is set but empty counts as
not set, except that DOCKER_TLS_VERIFY turns TLS on by any value that is not empty.
"""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from tracekeeper.engine.host import Host, Tls

LOCAL_SOCKET = "unix:///var/run/docker.sock"


def find_host(environ: Mapping[str, str], *, url: str = "") -> Host:
    """The engine at `url` if that is given, else the one that the environment names.

    Raises UsageError where what names it cannot be used.
    """
    url = url or environ.get("DOCKER_HOST", "") or LOCAL_SOCKET
    return Host(url, tls=_tls(environ, url))


def _tls(environ: Mapping[str, str], url: str) -> Tls | None:
    scheme = urlsplit(url).scheme
    verify, directory = environ.get("DOCKER_TLS_VERIFY", ""), environ.get("DOCKER_CERT_PATH", "")
    if scheme not in {"tcp", "https"} or not (verify or directory or scheme == "https"):
        return None
    path = Path(directory) if directory else Path(environ.get("HOME", "")) / ".docker"
    return tls_from_directory(path, verify=bool(verify) or scheme == "https")


def tls_from_directory(path: Path, *, verify: bool = True) -> Tls:
    """TLS with the ``ca.pem``, ``cert.pem`` and ``key.pem`` that a directory has."""
    files = (path / "ca.pem", path / "cert.pem", path / "key.pem")
    ca, cert, key = (str(file) if file.exists() else "" for file in files)
    return Tls(ca=ca, cert=cert, key=key, verify=verify)
