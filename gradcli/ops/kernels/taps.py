"""Linear maps along dimensions, in which each element of a result is made of few elements of the input.

Pooling by means and interpolation are such maps, one for each dimension. A map is told by a tuple, from which its
table follows: for each element of the result the places that it looks at, and their weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

#: The name of a row of `_TABLES`, how many elements go in and come out, and what else it needs.
Map = tuple[Any, ...]

# Keys' cubic convolution, with PyTorch's constant.
_CUBIC = -0.75


class Taps(NamedTuple):
    """For each element of a result: how many places, which ones, their weights, and what the sum is divided by.

    Weights are None where all are 1, divisors where there are none.
    """

    counts: Any
    places: Any
    weights: Any = None
    divisors: Any = None


def _windows(starts: Any, ends: Any, divisors: Any) -> Taps:
    counts = np.maximum(ends - starts, 0)
    places = starts[:, None] + np.arange(max(1, int(counts.max(initial=0))))
    return Taps(counts, places, None, divisors)


def _pooled(n: int, m: int, size: int, step: int, pad: int, with_pad: bool) -> Taps:
    """Windows of one length at equal distances; with `with_pad` padding counts in their means."""
    starts = np.arange(m) * step - pad
    ends = np.minimum(starts + size, n + pad)
    inside = np.maximum(starts, 0), np.minimum(ends, n)
    lengths = ends - starts if with_pad else inside[1] - inside[0]
    return _windows(*inside, np.maximum(lengths, 1))


def _spread(n: int, m: int, size: int, step: int, pad: int, dilation: int) -> Taps:
    """Windows of elements that are `dilation` apart, those in the padding left out."""
    starts = np.arange(m) * step - pad
    skipped = -(np.minimum(starts, 0) // dilation)
    first = starts + skipped * dilation
    counts = np.minimum(size - skipped, -((first - n) // dilation))
    places = first[:, None] + dilation * np.arange(max(1, int(counts.max(initial=0))))
    return Taps(np.maximum(counts, 0), places)


def _adaptive(n: int, m: int) -> Taps:
    """As many windows as wanted, of about equal length."""
    at = np.arange(m)
    starts, ends = at * n // m, -(-(at + 1) * n // m)
    return _windows(starts, ends, ends - starts)


def _one_each(places: Any, n: int) -> Taps:
    return Taps(np.ones(len(places), int), np.clip(places, 0, n - 1)[:, None])


def _nearest(n: int, m: int, scale: float) -> Taps:
    # PyTorch computes places in float32.
    return _one_each(np.floor(np.arange(m, dtype=np.float32) * np.float32(scale)).astype(int), n)


def _nearest_exact(n: int, m: int, scale: float) -> Taps:
    at = np.arange(m, dtype=np.float32) + np.float32(0.5)
    return _one_each(np.floor(at * np.float32(scale)).astype(int), n)


def _linear(n: int, m: int, scale: float, corners: bool) -> Taps:
    at = np.arange(m) * scale if corners else np.maximum((np.arange(m) + 0.5) * scale - 0.5, 0)
    first = np.minimum(at.astype(int), n - 1)
    part = np.clip(at - first, 0, 1)
    places = np.stack([first, np.minimum(first + 1, n - 1)], 1)
    return Taps(np.full(m, 2), places, np.stack([1 - part, part], 1))


def _cubic(n: int, m: int, scale: float, corners: bool) -> Taps:
    at = np.arange(m) * scale if corners else (np.arange(m) + 0.5) * scale - 0.5
    first = np.floor(at).astype(int)
    places = np.clip(first[:, None] + np.arange(-1, 3), 0, n - 1)
    return Taps(np.full(m, 4), places, cubic_weights(at - first))


def cubic_weights(part: Any) -> Any:
    """The weights of the four neighbours of a place that lies by this part between the second and the third."""
    a = _CUBIC
    near, far = np.stack([part, 1 - part], -1), np.stack([part + 1, 2 - part], -1)
    inner = ((a + 2) * near - (a + 3)) * near * near + 1
    outer = ((a * far - 5 * a) * far + 8 * a) * far - 4 * a
    return np.stack([outer[..., 0], inner[..., 0], inner[..., 1], outer[..., 1]], -1)


_TABLES: dict[str, Callable[..., Taps]] = {
    "window": _pooled,
    "spread": _spread,
    "adaptive": _adaptive,
    "nearest": _nearest,
    "nearest-exact": _nearest_exact,
    "linear": _linear,
    "cubic": _cubic,
}


def width_of(one: Map) -> int:
    """How many places an element of the result looks at, at most."""
    name, n, m, *rest = one
    if name in ("window", "spread"):
        return min(rest[0], n)
    return n // max(1, m) + 2 if name == "adaptive" else {"linear": 2, "cubic": 4}.get(name, 1)


@lru_cache(maxsize=64)
def _table(one: Map) -> Taps:
    name, *rest = one
    return _TABLES[name](*rest)


def is_apart(one: Map) -> bool:
    """Whether no element is in two windows."""
    name, n, m, *rest = one
    if name == "adaptive":
        return n % max(1, m) == 0
    size, step, _, dilation = rest
    return name == "spread" and step > (size - 1) * dilation


def has_empty_window(one: Map) -> bool:
    """Whether all that a window looks at is padding: its elements may be further apart than the input is long."""
    return one[0] == "spread" and one[1] < one[-1] and not _table(one).counts.all()


@lru_cache(maxsize=64)
def _turned(one: Map) -> Taps:
    """The adjoint of a map: for each element of the input, the elements of the result that look at it."""
    taps, n, m = _table(one), one[1], one[2]
    width = taps.places.shape[1]
    there = np.arange(width) < taps.counts[:, None]
    places, sources = taps.places[there], np.repeat(np.arange(m), taps.counts)
    order = np.argsort(places, kind="stable")
    counts = np.bincount(places, minlength=n)
    within = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
    turned = np.zeros((n, max(1, int(counts.max(initial=0)))), int)
    turned[places[order], within] = sources[order]
    weights = None
    if taps.weights is not None:
        weights = np.zeros(turned.shape)
        weights[places[order], within] = taps.weights[there][order]
    return Taps(counts, turned, weights)


def _as_slice(places: Any) -> Any:
    """Places as a slice where they lie at equal distances."""
    if len(places) < 2:
        return slice(int(places[0]), int(places[0]) + 1) if len(places) else slice(0)
    step = int(places[1] - places[0])
    if step < 1 or (np.diff(places) != step).any():
        return places
    return slice(int(places[0]), int(places[-1]) + 1, step)


# Bytes of an array that are gone through at once: what is made of them stays in the cache.
_PIECE = 1 << 18


class _Tap(NamedTuple):
    """The elements at one place of all windows: for some rows of the result, all if `rows` is None, where they are, and
    their weights as a column. `halves` are the places of every other row as slices, if they are some."""

    rows: Any
    places: Any
    halves: tuple[slice, slice] | None
    weights: Any

    def elements(self, x: Any, out: Any) -> Any:
        """What is added, from the second of three dimensions, in `out` unless it is there already."""
        if isinstance(self.places, slice):
            part = x[:, self.places]
        elif self.halves is not None:
            part = out
            for k, half in enumerate(self.halves):
                out[:, k::2] = x[:, half]
        else:
            # No place is out of range: said so, NumPy takes them without a copy of what it makes.
            part = np.take(x, self.places, axis=1, out=out, mode="clip")
        return part if self.weights is None else np.multiply(part, self.weights, out=out)


@lru_cache(maxsize=64)
def _steps(one: Map, turned: bool = False, dtype: Any = None) -> tuple[_Tap, ...]:
    """The places of a map, or of its adjoint, one after the other."""
    return tuple(_taps((_turned if turned else _table)(one), dtype))


def _taps(taps: Taps, dtype: Any) -> Iterator[_Tap]:
    for k in range(taps.places.shape[1]):
        rows = np.flatnonzero(taps.counts > k)
        weights = None if taps.weights is None else taps.weights[rows, k].astype(dtype)[:, None]
        places, halves = taps.places[rows, k], [_as_slice(taps.places[rows[j::2], k]) for j in range(2)]
        some = None if len(rows) == len(taps.counts) else _as_slice(rows)
        twice = tuple(halves) if all(isinstance(half, slice) for half in halves) else None
        yield _Tap(some, _as_slice(places), twice, weights)


def _along(x: Any, axis: int, one: Map, turned: bool, out: Any) -> None:
    taps = (_turned if turned else _table)(one)
    lead, inner, count = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :]), len(taps.counts)
    x, out = x.reshape(lead, x.shape[axis], inner), out.reshape(lead, count, inner)
    if taps.weights is None and count < taps.places.shape[1]:
        # Few long sums.
        for k, (number, places) in enumerate(zip(taps.counts, taps.places, strict=True)):
            np.add.reduce(x[:, _as_slice(places[:number])], axis=1, out=out[:, k])
        return
    lines = max(1, _PIECE // max(1, count * inner * x.itemsize))
    scratch, steps = np.empty(min(lines, lead) * count * inner, x.dtype), _steps(one, turned, x.dtype)
    for start in range(0, lead, lines):
        _add_up(out[start : start + lines], x[start : start + lines], steps, scratch)


def _add_up(out: Any, x: Any, steps: Sequence[_Tap], scratch: Any) -> None:
    """The sums of a map along the second of three dimensions."""
    first, *others = steps
    if first.rows is not None:
        out[...], others = 0, [*steps]
    elif (part := first.elements(x, out)) is not out and others and others[0].rows is None:
        np.add(part, others.pop(0).elements(x, scratch[: out.size].reshape(out.shape)), out=out)
    elif part is not out:
        out[...] = part
    for step in others:
        into = out if step.rows is None else out[:, step.rows]
        part = step.elements(x, scratch[: into.size].reshape(into.shape))
        if isinstance(step.rows, slice | None):
            np.add(into, part, out=into)
        else:
            out[:, step.rows] = into + part


@lru_cache(maxsize=64)
def _divisor(maps: tuple[Map, ...], divisor: int | None, dtype: Any) -> Any:
    """What sums are divided by, as an array along the dimensions of the maps; None for nothing."""
    if divisor is not None:
        return np.asarray(divisor, dtype)
    tables = [_table(one) for one in maps]
    if tables[0].divisors is None:
        return None
    count = len(tables)
    parts = [t.divisors.reshape(-1, *(1,) * (count - k - 1)) for k, t in enumerate(tables)]
    return math.prod(parts[1:], start=parts[0]).astype(dtype)


def mapped(x: Any, maps: Sequence[Map], turned: bool, divisor: int | None) -> Any:
    """Maps along the last dimensions, one after the other, or their adjoints; what is divided is divided at once."""
    count = len(maps)
    lengths = [one[1] if turned else one[2] for one in maps]
    out = np.empty((*x.shape[: x.ndim - count], *lengths), x.dtype)
    map_into(out, x, maps, turned, divisor)
    return out


def map_into(out: Any, x: Any, maps: Sequence[Map], turned: bool, divisor: int | None) -> None:
    """The same, written to an array."""
    over, lead = _divisor(tuple(maps), divisor, x.dtype), x.ndim - len(maps)
    if turned and over is not None:
        x = x / over
    # The last dimension, whose elements are neighbours, is taken while there are few of them.
    order = range(len(maps)) if out.size < x.size else range(len(maps) - 1, -1, -1)
    for k in order:
        shape = (*x.shape[: lead + k], out.shape[lead + k], *x.shape[lead + k + 1 :])
        made = out if k == order[-1] and out.flags.c_contiguous else np.empty(shape, x.dtype)
        _along(x, lead + k, maps[k], turned, made)
        x = made
    if not turned and over is not None:
        out[...] = np.divide(x, over, out=out) if x.dtype.kind == "f" else _cut_off(x, over)
    elif x is not out:
        out[...] = x


def _cut_off(x: Any, over: Any) -> Any:
    """A quotient of integers without what is behind its point."""
    whole = np.abs(x) // np.abs(over)
    return np.where((x < 0) != (over < 0), -whole, whole)


def maxima(x: Any, maps: Sequence[Map], wanted: tuple[bool, ...] = (True, True)) -> tuple[Any, Any]:
    """The largest element of each window, the first of equals or the last NaN, and its place in the flat input."""
    tables, count = [_table(one) for one in maps], len(maps)
    lead, space = x.shape[: x.ndim - count], x.shape[x.ndim - count :]
    x = x.reshape(math.prod(lead), *space)
    values = np.empty((len(x), *(len(t.counts) for t in tables)), x.dtype)
    places = np.empty(values.shape, np.int64) if wanted[1] else None
    lines, steps = max(1, 2 * _PIECE // max(1, math.prod(space) * x.itemsize)), [_steps(one) for one in maps]
    for start in range(0, len(x), lines):
        piece = slice(start, start + lines)
        found = _maxima_of(x[piece], tables, steps, wanted[1], ordered=False)
        if x.dtype.kind == "f" and _needs_order(x[piece], *found):
            found = _maxima_of(x[piece], tables, steps, wanted[1], ordered=True)
        values[piece] = found[0]
        if places is not None:
            places[piece] = found[1]
    shape = (*lead, *values.shape[1:])
    return values.reshape(shape), None if places is None else places.reshape(shape)


def _maxima_of(
    x: Any, tables: Sequence[Taps], steps: Sequence[Sequence[_Tap]], picked: bool, ordered: bool
) -> tuple[Any, Any]:
    """The largest elements, and their places if `picked`: the first of equals and the last NaN if `ordered`, otherwise
    whichever NumPy takes of equal zeros and of NaN."""
    values: Any = x
    picks: list[Any] = []
    for k in reversed(range(len(tables))):
        # The last dimension first: of equals in a window, the first of the first line comes first.
        shape = (*values.shape[: k + 1], len(tables[k].counts), *values.shape[k + 2 :])
        values, picks = _largest_along(values, k + 1, steps[k], shape, picks, picked, ordered)
    if not picked:
        return values, None
    sizes = [math.prod(x.shape[k + 2 :]) for k in range(len(tables))]
    within: Any = np.zeros(values.shape, np.int32 if math.prod(x.shape[1:]) < 1 << 31 else np.int64)
    for taps, pick, step in zip(tables, picks, sizes, strict=True):
        if taps.places.shape[1] > 1:
            within += pick * within.dtype.type((taps.places[0, 1] - taps.places[0, 0]) * step)
    return values, _flat([t.places[:, 0] for t in tables], sizes) + within


def _largest_along(
    x: Any, axis: int, steps: Sequence[_Tap], shape: Any, picks: list[Any], picked: bool, ordered: bool
) -> Any:
    """The maxima of windows along one dimension. If `picked`, also which element of its window each is, counted along
    this dimension, and what `picks` has of those along the following ones."""
    lead, first = (slice(None),) * axis, steps[0]
    of = (*lead, first.places)
    least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    best = np.full(shape, least, x.dtype) if first.rows is not None else x[of].copy()
    own = [np.zeros(shape, np.uint8 if len(steps) < 256 else np.int64)] if picked else []
    own += [np.zeros(shape, one.dtype) if first.rows is not None else one[of].copy() for one in picks]
    for k in range(first.rows is None, len(steps)):
        step = steps[k]
        into, of = (*lead, slice(None) if step.rows is None else step.rows), (*lead, step.places)
        part, known = x[of], best[into]
        better: Any = part > known if picked or ordered else None
        if ordered:
            better |= part != part
        if picked:
            own[0][into] = np.maximum(own[0][into], better * own[0].dtype.type(k))
            for mine, theirs in zip(own[1:], picks, strict=True):
                # NumPy would branch at each element to choose.
                mine[into] ^= (mine[into] ^ theirs[of]) * better.view(np.uint8)
        if ordered:
            best[into] = np.where(better, part, known)
        elif isinstance(into[-1], slice):
            np.maximum(known, part, out=known)
        else:
            best[into] = np.maximum(known, part)
    return best, own


def _needs_order(x: Any, values: Any, places: Any) -> bool:
    """Whether it shows which of equals, or of NaN, NumPy takes for the maximum: in the sign of a zero, or a place."""
    if places is not None and np.isnan(values).any():
        return True
    bits = np.dtype(f"i{x.itemsize}")
    return bool(not values.all() and (x.view(bits) == np.iinfo(bits).min).any())


def _flat(places: Sequence[Any], steps: Sequence[int]) -> Any:
    """Places along several dimensions as places in the flat array."""
    count = len(places)
    parts = [p.reshape(-1, *(1,) * (count - k - 1)) * s for k, (p, s) in enumerate(zip(places, steps, strict=True))]
    return sum(parts[1:], start=parts[0])
