"""Tables as text, .csv, .tsv and .txt: a matrix of the numeric columns, or of those that are named.

A header is a first line with something that is no number. Integers stay integers where all columns hold nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np

from gradcli.errors import WorkError
from gradcli.machine.endings import ending_of
from gradcli.render.table import table_pieces
from gradcli.storage.file_array import FileArray
from gradcli.storage.formats.cells import Layout, Reader, decoded, is_missing, is_number, rows_of
from gradcli.storage.formats.columns import chosen
from gradcli.storage.formats.pieces import Pieces
from gradcli.storage.formats.source import Form, Source, not_understood, refuse_dimensions, refuse_large
from gradcli.storage.header import Array, DType, shown

# So many rows tell what the columns hold.
_LOOKED_AT = 1000
_FLOAT = np.dtype(np.float64)
# Numbers that are taken without another look at the memory.
_UNCHECKED = 1 << 20


def look(source: Source) -> Form | None:
    """None: only reading tells how many rows there are."""
    return None


def names(source: Source) -> list[str]:
    """The numeric columns, by name."""
    _, _, layout, sample = layout_of(source, next(Pieces(source), b""))
    found = enumerate(layout.names)
    return [name for j, name in found if _is_numeric(row[j] for _, row in sample if j < len(row))]


def load(source: Source) -> Array:
    """The chosen columns: a matrix, or a vector where one is named."""
    texts = Pieces(source)
    first = next(texts, b"")
    if not first.strip():
        hint = "a matrix without rows makes an empty table; .npy keeps its shape"
        raise WorkError(f"{source.name} is empty", hint=hint if source.size == 0 else None)
    start, line, layout, sample = layout_of(source, first)
    while not sample:
        # The names of many columns take more than the first piece.
        following = next(texts, None)
        if following is None:
            raise WorkError(f"{source.name} has a header and no rows")
        first += following
        start, line, layout, sample = layout_of(source, first)
    kinds = [_is_numeric(row[j] for _, row in sample if j < len(row)) for j in range(layout.width)]
    held = [_held(sample, j) for j in range(layout.width)]
    columns = chosen(source, layout.names, kinds, held)
    reader = Reader(source, layout, columns.columns, line)
    table = _Growing(source, len(columns.columns))
    table.add(reader.read(first[start:]))
    texts.size = reader.at_once()
    for piece in texts:
        table.add(reader.read(piece))
    found = table.finished()
    return found[:, 0] if columns.single else found


class _Growing:
    """A matrix to which rows are added; it is refused as soon as it is too large."""

    __slots__ = ("_source", "_array", "_rows", "_checked")

    def __init__(self, source: Source, columns: int) -> None:
        self._source = source
        self._array: Array = np.empty((0, columns), np.int64)
        self._rows = self._checked = 0

    def add(self, rows: Array) -> None:
        end = self._rows + len(rows)
        if end >= self._checked:
            self._check(end)
            # To ask how much memory is free takes as long as to read some rows.
            self._checked = end + _UNCHECKED // self._array.shape[1]
        floats = rows.dtype.kind == "f" and self._array.dtype.kind == "i"
        if floats or end > len(self._array):
            self._grow(end, _FLOAT if floats else self._array.dtype)
        self._array[self._rows : end] = rows
        self._rows = end

    def _grow(self, end: int, dtype: DType) -> None:
        """Make room for all rows that there may be: so many, as far as can be told from the part that has been read."""
        size = self._source.size
        read = self._source.file.tell() if size else 0
        expected = int(end * max(1.0, size / read) * 1.125) if size and read else end + end // 8
        old, width = self._array[: self._rows], self._array.shape[1]
        try:
            # Memory that nothing is written to is none.
            self._array = np.empty((max(len(self._array), expected), width), dtype)
        except MemoryError:
            self._array = np.empty((max(len(self._array), end), width), dtype)
        self._array[: self._rows] = old

    def _check(self, rows: int) -> None:
        refuse_large(self._source, ((rows, self._array.shape[1]), _FLOAT))

    def finished(self) -> Array:
        self._check(self._rows)
        self._array.resize((self._rows, self._array.shape[1]), refcheck=False)
        return self._array


def layout_of(source: Source, first: bytes) -> tuple[int, int, Layout, list[tuple[int, list[str]]]]:
    """Where in the first piece the rows begin, in which line, how they are written, and some of them."""
    if b"\0" in first:
        line = first.count(b"\n", 0, first.index(b"\0")) + 1
        not_understood(source, f"is not text: line {line} holds a NUL byte")
    comments = 0
    begun = first
    # What numpy.savetxt writes before the rows.
    while begun[:1] == b"#" and (end := begun.find(b"\n") + 1) and begun[end:].strip():
        following = begun[end:]
        comments += 1
        if following[:1] != b"#":
            names = _commented_names(source, begun[1:end], following)
            if names is not None:
                layout = Layout(delimiter_of(ending_of(source.path), following), names)
                return (
                    len(first) - len(following),
                    comments + 1,
                    layout,
                    _sample(source, layout, following, comments + 1),
                )
        begun = following
    delimiter = delimiter_of(ending_of(source.path), begun)
    rows = rows_of(source, decoded(begun), delimiter, comments + 1)
    _, head = next(rows, (0, []))
    if not head:
        raise WorkError(f"{source.name} is empty")
    if all(is_number(cell) or is_missing(cell) for cell in head):
        layout = Layout(delimiter, [str(j) for j in range(len(head))])
        return len(first) - len(begun), comments + 1, layout, _sample(source, layout, begun, comments + 1)
    layout = Layout(delimiter, [cell.strip() for cell in head])
    skipped = _lines_of_header(begun, delimiter, source)
    at = 0
    for _ in range(skipped):
        at = _after_line(begun, at)
    line = comments + 1 + skipped
    return len(first) - len(begun) + at, line, layout, _sample(source, layout, begun[at:], line)


def _lines_of_header(text: bytes, delimiter: str | None, source: Source) -> int:
    """How many lines the first row takes, blank ones before it included: names may hold line breaks."""
    rows = rows_of(source, decoded(text), delimiter)
    next(rows)
    following = next(rows, None)
    if following is not None:
        return following[0] - 1
    return len(re.findall(rb"\r\n|\n|\r", text)) + (text[-1:] not in (b"\n", b"\r"))


def _after_line(text: bytes, at: int) -> int:
    found = re.compile(rb"\r\n|\n|\r").search(text, at)
    return len(text) if found is None else found.end()


def _commented_names(source: Source, line: bytes, following: bytes) -> list[str] | None:
    """The names in a comment over the rows, where it has as many as they have cells and they are none themselves."""
    delimiter = delimiter_of(ending_of(source.path), following)
    _, head = next(rows_of(source, decoded(line), delimiter), (0, []))
    _, row = next(rows_of(source, decoded(following), delimiter), (0, []))
    if len(head) != len(row) or not all(is_number(cell) or is_missing(cell) for cell in row):
        return None
    return [cell.strip() for cell in head]


def _sample(source: Source, layout: Layout, text: bytes, line: int) -> list[tuple[int, list[str]]]:
    rows = rows_of(source, decoded(text), layout.delimiter, line)
    return [row for row, _ in zip(rows, range(_LOOKED_AT), strict=False)]


def delimiter_of(ending: str, text: bytes) -> str | None:
    """What stands between cells: what the ending says, unless the first line has nothing of that kind."""
    line = next((line for line in text[:_PROBED].splitlines() if line.strip()), b"")
    plain = re.sub(rb'"[^"]*"', b"", line)
    if ending.startswith(".tsv"):
        return "\t"
    for mark in b",;\t" if ending.startswith(".csv") else b"\t,;":
        if mark in plain:
            return chr(mark)
    return "," if ending.startswith(".csv") else None


_PROBED = 1 << 16


def _is_numeric(cells: Iterable[str]) -> bool:
    """Whether a column holds numbers: its first value does, or it has none."""
    for cell in cells:
        if not is_missing(cell):
            return is_number(cell)
    return True


def _held(sample: list[tuple[int, list[str]]], column: int) -> str:
    """What a text column holds, for messages."""
    for line, row in sample:
        if column < len(row) and not is_missing(row[column]):
            cell = row[column]
            return f"text: {(cell if len(cell) <= 60 else f'{cell[:60]}…')!r} in line {line}"
    return "no values"


def check(form: Form, name: str, path: str) -> None:
    """Refuse what is no table."""
    refuse_dimensions(form, f"{name}, which goes to {shown(path)},", ending_of(path))


def encode(array: Array | FileArray, name: str, path: str) -> Iterator[memoryview]:
    """Rows of numbers, each with the fewest digits that give the same bits; no header."""
    for piece in table_pieces(array, "\t" if ending_of(path).startswith(".tsv") else ","):
        yield memoryview(piece.encode("ascii"))
