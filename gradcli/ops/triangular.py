"""Systems with triangular matrices, and with matrices of which the Cholesky factor is known."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.errors import SizeError
from gradcli.graph.arguments import as_flag
from gradcli.graph.infer import broadcast_shapes, in_one_dtype
from gradcli.graph.node import Node, make, make_results
from gradcli.graph.op import Op, Params
from gradcli.ops.diagonal import tril, triu
from gradcli.ops.family import float_node, primitive
from gradcli.ops.kernels import substitution
from gradcli.ops.linalg import MATRICES, WELL_CONDITIONED, column_major, column_major_from_left, square, system_infer
from gradcli.ops.matmul import matmul
from gradcli.ops.shape import m_t


def system_cost(node: Node) -> float:
    """For each element of the solution."""
    return max(4.0, node.inputs[0].shape[-1] / 8)


def system(matrix: Any, sides: Any, name: str, left: bool = True) -> tuple[Node, Node]:
    """The matrices and right-hand sides of a row that takes no vectors."""
    a, b = in_one_dtype(square(matrix, name), float_node(sides, name))
    if b.ndim < 2:
        raise SizeError("{}() needs matrices on the right-hand side, got shape {}", name, b.shape)
    if b.shape[-2 if left else -1] != a.shape[-1]:
        found = b.shape[-2 if left else -1]
        raise SizeError(
            "shapes {} and {} do not fit for {}(): {} against {}", a.shape, b.shape, name, a.shape[-1], found,
            unequal=(a.shape[-1], found),
        )
    return a, b


# Triangles ------------------------------------------------------------------------------------------------------------


def solved(a: Node, b: Node, upper: bool, left: bool = True, unit: bool = False) -> Node:
    return make(solve_triangular, (a, b), {"upper": upper, "left": left, "unitriangular": unit})


def _triangle(x: Node, upper: bool, unit: bool) -> Node:
    return triu(x, int(unit)) if upper else tril(x, -int(unit))


def _solve_triangular_vjp(
    g: Node, out: Node, a: Node, b: Node, upper: bool, left: bool, unitriangular: bool
) -> tuple[Node | None, Node]:
    to_b = solved(m_t(a), g, not upper, left, unitriangular)
    if not a.requires_grad:
        return None, to_b
    product = matmul(to_b, m_t(out)) if left else matmul(m_t(out), to_b)
    return -_triangle(product, upper, unitriangular), to_b


def _solve_triangular(A: Any, B: Any, upper: Any, left: Any, unitriangular: Any) -> Node:
    a, b = system(A, B, "solve_triangular", left)
    return solved(a, b, as_flag(upper, "upper"), left, unitriangular)


solve_triangular: Op = primitive(
    "solve_triangular",
    lambda a, b, upper, left, unitriangular: substitution.solve_triangular(a, b, upper, left, unitriangular),
    system_infer, family="linalg", args="A, B, *, upper: flag, left=True, unitriangular=False",
    build=_solve_triangular, vjp=_solve_triangular_vjp, grad_fn="LinalgSolveTriangularBackward0",
    torch="linalg.solve_triangular",
    layout=column_major_from_left, domain=WELL_CONDITIONED,
    doc="The X for which `A @ X = B` (`X @ A = B` with left=False), where A is triangular; the other triangle "
    "is not read.",
    blocking=MATRICES, example=("solve_triangular(A, B, upper=True)", "A:2 B:2"), cost=system_cost,
)


def _triangular_solve_kernel(b: Any, a: Any, upper: bool, transpose: bool, unitriangular: bool) -> Any:
    matrix, triangle = (np.swapaxes(a, -1, -2), not upper) if transpose else (a, upper)
    solution = substitution.solve_triangular(matrix, b, triangle, True, unitriangular)
    return solution, np.broadcast_to(a, (*solution.shape[:-2], *a.shape[-2:])).copy()


def _triangular_solve_infer(inputs: tuple[Node, ...], params: Params) -> Any:
    b, a = inputs
    batch = broadcast_shapes([a.shape[:-2], b.shape[:-2]])
    return ((*batch, *b.shape[-2:]), b.dtype), ((*batch, *a.shape[-2:]), a.dtype)


def _triangular_solve_vjp(
    g: Any, out: Any, b: Node, a: Node, upper: bool, transpose: bool, unitriangular: bool
) -> tuple[Node | None, Node | None]:
    to_b, to_a = None, g.cloned_coefficient
    if g.solution is not None:
        to_b = solved(a if transpose else m_t(a), g.solution, upper == transpose, unit=unitriangular)
        product = matmul(out.solution, m_t(to_b)) if transpose else matmul(to_b, m_t(out.solution))
        product = _triangle(product, upper, unitriangular)
        to_a = -product if to_a is None else to_a - product
    return to_b, to_a


def _triangular_solve(b: Any, A: Any, upper: bool, transpose: bool, unitriangular: bool) -> Any:
    matrix, sides = system(A, b, "triangular_solve")
    params = {"upper": upper, "transpose": transpose, "unitriangular": unitriangular}
    return make_results(triangular_solve, (sides, matrix), params)


triangular_solve: Op = primitive(
    "triangular_solve", _triangular_solve_kernel, _triangular_solve_infer, family="linalg",
    args="b, A, upper=True, transpose=False, unitriangular=False", build=_triangular_solve,
    results=("solution", "cloned_coefficient"), vjp=_triangular_solve_vjp, domain=WELL_CONDITIONED,
    layout=column_major, blocking=MATRICES, cost=system_cost,
    doc="The X for which `A @ X = b`, where A is triangular, or its transpose; and A (solution, cloned_coefficient).",
    example=("triangular_solve(b, A).solution", "b:2 A:2"),
)


# Cholesky factors -----------------------------------------------------------------------------------------------------


def _cholesky_solve_kernel(b: Any, factor: Any, upper: bool) -> Any:
    flipped = np.swapaxes(factor, -1, -2)
    lower, other = (flipped, factor) if upper else (factor, flipped)
    return substitution.solve_triangular(other, substitution.solve_triangular(lower, b, False), True)


def _cholesky_solve_vjp(g: Node, out: Node, b: Node, factor: Node, upper: bool) -> tuple[Node, Node | None]:
    to_b = make(cholesky_solve, (g, factor), {"upper": upper})
    if not factor.requires_grad:
        return to_b, None
    product = matmul(to_b, m_t(out))
    both = product + m_t(product)
    # The other triangle of the factor has a gradient too, as in PyTorch, though it is not read.
    return to_b, -(matmul(factor, both) if upper else matmul(both, factor))


def _cholesky_solve(B: Any, L: Any, upper: bool) -> Node:
    factor, sides = system(L, B, "cholesky_solve")
    return make(cholesky_solve, (sides, factor), {"upper": upper})


def _cholesky_inverse_kernel(factor: Any, upper: bool) -> Any:
    unit = np.broadcast_to(np.eye(factor.shape[-1], dtype=factor.dtype), factor.shape)
    root = substitution.solve_triangular(factor, unit, upper)
    return root @ np.swapaxes(root, -1, -2) if upper else np.swapaxes(root, -1, -2) @ root


def _cholesky_inverse_vjp(g: Node, out: Node, factor: Node, upper: bool) -> tuple[Node]:
    both = matmul(out, matmul(g + m_t(g), out))
    return (-(matmul(factor, both) if upper else matmul(both, factor)),)


cholesky_solve: Op = primitive(
    "cholesky_solve", _cholesky_solve_kernel, lambda inputs, params: system_infer(inputs[::-1], params),
    family="linalg", args="B, L, upper=False", build=_cholesky_solve, vjp=_cholesky_solve_vjp, domain=WELL_CONDITIONED,
    layout=column_major, blocking=MATRICES, cost=system_cost,
    doc="The X for which `L @ L.T @ X = B` (`L.T @ L @ X = B` with upper), where L is triangular.",
    example="B:2 L:2",
)
cholesky_inverse: Op = primitive(
    "cholesky_inverse", _cholesky_inverse_kernel, family="linalg", args="L, upper=False",
    build=lambda factor, upper: make(cholesky_inverse, (square(factor, "cholesky_inverse"),), {"upper": upper}),
    vjp=_cholesky_inverse_vjp, domain=WELL_CONDITIONED, layout=column_major,
    doc="Inverse of `L @ L.T` (of `L.T @ L` with upper), where L is triangular.", blocking=MATRICES, cost=system_cost,
)
