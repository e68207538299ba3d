"""LU decompositions with exchanged rows, of a matrix or of each matrix of a batch, and systems solved with them."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_int, as_node
from gradcli.graph.infer import in_one_dtype
from gradcli.graph.native_forms import Dims
from gradcli.graph.node import Node, constant, make, make_results
from gradcli.graph.op import Blocking, Op, Params, Shape
from gradcli.ops.blocking import batch
from gradcli.ops.checked_systems import INT32, checked
from gradcli.ops.decompositions import decomposition_cost, matrices
from gradcli.ops.diagonal import tril, triu
from gradcli.ops.elementwise import detach
from gradcli.ops.family import call, composite, float_node, primitive
from gradcli.ops.kernels import substitution
from gradcli.ops.linalg import (
    MATRICES,
    WELL_CONDITIONED,
    column_major_from_left,
    matrices_column_major,
    square,
    system_infer,
)
from gradcli.ops.matmul import matmul
from gradcli.ops.shape import cat, m_t, narrow
from gradcli.ops.triangular import solved, system_cost

_ZERO_PIVOT = GradcliError(
    "the matrix is singular", hint="lu_factor_ex() and linalg_lu() take it all the same; it solves no system"
)


# Factors --------------------------------------------------------------------------------------------------------------


def unpacked(factors: Node, pivots: Node) -> Any:
    """The order of the rows, which has no derivative, and the two triangles."""
    params = {"unpack_data": True, "unpack_pivots": True}
    return _without_slope(lu_unpack, make_results(lu_unpack, (factors, pivots), params))


def _packed(lower: Node | None, upper: Node | None, shape: Shape) -> Node:
    """The gradient of the matrix that holds both triangles by those of the triangles."""
    rows, columns = shape[-2:]
    few = min(rows, columns)
    found: Any = 0
    if lower is not None:
        found = _widened(tril(lower, -1), -1, columns - few)
    if upper is not None:
        found = found + _widened(triu(upper), -2, rows - few)
    assert isinstance(found, Node)
    return found


def _widened(x: Node, dim: int, more: int) -> Node:
    if not more:
        return x
    shape = list(x.shape)
    shape[dim] = more
    return cat([x, call("zeros", tuple(shape), dtype=x.dtype)], dim)


def plu_pullback(gl: Node | None, gu: Node | None, p: Node, lower: Node, upper: Node) -> Node:
    """The gradient of `P @ L @ U` by those of its triangles."""
    rows, columns = lower.shape[-2], upper.shape[-1]
    few, last = min(rows, columns), lower.ndim - 1
    first = narrow(lower, last - 1, 0, few)
    square_upper = narrow(upper, last, 0, few)
    below: Any = 0 if gl is None else matmul(m_t(first), narrow(gl, last - 1, 0, few))
    above: Any = 0 if gu is None else matmul(narrow(gu, last, 0, few), m_t(square_upper))
    if columns > few and gu is not None:
        below = below - matmul(narrow(gu, last, few, columns), m_t(narrow(upper, last, few, columns)))
    if rows > few and gl is not None:
        above = above - matmul(m_t(narrow(lower, last - 1, few, rows)), narrow(gl, last - 1, few, rows))
    inner: Any = 0
    if isinstance(below, Node):
        inner = tril(below, -1)
    if isinstance(above, Node):
        inner = inner + triu(above)
    if columns > few:
        # L is square: what the columns on the right have to say goes through it alone.
        whole = solved(m_t(square_upper), inner, upper=False, left=False)
        rest = call("zeros", (*lower.shape[:-1], columns - few), dtype=lower.dtype) if gu is None else (
            narrow(gu, last, few, columns)
        )
        return matmul(p, solved(m_t(lower), cat([whole, rest], -1), upper=True, unit=True))
    whole = solved(m_t(first), inner, upper=True, unit=True)
    if rows > few:
        rest = call("zeros", (*upper.shape[:-2], rows - few, few), dtype=lower.dtype) if gl is None else (
            narrow(gl, last - 1, few, rows)
        )
        whole = cat([whole, rest], -2)
    return matmul(p, solved(m_t(square_upper), whole, upper=False, left=False))


def _lu_factor_kernel(a: Any, pivot: bool, check_errors: bool) -> Any:
    factors, pivots, info = substitution.lu_factor(a, pivot)
    return factors, pivots, checked(info, check_errors, _ZERO_PIVOT)


def _lu_factor_infer(inputs: tuple[Node, ...], params: Params) -> Any:
    a = inputs[0]
    return (a.shape, a.dtype), ((*a.shape[:-2], min(a.shape[-2:])), INT32), (a.shape[:-2], INT32)


def _lu_factor_vjp(g: Any, out: Any, a: Node, pivot: bool, check_errors: bool) -> tuple[Node]:
    rows, columns = a.shape[-2:]
    few = min(rows, columns)
    order, lower, upper = unpacked(out.LU, out.pivots)
    gl, gu = narrow(g.LU, a.ndim - 1, 0, few), narrow(g.LU, a.ndim - 2, 0, few)
    return (plu_pullback(gl, gu, order, lower, upper),)


def _factored(A: Any, name: str, pivot: bool, check_errors: bool) -> Any:
    return make_results(lu_factor_ex, (matrices(A, name),), {"pivot": pivot, "check_errors": check_errors})


lu_factor_ex: Op = primitive(
    "lu_factor_ex", _lu_factor_kernel, _lu_factor_infer, family="linalg", args="A, *, pivot=True, check_errors=False",
    build=lambda a, pivot, check_errors: _factored(a, "lu_factor_ex", pivot, check_errors),
    results=("LU", "pivots", "info"), vjp=_lu_factor_vjp, grad_fn="LinalgLuFactorExBackward0",
    layout=matrices_column_major, torch="linalg.lu_factor_ex", domain=WELL_CONDITIONED, blocking=MATRICES,
    cost=decomposition_cost,
    doc="Both triangles of an LU decomposition in one matrix, the row exchanges, and the position of a zero "
    "pivot (LU, pivots, info).",
    example=("lu_factor_ex(A).LU", "A:3x3"),
)
lu_factor: Op = composite(
    "lu_factor", lambda a, pivot: lu_factor.named(_factored(a, "lu_factor", pivot, True)[:2]), family="linalg",
    args="A, *, pivot=True", results=("LU", "pivots"), torch="linalg.lu_factor", domain=WELL_CONDITIONED,
    doc="Both triangles of an LU decomposition in one matrix, and the row exchanges (LU, pivots).",
    example=("lu_factor(A).LU", "A:3x3"),
)


def _lu(A: Any, pivot: bool, get_infos: bool) -> Any:
    found = _factored(A, "lu", pivot, False)
    return lu.named(found) if get_infos else lu_factor.named(found[:2])


lu: Op = composite(
    "lu", _lu, family="linalg", args="A, pivot=True, get_infos=False", results=("LU", "pivots", "infos"),
    doc="As lu_factor, for singular matrices, too; get_infos adds where they are; linalg_lu gives (P, L, U).",
    domain=WELL_CONDITIONED, example=("lu(A).LU", "A:3x3"),
)


# P, L and U -----------------------------------------------------------------------------------------------------------


def _plu_forms(a: Node, pivots: bool, factors: bool) -> Any:
    *batch, rows, columns = a.shape
    few = min(rows, columns)
    lower, upper = ((*batch, rows, few), (*batch, few, columns)) if factors else ((0,), (0,))
    return ((*batch, rows, rows) if pivots else (0,), a.dtype), (lower, a.dtype), (upper, a.dtype)


def _triangles(factors: Any) -> tuple[Any, Any]:
    few = min(factors.shape[-2:])
    lower = np.tril(factors[..., :few], -1)
    lower[..., np.arange(few), np.arange(few)] = 1
    return lower, np.triu(factors[..., :few, :])


def _linalg_lu_kernel(a: Any, pivot: bool) -> Any:
    factors, pivots, _ = substitution.lu_factor(a, pivot)
    order = substitution.permutation(pivots, a.shape[-2], a.dtype) if pivot else np.empty(0, a.dtype)
    return order, *_triangles(factors)


def _linalg_lu_vjp(g: Any, out: Any, a: Node, pivot: bool) -> tuple[Node]:
    order = detach(out.P) if pivot else call("eye", a.shape[-2], dtype=a.dtype)
    return (plu_pullback(g.L, g.U, order, out.L, out.U),)


def _without_slope(op: Op, found: Any) -> Any:
    """The order of the rows has none."""
    return op.named((detach(found.P), found.L, found.U))


def _linalg_lu(A: Any, pivot: bool) -> Any:
    return _without_slope(linalg_lu, make_results(linalg_lu, (matrices(A, "linalg_lu"),), {"pivot": pivot}))


linalg_lu: Op = primitive(
    "linalg_lu", _linalg_lu_kernel, lambda inputs, params: _plu_forms(inputs[0], params["pivot"], True),
    family="linalg", args="A, *, pivot=True", build=_linalg_lu, results=("P", "L", "U"), vjp=_linalg_lu_vjp,
    grad_fn="LinalgLuBackward0", torch="linalg.lu", domain=WELL_CONDITIONED,
    doc="The decomposition `A = P @ L @ U` into a permutation, a lower and an upper triangular matrix (P, L, U).",
    blocking=MATRICES, example=("linalg_lu(A).U", "A:3x3"), cost=decomposition_cost,
)


def _check_pivots(pivots: Any, order: int) -> None:
    if pivots.size and not ((pivots >= 1) & (pivots <= order)).all():
        raise GradcliError(f"pivots must lie between 1 and {order}, the number of rows", hint="lu_factor() gives them")


def _lu_unpack_kernel(factors: Any, pivots: Any, unpack_data: bool, unpack_pivots: bool) -> Any:
    _check_pivots(pivots, factors.shape[-2])
    empty = np.empty(0, factors.dtype)
    order = substitution.permutation(pivots, factors.shape[-2], factors.dtype) if unpack_pivots else empty
    return order, *(_triangles(factors) if unpack_data else (empty, empty))


def _whole_pivots(pivots: Any, factors: Node, name: str) -> Node:
    whole = isinstance(pivots, list | tuple) and all(isinstance(n, int) for n in pivots)
    node = constant(np.array([as_int(n, "pivots") for n in pivots], np.int64)) if whole else as_node(pivots)
    few = min(factors.shape[-2:])
    if node.dtype.kind not in "iu" or node.shape != (*factors.shape[:-2], few):
        raise SizeError(
            "{}() needs the pivots of {} as integers of shape {}, got {} of shape {}", name, factors.shape,
            (*factors.shape[:-2], few), str(node.dtype), node.shape, hint="lu_factor() gives them",
        )
    return node


def _lu_unpack(LU_data: Any, LU_pivots: Any, unpack_data: bool, unpack_pivots: bool) -> Any:
    factors = matrices(LU_data, "lu_unpack")
    inputs = factors, _whole_pivots(LU_pivots, factors, "lu_unpack")
    params = {"unpack_data": unpack_data, "unpack_pivots": unpack_pivots}
    return _without_slope(lu_unpack, make_results(lu_unpack, inputs, params))


def _lu_unpack_follow(node: Node, dim: int) -> Dims | None:
    # What is not unpacked is empty and has no batch.
    both = node.params["unpack_data"] and node.params["unpack_pivots"]
    return (dim, dim) if both and dim < node.ndim - 2 else None


lu_unpack: Op = primitive(
    "lu_unpack", _lu_unpack_kernel,
    lambda inputs, params: _plu_forms(inputs[0], params["unpack_pivots"], params["unpack_data"]), family="linalg",
    args="LU_data, LU_pivots, unpack_data=True, unpack_pivots=True", build=_lu_unpack, results=("P", "L", "U"),
    vjp=lambda g, out, factors, pivots, unpack_data, unpack_pivots: (_packed(g.L, g.U, factors.shape), None),
    grad_fn=lambda node: ("LuUnpackBackward0", node.inputs[:1]), domain=WELL_CONDITIONED,
    doc="P, L and U from the result of lu_factor.", blocking=Blocking(_lu_unpack_follow),
    example=("lu_unpack(LU_data, LU_pivots).U", "LU_data:2 LU_pivots:1:int64"), cost=system_cost,
)


# Systems --------------------------------------------------------------------------------------------------------------


def _lu_solve_kernel(factors: Any, pivots: Any, b: Any, left: bool, adjoint: bool) -> Any:
    _check_pivots(pivots, factors.shape[-1])
    return substitution.lu_solve(factors, pivots, b, left, adjoint)


def _lu_solve_vjp(g: Node, out: Node, factors: Node, pivots: Node, b: Node, left: bool, adjoint: bool) -> Any:
    """By the gradient of the matrix `P @ L @ U`, and from it of its triangles."""
    to_b = make(linalg_lu_solve, (factors, pivots, g), {"left": left, "adjoint": not adjoint})
    if not factors.requires_grad:
        return None, None, to_b
    x, y = (out, to_b) if left else (m_t(out), m_t(to_b))
    product = matmul(x, m_t(y)) if adjoint == left else matmul(y, m_t(x))
    order, lower, upper = unpacked(factors, pivots)
    turned = matmul(m_t(order), product)
    to_factors = tril(matmul(turned, m_t(upper)), -1) + triu(matmul(m_t(lower), turned))
    return -to_factors, None, to_b


def _linalg_lu_solve(LU: Any, pivots: Any, B: Any, left: bool, adjoint: bool, name: str = "linalg_lu_solve") -> Node:
    factors, b = in_one_dtype(square(LU, name), float_node(B, name))
    if b.ndim < 2 or b.shape[-2 if left else -1] != factors.shape[-1]:
        raise SizeError("shapes {} and {} do not fit for {}()", factors.shape, b.shape, name)
    inputs = factors, _whole_pivots(pivots, factors, name), b
    return make(linalg_lu_solve, inputs, {"left": left, "adjoint": adjoint})


linalg_lu_solve: Op = primitive(
    "linalg_lu_solve", _lu_solve_kernel, system_infer, family="linalg",
    args="LU, pivots, B, *, left=True, adjoint=False", build=_linalg_lu_solve, vjp=_lu_solve_vjp,
    grad_fn=lambda node: ("LinalgLuSolveBackward0", (node.inputs[0], node.inputs[2])), torch="linalg.lu_solve",
    doc="The X for which `A @ X = B` by the LU decomposition of A (`X @ A` with left=False, `A.T` with adjoint).",
    layout=column_major_from_left, domain=WELL_CONDITIONED,
    blocking=Blocking(batch(2, 1, 2)), cost=system_cost,
    example="LU:2 pivots:1:int64 B:2",
)
lu_solve = composite(
    "lu_solve", lambda b, factors, pivots: _linalg_lu_solve(factors, pivots, b, True, False, "lu_solve"),
    family="linalg", args="b, LU_data, LU_pivots", domain=WELL_CONDITIONED,
    doc="The X for which `A @ X = b` by the LU decomposition of A.",
    example="b:2 LU_data:2 LU_pivots:1:int64",
)
