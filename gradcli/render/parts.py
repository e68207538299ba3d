"""Arrays looked at piece by piece, in the order in which their elements are written out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

#: Elements that are held at once as objects of Python.
MOST = 1 << 14
# Bytes that are read from a file at once: much more than a system call is worth.
_READ = 1 << 22

Ranges = tuple[slice, ...]


def ranges_of(shape: Sequence[int], most: int = MOST) -> Iterator[Ranges]:
    """The parts of an array of at most so many elements, one after the other in C order.

    Each is as long as it may be along one dimension, whole along those after it and of length 1 along those before.

    >>> [tuple((s.start, s.stop) for s in part) for part in ranges_of((2, 3), 2)]
    [((0, 1), (0, 2)), ((0, 1), (2, 3)), ((1, 2), (0, 2)), ((1, 2), (2, 3))]
    """
    if not shape:
        yield ()
        return
    axis = len(shape) - 1
    while axis and math.prod(shape[axis:]) <= most:
        axis -= 1
    step = max(1, most // max(1, math.prod(shape[axis + 1 :])))
    inner = tuple([slice(0, n) for n in shape[axis + 1 :]])
    lead = shape[:axis]
    for number in range(math.prod(lead)):
        outer = []
        for n in reversed(lead):
            number, at = divmod(number, n)
            outer.append(slice(at, at + 1))
        for start in range(0, shape[axis], step):
            yield (*reversed(outer), slice(start, min(shape[axis], start + step)), *inner)


def parts_of(array: Any) -> Iterator[tuple[Ranges, np.ndarray]]:
    """The parts of an array, or of one in a file, with what is in them."""
    shape = tuple(array.shape)
    if isinstance(array, np.ndarray):
        yield from ((part, array[part]) for part in ranges_of(shape))
        return
    for outer in ranges_of(shape, max(MOST, _READ // array.dtype.itemsize)):
        held = array[outer]
        for part in ranges_of(held.shape):
            moved = [slice(o.start + p.start, o.start + p.stop) for o, p in zip(outer, part, strict=True)]
            yield tuple(moved), held[part]


def split_of(ranges: Ranges, shape: Sequence[int]) -> int:
    """The dimension along which a part is cut: it is whole along those after it, and of length 1 before."""
    axis = len(shape) - 1
    while axis and ranges[axis].stop - ranges[axis].start == shape[axis]:
        axis -= 1
    return axis
