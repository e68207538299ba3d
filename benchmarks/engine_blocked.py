"""The six cases as hand-blocked NumPy: what gradcli is to come within 15 % of.

Each function gives the value and the gradients in fresh arrays. Blocks fit the second-level cache, every operation
writes into a buffer, threads take the next block from a counter, sums are added up in float64 in the order of blocks.
A sum of float32 numbers of any sign is taken over a float64 copy; one of squares is as accurate from short dot
products.
"""

from __future__ import annotations

import ctypes
import itertools
import math
import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray
#: The contributions of a block to the sums: numbers or arrays in float64.
Partials = tuple[Any, ...]
Work = Callable[[slice], Partials]

THREADS = os.cpu_count() or 1
BLOCK_BYTES = 1 << 18
#: As many elements fit a float64 scratch of 256 KB.
CAST = 1 << 15
#: Dot products of so many squares lose nothing in float32.
SHORT = 1 << 12
#: So many rows side by side make a row long enough for a ufunc's inner loop.
FOLD = 64


class OneBlasThread(AbstractContextManager["OneBlasThread"]):
    """Keeps the OpenBLAS in NumPy's wheels to one thread: the blocks are dealt to threads already."""

    def __init__(self) -> None:
        folder = Path(np.__file__).parent.parent / "numpy.libs"
        self._libraries = [ctypes.CDLL(str(path)) for path in folder.glob("libscipy_openblas64_*")]
        self._before: list[int] = []

    def __enter__(self) -> OneBlasThread:
        self._before = [library.scipy_openblas_get_num_threads64_() for library in self._libraries]
        for library in self._libraries:
            library.scipy_openblas_set_num_threads64_(1)
        return self

    def __exit__(self, *exception: object) -> None:
        for library, count in zip(self._libraries, self._before, strict=True):
            library.scipy_openblas_set_num_threads64_(count)


def in_blocks(length: int, step: int, worker: Callable[[], Work]) -> Partials:
    """The partials of all blocks, added up in their order. `worker()` gives each thread buffers of its own."""
    starts = range(0, length, step)
    partials: list[Partials] = [()] * len(starts)
    counter = itertools.count()

    def run() -> None:
        with np.errstate(all="ignore"):
            work = worker()
            while (block := next(counter)) < len(starts):
                partials[block] = work(slice(starts[block], min(starts[block] + step, length)))

    helpers = [threading.Thread(target=run) for _ in range(THREADS - 1)]
    for helper in helpers:
        helper.start()
    run()
    for helper in helpers:
        helper.join()
    return tuple(np.add.reduce(np.array(column), axis=0) for column in zip(*partials, strict=True))


def block_length(dtype: np.dtype, row: int = 1) -> int:
    """The number of rows of a block."""
    rows = BLOCK_BYTES // (dtype.itemsize * row)
    return rows if row == 1 else rows // FOLD * FOLD


def total(x: Array, scratch: Array) -> float:
    """The sum of a block in float64."""
    if x.dtype == np.float64:
        return float(np.add.reduce(x))
    result = 0.0
    for start in range(0, x.size, CAST):
        part = x[start : start + CAST]
        copy = scratch[: part.size]
        np.copyto(copy, part)
        result += float(np.add.reduce(copy))
    return result


def total_of_squares(x: Array) -> float:
    """The sum of the squares of a block in float64."""
    whole = x.size - x.size % SHORT
    rows = x[:whole].reshape(-1, SHORT)
    return float(np.add.reduce(np.vecdot(rows, rows), dtype=np.float64) + np.dot(x[whole:], x[whole:]))


def headline(x: Array) -> tuple[Any, ...]:
    """(a) mean(2*(3*x+7)**2)"""
    g = np.empty_like(x)

    def worker() -> Work:
        def work(s: slice) -> Partials:
            u = g[s]
            np.multiply(x[s], 3, out=u)
            np.add(u, 7, out=u)
            squares = total_of_squares(u)
            np.multiply(u, 12 / x.size, out=u)
            return (squares,)

        return work

    (squares,) = in_blocks(x.size, block_length(x.dtype), worker)
    return x.dtype.type(2 * squares / x.size), g


def gates(x: Array, y: Array) -> tuple[Any, ...]:
    """(b) sum(sigmoid(x)*tanh(y))"""
    gx, gy = np.empty_like(x), np.empty_like(y)
    step = block_length(x.dtype)

    def worker() -> Work:
        product, scratch = np.empty(step, x.dtype), np.empty(CAST)

        def work(s: slice) -> Partials:
            sigmoid, tanh = gx[s], gy[s]
            p = product[: sigmoid.size]
            np.negative(x[s], out=sigmoid)
            np.exp(sigmoid, out=sigmoid)
            np.add(sigmoid, 1, out=sigmoid)
            np.reciprocal(sigmoid, out=sigmoid)
            np.tanh(y[s], out=tanh)
            np.multiply(sigmoid, tanh, out=p)
            value = total(p, scratch)
            # s*(1 - t*t) and t*s*(1 - s), each from the product.
            np.multiply(p, tanh, out=tanh)
            np.subtract(sigmoid, tanh, out=tanh)
            np.multiply(p, sigmoid, out=sigmoid)
            np.subtract(p, sigmoid, out=sigmoid)
            return (value,)

        return work

    (value,) = in_blocks(x.size, step, worker)
    return x.dtype.type(value), gx, gy


def logistic(X: Array, y: Array, w: Array) -> tuple[Any, ...]:  # noqa: N803
    """(c) mean(log1p(exp(-y*(X@w)))), the gradient of w"""
    rows = X.shape[0]
    step = block_length(X.dtype, X.shape[1])
    minus_w = -w

    def worker() -> Work:
        buffers, scratch = np.empty((2, step), X.dtype), np.empty(CAST)

        def work(s: slice) -> Partials:
            e, t = buffers[:, : s.stop - s.start]
            np.matmul(X[s], minus_w, out=e)
            np.multiply(e, y[s], out=e)
            np.exp(e, out=e)
            np.log1p(e, out=t)
            value = total(t, scratch)
            np.add(e, 1, out=t)
            np.divide(e, t, out=e)
            np.multiply(e, y[s], out=e)
            return value, (e @ X[s]).astype(np.float64)

        return work

    with OneBlasThread():
        value, gradient = in_blocks(rows, step, worker)
    return X.dtype.type(value / rows), (gradient / -rows).astype(X.dtype)


def cross_entropy(Z: Array, T: Array) -> tuple[Any, ...]:  # noqa: N803
    """(d) mean(logsumexp(Z, 1) - sum(Z*T, 1)), the gradient of Z"""
    rows, classes = Z.shape
    g = np.empty_like(Z)
    step = block_length(Z.dtype, classes)
    ones = np.ones(classes, Z.dtype)

    def worker() -> Work:
        # A row a class: NumPy's loops then run over thousands of elements, not over ten.
        columns, vectors = np.empty((classes, step), Z.dtype), np.empty((2, step), Z.dtype)
        product, scratch = np.empty((step, classes), Z.dtype), np.empty(CAST)

        def work(s: slice) -> Partials:
            count = s.stop - s.start
            t, (m, r), p = columns[:, :count], vectors[:, :count], product[:count]
            np.copyto(t, Z[s].T)
            np.maximum.reduce(t, axis=0, out=m)
            np.subtract(t, m, out=t)
            np.exp(t, out=t)
            np.add.reduce(t, axis=0, out=r)
            np.multiply(Z[s], T[s], out=p)
            np.subtract(m, p @ ones, out=m)
            np.log(r, out=p.reshape(-1)[:count])
            np.add(m, p.reshape(-1)[:count], out=m)
            value = total(m, scratch)
            np.multiply(r, rows, out=r)
            np.reciprocal(r, out=r)
            np.multiply(t, r, out=t)
            np.copyto(p, t.T)
            np.multiply(T[s], 1 / rows, out=g[s])
            np.subtract(p, g[s], out=g[s])
            return (value,)

        return work

    with OneBlasThread():
        (value,) = in_blocks(rows, step, worker)
    return Z.dtype.type(value / rows), g


def normalized(x: Array) -> tuple[Any, ...]:
    """(e) sum(x/sum(exp(x)))"""
    g = np.empty_like(x)
    step = block_length(x.dtype)

    def exponentials() -> Work:
        scratch = np.empty(CAST)

        def work(s: slice) -> Partials:
            # Kept in the memory of the gradient for the second pass.
            np.exp(x[s], out=g[s])
            return total(g[s], scratch), total(x[s], scratch)

        return work

    powers, values = in_blocks(x.size, step, exponentials)

    def gradient() -> Work:
        def work(s: slice) -> Partials:
            np.multiply(g[s], -values / powers**2, out=g[s])
            np.add(g[s], 1 / powers, out=g[s])
            return ()

        return work

    in_blocks(x.size, step, gradient)
    return x.dtype.type(values / powers), g


def column_totals(x: Array, scratch: Array, ones: Array) -> Array:
    """The sums of the columns of a block in float64."""
    result = np.zeros(x.shape[1])
    # Rows side by side: few additions into each of many sums.
    fold = math.gcd(len(x), FOLD)
    step = scratch.size // (x.shape[1] * fold)
    wide = x.reshape(-1, fold * x.shape[1])
    for start in range(0, len(wide), step):
        part = wide[start : start + step]
        if x.dtype != np.float64:
            copy = scratch[: part.size].reshape(part.shape)
            np.copyto(copy, part)
            part = copy
        result += (ones[: len(part)] @ part).reshape(fold, -1).sum(0)
    return result


def standardized(X: Array) -> tuple[Any, ...]:  # noqa: N803
    """(f) sum(((X - mean(X, 0))/std(X, 0))**2)"""
    rows, columns = X.shape
    g = np.empty_like(X)
    step = block_length(X.dtype, columns)
    ones = np.ones(step)

    def sums() -> Work:
        scratch = np.empty(CAST)
        return lambda s: (column_totals(X[s], scratch, ones),)

    (sum_x,) = in_blocks(rows, step, sums)
    mean = np.tile((sum_x / rows).astype(X.dtype), FOLD)

    def deviations() -> Work:
        square, scratch = np.empty((step, columns), X.dtype), np.empty(CAST)

        def work(s: slice) -> Partials:
            d, fold = g[s], math.gcd(s.stop - s.start, FOLD)
            np.subtract(X[s].reshape(-1, fold * columns), mean[: fold * columns], out=d.reshape(-1, fold * columns))
            np.multiply(d, d, out=square[: len(d)])
            return column_totals(d, scratch, ones), column_totals(square[: len(d)], scratch, ones)

        return work

    sum_d, squares = in_blocks(rows, step, deviations)
    deviation = np.sqrt(squares / (rows - 1))
    # With z = d/std: dL/dx = 2 z/std - mean(2 z/std) - z/(n - 1) * sum(2 z²/std).
    z_squares = squares / deviation**2
    slope = np.tile((2 / deviation**2 * (1 - z_squares / (rows - 1))).astype(X.dtype), FOLD)
    shift = np.tile((2 * sum_d / deviation**2 / rows).astype(X.dtype), FOLD)

    def gradient() -> Work:
        def work(s: slice) -> Partials:
            fold = math.gcd(s.stop - s.start, FOLD)
            wide = g[s].reshape(-1, fold * columns)
            np.multiply(wide, slope[: fold * columns], out=wide)
            np.subtract(wide, shift[: fold * columns], out=wide)
            return ()

        return work

    with OneBlasThread():
        in_blocks(rows, step, gradient)
    return X.dtype.type(z_squares.sum()), g
