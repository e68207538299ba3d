"""Rows of a table as records: each column is a field of its name; without names, the inputs are the cells in turn."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import Any

from gradcli.errors import GradcliError, counted, did_you_mean
from gradcli.machine.limits import tell
from gradcli.storage.formats.cells import is_missing, is_number
from gradcli.storage.formats.delimited import delimiter_of
from gradcli.storage.header import printable, shown
from gradcli.stream.fields import FieldReader, Record
from gradcli.stream.flow import LONGEST_LINE, Inlet, lines

# What passes through as a number; anything else would come out as another text than it was.
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,17}")


def row_records(source: Inlet, fields: FieldReader, ending: str) -> Iterator[tuple[int, Record]]:
    """The record of each row, and the number of the line that it begins in; `ending` is that of such files."""
    columns: list[str] | None = None
    begun = False
    for number, row in _rows(source, ending):
        if isinstance(row, GradcliError):
            yield number, Record("{", {}, row)
            continue
        if not begun:
            begun = True
            if not all(is_number(cell) or is_missing(cell) for cell in row):
                columns = _named_columns(source, fields, [cell.strip() for cell in row])
                continue
        try:
            found = _unnamed(row, fields.names) if columns is None else _named(row, columns, fields.names)
        except GradcliError as error:
            yield number, Record("{", {}, error)
            continue
        yield number, fields.record(found)


def _rows(source: Inlet, ending: str) -> Iterator[tuple[int, list[str] | GradcliError]]:
    """The cells of each row that is not blank; those in quotes may have line breaks."""
    delimiter: str | None = None
    begun = ""
    first = 0
    for number, line in enumerate(lines(source, clean=lambda line: line.removesuffix("\r")), 1):
        if isinstance(line, GradcliError):
            begun = ""
            yield number, line
            continue
        if not begun:
            first = number
            if not line.strip():
                continue
        begun = f"{begun}{line}\n"
        if delimiter is None:
            delimiter = delimiter_of(ending, begun.encode("utf-8", "replace")) or ","
        try:
            row = next(csv.reader([begun], delimiter=delimiter, strict=True), [])
        except csv.Error as error:
            if "unexpected end" in str(error) and len(begun) <= LONGEST_LINE:
                continue
            begun = ""
            yield first, GradcliError(f"this is not a row of cells: {error}")
            continue
        begun = ""
        if row[-1:] and row[-1].endswith("\n"):
            row[-1] = row[-1][:-1]
        yield first, row
    if begun:
        yield first, GradcliError("the quote that begins here is not closed")


def _named_columns(source: Inlet, fields: FieldReader, columns: list[str]) -> list[str]:
    """The names in the header, among which all inputs are, each once; a note on columns that do not pass through."""
    columns = fields.known(columns)
    for name in fields.names:
        if columns.count(name) > 1:
            raise GradcliError(f"{shown(source.path)} has {columns.count(name)} columns called {name!r}")
        if name not in columns:
            told = [printable(column) for column in columns]
            listed = ", ".join(told[:20])
            message = f"{shown(source.path)} has no column {name!r}; there are {listed}"
            raise GradcliError(message, hint=did_you_mean(name, told[:100]))
    for name in fields.replaced(columns):
        tell(f"{shown(source.path)}: left out {name!r}: answers have a field of this name")
    return columns


def _named(row: list[str], columns: list[str], names: list[str]) -> dict[str, Any]:
    """A row as fields."""
    if len(row) != len(columns):
        cells = f"{len(row)} cell{'s' if len(row) != 1 else ''}"
        raise GradcliError(f"the row has {cells}, and the first has {len(columns)}")
    return {name: _input(cell) if name in names else _passed(cell) for name, cell in zip(columns, row, strict=True)}


def _unnamed(row: list[str], names: list[str]) -> dict[str, Any]:
    """A row without a header: a cell for each input, or all of them for the only one."""
    if len(row) == len(names):
        return {name: _input(cell) for name, cell in zip(names, row, strict=True)}
    if len(names) == 1:
        return {names[0]: [_input(cell) for cell in row]}
    hint = "without a header, a row has a cell for each input, in the order of --name"
    cells = f"{counted(len(row), 'cell')} for {counted(len(names), 'input')}"
    raise GradcliError(f"the row has {cells}: {', '.join(names)}", hint=hint)


def _input(cell: str) -> Any:
    """What a cell gives an input: a number, or what is said to be none."""
    if is_number(cell):
        return float(cell)
    return None if is_missing(cell) else cell


def _passed(cell: str) -> Any:
    """What a cell passes through as."""
    if _INTEGER.fullmatch(cell):
        return int(cell)
    if _DECIMAL.fullmatch(cell):
        return float(cell)
    return None if is_missing(cell) else cell
