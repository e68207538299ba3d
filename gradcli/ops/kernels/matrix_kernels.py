"""Functions of batches of matrices that NumPy lacks: the exponential, products of reflections, partial Cholesky."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.ops.kernels.substitution import solve_triangular

# Higham's approximant of degree 13: its coefficients, and the norm up to which it is exact to double precision.
_PADE = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0, 129060195264000.0,
    10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0, 40840800.0, 960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip
_LARGEST = 5.371920351148152


def matrix_exp(a: Any) -> Any:
    """By a rational approximant of the matrix halved, squared as often as it was; NaN where the matrix is infinite."""
    if not a.size:
        return a.copy()
    wide = a.astype(np.float64)
    norm = np.abs(wide).sum(-2).max(-1)
    finite = np.isfinite(norm)
    halvings = np.where(finite, np.ceil(np.log2(np.where(finite & (norm > _LARGEST), norm, _LARGEST) / _LARGEST)), 0)
    scaled = np.ldexp(np.where(finite[..., None, None], wide, 0), -halvings[..., None, None].astype(int))
    result = _approximant(scaled)
    for k in range(int(halvings.max())):
        result = np.where((halvings > k)[..., None, None], result @ result, result)
    return np.where(finite[..., None, None], result, np.nan).astype(a.dtype)


def _approximant(a: Any) -> Any:
    b, unit = _PADE, np.eye(a.shape[-1])
    a2 = a @ a
    a4 = a2 @ a2
    a6 = a2 @ a4
    odd = a6 @ (b[13] * a6 + b[11] * a4 + b[9] * a2) + b[7] * a6 + b[5] * a4 + b[3] * a2 + b[1] * unit
    even = a6 @ (b[12] * a6 + b[10] * a4 + b[8] * a2) + b[6] * a6 + b[4] * a4 + b[2] * a2 + b[0] * unit
    odd = a @ odd
    return np.linalg.solve(even - odd, even + odd)


def reflect(a: Any, tau: Any, c: Any, transpose: bool) -> Any:
    """`H_1 H_2 ... @ c`, or its transpose, with `H_i = 1 - tau[i] v_i v_i^T` and v_i below the diagonal of `a`.

    All reflections in one: they are `1 - V T V^T` with a triangular T, by a system that has ones on its diagonal.
    """
    count = tau.shape[-1]
    v = np.tril(a[..., :count], -1)
    v[..., np.arange(count), np.arange(count)] = 1
    flat = np.swapaxes(v, -1, -2)
    system = tau[..., None] * np.triu(flat @ v, 1)
    inner = flat @ c
    if transpose:
        inner = tau[..., None] * solve_triangular(np.swapaxes(system, -1, -2), inner, upper=False, unit=True)
    else:
        inner = solve_triangular(system, tau[..., None] * inner, upper=True, unit=True)
    return c - v @ inner


def cholesky_as_far_as_possible(a: Any) -> tuple[Any, int]:
    """The lower factor of a matrix up to the column where it ends, and which that is; the rest as LAPACK leaves it."""
    factor = np.tril(a)
    for k in range(len(a)):
        head = factor[k, k] - factor[k, :k] @ factor[k, :k]
        if not head > 0:
            factor[k, k] = head
            return factor, k + 1
        factor[k, k] = np.sqrt(head)
        factor[k + 1 :, k] = (factor[k + 1 :, k] - factor[k + 1 :, :k] @ factor[k, :k]) / factor[k, k]
    return factor, 0
