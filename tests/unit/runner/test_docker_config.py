from pathlib import Path

import pytest

from tracekeeper.engine.host import Host, Tls
from tracekeeper.errors import UsageError
from tracekeeper.runner.docker.config import (
    ConnectionConfig,
    DockerConfig,
    DockerSettings,
    KeepaliveConfig,
)
from tracekeeper.runner.docker_config import Loaded, connected_as, engine_host, load, without_tls
from tracekeeper.sockets.options import DEFAULT, Keepalive

SECTION = "[[runners]]\nname = '{name}'\n[runners.docker]\nimage = '{name}'\n"


def written(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def saying(config: DockerConfig) -> Loaded:
    return Loaded(Path("c.toml"), DockerSettings(config))


def test_a_file_is_read(tmp_path: Path) -> None:
    text = (
        "[[runners]]\nenvironment = ['DOCKER_AUTH_CONFIG={}']\n[runners.docker]\n"
        "image = 'a'\nmemry = 1\ntls_verify = true\ntls_cert_path = '/x'\ncache_dir = '/c/../d'\n"
    )
    file = written(tmp_path / "config.toml", text)
    loaded = load(file)
    assert loaded.settings.auth == "{}"
    assert loaded.settings.config.image == "a"
    assert loaded.settings.config.cache_dir == "/d"
    assert loaded.warnings == (
        f"{file}: unknown key memry in [runners.docker]; did you mean `memory`?",
        f"{file}: known, not acted on: tls_verify in [runners.docker], because host is not set",
    )


def test_certificates_without_verification_have_no_effect(tmp_path: Path) -> None:
    text = "[runners.docker]\nhost = '{}'\ntls_cert_path = '/x'"
    said = load(written(tmp_path / "a", text.format("tcp://a"))).warnings
    assert [sentence.partition(": ")[2] for sentence in said] == [
        "known, not acted on: tls_cert_path in [runners.docker], because tls_verify is not set"
    ]
    assert load(written(tmp_path / "a", text.format("https://a"))).warnings == ()


def test_one_of_several_runners_is_named_behind_a_colon(tmp_path: Path) -> None:
    both = SECTION.format(name="a") + SECTION.format(name="b:c")
    file = written(tmp_path / "config.toml", both)
    assert load(f"{file}:a").settings.config.image == "a"
    with pytest.raises(UsageError, match=r"has 2 of \[runners.docker\]") as caught:
        load(file)
    assert caught.value.hint == f"name one of its runners, such as {file}:a"
    odd = written(tmp_path / "a:b", SECTION.format(name="c"))
    assert load(odd).settings.config.image == "c"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", r"has no \[runners.docker\]"),
        (b"x = \n", "is not TOML: .*line 1"),
        (b"\xff", "it is not UTF-8 text"),
        (
            b"[runners.docker]\nmemry = 1\nmemory = 5\ncpus = 'x'",
            r"(?s)cannot be used:\n  memory in .*\n  cpus in .*\n  unknown key memry in ",
        ),
        (
            b"[runners.docker]\nsecurity_opt = ['seccomp=/nowhere']",
            r"/nowhere, named by security_opt in \[runners.docker\]: No such file",
        ),
        (b"[runners.docker]\nsecurity_opt = ['seccomp=/dev/null']", "is not JSON"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, content: bytes, sentence: str) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=sentence):
        load(str(file))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        load(str(tmp_path / "none"))


def test_a_seccomp_profile_is_read_from_its_file(tmp_path: Path) -> None:
    profile = written(tmp_path / "profile.json", '{"a": 1}')
    options = ["seccomp=unconfined", "seccomp=builtin", 'seccomp={"b": 2}', "no-new-privileges"]
    text = f"[runners.docker]\nsecurity_opt = {[*options, f'seccomp={profile}']}\n"
    config = load(written(tmp_path / "config.toml", text)).settings.config
    assert config.security_opt == (*options, 'seccomp={"a": 1}')


def test_which_engine_is_meant(tmp_path: Path) -> None:
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).touch()
    there = {
        "DOCKER_HOST": "tcp://environment",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(tmp_path),
        "HOME": str(tmp_path),
    }
    plain = saying(DockerConfig(host="tcp://file:1"))
    assert engine_host(plain, there) == Host("tcp://file:1")
    secure = saying(DockerConfig(host="tcp://file:1", tls_verify=True, tls_cert_path=str(tmp_path)))
    tls = engine_host(secure, {"HOME": "/nowhere"}).tls
    ca, cert, key = (str(tmp_path / f"{name}.pem") for name in ("ca", "cert", "key"))
    assert tls == Tls(ca, cert, key)
    assert engine_host(plain, there, url="unix:///option").url == "unix:///option"
    assert engine_host(saying(DockerConfig()), there).url.startswith("tcp://environment")


@pytest.mark.parametrize(("given", "looked_in"), [("{}/x", "x"), ("", "home/.docker")])
def test_certificates_that_are_not_there(tmp_path: Path, given: str, looked_in: str) -> None:
    path = given.format(tmp_path)
    loaded = saying(DockerConfig(host="tcp://file:1", tls_verify=True, tls_cert_path=path))
    with pytest.raises(UsageError) as caught:
        engine_host(loaded, {"HOME": str(tmp_path / "home")})
    assert caught.value.message == (
        "c.toml: tls_verify in [runners.docker] asks for TLS, but there is no "
        f"{tmp_path / looked_in / 'ca.pem'}"
    )
    assert caught.value.hint.startswith("tls_cert_path in [runners.docker] names")


@pytest.mark.parametrize("scheme", ["unix", "http", "ssh"])
def test_where_there_is_no_tls_to_verify(tmp_path: Path, scheme: str) -> None:
    url = f"{scheme}:///a"
    text = f"[runners.docker]\nhost = '{url}'\ntls_verify = true"
    loaded = load(written(tmp_path / "a", text))
    assert loaded.warnings == (
        (
            f"{tmp_path / 'a'}: known, not acted on: tls_verify in [runners.docker], because "
            f"{scheme}:// has no TLS; tcp:// and https:// have"
        ),
    )
    assert engine_host(loaded, {"HOME": "/nowhere"}) == Host(url)


def test_the_authorities_of_the_system_will_do_for_https(tmp_path: Path) -> None:
    text = "[runners.docker]\nhost = 'https://a'\ntls_verify = true"
    loaded = load(written(tmp_path / "a", text))
    assert loaded.warnings == ()
    assert engine_host(loaded, {"HOME": "/nowhere"}).tls == Tls()


@pytest.mark.parametrize(
    ("connection", "message"),
    [
        (
            ConnectionConfig(tls_ciphers="nonsense"),
            (
                "c.toml: 'nonsense' names no cipher suite of OpenSSL "
                "(tls_ciphers in [runners.docker.connection])"
            ),
        ),
        (
            ConnectionConfig(tls_keylog="/nowhere/keys"),
            (
                "c.toml: the TLS key log /nowhere/keys cannot be written: No such file or "
                "directory (tls_keylog in [runners.docker.connection])"
            ),
        ),
    ],
)
def test_what_tls_cannot_be_told(connection: ConnectionConfig, message: str) -> None:
    loaded = saying(DockerConfig(connection=connection))
    with pytest.raises(UsageError) as caught:
        engine_host(loaded, {"HOME": "/nowhere"}, url="https://a")
    assert caught.value.message == message
    assert engine_host(loaded, {"HOME": "/nowhere"}, url="tcp://a").tls is None


def test_keys_of_tls_without_tls() -> None:
    connection = ConnectionConfig(tls_ciphers="x", tls_max_version="1.2", tls_keylog="y")
    loaded = saying(DockerConfig(connection=connection))
    assert list(without_tls(loaded, Host("https://a", tls=Tls()))) == []
    assert list(without_tls(saying(DockerConfig()), Host("tcp://a"))) == []
    assert list(without_tls(loaded, Host("tcp://a:pw@b"))) == [
        f"c.toml: known, not acted on: {key} in [runners.docker.connection], because "
        "tcp://a:…@b is spoken to without TLS"
        for key in ("tls_ciphers", "tls_max_version", "tls_keylog")
    ]


def test_how_connections_are_made() -> None:
    host = Host("tcp://a", tls=Tls(ca="ca"), proxy="http://p", patience=7.0)
    assert connected_as(host, ConnectionConfig()) == host
    chosen = ConnectionConfig(
        keepalive=KeepaliveConfig(idle=3, count=2),
        idle=60,
        patience=5,
        preview=True,
        proxy="http://q",
        tls_ciphers="AES256-SHA",
        tls_max_version="1.2",
        tls_keylog="/keys",
    )
    assert connected_as(host, chosen) == Host(
        "tcp://a",
        tls=Tls(ca="ca", ciphers="AES256-SHA", max_version="1.2", keylog="/keys"),
        proxy="http://q",
        keepalive=Keepalive(idle=3, count=2),
        idle=60,
        patience=5,
        preview=True,
    )


@pytest.mark.parametrize(("chosen", "expected"), [(True, DEFAULT), (False, None)])
def test_keepalives(chosen: bool, expected: Keepalive | None) -> None:
    connection = ConnectionConfig(keepalive=chosen)
    assert connected_as(Host("tcp://a"), connection).keepalive == expected
    assert KeepaliveConfig() == KeepaliveConfig(
        DEFAULT.idle, DEFAULT.interval, DEFAULT.count, DEFAULT.user_timeout
    )
