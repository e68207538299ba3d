"""Strides as PyTorch would lay a result out: they decide which reshapes are views, and so the names in a chain."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gradcli.errors import GradcliError

Shape = tuple[int, ...]

#: PyTorch's names of orders in memory. In the last two the channels, which are dimension 1, change fastest.
FORMATS = ("preserve_format", "contiguous_format", "channels_last", "channels_last_3d")


def contiguous(shape: Shape) -> Shape:
    """Row-major strides in elements.

    >>> contiguous((2, 3, 4))
    (12, 4, 1)
    """
    strides = []
    step = 1
    for length in reversed(shape):
        strides.append(step)
        step *= max(length, 1)
    return tuple(reversed(strides))


def normalize(shape: Shape, strides: Shape) -> Shape | None:
    """`strides`, or None when they are contiguous (lengths of 1 and empty tensors do not matter)."""
    if not math.prod(shape):
        return None
    expected = 1
    for length, stride in zip(reversed(shape), reversed(strides), strict=True):
        if length != 1:
            if stride != expected:
                return strides
            expected *= length
    return None


def in_format(memory_format: str, shape: Shape, strides: Shape | None) -> Shape | None:
    """The strides of a copy in an order of `FORMATS`.

    >>> in_format("channels_last", (2, 3, 4, 5), None)
    (60, 1, 15, 3)
    """
    if memory_format in FORMATS[:2]:
        return strides if memory_format == "preserve_format" else None
    rank = 4 if memory_format == "channels_last" else 5
    if len(shape) != rank:
        message = f"{memory_format} is an order of {rank} dimensions, the tensor has {len(shape)}"
        raise GradcliError(message, argument="memory_format")
    n, *rest = contiguous((shape[0], *shape[2:], shape[1]))
    return normalize(shape, (n, rest[-1], *rest[:-1]))


def format_of(shape: Shape, strides: Shape | None) -> str:
    """Which of `FORMATS` strides are taken for."""
    last = {4: "channels_last", 5: "channels_last_3d"}.get(len(shape))
    return last if last and strides and strides == in_format(last, shape, None) else "contiguous_format"


def view(shape: Shape, strides: Shape, new_shape: Shape) -> Shape | None:
    """The strides of `new_shape` over the same memory, or None when the elements would have to be copied."""
    if not math.prod(shape):
        return contiguous(new_shape)
    result = [0] * len(new_shape)
    at = len(new_shape) - 1
    chunk, chunk_stride = 1, strides[-1] if strides else 1
    for d in range(len(shape) - 1, -1, -1):
        chunk *= shape[d]
        # Dimensions belong to one chunk as long as the outer one steps over exactly the inner ones.
        if d > 0 and (shape[d - 1] == 1 or strides[d - 1] == chunk * chunk_stride):
            continue
        filled = 1
        while at >= 0 and (filled < chunk or new_shape[at] == 1):
            result[at] = filled * chunk_stride
            filled *= new_shape[at]
            at -= 1
        if filled != chunk:
            return None
        if d > 0:
            chunk, chunk_stride = 1, strides[d - 1]
    while at >= 0:
        if new_shape[at] != 1:
            return None
        result[at] = 1
        at -= 1
    return tuple(result)


def elementwise(operands: Sequence[tuple[Shape, Shape | None]], shape: Shape) -> Shape | None:
    """The layout of an elementwise result: the order of dimensions that its operands suggest, densely packed."""
    full = [_broadcast(s, contiguous(s) if st is None else st, shape) for s, st in operands]
    order = list(reversed(range(len(shape))))
    # PyTorch's insertion sort, smallest strides first; the order of comparisons matters, as they may be undecided.
    for start in range(1, len(order)):
        at = start
        for below in reversed(range(start)):
            verdict = _compare(full, shape, order[below], order[at])
            if verdict < 0:
                break
            if verdict > 0:
                order[below], order[at] = order[at], order[below]
                at = below
    result = [0] * len(shape)
    step = 1
    for d in order:
        result[d] = step
        step *= max(shape[d], 1)
    return normalize(shape, tuple(result))


def _broadcast(shape: Shape, strides: Shape, full: Shape) -> Shape:
    """The strides of an operand stretched to `full`: 0 where it is repeated."""
    lead = len(full) - len(shape)
    own = (0 if n == 1 and full[lead + k] != 1 else st for k, (n, st) in enumerate(zip(shape, strides, strict=True)))
    return (*(0,) * lead, *own)


def _compare(strides: Sequence[Shape], shape: Shape, a: int, b: int) -> int:
    """Whether dimension `a` steps further than `b` (1), less far (-1), or no operand tells (0)."""
    for own in strides:
        if own[a] == 0 or own[b] == 0:
            continue
        if own[a] != own[b]:
            return 1 if own[a] > own[b] else -1
        if shape[a] > shape[b]:
            return 1
    return 0
