"""Write the pages of docs/ that are made from the code. With ``--check``, only compare."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import msgspec

from tracekeeper.events import AnyEvent, PlannedJob
from tracekeeper.net.incident.picture import svg
from tracekeeper.pipeline.status import markdown_table, mermaid
from tracekeeper.runner.docker.config import (
    ConnectionConfig,
    DockerConfig,
    KeepaliveConfig,
    ServiceConfig,
)
from tracekeeper.runner.docker.reading import meta, wording

DOCS = Path(__file__).parent.parent / "docs"
NOTICE = "<!-- Made by scripts/generate_docs.py; do not edit. -->"

EVENTS = """\
`tracekeeper run --json` prints one JSON object per line. Every object has `type`, `v` and `time`.
Within one version, fields and types are added but never changed or removed: pass over what you do
not know.

`time` is when it happened; of `output` and `preview`, when it was told. The objects come in the
order in which they are told, and an event waits until the output before it has been: so a time may
be earlier than that of the line above. What belongs to one job comes in its order: `job_started` or
`job_resumed`, its output, `job_finished`."""

STATUS = """\
One table decides what may happen to a job (`tracekeeper/pipeline/status.py`). An empty cell is an
event that cannot happen to a job of that status."""


DOCKER = """\
`tracekeeper run --docker-config FILE` runs docker jobs as the `[runners.docker]` section of a
gitlab-runner `config.toml` says. FILE is the whole `config.toml`, or one with nothing but such a
section. Of several runners with that section one is named: `FILE:NAME`.

```toml
[[runners]]
  executor = "docker"
  [runners.docker]
    host = "tcp://docker.example:2376"
    tls_verify = true
    tls_cert_path = "/etc/tracekeeper/docker"
    image = "ruby:3.3"
    memory = "2g"
    volumes = ["/cache"]
    [runners.docker.connection]
      idle = 600
```

Each key below is acted on with the meaning that it has in gitlab-runner (19.4), or named in a
warning. A wrong value is an error that names file, key and what would be right; so is what the
engine refuses, with the engine's own sentence. An unknown key is a warning with the nearest known
one, in `[[runners]]` too. `--docker-host` and `--docker-context` win over `host`.

An engine that an option or `host` names has to be there: a job with an image fails without it, as
with `--executor docker`. Only where the environment or nothing names one does such a job run on
this machine instead, with a warning. `tracekeeper engine check --docker-config FILE` checks the
engine and the way to it as a run with that file would go.

Of the keys of `[[runners]]`, only `DOCKER_AUTH_CONFIG` in `environment` counts here; those that
would change a job are named in a warning."""

CONNECTION = """\
How the connections to the engine are made: a table of our own, which gitlab-runner passes over. The
`tls_…` keys need an engine that is spoken to with TLS.

Two keys are called `idle`, for two kinds of middlebox:

- `idle` in this table is about a middlebox that counts payload alone, so that no keepalive helps:
  say after how many seconds it forgets a quiet connection. A connection over which nothing came for
  70 % of that time is replaced by a new one, over which the log is read on where it was. A limit
  that keepalives do help against needs no `idle`.
- `idle` in the table `keepalive` is TCP's: the quiet seconds before the kernel sends a first probe.
  It has to be below the limit of a middlebox that counts packets; 15 is, nearly everywhere."""

KEEPALIVE = """\
`keepalive = true` is the default, the values below; `keepalive = false` turns it off, with a
warning: a connection that is quiet for 30 s is then replaced. A table changes some of them, as in
`keepalive = { idle = 5, interval = 2 }`. An engine that is gone is known after `idle` + `interval`
× `count` seconds, or after `user_timeout` while something is on its way to it."""

DOCKER_MORE = """\
## Volumes

An entry of `volumes` that is only a directory (`/cache`) is a cache volume: a named volume on the
engine, of this project and one of the jobs that it runs at once, with the label
`tracekeeper.cache`. Any user of any image may write to it. It stays until you remove it. The
labels `tracekeeper.project` (the project's directory) and `tracekeeper.owner` (the id of its data
directory, and which of the jobs at once) tell whose it is:

    docker volume ls --filter label=tracekeeper.cache
    docker volume ls --filter label=tracekeeper.cache --filter label=tracekeeper.project=$(pwd -P)
    docker volume rm $(docker volume ls -q --filter label=tracekeeper.project=$(pwd -P))

With `disable_cache` it is the job's and its services' alone and goes with them; with `cache_dir` it
is a directory of the engine's host.

## Services

Services have the job's network and its volumes. Where the network gives no names (`bridge`,
`host`), theirs are in the job's `/etc/hosts`. With `CI_DEBUG_SERVICES: "true"` what they write is
in the job's log, each line behind `[service:NAME]`; control characters other than colours are shown
as signs, and a line of more than 1 MiB is left out, because a secret could be cut with it.

## Registries

Credentials for a pull are looked for in `DOCKER_AUTH_CONFIG` (the job's variable, else the
runner's `environment`), then in this machine's `$DOCKER_CONFIG/config.json`,
`~/.docker/config.json` or `~/.dockercfg`, then in what came with the job. The nearest name wins
(`registry.example/group` before `registry.example`), then the earlier source. `credHelpers` and
`credsStore` are asked (`docker-credential-NAME get`), a store for whole registries only. A source
that cannot be read, or a helper that fails, is a warning in the log, without what it printed.

## What differs

gitlab-runner passes over `[runners.docker.connection]`; it leaves the table out when it writes the
file itself, as `gitlab-runner register` does. Keys are written in lower case, as documented."""


def docker_page() -> str:
    """docs/docker-config.md."""
    structs = (
        ("`[runners.docker]`", DockerConfig),
        ("`[[runners.docker.services]]`", ServiceConfig),
    )
    parts = [NOTICE, "# Docker jobs as a config.toml says", DOCKER]
    for title, struct in structs:
        parts += [f"## {title}", keys_table(struct)]
    for title, intro, own in (
        ("## `[runners.docker.connection]`", CONNECTION, ConnectionConfig),
        ("### `[runners.docker.connection.keepalive]`", KEEPALIVE, KeepaliveConfig),
    ):
        parts += [title, intro, defaults_table(own)]
    return "\n\n".join([*parts, DOCKER_MORE]) + "\n"


NESTED = {
    "connection": "a table",
    "services": "tables",
    "keepalive": "true, false or a table",
}


def keys_table(struct: type[msgspec.Struct]) -> str:
    """The keys of a section, and what is done with each."""
    rows = ["| key | value | meaning | differs |", "|---|---|---|---|"]
    for field in msgspec.structs.fields(struct):
        said = meta(field)
        extra = said.extra or {}
        meaning = said.description or f"Not acted on: {extra['ignored']}."
        differs = f"{extra['differs'][:1].upper()}{extra['differs'][1:]}"
        value = NESTED.get(field.name) or cell(wording(field.type))
        rows.append(f"| `{field.name}` | {value} | {cell(meaning)} | {cell(differs)} |")
    return "\n".join(rows)


def defaults_table(struct: type[msgspec.Struct]) -> str:
    """The keys of a table of our own, each with what holds where it is not given."""
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for field in msgspec.structs.fields(struct):
        said = meta(field)
        default = (said.extra or {})["default"] or str(field.default).lower()
        value = NESTED.get(field.name) or cell(wording(field.type))
        rows.append(f"| `{field.name}` | {value} | {default} | {cell(said.description or '')} |")
    return "\n".join(rows)


def cell(text: str) -> str:
    """`text` inside a table."""
    return text.replace("|", "\\|").replace(" in quotes", "")


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


PAGES = {
    "docker-config.md": docker_page,
    "events.md": events_page,
    "job-status.md": status_page,
    "images/incident.svg": svg,
}


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
