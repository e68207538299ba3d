"""What pieces of a text are: plain strings to everyone but those who show them in colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class Heading(str):
    """A line that says what comes below it."""

    __slots__ = ()


class Tree(str):
    """Lines of a tree."""

    __slots__ = ()


class Carets(str):
    """Marks below a place in a line."""

    __slots__ = ()


class Marked(str):
    """A text that knows its pieces."""

    pieces: Sequence[str]

    def __new__(cls, pieces: Iterable[str]) -> Marked:
        """The pieces as one text."""
        kept = list(pieces)
        text = super().__new__(cls, "".join(kept))
        text.pieces = kept
        return text

    @classmethod
    def of_lines(cls, lines: Iterable[str]) -> Marked:
        """The lines as one text; what is marked in them stays so."""
        pieces: list[str] = []
        for k, line in enumerate(lines):
            pieces += ["\n"] * bool(k)
            pieces += line.pieces if isinstance(line, Marked) else [line]
        return cls(pieces)
