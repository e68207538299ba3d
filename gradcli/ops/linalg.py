"""Inverses, determinants, linear systems and the Cholesky factor, of a matrix or of each matrix of a batch."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph import layout
from gradcli.graph.infer import broadcast_shapes, in_one_dtype
from gradcli.graph.node import CONSTANT, RESULT, Node, make, make_results
from gradcli.graph.op import Blocking, Op, Params, Shape
from gradcli.ops import minors
from gradcli.ops.batched_products import SOLUTION
from gradcli.ops.blocking import batch
from gradcli.ops.diagonal import tril
from gradcli.ops.elementwise import eq, where
from gradcli.ops.family import composite, float_node, primitive
from gradcli.ops.formulas import arithmetic
from gradcli.ops.matmul import matmul
from gradcli.ops.notation import numpy_sources, spelling, typeset
from gradcli.ops.shape import m_t, reshape, unsqueeze

WELL_CONDITIONED = (-1.0, 1.0)

_DIVERGED = GradcliError("the decomposition of a matrix did not converge")
SINGULAR = GradcliError("the matrix is singular", hint="its determinant is 0, so that it has no inverse")


def square(value: Any, name: str) -> Node:
    """A tensor argument that holds square matrices of floating-point numbers."""
    x = float_node(value, name)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise SizeError("{}() needs a square matrix or a batch of them, got shape {}", name, x.shape)
    return x


def in_lapack(
    kernel: Callable[..., Any], result_ndim: int | None = None, failure: GradcliError = _DIVERGED
) -> Callable[..., Any]:
    """What LAPACK refuses is an error: a decomposition that does not converge, unless it is another `failure`.

    With `result_ndim`, the number of dimensions of the result for one matrix, a matrix that holds NaN gives NaN;
    LAPACK may take it for a singular one.
    """

    def wrapped(*arrays: Any, **params: Any) -> Any:
        dtype = arrays[0].dtype
        undefined = np.isnan(arrays[0]).any((-2, -1)) if result_ndim is not None else None
        try:
            if undefined is None or not undefined.any():
                return kernel(*arrays, **params).astype(dtype, copy=False)
            some = np.where(undefined[..., None, None], np.eye(arrays[0].shape[-1], dtype=arrays[0].dtype), arrays[0])
            result = kernel(some, *arrays[1:], **params).astype(dtype, copy=False)
        except np.linalg.LinAlgError:
            raise GradcliError(failure.message, hint=failure.hint) from None
        ndim = 1 if params.get("vector") else result_ndim or 0
        return np.where(undefined.reshape((*undefined.shape, *(1,) * ndim)), dtype.type(np.nan), result)

    return wrapped


MATRICES = Blocking(batch(2))


def _batch(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    return inputs[0].shape[:-2], inputs[0].dtype


def column_major(inputs: tuple[Node, ...], params: Params, shape: Shape) -> Shape | None:
    """LAPACK's layout, in which PyTorch leaves matrices that come from it."""
    if len(shape) < 2:
        return None
    rows, columns = shape[-2:]
    batch = layout.contiguous((*shape[:-2], rows * columns))[:-1]
    return layout.normalize(shape, (*batch, 1, max(rows, 1)))


def column_major_from_left(inputs: tuple[Node, ...], params: Params, shape: Shape) -> Shape | None:
    return column_major(inputs, params, shape) if params["left"] else None


def matrices_column_major(inputs: tuple[Node, ...], params: Params, shape: Shape) -> Shape | None:
    """That layout of those results that are matrices as the operand is."""
    return column_major(inputs, params, shape) if len(shape) == inputs[0].ndim else None


def _cost(node: Node) -> float:
    """For each element of the matrices that are taken apart."""
    return max(4.0, node.inputs[0].shape[-1] / 4)


# Inverse --------------------------------------------------------------------------------------------------------------


def _limit_kernel(a: Any) -> Any:
    """Inverses, with the infinities (and 0/0) that cofactors over a zero determinant give for singular matrices."""
    try:
        return np.linalg.inv(a)
    except np.linalg.LinAlgError:
        pass
    result = np.empty_like(a)
    for place in np.ndindex(a.shape[:-2]):
        try:
            result[place] = np.linalg.inv(a[place])
        except np.linalg.LinAlgError:
            result[place] = cofactors(a[place]).T / np.linalg.det(a[place])
    return result


def inverse_vjp(g: Node, out: Node, a: Node) -> tuple[Node]:
    back = m_t(out)
    return (-matmul(back, matmul(g, back)),)


inv: Op = primitive(
    "inv", in_lapack(np.linalg.inv, 2, SINGULAR), family="linalg", aliases=("inverse",), torch="linalg.inv",
    build=lambda input: make(inv, (square(input, "inv"),), {}), grad_fn="LinalgInvExBackward0", layout=column_major,
    vjp=inverse_vjp, domain=WELL_CONDITIONED, doc="Inverse of a square matrix.", blocking=MATRICES,
    latex=typeset.inverse, letter="M", numpy="linalg.inv", cost=_cost,
)
# What the derivative of log|det| is made of: at a singular matrix it is infinite and no error.
inverse_limit: Op = primitive(
    "_inverse_limit", in_lapack(_limit_kernel, 2), family="linalg", vjp=inverse_vjp, layout=column_major,
    grad_fn="LinalgInvExBackward0", doc="Inverse, infinite where the matrix is singular.", blocking=MATRICES,
    formula=arithmetic.call_named("inv"), cost=_cost,
)


# Determinant. Its derivatives are polynomials in the elements, so they exist at singular matrices as well: they are
# computed in the basis of the singular vectors, where they are products of singular values, and nothing small is
# divided by.


def _svd(a: Any) -> tuple[Any, Any, Any, Any]:
    """Singular vectors and values (both bases as columns), and the sign that the bases contribute to a determinant."""
    finite = np.isfinite(a).all((-2, -1))
    u, s, vt = np.linalg.svd(np.where(finite[..., None, None], a, 0))
    s = np.where(finite[..., None], s, s.dtype.type(np.nan))
    sign = np.linalg.det(u) * np.linalg.det(vt)
    return u, s, np.swapaxes(vt, -1, -2), np.rint(sign)[..., None, None]


def _products_without_pairs(s: Any) -> Any:
    """For each i and k the product of all values but those two; on the diagonal, of all but the one."""
    n = s.shape[-1]
    one = np.ones_like(s[..., :1])
    head = np.concatenate([one, np.multiply.accumulate(s, axis=-1)[..., :-1]], -1)
    tail = np.flip(np.concatenate([one, np.multiply.accumulate(np.flip(s, -1), axis=-1)[..., :-1]], -1), -1)
    # between[i, k]: what lies strictly between the two, for i < k.
    later = np.arange(n)[:, None] < np.arange(n)
    running = np.multiply.accumulate(np.where(later, s[..., None, :], one[..., None]), axis=-1)
    between = np.concatenate([np.ones_like(running[..., :1]), running[..., :-1]], -1)
    upper = np.where(later, head[..., :, None] * between * tail[..., None, :], 0)
    result = upper + np.swapaxes(upper, -1, -2)
    result[..., np.arange(n), np.arange(n)] = head * tail
    return result


def cofactors(a: Any) -> Any:
    """The gradient of the determinant."""
    if not a.size:
        return a
    u, s, v, sign = _svd(a)
    others = np.diagonal(_products_without_pairs(s), 0, -2, -1)
    return (sign * (u * others[..., None, :]) @ np.swapaxes(v, -1, -2)).astype(a.dtype)


def _cofactor_kernel(a: Any) -> Any:
    """By the inverse, which is many times faster, wherever it is safe."""
    try:
        inverse = np.linalg.inv(a)
    except np.linalg.LinAlgError:
        return cofactors(a)
    size = np.abs(a).sum((-2, -1)) * np.abs(inverse).sum((-2, -1))
    determinant = np.linalg.det(a)[..., None, None]
    if not np.all(size * np.sqrt(np.finfo(a.dtype).eps) < 1) or not np.isfinite(determinant).all():
        return cofactors(a)
    return determinant * np.swapaxes(inverse, -1, -2)


def _cofactor_slope_kernel(a: Any, h: Any) -> Any:
    """The derivative of the cofactors in the direction `h`: the second derivative of the determinant."""
    if not a.size:
        return a
    u, s, v, sign = _svd(a)
    n = a.shape[-1]
    pairs = _products_without_pairs(s)
    pairs[..., np.arange(n), np.arange(n)] = 0
    turned = np.swapaxes(u, -1, -2) @ h @ v
    result = -pairs * np.swapaxes(turned, -1, -2)
    diagonal = np.diagonal(turned, 0, -2, -1)
    result[..., np.arange(n), np.arange(n)] = (pairs @ diagonal[..., None])[..., 0]
    return (sign * (u @ result @ np.swapaxes(v, -1, -2))).astype(a.dtype)


def _spread(x: Node) -> Node:
    """Numbers, one for each matrix of a batch, as matrices of one element."""
    return reshape(x, (*x.shape, 1, 1))


def _cofactor_slopes_kernel(a: Any, *directions: Any) -> Any:
    """The derivative of the cofactors in several directions, one after the other."""
    result = np.empty_like(a)
    wide = [x.astype(np.float64) for x in (a, *directions)]
    for place in np.ndindex(a.shape[:-2]) if a.size else ():
        matrix, *along = (x[place] for x in wide)
        result[place] = minors.slopes(along, _svd(matrix))
    return result


def _cofactor_slopes_vjp(g: Node, out: Node, a: Node, *directions: Node) -> tuple[Node, ...]:
    """A derivative along one more direction; a symmetric one, so that g may stand for any of them."""
    others = [directions[:k] + directions[k + 1 :] for k in range(len(directions))]
    return make(cofactor_slopes, (a, *directions, g), {}), *(make(cofactor_slopes, (a, *o, g), {}) for o in others)


det: Op = primitive(
    "det", in_lapack(np.linalg.det, 0), _batch, family="linalg", grad_fn="LinalgDetBackward0", torch="linalg.det",
    build=lambda input: make(det, (square(input, "det"),), {}), domain=WELL_CONDITIONED,
    vjp=lambda g, out, a: (_spread(g) * make(cofactor, (a,), {}),),
    words=("determinant",),
    doc="Determinant of a square matrix.",
    blocking=MATRICES, textbook=lambda g, out, a: (_spread(g * out) * m_t(inv(a)),), latex=typeset.scalar(r"\det"),
    numpy="linalg.det", cost=_cost,
)
_NO_COFACTORS = arithmetic.none("there is no short formula for this derivative of a determinant")
cofactor: Op = primitive(
    "_cofactor", in_lapack(_cofactor_kernel), family="linalg", grad_fn="MulBackward0",
    # The second derivative of a function is symmetric: its transpose is itself.
    vjp=lambda g, out, a: (make(cofactor_slope, (a, g), {}),), doc="Cofactors of a square matrix.", blocking=MATRICES,
    formula=_NO_COFACTORS, cost=_cost,
)
cofactor_slope: Op = primitive(
    "_cofactor_slope", in_lapack(_cofactor_slope_kernel), family="linalg", args="input, direction",
    grad_fn="MulBackward0",
    vjp=lambda g, out, a, h: (make(cofactor_slopes, (a, h, g), {}), make(cofactor_slope, (a, g), {})),
    doc="Derivative of the cofactors in a direction.", blocking=MATRICES, formula=_NO_COFACTORS, cost=_cost,
)
cofactor_slopes: Op = primitive(
    "_cofactor_slopes", in_lapack(_cofactor_slopes_kernel), family="linalg", args="input, *directions",
    grad_fn="MulBackward0", vjp=_cofactor_slopes_vjp, doc="Derivative of the cofactors in several directions.",
    blocking=MATRICES, formula=_NO_COFACTORS, cost=_cost,
)


# Logarithm of the determinant -----------------------------------------------------------------------------------------


def _slogdet_kernel(a: Any) -> Any:
    sign, logarithm = np.linalg.slogdet(a)
    # LAPACK may take NaN for a zero; the sign of an undefined determinant is 0, as in PyTorch.
    logarithm = np.where(np.isnan(a).any((-2, -1)), a.dtype.type(np.nan), logarithm)
    return np.where(np.isnan(logarithm), a.dtype.type(0), sign), logarithm


slogdet: Op = primitive(
    "slogdet", _slogdet_kernel, lambda inputs, params: (_batch(inputs, params),) * 2, family="linalg",
    results=("sign", "logabsdet"), build=lambda input: make_results(slogdet, (square(input, "slogdet"),)),
    grad_fn="LinalgSlogdetBackward0",
    # The sign has no slope. No zero either: the logarithm's infinite slope would make it NaN.
    vjp=lambda g, out, a: (None if g.logabsdet is None else _spread(g.logabsdet) * m_t(make(inverse_limit, (a,), {})),),
    torch="linalg.slogdet", domain=WELL_CONDITIONED,
    doc="The pair (sign, logabsdet) of the determinant, without its overflow; 0 and -inf for a singular matrix.",
    blocking=MATRICES, latex=typeset.signed_determinant, example=("slogdet(input).logabsdet", "input:2"),
    numpy="linalg.slogdet", cost=_cost,
)


def _logdet(input: Any) -> Node:
    sign, logarithm = slogdet(square(input, "logdet"))
    return where(eq(sign, -1), float("nan"), logarithm)


def _log_size_textbook(g: Node, out: Node, a: Node) -> tuple[Node]:
    return (_spread(g) * m_t(inv(a)),)


# For graphs that become formulas: the logarithm of the determinant's size and that of the determinant in one operation.
_log_size: Op = replace(
    det, vjp=_log_size_textbook, textbook=None, formula=arithmetic.call_named("slogdet.logabsdet")
)
_log_det: Op = replace(det, vjp=_log_size_textbook, textbook=None, formula=arithmetic.call_named("logdet"))


def logarithm_of_determinant(node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """The node of such an operation for one that ends its usual steps; `inputs` have been gone through already."""
    if node.op is RESULT and inputs[0].op is slogdet and node.params["index"] == slogdet.results.index("logabsdet"):
        return make(_log_size, inputs[0].inputs)
    if node.op is not where or inputs[2].op is not _log_size:
        return None
    condition, undefined = inputs[:2]
    if condition.op is not eq or condition.inputs[0].op is not RESULT or undefined.op is not CONSTANT:
        return None
    return make(_log_det, inputs[2].inputs) if np.isnan(undefined.params["value"]).all() else None


logdet = composite(
    "logdet", _logdet, family="linalg", domain=WELL_CONDITIONED,
    doc="Logarithm of the determinant: -inf for a singular matrix, NaN where the determinant is negative.",
    latex=typeset.scalar(r"\log\det"), source=numpy_sources.LOG_DET,
)


# Linear systems -------------------------------------------------------------------------------------------------------


def solve_kernel(a: Any, b: Any, vector: bool, left: bool) -> Any:
    if vector:
        return np.linalg.solve(a, b[..., None])[..., 0]
    if left:
        return np.linalg.solve(a, b)
    return np.swapaxes(np.linalg.solve(np.swapaxes(a, -1, -2), np.swapaxes(b, -1, -2)), -1, -2)


def system_infer(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    """Matrices and what they are divided into, the first and the last operand, whose batches broadcast."""
    a, b = inputs[0], inputs[-1]
    return (*broadcast_shapes([a.shape[:-2], b.shape[:-2]]), *b.shape[-2:]), b.dtype


def solve_infer(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    a, b = inputs
    if params["vector"]:
        return (*broadcast_shapes([a.shape[:-2], b.shape[:-1]]), b.shape[-1]), b.dtype
    return system_infer(inputs, params)


def _solution(a: Node, b: Node, vector: bool = False, left: bool = True) -> Node:
    return make(solve, (a, b), {"vector": vector, "left": left})


def solve_operands(A: Any, B: Any, left: bool, name: str) -> tuple[Node, Node, bool]:
    """The matrices and right-hand sides of linear systems, and whether the latter are vectors."""
    a, b = in_one_dtype(square(A, name), float_node(B, name))
    # PyTorch's rule: a batch of vectors is one whose shape is that of the matrices without their last dimension.
    vector = b.ndim == 1 or b.shape == a.shape[:-1]
    side = (-1 if vector else -2) if left else -1
    if not b.ndim or b.shape[side] != a.shape[-1]:
        found = b.shape[side] if b.ndim else "a number"
        raise SizeError(
            "shapes {} and {} do not fit for {}(): {} against {}", a.shape, b.shape, name, a.shape[-1], found,
            unequal=(a.shape[-1], b.shape[side]) if b.ndim else None,
            hint="it finds the X for which A @ X = B" if left else "it finds the X for which X @ A = B",
        )
    if vector and not left:
        raise GradcliError(f"{name}() with left=False needs matrices on the right-hand side")
    return a, b, vector


def _solve(A: Any, B: Any, left: Any) -> Node:
    a, b, vector = solve_operands(A, B, bool(left), "solve")
    return _solution(a, b, vector, bool(left))


def solve_vjp(g: Node, out: Node, a: Node, b: Node, vector: bool, left: bool) -> tuple[Node, Node]:
    to_b = _solution(m_t(a), g, vector, left)
    if vector:
        return -(unsqueeze(to_b, -1) * unsqueeze(out, -2)), to_b
    return -(matmul(to_b, m_t(out)) if left else matmul(m_t(out), to_b)), to_b


solve: Op = primitive(
    "solve", in_lapack(solve_kernel, 2, SINGULAR), solve_infer, family="linalg", args="A, B, *, left=True",
    build=_solve, grad_fn="LinalgSolveExBackward0",
    layout=column_major_from_left, vjp=solve_vjp,
    torch="linalg.solve", domain=WELL_CONDITIONED,
    doc="The X for which `A @ X = B` (`X @ A = B` with left=False); B holds vectors or matrices.", batching=SOLUTION,
    blocking=Blocking(lambda node, dim: batch(2, 1 if node.params["vector"] else 2)(node, dim)), text=spelling.real,
    latex=typeset.solution, source=numpy_sources.SOLVE, cost=_cost,
    words=("mldivide", "backslash", "linsolve", "linearsolve"),
)


# Cholesky factor ------------------------------------------------------------------------------------------------------


def _cholesky_kernel(a: Any, upper: bool) -> Any:
    try:
        factor = np.linalg.cholesky(a, upper=upper)
    except np.linalg.LinAlgError:
        factor = None
    if factor is None or np.isnan(np.diagonal(factor, 0, -2, -1)).any():
        hint = "cholesky() needs a symmetric matrix with positive eigenvalues"
        raise GradcliError("the matrix is not positive definite", hint=hint)
    return factor


def cholesky_vjp(g: Node, out: Node, a: Node, upper: bool) -> tuple[Node]:
    """By the lower factor L: L^-T P L^-1, where P is L^T g without what lies above the diagonal, made symmetric."""
    factor, g = (m_t(out), m_t(g)) if upper else (out, g)
    product = tril(matmul(m_t(factor), tril(g)), 0)
    symmetric = product + m_t(tril(product, -1))
    inner = _solution(m_t(factor), symmetric)
    return (_solution(factor, inner, left=False) * 0.5,)


cholesky: Op = primitive(
    "cholesky", in_lapack(_cholesky_kernel), family="linalg", args="input, upper=False",
    build=lambda input, upper: make(cholesky, (square(input, "cholesky"),), {"upper": bool(upper)}),
    grad_fn="LinalgCholeskyExBackward0", layout=column_major, vjp=cholesky_vjp, torch="linalg.cholesky",
    domain=WELL_CONDITIONED,
    doc="The triangular L of a positive definite matrix `L @ L.T`; `U` of `U.T @ U` with upper.", blocking=MATRICES,
    text=spelling.real, letter="L", source=numpy_sources.CHOLESKY, cost=_cost, words=("chol",),
)
