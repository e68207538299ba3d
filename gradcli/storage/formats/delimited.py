"""Tables as text, .csv, .tsv and .txt: a matrix of the numeric columns, or of those that are named.

A header is a first line with something that is no number. Integers stay integers where all columns hold nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

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

_BREAK = re.compile(rb"\r\n|\n|\r")
# So many rows tell what the columns hold.
_LOOKED_AT = 1000
_FLOAT = np.dtype(np.float64)
# Numbers that are taken without another look at the memory.
_UNCHECKED = 1 << 20


def names(source: Source) -> list[str]:
    """The numeric columns, by name."""
    _, _, layout, sample = layout_of(source, next(Pieces(source), b""))
    return [name for name, first in zip(layout.names, _firsts(layout, sample), strict=True) if _is_numeric(first)]


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
    firsts = _firsts(layout, sample)
    columns = chosen(source, layout.names, list(map(_is_numeric, firsts)), list(map(_held, firsts)))
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
    begun, line = first, 1
    names: list[str] | None = None
    # What numpy.savetxt writes before the rows.
    while begun[:1] == b"#" and (end := begun.find(b"\n") + 1) and begun[end:].strip():
        comment, begun = begun[1:end], begun[end:]
        line += 1
        if begun[:1] != b"#":
            names = _commented_names(source, comment, begun)
    delimiter = delimiter_of(ending_of(source.path), begun)
    if names is None:
        _, head = next(rows_of(source, decoded(begun), delimiter, line), (0, []))
        if not head:
            raise WorkError(f"{source.name} is empty")
        names = [str(j) for j in range(len(head))]
        if not all(is_number(cell) or is_missing(cell) for cell in head):
            names = [cell.strip() for cell in head]
            skipped = _lines_of_header(begun, delimiter, source)
            breaks = [found.end() for found in islice(_BREAK.finditer(begun), skipped)]
            begun, line = begun[breaks[-1] if len(breaks) == skipped else len(begun) :], line + skipped
    sample = list(islice(rows_of(source, decoded(begun), delimiter, line), _LOOKED_AT))
    return len(first) - len(begun), line, Layout(delimiter, names), sample


def _lines_of_header(text: bytes, delimiter: str | None, source: Source) -> int:
    """How many lines the first row takes, blank ones before it included: names may hold line breaks."""
    rows = rows_of(source, decoded(text), delimiter)
    next(rows)
    following = next(rows, None)
    if following is not None:
        return following[0] - 1
    return len(_BREAK.findall(text)) + (text[-1:] not in (b"\n", b"\r"))


def _commented_names(source: Source, line: bytes, following: bytes) -> list[str] | None:
    """The names in a comment over the rows, where it has as many as they have cells and they are none themselves."""
    delimiter = delimiter_of(ending_of(source.path), following)
    _, head = next(rows_of(source, decoded(line), delimiter), (0, []))
    _, row = next(rows_of(source, decoded(following), delimiter), (0, []))
    if len(head) != len(row) or not all(is_number(cell) or is_missing(cell) for cell in row):
        return None
    return [cell.strip() for cell in head]


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


def _firsts(layout: Layout, sample: list[tuple[int, list[str]]]) -> list[tuple[int, str] | None]:
    """The first value of each column and the line that it stands in, None where there is none."""
    columns = (((line, row[j]) for line, row in sample if j < len(row)) for j in range(layout.width))
    return [next((found for found in column if not is_missing(found[1])), None) for column in columns]


def _is_numeric(first: tuple[int, str] | None) -> bool:
    """Whether a column holds numbers: its first value does, or it has none."""
    return first is None or is_number(first[1])


def _held(first: tuple[int, str] | None) -> str:
    """What a text column holds, for messages."""
    if first is None:
        return "no values"
    line, cell = first
    return f"text: {(cell if len(cell) <= 60 else f'{cell[:60]}…')!r} in line {line}"


def check(form: Form, name: str, path: str) -> None:
    """Refuse what is no table."""
    refuse_dimensions(form, f"{name}, which goes to {shown(path)},", ending_of(path))


def encode(array: Array | FileArray, name: str, path: str) -> Iterator[memoryview]:
    """Rows of numbers, each with the fewest digits that give the same bits; no header."""
    for piece in table_pieces(array, "\t" if ending_of(path).startswith(".tsv") else ","):
        yield memoryview(piece.encode("ascii"))
