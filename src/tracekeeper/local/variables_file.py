"""``--variables-file``: variables of the user's own, with what GitLab's settings page can say."""

from pathlib import Path

from tracekeeper.errors import InvalidPipeline, UsageError
from tracekeeper.pipeline.config import Variable
from tracekeeper.pipeline.nearest import nearest
from tracekeeper.pipeline.node import Entry, Mapping, Node, Scalar
from tracekeeper.pipeline.yaml import parse
from tracekeeper.problems import Problem

FLAGS = ("masked", "file", "raw")


def read_variables_file(path: Path) -> dict[str, Variable]:
    """The variables in the YAML file `path`: ``KEY: value`` or ``KEY: {value, masked, file,
    raw}``. Raises UsageError where it cannot be read, InvalidPipeline for what is wrong in it."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UsageError(f"the variables file {path} cannot be read: {error.strerror}") from error
    problems: list[Problem] = []
    document = parse(text, str(path), problems)
    found = _variables(document, problems)
    errors = [problem for problem in problems if not problem.warning]
    if errors:
        raise InvalidPipeline(errors)
    return found


def _variables(document: Node | None, problems: list[Problem]) -> dict[str, Variable]:
    if document is None:
        return {}
    if not isinstance(document, Mapping):
        problems.append(
            Problem("wrong_type", "a variables file is a mapping", document.at, "KEY: value")
        )
        return {}
    read = (_variable(entry, problems) for entry in document)
    return {variable.key: variable for variable in read if variable is not None}


def _variable(entry: Entry, problems: list[Problem]) -> Variable | None:
    if isinstance(entry.value, Scalar):
        return Variable(entry.key, _text(entry.value))
    if not isinstance(entry.value, Mapping):
        problems.append(_wrong(entry, "a value or a mapping with `value`"))
        return None
    value = entry.value.get("value")
    if not isinstance(value, Scalar):
        problems.append(_wrong(entry, "a mapping with `value`"))
        return None
    flags = dict.fromkeys(FLAGS, False)
    for option in entry.value:
        if option.key == "value":
            continue
        if option.key not in FLAGS:
            hint = nearest(option.key, ("value", *FLAGS))
            problems.append(
                Problem(
                    "unknown_keyword",
                    f"`{option.key}` is not known here",
                    option.at,
                    f"did you mean `{hint}`?" if hint else "value, masked, file or raw",
                )
            )
            continue
        if not isinstance(option.value, Scalar) or not isinstance(option.value.value, bool):
            problems.append(_wrong(option, "true or false"))
            continue
        flags[option.key] = option.value.value
    return Variable(
        entry.key,
        _text(value),
        raw=flags["raw"],
        file=flags["file"],
        masked=flags["masked"],
        public=not flags["masked"],
    )


def _text(scalar: Scalar) -> str:
    return "" if scalar.value is None else scalar.text


def _wrong(entry: Entry, wanted: str) -> Problem:
    return Problem("wrong_type", f"`{entry.key}` has to be {wanted}", entry.value.at)
