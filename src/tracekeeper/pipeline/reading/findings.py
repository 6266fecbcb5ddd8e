"""The problems found while a file is read, each place once."""

from tracekeeper.problems import Position, Problem


class Findings:
    """Collects problems into the caller's list.

    A template that many jobs extend, or a default, is read once for each job: a second finding
    with the same code at the same place is dropped. `elsewhere` is the hint where something is
    missing that a file which could not be read may hold; empty if all were read. `unread` says
    that GitLab would read that file, only we do not: what is unknown then is no error.
    """

    __slots__ = ("_problems", "_seen", "elsewhere", "failed", "unread")

    def __init__(
        self, problems: list[Problem], elsewhere: str = "", *, unread: bool = False
    ) -> None:
        self._problems = problems
        self.elsewhere = elsewhere
        self.unread = unread
        self._seen: set[tuple[str, Position]] = set()
        self.failed = False

    def error(self, code: str, message: str, at: Position, hint: str = "") -> None:
        """Report what makes the file invalid."""
        self.failed = True
        self._add(Problem(code, message, at, hint))

    def warn(self, code: str, message: str, at: Position, hint: str = "") -> None:
        """Report what the file may well mean, but its author should know."""
        self._add(Problem(code, message, at, hint, warning=True))

    def unknown(self, code: str, message: str, at: Position, hint: str = "") -> None:
        """Report what is not known: an error, unless a file that is not read here may hold it."""
        report = self.warn if self.unread else self.error
        report(code, message, at, hint or self.elsewhere)

    def _add(self, problem: Problem) -> None:
        key = (problem.code, problem.at)
        if key not in self._seen:
            self._seen.add(key)
            self._problems.append(problem)
