"""``--variables-file``: variables of the user's own, with what GitLab's settings page can say."""

from pathlib import Path

from tracekeeper.errors import InvalidPipeline, UsageError
from tracekeeper.pipeline.config import Variable
from tracekeeper.pipeline.nearest import did_you_mean
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
    found = _variables(parse(text, str(path), problems), problems)
    errors = [problem for problem in problems if not problem.warning]
    if errors:
        raise InvalidPipeline(errors)
    return found


def _variables(document: Node | None, problems: list[Problem]) -> dict[str, Variable]:
    if document is None:
        return {}
    if not isinstance(document, Mapping):
        message = "a variables file has to be a mapping"
        problems.append(Problem("wrong_type", message, document.at, "KEY: value"))
        return {}
    read = (_variable(entry, problems) for entry in document)
    return {variable.key: variable for variable in read if variable}


def _variable(entry: Entry, problems: list[Problem]) -> Variable | None:
    if isinstance(entry.value, Scalar):
        return Variable(entry.key, _text(entry.value))
    value = entry.value.get("value") if isinstance(entry.value, Mapping) else None
    if not isinstance(value, Scalar) or not isinstance(entry.value, Mapping):
        problems.append(_wrong(entry, "a value, or a mapping with `value`"))
        return None
    flags = {option.key: _flag(option, problems) for option in entry.value if option.key != "value"}
    masked = flags.get("masked", False)
    return Variable(
        entry.key,
        _text(value),
        raw=flags.get("raw", False),
        file=flags.get("file", False),
        masked=masked,
        public=not masked,
    )


def _flag(option: Entry, problems: list[Problem]) -> bool:
    if option.key not in FLAGS:
        message = f"`{option.key}` is not known here"
        hint = did_you_mean(option.key, ("value", *FLAGS)) or "value, masked, file or raw"
        problems.append(Problem("unknown_keyword", message, option.at, hint))
        return False
    value = option.value.value if isinstance(option.value, Scalar) else None
    if not isinstance(value, bool):
        problems.append(_wrong(option, "true or false"))
    return value is True


def _text(scalar: Scalar) -> str:
    return "" if scalar.value is None else scalar.text


def _wrong(entry: Entry, wanted: str) -> Problem:
    return Problem("wrong_type", f"`{entry.key}` has to be {wanted}", entry.value.at)
