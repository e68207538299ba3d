"""Triangular systems and LU factors of batches of matrices, in NumPy: blocks of columns, products of matrices between.

Each loop is over columns or blocks of them, and goes through all matrices of a batch at once.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.graph.infer import broadcast_shapes

# Within so many columns one is done after the other, beyond them blocks are multiplied.
_BLOCK = 32


def solve_triangular(a: Any, b: Any, upper: bool, left: bool = True, unit: bool = False) -> Any:
    """The X for which `a @ X = b`, or `X @ a = b`; one triangle of `a` is read, its diagonal unless `unit`."""
    if not left:
        flipped = solve_triangular(np.swapaxes(a, -1, -2), np.swapaxes(b, -1, -2), not upper, True, unit)
        return np.swapaxes(flipped, -1, -2)
    batch = broadcast_shapes([a.shape[:-2], b.shape[:-2]])
    x = np.array(np.broadcast_to(b, (*batch, *b.shape[-2:])))
    # Seen from behind, an upper triangle is a lower one.
    _substitute(a[..., ::-1, ::-1], x[..., ::-1, :], unit) if upper else _substitute(a, x, unit)
    return x


def _substitute(a: Any, x: Any, unit: bool) -> None:
    """Replace `x` by the solution for the lower triangle of `a`."""
    for start in range(0, a.shape[-1], _BLOCK):
        stop = min(start + _BLOCK, a.shape[-1])
        for k in range(start, stop):
            if k > start:
                x[..., k, :] -= (a[..., k, None, start:k] @ x[..., start:k, :])[..., 0, :]
            if not unit:
                x[..., k, :] /= a[..., k, k, None]
        if stop < a.shape[-1]:
            x[..., stop:, :] -= a[..., stop:, start:stop] @ x[..., start:stop, :]


def lu_factor(a: Any, pivot: bool = True) -> tuple[Any, Any, Any]:
    """Both triangles in one matrix, the rows that were exchanged (counted from 1), and the place of the first zero."""
    lu = np.array(a).reshape(math.prod(a.shape[:-2]), *a.shape[-2:])
    rows, columns = lu.shape[-2:]
    count = min(rows, columns)
    pivots = np.broadcast_to(np.arange(1, count + 1, dtype=np.int32), (len(lu), count)).copy()
    for start in range(0, count, _BLOCK):
        stop = min(start + _BLOCK, count)
        for k in range(start, stop):
            _eliminate(lu, k, stop, pivots if pivot else None)
        if stop < columns:
            _substitute(lu[:, start:stop, start:stop], lu[:, start:stop, stop:], unit=True)
            lu[:, stop:, stop:] -= lu[:, stop:, start:stop] @ lu[:, start:stop, stop:]
    zeros = np.diagonal(lu, 0, -2, -1) == 0
    first = np.where(zeros.any(-1), zeros.argmax(-1) + 1, 0) if count else np.zeros(len(lu))
    batch = a.shape[:-2]
    return lu.reshape(a.shape), pivots.reshape(*batch, count), first.astype(np.int32).reshape(batch)


def _eliminate(lu: Any, k: int, stop: int, pivots: Any) -> None:
    """Exchange rows for column `k` and take its multiples from the columns up to `stop`."""
    if pivots is not None:
        members = np.arange(len(lu))
        chosen = np.abs(lu[:, k:, k]).argmax(-1) + k
        lu[members, chosen], lu[:, k] = lu[:, k].copy(), lu[members, chosen]
        pivots[:, k] = chosen + 1
    head = lu[:, k, k, None]
    # A column of zeros has nothing to divide by, as in LAPACK.
    np.divide(lu[:, k + 1 :, k], head, out=lu[:, k + 1 :, k], where=head != 0)
    lu[:, k + 1 :, k + 1 : stop] -= lu[:, k + 1 :, k, None] * lu[:, k, None, k + 1 : stop]


def row_order(pivots: Any, rows: int) -> Any:
    """The order of the rows after the exchanges."""
    flat = pivots.reshape(math.prod(pivots.shape[:-1]), pivots.shape[-1])
    order = np.broadcast_to(np.arange(rows), (len(flat), rows)).copy()
    members = np.arange(len(flat))
    for k in range(flat.shape[-1]):
        chosen = flat[:, k] - 1
        order[members, chosen], order[:, k] = order[:, k].copy(), order[members, chosen]
    return order.reshape(*pivots.shape[:-1], rows)


def permutation(pivots: Any, rows: int, dtype: Any) -> Any:
    """The P of `P @ L @ U`."""
    order = row_order(pivots, rows)
    return (np.arange(rows)[:, None] == order[..., None, :]).astype(dtype)


def lu_solve(lu: Any, pivots: Any, b: Any, left: bool = True, adjoint: bool = False) -> Any:
    """The X for which `A @ X = b` where `lu` and `pivots` are what `lu_factor` makes of A."""
    if not left:
        return np.swapaxes(lu_solve(lu, pivots, np.swapaxes(b, -1, -2), True, not adjoint), -1, -2)
    batch = broadcast_shapes([lu.shape[:-2], b.shape[:-2]])
    order = np.broadcast_to(row_order(pivots, lu.shape[-1])[..., None], (*batch, lu.shape[-1], 1))
    b = np.broadcast_to(b, (*batch, *b.shape[-2:]))
    if not adjoint:
        inner = solve_triangular(lu, np.take_along_axis(b, order, -2), upper=False, unit=True)
        return solve_triangular(lu, inner, upper=True)
    inner = solve_triangular(np.swapaxes(lu, -1, -2), b, upper=False)
    result = np.empty_like(inner)
    np.put_along_axis(result, order, solve_triangular(np.swapaxes(lu, -1, -2), inner, upper=True, unit=True), -2)
    return result
