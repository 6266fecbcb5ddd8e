"""Names of images: ``[registry/]path[:tag][@digest]``. Pure.

Source: the grammar of distribution/reference. The first part of a path is a registry if it has a
dot or a colon, or is ``localhost``; otherwise the image is on Docker Hub.
"""

import msgspec

HUB = "docker.io"


class Reference(msgspec.Struct, frozen=True):
    """A name without its tag, the tag (``latest`` if none is given), and the digest or ""."""

    name: str
    tag: str
    digest: str = ""

    @property
    def registry(self) -> str:
        """The registry's host, with its port."""
        first, slash, _ = self.name.partition("/")
        named = slash and (first == "localhost" or "." in first or ":" in first)
        return first if named else HUB


def parse(image: str) -> Reference:
    """Take an image's name apart."""
    rest, _, digest = image.partition("@")
    path, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:  # that colon belongs to a registry's port
        path, tag = rest, ""
    return Reference(path, tag or "latest", digest)


def service_aliases(image: str) -> tuple[str, ...]:
    """The host names of a service that has no alias: ``a/b:1`` is ``a__b`` and ``a-b``.

    The tag, the digest and a registry's port do not count.
    Source: GitLab docs, "Accessing the services".
    """
    registry, slash, path = parse(image).name.partition("/")
    name = registry.partition(":")[0] + slash + path
    return tuple(dict.fromkeys((name.replace("/", "__"), name.replace("/", "-"))))
