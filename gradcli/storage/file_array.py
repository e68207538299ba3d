"""Arrays that stay in their .npy files and are read in blocks, by any number of threads at once."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from gradcli.errors import WorkError
from gradcli.storage.boxes import NEAR, cut, read_at, read_box, whole
from gradcli.storage.header import Array, DType, Header, truncated
from gradcli.storage.loading import check_booleans, check_memory, reading
from gradcli.storage.ranges import Index, Ranges, block_ranges, lengths, parse_index

# Rows of a file are picked from blocks of at most so much.
_MOST_AT_ONCE = 4 << 20

# What is gone through piece by piece is read so many bytes at a time.
_BLOCK = 1 << 22


def in_memory(array: Any) -> np.ndarray:
    """An array that is in memory, or the whole of one that lies in a file."""
    return array if isinstance(array, np.ndarray) else array.load()


class Origin(NamedTuple):
    """Where an array in a file can be found by other processes: its absolute path or URL, and what tells that it is
    still the same file."""

    path: str
    stamp: tuple[str | int, ...]


class ByteSource(Protocol):
    """Bytes that can be read from any position, by any number of threads."""

    def read(self, data: memoryview, position: int) -> None: ...
    def size(self) -> int: ...
    def origin(self, path: str) -> Origin | None: ...


class Descriptor:
    """An open file, shared by those who read and write it and closed with the last of them."""

    def __init__(self, number: int) -> None:
        self.number = number

    def read(self, data: memoryview, position: int) -> None:
        """Read bytes from `position` on until `data` is full; EOFError(position) where the file ends."""
        read_at(self.number, data, position)

    def size(self) -> int:
        """How many bytes the file has now."""
        return os.fstat(self.number).st_size

    def origin(self, path: str) -> Origin | None:
        """Where others find this file; None where `path` does not lead to it (any more)."""
        try:
            here, there = os.fstat(self.number), os.stat(path)
        except OSError:
            return None
        if path == "-" or not os.path.samestat(here, there):
            return None
        return Origin(os.path.abspath(path), (here.st_size, here.st_mtime_ns))

    # Modules may be gone already when the interpreter exits.
    def __del__(self, close: Any = os.close) -> None:
        close(self.number)


class FileArray:
    """An array in a .npy file, of which nothing is held in memory.

    `dtype` is in native byte order whatever the file's is. The file stays open, so that another one may take its
    name. Methods may be called from any thread.
    """

    #: It is read block by block, unlike what is in memory.
    streams = True

    def __init__(self, source: ByteSource, header: Header) -> None:
        self.path = header.path
        self.shape = header.shape
        self.dtype: DType = header.dtype.newbyteorder("=")
        self.ndim = len(header.shape)
        self.size = math.prod(header.shape)
        self.nbytes = header.nbytes
        self.offset = header.offset
        self.c_contiguous = not header.fortran_order or self.size == 0 or sum(n != 1 for n in header.shape) < 2
        self._source = source
        self.header = header
        shape = header.shape if self.c_contiguous else header.shape[::-1]
        self._whole = whole(header.offset, shape, header.dtype.itemsize)

    def __repr__(self) -> str:
        return f"FileArray({self.path!r}, shape={self.shape}, dtype={self.dtype})"

    def read(self, axis: int, start: int, stop: int, out: Array) -> None:
        """Read `array[..., start:stop, ...]` along `axis` into `out`: of that shape, of our dtype, in any layout.

        A tensor of no dimensions is read as one of shape (1,) is. WorkError when the file cannot be read, has become
        shorter, or holds booleans other than 0 and 1.
        """
        ranges = block_ranges(self.shape, axis, start, stop)
        if out.shape != lengths(ranges) or out.dtype != self.dtype:
            raise ValueError(f"a block {start}:{stop} of {self} along axis {axis} is no {out.dtype} {out.shape}")
        self._read(ranges, out)

    def __getitem__(self, key: Index) -> Array:
        """The part of the array that integers and slices (of step 1) select; only that is read and held."""
        ranges, shape = parse_index(key, self.shape)
        with reading(self.path):
            out = np.empty(lengths(ranges), self.dtype)
        self._read(ranges, out)
        return out.reshape(shape)

    def rows(self, chosen: Array) -> Array:
        """The rows of these numbers, in ascending order; rows that are near are read with what lies between them."""
        with reading(self.path):
            out = np.empty((chosen.size, *self.shape[1:]), self.dtype)
        row = self.nbytes // max(1, self.shape[0])
        apart = (np.diff(chosen) * row > NEAR) | (np.diff(chosen * row // _MOST_AT_ONCE) > 0)
        ends = [*(np.flatnonzero(apart) + 1).tolist(), chosen.size]
        numbers, start = chosen.tolist(), 0
        for end in ends if out.size else ():
            first, count = numbers[start], numbers[end - 1] - numbers[start] + 1
            if count == end - start:
                self._read_rows(first, out[start:end])
            else:
                between = np.empty((count, *self.shape[1:]), self.dtype)
                self._read_rows(first, between)
                out[start:end] = between[chosen[start:end] - first]
            start = end
        return out

    def _read_rows(self, first: int, out: Array) -> None:
        """Read rows that follow each other, from number `first` on."""
        if not (self.c_contiguous and self.header.dtype.isnative) or out.dtype.kind == "b":
            self.read(0, first, first + len(out), out)
            return
        position = self.offset + first * (out.nbytes // len(out))
        try:
            with reading(self.path):
                self._source.read(out.reshape(-1).view(np.uint8).data, position)
        except EOFError:
            raise self._truncated() from None

    def load(self) -> Array:
        """The whole array, in memory and in the order of the file; WorkError when it does not fit."""
        check_memory(self.header, hint=None)
        with reading(self.path):
            out = np.empty(self.shape, self.dtype, order="C" if self.c_contiguous else "F")
        self._read([(0, n) for n in self.shape], out)
        return out

    def blocks(self) -> Iterator[Array]:
        """The elements in C order, some at a time; ValueError unless the file has them so."""
        flat = self.flat()
        step = _BLOCK // self.dtype.itemsize
        for start in range(0, self.size, step):
            yield flat[start : min(self.size, start + step)]

    def origin(self) -> Origin | None:
        """Where other processes find this array; None where they cannot."""
        return self._source.origin(self.path)

    def flat(self) -> FileArray:
        """The same data with one dimension; ValueError unless it is in C order."""
        return self.view((self.size,))

    def view(self, shape: tuple[int, ...]) -> FileArray:
        """The same data as an array of another shape; ValueError unless it is in C order."""
        if not self.c_contiguous or math.prod(shape) != self.size:
            raise ValueError(f"{self} has no view of shape {shape}")
        return FileArray(self._source, self.header._replace(shape=shape, fortran_order=False))

    def _read(self, ranges: Ranges, out: Array) -> None:
        if not out.size:
            return
        box = cut(self._whole, ranges if self.c_contiguous else ranges[::-1])
        data = out if self.c_contiguous else out.T
        header = self.header
        try:
            with reading(self.path):
                read_box(self._source.read, box, header.dtype, data if self.ndim else data.reshape(1))
        except EOFError:
            raise self._truncated() from None
        check_booleans(out, header)

    def _truncated(self) -> WorkError:
        """The error where the file ends too early: it may do so far before the place that was read."""
        return truncated(self.header, max(0, self._source.size() - self.offset))
