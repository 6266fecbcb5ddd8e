import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import pytest

from tracekeeper.engine.contexts import context_names
from tracekeeper.engine.host import Host, Tls
from tracekeeper.engine.hosts import LOCAL_SOCKET, LOCAL_TLS, find_host
from tracekeeper.errors import UsageError


def home(tmp_path: Path, **environ: str) -> Mapping[str, str]:
    return {"HOME": str(tmp_path), **environ}


def certificates(directory: Path, *names: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    for name in names or ("ca", "cert", "key"):
        (directory / f"{name}.pem").touch()
    return directory


def all_of(directory: Path, *, verify: bool = True) -> Tls:
    ca, cert, key = (str(directory / f"{name}.pem") for name in ("ca", "cert", "key"))
    return Tls(ca=ca, cert=cert, key=key, verify=verify)


def add_context(
    directory: Path, name: str, host: str, *files: str, skip: bool = False
) -> Path | None:
    key = sha256(name.encode()).hexdigest()
    meta = directory / "contexts" / "meta" / key
    meta.mkdir(parents=True)
    endpoint = {"Host": host, "SkipTLSVerify": skip}
    text = json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}})
    (meta / "meta.json").write_text(text)
    tls = directory / "contexts" / "tls" / key / "docker"
    return certificates(tls, *files) if files else None


# --------------------------------------------------------------------------------- environment


@pytest.mark.parametrize(
    ("said", "url"),
    [
        ("", LOCAL_SOCKET),
        ("unix:///run/other.sock", "unix:///run/other.sock"),
        ("unix://", LOCAL_SOCKET),
        ("tcp://", "tcp://localhost"),
        ("box", "tcp://box"),
        ("10.0.0.1:2375", "tcp://10.0.0.1:2375"),
        (" tcp://box ", "tcp://box"),
        ("ssh://me@box", "ssh://me@box"),
        ("tcp://[broken", "tcp://[broken"),
    ],
)
def test_docker_host(tmp_path: Path, said: str, url: str) -> None:
    assert find_host(home(tmp_path, DOCKER_HOST=said)) == Host(url)
    assert find_host(home(tmp_path), url=said) == Host(url)


def test_an_option_wins(tmp_path: Path) -> None:
    environ = home(tmp_path, DOCKER_HOST="tcp://a", DOCKER_CONTEXT="b")
    assert find_host(environ, url="tcp://c").url == "tcp://c"


@pytest.mark.parametrize("value", ["1", "0", "no"])
def test_tls_verify_is_on_by_any_value(tmp_path: Path, value: str) -> None:
    certificates(tmp_path / "c")
    environ = home(
        tmp_path,
        DOCKER_HOST="tcp://box",
        DOCKER_TLS_VERIFY=value,
        DOCKER_CERT_PATH=f"{tmp_path}/c",
    )
    assert find_host(environ) == Host("tcp://box", tls=all_of(tmp_path / "c"))


def test_docker_tls_does_not_verify(tmp_path: Path) -> None:
    certificates(tmp_path / ".docker")
    environ = home(tmp_path, DOCKER_HOST="tcp://box", DOCKER_TLS="1")
    assert find_host(environ).tls == all_of(tmp_path / ".docker", verify=False)


def test_a_directory_of_certificates_alone_is_no_tls(tmp_path: Path) -> None:
    certificates(tmp_path)
    environ = home(tmp_path, DOCKER_HOST="tcp://box", DOCKER_CERT_PATH=str(tmp_path))
    assert find_host(environ).tls is None


def test_tls_without_a_host(tmp_path: Path) -> None:
    directory = certificates(tmp_path / "config")
    environ = home(tmp_path, DOCKER_TLS_VERIFY="1", DOCKER_CONFIG=str(directory))
    assert find_host(environ) == Host(LOCAL_TLS, tls=all_of(directory))


def test_tls_without_an_authority(tmp_path: Path) -> None:
    environ = home(tmp_path, DOCKER_HOST="tcp://box", DOCKER_TLS_VERIFY="1")
    with pytest.raises(UsageError, match=r"there is no .*/\.docker/ca\.pem"):
        find_host(environ)


def test_tls_is_not_for_sockets(tmp_path: Path) -> None:
    environ = home(tmp_path, DOCKER_HOST=LOCAL_SOCKET, DOCKER_TLS_VERIFY="1")
    assert find_host(environ) == Host(LOCAL_SOCKET)


def test_https_is_tls_with_or_without_files(tmp_path: Path) -> None:
    assert find_host(home(tmp_path), url="https://box").tls == Tls()
    certificates(tmp_path / ".docker")
    assert find_host(home(tmp_path), url="https://box").tls == all_of(tmp_path / ".docker")


def test_a_key_log_is_kept_where_there_are_keys(tmp_path: Path) -> None:
    environ = home(tmp_path, SSLKEYLOGFILE="/keys")
    assert find_host(environ, url="https://box").tls == Tls(keylog="/keys")
    assert find_host(environ, url="tcp://box").tls is None


# ------------------------------------------------------------------------------------ contexts


def test_a_context(tmp_path: Path) -> None:
    directory = tmp_path / ".docker"
    files = add_context(directory, "far", "tcp://far:2376", "ca", "cert", "key")
    assert files is not None
    expected = Host("tcp://far:2376", tls=all_of(files))
    assert find_host(home(tmp_path), context="far") == expected
    assert find_host(home(tmp_path, DOCKER_CONTEXT="far")) == expected
    (directory / "config.json").write_text('{"currentContext": "far", "auths": {}}')
    assert find_host(home(tmp_path)) == expected
    assert find_host(home(tmp_path, DOCKER_CONTEXT="default")) == Host(LOCAL_SOCKET)
    assert find_host(home(tmp_path, DOCKER_HOST="tcp://near")) == Host("tcp://near")
    assert find_host(home(tmp_path, DOCKER_HOST="tcp://near"), context="far") == expected


@pytest.mark.parametrize(
    ("host", "skip", "tls"),
    [
        ("tcp://h", False, None),
        ("tcp://h", True, Tls(verify=False)),
        ("http://h", False, None),
        ("https://h", False, Tls()),
        ("unix:///s", True, None),
        ("ssh://h", True, None),
    ],
)
def test_tls_of_a_context_without_files(
    tmp_path: Path, host: str, skip: bool, tls: Tls | None
) -> None:
    add_context(tmp_path, "x", host, skip=skip)
    assert find_host({"DOCKER_CONFIG": str(tmp_path)}, context="x") == Host(host, tls=tls)


def test_a_context_takes_no_tls_from_the_environment(tmp_path: Path) -> None:
    add_context(tmp_path / ".docker", "x", "tcp://h")
    environ = home(tmp_path, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(certificates(tmp_path)))
    assert find_host(environ, context="x").tls is None


def test_a_context_without_an_engine_is_the_local_one(tmp_path: Path) -> None:
    meta = tmp_path / "contexts" / "meta" / sha256(b"x").hexdigest()
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text('{"Name": "x", "Endpoints": {"kubernetes": {"Host": 1}}}')
    assert find_host({"DOCKER_CONFIG": str(tmp_path)}, context="x") == Host(LOCAL_SOCKET)


def test_a_context_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no docker context '\.\./x'"):
        find_host(home(tmp_path), context="../x")


def test_two_engines_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="both tcp://a and the docker context 'b'"):
        find_host(home(tmp_path), url="tcp://a", context="b")


def test_the_names_of_all_contexts(tmp_path: Path) -> None:
    assert context_names(tmp_path) == ["default"]
    add_context(tmp_path, "near", "tcp://a")
    add_context(tmp_path, "far", "tcp://b")
    add_context(tmp_path, "", "tcp://b")
    assert context_names(tmp_path) == ["default", "far", "near"]


@pytest.mark.parametrize("text", ["{", "[]", '{"currentContext": 1}', "\xff"])
def test_a_configuration_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text, "latin-1")
    with pytest.raises(UsageError, match=r"config\.json cannot be read"):
        find_host({"DOCKER_CONFIG": str(tmp_path)})
    assert find_host({"DOCKER_CONFIG": str(tmp_path)}, url="tcp://h") == Host("tcp://h")


def test_a_configuration_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").mkdir()
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        find_host({"DOCKER_CONFIG": str(tmp_path)})


# ------------------------------------------------------------------------------------- proxies


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("tcp://h", "http://plain"),
        ("https://h", "http://tls"),
        ("ssh://h", "http://all"),
        ("unix:///s", ""),
        ("tcp://localhost", ""),
    ],
)
def test_the_environment_names_the_proxy(tmp_path: Path, url: str, proxy: str) -> None:
    environ = home(
        tmp_path, HTTP_PROXY="http://plain", https_proxy="http://tls", ALL_PROXY="http://all"
    )
    assert find_host(environ, url=url).proxy == proxy


@pytest.mark.parametrize(("url", "port"), [("tcp://h", 2375), ("https://h", 2376), ("ssh://h", 22)])
def test_ports_that_are_not_named_count_in_no_proxy(tmp_path: Path, url: str, port: int) -> None:
    environ = home(tmp_path, ALL_PROXY="http://p", NO_PROXY=f"h:{port}")
    assert find_host(environ, url=url).proxy == ""
    assert find_host(environ, url=f"{url}:9").proxy == "http://p"
