"""GitLab's deep merge, the same for `include` and `extends`."""

from tracekeeper.pipeline.node import Entry, Mapping


def deep_merge(base: Mapping, override: Mapping) -> Mapping:
    """`base` with `override` over it: mappings are merged key by key, all else is replaced.

    Keys keep the place they have in `base`; new ones follow. The positions are those of
    `override` wherever it says something.
    """
    entries = base.entries.copy()
    for entry in override:
        known = entries.get(entry.key)
        entries[entry.key] = _merge_entries(known, entry) if known else entry
    return Mapping(entries, override.at)


def _merge_entries(base: Entry, override: Entry) -> Entry:
    if isinstance(base.value, Mapping) and isinstance(override.value, Mapping):
        return Entry(override.key, deep_merge(base.value, override.value), override.at)
    return override
