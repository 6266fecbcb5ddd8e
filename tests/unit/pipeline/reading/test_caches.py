# ruff: noqa: E501 — tables of cases, one a line
from collections.abc import Callable

import pytest

from tracekeeper.pipeline.config import Cache, CacheKeyFiles, JobConfig


@pytest.mark.parametrize(
    ("written", "caches"),
    [
        ("{}", ()),
        ("[]", ()),
        ("{paths: [a]}", (Cache(paths=("a",)),)),
        ("{key: $CI_COMMIT_REF_SLUG, paths: [a]}", (Cache("$CI_COMMIT_REF_SLUG", ("a",)),)),
        ("{key: {files: [a.lock]}}", (Cache(CacheKeyFiles(("a.lock",))),)),
        ("{key: {files: [a, b], prefix: p}}", (Cache(CacheKeyFiles(("a", "b"), "p")),)),
        ("[{key: a}, {key: b}]", (Cache("a"), Cache("b"))),
        ("{policy: pull, when: on_failure, untracked: true}", (Cache(policy="pull", when="on_failure", untracked=True),)),
        ("{policy: $POLICY, unprotect: true}", (Cache(policy="$POLICY", unprotect=True),)),
        ("{key: a, fallback_keys: [b, c]}", (Cache("a", fallback_keys=("b", "c")),)),
    ],
)  # fmt: skip
def test_caches(
    job_of: Callable[[str], JobConfig], written: str, caches: tuple[Cache, ...]
) -> None:
    assert job_of(f"cache: {written}").cache == caches


@pytest.mark.parametrize(
    ("written", "messages"),
    [
        ("a", ["`cache` must be a mapping or a list of mappings, not a string (its keywords: key, paths, untracked, policy, when, fallback_keys, unprotect)"]),
        ("{kye: a}", ["`kye` is not a keyword of `cache` (did you mean `key`?)"]),
        ("{key: a/b}", ["`cache:key` must not contain `/` (for example use `-`)"]),
        ("{key: a%2Fb}", ["`cache:key` must not contain `/` (for example use `-`)"]),
        ("{key: '..'}", ["`cache:key` must not be dots alone"]),
        ("{key: {}}", ["`cache:key` needs `files`"]),
        ("{key: [a]}", ["`cache:key` must be a string or a mapping, not a list (its keywords: files, files_commits, prefix)"]),
        ("{key: {files: [a, b, c, d, e, f, g, h, i, j, k]}}", ["`cache:key:files` has 11 entries, at most 10 are allowed"]),
        ("{key: {files_commits: [a]}}", ["`cache:key:files_commits` is accepted, but has no effect in Tracekeeper"]),
        ("{policy: pul}", ["`cache:policy` must be one of pull-push, pull, push, not `pul` (did you mean `pull`?)"]),
        ("{fallback_keys: [a, b, c, d, e, f]}", ["`cache:fallback_keys` has 6 entries, at most 5 are allowed"]),
        ("[{}, {}, {}, {}, {}]", ["`cache` has 5 entries, at most 4 are allowed"]),
    ],
)  # fmt: skip
def test_mistakes(
    job_messages_of: Callable[[str], list[str]], written: str, messages: list[str]
) -> None:
    assert job_messages_of(f"cache: {written}") == messages
