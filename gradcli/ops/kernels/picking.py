"""Elements at places along one dimension: picked, put and added up in the order of the places."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from gradcli.errors import SizeError

# Places of a few rows that are gone through at once: what is made of them stays in the cache.
_PIECE = 1 << 16
# Elements of a row that is copied there first, in order: where it lies, memory would be waited for at every place.
_LONG = range(1 << 7, _PIECE)
# Elements of a block that are brought together before lines of it are taken.
_MOST_MOVED = 1 << 20


def are_there(index: Any, length: int, least: int = 0) -> bool:
    """Whether no index is below `least`, or from `length` on."""
    if not least and index.dtype.kind == "i":
        # Taken without sign, negative ones are the largest: that is looked at once, not twice.
        unsigned = index.view(f"u{index.itemsize}")
        return not index.size or bool(unsigned.max() < length)
    return not index.size or bool(least <= index.min() and index.max() < length)


def check_places(index: Any, length: int, dim: int, least: int = 0) -> None:
    """Refuse indices below `least` and from `length` on."""
    if not are_there(index, length, least):
        worst = index.min() if index.min() < least else index.max()
        raise SizeError("index {} is out of range for dimension {} of length {}", int(worst), dim, length)


def flat_places(index: Any, shape: tuple[int, ...], dim: int) -> Any:
    """The places in a row-major array of a shape that `index` has along a dimension, at its own place along others.

    An index with fewer dimensions is the same for all places along the first ones.
    """
    lead = len(shape) - index.ndim
    check_places(index, shape[dim], dim)
    flat = np.zeros((1,) * len(shape), np.int64)
    stride = 1
    for d in reversed(range(len(shape))):
        if d == dim:
            along = index.astype(np.int64) * stride if stride != 1 else index
        else:
            length = index.shape[d - lead] if d >= lead else shape[d]
            flat = flat + (np.arange(length) * stride).reshape((-1, *(1,) * (len(shape) - d - 1)))
        stride *= shape[d]
    # Where nothing is there it is the sum that is empty.
    return flat + along if flat.size != 1 else along


def _in_rows(shape: tuple[int, ...], index: Any, dim: int) -> tuple[int, int, int] | None:
    """How many rows there are in front of a dimension, its length, and how many places behind each; None where the
    index is not for all of them."""
    rest = (*shape[:dim], *shape[dim + 1 :])
    if (
        not shape
        or len(shape) != index.ndim
        or not (index.size and math.prod(shape))
        or (*index.shape[:dim], *index.shape[dim + 1 :]) != rest
    ):
        return None
    return math.prod(shape[:dim]), shape[dim], math.prod(shape[dim + 1 :])


def _pieces(index: Any, rows: int, length: int, inner: int, dim: int) -> Iterator[tuple[slice, Any]]:
    """A few rows after the other, with the flat places within these, none of which is out of range."""
    index = index.reshape(rows, -1, inner)
    lines = max(1, min(rows, _PIECE // max(1, max(index.shape[1], length) * inner)))
    behind = (np.arange(lines) * (length * inner))[:, None, None] + np.arange(inner)
    if lines > 1:
        # Rows may be short: sums are fast where everything is a vector.
        behind = np.repeat(behind, index.shape[1], axis=1)
    for start in range(0, rows, lines):
        own = index[start : start + lines]
        check_places(own, length, dim)
        flat = own if inner == 1 else own.astype(np.int64) * inner
        yield slice(start, start + lines), flat if behind.size == 1 else flat + behind[: len(own)]


def picked(x: Any, index: Any, dim: int) -> Any:
    """The element at each index."""
    lead = max(0, x.ndim - index.ndim) if index.ndim else 0
    out = np.empty((*x.shape[:lead], *index.shape), x.dtype)
    picked_into(out, x, index, dim)
    return out


def picked_into(out: Any, x: Any, index: Any, dim: int) -> None:
    """The same, written to an array."""
    if not x.ndim or not index.ndim:
        check_places(index, x.shape[dim] if x.ndim else 1, dim)
        out[...] = x.reshape(-1)[index.astype(np.int64)].reshape(index.shape)
        return
    found = _in_rows(x.shape, index, dim)
    if found is None or not x.flags.c_contiguous or not out.flags.c_contiguous:
        out[...] = np.take(np.ascontiguousarray(x).reshape(-1), flat_places(index, x.shape, dim))
        return
    rows, length, inner = found
    lines, there = x.reshape(rows, length * inner), out.reshape(rows, -1)
    for piece, flat in _pieces(index, rows, length, inner, dim):
        near = lines[piece].copy() if length * inner in _LONG else lines[piece]
        # Checked once more while it takes them, NumPy would make a copy first.
        np.take(near.reshape(-1), flat, None, there[piece].reshape(flat.shape), "wrap")


def lines_into(out: Any, x: Any, index: Any, dim: int = 0) -> None:
    """Write what is at each index along a dimension, whole lines; all of them must be there."""
    if x.flags.c_contiguous or x.size <= min(_MOST_MOVED, 2 * out.size):
        # Checked once more while it takes them, NumPy would make a copy first.
        np.take(np.ascontiguousarray(x), index, dim, out, "wrap")
    else:
        out[...] = x[(slice(None),) * dim + (index,)]


def added_up(start: Any, flat: Any, values: Any) -> Any:
    """An array with values added at flat places, one after the other; floats in float64, then rounded."""
    wide = np.float64 if start.dtype.kind == "f" else start.dtype
    total = np.array(start, wide, order="C")
    combine_at(np.add, total.reshape(-1), flat.reshape(-1), values.reshape(-1))
    return total.astype(start.dtype, copy=False)


def combine_at(ufunc: Any, total: Any, places: Any, values: Any) -> None:
    """Combine values with what is at their places, one after the other: all of them are vectors."""
    # NumPy takes ten to thirty times as long where dtypes are not the same object, as those of two files are not.
    own = total.dtype.type
    total = total.view(own)
    for start in range(0, places.size, _PIECE):
        piece = slice(start, start + _PIECE)
        ufunc.at(total, places[piece], values[piece].astype(own, copy=False).view(own))


def added_along(out: Any, start: Any, index: Any, values: Any, dim: int) -> bool:
    """Write what is at the start, None for zeros, with floating-point values added at each index in the same manner;
    False where that does not go row by row."""
    found = _in_rows(out.shape, index, dim)
    if found is None or out.dtype.kind != "f" or not out.flags.c_contiguous or values.shape != index.shape:
        return False
    rows, length, inner = found
    there, values = out.reshape(rows, -1), values.reshape(rows, -1)
    before = None if start is None else start.reshape(rows, -1)
    for piece, flat in _pieces(index, rows, length, inner, dim):
        into = there[piece].reshape(-1)
        sums = into if out.dtype == np.float64 else np.empty(into.size)
        sums[...] = 0 if before is None else before[piece].reshape(-1)
        combine_at(np.add, sums, flat.reshape(-1), values[piece].reshape(-1))
        if sums is not into:
            into[...] = sums
    return True


def add_lines(total: Any, index: Any, lines: Any) -> None:
    """Add lines up at places along the first dimension of what lies in one piece, one after the other; negative places
    count from the end, and all of them must be there. The lines have the dimensions of the index in the place of it."""
    inner = math.prod(total.shape[1:])
    places = index.reshape(-1, 1).astype(np.int64) % max(1, len(total)) * inner
    sums, terms = total.reshape(-1), lines.reshape(len(places), inner)
    behind, step = np.arange(inner), max(1, _PIECE // max(1, inner))
    for first in range(0, len(places) if inner else 0, step):
        own = slice(first, first + step)
        combine_at(np.add, sums, (places[own] + behind).ravel(), terms[own].ravel())


def placed(g: Any, index: Any, shape: tuple[int, ...], dim: int) -> Any:
    """Zeros with each element added at its index."""
    out = np.empty(shape, g.dtype)
    placed_into(out, g, index, shape, dim)
    return out


def placed_into(out: Any, g: Any, index: Any, shape: tuple[int, ...], dim: int) -> None:
    """The same, written to an array: part of what has this shape, perhaps."""
    if added_along(out, None, index, g, dim):
        return
    if not out.ndim or not index.ndim:
        check_places(index, out.shape[dim] if out.ndim else 1, dim)
    else:
        index = flat_places(index, out.shape, dim)
    out[...] = added_up(np.zeros(out.shape, g.dtype), np.broadcast_to(index, g.shape), g)
