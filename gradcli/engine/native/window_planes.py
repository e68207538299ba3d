"""Arrays laid out so that each number of a kernel finds its elements at one distance from the first, in all windows.

A plane holds every so many elements along each dimension, as far apart as neighbouring windows are: with steps of one
there is one plane, the array itself and the zeros around it. Lines of the first dimension lie between the images, whose
windows so follow each other without a gap.
"""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np

from gradcli.engine.native.call import loaded
from gradcli.engine.native.expressions import LINE
from gradcli.engine.native.window_sums import copied

Shape = tuple[int, ...]
#: What is taken of each dimension.
Index = tuple[slice, ...]

#: Bytes of planes and of results that are computed of them at once, which fit into the second-level cache.
_AT_ONCE = 1 << 20
#: Vectors at once at most, some of which may lie beyond the end.
MOST_VECTORS = 6
_MAKING = threading.Lock()


class Planes(NamedTuple):
    """Planes of every `steps`-th element, each beginning with one of `phases`, of an array that begins behind so many
    zeros (`before`; elements are left out where it is less than 0). Windows reach `reach` elements of a plane further
    than their first one."""

    steps: Shape
    phases: tuple[Shape, ...]
    before: Shape
    reach: Shape

    def row(self, lengths: Shape, images: int) -> int:
        """Elements from a line of the first dimension to the next."""
        return images * math.prod(n + more for n, more in zip(lengths[1:], self.reach[1:], strict=True))

    def channel(self, lengths: Shape, images: int) -> int:
        """Elements of all planes of a channel."""
        return math.prod(map(len, self.phases)) * (lengths[0] + self.reach[0]) * self.row(lengths, images)

    def waste(self, lengths: Shape) -> float:
        """How many windows are computed for one that is there."""
        return self.row(lengths, 1) / math.prod(lengths[1:])


class PlaneGrid(NamedTuple):
    """Planes for so many results of so many images, as they lie in memory."""

    planes: Planes
    lengths: Shape
    images: int

    @property
    def row(self) -> int:
        """Elements from a line of the first dimension to the next."""
        return self.planes.row(self.lengths, self.images)

    @property
    def channel(self) -> int:
        """Elements of all planes of a channel."""
        return self.planes.channel(self.lengths, self.images)

    @property
    def results(self) -> int:
        """Elements from the first result of a channel to behind the last one."""
        return self.lengths[0] * self.row

    def offset(self, place: Shape) -> int:
        """Elements from the first element of a window to one at so many steps of the array from there."""
        plane, at = 0, 0
        for d, (p, step) in enumerate(zip(place, self.planes.steps, strict=True)):
            plane = plane * len(self.planes.phases[d]) + self.planes.phases[d].index(p % step)
            at = at * (self.lengths[d] + self.planes.reach[d]) * (self.images if d == 1 else 1) + p // step
        return plane * (self.lengths[0] + self.planes.reach[0]) * self.row + at

    def results_in(self, memory: Any, rows: int, line: int, dtype: np.dtype) -> Any:
        """Results in memory, (images, rows, *lengths), of which each row has so many elements."""
        steps = [dtype.itemsize]
        for n, more in zip(self.lengths[:1:-1], self.planes.reach[:1:-1], strict=True):
            steps.insert(0, steps[0] * (n + more))
        image = steps[0] * (self.lengths[1] + self.planes.reach[1])
        strides = (image, line * dtype.itemsize, image * self.images, *steps)
        return np.ndarray((self.images, rows, *self.lengths), dtype, memory, strides=strides)


class PlanePart(NamedTuple):
    """Elements that are laid out: where they begin in memory, as what array, and which they are."""

    first: int
    shape: Shape
    strides: Shape
    of: Index


@dataclass(frozen=True, eq=False)
class PlanePiece:
    """Some images, and of these the results in the ranges `where`. All planes have `size` elements, of which some are
    no elements of the array if they are `mixed`; so many are read behind them."""

    grid: PlaneGrid
    images: slice
    where: Index
    size: int
    beyond: int
    mixed: bool
    parts: tuple[PlanePart, ...]

    def bytes(self, dtype: np.dtype) -> int:
        return (self.size + self.beyond) * dtype.itemsize

    def laid(self, x: Any, memory: Any) -> None:
        """Lay an array out, (images, channels, *space)."""
        step, dtype = x.itemsize, x.dtype
        memory[0 if self.mixed else self.size * step : (self.size + self.beyond) * step] = 0
        for first, shape, strides, of in self.parts:
            strides = tuple([n * step for n in strides])
            copy_lines(np.ndarray(shape, dtype, memory, first * step, strides), x[of])


@lru_cache(maxsize=64)
def pieces(
    planes: Planes, space: Shape, images: int, lengths: Shape, channels: int, rows: int, size: int
) -> tuple[PlanePiece, ...]:
    """Pieces of arrays with so many images, whose results have these lengths, of elements of so many bytes. There are
    so many `channels` before, and `rows` after."""
    found = []
    for of, where in _ranges(planes, images, lengths, channels, rows, size):
        grid = PlaneGrid(planes, tuple([stop - start for start, stop in where]), of[1] - of[0])
        parts = tuple(_parts(planes, space, of, where, channels))
        count, beyond = channels * grid.channel, grid.row + MOST_VECTORS * LINE // size
        mixed = sum(math.prod(part.shape) for part in parts) < count
        index = tuple([slice(*one) for one in where])
        found.append(PlanePiece(grid, slice(*of), index, count, beyond, mixed, parts))
    return tuple(found)


def first_grid(planes: Planes, lengths: Shape, channels: int, rows: int, size: int) -> PlaneGrid:
    """The grid of the first piece of an image, about as large as those of all others."""
    _, where = next(_ranges(planes, 1, lengths, channels, rows, size))
    return PlaneGrid(planes, tuple([stop - start for start, stop in where]), 1)


def _parts(
    planes: Planes, space: Shape, of: tuple[int, int], where: tuple[tuple[int, int], ...], channels: int
) -> Iterator[PlanePart]:
    """What is laid out, plane by plane."""
    counts = [stop - start + more for (start, stop), more in zip(where, planes.reach, strict=True)]
    images, within = of[1] - of[0], math.prod(counts[2:])
    steps = [images * counts[1] * within, *(math.prod(counts[d + 1 :]) for d in range(1, len(counts)))]
    plane = counts[0] * steps[0]
    every = [*product(*planes.phases)]
    for k, phases in enumerate(every):
        rows = zip(planes.steps, phases, planes.before, counts, where, space, strict=True)
        both = [matching(s, s * start + phase - zeros, n, have) for s, phase, zeros, n, (start, _), have in rows]
        first = k * plane + sum(into.start * step for (into, _), step in zip(both, steps, strict=True))
        shape = (images, channels, *(into.stop - into.start for into, _ in both))
        strides = counts[1] * within, len(every) * plane, *steps
        if math.prod(shape):
            yield PlanePart(first, shape, strides, (slice(*of), slice(None), *(own for _, own in both)))


def matching(step: int, shift: int, count: int, length: int) -> tuple[slice, slice]:
    """Of so many places, `step` elements apart from `shift` on, which are elements of an array, and which of these."""
    first = min(count, max(0, -(shift // step)))
    last = min(count, max(first, (length - 1 - shift) // step + 1))
    begin = shift + first * step
    own = slice(begin, begin + (last - first - 1) * step + 1, step) if last > first else slice(0)
    return slice(first, last), own


def _ranges(
    planes: Planes, images: int, lengths: Shape, channels: int, rows: int, size: int
) -> Iterator[tuple[tuple[int, int], tuple[tuple[int, int], ...]]]:
    """All images of which there is room for one or more, or lines of one, or parts of a line."""

    def needed(*some: int) -> int:
        return max(1, size * (channels * planes.channel(some, 1) + rows * some[0] * planes.row(some, 1)))

    together, lines, part = _AT_ONCE // needed(*lengths), lengths[0], lengths[1]
    if not together:
        line = needed(1, *lengths[1:])
        # Lines behind the first one need no more than their own elements.
        more = max(1, (needed(*lengths) - line) // max(1, lengths[0] - 1))
        lines = 1 + max(0, _AT_ONCE - line) // more
        part = part if line <= _AT_ONCE else max(1, _AT_ONCE // -(-line // lengths[1]))
    for of in _evenly(images, max(1, together)):
        for some in _evenly(lengths[0], lines):
            for few in _evenly(lengths[1], part):
                yield of, (some, few, *((0, n) for n in lengths[2:]))


def _evenly(count: int, most: int) -> Iterator[tuple[int, int]]:
    """Ranges of at most so many, about equally long."""
    parts = max(1, -(-count // most))
    return pairwise(count * k // parts for k in range(parts + 1))


def copy_lines(target: Any, source: Any) -> None:
    """Copy an array to another one, (images, channels, *space)."""
    if not target.size:
        return
    table, width, apart = lines_of(target, source)
    call(
        copied(target.dtype, apart),
        *(source.ctypes.data, target.ctypes.data, table.ctypes.data, len(table), target.shape[1], width),
        *(source.strides[1], target.strides[1], source.strides[-1], target.strides[-1]),
    )


def lines_of(target: Any, source: Any) -> tuple[Any, int, int]:
    """Where each line of a channel begins in `source` and in `target`, in bytes, how long it is, and how far apart its
    elements are, as `copied` wants it."""
    images, _, *space = target.shape
    counts, step = (space[0], images, *space[1:-1]), target.itemsize
    table = _lines(counts, *[(a.strides[2], a.strides[0], *a.strides[3:-1]) for a in (source, target)])
    own = source.strides[-1], target.strides[-1]
    return table, space[-1], 1 if space[-1] == 1 or own == (step, step) else 2 if own == (2 * step, step) else 0


@lru_cache(maxsize=64)
def _lines(counts: Shape, *strides: Shape) -> Any:
    """Where each line begins in arrays of these strides, in bytes."""
    table = np.zeros((*counts, len(strides)), np.int64)
    for k, steps in enumerate(strides):
        for d, (n, step) in enumerate(zip(counts, steps, strict=True)):
            table[..., k] += step * np.arange(n).reshape(-1, *(1,) * (len(counts) - d - 1))
    return table.reshape(-1, len(strides))


def call(text: str, *numbers: int) -> None:
    """Call the function of a module with a table of numbers and addresses."""
    table = (ctypes.c_int64 * len(numbers))(*numbers)
    with _MAKING:
        # Of two threads that need the same code one makes it, and both have it as long as they run it.
        code, function = loaded(text)
    function(ctypes.addressof(table), 0, 0)
    del code
