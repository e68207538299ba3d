"""Inverses, solutions and Cholesky factors that say by a number where there is none, instead of failing."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.graph.dtypes import DTYPES
from gradcli.graph.node import Node, make_results
from gradcli.graph.op import Op, Shape
from gradcli.ops.family import primitive
from gradcli.ops.kernels import matrix_kernels, substitution
from gradcli.ops.linalg import (
    MATRICES,
    SINGULAR,
    WELL_CONDITIONED,
    cholesky_vjp,
    column_major_from_left,
    inverse_vjp,
    matrices_column_major,
    solve_infer,
    solve_kernel,
    solve_operands,
    solve_vjp,
    square,
)
from gradcli.ops.triangular import system_cost

INT32 = DTYPES["int32"]


def checked(info: Any, check_errors: bool, failure: GradcliError) -> Any:
    if check_errors and info.any():
        raise GradcliError(failure.message, hint=failure.hint)
    return info


def _with_info(shape: Shape, a: Node) -> Any:
    return (shape, a.dtype), (a.shape[:-2], INT32)


def _or_by_factors(quick: Callable[[], Any], a: Any, by_factors: Callable[[Any, Any], Any], check_errors: bool) -> Any:
    """What NumPy computes, and how many of no matrix are singular; with LU factors where one is."""
    try:
        return quick(), np.zeros(a.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        factors, pivots, info = substitution.lu_factor(a)
        return by_factors(factors, pivots), checked(info, check_errors, SINGULAR)


def _inv_ex_kernel(a: Any, check_errors: bool) -> Any:
    def by_factors(factors: Any, pivots: Any) -> Any:
        return substitution.lu_solve(factors, pivots, np.eye(a.shape[-1], dtype=a.dtype))

    return _or_by_factors(lambda: np.linalg.inv(a), a, by_factors, check_errors)


def _solve_ex_kernel(a: Any, b: Any, vector: bool, left: bool, check_errors: bool) -> Any:
    def by_factors(factors: Any, pivots: Any) -> Any:
        if vector:
            return substitution.lu_solve(factors, pivots, b[..., None])[..., 0]
        return substitution.lu_solve(factors, pivots, b, left)

    return _or_by_factors(lambda: solve_kernel(a, b, vector, left), a, by_factors, check_errors)


def _solve_ex(A: Any, B: Any, left: bool, check_errors: bool) -> Any:
    a, b, vector = solve_operands(A, B, left, "solve_ex")
    return make_results(solve_ex, (a, b), {"vector": vector, "left": left, "check_errors": check_errors})


def _solve_ex_vjp(g: Any, out: Any, a: Node, b: Node, vector: bool, left: bool, check_errors: bool) -> Any:
    return solve_vjp(g.result, out.result, a, b, vector, left)


def _cholesky_ex_kernel(a: Any, upper: bool, check_errors: bool) -> Any:
    try:
        factor = np.linalg.cholesky(a, upper=upper)
        if not np.isnan(np.diagonal(factor, 0, -2, -1)).any():
            return factor, np.zeros(a.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        pass
    factor, info = np.empty_like(a), np.zeros(a.shape[:-2], np.int32)
    for place in np.ndindex(a.shape[:-2]):
        found, info[place] = matrix_kernels.cholesky_as_far_as_possible(a[place].T if upper else a[place])
        factor[place] = found.T if upper else found
    return factor, checked(info, check_errors, GradcliError("the matrix is not positive definite"))


inv_ex: Op = primitive(
    "inv_ex", _inv_ex_kernel, lambda inputs, params: _with_info(inputs[0].shape, inputs[0]), family="linalg",
    args="A, *, check_errors=False", results=("inverse", "info"), torch="linalg.inv_ex", grad_fn="LinalgInvExBackward0",
    build=lambda a, check_errors: make_results(inv_ex, (square(a, "inv_ex"),), {"check_errors": check_errors}),
    vjp=lambda g, out, a, check_errors: inverse_vjp(g.inverse, out.inverse, a), layout=matrices_column_major,
    doc="Inverse, and 0 or, for a singular matrix, the position of the first zero pivot (inverse, info).",
    blocking=MATRICES, domain=WELL_CONDITIONED, example=("inv_ex(A).inverse", "A:2"), cost=system_cost,
)
solve_ex: Op = primitive(
    "solve_ex", _solve_ex_kernel, lambda inputs, params: _with_info(solve_infer(inputs, params)[0], inputs[0]),
    family="linalg", args="A, B, *, left=True, check_errors=False", results=("result", "info"), build=_solve_ex,
    torch="linalg.solve_ex", grad_fn="LinalgSolveExBackward0", vjp=_solve_ex_vjp,
    layout=lambda inputs, params, shape: (
        column_major_from_left(inputs, params, shape) if len(shape) == inputs[1].ndim else None
    ),
    doc="The X for which `A @ X = B`, and 0 or the position of the first zero pivot of a singular matrix "
    "(result, info).",
    domain=WELL_CONDITIONED, example=("solve_ex(A, B).result", "A:2 B:2"), cost=system_cost,
)
cholesky_ex: Op = primitive(
    "cholesky_ex", _cholesky_ex_kernel, lambda inputs, params: _with_info(inputs[0].shape, inputs[0]), family="linalg",
    args="A, *, upper=False, check_errors=False", results=("L", "info"), torch="linalg.cholesky_ex",
    build=lambda a, upper, check_errors: make_results(
        cholesky_ex, (square(a, "cholesky_ex"),), {"upper": upper, "check_errors": check_errors}
    ),
    grad_fn="LinalgCholeskyExBackward0", layout=matrices_column_major,
    vjp=lambda g, out, a, upper, check_errors: cholesky_vjp(g.L, out.L, a, upper),
    doc="The triangular L of `L @ L.T`, and 0 or the order of the first minor that is not positive (L, info).",
    blocking=MATRICES, domain=WELL_CONDITIONED, example=("cholesky_ex(A).L", "A:2"), cost=system_cost,
)
