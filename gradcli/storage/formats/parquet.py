"""Parquet, with pyarrow: columns of a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gradcli.machine.endings import ending_of
from gradcli.storage.file_array import FileArray
from gradcli.storage.formats.arrow import Table
from gradcli.storage.formats.source import Form, Source, decoding, package, refuse_dimensions
from gradcli.storage.header import Array, shown
from gradcli.storage.pipes import HandedOn

_EXTRA = "parquet"
# What a group has at most.
_ROWS, _NUMBERS = 1 << 20, 1 << 23


def look(source: Source) -> Form | None:
    """By the footer of the file; None where values may be missing, which changes the dtype."""
    table, _ = _opened(source)
    return None if any(field.nullable for field in table.schema) else table.form


def names(source: Source) -> list[str]:
    """The columns."""
    parquet = package("pyarrow.parquet", _EXTRA, source.path)
    with decoding(source):
        return list(parquet.read_schema(source.file).names)


def load(source: Source) -> Array:
    """The chosen columns."""
    table, file = _opened(source)
    names = [file.schema_arrow.names[j] for j in table.chosen.columns]
    same = len(set(file.schema_arrow.names)) == len(file.schema_arrow.names)
    if same:
        return table.read(lambda columns: file.read(columns=names).select(names))
    return table.read(lambda columns: file.read().select(columns))


def _opened(source: Source) -> tuple[Table, Any]:
    parquet = package("pyarrow.parquet", _EXTRA, source.path)
    with decoding(source):
        file = parquet.ParquetFile(source.file)
        return Table(source, file.schema_arrow, file.metadata.num_rows), file


def check(form: Form, name: str, path: str) -> None:
    """Refuse what is no table, and where pyarrow is missing."""
    package("pyarrow.parquet", _EXTRA, path)
    refuse_dimensions(form, f"{name}, which goes to {shown(path)},", ending_of(path))


def encode(array: Array | FileArray, name: str, path: str) -> Iterator[memoryview]:
    """A column for each of the array, called 0, 1 …; the one of a vector is called `name`. In groups of rows."""
    arrow, parquet = package("pyarrow", _EXTRA, path), package("pyarrow.parquet", _EXTRA, path)
    table = array if array.shape else np.atleast_1d(array[()])
    names = [str(j) for j in range(table.shape[1])] if len(table.shape) == 2 else [name]
    kind = arrow.from_numpy_dtype(table.dtype)
    schema = arrow.schema([arrow.field(key, kind, nullable=False) for key in names])
    passed = HandedOn(copied=True)
    step = max(1, min(_ROWS, _NUMBERS // max(1, len(names))))
    with parquet.ParquetWriter(passed, schema) as writer:
        for start in range(0, table.shape[0], step):
            rows = table[start : min(table.shape[0], start + step)].reshape(-1, len(names))
            columns = [arrow.array(np.ascontiguousarray(rows[:, j])) for j in range(len(names))]
            writer.write_table(arrow.table(columns, schema=schema), step)
            yield from passed.taken()
    yield from passed.taken()
