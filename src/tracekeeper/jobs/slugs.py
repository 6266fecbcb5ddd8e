"""Names made fit for host names, URLs and paths, by GitLab's rules."""

import re
from string import ascii_lowercase, digits

_NUMBERING = re.compile(r"(?:[\s:]+(?:\[.*\]|\d+[\s:/\\]+\d+)){1,3}\s*$")
_BASE36 = digits + ascii_lowercase

TIERS = (
    ("development", re.compile(r"dev|review|trunk", re.IGNORECASE)),
    ("testing", re.compile(r"test|tst|int|ac(?:ce)?pt|qa|qc|control|quality", re.IGNORECASE)),
    ("staging", re.compile(r"sta?g|mode?l|pre|demo|non", re.IGNORECASE)),
    ("production", re.compile(r"pro?d|live", re.IGNORECASE)),
)
"""Deployment tiers, each with the environment names that suggest it; the first match counts."""


def slug(text: str) -> str:
    """`text` in lower case, all but ``a-z0-9`` as ``-``, at most 63 characters, no ``-`` at
    either end: CI_COMMIT_REF_SLUG, CI_JOB_NAME_SLUG and others."""
    return _dashed(text)[:63].strip("-")


def environment_slug(name: str) -> str:
    """CI_ENVIRONMENT_SLUG: at most 24 characters, starts with a letter, unique for `name`.

    A name that has to change gets a suffix made of its SHA-256, as in GitLab.
    """
    dashed = _dashed(name)
    if not dashed[:1].isalpha():
        dashed = f"env-{dashed}"
    dashed = re.sub(r"-+", "-", dashed)
    if len(dashed) <= 24 and dashed == name:
        return dashed.removesuffix("-")
    return f"{dashed[:17].removesuffix('-')}-{_suffix(name)}"


def group_name(job: str) -> str:
    """A job's name without its number or matrix: ``build 2/5`` and ``build: [a]`` are ``build``."""
    return _NUMBERING.sub("", job).strip()


def deployment_tier(environment: str) -> str:
    """The tier that an environment's name suggests, ``other`` if none."""
    return next((tier for tier, names in TIERS if names.search(environment)), "other")


def _dashed(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "-", text.lower())


def _suffix(name: str) -> str:
    """The last six base-36 digits of the SHA-256 of `name`."""
    from hashlib import sha256  # loads OpenSSL: only for jobs with an environment

    number = int(sha256(name.encode()).hexdigest(), 16)
    return "".join(_BASE36[number // 36**place % 36] for place in reversed(range(6)))
