"""A way through a container's log, over as many answers of the engine as it takes. Pure."""

from tracekeeper.engine.frames import Frame, FrameDecoder, encoded
from tracekeeper.engine.position import Position, Search, TailSearch, WholeSearch

FIRST_TAIL = 1000
"""Entries asked for after a break. dockerd finds 1000 in 20 ms, and decodes 100 MB in 3 s."""
TAIL_GROWTH = 4
"""Small, so that a link on which every connection dies after a megabyte still gets on."""


class Reading:
    """Takes the bytes of one answer after the other, and advances `position`.

    An answer has to begin with the log's last `tail` entries; None: with its very first.
    """

    __slots__ = ("_decoder", "_search", "_tail", "position")

    def __init__(self, position: Position) -> None:
        self.position = position
        self._search: Search | None = None
        self._tail: int | None = FIRST_TAIL
        self.again()

    @property
    def tail(self) -> int | None:
        """How much of the log the next answer has to hold."""
        return self._tail if self.position.seen else None

    @property
    def settled(self) -> bool:
        """Whether this answer has reached the position: what comes next is new."""
        return self._search is None

    @property
    def short(self) -> bool:
        """Whether this answer is of no use: it holds too little of the log."""
        return self._search is not None and self._search.short

    def again(self, *, whole: bool = False) -> None:
        """Another answer begins: of the `whole` log, or of more of it if the last one was short."""
        if self.short:
            tail = (self._tail or FIRST_TAIL) * TAIL_GROWTH
            self._tail = tail if tail < self.position.seen else None
        if whole:
            self._tail = None
        self._decoder = FrameDecoder()
        self._search = self._new_search()

    def feed(self, data: bytes, *, most: int | None = None) -> list[Frame]:
        """The entries after the position that these bytes complete. The position is advanced over
        them, or only over the first `most`. Raises EngineError for what is no log."""
        frames = self._decoder.feed(data)
        raw = self._decoder.taken
        if frames and self._search is not None:
            frames = self._found(frames, self._search)
            raw = encoded(frames)
        if most is not None and most < len(frames):
            raw = encoded(frames[:most])
        self._take(frames[:most], raw)
        return frames

    def go_on(self, other: "Reading", frames: list[Frame]) -> None:
        """Take these entries, and then what follows in the answer that `other` has been reading."""
        self._take(frames, encoded(frames))
        self._decoder, self._search = other._decoder, None

    def _take(self, frames: list[Frame], raw: bytes) -> None:
        if frames:
            self.position = self.position.after(frames, raw)

    def _new_search(self) -> Search | None:
        if not self.position.seen:
            return None
        return WholeSearch(self.position) if self.tail is None else TailSearch(self.position)

    def _found(self, frames: list[Frame], search: Search) -> list[Frame]:
        index = search.feed(frames)
        if index is None:
            return []
        self._search = None
        self._tail = FIRST_TAIL
        return frames[index:]
