"""``parallel``: one job as many.

Names and their order are GitLab's: ``test 1/3`` for a number, ``test: [linux, gcc]`` for a
matrix, whose last variable changes fastest. Source: https://docs.gitlab.com/ci/yaml/#parallel.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product

import msgspec

from tracekeeper.pipeline.config import JobConfig, Need, Variable

_EXPRESSION = re.compile(r"\$\[\[\s*matrix\.([A-Za-z0-9_-]+)\s*\]\]")


class Instance(msgspec.Struct, frozen=True):
    """One job made from a `JobConfig`. `index` counts from 1; it and `total` are 0 for a job
    without ``parallel``. `variables` are those of the matrix."""

    name: str
    index: int = 0
    total: int = 0
    variables: Mapping[str, Variable] = {}


def instances(job: JobConfig) -> list[Instance]:
    """The jobs that `job` stands for, in GitLab's order."""
    if job.matrix:
        combinations = list(_combinations(row.variables for row in job.matrix))
        return [
            Instance(
                _matrix_name(job.name, values),
                index,
                len(combinations),
                {key: Variable(key, value) for key, value in values.items()},
            )
            for index, values in enumerate(combinations, 1)
        ]
    if job.parallel:
        numbers = range(1, job.parallel + 1)
        return [Instance(f"{job.name} {n}/{job.parallel}", n, job.parallel) for n in numbers]
    return [Instance(job.name)]


def needed_names(need: Need, needed: JobConfig | None) -> list[str]:
    """The names of the jobs that `need` asks for; `needed` is the job it names, where there is
    one. A need of a parallel job means all its instances, or those of its own ``matrix``. These
    are found by their names, so the variables have to be in the order of the needed job, as
    GitLab documents."""
    if needed is None or not (needed.parallel or needed.matrix):
        return [need.job]
    if need.matrix:
        return [_matrix_name(need.job, values) for values in _combinations(need.matrix)]
    return [instance.name for instance in instances(needed)]


def interpolated(need: Need, instance: Instance) -> Need:
    """`need` with each ``$[[ matrix.NAME ]]`` replaced by the value in `instance`; unknown names
    stay. Source: https://docs.gitlab.com/ci/yaml/matrix_expressions/."""

    def filled(text: str) -> str:
        return _EXPRESSION.sub(_value, text)

    def _value(found: re.Match[str]) -> str:
        variable = instance.variables.get(found[1])
        return variable.value if variable else found[0]

    rows = tuple(
        {key: tuple(map(filled, values)) for key, values in row.items()} for row in need.matrix
    )
    return msgspec.structs.replace(need, job=filled(need.job), matrix=rows)


def _combinations(rows: Iterable[Mapping[str, tuple[str, ...]]]) -> Iterator[dict[str, str]]:
    for row in rows:
        for values in product(*row.values()):
            yield dict(zip(row, values, strict=True))


def _matrix_name(job: str, values: Mapping[str, str]) -> str:
    return f"{job}: [{', '.join(values.values())}]"
