import pytest

from tracekeeper.engine.references import Reference, parse, service_aliases


@pytest.mark.parametrize(
    ("image", "reference", "registry"),
    [
        ("busybox", Reference("busybox", "latest"), "docker.io"),
        ("a/b:1", Reference("a/b", "1"), "docker.io"),
        ("host:5000/a/b", Reference("host:5000/a/b", "latest"), "host:5000"),
        ("host.tld/a:2@sha256:ab", Reference("host.tld/a", "2", "sha256:ab"), "host.tld"),
        ("localhost/a@sha256:ab", Reference("localhost/a", "latest", "sha256:ab"), "localhost"),
    ],
)
def test_parse(image: str, reference: Reference, registry: str) -> None:
    assert parse(image) == reference
    assert parse(image).registry == registry


@pytest.mark.parametrize(
    ("image", "aliases"),
    [
        ("postgres:11.7", ("postgres",)),
        ("a/b:tag", ("a__b", "a-b")),
        ("registry.tld:5000/a/b:1", ("registry.tld__a__b", "registry.tld-a-b")),
        ("tutum/wordpress@sha256:" + "a" * 64, ("tutum__wordpress", "tutum-wordpress")),
    ],
)
def test_service_aliases(image: str, aliases: tuple[str, ...]) -> None:
    assert service_aliases(image) == aliases
