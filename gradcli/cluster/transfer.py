"""Arrays on their way to another process: a part of each, put there where it was here, strides and all.

Kernels choose their way by the layout of what they get, and another way may round differently: a part that has been
sent lies in memory as it does at home, at its place in an array that is otherwise left empty.
"""

from __future__ import annotations

import mmap
from typing import Any, NamedTuple

import numpy as np

from gradcli.graph.layout import contiguous

# Pages that are never touched take no memory; without this flag the system may refuse to promise so many.
_FLAGS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0x4000)


class Piece(NamedTuple):
    """The part `start:stop` along `axis` of an array; `data` has one element where the array repeats itself."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str
    axis: int
    start: int
    stop: int
    data: Any


def piece_of(array: Any, axis: int = 0, start: int = 0, stop: int | None = None) -> Piece:
    """A part of an array, or of one in a file; the whole without `stop`."""
    held = isinstance(array, np.ndarray)
    # From a file it is copied into a buffer in any case.
    strides = array.strides if held else _packed(array.shape, array.dtype.itemsize)
    rows = (slice(None),) * axis + (slice(start, stop),)
    part = array[rows] if stop is not None else array if held else array.load()
    end = array.shape[axis] if stop is None and array.ndim else stop or 0
    data = np.ascontiguousarray(part[_once(strides)]) if part.ndim else np.array(part)
    return Piece(tuple(array.shape), strides, str(array.dtype), axis, start, end, data)


def placed(piece: Piece) -> Any:
    """The array, of which only the part that was sent is filled in."""
    array = blank(piece.shape, np.dtype(piece.dtype), piece.strides)
    if not array.ndim:
        array[()] = piece.data
    elif array.size:
        part = array[(slice(None),) * piece.axis + (slice(piece.start, piece.stop),)]
        part[_once(piece.strides)] = piece.data
    return array


def blank(shape: tuple[int, ...], dtype: Any, strides: tuple[int, ...] | None = None) -> Any:
    """An array that takes no memory where nothing is written; in C order unless it has other strides."""
    if 0 in shape:
        return np.empty(shape, dtype)
    strides = _packed(shape, dtype.itemsize) if strides is None else strides
    steps = [(n - 1) * stride for n, stride in zip(shape, strides, strict=True)]
    extent = sum(map(abs, steps)) + dtype.itemsize
    memory = mmap.mmap(-1, extent, flags=_FLAGS)
    return np.ndarray(shape, dtype, buffer=memory, offset=-sum(step for step in steps if step < 0), strides=strides)


def _packed(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    return tuple([itemsize * stride for stride in contiguous(shape)])


def _once(strides: tuple[int, ...]) -> tuple[slice, ...]:
    """What picks one of the elements that an array repeats along dimensions with stride 0."""
    return tuple([slice(0, 1) if stride == 0 else slice(None) for stride in strides])
