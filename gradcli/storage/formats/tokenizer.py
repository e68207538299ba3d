"""The reader of text behind `numpy.loadtxt`, for rows in memory.

`numpy.loadtxt` hands it whole files by their names. All else goes there line by line, which takes a quarter longer.
"""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import numpy as np

from gradcli.storage.header import Array, DType

# What `numpy.loadtxt` says beside, of a file without comments and quotes.
_WHOLE_ROWS: dict[str, Any] = {"comment": None, "quote": None, "imaginary_unit": "j", "skiplines": 0, "max_rows": -1}
_WHOLE_ROWS |= {"converters": None, "encoding": "ascii", "filelike": True, "byte_converters": False}


def tokenized(rows: bytes, dtype: DType, delimiter: str | None, columns: list[int] | None) -> Array:
    """The numbers of rows, all as long as the first unless `columns` are chosen; as `numpy.loadtxt` reads them.

    ValueError or OverflowError for what is none, and a warning where numpy.loadtxt gives one.
    """
    read = _reader()
    if read is None:
        return np.loadtxt(rows.decode().split("\n"), dtype, None, delimiter, usecols=columns, ndmin=2)
    # NumPy takes a few thousand bytes at a time, and decodes them by themselves.
    file: Any = io.BytesIO(rows) if rows.isascii() else _Text(rows.decode())
    found: Array = read(file, delimiter=delimiter, usecols=columns, dtype=np.dtype(dtype), **_WHOLE_ROWS)
    return found


@cache
def _reader() -> Any:
    """What `numpy.loadtxt` calls; None where this NumPy has it elsewhere."""
    try:
        from numpy._core._multiarray_umath import _load_from_filelike  # type: ignore[import-not-found]
    except ImportError:
        return None
    return _load_from_filelike


class _Text:
    """Text as a file. That of `io` makes four bytes of every character."""

    __slots__ = ("_text", "_at")

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def read(self, size: int) -> str:
        start = self._at
        self._at += size
        return self._text[start : self._at]
