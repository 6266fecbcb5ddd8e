"""Git checkouts, globs, archives and caches."""
