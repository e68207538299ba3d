"""Small files: read one after the other into the same memory, and written in few system calls."""

from __future__ import annotations

import io
import os
import stat
from functools import lru_cache
from typing import Any

import numpy as np

from gradcli.errors import WorkError
from gradcli.machine.endings import split_key
from gradcli.machine.limits import LARGE
from gradcli.ops.kernels.inplace import aligned
from gradcli.storage import open_array
from gradcli.storage.header import ARCHIVE_MAGICS, Header, check_size, parse_header, shown, truncated
from gradcli.storage.pipes import write_all
from gradcli.storage.target import promises_other_format
from gradcli.storage.writing import header_bytes

# The longest header and then some: it is read together with the data.
_HEADER = 1 << 17
_LINE = 64
# Neither a terminal that becomes ours nor a pipe that nobody writes to may keep us waiting.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOCTTY", 0)


class ItemReader:
    """Reads the arrays of one input, item after item.

    What `read` gives is good until the next call: files with equal headers give the same array with other contents.
    """

    _memory: Any
    _array: Any

    def __init__(self) -> None:
        self._allocate(_HEADER)

    def read(self, spec: str) -> tuple[Any, int, int]:
        """The array that a file holds, or the file opened when it is large; its size and time of change (ns).

        WorkError when it cannot be read, is damaged, or is no regular file.
        """
        path, key = split_key(spec)
        try:
            descriptor = os.open(path, _FLAGS)
        except (OSError, ValueError):
            # It says what is wrong, and what was meant.
            return open_array(spec), 0, 0
        try:
            status = os.fstat(descriptor)
            size = status.st_size
            if not stat.S_ISREG(status.st_mode):
                raise WorkError(f"{shown(path)} is not a regular file")
            if key is None and size <= LARGE and not promises_other_format(path) and hasattr(os, "readv"):
                array = self._read(descriptor, path, size)
                if array is not None:
                    return array, size, status.st_mtime_ns
        except OSError as error:
            raise WorkError(f"cannot read {shown(path)}: {error.strerror or error}") from None
        finally:
            os.close(descriptor)
        return open_array(spec), size, status.st_mtime_ns

    def _read(self, descriptor: int, path: str, size: int) -> Any:
        """The array of an ordinary file, None when it takes more than that to read it."""
        if size > self._memory.nbytes:
            self._allocate(size)
        found = os.readv(descriptor, [self._view])
        while found < size and (count := os.readv(descriptor, [self._view[found:]])):
            found += count
        if self._head and found == self._size and self._view[: len(self._head)] == self._head:
            return self._array
        if self._view[:4].tobytes() in ARCHIVE_MAGICS:
            return None
        header = parse_header(io.BytesIO(self._view[: min(found, _HEADER)]), path)
        check_size(header, found)
        return self._kept(header, found)

    def _kept(self, header: Header, found: int) -> Any:
        """The array in our memory, remembered for the next file; None where the bytes are not yet what they mean."""
        dtype = header.dtype
        if not dtype.isnative or dtype.kind == "b" or header.offset % _LINE:
            return None
        order: Any = "F" if header.fortran_order else "C"
        try:
            array: Any = np.ndarray(header.shape, dtype, buffer=self._memory, offset=header.offset, order=order)
        except (ValueError, TypeError):
            raise truncated(header, max(0, found - header.offset)) from None
        array.flags.writeable = False
        self._head = self._view[: header.offset].tobytes()
        self._size = found
        self._array = array
        return array

    def _allocate(self, size: int) -> None:
        """Memory for files of this size, beginning with a cache line."""
        self._memory = aligned(size)
        self._view = memoryview(self._memory)
        self._head = b""
        self._size = 0
        self._array = None


_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_GATHERS = hasattr(os, "writev")
# Larger arrays are written piece by piece.
_AT_ONCE = 8 << 20


_header = lru_cache(maxsize=256)(header_bytes)


def write_new(path: str, array: Any) -> int:
    """Write `array` to the .npy file `path`, which must not exist; how many bytes that were. OSError when it fails."""
    flags = array.flags
    fortran = flags.f_contiguous and not flags.c_contiguous
    header = _header(array.shape, array.dtype, fortran)
    data: Any = array if flags.c_contiguous else array.T if fortran else np.ascontiguousarray(array)
    size = len(header) + data.nbytes
    descriptor = os.open(path, _NEW, 0o666)
    try:
        written = 0
        if _GATHERS and size <= _AT_ONCE:
            written = os.writev(descriptor, (header, data))  # type: ignore[arg-type,unused-ignore]
        if written < size:
            with open(descriptor, "wb", buffering=0, closefd=False) as file:
                write_all(file, memoryview(header)[written:])
                write_all(file, memoryview(data.reshape(-1).view(np.uint8))[max(0, written - len(header)) :])
    finally:
        os.close(descriptor)
    return size
