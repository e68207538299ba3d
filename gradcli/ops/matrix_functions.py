"""The exponential of a matrix, pseudo-inverses and least squares, products of reflections, systems of tensors."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_choice, as_int, as_node, as_number
from gradcli.graph.dtypes import INT64
from gradcli.graph.infer import broadcast_shapes, cast, in_one_dtype
from gradcli.graph.node import Node, make, make_results
from gradcli.graph.op import Blocking, Op, Params, Shape
from gradcli.ops.decompositions import decomposition_cost, finite_only, matrices
from gradcli.ops.diagonal import diagonal, tril
from gradcli.ops.elementwise import detach
from gradcli.ops.family import call, composite, float_node, primitive
from gradcli.ops.formulas import arithmetic
from gradcli.ops.kernels import matrix_kernels as kernels
from gradcli.ops.linalg import MATRICES, WELL_CONDITIONED, column_major, inv, solve, square
from gradcli.ops.matmul import matmul
from gradcli.ops.reduce import sum_
from gradcli.ops.shape import cat, m_t, movedim, narrow, reshape, unsqueeze

# Exponential ----------------------------------------------------------------------------------------------------------


def _matrix_exp_vjp(g: Node, out: Node, a: Node) -> tuple[Node]:
    """The corner of the exponential of a matrix of four blocks, which is the derivative in a direction."""
    size, turned = a.shape[-1], m_t(a)
    below = call("zeros", a.shape, dtype=a.dtype)
    whole = matrix_exp(cat([cat([turned, g], -1), cat([below, turned], -1)], -2))
    return (narrow(narrow(whole, a.ndim - 2, 0, size), a.ndim - 1, size, 2 * size),)


matrix_exp: Op = primitive(
    "matrix_exp", kernels.matrix_exp, family="linalg", build=lambda a: make(matrix_exp, (square(a, "matrix_exp"),)),
    vjp=_matrix_exp_vjp, grad_fn="LinalgMatrixExpBackward0", torch="linalg.matrix_exp", domain=WELL_CONDITIONED,
    doc="Exponential of a square matrix.", blocking=MATRICES,
    cost=lambda node: max(16.0, 4.0 * node.shape[-1]), words=("expm",),
)


# Pseudo-inverse -------------------------------------------------------------------------------------------------------


def _smallest(values: Any, a: Any, atol: Any, rtol: Any) -> Any:
    """What singular values must exceed, by PyTorch's rule, for each matrix."""
    if rtol is None:
        usual = max(a.shape[-2:]) * np.finfo(a.dtype).eps
        rtol = usual if atol is None else np.where(np.asarray(atol) > 0, 0, usual)
    largest = values.max(-1, initial=0)
    return np.maximum(0 if atol is None else atol, rtol * largest)[..., None]


def _pinv_kernel(a: Any, *bounds: Any, hermitian: bool, atol: float | None = None, rtol: float | None = None) -> Any:
    atol, rtol = bounds or (atol, rtol)

    def computed(a: Any) -> tuple[Any]:
        if hermitian:
            values, v = np.linalg.eigh(a)
            u, s, right = v * np.where(values < 0, -1, 1)[..., None, :], np.abs(values), v
        else:
            u, s, vh = np.linalg.svd(a, full_matrices=False)
            right = np.swapaxes(vh, -1, -2)
        kept = s > _smallest(s, a, atol, rtol)
        reciprocal = np.divide(1, s, out=np.zeros_like(s), where=kept)
        return ((right * reciprocal[..., None, :]) @ np.swapaxes(u, -1, -2),)

    return finite_only(computed, (2,))(a)[0].astype(a.dtype, copy=False)


def _pinv_infer(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    a = inputs[0]
    return (*a.shape[:-2], a.shape[-1], a.shape[-2]), a.dtype


def pinv_pullback(g: Node, out: Node, a: Node) -> Node:
    """Golub and Pereyra's derivative; what is not full of rank keeps its rank."""
    back, turned = m_t(out), m_t(g)
    if a.shape[-2] <= a.shape[-1]:
        inner = matmul(turned, out)
        across = matmul(inner, back)
        rest = matmul(matmul(back, out), turned - matmul(inner, a))
        return across - matmul(matmul(a, out), across) + rest - m_t(matmul(out, inner))
    inner = matmul(out, turned)
    across = matmul(back, inner)
    rest = matmul(matmul(turned - matmul(a, inner), out), back)
    return rest + across - matmul(matmul(across, out), a) - m_t(matmul(inner, out))


def check_bound(bound: Node, a: Node, name: str) -> None:
    if broadcast_shapes([bound.shape, a.shape[:-2]]) != a.shape[:-2]:
        raise SizeError("{}() takes one bound for each matrix of {}, got shape {}", name, a.shape, bound.shape)


def _pinv(A: Any, atol: Any, rtol: Any, hermitian: bool, name: str = "pinv") -> Node:
    a = square(A, name) if hermitian else matrices(A, name)
    if any(isinstance(b, Node | np.ndarray | list | tuple) for b in (atol, rtol)):
        bounds = [cast(as_node(0.0 if b is None else b), a.dtype) for b in (atol, rtol)]
        if rtol is None:
            usual = max(a.shape[-2:]) * float(np.finfo(a.dtype).eps)
            bounds[1] = call("where", bounds[0] > 0, 0.0, cast(as_node(usual), a.dtype))
        for bound in bounds:
            check_bound(bound, a, name)
        return make(pinv_within, (a, *map(detach, bounds)), {"hermitian": hermitian})
    params = {k: None if v is None else as_number(v, k) for k, v in (("atol", atol), ("rtol", rtol))}
    return make(pinv, (a,), {**params, "hermitian": hermitian})


pinv: Op = primitive(
    "pinv", _pinv_kernel, _pinv_infer, family="linalg",
    args="A, *, atol: bound=None, rtol: bound=None, hermitian=False", build=_pinv,
    vjp=lambda g, out, a, **params: (pinv_pullback(g, out, a),), grad_fn="LinalgPinvBackward0", torch="linalg.pinv",
    domain=WELL_CONDITIONED, doc="Pseudo-inverse: singular values up to max(atol, rtol*the largest) count as 0.",
    blocking=MATRICES, example="A:2", cost=decomposition_cost, words=("pseudoinverse",),
)
pinv_within: Op = primitive(
    "_pinv_within", _pinv_kernel, _pinv_infer, family="linalg", args="A, atol, rtol, hermitian=False",
    vjp=lambda g, out, a, atol, rtol, hermitian: (pinv_pullback(g, out, a), None, None),
    grad_fn=lambda node: ("LinalgPinvBackward0", node.inputs[:1]), doc="pinv with tensors as bounds.",
    formula=arithmetic.none("pinv() with a tensor as its bound has no formula", "give the bound as a number"),
    cost=decomposition_cost,
)
pinverse = composite(
    "pinverse", lambda a, rcond: _pinv(a, None, rcond, False, "pinverse"), family="linalg", args="input, rcond=1e-15",
    domain=WELL_CONDITIONED, doc="Pseudo-inverse: singular values up to rcond times the largest count as 0.",
)


# Least squares --------------------------------------------------------------------------------------------------------


def _lstsq_kernel(a: Any, b: Any, vector: bool, rcond: float | None, driver: str) -> Any:
    sides = b[..., None] if vector else b
    finite = np.isfinite(a).all((-2, -1))[..., None]
    u, s, vh = np.linalg.svd(np.where(finite[..., None], a, 0), full_matrices=False)
    s = np.where(finite, s, a.dtype.type(np.nan))
    kept = ~(s <= _smallest(s, a, None, rcond))
    reciprocal = np.where(kept, 1 / s, 0).astype(a.dtype)
    x = np.swapaxes(vh, -1, -2) @ (reciprocal[..., None] * (np.swapaxes(u, -1, -2) @ sides))
    left_over = np.add.reduce((a @ x - sides) ** 2, axis=-2)
    whole = driver != "gels"
    return (
        x[..., 0] if vector else x,
        left_over if _has_residuals(a.shape, driver) else np.empty(0, a.dtype),
        kept.sum(-1, dtype=np.int64) if whole else np.empty(0, np.int64),
        s if driver in ("gelss", "gelsd") else np.empty(0, a.dtype),
    )


def _has_residuals(shape: Shape, driver: str) -> bool:
    return shape[-2] > shape[-1] and driver != "gelsy"


def _lstsq_infer(inputs: tuple[Node, ...], params: Params) -> Any:
    a, b = inputs
    driver, vector = params["driver"], params["vector"]
    batch = broadcast_shapes([a.shape[:-2], b.shape[: b.ndim - (1 if vector else 2)]])
    sides = () if vector else b.shape[-1:]
    return (
        ((*batch, a.shape[-1], *sides), a.dtype),
        ((*batch, *(sides or (1,))) if _has_residuals(a.shape, driver) else (0,), a.dtype),
        (a.shape[:-2] if driver != "gels" else (0,), INT64),
        ((*a.shape[:-2], min(a.shape[-2:])) if driver in ("gelss", "gelsd") else (0,), a.dtype),
    )


def _lstsq_vjp(g: Any, out: Any, a: Node, b: Node, vector: bool, rcond: float | None, driver: str) -> Any:
    sides, x = (unsqueeze(b, -1), unsqueeze(out.solution, -1)) if vector else (b, out.solution)
    to_a, to_b = None, None
    if g.solution is not None:
        gx = unsqueeze(g.solution, -1) if vector else g.solution
        inverse = make(pinv, (a,), {"atol": None, "rtol": rcond, "hermitian": False})
        to_a = pinv_pullback(matmul(gx, m_t(sides)), inverse, a)
        to_b = matmul(m_t(inverse), gx)
    if g.residuals is not None and _has_residuals(a.shape, driver):
        error = (matmul(a, x) - sides) * unsqueeze(g.residuals, -2) * 2
        more = matmul(error, m_t(x))
        to_a, to_b = (more if to_a is None else to_a + more), (-error if to_b is None else to_b - error)
    return to_a, to_b if not vector or to_b is None else sum_(to_b, -1)


def _lstsq(A: Any, B: Any, rcond: Any, driver: Any) -> Any:
    a, b = in_one_dtype(matrices(A, "lstsq"), float_node(B, "lstsq"))
    vector = b.ndim == 1 or b.shape == a.shape[:-1]
    if not b.ndim or b.shape[-1 if vector else -2] != a.shape[-2]:
        raise SizeError("shapes {} and {} do not fit for lstsq(), which finds X with A @ X near B", a.shape, b.shape)
    chosen = "gelsy" if driver is None else as_choice(driver, "driver", ("gels", "gelsy", "gelsd", "gelss"))
    params = {"vector": vector, "rcond": None if rcond is None else as_number(rcond, "rcond"), "driver": chosen}
    found = make_results(lstsq, (a, b), params)
    return lstsq.named((*found[:3], detach(found.singular_values)))


lstsq: Op = primitive(
    "lstsq", _lstsq_kernel, _lstsq_infer, family="linalg", args="A, B, rcond: number=None, *, driver: driver='gelsy'",
    build=_lstsq, results=("solution", "residuals", "rank", "singular_values"), vjp=_lstsq_vjp, torch="linalg.lstsq",
    grad_fn="LinalgLstsqBackward0", domain=WELL_CONDITIONED,
    doc="The X of least norm for which `A @ X` is nearest to B (solution, residuals, rank, singular_values).",
    example=("lstsq(A, B).solution", "A:2 B:2"), cost=decomposition_cost,
)


# Products of reflections ----------------------------------------------------------------------------------------------


def _reflectors(a: Node, count: int) -> Node:
    """The vectors of the reflections as columns: what is below the diagonal, and ones on it."""
    v = tril(narrow(a, a.ndim - 1, 0, count), -1)
    return v + call("eye", a.shape[-2], count, dtype=a.dtype)


def _reflection_pullback(left: Node, right: Node, a: Node, tau: Node) -> tuple[Node | None, Node | None]:
    """The gradients of `P = H_1 H_2 ...` by its vectors and factors, where that of P is `left @ right.mT`.

    P is `1 - V T V^T` with `T = (1 + D S)^-1 D`, D the factors and S what is above the diagonal of `V^T V`.
    """
    count = tau.shape[-1]
    if not tau.size:
        return None, None
    v, unit = _reflectors(a, count), call("eye", count, dtype=a.dtype)
    above, factors = call("triu", matmul(m_t(v), v), 1), unsqueeze(tau, -1)
    system = unit + factors * above
    t = call("solve_triangular", system, factors * unit, upper=True, unitriangular=True)
    one, two = matmul(m_t(v), left), matmul(m_t(v), right)
    to_t = -matmul(one, m_t(two))
    to_v = -(matmul(left, m_t(matmul(t, two))) + matmul(right, m_t(matmul(m_t(t), one))))
    inner = call("solve_triangular", m_t(system), to_t, upper=False, unitriangular=True)
    to_system = call("triu", -matmul(inner, m_t(t)), 1)
    to_tau = sum_(to_system * above, -1) + sum_(inner * unit, -1)
    to_above = factors * to_system
    to_v = to_v + matmul(v, to_above + m_t(to_above))
    below, rest = tril(to_v, -1), a.shape[-1] - count
    if rest:
        below = cat([below, call("zeros", (*below.shape[:-1], rest), dtype=a.dtype)], -1)
    return below, to_tau


def _householder_kernel(a: Any, tau: Any) -> Any:
    unit = np.broadcast_to(np.eye(*a.shape[-2:], dtype=a.dtype), a.shape)
    return kernels.reflect(a, tau, unit, False)


def _reflections(A: Any, tau: Any, name: str) -> list[Node]:
    a, factors = matrices(A, name), float_node(tau, name)
    if factors.ndim != a.ndim - 1 or factors.shape[:-1] != a.shape[:-2] or factors.shape[-1] > min(a.shape[-2:]):
        raise SizeError("shapes {} and {} do not fit for {}()", a.shape, factors.shape, name)
    return in_one_dtype(a, factors)


def _householder_product(A: Any, tau: Any) -> Node:
    a, factors = _reflections(A, tau, "householder_product")
    if a.shape[-2] < a.shape[-1]:
        raise SizeError("householder_product() needs no fewer rows than columns, got shape {}", a.shape)
    return make(householder_product, (a, factors))


def _ormqr_kernel(a: Any, tau: Any, c: Any, left: bool, transpose: bool) -> Any:
    if left:
        return kernels.reflect(a, tau, c, transpose)
    return np.swapaxes(kernels.reflect(a, tau, np.swapaxes(c, -1, -2), not transpose), -1, -2)


def _ormqr_vjp(
    g: Node, out: Node, a: Node, tau: Node, c: Node, left: bool, transpose: bool
) -> tuple[Node | None, Node | None, Node]:
    to_c = make(ormqr, (a, tau, g), {"left": left, "transpose": not transpose})
    if not a.requires_grad and not tau.requires_grad:
        return None, None, to_c
    one, two = (g, c) if left else (m_t(c), m_t(g))
    return *_reflection_pullback(*((two, one) if transpose else (one, two)), a, tau), to_c


def _ormqr(input: Any, tau: Any, other: Any, left: bool, transpose: bool) -> Node:
    a, factors = _reflections(input, tau, "ormqr")
    c = matrices(other, "ormqr")
    if c.shape[:-2] != a.shape[:-2] or c.shape[-2 if left else -1] != a.shape[-2]:
        raise SizeError("shapes {} and {} do not fit for ormqr()", a.shape, c.shape)
    return make(ormqr, tuple(in_one_dtype(a, factors, c)), {"left": left, "transpose": transpose})


def _reflected_follow(node: Node, dim: int) -> Any:
    return (dim,) * len(node.inputs) if dim < node.ndim - 2 else None


householder_product: Op = primitive(
    "householder_product", _householder_kernel, family="linalg", args="A, tau: tensor", aliases=("orgqr",),
    build=_householder_product,
    vjp=lambda g, out, a, tau: _reflection_pullback(g, call("eye", *a.shape[-2:], dtype=a.dtype), a, tau),
    grad_fn="LinalgHouseholderProductBackward0", torch="linalg.householder_product", layout=column_major,
    domain=WELL_CONDITIONED,
    doc="The first columns of a product of Householder reflections, given by the elements below the diagonal "
    "and their factors.",
    blocking=Blocking(_reflected_follow), cost=decomposition_cost,
    example="A:3x2 tau:2x",
)
ormqr: Op = primitive(
    "ormqr", _ormqr_kernel, lambda inputs, params: (inputs[2].shape, inputs[2].dtype), family="linalg",
    args="input, tau: tensor, other, left=True, transpose=False", build=_ormqr, vjp=_ormqr_vjp, domain=WELL_CONDITIONED,
    layout=column_major,
    doc="A product of reflections, given as for householder_product, times a matrix.",
    blocking=Blocking(_reflected_follow), example="input:3x2 tau:2x other:3x3", cost=decomposition_cost,
)


# Systems of tensors ---------------------------------------------------------------------------------------------------


def _tensorsolve(A: Any, B: Any, dims: Any) -> Node:
    a, b = float_node(A, "tensorsolve"), float_node(B, "tensorsolve")
    if dims is not None:
        moved = list(dims) if isinstance(dims, list | tuple) else [dims]
        a = movedim(a, moved, list(range(a.ndim - len(moved), a.ndim)))
    shape = a.shape[b.ndim :]
    if math.prod(shape) != b.size or math.prod(a.shape[: b.ndim]) != b.size:
        raise SizeError("shapes {} and {} do not fit for tensorsolve()", a.shape, b.shape)
    return reshape(solve(reshape(a, (b.size, b.size)), reshape(b, (b.size,))), shape)


def _tensorinv(A: Any, ind: Any) -> Node:
    a, count = float_node(A, "tensorinv"), as_int(ind, "ind")
    if count <= 0:
        raise GradcliError(f"ind must be positive, got {count}", argument="ind")
    front, back = a.shape[:count], a.shape[count:]
    if math.prod(front) != math.prod(back):
        hint = "its first and last dimensions must have as many elements"
        raise SizeError("tensorinv() with ind={} cannot invert a tensor of shape {}", count, a.shape, hint=hint)
    return reshape(inv(reshape(a, (math.prod(front), math.prod(back)))), (*back, *front))


linalg_diagonal = composite(
    "linalg_diagonal", lambda a, offset, dim1, dim2: diagonal(a, offset, dim1, dim2), family="diagonal",
    args="A, *, offset=0, dim1=-2, dim2=-1", torch="linalg.diagonal",
    doc="The diagonals of the matrices along two dimensions, the last ones unless given.",
    example="A:2",
)
tensorsolve = composite(
    "tensorsolve", _tensorsolve, family="linalg", args="A, B, dims: dims=None", torch="linalg.tensorsolve",
    domain=WELL_CONDITIONED, doc="The X for which `tensordot(A, X, X.ndim)` is B.",
    example="A:2x2 B:2x", numpy="linalg.tensorsolve",
)
tensorinv = composite(
    "tensorinv", _tensorinv, family="linalg", args="A, ind: int=2", torch="linalg.tensorinv", domain=WELL_CONDITIONED,
    doc="The inverse for tensordot: its first dimensions are the last ones of A, from ind on.",
    example=("tensorinv(A, 1)", "A:2"), numpy="linalg.tensorinv",
)
