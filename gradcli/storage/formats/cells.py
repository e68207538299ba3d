"""Rows of text as numbers: at once where all is as expected, else cell by cell, which finds the place of what is wrong.

All ways give the same numbers, each the closest to what is written.
"""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from gradcli.errors import WorkError, quoted
from gradcli.storage.formats.pieces import IN_CACHE
from gradcli.storage.formats.source import Source, missing_value
from gradcli.storage.formats.tokenizer import tokenized
from gradcli.storage.header import Array, DType, printable

#: What is written where a value is missing.
MISSING = frozenset(["", "NA", "N/A", "n/a", "#N/A", "<NA>", "null", "NULL", "None"])
# Numbers as Python and C read them both. `float` would take digits of any script, and underscores.
_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf(?:inity)?|nan)", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
# Below this size, loading a library takes longer than doing without.
_WORTH_ARROW = 1 << 20
# pyarrow deals pieces out to threads.
_FOR_ARROW = 1 << 23
_MOST = np.iinfo(np.int64).max
_INT, _FLOAT = np.dtype(np.int64), np.dtype(np.float64)


class Layout(NamedTuple):
    """How rows are written: `delimiter` is None for white space; `names` are those of the columns."""

    delimiter: str | None
    names: list[str]

    @property
    def width(self) -> int:
        """How many cells a row has."""
        return len(self.names)


def is_number(cell: str) -> bool:
    """Whether a cell holds a number."""
    return _NUMBER.fullmatch(cell.strip()) is not None


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value."""
    return cell.strip() in MISSING


def rows_of(source: Source, text: str, delimiter: str | None, first: int = 1) -> Iterator[tuple[int, list[str]]]:
    """Each row with the number of the line that it begins in, `first` being that of the text; blank lines are none."""
    if delimiter is None:
        for number, line in enumerate(text.split("\n"), first):
            if cells := line.split():
                yield number, cells
        return
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    before = 0
    try:
        for row in reader:
            number, before = first + before, reader.line_num
            if len(row) > 1 or (row and row[0].strip()):
                yield number, row
    except csv.Error as error:
        hint = "write a quote within a cell twice, and the cell in quotes" if '"' in text else None
        raise WorkError(f"{source.name}, line {first + before}: {error}", hint=hint) from None


def decoded(piece: bytes) -> str:
    """Text of any encoding: what is no UTF-8 stays what it was, as it does in names from the shell."""
    return piece.decode("utf-8", "surrogateescape")


class Reader:
    """Reads pieces of rows into arrays of the chosen `columns`.

    `dtype` is int64 until some column is found to hold other numbers; then it is float64, for all that follow.
    """

    __slots__ = ("source", "layout", "columns", "dtype", "_arrow", "line")

    def __init__(self, source: Source, layout: Layout, columns: list[int], line: int) -> None:
        self.source = source
        self.layout = layout
        self.columns = columns
        self.dtype: DType = _INT
        self._arrow: Any = None
        #: The number of the next line.
        self.line = line

    def at_once(self) -> int:
        """How many bytes are best read at once."""
        return IN_CACHE if self.layout.delimiter is None or find_spec("pyarrow") is None else _FOR_ARROW

    def read(self, piece: bytes) -> Array:
        """The numbers of a piece, one row each."""
        found = self._by_arrow(piece) if len(piece) > _WORTH_ARROW else None
        if found is None:
            found = self._by_numpy(piece)
        if found is None:
            found = self._carefully(piece)
        # Faster than counting in bytes.
        codes = np.frombuffer(piece, np.uint8)
        self.line += int(np.count_nonzero(codes == 10)) or int(np.count_nonzero(codes == 13))
        return found

    def _by_arrow(self, piece: bytes) -> Array | None:
        """With pyarrow, where it is installed and sees nothing unusual."""
        if self._arrow is None:
            try:
                import pyarrow
                import pyarrow.csv
            except ImportError:
                self._arrow = False
            else:
                self._arrow = pyarrow
        if not self._arrow or self.layout.delimiter is None:
            return None
        # Arrow takes hexadecimal integers and nan(…) for numbers. Single bytes are found fast.
        if any(mark in piece for mark in ((b"x", b"X") if self.dtype.kind == "i" else (b"(",))):
            return None
        names, arrow = [f"f{j}" for j in self.columns], self._arrow
        types = dict.fromkeys(names, arrow.int64() if self.dtype.kind == "i" else arrow.float64())
        converted = {"include_columns": names, "column_types": types, "null_values": [], "strings_can_be_null": False}
        try:
            table = arrow.csv.read_csv(
                arrow.BufferReader(piece),
                arrow.csv.ReadOptions(autogenerate_column_names=True),
                arrow.csv.ParseOptions(delimiter=self.layout.delimiter, newlines_in_values=b'"' in piece),
                arrow.csv.ConvertOptions(**converted),
            )
        except (arrow.ArrowException, KeyError, ValueError):
            return None
        out = np.empty((table.num_rows, len(names)), self.dtype)
        for place, name in enumerate(names):
            column = table.column(name)
            if column.null_count:
                return None
            out[:, place] = column.to_numpy()
        return out if self._has_count(piece) else None

    def _has_count(self, piece: bytes) -> bool:
        """Whether the first row has as many cells as there are columns: then Arrow has seen that all have."""
        for _, row in rows_of(self.source, decoded(piece[: piece.find(b"\n") + 1]), self.layout.delimiter):
            return len(row) == self.layout.width
        return False

    def _by_numpy(self, piece: bytes) -> Array | None:
        """With the readers of NumPy, where there are neither quotes nor anything wrong."""
        if b'"' in piece or (b"\r" in piece and b"\r" in piece.replace(b"\r\n", b"\n")):
            return None
        layout = self.layout
        whole = self.columns == list(range(layout.width))
        # NumPy sees to it that all rows are as long as the first, unless columns are chosen.
        regular = whole or _regular_rows(piece, layout) > 0
        for dtype in (_INT, _FLOAT) if self.dtype == _INT else (_FLOAT,):
            found = _integers_of(piece, layout) if dtype == _INT and whole else None
            if found is None and regular:
                found = _tokenized(piece, dtype, layout.delimiter, None if whole else self.columns)
            if found is not None and found.shape[1] == len(self.columns):
                self.dtype = dtype
                return found
        return None

    def _carefully(self, piece: bytes) -> Array:
        """Cell by cell; WorkError with the place of what is no number."""
        layout = self.layout
        rows: list[list[str]] = []
        lines: list[int] = []
        for line, row in rows_of(self.source, decoded(piece), layout.delimiter, self.line):
            if len(row) != layout.width:
                cells = f"{len(row)} cell{'s' if len(row) != 1 else ''}"
                message = f"{self.source.name}, line {line} has {cells}, and the first has {layout.width}"
                raise WorkError(message)
            rows.append(row)
            lines.append(line)
        columns = list(zip(*rows, strict=True)) if rows else [()] * layout.width
        if self.dtype.kind == "i":
            whole = [_converted(columns[j], int, _INT) for j in self.columns]
            if all(column is not None for column in whole):
                return np.stack([np.asarray(column) for column in whole], axis=1)
        found = [self._floats(columns[j], j, lines) for j in self.columns]
        self.dtype = _FLOAT
        return np.stack(found, axis=1)

    def _floats(self, cells: Sequence[str], column: int, lines: list[int]) -> Array:
        found = _converted(cells, float, _FLOAT)
        if found is not None:
            return found
        return np.array([self._float(cell, column, line) for cell, line in zip(cells, lines, strict=True)], np.float64)

    def _float(self, cell: str, column: int, line: int) -> float:
        stripped = cell.strip()
        if _NUMBER.fullmatch(stripped):
            return float(stripped)
        name = self.layout.names[column]
        where = f"column {column + 1}" if name == str(column) else f"column {column + 1} ({printable(name)!r})"
        place = f"{self.source.name}, line {line}, {where}"
        if is_missing(cell):
            return missing_value(place)
        hint = "write decimals with a point, as in 0.5" if _DECIMAL_COMMA.fullmatch(stripped) else None
        raise WorkError(f"{place}: {quoted(cell)} is not a number", hint=hint)


def _tokenized(piece: bytes, dtype: DType, delimiter: str | None, columns: list[int] | None) -> Array | None:
    try:
        with warnings.catch_warnings():
            # That there are no rows, or that integers are written with points.
            warnings.simplefilter("error")
            return tokenized(piece, dtype, delimiter, columns)
    except (ValueError, OverflowError, Warning):
        return None


def _integers_of(piece: bytes, layout: Layout) -> Array | None:
    """The integers of rows that hold nothing else; None where anything is unusual."""
    mark = layout.delimiter
    if mark is None or any(blank in piece for blank in (b" ", b"\t", b"\v", b"\f") if blank != mark.encode()):
        # A sign may be followed by blanks.
        return None
    rows = _regular_rows(piece, layout)
    if not rows:
        return None
    text = piece.removesuffix(b"\n").replace(b"\n", mark.encode())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = np.fromstring(text, np.int64, sep=mark)
    except (ValueError, Warning):
        return None
    # To NumPy an empty cell between tabs is none, and what is too large becomes the largest that there is.
    if found.size != rows * layout.width or found.max() == _MOST or found.min() == -_MOST - 1:
        return None
    return found.reshape(rows, layout.width)


def _converted(cells: Sequence[str], kind: type[int | float], dtype: DType) -> Array | None:
    """The numbers of cells that hold nothing else; None where one does, or is too large for an integer."""
    text = "".join(cells)
    if not text.isascii() or "_" in text:
        return None
    try:
        return np.fromiter(map(kind, cells), dtype, len(cells))
    except (ValueError, OverflowError):
        return None


def _regular_rows(piece: bytes, layout: Layout) -> int:
    """How many lines there are, if each has as many delimiters as there are columns but one; else 0.

    White space is not looked at.
    """
    if layout.delimiter is None or (layout.width == 1 and layout.delimiter.encode() in piece):
        return 0
    codes = np.frombuffer(piece, np.uint8)
    breaks = codes == 10
    # The last line may lack its end.
    unfinished = not piece.endswith(b"\n")
    rows = int(np.count_nonzero(breaks)) + unfinished
    if layout.width == 1:
        return rows
    marks = np.flatnonzero(breaks | (codes == ord(layout.delimiter)))
    regular = marks.size + unfinished == rows * layout.width and breaks[marks[layout.width - 1 :: layout.width]].all()
    return rows if regular else 0
