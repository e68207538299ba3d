"""Small results written in few system calls, under names that are not yet theirs."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

import numpy as np

from gradcli.storage.pipes import write_all
from gradcli.storage.writing import header_bytes

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
# Larger arrays are written piece by piece.
_AT_ONCE = 8 << 20


@lru_cache(maxsize=256)
def _header(shape: tuple[int, ...], dtype: np.dtype, fortran_order: bool) -> bytes:
    return header_bytes(shape, dtype, fortran_order)


def write_new(path: str, array: Any) -> int:
    """Write `array` to the .npy file `path`, which must not exist; how many bytes that were. OSError when it fails."""
    flags = array.flags
    fortran = flags.f_contiguous and not flags.c_contiguous
    header = _header(array.shape, array.dtype, fortran)
    data = array if flags.c_contiguous else array.T if fortran else np.ascontiguousarray(array)
    size = len(header) + data.nbytes
    descriptor = os.open(path, _FLAGS, 0o666)
    try:
        written = 0
        if data.nbytes <= _AT_ONCE and hasattr(os, "writev"):
            written = os.writev(descriptor, (header, data))  # type: ignore[arg-type,unused-ignore]
        if written < size:
            _write_rest(descriptor, header, data, written)
    finally:
        os.close(descriptor)
    return size


def _write_rest(descriptor: int, header: bytes, data: Any, written: int) -> None:
    """What is left after the first `written` bytes."""
    with open(descriptor, "wb", buffering=0, closefd=False) as file:
        write_all(file, memoryview(header)[written:])
        write_all(file, memoryview(data.reshape(-1).view(np.uint8))[max(0, written - len(header)) :])
