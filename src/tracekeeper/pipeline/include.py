"""``include``: one pipeline out of several files of the project.

Included files come first, each over the one before, and the including file over them all
(https://docs.gitlab.com/ci/yaml/#include). A file is read once, however often it is included.
"""

from collections.abc import Mapping as AbstractMapping

from tracekeeper.pipeline.include_entries import Changed, IncludeReader, Location
from tracekeeper.pipeline.limits import MAX_INCLUDES
from tracekeeper.pipeline.merging import deep_merge
from tracekeeper.pipeline.nearest import did_you_mean
from tracekeeper.pipeline.node import Mapping, Node
from tracekeeper.pipeline.world import ProjectFiles
from tracekeeper.pipeline.yaml import parse
from tracekeeper.problems import Position, Problem


def unknown_changes(_compare_to: str) -> None:
    """The answer where nobody knows what has changed; GitLab then takes ``changes`` as true."""


def include(
    path: str,
    files: ProjectFiles,
    variables: AbstractMapping[str, str],
    problems: list[Problem],
    *,
    changed: Changed = unknown_changes,
) -> Mapping | None:
    """The file `path` merged with all that it includes; None where `path` cannot be used.

    A file that cannot be included is reported, and the rest goes on without it.
    """
    return _Includer(files, IncludeReader(files, variables, changed, problems), problems).run(path)


class _Includer:
    """First all files are read, then merged. `_documents` holds what was read: None for a file
    that is no use; `_includes` what each of them includes, `_merged` those that are done."""

    __slots__ = ("_documents", "_files", "_includes", "_merged", "_problems", "_reader")

    def __init__(self, files: ProjectFiles, reader: IncludeReader, problems: list[Problem]) -> None:
        self._files = files
        self._reader = reader
        self._problems = problems
        self._documents: dict[str, Mapping | None] = {}
        self._includes: dict[str, list[Location]] = {}
        self._merged: dict[str, Mapping] = {}

    def run(self, path: str) -> Mapping | None:
        """The whole pipeline file."""
        self._read_all(Location(path, Position(path, 1, 1)))
        document = self._documents[path]
        return document and self._merge(path, document, ())

    def _read_all(self, first: Location) -> None:
        waiting = [first]
        included = 0
        while waiting:
            location = waiting.pop(0)
            if location.path in self._documents:
                continue
            if included > MAX_INCLUDES:
                message = f"more than {MAX_INCLUDES} files are included"
                self._error("too_many_includes", message, location.at)
                return
            included += 1
            waiting += self._read(location)

    def _read(self, location: Location) -> list[Location]:
        """Reads one file, and finds what it includes."""
        document = self._documents[location.path] = self._document(location)
        value = document.get("include") if document else None
        includes = self._reader.read(value) if value else []
        self._includes[location.path] = includes
        return includes

    def _document(self, location: Location) -> Mapping | None:
        content = self._files.read(location.path)
        if content is None:
            self._missing(location)
            return None
        return self._as_mapping(parse(content, location.path, self._problems))

    def _missing(self, location: Location) -> None:
        known = self._files.paths()
        if location.path in known:
            message = f"`{location.path}` cannot be read as a file of this project"
            hint = "a symlink must not lead out of the project"
        else:
            message = f"there is no file `{location.path}` in this project"
            hint = did_you_mean(location.path, filter(_is_yaml, known))
        self._error("missing_file", message, location.at, hint)

    def _as_mapping(self, node: Node | None) -> Mapping | None:
        if node is None or isinstance(node, Mapping):
            return node
        hint = "write `job: {script: …}`"
        self._error("not_a_mapping", "a pipeline file is a mapping of keywords", node.at, hint)
        return None

    def _merge(self, path: str, document: Mapping, chain: tuple[str, ...]) -> Mapping:
        """`document`, which is the file `path`, over all that it includes."""
        if path in self._merged:
            return self._merged[path]
        chain = (*chain, path)
        merged = Mapping({}, document.at)
        for location in self._includes[path]:
            included = self._documents.get(location.path)
            if location.path in chain:
                circle = " → ".join((*chain[chain.index(location.path) :], location.path))
                message = f"files include each other in a circle: {circle}"
                self._error("include_cycle", message, location.at)
            elif included:
                merged = deep_merge(merged, self._merge(location.path, included, chain))
        own = {key: entry for key, entry in document.entries.items() if key != "include"}
        self._merged[path] = merged = deep_merge(merged, Mapping(own, document.at))
        return merged

    def _error(self, code: str, message: str, at: Position, hint: str = "") -> None:
        self._problems.append(Problem(code, message, at, hint))


def _is_yaml(path: str) -> bool:
    return path.endswith((".yml", ".yaml"))
