"""Singular values, eigenvalues of symmetric matrices, QR: of a matrix or of each matrix of a batch.

Where singular values or eigenvalues are equal, the derivatives of their vectors divide by zero, as in PyTorch: they are
infinite or NaN.
"""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_choice
from gradcli.graph.node import Node, make, make_results
from gradcli.graph.op import Op, Params
from gradcli.ops.diagonal import diag_embed, diagonal_of, tril, triu
from gradcli.ops.family import call, composite, float_node, primitive
from gradcli.ops.formulas import arithmetic
from gradcli.ops.linalg import MATRICES, WELL_CONDITIONED, matrices_column_major, square
from gradcli.ops.matmul import matmul
from gradcli.ops.shape import cat, m_t, narrow, unsqueeze
from gradcli.ops.triangular import solved


def matrices(value: Any, name: str) -> Node:
    """A tensor argument that holds matrices of floating-point numbers."""
    x = float_node(value, name)
    if x.ndim < 2:
        raise SizeError("{}() needs a matrix or a batch of them, got shape {}", name, x.shape)
    return x


def finite_only(kernel: Callable[..., Any], result_ndims: tuple[int, ...]) -> Callable[..., Any]:
    """A decomposition with several results, NaN for a matrix that holds NaN or infinities, which LAPACK does not take.

    `result_ndims` has the number of dimensions of each result for one matrix.
    """

    def wrapped(a: Any, **params: Any) -> Any:
        finite = np.isfinite(a).all((-2, -1))
        some = a if finite.all() else np.where(finite[..., None, None], a, np.eye(*a.shape[-2:], dtype=a.dtype))
        try:
            results = kernel(some, **params)
        except np.linalg.LinAlgError:
            raise GradcliError("the decomposition of a matrix did not converge") from None
        if some is a:
            return results
        return tuple(
            r if r is None else np.where(finite.reshape((*finite.shape, *(1,) * n)), r, a.dtype.type(np.nan))
            for r, n in zip(results, result_ndims, strict=True)
        )

    return wrapped


def decomposition_cost(node: Node) -> float:
    """For each element of the matrices that are taken apart."""
    return max(16.0, 2.0 * min(node.inputs[0].shape[-2:]))


def skew(x: Node) -> Node:
    """The matrix without its transpose."""
    return x - m_t(x)


# Singular values ------------------------------------------------------------------------------------------------------


def _svd_infer(inputs: tuple[Node, ...], params: Params) -> Any:
    a = inputs[0]
    *batch, rows, columns = a.shape
    few = min(rows, columns)
    left, right = (rows, columns) if params["full_matrices"] else (few, few)
    return tuple([((*batch, *own), a.dtype) for own in ((rows, left), (few,), (right, columns))])


def _svd_vjp(g: Any, out: Any, a: Node, full_matrices: bool) -> tuple[Node]:
    """In the basis of the singular vectors, and beside it what the vectors have outside of their own space."""
    rows, columns = a.shape[-2:]
    few = min(rows, columns)
    last, first = a.ndim - 1, a.ndim - 2
    u, s, vh = narrow(out.U, last, 0, few), out.S, narrow(out.Vh, first, 0, few)
    gu = None if g.U is None else narrow(g.U, last, 0, few)
    gvh = None if g.Vh is None else narrow(g.Vh, first, 0, few)
    if gu is None and gvh is None:
        return (matmul(u * unsqueeze(g.S, -2), vh),)
    row, column = unsqueeze(s, -2), unsqueeze(s, -1)
    between = (row - column) * (row + column) + call("eye", few, dtype=a.dtype)
    inner = 0
    if gu is not None:
        inner = skew(matmul(m_t(u), gu)) / between * row
    if gvh is not None:
        inner = inner + column * (skew(matmul(vh, m_t(gvh))) / between)
    if g.S is not None:
        inner = inner + diag_embed(g.S)
    if gu is not None and rows > few:
        outside = gu / row
        return (matmul(matmul(u, inner) + outside - matmul(u, matmul(m_t(u), outside)), vh),)
    if gvh is not None and columns > few:
        outside = gvh / column
        return (matmul(u, matmul(inner, vh) + outside - matmul(matmul(outside, m_t(vh)), vh)),)
    return (matmul(matmul(u, inner), vh),)


def _svd_of(x: Node, full_matrices: bool) -> Any:
    return make_results(linalg_svd, (x,), {"full_matrices": full_matrices})


linalg_svd: Op = primitive(
    "linalg_svd", finite_only(lambda a, full_matrices: tuple(np.linalg.svd(a, full_matrices=full_matrices)), (2, 1, 2)),
    _svd_infer, family="linalg", args="A, full_matrices=True", results=("U", "S", "Vh"),
    build=lambda a, full_matrices: _svd_of(matrices(a, "linalg_svd"), full_matrices),
    grad_fn="LinalgSvdBackward0", vjp=_svd_vjp, layout=matrices_column_major, torch="linalg.svd",
    domain=WELL_CONDITIONED, doc="The singular value decomposition `A = U @ diag(S) @ Vh` (U, S, Vh).",
    blocking=MATRICES, example=("linalg_svd(A, False).S", "A:2"), cost=decomposition_cost,
)


values_alone: Op = primitive(
    "_svdvals", lambda a: finite_only(lambda a: (np.linalg.svd(a, compute_uv=False),), (1,))(a)[0],
    lambda inputs, params: ((*inputs[0].shape[:-2], min(inputs[0].shape[-2:])), inputs[0].dtype), family="linalg",
    args="A", doc="The singular values of what has no gradient.", blocking=MATRICES,
    formula=arithmetic.call_named("svdvals"), cost=decomposition_cost,
)


def singular_values(x: Node) -> Node:
    """With vectors where there will be a gradient, as in PyTorch: without them the values end in other digits."""
    return _svd_of(x, False).S if x.requires_grad else make(values_alone, (x,))


def _svd(input: Any, some: Any, compute_uv: Any) -> Any:
    x = matrices(input, "svd")
    if not compute_uv:
        u, v = (call("zeros", (*x.shape[:-2], n, n), dtype=x.dtype) for n in x.shape[-2:])
        return svd.named((u, singular_values(x), v))
    u, s, vh = _svd_of(x, not some)
    return svd.named((u, s, m_t(vh)))


svd: Op = composite(
    "svd", _svd, family="linalg", args="input, some=True, compute_uv=True", results=("U", "S", "V"),
    words=("singular_values",),
    doc="The singular value decomposition `input = U @ diag(S) @ V.mT` (U, S, V); linalg_svd gives the transpose of V.",
    domain=WELL_CONDITIONED, example=("svd(input).S", "input:2"),
)
svdvals = composite(
    "svdvals", lambda a: singular_values(matrices(a, "svdvals")), family="linalg", args="A", torch="linalg.svdvals",
    doc="The singular values, the largest first.", domain=WELL_CONDITIONED, example="A:2",
)


# Eigenvalues of symmetric matrices ------------------------------------------------------------------------------------


def _eigh_kernel(a: Any, UPLO: Any) -> Any:
    return tuple(np.linalg.eigh(a, UPLO))


def _eigh_vjp(g: Any, out: Any, a: Node, UPLO: str) -> tuple[Node]:
    v, values, gv = out.eigenvectors, out.eigenvalues, g.eigenvectors
    if gv is None:
        return (matmul(v * unsqueeze(g.eigenvalues, -2), m_t(v)),)
    between = unsqueeze(values, -2) - unsqueeze(values, -1) + call("eye", a.shape[-1], dtype=a.dtype)
    inner = skew(matmul(m_t(v), gv)) * 0.5 / between
    if g.eigenvalues is not None:
        inner = inner + diag_embed(g.eigenvalues)
    return (matmul(v, matmul(inner, m_t(v))),)


def _eigh_build(A: Any, UPLO: Any) -> Any:
    triangle = as_choice(UPLO, "UPLO", ("L", "U"))
    return make_results(eigh, (square(A, "eigh"),), {"UPLO": triangle})


def _eigvalsh(A: Any, UPLO: Any) -> Node:
    a, triangle = square(A, "eigvalsh"), as_choice(UPLO, "UPLO", ("L", "U"))
    params = {"UPLO": triangle}
    if not a.requires_grad:
        return make(eigenvalues_alone, (a,), params)
    return make_results(eigh, (a,), params).eigenvalues


eigh: Op = primitive(
    "eigh", finite_only(_eigh_kernel, (1, 2)),
    lambda inputs, params: ((inputs[0].shape[:-1], inputs[0].dtype), (inputs[0].shape, inputs[0].dtype)),
    family="linalg", args="A, UPLO='L'", build=_eigh_build, results=("eigenvalues", "eigenvectors"),
    grad_fn="LinalgEighBackward0", vjp=_eigh_vjp, layout=matrices_column_major, torch="linalg.eigh",
    domain=WELL_CONDITIONED,
    doc="Eigenvalues, the smallest first, and eigenvectors of a symmetric matrix, of which one triangle is read.",
    blocking=MATRICES, example=("eigh(A).eigenvalues", "A:2"), cost=decomposition_cost,
    words=("eig", "eigenvectors", "eigensystem"),
)
eigenvalues_alone: Op = primitive(
    "_eigvalsh", lambda a, **words: finite_only(lambda a: (np.linalg.eigvalsh(a, **words),), (1,))(a)[0],
    lambda inputs, params: (inputs[0].shape[:-1], inputs[0].dtype), family="linalg", args="A, UPLO='L'",
    doc="The eigenvalues of what has no gradient.", blocking=MATRICES, formula=arithmetic.call_named("eigvalsh"),
    cost=decomposition_cost,
)
eigvalsh = composite(
    "eigvalsh", _eigvalsh, family="linalg", args="A, UPLO='L'", torch="linalg.eigvalsh", domain=WELL_CONDITIONED,
    doc="Eigenvalues of a symmetric matrix, the smallest first; one triangle is read.", example="A:2",
    words=("eigvals", "eigenvalues"),
)


# QR -------------------------------------------------------------------------------------------------------------------


def _qr_kernel(a: Any, mode: Any) -> Any:
    if mode == "r":
        return np.empty(0, a.dtype), np.linalg.qr(a, "r")
    return tuple(np.linalg.qr(a, mode))


def _qr_infer(inputs: tuple[Node, ...], params: Params) -> Any:
    a = inputs[0]
    *batch, rows, columns = a.shape
    inner = rows if params["mode"] == "complete" else min(rows, columns)
    q = (0,) if params["mode"] == "r" else (*batch, rows, inner)
    return (q, a.dtype), ((*batch, inner, columns), a.dtype)


def _qr_vjp(g: Any, out: Any, a: Node, mode: str) -> tuple[Node]:
    rows, columns = a.shape[-2:]
    if mode == "r":
        hint = "mode='reduced' gives both"
        raise GradcliError("the derivative of qr() needs Q, which mode='r' does not compute", hint=hint)
    if mode == "complete" and rows > columns:
        hint = "use mode='reduced'"
        raise GradcliError("qr() of a tall matrix with mode='complete' has no derivative", hint=hint)
    q, r = out.Q, out.R
    inner = 0
    if g.R is not None:
        inner = matmul(g.R, m_t(r))
    if g.Q is not None:
        inner = inner - matmul(m_t(q), g.Q)
    if rows >= columns:
        upper = triu(inner)
        halved = upper + m_t(upper) - diag_embed(diagonal_of(upper))
        whole = matmul(q, halved)
        return (solved(m_t(r), whole if g.Q is None else whole + g.Q, upper=False, left=False),)
    # Q is square: its rotation is what lies below the diagonal, in the leading columns.
    leading = m_t(narrow(r, a.ndim - 1, 0, rows))
    first = solved(leading, matmul(q, tril(m_t(inner) - inner)), upper=False, left=False)
    whole = cat([first, call("zeros", (*a.shape[:-1], columns - rows), dtype=a.dtype)], -1)
    return (whole if g.R is None else whole + matmul(q, g.R),)


def _qr_build(A: Any, mode: Any) -> Any:
    chosen = as_choice(mode, "mode", ("reduced", "complete", "r"))
    return make_results(linalg_qr, (matrices(A, "linalg_qr"),), {"mode": chosen})


linalg_qr: Op = primitive(
    "linalg_qr", _qr_kernel, _qr_infer, family="linalg", args="A, mode: qr_mode='reduced'", build=_qr_build,
    results=("Q", "R"), grad_fn="LinalgQrBackward0", vjp=_qr_vjp, layout=matrices_column_major, torch="linalg.qr",
    domain=WELL_CONDITIONED,
    doc="The decomposition `A = Q @ R` into orthonormal columns and an upper triangular matrix (Q, R).",
    blocking=MATRICES, example=("linalg_qr(A).R", "A:3x2"), cost=decomposition_cost,
)


def _qr(input: Any, some: Any) -> Any:
    mode = "reduced" if some else "complete"
    return qr.named(make_results(linalg_qr, (matrices(input, "qr"),), {"mode": mode}))


qr: Op = composite(
    "qr", _qr, family="linalg", args="input, some=True", results=("Q", "R"), domain=WELL_CONDITIONED,
    doc="The decomposition `input = Q @ R` into orthonormal columns and an upper triangular matrix (Q, R).",
    example=("qr(input).R", "input:3x2"),
)
