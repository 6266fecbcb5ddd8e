"""Problems in a file that a person wrote: where, what is wrong, and what would be right."""

import msgspec


class Position(msgspec.Struct, frozen=True, order=True):
    """A place in a source file. `line` and `column` count from 1, columns in characters."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Problem(msgspec.Struct, frozen=True):
    """One finding about a pipeline file.

    `code` is a stable identifier such as ``unknown_keyword``; `message` says what is wrong and
    `hint` what would be right (may be empty). A warning does not make the file invalid.
    """

    code: str
    message: str
    at: Position
    hint: str = ""
    warning: bool = False

    def __str__(self) -> str:
        kind = "warning" if self.warning else "error"
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.at}: {kind}: {self.message}{hint}"
