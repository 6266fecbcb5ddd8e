"""Cache keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.jobs.caches import cache_specs, safe_key
from tracekeeper.pipeline.config import Cache, CacheKeyFiles
from tracekeeper.protocol.payload import CacheSpec

VALUES = {"REF": "feature/x", "POLICY": "pull", "DOTS": ".."}


def digest(key: CacheKeyFiles) -> str:
    return "abc" if "lock" in key.files else ""


def keys(*caches: Cache) -> list[str]:
    return [spec.key for spec in cache_specs(caches, VALUES, digest)]


def test_all_fields() -> None:
    cache = Cache(
        key="$REF-v1",
        paths=("$DIR/cache",),
        untracked=True,
        policy="$POLICY",
        when="always",
        fallback_keys=("$REF", "$NOTHING", "main"),
    )
    assert cache_specs([cache], VALUES | {"CACHE_FALLBACK_KEY": "last"}, digest) == (
        CacheSpec(
            key="feature_x-v1",
            paths=("$DIR/cache",),
            untracked=True,
            policy="pull",
            when="always",
            fallback_keys=("feature_x", "main", "last"),
        ),
    )


def test_keys_that_are_empty_are_the_default_one() -> None:
    assert keys(Cache(), Cache(key=""), Cache(key="$NOTHING")) == ["default"] * 3


def test_keys_that_follow_files() -> None:
    assert keys(Cache(key=CacheKeyFiles(("lock",)))) == ["abc"]
    assert keys(Cache(key=CacheKeyFiles(("lock",), "$REF"))) == ["feature_x-abc"]
    assert keys(Cache(key=CacheKeyFiles(("none",)))) == ["default"]
    assert keys(Cache(key=CacheKeyFiles(("none",), "p"))) == ["p-default"]


def test_several_caches_that_follow_the_same_files() -> None:
    same = Cache(key=CacheKeyFiles(("lock",)))
    assert keys(same, same, Cache(key="x")) == ["0_abc", "1_abc", "x"]


@pytest.mark.parametrize(
    ("key", "safe"),
    [
        ("a/b\\c", "a_b_c"),
        ("a%2Fb%5cc", "a_b_c"),
        (".", "_"),
        ("..", "_"),
        ("%2E.", "_"),
        ("../x", ".._x"),
        ("v1.2", "v1.2"),
        (" x ", "x"),
    ],
)
def test_safe_keys(key: str, safe: str) -> None:
    assert safe_key(key) == safe


@given(st.text(st.sampled_from("./\\%2eEfF5cC x")))
def test_no_key_leads_out_of_the_cache(key: str) -> None:
    safe = safe_key(key)
    assert "/" not in safe
    assert "\\" not in safe
    assert safe not in (".", "..")
