"""Convolutions and their adjoints by native functions: no window is laid out.

Arrays are (batch, channels, *space), kernels (channels of the result, channels of a group, *space), as those of
`gradcli.ops.kernels.windows`, which does what is not done here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from gradcli.engine.native.processor import has_wide_vectors, vectors_for_results
from gradcli.engine.native.window_planes import (
    MOST_VECTORS,
    Index,
    PlaneGrid,
    PlanePiece,
    Planes,
    Shape,
    call,
    copy_lines,
    first_grid,
    lines_of,
    matching,
)
from gradcli.engine.native.window_planes import pieces as pieces_of
from gradcli.engine.native.window_sums import AT_ONCE, PLACES, lanes_of, outer_products, products, sums
from gradcli.ops.kernels import windows
from gradcli.ops.kernels.inplace import aligned
from gradcli.ops.kernels.windows import Meeting

#: What is reckoned out is kept for so many, and large tables for so many.
_MANY, _FEW = 256, 32
#: Rows of results at once, at most.
_MOST_ROWS = 4


class WindowProducts(NamedTuple):
    """How results are multiplied by windows: so many `rows` in each group and so many `places` of a window, of which
    the last may be anything; and whether rows are turned to columns."""

    text: str
    rows: int
    places: int
    turned: bool


@dataclass(frozen=True, eq=False)
class WindowPhase:
    """Results that are sums of the same numbers of a kernel: at which `places` of a window they find their elements,
    the `numbers` that these are multiplied by, and where the first result goes, which may be before the array."""

    places: tuple[Shape, ...]
    numbers: tuple[int, ...]
    shift: Shape


@dataclass(frozen=True, eq=False)
class WindowJob:
    """Sums over windows: the array that is laid out has `channels` in each of the `groups`, results have `rows`. In the
    kernel `row` numbers lie between those of two results, `channel` between those of two channels, `group` between
    groups. Results lie every `steps` places, from the shift of their phase on, in an array of these lengths."""

    planes: Planes
    space: Shape
    lengths: Shape
    target: Shape
    phases: tuple[WindowPhase, ...]
    steps: Shape
    groups: int
    channels: int
    rows: int
    row: int
    channel: int
    group: int

    def pieces(self, images: int, dtype: np.dtype) -> tuple[PlanePiece, ...]:
        channels, rows = self.groups * self.channels, self.groups * self.rows
        return pieces_of(self.planes, self.space, images, self.lengths, channels, rows, dtype.itemsize)

    def first_grid(self, dtype: np.dtype) -> PlaneGrid:
        """What is laid out at once of an image."""
        channels, rows = self.groups * self.channels, self.groups * self.rows
        return first_grid(self.planes, self.lengths, channels, rows, dtype.itemsize)

    def memory(self, images: int, dtype: np.dtype) -> tuple[int, int]:
        """Bytes of planes, and of a few rows of results that are computed of them."""
        some = self.pieces(images, dtype)
        made = max(piece.grid.results for piece in some) + MOST_VECTORS * lanes_of(dtype)
        return max(piece.bytes(dtype) for piece in some), made * _MOST_ROWS * dtype.itemsize

    def code(self, images: int, dtype: np.dtype) -> list[str]:
        """The modules of the functions that do it."""
        neighbours = int(self.steps[-1] == 1)
        tiles = [_task(self, p, phase, dtype).tile for p in self.pieces(images, dtype) for phase in self.phases]
        return [sums(dtype, *tile, neighbours) for tile in dict.fromkeys(tiles)]

    @property
    def table(self) -> int:
        """Bytes of lists of places."""
        return 16 * self.channels * sum(len(phase.places) for phase in self.phases)

    def products(self, dtype: np.dtype) -> WindowProducts:
        """How results are multiplied by windows."""
        count, lanes = self.channels * len(self.phases[0].places), lanes_of(dtype)
        if self.rows >= lanes // 2 and count >= PLACES:
            vectors = 2 if self.rows > lanes and has_wide_vectors() else 1
            rows = -(-self.rows // (vectors * lanes)) * vectors * lanes
            return WindowProducts(outer_products(dtype, vectors), rows, -(-count // PLACES) * PLACES, True)
        high = min((1, 2, 4), key=lambda n: -(-self.rows // n) * n * -(-count // (AT_ONCE // n)) * (AT_ONCE // n))
        rows, wide = -(-self.rows // high) * high, AT_ONCE // high
        return WindowProducts(products(dtype, high), rows, -(-count // wide) * wide, False)

    def product_memory(self, images: int, dtype: np.dtype) -> tuple[int, int, int]:
        """Bytes of planes, and of results beside each other, twice."""
        some, shape = self.pieces(images, dtype), self.products(dtype)
        line = (max(piece.grid.results for piece in some) + lanes_of(dtype)) * shape.rows * dtype.itemsize
        return max(piece.bytes(dtype) for piece in some), line * self.groups, line * shape.turned


@lru_cache(maxsize=_MANY)
def _forward(space: Shape, weight: Shape, lengths: Shape, form: Meeting) -> WindowJob:
    kernel, (rows, channels) = weight[2:], (weight[0] // form.groups, weight[1])
    size = math.prod(kernel)
    phase = WindowPhase(_places(kernel, form), tuple(range(size)), (0,) * len(kernel))
    one = (1,) * len(kernel)
    numbers = channels * size, size, rows * channels * size
    return WindowJob(
        _planes(kernel, form), space, lengths, lengths, (phase,), one, form.groups, channels, rows, *numbers
    )


@lru_cache(maxsize=_MANY)
def _back(space: Shape, weight: Shape, lengths: Shape, form: Meeting) -> WindowJob:
    """An element is in the windows of results before it: in how many, and at which of their places, depends on where it
    lies between two steps, which is its phase."""
    kernel, (rows, channels) = weight[2:], (weight[1], weight[0] // form.groups)
    size, steps = math.prod(kernel), form.stride
    first = tuple([before // s for (before, _), s in zip(form.padding, steps, strict=True)])
    last = [(before + n - 1) // s for (before, _), n, s in zip(form.padding, space, steps, strict=True)]
    reach = tuple([d * (k - 1) // s for k, d, s in zip(kernel, form.dilation, steps, strict=True)])
    planes = Planes(
        (1,) * len(kernel), ((0,),) * len(kernel), tuple([r - q for r, q in zip(reach, first, strict=True)]), reach
    )
    places = _places(kernel, form)
    numbers_of: dict[Shape, list[int]] = {}
    for k, place in enumerate(places):
        numbers_of.setdefault(tuple([a % s for a, s in zip(place, steps, strict=True)]), []).append(k)
    phases = []
    for phase in product(*map(range, steps)):
        own = numbers_of.get(phase, [])
        at = [tuple([r - a // s for r, a, s in zip(reach, places[k], steps, strict=True)]) for k in own]
        shift = [s * q + b - before for s, q, b, (before, _) in zip(steps, first, phase, form.padding, strict=True)]
        phases.append(WindowPhase(tuple(at), tuple(own), tuple(shift)))
    counts = tuple([b - a + 1 for a, b in zip(first, last, strict=True)])
    numbers = channels * size, size, channels * rows * size
    return WindowJob(planes, lengths, counts, space, tuple(phases), steps, form.groups, channels, rows, *numbers)


def _of_two(form: Meeting, *shapes: Shape) -> tuple[Meeting, list[Shape]]:
    """A line is put before the only dimension of a vector."""
    if len(form.stride) > 1:
        return form, [*shapes]
    form = Meeting((1, *form.stride), ((0, 0), *form.padding), (1, *form.dilation), form.groups)
    return form, [(*shape[:-1], 1, shape[-1]) for shape in shapes]


def _planes(kernel: Shape, form: Meeting) -> Planes:
    """How an input is laid out for its windows."""
    rows = list(zip(kernel, form.stride, form.dilation, strict=True))
    phases = tuple([tuple(sorted({d * k % s for k in range(n)})) for n, s, d in rows])
    reach = tuple([d * (n - 1) // s for n, s, d in rows])
    return Planes(form.stride, phases, tuple([before for before, _ in form.padding]), reach)


def _places(kernel: Shape, form: Meeting) -> tuple[Shape, ...]:
    """Where the numbers of a kernel lie, from the first element of a window on."""
    every = product(*map(range, kernel))
    return tuple([tuple([k * d for k, d in zip(place, form.dilation, strict=True)]) for place in every])


class _WindowTask(NamedTuple):
    """What is done with a piece for a phase: `tile` are the rows and vectors at once, `line` the elements of a row."""

    tile: tuple[int, int]
    line: int
    numbers: tuple[int, ...]
    found: Index
    into: Index


@lru_cache(maxsize=_FEW)
def _terms(job: WindowJob, phase: WindowPhase, grid: PlaneGrid, size: int) -> Any:
    """Of each product the offsets of the windows' elements, and of the kernel's number."""
    terms = np.empty((job.channels, len(phase.places), 2), np.int64)
    channels = np.arange(job.channels)[:, None]
    terms[..., 0] = np.array([grid.offset(place) for place in phase.places]) + channels * grid.channel
    terms[..., 1] = np.array(phase.numbers) + channels * job.channel
    return terms * size


@lru_cache(maxsize=_MANY)
def _task(job: WindowJob, piece: PlanePiece, phase: WindowPhase, dtype: np.dtype) -> _WindowTask:
    size = dtype.itemsize
    vectors = -(-piece.grid.results // lanes_of(dtype))
    tile = _tile(job.rows, vectors)
    line = -(-vectors // tile[1]) * tile[1] * lanes_of(dtype)
    found, into = [], []
    for d, one in enumerate(piece.where):
        shift = phase.shift[d] + job.steps[d] * one.start
        some, own = matching(job.steps[d], shift, piece.grid.lengths[d], job.target[d])
        found.append(some)
        into.append(own)
    steps = job.row, line, job.channels * piece.grid.channel, job.group
    numbers = job.channels * len(phase.places), job.groups, vectors, job.rows, *(step * size for step in steps)
    every = slice(None)
    return _WindowTask(tile, line, numbers, (every, every, *found), (piece.images, every, *into))


@lru_cache(maxsize=_MANY)
def _tile(rows: int, vectors: int) -> tuple[int, int]:
    """Rows and vectors at once: as many as there are registers for, but few of which are computed in vain."""

    def worth(most: int, count: int) -> float:
        return count / (-(-count // most) * most) * most / (most + 1)

    registers = vectors_for_results()
    most = _MOST_ROWS if registers > 2 * _MOST_ROWS else _MOST_ROWS - 1
    high = max(range(1, min(rows, most) + 1), key=lambda n: worth(n, rows))
    return high, max(range(1, min(MOST_VECTORS, registers // most) + 1), key=lambda n: worth(n, vectors))


def forward_job(x: Shape, w: Shape, out: Shape, form: Meeting) -> WindowJob:
    """The convolution of arrays of these shapes; also that whose adjoint with respect to the kernel is asked for."""
    form, (x, w, out) = _of_two(form, x, w, out)
    return _forward(x[2:], w, out[2:], form)


def back_job(g: Shape, w: Shape, out: Shape, form: Meeting) -> WindowJob:
    """The adjoint with respect to the input."""
    form, (g, w, out) = _of_two(form, g, w, out)
    return _back(out[2:], w, g[2:], form)


def _in_two(x: Any) -> Any:
    """The array with a line before the only dimension of vectors; a view, whatever its layout."""
    return x if x.ndim > 3 else x[:, :, None]


def _run(job: WindowJob, x: Any, w: Any, out: Any) -> None:
    """Do all sums over windows, piece by piece."""
    x, out = _in_two(x), _in_two(out)
    laid, made = (aligned(size) for size in job.memory(len(x), x.dtype))
    for piece in job.pieces(len(x), x.dtype):
        piece.laid(x, laid)
        for phase in job.phases:
            task, terms = _task(job, piece, phase, x.dtype), _terms(job, phase, piece.grid, x.itemsize)
            into = out[task.into]
            if not phase.places or not into.size:
                into[...] = 0
                continue
            high, wide = task.tile
            found = piece.grid.results_in(made, high, task.line, x.dtype)[task.found]
            lines, width, apart = lines_of(into, found)
            call(
                sums(x.dtype, high, wide, apart),
                *(array.ctypes.data for array in (laid, w, terms, made, lines, into, found)),
                *(*task.numbers, len(lines), width, into.strides[1], into.strides[-1]),
            )


def convolved(out: Any, x: Any, w: Any, *bias: Any, **params: Any) -> None:
    """The sum of the products of a kernel and each window of the input."""
    _run(forward_job(x.shape, w.shape, out.shape, Meeting(**params)), x, np.ascontiguousarray(w), out)
    _add(out, bias)


def convolved_back(out: Any, g: Any, w: Any, *bias: Any, space: Shape, **params: Any) -> None:
    """The adjoint with respect to the input: each result spread over its window, times the kernel."""
    form = Meeting(**params)
    if np.isfinite(w).all():
        _run(back_job(g.shape, w.shape, out.shape, form), g, _channels_first(w, form.groups), out)
    else:
        # Zeros around the results of the convolution would count.
        out[...] = windows.convolved_back(g, w, space, form)
    _add(out, bias)


def _channels_first(w: Any, groups: int) -> Any:
    """The numbers of a kernel for the same channel beside each other."""
    count, channels, size = w.shape[0] // groups, w.shape[1], math.prod(w.shape[2:])
    return np.ascontiguousarray(w.reshape(groups, count, channels, size).swapaxes(1, 2))


def _add(out: Any, bias: Sequence[Any]) -> None:
    for b in bias:
        out += b.reshape(-1, *(1,) * (out.ndim - 2))


def kernel_gradient(x: Any, g: Any, kernel: Shape, form: Meeting) -> Any:
    """The adjoint with respect to the kernel, in double precision: the sum of the products of each result and its
    window."""
    total = _kernel_gradient(x, g, kernel, form)
    # Lines of windows have ends that are none of any window, times zeros.
    return total if np.isfinite(total).all() else windows.kernel_gradient(x, g, kernel, form, np.float64)


def _kernel_gradient(x: Any, g: Any, kernel: Shape, form: Meeting) -> Any:
    job = forward_job(x.shape, (g.shape[1], x.shape[1] // form.groups, *kernel), g.shape, form)
    x, g, size, count = _in_two(x), _in_two(g), x.itemsize, job.channels * len(job.phases[0].places)
    shape = job.products(x.dtype)
    total = np.zeros((job.groups, shape.rows, shape.places))
    laid, made, turned = (aligned(size) for size in job.product_memory(len(x), x.dtype))
    for piece in job.pieces(len(x), x.dtype):
        piece.laid(x, laid)
        vectors = -(-piece.grid.results // lanes_of(x.dtype))
        line = vectors * lanes_of(x.dtype)
        made.view(x.dtype)[: job.groups * shape.rows * line] = 0
        _lay_results(job, piece, g, made, shape.rows, line)
        terms = _offsets(job, piece.grid, shape.places) * size
        steps = line * size, total.strides[1], job.channels * piece.grid.channel * size, shape.rows * line * size
        call(
            shape.text,
            *(array.ctypes.data for array in (laid, made, terms, total, turned)),
            *(shape.places, job.groups, vectors, shape.rows, *steps, total.strides[0]),
        )
    return total[:, : job.rows, :count].reshape(g.shape[1], job.channels, *kernel)


def _lay_results(job: WindowJob, piece: PlanePiece, g: Any, memory: Any, rows: int, line: int) -> None:
    """Results as they would be computed, with zeros where there are none."""
    some = g[(piece.images, slice(None), *piece.where)]
    alike = rows == job.rows or job.rows == 1
    for group in range(1 if alike else job.groups):
        first = group * rows * line * g.itemsize
        step = line * rows if job.rows == 1 else line
        count = g.shape[1] if alike else job.rows
        own = some[:, group * job.rows : group * job.rows + count]
        copy_lines(piece.grid.results_in(memory[first:], count, step, g.dtype), own)


@lru_cache(maxsize=_FEW)
def _offsets(job: WindowJob, grid: PlaneGrid, count: int) -> Any:
    """Where the numbers of the kernel meet the input, for so many of them; those beyond the last do so anywhere."""
    found = np.zeros(count, np.int64)
    own = np.array([grid.offset(place) for place in job.phases[0].places])
    own = (own + np.arange(job.channels)[:, None] * grid.channel).reshape(-1)
    found[: own.size] = own
    return found
