"""Which part of an array is meant: a block along one axis, or what integers and slices of step 1 select."""

from __future__ import annotations

import operator
from types import EllipsisType
from typing import Any

# Half-open, one for each dimension.
Ranges = list[tuple[int, int]]
Shape = tuple[int, ...]
Item = int | slice | EllipsisType
Index = Item | tuple[Item, ...]


def block_ranges(shape: Shape, axis: int, start: int, stop: int) -> Ranges:
    """The block `start:stop` along `axis`; a tensor of no dimensions has the block 0:1 along axis 0."""
    sizes = shape or (1,)
    if not 0 <= axis < len(sizes) or not 0 <= start <= stop <= sizes[axis]:
        raise ValueError(f"an array of shape {shape} has no block {start}:{stop} along axis {axis}")
    ranges = [(0, n) for n in sizes]
    ranges[axis] = (start, stop)
    return ranges[: len(shape)]


def ranges_of_block(array: Any, axis: int, start: int, block: Any) -> Ranges:
    """Where a block lies that begins at `start` along an axis of an array; ValueError unless it is one."""
    n = block.shape[axis] if block.ndim > axis else 1
    ranges = block_ranges(array.shape, axis, start, start + n)
    if block.shape != lengths(ranges) or block.dtype != array.dtype:
        message = f"{block.dtype} {block.shape} is not a block along axis {axis} of {array.dtype} {array.shape}"
        raise ValueError(message)
    return ranges


def lengths(ranges: Ranges) -> Shape:
    """The shape of a part."""
    return tuple([stop - start for start, stop in ranges])


def parse_index(key: Index, shape: Shape) -> tuple[Ranges, Shape]:
    """The part that `array[key]` selects, and the shape it then has: without the dimensions given by an integer."""
    items: tuple[Any, ...] = key if isinstance(key, tuple) else (key,)
    dots = [k for k, item in enumerate(items) if item is ...]
    at = dots[0] if dots else len(items)
    missing = len(shape) - len(items) + len(dots)
    if len(dots) > 1 or missing < 0:
        raise IndexError(f"an array of shape {shape} has no part {key}")
    items = (*items[:at], *[slice(None)] * missing, *items[at + 1 :])
    ranges, kept = [], []
    for item, n in zip(items, shape, strict=True):
        if isinstance(item, slice):
            start, stop, step = item.indices(n)
            if step != 1:
                raise IndexError("slices of files have step 1")
            ranges.append((start, max(start, stop)))
            kept.append(max(0, stop - start))
        else:
            index = operator.index(item)
            if not -n <= index < n:
                raise IndexError(f"{index} is out of range for a dimension of {n}")
            ranges.append((index % n, index % n + 1))
    return ranges, tuple(kept)
