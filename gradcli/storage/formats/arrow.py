"""Tables of pyarrow as arrays: chosen columns, with the dtype that they have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.errors import WorkError
from gradcli.machine.limits import MISSING_AS_NAN
from gradcli.storage.formats.columns import Chosen, chosen
from gradcli.storage.formats.source import Form, Source, decoding, missing_value, refuse_large
from gradcli.storage.header import DTYPE_NAMES, Array, DType, printable

_FLOAT = np.dtype(np.float64)


class Table:
    """A table in a file: its schema and how many rows it has are known, its data is not read yet."""

    def __init__(self, source: Source, schema: Any, rows: int) -> None:
        self.source = source
        self.schema = schema
        self.rows = rows
        names = [str(name) for name in schema.names]
        kinds = [_dtype(kind) is not None for kind in schema.types]
        self.chosen: Chosen = chosen(source, names, kinds, [f"{kind}, no numbers" for kind in schema.types])

    @property
    def form(self) -> Form:
        """Shape and dtype, unless values are missing."""
        dtypes = [_dtype(self.schema.types[j]) for j in self.chosen.columns]
        found = np.result_type(*[dtype for dtype in dtypes if dtype is not None])
        return ((self.rows,) if self.chosen.single else (self.rows, len(dtypes))), found

    def read(self, columns: Callable[[list[int]], Any]) -> Array:
        """The array, of what `columns` reads of the file."""
        refuse_large(self.source, self.form)
        with decoding(self.source):
            table = columns(self.chosen.columns)
            # Places in a damaged file may lie outside of it.
            table.validate(full=True)
            if table.num_rows != self.rows:
                raise WorkError(f"{self.source.name} is corrupt: it declares {self.rows} rows and has {table.num_rows}")
            gaps = [self._gap(column, j) for column, j in zip(table.columns, self.chosen.columns, strict=True)]
            shape, dtype = self.form
            out = np.empty((self.rows, table.num_columns), np.result_type(dtype, _FLOAT) if any(gaps) else dtype)
            for place, column in enumerate(table.columns):
                start = 0
                for chunk in column.chunks:
                    out[start : start + len(chunk), place] = _values(chunk)
                    start += len(chunk)
        return out.reshape(shape)

    def _gap(self, column: Any, j: int) -> bool:
        """Whether values are missing, which is an error unless they become NaN."""
        if not column.null_count:
            return False
        if not MISSING_AS_NAN.get():
            row = int(np.argmax(column.is_null().to_numpy()))
            missing_value(f"{self.source.name}, row {row + 1}, column {printable(self.schema.names[j])!r}")
        return True


def _values(chunk: Any) -> Array:
    """The numbers of a chunk; NaN where there are none."""
    found = np.asarray(chunk.to_numpy(zero_copy_only=False))
    if found.dtype != object:
        return found
    # Truth values with gaps come as objects.
    return np.array([np.nan if value is None else float(value) for value in found], np.float64)


def _dtype(kind: Any) -> DType | None:
    """The dtype of a column's numbers, None for a column of something else."""
    name = {"float": "float32", "double": "float64", "halffloat": "float16"}.get(str(kind), str(kind))
    return np.dtype(name) if name in DTYPE_NAMES else None
