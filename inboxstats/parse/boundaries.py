"""Where the parts of a multipart begin and end (RFC 2046, section 5.1)."""

from typing import NamedTuple

from inboxstats.parse.core import next_delimiter


class Multipart(NamedTuple):
    """A multipart that is still open; `default` is the type of an untyped part."""

    boundary: bytes
    default: str = "text/plain"
    alternative: int | None = None
    related: bool = False


class Delimiter(NamedTuple):
    """A line ``--boundary``: `level` is that of its multipart, `start` the line end before it."""

    level: int
    start: int
    end: int
    closing: bool


class Boundaries:
    """The open multiparts, outermost first, and where the next delimiter of each one is.

    Remembered, because the outer one's next delimiter may be far away, and is asked for at each inner part.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._open: list[Multipart] = []
        self._next: list[Delimiter | None] = []
        self._nearest: Delimiter | None = None
        self._without: dict[bytes, tuple[int, int]] = {}
        """From where to where no delimiter of a boundary begins: fifty multiparts may have the same one."""

    def __len__(self) -> int:
        return len(self._open)

    @property
    def innermost(self) -> Multipart:
        return self._open[-1]

    def push(self, multipart: Multipart, position: int) -> Delimiter | None:
        """Opens one whose body begins there, and gives its first delimiter, or else the next one around it."""
        around = self.next(position)
        self._open.append(multipart)
        found = self._find(len(self._open) - 1, position, around)
        self._next.append(found)
        self._nearest = found or around
        return self._nearest

    def close_above(self, depth: int) -> None:
        if depth < len(self._open):
            del self._open[depth:], self._next[depth:]

    def next(self, position: int) -> Delimiter | None:
        """The next delimiter of any open multipart that ends behind `position`; the innermost one's, if equal.

        No position comes before an earlier one.
        """
        nearest = self._nearest
        if nearest is not None and nearest.end > position:
            return nearest
        nearest = None
        for level, known in enumerate(self._next):
            if known is not None and known.end <= position:
                known = self._next[level] = self._find(level, position, nearest)
            if known is not None and (nearest is None or known.start <= nearest.start):
                nearest = known
        self._nearest = nearest
        return nearest

    def _find(self, level: int, position: int, around: Delimiter | None) -> Delimiter | None:
        """The next delimiter of one multipart; none behind that of a multipart around it, which ends it as well."""
        wanted = self._open[level].boundary
        end = around.end if around else len(self._data)
        start = max(position - 1, 0)
        first, last = self._without.get(wanted, (start, start))
        if not first <= start <= last:
            first, last = start, start
        found = next_delimiter(self._data, min(last, end), end, wanted)
        # One that is cut off at the end may begin there; no other can.
        self._without[wanted] = first, found[0] if found else max(last, end - len(wanted) - 2)
        return Delimiter(level, *found) if found else None
