"""Arrays that stay in their .npy files and are read in blocks, by any number of threads at once."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np

from gradcli.errors import WorkError
from gradcli.storage.boxes import NEAR, Box, read_at, read_box, whole
from gradcli.storage.header import Array, DType, Header, truncated
from gradcli.storage.loading import check_booleans, check_memory, reading
from gradcli.storage.ranges import Index, Ranges, block_ranges, lengths, parse_index
from gradcli.storage.shared_rows import SharedRows, beside_each_other

#: What fills an array with a block: `reader(start, stop, out)`.
Reader = Callable[[int, int, Array], None]

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
    """An array in a .npy file, or a part of one, of which nothing is held in memory.

    `dtype` is in native byte order whatever the file's is. The file stays open, so that another one may take its
    name. Methods may be called from any thread. `header` is that of the file, `box` where the part lies; a last
    dimension of one element stands for its elements, which need not be neighbours.
    """

    #: It is read block by block, unlike what is in memory.
    streams = True

    def __init__(self, source: ByteSource, header: Header, box: Box | None = None) -> None:
        self.path = header.path
        self.dtype: DType = header.dtype.newbyteorder("=")
        self._box = _box_of(header) if box is None else box
        self.shape = self._box.counts[:-1]
        self.ndim = len(self.shape)
        self.size = math.prod(self.shape)
        self.nbytes = self.size * self.dtype.itemsize
        self.offset = self._box.position
        self.c_contiguous = self.size == 0 or _in_c_order(self._box)
        self._source = source
        self.header = header

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

    def readers(self, cuts: Sequence[tuple[FileArray, int]]) -> list[Reader]:
        """For each of some arrays, given with the dimension that it is cut along, what reads a block of it as
        `reader(start, stop, out)`, all in one thread: rows that parts of a file share are read once."""
        found: list[Reader] = [partial(array.read, axis) for array, axis in cuts]
        plain = {k: array._source for k, (array, _) in enumerate(cuts) if array._is_plain()}
        for source in dict.fromkeys(plain.values()):
            mine = [k for k, other in plain.items() if other is source]
            shared = beside_each_other([(cuts[k][0]._box, cuts[k][1]) for k in mine], source.read)
            for k, rows in zip(mine, shared, strict=True):
                if rows is not None:
                    found[k] = partial(cuts[k][0]._read_beside, rows, cuts[k][1])
        return found

    def _is_plain(self) -> bool:
        """Whether its bytes are elements as they are."""
        return self.ndim > 0 and self.header.dtype.isnative and self.dtype.kind != "b"

    def _read_beside(self, rows: SharedRows, axis: int, start: int, stop: int, out: Array) -> None:
        try:
            with reading(self.path):
                rows.fill(self._box, self.dtype, axis, start, stop, out)
        except EOFError:
            raise self._truncated() from None

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
        """The whole array, in memory and in the order of the file, or a part of one in C order; WorkError when it does
        not fit."""
        check_memory(self.header._replace(shape=self.shape), hint=None)
        with reading(self.path):
            out = np.empty(self.shape, self.dtype, order="C" if self.c_contiguous or self._is_part() else "F")
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
        """The same data as an array of another shape; ValueError unless it is in C order, or only dimensions of one
        element come or go."""
        if math.prod(shape) == self.size and self.c_contiguous:
            return self._placed(whole(self.offset, (*shape, 1), self.dtype.itemsize))
        strides = iter([stride for n, stride in zip(self.shape, self._box.strides, strict=False) if n != 1])
        if [n for n in shape if n != 1] != [n for n in self.shape if n != 1]:
            raise ValueError(f"{self} has no view of shape {shape}")
        # Nobody steps along a dimension of one element.
        found = [self.dtype.itemsize if n == 1 else next(strides) for n in shape]
        return self._placed(Box(self.offset, (*shape, 1), (*found, self.dtype.itemsize)))

    def part(
        self, shape: tuple[int, ...], dims: Sequence[tuple[int, int, int]], places: Sequence[tuple[int, int]]
    ) -> FileArray:
        """The array of this shape that shows, along each dimension, one of ours from a place on in steps, as in `dims`,
        at fixed `places` along the others."""
        strides, position = self._box.strides, self.offset
        position += sum(start * strides[d] for d, start, _ in dims) + sum(place * strides[d] for d, place in places)
        found = [step * strides[d] for d, _, step in dims]
        return self._placed(Box(position, (*shape, 1), (*found, self.dtype.itemsize)))

    def _is_part(self) -> bool:
        return self._box != _box_of(self.header)

    def _placed(self, box: Box) -> FileArray:
        return FileArray(self._source, self.header, box)

    def _read(self, ranges: Ranges, out: Array) -> None:
        if not out.size:
            return
        box, header = self._box, self.header
        position = box.position + sum(start * stride for (start, _), stride in zip(ranges, box.strides, strict=False))
        # What is farthest apart comes first, as in a file.
        order = sorted(range(self.ndim), key=lambda d: -box.strides[d])
        counts, strides = [out.shape[d] for d in order], [box.strides[d] for d in order]
        wanted = Box(position, (*counts, 1), (*strides, box.strides[-1]))
        try:
            with reading(self.path):
                read_box(self._source.read, wanted, header.dtype, out.transpose(order)[..., None])
        except EOFError:
            raise self._truncated() from None
        check_booleans(out, header)

    def _truncated(self) -> WorkError:
        """The error where the file ends too early: it may do so far before the place that was read."""
        return truncated(self.header, max(0, self._source.size() - self.header.offset))


def _box_of(header: Header) -> Box:
    """Where a whole array lies."""
    shape = header.shape[::-1] if header.fortran_order else header.shape
    box = whole(header.offset, (*shape, 1), header.dtype.itemsize)
    return _turned(box) if header.fortran_order else box


def _turned(box: Box) -> Box:
    """The same with its dimensions in the opposite order, but for the last one."""
    return Box(box.position, (*box.counts[-2::-1], 1), (*box.strides[-2::-1], box.strides[-1]))


def _in_c_order(box: Box) -> bool:
    """Whether the elements lie one after the other in C order."""
    long = [(n, stride) for n, stride in zip(box.counts, box.strides, strict=True) if n != 1]
    expected = [n * stride for n, stride in long[1:]] + [box.strides[-1]]
    return all(stride == wanted for (_, stride), wanted in zip(long, expected, strict=True)) if long else True
