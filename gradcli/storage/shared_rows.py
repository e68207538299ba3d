"""Rows of a file that several of its parts lie in: a block of them is read once for all of these."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradcli.storage.boxes import Box, Read, read_box
from gradcli.storage.header import Array, DType

# What lies between the parts is read with them if it is no more than they are.
_TIMES = 2


class SharedRows:
    """The bytes of each row from place `first` of row 0 on, `width` of them; rows are `stride` bytes apart.

    The rows that were read last are kept, for one thread.
    """

    def __init__(self, read: Read, first: int, width: int, stride: int) -> None:
        self.read, self.first, self.width, self.stride = read, first, width, stride
        self._there = (0, 0)
        self._data = np.empty((0, width), np.uint8)

    def fill(self, box: Box, dtype: DType, axis: int, start: int, stop: int, out: Array) -> None:
        """Write the block `start:stop` along `axis` of a part into `out`. Errors are those of `read`."""
        if self._there != (start, stop):
            self._there = (0, 0)
            if len(self._data) != stop - start:
                self._data = np.empty((stop - start, self.width), np.uint8)
            rows = Box(self.first + start * self.stride, self._data.shape, (self.stride, 1))
            read_box(self.read, rows, self._data.dtype, self._data)
            self._there = (start, stop)
        strides = [self.width if d == axis else stride for d, stride in enumerate(box.strides[:-1])]
        out[...] = np.ndarray(out.shape, dtype, self._data, box.position - self.first, strides)


def beside_each_other(parts: Sequence[tuple[Box, int]], read: Read) -> list[SharedRows | None]:
    """For each part of a file, given with the dimension that it is cut along, what reads it together with others; None
    for those that are read alone."""
    found: list[SharedRows | None] = [None] * len(parts)
    spans = [_row(box, axis) for box, axis in parts]
    left = [k for k, (box, axis) in enumerate(parts) if spans[k] <= box.strides[axis]]
    left.sort(key=lambda k: parts[k][0].position)
    while left:
        first = parts[left[0]][0].position
        stride = parts[left[0]][0].strides[parts[left[0]][1]]
        near = [k for k in left if _is_beside(parts[k], spans[k], first, stride)]
        width = max(parts[k][0].position + spans[k] for k in near) - first
        if len(near) > 1 and width <= _TIMES * sum(spans[k] for k in near):
            rows = SharedRows(read, first, width, stride)
            for k in near:
                found[k] = rows
        left = [k for k in left if k not in near]
    return found


def _row(box: Box, axis: int) -> int:
    """Bytes from the first element of a row to the end of its last."""
    others = [(n - 1) * stride for d, (n, stride) in enumerate(zip(box.counts, box.strides, strict=True)) if d != axis]
    return sum(others) + box.strides[-1]


def _is_beside(part: tuple[Box, int], span: int, first: int, stride: int) -> bool:
    """Whether the rows of a part lie within those of the one that begins at `first`."""
    box, axis = part
    return box.strides[axis] == stride and box.position + span - first <= stride
