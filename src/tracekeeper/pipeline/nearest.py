"""The known name that a mistyped one most resembles."""

from collections.abc import Iterable


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like `word`, or None where none is close; case does not matter.

    difflib is imported here: it is slow to load, and only a mistake needs it.
    """
    import difflib

    by_lower = {candidate.lower(): candidate for candidate in candidates}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return by_lower[close[0]] if close else None


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """A hint that names the nearest candidate; empty where none is close."""
    close = nearest(word, candidates)
    return f"did you mean `{close}`?" if close else ""
