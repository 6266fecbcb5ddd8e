"""The caches of a job, with the keys they are kept under.

Source: https://docs.gitlab.com/ci/yaml/#cache.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from tracekeeper.pipeline.config import Cache, CacheKeyFiles
from tracekeeper.pipeline.variables import expand
from tracekeeper.protocol.payload import CacheSpec

DEFAULT_KEY = "default"

_SEPARATOR = re.compile(r"/|\\|%2f|%5c", re.IGNORECASE)
_DOTS = re.compile(r"(?:\.|%2e)+", re.IGNORECASE)


def cache_specs(
    caches: Sequence[Cache], values: Mapping[str, str], digest: Callable[[CacheKeyFiles], str]
) -> tuple[CacheSpec, ...]:
    """The caches with `values` in their keys and policies; paths stay as written.

    `digest` names the state of the files of a ``key: files``; it returns ``""`` where none of
    them exists, and the key is then ``default``.
    """
    return tuple(
        _spec(cache, values, digest, f"{index}_" if len(caches) > 1 else "")
        for index, cache in enumerate(caches)
    )


def safe_key(key: str) -> str:
    """`key` as one name of a directory: GitLab allows no ``/`` in keys, nor only dots.

    These become ``_``, so that a key can never lead out of the cache.
    """
    key = _SEPARATOR.sub("_", key).strip()
    return "_" if _DOTS.fullmatch(key) else key


def _spec(
    cache: Cache,
    values: Mapping[str, str],
    digest: Callable[[CacheKeyFiles], str],
    number: str,
) -> CacheSpec:
    fallbacks = [*cache.fallback_keys, "$CACHE_FALLBACK_KEY"]
    names = [safe_key(expand(fallback, values)) for fallback in fallbacks]
    return CacheSpec(
        key=_key(cache.key, values, digest, number),
        paths=cache.paths,
        untracked=cache.untracked,
        policy=expand(cache.policy, values),
        when=cache.when,
        fallback_keys=tuple(name for name in names if name),
    )


def _key(
    key: str | CacheKeyFiles,
    values: Mapping[str, str],
    digest: Callable[[CacheKeyFiles], str],
    number: str,
) -> str:
    """`number` keeps the caches of one job apart that follow the same files."""
    if isinstance(key, str):
        return safe_key(expand(key, values)) or DEFAULT_KEY
    prefix = expand(key.prefix, values)
    name = f"{number}{prefix}-" if prefix else number
    return safe_key(name + (digest(key) or DEFAULT_KEY))
