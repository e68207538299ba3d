"""Orders of elements along the last dimension: NaN is larger than all numbers, equal ones stay as they stand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

# Numbers of so many bytes are sorted together with their places, packed into one integer.
_PACKED = 4
# Rows of so many elements are looked at in parts, of so few to so many.
_MANY, _PART = 1 << 16, (64, 1024)


def order(x: Any, descending: bool = False) -> Any:
    """The places of the elements in sorted order, of equal ones the first first."""
    if descending:
        # The last of equal ones first, from behind.
        return x.shape[-1] - 1 - _ascending(x[..., ::-1])[..., ::-1]
    return _ascending(x)


def _ascending(x: Any) -> Any:
    if x.dtype.kind == "f" and x.dtype.itemsize < _PACKED:
        x = x.astype(np.float32)
    if x.dtype.itemsize == _PACKED and x.shape[-1] < 2**32:
        return _by_packing(x)
    if x.dtype.itemsize < _PACKED:
        # A radix sort, as fast as any.
        return np.argsort(x, axis=-1, kind="stable")
    found = np.argsort(x, axis=-1)
    _order_ties(x, found)
    return found


def _by_packing(x: Any) -> Any:
    """A sort of integers is several times as fast as one that moves places along, and no two are equal."""
    keys = _keys(x)
    keys <<= np.uint64(32)
    keys |= np.arange(x.shape[-1], dtype=np.uint64)
    keys.sort(axis=-1)
    keys &= np.uint64(2**32 - 1)
    return keys.view(np.int64)


def _keys(x: Any) -> Any:
    """Unsigned integers of 32 bits, in 64, in the order of the elements."""
    if x.dtype.kind != "f":
        return (x.astype(np.int64) - np.iinfo(x.dtype).min).view(np.uint64)
    # Both zeros are one number, all NaN are one that is larger than the others.
    bits = (x + np.float32(0)).view(np.int32)
    bits = np.where(x != x, np.int32(2**31 - 1), np.where(bits < 0, bits ^ np.int32(2**31 - 1), bits))
    return (bits.astype(np.int64) + 2**31).view(np.uint64)


def taken(x: Any, places: Any) -> Any:
    """The elements at these places of each row, as `np.take_along_axis` gives them, but sooner."""
    starts = np.arange(math.prod(x.shape[:-1])).reshape(*x.shape[:-1], 1) * x.shape[-1]
    return x.reshape(-1).take(places + starts)


def _order_ties(x: Any, found: Any) -> None:
    """Put the places of equal elements into their order."""
    values = taken(x, found)
    # NaN are the last.
    equal = _equal if x.dtype.kind == "f" and np.isnan(values[..., -1:]).any() else np.equal
    same = equal(values[..., 1:], values[..., :-1])
    if not same.any():
        return
    tied = np.zeros(values.shape, bool)
    tied[..., 1:] = same
    number = np.cumsum(~tied)
    tied[..., :-1] |= same
    there = np.flatnonzero(tied)
    places = found.reshape(-1)[there]
    found.reshape(-1)[there] = places[np.lexsort((places, number[there]))]


def _equal(a: Any, b: Any) -> Any:
    return a == b if a.dtype.kind != "f" else (a == b) | ((a != a) & (b != b))


def sorted_values(x: Any, descending: bool = False) -> Any:
    """The elements in sorted order, without their places; None where these decide which zero comes first."""
    if x.dtype.kind == "f":
        # Of the elements as they are given: sorting by vectors may make one zero of the other.
        zero = x == 0
        if zero.any() and np.signbit(x[zero]).any():
            return None
    values = np.sort(x, axis=-1)
    return values[..., ::-1] if descending else values


def first(x: Any, count: int, largest: bool = True, in_order: bool = True) -> Any:
    """The places of the largest elements, or the smallest, the first of equal ones first; without `in_order` in that of
    the places, if it saves work."""
    take = _largest if largest else _smallest
    width = x.shape[-1] // (16 * count) if count and x.shape[-1] >= _MANY and x.dtype.kind in "fiu" else 0
    if width < _PART[0]:
        return take(x, count, in_order)
    found = []
    for row in x.reshape(-1, x.shape[-1]):
        few = _candidates(row, count, min(width, _PART[1]), largest)
        found.append(few[take(row[few], count, in_order)])
    return np.array(found, np.int64).reshape(*x.shape[:-1], count)


def _candidates(row: Any, count: int, width: int, largest: bool) -> Any:
    """Places, in order, of all elements but those that are before so many others, as the ends of parts tell."""
    whole = len(row) - len(row) % width
    parts = row[:whole].reshape(-1, width)
    # Whatever is NaN is not before anything.
    if largest:
        ends = parts.max(1)
        bound = np.partition(ends, len(ends) - count)[len(ends) - count]
        kept = np.flatnonzero(~(ends < bound))
    else:
        ends = np.fmin.reduce(parts, 1)
        bound = np.partition(ends, count - 1)[count - 1]
        kept = np.flatnonzero(~(ends > bound))
    places = np.append(kept[:, None] * width + np.arange(width), np.arange(whole, len(row)))
    values = row[places]
    return places[~(values < bound if largest else values > bound)]


def _smallest(x: Any, count: int, in_order: bool) -> Any:
    return order(x)[..., :count]


def _largest(x: Any, count: int, in_order: bool) -> Any:
    if x.dtype.kind not in "fiu" or count * 8 > x.shape[-1] or (x.dtype.kind == "f" and np.isnan(x).any()):
        found = order(x, True)[..., :count]
        return found if in_order else np.sort(found, -1)
    if not count:
        return np.zeros((*x.shape[:-1], 0), np.int64)
    least = np.partition(x, x.shape[-1] - count, -1)[..., -count, None]
    chosen = x > least
    missing = count - np.count_nonzero(chosen, -1, keepdims=True)
    ties = x == least
    ties &= np.cumsum(ties, -1) <= missing
    chosen |= ties
    places = np.nonzero(chosen)[-1].reshape(*x.shape[:-1], count)
    return np.take_along_axis(places, order(np.take_along_axis(x, places, -1), True), -1) if in_order else places


def at_rank(x: Any, rank: Any) -> Any:
    """Where the element is that comes at a place of the sorted order: a place for all rows, or one for each."""
    if isinstance(rank, int):
        value = np.partition(x, rank, -1)[..., rank, None]
    else:
        rank = rank[..., None]
        value = np.take_along_axis(np.sort(x, -1), rank, -1)
    numbers = np.count_nonzero(x == x, -1, keepdims=True)
    before = np.where(value == value, np.count_nonzero(x < value, -1, keepdims=True), numbers)
    return np.argmax(np.cumsum(_equal(x, value), -1) > rank - before, -1)


def commonest(x: Any) -> Any:
    """Where the element is that occurs most often, the smallest of such, in its last occurrence.

    As in PyTorch no NaN is equal to another, and all are smaller than the numbers.
    """
    found = order(x)
    values = np.take_along_axis(x, found, -1)
    place = np.arange(x.shape[-1])
    first = np.ones(x.shape, bool)
    first[..., 1:] = values[..., 1:] != values[..., :-1]
    counts = place - np.maximum.accumulate(np.where(first, place, 0), -1)
    best = np.argmax(counts, -1)[..., None]
    if x.dtype.kind == "f":
        alone = np.take_along_axis(counts, best, -1) == 0
        best = np.where(
            alone & (values[..., -1:] != values[..., -1:]), np.argmax(values != values, -1)[..., None], best
        )
    return np.take_along_axis(found, best, -1)[..., 0]
