"""Rectangular parts of an array in a file, moved in few system calls; any number of threads may do so at once.

All arrays here are in C order: one in Fortran order is the transpose of such an array.
"""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from gradcli.storage.header import Array, DType
from gradcli.storage.ranges import Ranges, lengths

#: What fills memory with the bytes from a position on; EOFError(position) where there are no more.
Read = Callable[[memoryview, int], None]

# One system call moves at most this much: Ctrl-C waits for no longer.
_CHUNK = 8 << 20
# What is not moved straight to or from the caller's memory goes through this much; it stays in the cache.
_STAGE = 1 << 19
#: Runs closer to each other than this are moved together with what lies between them: a system call takes as long.
NEAR = 16 << 10
# Blocks of up to this size are transposed at once when they come in more runs than a few.
_PACKED = 4 << 20
_FEW = 4


class Box(NamedTuple):
    """Part of an array: byte `position` of the file holds its first element; one step along d is strides[d] bytes.

    There is at least one dimension and one element.
    """

    position: int
    counts: tuple[int, ...]
    strides: tuple[int, ...]

    def span(self, dim: int) -> int:
        """Bytes from the first element to the end of the last, going along `dim` and those after it only."""
        steps = sum((n - 1) * stride for n, stride in zip(self.counts[dim:], self.strides[dim:], strict=True))
        return steps + self.strides[-1]


def whole(position: int, shape: Sequence[int], itemsize: int) -> Box:
    """An array in C order from byte `position` on; a tensor of no dimensions is taken for one of shape (1,)."""
    strides = [itemsize]
    for size in reversed(shape[1:]):
        strides.append(strides[-1] * size)
    return Box(position, tuple(shape) or (1,), tuple(reversed(strides)))


def cut(box: Box, ranges: Ranges) -> Box:
    """The part of a whole array within `ranges`."""
    starts = [start for start, _ in ranges]
    position = box.position + sum(map(operator.mul, starts, box.strides))
    return Box(position, lengths(ranges) or (1,), box.strides)


def read_box(read: Read, box: Box, dtype: DType, out: Array) -> None:
    """Read a box of the file's `dtype` (any byte order) into `out`, of the same shape in native order and any layout.

    Errors are those of `read`: EOFError(position) says that the file ends there.
    """
    level = _joined(box)
    runs = _is_run(box, level)
    if runs and not out.flags.c_contiguous and _is_packed(box, level):
        packed = np.empty(out.shape, out.dtype)
        read_box(read, box, dtype, packed)
        out[...] = packed
        return
    if runs and out.flags.c_contiguous:
        data = _bytes(out)
        size = box.span(level)
        for at, position in enumerate(_positions(box, level)):
            read(data[at * size : (at + 1) * size], position)
        if not dtype.isnative:
            out.byteswap(inplace=True)
        return
    stage = np.empty(min(_STAGE, box.span(level)), np.uint8)
    for index, piece in _pieces(box, level):
        read(stage.data[: piece.span(0)], piece.position)
        out[index] = np.ndarray(piece.counts, dtype, buffer=stage.data, strides=piece.strides)


def write_box(descriptor: int, box: Box, block: Array) -> bool:
    """Write `block`, of the same shape and any layout; False when that needs `merge_box` and nothing was done."""
    level = _joined(box)
    if not _is_run(box, level):
        return False
    if _is_packed(box, level):
        block = np.ascontiguousarray(block)
    if block.flags.c_contiguous:
        data = _bytes(block)
        size = box.span(level)
        for at, position in enumerate(_positions(box, level)):
            write_at(descriptor, data[at * size : (at + 1) * size], position)
        return True
    for index, piece in _pieces(box, level):
        write_at(descriptor, _bytes(np.ascontiguousarray(block[index])), piece.position)
    return True


def merge_box(descriptor: int, box: Box, block: Array) -> None:
    """Write `block` in short runs: what lies between them is read and written again, so nobody else may write it.

    Whether runs are near depends on the array and the dimensions cut, not on the size of the blocks: either all
    blocks along one axis of an array are merged or none is.
    """
    level = _joined(box)
    stage = np.empty(min(_STAGE, box.span(level)), np.uint8)
    for index, piece in _pieces(box, level):
        data = stage.data[: piece.span(0)]
        read_at(descriptor, data, piece.position)
        np.ndarray(piece.counts, block.dtype, buffer=stage.data, strides=piece.strides)[...] = block[index]
        write_at(descriptor, data, piece.position)


def _joined(box: Box) -> int:
    """The first dimension from which on everything is moved together, gaps and all."""
    counts, strides = box.counts, box.strides
    level = len(counts) - 1
    while level and (counts[level - 1] == 1 or strides[level - 1] <= NEAR or strides[level - 1] == box.span(level)):
        level -= 1
    return level


def _is_run(box: Box, level: int) -> bool:
    """Whether from dimension `level` on there are no gaps."""
    return box.span(level) == box.strides[-1] * math.prod(box.counts[level:])


def _is_packed(box: Box, level: int) -> bool:
    """Whether runs are many and short: they go through a contiguous copy of the block rather than one by one."""
    count = math.prod(box.counts[:level])
    return count > _FEW and count * box.span(level) <= _PACKED


def _positions(box: Box, level: int) -> Iterator[int]:
    """Where in the file each combination of the dimensions before `level` begins."""
    for index in _indices(box.counts[:level]):
        yield box.position + sum(map(operator.mul, index, box.strides))


def _pieces(box: Box, level: int) -> Iterator[tuple[tuple[int | slice, ...], Box]]:
    """The box in pieces that fit into the stage and extend over nothing but dimensions from `level` on.

    Each is given with its index in the box.
    """
    while box.span(level + 1) > _STAGE:
        level += 1
    count, stride = box.counts[level], box.strides[level]
    step = (_STAGE - box.span(level + 1)) // stride + 1
    for lead, position in zip(_indices(box.counts[:level]), _positions(box, level), strict=True):
        for start in range(0, count, step):
            stop = min(count, start + step)
            piece = Box(position + start * stride, (stop - start, *box.counts[level + 1 :]), box.strides[level:])
            yield (*lead, slice(start, stop)), piece


def _indices(counts: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """All indices of an array of the shape `counts`, in C order; made one by one, unlike itertools.product's."""
    indices: Iterator[tuple[int, ...]] = iter([()])
    for count in counts:
        indices = _longer(indices, count)
    return indices


def _longer(indices: Iterator[tuple[int, ...]], count: int) -> Iterator[tuple[int, ...]]:
    for index in indices:
        for i in range(count):
            yield (*index, i)


def _bytes(array: Array) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def read_at(descriptor: int, data: memoryview, position: int) -> None:
    """Read bytes from `position` on until `data` is full; EOFError(position) where the file ends."""
    done = 0
    while done < len(data):
        count = os.preadv(descriptor, [data[done : done + _CHUNK]], position + done)
        if not count:
            raise EOFError(position + done)
        done += count


def write_at(descriptor: int, data: memoryview, position: int) -> None:
    """Write all of `data` from byte `position` on."""
    done = 0
    while done < len(data):
        done += os.pwrite(descriptor, data[done : done + _CHUNK], position + done)
