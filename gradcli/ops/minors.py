"""Derivatives of the determinant of every order, at singular matrices too.

The determinant of a + e1*h1 + ... + ek*hk is linear in each of the numbers e: the coefficient of their product is the
derivative along the directions h. It comes from arithmetic in which the square of each e is 0; a quantity there is a
dictionary from sets of them, as bits, to coefficients. In the basis of the singular vectors the block of the large
singular values is inverted, by a series that ends. What is left, the Schur complement, may be singular: it is not
divided by, since Faddeev and LeVerrier's recurrence gives determinant and adjugate by products alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Dual = dict[int, Any]

# Singular values below this part of the largest are not divided by.
_SMALL = 1e-2


def slopes(directions: Sequence[Any], basis: tuple[Any, Any, Any, Any]) -> Any:
    """The gradient, by the matrix, of the derivative of its determinant along the directions.

    `basis` has the singular vectors and values of the matrix, both as columns, and the sign that the bases contribute.
    """
    u, s, v, sign = basis
    matrix: Dual = {1 << k: u.T @ h @ v for k, h in enumerate(directions)}
    matrix[0] = np.diag(s)
    large = int(np.count_nonzero(~(s < _SMALL * s[0]))) if s[0] else 0
    adjugate = _adjugate(matrix, large, len(directions))
    return sign * (u @ adjugate.get((1 << len(directions)) - 1, np.zeros_like(u)).T @ v.T)


def _times(x: Dual, y: Dual) -> Dual:
    """The product of matrices, or of a number and a matrix."""
    result: Dual = {}
    for e, a in x.items():
        for f, b in y.items():
            if not e & f:
                term = a @ b if a.ndim and b.ndim else a * b
                result[e | f] = result[e | f] + term if e | f in result else term
    return result


def _plus(x: Dual, y: Dual, factor: float = 1.0) -> Dual:
    """`x + factor*y`."""
    return {e: x.get(e, 0.0) + factor * y[e] if e in y else x[e] for e in {*x, *y}}


def _trace(x: Dual) -> Dual:
    return {e: np.asarray(np.trace(m)) for e, m in x.items()}


def _unit(size: int) -> Dual:
    return {0: np.eye(size)}


def _inverse(matrix: Dual, count: int) -> tuple[Dual, Dual]:
    """The inverse of a matrix whose part without any e is diagonal and regular, and its determinant."""
    diagonal = np.diagonal(matrix[0])
    reciprocal = {0: np.diag(1 / diagonal)}
    step = _times(reciprocal, {e: m for e, m in matrix.items() if e})
    # 1/(1 + step), and the logarithm of det(1 + step), as series.
    series = power = _unit(len(diagonal))
    logarithm: Dual = {}
    for k in range(1, count + 1):
        power = _times(power, step)
        series = _plus(series, power, (-1.0) ** k)
        logarithm = _plus(logarithm, _trace(power), -((-1.0) ** k) / k)
    determinant: Dual = {0: np.asarray(np.prod(diagonal))}
    power = determinant
    for k in range(1, count + 1):
        power = _times(power, logarithm)
        determinant = _plus(determinant, power, 1 / math.factorial(k))
    return _times(series, reciprocal), determinant


def _faddeev(matrix: Dual, size: int) -> tuple[Dual, Dual]:
    """The adjugate and the determinant."""
    if not size:
        return {}, {0: np.asarray(1.0)}
    adjugate = _unit(size)
    for k in range(1, size):
        product = _times(matrix, adjugate)
        adjugate = _plus(product, _times(_trace(product), _unit(size)), -1 / k)
    determinant = _times({0: np.asarray(1 / size)}, _trace(_times(matrix, adjugate)))
    sign = {0: np.asarray((-1.0) ** (size - 1))}
    return _times(sign, adjugate), _times(sign, determinant)


def _adjugate(matrix: Dual, large: int, count: int) -> Dual:
    """By blocks, of which the first one is inverted."""
    parts = slice(large), slice(large, None)
    (first, right), (below, rest) = ([{e: m[r, c] for e, m in matrix.items()} for c in parts] for r in parts)
    inverse, determinant = _inverse(first, count)
    left, down = _times(inverse, right), _times(below, inverse)
    inner, schur = _faddeev(_plus(rest, _times(below, left), -1.0), len(matrix[0]) - large)
    # The inverse by blocks, times the determinant of the Schur complement.
    across = _times(left, inner)
    corner = _plus(_times(schur, inverse), _times(across, down))
    up = _times(inner, down)
    result: Dual = {}
    for e in {*corner, *across, *up, *inner}:
        whole = result[e] = np.zeros_like(matrix[0])
        for k, block in enumerate((corner, across, up, inner)):
            if e in block:
                whole[parts[k // 2], parts[k % 2]] = block[e] if k in (0, 3) else -block[e]
    return _times(determinant, result)
