"""The six cases as hand-blocked NumPy: what gradcli is to come within 15 % of.

Each function gives the value and the gradients in fresh arrays. Blocks fit the second-level cache, every operation
writes into a buffer, threads take the next block from a counter, sums are added up in float64 in the order of blocks.
Float32 numbers of any sign are summed in float64; those of one sign are as accurate from short dot products.
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
#: Of one operand. Smaller ones stay nearer, but threads then spend their time handing each other the interpreter lock.
BLOCK_BYTES = 1 << 19
#: Dot products of so many numbers of one sign lose nothing in float32, and a block has enough of them for NumPy to
#: release the interpreter lock: `vecdot` and `matmul` do from 500 products on, `dot` always.
SHORT = 1 << 8
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
    with OneBlasThread():
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


def total(x: Array) -> float:
    """The sum of a block."""
    return float(np.add.reduce(x, dtype=np.float64))


def dots(x: Array, y: Array) -> float:
    """The sum of `x*y` over a block where all products have the same sign."""
    if x.dtype == np.float64:
        return float(np.dot(x, y))
    whole = x.size - x.size % SHORT
    parts = np.vecdot(x[:whole].reshape(-1, SHORT), y[:whole].reshape(-1, SHORT))
    return total(parts) + float(np.dot(x[whole:], y[whole:]))


def headline(x: Array) -> tuple[Any, ...]:
    """(a) mean(2*(3*x+7)**2)"""
    g = np.empty_like(x)

    def work(s: slice) -> Partials:
        u = g[s]
        np.multiply(x[s], 3, out=u)
        np.add(u, 7, out=u)
        squares = dots(u, u)
        np.multiply(u, 12 / x.size, out=u)
        return (squares,)

    (squares,) = in_blocks(x.size, block_length(x.dtype), lambda: work)
    return x.dtype.type(2 * squares / x.size), g


def gates(x: Array, y: Array) -> tuple[Any, ...]:
    """(b) sum(sigmoid(x)*tanh(y))"""
    gx, gy = np.empty_like(x), np.empty_like(y)
    step = block_length(x.dtype)

    def worker() -> Work:
        product = np.empty(step, x.dtype)

        def work(s: slice) -> Partials:
            sigmoid, tanh = gx[s], gy[s]
            p = product[: sigmoid.size]
            np.negative(x[s], out=sigmoid)
            np.exp(sigmoid, out=sigmoid)
            np.add(sigmoid, 1, out=sigmoid)
            np.reciprocal(sigmoid, out=sigmoid)
            np.tanh(y[s], out=tanh)
            np.multiply(sigmoid, tanh, out=p)
            value = total(p)
            # s*(1 - t*t) and t*s*(1 - s), each from the product.
            np.multiply(p, tanh, out=tanh)
            np.subtract(sigmoid, tanh, out=tanh)
            np.multiply(p, sigmoid, out=sigmoid)
            np.subtract(p, sigmoid, out=sigmoid)
            return (value,)

        return work

    (value,) = in_blocks(x.size, step, worker)
    return x.dtype.type(value), gx, gy


def logistic(X: Array, y: Array, w: Array) -> tuple[Any, ...]:
    """(c) mean(log1p(exp(-y*(X@w)))), the gradient of w"""
    rows = X.shape[0]
    # The vectors are to fit the cache; of the matrix only a few rows need to.
    step = block_length(X.dtype) // 2
    minus_w = -w

    def worker() -> Work:
        buffers = np.empty((2, step), X.dtype)

        def work(s: slice) -> Partials:
            e, t = buffers[:, : s.stop - s.start]
            np.dot(X[s], minus_w, out=e)
            np.multiply(e, y[s], out=e)
            np.exp(e, out=e)
            np.log1p(e, out=t)
            value = total(t)
            np.add(e, 1, out=t)
            np.divide(e, t, out=e)
            np.multiply(e, y[s], out=e)
            return value, np.dot(e, X[s]).astype(np.float64)

        return work

    value, gradient = in_blocks(rows, step, worker)
    return X.dtype.type(value / rows), (gradient / -rows).astype(X.dtype)


def cross_entropy(Z: Array, T: Array) -> tuple[Any, ...]:
    """(d) mean(logsumexp(Z, 1) - sum(Z*T, 1)), the gradient of Z"""
    rows, classes = Z.shape
    g = np.empty_like(Z)
    step = block_length(Z.dtype, classes)
    ones = np.ones(classes, Z.dtype)

    def worker() -> Work:
        # A row a class: NumPy's loops then run over thousands of elements, not over ten.
        columns, product = np.empty((classes, step), Z.dtype), np.empty((step, classes), Z.dtype)
        vectors = np.empty((3, step), Z.dtype)

        def work(s: slice) -> Partials:
            count = s.stop - s.start
            t, p, (high, powers, row) = columns[:, :count], product[:count], vectors[:, :count]
            np.copyto(t, Z[s].T)
            np.maximum.reduce(t, axis=0, out=high)
            np.subtract(t, high, out=t)
            np.exp(t, out=t)
            np.add.reduce(t, axis=0, out=powers)
            np.multiply(Z[s], T[s], out=p)
            np.dot(p, ones, out=row)
            np.subtract(high, row, out=high)
            np.log(powers, out=row)
            np.add(high, row, out=row)
            value = total(row)
            np.multiply(powers, rows, out=powers)
            np.reciprocal(powers, out=powers)
            np.multiply(t, powers, out=t)
            np.copyto(p, t.T)
            np.multiply(T[s], 1 / rows, out=g[s])
            np.subtract(p, g[s], out=g[s])
            return (value,)

        return work

    (value,) = in_blocks(rows, step, worker)
    return Z.dtype.type(value / rows), g


def normalized(x: Array) -> tuple[Any, ...]:
    """(e) sum(x/sum(exp(x)))"""
    g = np.empty_like(x)
    step = block_length(x.dtype)
    ones = np.ones(step, x.dtype)

    def exponentials(s: slice) -> Partials:
        # Kept in the memory of the gradient for the second pass.
        np.exp(x[s], out=g[s])
        return dots(g[s], ones[: s.stop - s.start]), total(x[s])

    powers, values = in_blocks(x.size, step, lambda: exponentials)

    def gradient(s: slice) -> Partials:
        np.multiply(g[s], -values / powers**2, out=g[s])
        np.add(g[s], 1 / powers, out=g[s])
        return ()

    in_blocks(x.size, step, lambda: gradient)
    return x.dtype.type(values / powers), g


def wide(x: Array) -> Array:
    """Many rows side by side."""
    return x.reshape(-1, math.gcd(len(x), FOLD) * x.shape[1])


def standardized(X: Array) -> tuple[Any, ...]:
    """(f) sum(((X - mean(X, 0))/std(X, 0))**2)"""
    rows, columns = X.shape
    g = np.empty_like(X)
    step = block_length(X.dtype, columns)
    ones = np.ones(step, X.dtype)

    def folded(sums: Array) -> Array:
        return np.add.reduce(sums.reshape(-1, columns), axis=0, dtype=np.float64)

    def sums(s: slice) -> Partials:
        return (folded(np.add.reduce(wide(X[s]), axis=0, dtype=np.float64)),)

    (sum_x,) = in_blocks(rows, step, lambda: sums)
    mean = np.tile((sum_x / rows).astype(X.dtype), FOLD)

    def deviations() -> Work:
        buffer = np.empty((step, columns), X.dtype)

        def work(s: slice) -> Partials:
            d, square = wide(g[s]), wide(buffer[: s.stop - s.start])
            np.subtract(wide(X[s]), mean[: d.shape[1]], out=d)
            np.multiply(d, d, out=square)
            # Each of these sums is of few terms: many columns stand side by side.
            return folded(np.dot(ones[: len(d)], d)), folded(np.dot(ones[: len(d)], square))

        return work

    sum_d, squares = in_blocks(rows, step, deviations)
    variance = squares / (rows - 1)
    # With z = d/std: dL/dx = 2*z/std - mean(2*z/std) - z/(n - 1) * sum(2*z*z/std).
    z_squares = squares / variance
    slope = np.tile((2 / variance * (1 - z_squares / (rows - 1))).astype(X.dtype), FOLD)
    shift = np.tile((2 * sum_d / variance / rows).astype(X.dtype), FOLD)

    def gradient(s: slice) -> Partials:
        d = wide(g[s])
        np.multiply(d, slope[: d.shape[1]], out=d)
        np.subtract(d, shift[: d.shape[1]], out=d)
        return ()

    in_blocks(rows, step, lambda: gradient)
    return X.dtype.type(z_squares.sum()), g
