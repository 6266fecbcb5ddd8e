"""Write the pages of docs/ that are made from the code. With ``--check``, only compare."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import msgspec

from tracekeeper.events import AnyEvent, PlannedJob
from tracekeeper.net.incident.picture import svg
from tracekeeper.pipeline.status import markdown_table, mermaid

DOCS = Path(__file__).parent.parent / "docs"
NOTICE = "<!-- Made by scripts/generate_docs.py; do not edit. -->"

EVENTS = """\
`tracekeeper run --json` prints one JSON object per line. Every object has `type`, `v` and `time`.
Within one version, fields and types are added but never changed or removed: pass over what you do
not know."""

STATUS = """\
One table decides what may happen to a job (`tracekeeper/pipeline/status.py`). An empty cell is an
event that cannot happen to a job of that status."""


def events_page() -> str:
    """docs/events.md."""
    parts = [NOTICE, "# Events", EVENTS]
    for event in get_args(AnyEvent):
        parts += [f"## `{event.__struct_config__.tag}`", *described(event)]
    parts += ["## A planned job", *described(PlannedJob)]
    return "\n\n".join(parts) + "\n"


def described(struct: type[msgspec.Struct]) -> Iterator[str]:
    """A struct's docstring and a table of its fields."""
    yield " ".join((struct.__doc__ or "").split())
    schema = msgspec.json.schema(struct)
    fields = schema["$defs"][struct.__name__]["properties"]
    rows = [
        f"| `{name}` | {kind(field)} | {field['description']} |"
        for name, field in fields.items()
        if name != "type"
    ]
    yield "\n".join(["| field | JSON type | meaning |", "|---|---|---|", *rows])


def kind(field: dict[str, object]) -> str:
    """A field's JSON type in words."""
    if "enum" in field:
        values = field["enum"]
        assert isinstance(values, list)
        return "one of " + ", ".join(f"`{msgspec.json.encode(v).decode()}`" for v in values)
    if "anyOf" in field:
        options = field["anyOf"]
        assert isinstance(options, list)
        return " or ".join(kind(option) for option in options)
    if field.get("type") == "array":
        return "array"
    return str(field["type"])


def status_page() -> str:
    """docs/job-status.md."""
    diagram = f"```mermaid\n{mermaid()}```"
    return (
        "\n\n".join([NOTICE, "# The status of a job", STATUS, markdown_table().strip(), diagram])
        + "\n"
    )


PAGES = {"events.md": events_page, "job-status.md": status_page, "images/incident.svg": svg}


def main() -> int:
    """Write or check every page; the exit status."""
    stale = []
    for name, page in PAGES.items():
        path, text = DOCS / name, page()
        if "--check" in sys.argv:
            stale += [name] if not path.exists() or path.read_text() != text else []
        else:
            path.write_text(text)
    for name in stale:
        print(f"docs/{name} is out of step with the code: run scripts/generate_docs.py")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
