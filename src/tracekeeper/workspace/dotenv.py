"""``artifacts:reports:dotenv``: variables that a job hands to later ones, by GitLab's rules.

One ``KEY=VALUE`` in each line. There is no quoting, no comment, no empty line and no expansion;
space around key and value is dropped; of one key the last value counts
(docs.gitlab.com/ci/yaml/artifacts_reports, ``artifacts:reports:dotenv``).
"""

import codecs
import re

from tracekeeper.errors import WorkspaceError

MOST_BYTES = 5 * 1024
"""GitLab refuses a file of this size or more."""
MOST_VARIABLES = 150
"""GitLab's own limit on a self-managed server; GitLab.com has 50 to 150 by plan."""

_KEY = re.compile(r"[A-Za-z0-9_]{1,255}")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def parse_dotenv(data: bytes) -> dict[str, str]:
    """The variables of a dotenv report, in file order. Its first `MOST_BYTES` bytes suffice.

    Raises `WorkspaceError` for what GitLab refuses, naming the line.
    """
    if len(data) >= MOST_BYTES:
        raise WorkspaceError(
            f"the dotenv report is too large; GitLab takes less than {MOST_BYTES} bytes"
        )
    lines = _decode(data).split("\n")
    if not lines[-1]:
        lines.pop()
    variables = dict(_variable(line, number) for number, line in enumerate(lines, 1))
    if len(variables) > MOST_VARIABLES:
        raise WorkspaceError(
            f"the dotenv report has {len(variables)} variables; GitLab takes {MOST_VARIABLES}"
        )
    return variables


def _decode(data: bytes) -> str:
    # PowerShell's ">" writes UTF-16; GitLab reads it.
    encoding = "utf-16" if data.startswith(_UTF16) else "utf-8-sig"
    return data.decode(encoding, "replace")


def _variable(line: str, number: int) -> tuple[str, str]:
    key, separator, value = line.partition("=")
    key = key.strip()
    if not separator:
        what = "is empty" if not key else "is not KEY=VALUE"
        raise WorkspaceError(
            f"line {number} of the dotenv report {what}; GitLab takes neither comments nor "
            "empty lines"
        )
    if not _KEY.fullmatch(key):
        raise WorkspaceError(
            f"line {number} of the dotenv report has the key {key!r}; a key has only letters, "
            "digits and underscores, at most 255"
        )
    return key, value.strip()
