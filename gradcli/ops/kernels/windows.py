"""Convolutions of arrays: with a kernel, and their adjoints with respect to input and kernel.

Windows of the input are laid out as the rows of matrices, as many at once as stay in the cache, and multiplied by the
kernel as a matrix. Rows of windows that are neighbours along the first spatial dimension share most of their elements:
where a line of results is long, the windows are laid out along the other dimensions only, and matrices for neighbours
overlap in memory. That copies an element as often as the kernel is wide, not as often as it has elements. Small images
go together, as the windows of a single one are too few for the work that a product takes.

The products are small: sharing each between threads would cost more than it gains, so BLAS computes in one.

Arrays are (batch, channels, *space), kernels (channels of the result, channels of a group, *space).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from gradcli.machine.blas import one_thread

Shape = tuple[int, ...]
#: Elements put before and after, for each dimension.
Pads = tuple[tuple[int, int], ...]

# Bytes of windows that are laid out at once, always in the same memory: they are still in the cache when BLAS reads
# them. For fewer windows than `_MANY` it would bring the kernel there in vain: so many, unless they take `_MOST` bytes.
_AT_ONCE = 1 << 20
_MANY, _MOST = 256, 1 << 22
# A line of results whose windows take more is cut.
_STRIP = 1 << 24
# Lines of results that are this long make matrices that are worth a product of their own.
_LONG_LINE = 64


class Meeting(NamedTuple):
    """How a kernel meets an input: steps between windows, padding, steps within a window, and groups of channels."""

    stride: Shape
    padding: Pads
    dilation: Shape
    groups: int


def strided(x: Any, shape: Shape, strides: Shape) -> Any:
    """NumPy's `as_strided`. Steps along a single element lead nowhere, and may be more than NumPy can count."""
    taken = tuple([by if n > 1 else 0 for n, by in zip(shape, strides, strict=True)])
    return as_strided(x, shape, taken, writeable=False)


def out_lengths(space: Shape, kernel: Shape, form: Meeting) -> Shape:
    """How many windows fit, for each dimension; none or less where the kernel is larger than the input."""
    rows = zip(space, kernel, form.stride, form.padding, form.dilation, strict=True)
    return tuple((n + before + after - d * (k - 1) - 1) // s + 1 for n, k, s, (before, after), d in rows)


def _padded(x: Any, pads: Pads) -> Any:
    """Zeros around the space of an array; where there are less than none at the end, elements are left out."""
    if not any(before or after for before, after in pads):
        return x
    out = np.zeros((*x.shape[:2], *_around(x.shape[2:], pads)), x.dtype)
    inside, own = _inner(x.shape[2:], pads)
    out[inside] = x[own]
    return out


def _around(space: Shape, pads: Pads) -> Shape:
    return tuple(n + before + after for n, (before, after) in zip(space, pads, strict=True))


def _inner(space: Shape, pads: Pads) -> tuple[Any, Any]:
    """Where the elements of an array lie in the padded one, and which these are."""
    rows = [(before, n + min(0, after)) for n, (before, after) in zip(space, pads, strict=True)]
    return (..., *(slice(at, at + n) for at, n in rows)), (..., *(slice(n) for _, n in rows))


class _Windows(NamedTuple):
    """The layout of windows: `lines` of results, each of `length` elements, from `per_line` lines of the input each.

    With `overlap` the matrices of neighbouring lines lie `stride` lines of the input apart and share the others.
    """

    form: Meeting
    kernel: Shape
    out: Shape
    overlap: bool
    channels: int

    @property
    def length(self) -> int:
        return math.prod(self.out[1:])

    @property
    def height(self) -> int:
        """The rows of a matrix of windows: channels times the elements of a kernel."""
        return self.channels * math.prod(self.kernel)

    def strips(self, itemsize: int) -> Iterator[tuple[_Windows, slice, slice]]:
        """Layouts of strips of lines, about equally wide, with what each takes of the lines of input and results."""
        width = max(1, _STRIP // max(1, itemsize * self.form.groups * self.height * math.prod(self.out[2:])))
        for first, last in _evenly(self.out[1], width):
            strip = self._replace(out=(self.out[0], last - first, *self.out[2:]))
            yield strip, slice(first * self.form.stride[1], None), slice(first, last)

    def pieces(self, itemsize: int, images: int = 1) -> Iterator[tuple[slice, int, int]]:
        """Images and neighbouring lines of their results whose windows are laid out together: some of the lines of one,
        or all of several."""
        share = self.height // self.kernel[0] * self.form.stride[0] if self.overlap else self.height
        line, many = max(1, itemsize * self.form.groups * share * self.length), -(-_MANY // max(1, self.length))
        # Windows of one element need no layout.
        some = (_MOST if math.prod(self.kernel) == 1 else _AT_ONCE) // line
        lines = max(1, some, min(_MOST // line, many))
        for first, last in _evenly(images, 1 if self.overlap else max(1, min(lines, many) // max(1, self.out[0]))):
            for start, stop in _evenly(self.out[0], lines):
                yield slice(first, last), start, stop

    def matrices(self, x: Any, start: int, stop: int, scratch: _Scratch) -> Any:
        """Windows of padded inputs, (images, channels, *space), as (groups, products, height, places)."""
        stride, dilation, groups = self.form.stride, self.form.dilation, self.form.groups
        each, step, *steps = x.strides
        within = [s * d for s, d in zip(steps, dilation, strict=True)]
        between = [s * d for s, d in zip(steps, stride, strict=True)]
        first, count = x[:, :, start * stride[0] :], stop - start
        if not self.overlap:
            shape = (groups, self.kernel[0], self.channels, *self.kernel[1:], len(x), count, *self.out[1:])
            strides = (step * self.channels, within[0], step, *within[1:], each, *between)
            windows = strided(first, shape, strides)
            # Windows of one element are the input itself.
            laid = windows if len(x) == math.prod(self.kernel) == 1 else scratch.laid(windows)
            return laid.reshape(groups, 1, self.height, -1)
        lines = (count - 1) * stride[0] + self.kernel[0]
        shape = (groups, lines, self.channels, *self.kernel[1:], *self.out[1:])
        strides = (step * self.channels, steps[0], step, *within[1:], *between[1:])
        laid = scratch.laid(strided(first, shape, strides))
        row = self.length * x.itemsize
        line = self.height // self.kernel[0] * row
        shape = (groups, count, self.height, self.length)
        return strided(laid, shape, (line * lines, line * stride[0], row, x.itemsize))

    def results(self, a: Any, start: int, stop: int) -> Any:
        """Results, (images, channels, *space), in the order of the products of `matrices`: a view for one image."""
        groups = self.form.groups
        lines = a.reshape(len(a), groups, a.shape[1] // groups, self.out[0], self.length)[:, :, :, start:stop]
        if self.overlap:
            return lines[0].swapaxes(1, 2)
        return np.moveaxis(lines, 0, 2).reshape(groups, 1, lines.shape[2], -1)

    def multiply(self, matrix: Any, matrices: Any, a: Any, start: int, stop: int) -> None:
        """The products of the kernel and matrices of windows, put into results, (images, channels, *space)."""
        if len(a) == 1:
            np.matmul(matrix, matrices, out=self.results(a, start, stop))
            return
        found = np.matmul(matrix, matrices).reshape(-1, len(a), *self.out)
        a[...] = found.swapaxes(0, 1)

    def add_back(self, x: Any, matrices: Any, start: int, stop: int) -> None:
        """Add matrices of windows to padded inputs, (images, channels, *space), each element to the one that it would
        be laid out from."""
        (stride, *_), (dilation, *_), groups = self.form.stride, self.form.dilation, self.form.groups
        k, rest, span = self.kernel[0], (*self.kernel[1:], *self.out[1:]), (stop - start - 1) * stride + 1
        grouped = x.reshape(len(x), groups, self.channels, *x.shape[2:])[:, :, :, start * stride :]
        if self.overlap:
            parts = matrices.reshape(groups, stop - start, k, self.channels, *rest)
            lines = np.zeros((groups, span + k - 1, self.channels, *rest), x.dtype)
            for at in range(k):
                lines[:, at : at + span : stride] += parts[:, :, at]
            self._add_lines(grouped[:, :, :, : span + k - 1], lines.swapaxes(1, 2)[None])
            return
        parts = matrices.reshape(groups, k, self.channels, *self.kernel[1:], len(x), stop - start, *self.out[1:])
        behind = len(self.kernel) + 1
        for at in range(k):
            lines = np.moveaxis(parts[:, at], (behind, behind + 1), (0, 3))
            self._add_lines(grouped[:, :, :, at * dilation : at * dilation + span : stride], lines)

    def _add_lines(self, x: Any, lines: Any) -> None:
        """Add lines of windows, (images, groups, channels, lines, *kernel, *out), to lines of the inputs."""
        rows = list(zip(self.form.dilation[1:], self.form.stride[1:], self.out[1:], strict=True))
        for place in product(*map(range, self.kernel[1:])):
            where = (slice(k * d, k * d + (n - 1) * s + 1, s) for k, (d, s, n) in zip(place, rows, strict=True))
            x[(..., *where)] += lines[(slice(None),) * 4 + place]


class _Scratch:
    """Memory for what is laid out, again and again: new pages from the system, and what it takes to clear them, would
    cost as much as the layout."""

    def __init__(self) -> None:
        self._memory: Any = np.empty(0, np.uint8)

    def laid(self, view: Any) -> Any:
        """A copy of a view, until the next one is made."""
        out = self._array(view.shape, view.dtype)
        np.copyto(out, view)
        return out

    def product(self, a: Any, b: Any) -> Any:
        """The product of matrices, until the next one is made."""
        shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
        return np.matmul(a, b, out=self._array(shape, a.dtype))

    def _array(self, shape: Shape, dtype: Any) -> Any:
        size = math.prod(shape) * dtype.itemsize
        if self._memory.size < size:
            self._memory = np.empty(size, np.uint8)
        return self._memory[:size].view(dtype).reshape(shape)


def _evenly(count: int, most: int) -> Iterator[tuple[int, int]]:
    """Ranges of at most so many, about equally long."""
    parts = max(1, -(-count // most))
    return pairwise(count * k // parts for k in range(parts + 1))


def _windows(space: Shape, kernel: Shape, form: Meeting, channels: int) -> tuple[_Windows, Meeting, Shape]:
    """The layout for an input with this space; a line is put before the only dimension of a vector."""
    if len(kernel) == 1:
        form = Meeting((1, *form.stride), ((0, 0), *form.padding), (1, *form.dilation), form.groups)
        space, kernel = (1, *space), (1, *kernel)
    out = out_lengths(space, kernel, form)
    shared = form.dilation[0] == 1 and form.stride[0] < kernel[0]
    return _Windows(form, kernel, out, shared and math.prod(out[1:]) >= _LONG_LINE, channels), form, space


def _as_matrix(w: Any, groups: int) -> Any:
    """A kernel as (groups, 1, channels of the result, rows of a matrix of windows)."""
    w = w.reshape(groups, w.shape[0] // groups, w.shape[1], *(w.shape[2:] if w.ndim > 3 else (1, w.shape[2])))
    return np.ascontiguousarray(np.moveaxis(w, 3, 2)).reshape(groups, 1, w.shape[1], -1)


@one_thread()
def convolved(x: Any, w: Any, form: Meeting, out: Any = None) -> Any:
    """The sum of the products of a kernel and each window of the input."""
    lengths = out_lengths(x.shape[2:], w.shape[2:], form)
    if out is None:
        out = np.empty((x.shape[0], w.shape[0], *lengths), x.dtype)
    if not out.size or not w.size:
        out[...] = 0
        return out
    windows, form, space = _windows(x.shape[2:], w.shape[2:], form, w.shape[1])
    x, matrix = _padded(x.reshape(*x.shape[:2], *space), form.padding), _as_matrix(w, form.groups)
    result, scratch = out.reshape(*out.shape[:2], *windows.out), _Scratch()
    for strip, read, written in windows.strips(x.itemsize):
        there, here = x[:, :, :, read], result[:, :, :, written]
        for images, start, stop in strip.pieces(x.itemsize, len(x)):
            matrices = strip.matrices(there[images], start, stop, scratch)
            strip.multiply(matrix, matrices, here[images], start, stop)
    return out


@one_thread()
def convolved_back(g: Any, w: Any, space: Shape, form: Meeting, out: Any = None) -> Any:
    """The adjoint with respect to the input: each result spread over its window, times the kernel."""
    channels = w.shape[1] * form.groups
    turned = _turned(g, w, space, form)
    if turned is not None:
        return convolved(g, *turned, out)
    windows, form, shape = _windows(space, w.shape[2:], form, w.shape[1])
    x = np.zeros((g.shape[0], channels, *_around(shape, form.padding)), g.dtype)
    if g.size and w.size:
        matrix = np.ascontiguousarray(_as_matrix(w, form.groups).swapaxes(2, 3))
        result, scratch = g.reshape(*g.shape[:2], *windows.out), _Scratch()
        for strip, written, read in windows.strips(g.itemsize):
            there, here = x[:, :, :, written], result[:, :, :, read]
            for images, start, stop in strip.pieces(g.itemsize, len(x)):
                lines = strip.results(here[images], start, stop)
                strip.add_back(there[images], scratch.product(matrix, lines), start, stop)
    out = np.empty((g.shape[0], channels, *space), g.dtype) if out is None else out
    result = out.reshape(g.shape[0], channels, *shape)
    result[...] = 0
    inside, own = _inner(shape, form.padding)
    result[own] = x[inside]
    return out


def _turned(g: Any, w: Any, space: Shape, form: Meeting) -> tuple[Any, Meeting] | None:
    """The kernel turned around, and how it meets the gradient of the results: with steps of one the adjoint is a
    convolution too. None where it is not, or would have much more to lay out."""
    groups, out = form.groups, g.shape[2:]
    if not w.size or any(s != 1 for s in form.stride) or 2 * w.shape[0] > 3 * w.shape[1] * groups:
        return None
    if 2 * math.prod(space) > 3 * math.prod(out) or not np.isfinite(w).all():
        return None
    rows = zip(space, out, w.shape[2:], form.padding, form.dilation, strict=True)
    pads = tuple((d * (k - 1) - before, n - m + before) for n, m, k, (before, _), d in rows)
    if min(map(min, pads)) < 0:
        return None
    grouped = w.reshape(groups, -1, *w.shape[1:]).swapaxes(1, 2).reshape(-1, w.shape[0] // groups, *w.shape[2:])
    return np.flip(grouped, tuple(range(2, w.ndim))), form._replace(padding=pads)


@one_thread()
def kernel_gradient(x: Any, g: Any, kernel: Shape, form: Meeting, dtype: Any = None) -> Any:
    """The adjoint with respect to the kernel: the sum of the products of each result and its window."""
    groups, channels = form.groups, x.shape[1] // form.groups
    windows, form, space = _windows(x.shape[2:], kernel, form, channels)
    rows = g.shape[1] // groups
    # The windows come first: BLAS reads them in their order.
    total = np.zeros((groups, windows.height, rows), np.float64)
    if x.size and g.size:
        x = _padded(x.reshape(*x.shape[:2], *space), form.padding)
        result, scratch, products = g.reshape(*g.shape[:2], *windows.out), _Scratch(), _Scratch()
        for strip, read, also_read in windows.strips(x.itemsize):
            there, here = x[:, :, :, read], result[:, :, :, also_read]
            for images, start, stop in strip.pieces(x.itemsize, len(x)):
                matrices = strip.matrices(there[images], start, stop, scratch)
                lines = strip.results(here[images], start, stop)
                found = products.product(matrices, lines.swapaxes(2, 3))
                total += found[:, 0] if found.shape[1] == 1 else np.add.reduce(found, axis=1)
    laid = total.swapaxes(1, 2).reshape(groups * rows, windows.kernel[0], channels, *windows.kernel[1:])
    return np.moveaxis(laid, 1, 2).reshape(groups * rows, channels, *kernel).astype(dtype or x.dtype)


def unfolded(x: Any, kernel: Shape, form: Meeting) -> Any:
    """The windows of an input as columns: (batch, channels times elements of a window, windows)."""
    out = out_lengths(x.shape[2:], kernel, form)
    x = _padded(x, form.padding)
    within = (s * d for s, d in zip(x.strides[2:], form.dilation, strict=True))
    between = (s * d for s, d in zip(x.strides[2:], form.stride, strict=True))
    windows = strided(x, (*x.shape[:2], *kernel, *out), (*x.strides[:2], *within, *between))
    return np.ascontiguousarray(windows).reshape(x.shape[0], x.shape[1] * math.prod(kernel), math.prod(out))


def folded(columns: Any, space: Shape, kernel: Shape, form: Meeting) -> Any:
    """The adjoint of `unfolded`: columns added to the elements that they were taken from."""
    out, channels = out_lengths(space, kernel, form), columns.shape[1] // math.prod(kernel)
    x: Any = np.zeros((columns.shape[0], channels, *_around(space, form.padding)), columns.dtype)
    parts = columns.reshape(columns.shape[0], channels, *kernel, *out)
    rows = list(zip(form.dilation, form.stride, out, strict=True))
    for place in product(*map(range, kernel)):
        where = (slice(k * d, k * d + (n - 1) * s + 1, s) for k, (d, s, n) in zip(place, rows, strict=True))
        x[(..., *where)] += parts[(slice(None), slice(None), *place)]
    return np.ascontiguousarray(x[_inner(space, form.padding)[0]])
