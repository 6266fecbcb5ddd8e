import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.runner.docker.volumes import MODES, Volume, cache_name, mounted, parse

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,10}", fullmatch=True).filter(
    lambda name: name not in MODES
)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
MODE_LISTS = st.lists(st.sampled_from(sorted(MODES)), max_size=3, unique=True).map(",".join)


@given(PATHS, st.one_of(st.just(""), PATHS, NAMES), MODE_LISTS)
def test_a_volume_reads_as_it_is_written(destination: str, source: str, mode: str) -> None:
    volume = Volume(destination, source, mode)
    assert parse(volume.bind) == volume


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/cache", Volume("/cache")),
        ("/cache:rw", Volume("/cache", "", "rw")),
        ("/a:/b", Volume("/b", "/a")),
        ("/a:/b:ro,z", Volume("/b", "/a", "ro,z")),
        ("data:/b", Volume("/b", "data")),
        ("/a:$CI_PROJECT_DIR", Volume("$CI_PROJECT_DIR", "/a")),
        ("ro:/b", Volume("/b", "ro")),
    ],
)
def test_forms(text: str, expected: Volume) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no absolute path"),
        ("cache", "no absolute path"),
        ("a:ro", "no absolute path"),
        ("a:b:c", "is not a volume"),
        ("/a:/b:/c", "is not a volume"),
        ("/a:/b:wr", "is not a volume"),
        ("../a:/b", "neither a path nor"),
        (":/b", "has no source"),
    ],
)
def test_what_is_no_volume(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse(text)


def test_destinations_are_expanded() -> None:
    found = mounted(["/h:$DIR/x/:ro", "/cache"], {"DIR": "/builds"})
    assert found == (Volume("/builds/x", "/h", "ro"), Volume("/cache"))


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        (["/h:/"], "below / is needed"),
        (["/h:$NOTHING"], "below / is needed"),
        (["/h:${A}"], "below / is needed"),
        (["/cache", "/h:/cache/"], "two volumes for /cache"),
    ],
)
def test_destinations_that_cannot_be(entries: list[str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        mounted(entries, {"A": "relative"})


@given(st.text(), st.text(), st.text(), st.text())
def test_each_owner_has_its_own_cache_for_each_directory(a: str, b: str, c: str, d: str) -> None:
    one, other = (f"id-{a}/0", f"/{b}"), (f"id-{c}/0", f"/{d}")
    assert (cache_name(*one) == cache_name(*other)) == (":".join(one) == ":".join(other))
    assert len(cache_name(*one)) < 64
