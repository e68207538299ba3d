"""Norms of vectors and matrices of every order, and what is made of them: condition, rank, renorm."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError, quoted
from gradcli.graph.arguments import as_node, as_number, normalize_axes, normalize_axis
from gradcli.graph.dtypes import FLOAT32, is_half
from gradcli.graph.infer import cast
from gradcli.graph.node import Node, make
from gradcli.graph.op import Blocking, Op
from gradcli.ops.checked_systems import inv_ex
from gradcli.ops.decompositions import eigvalsh, matrices, singular_values
from gradcli.ops.elementwise import abs_, detach, isnan, maximum, ne, reciprocal, where
from gradcli.ops.family import call, composite, float_node, primitive, to_dtype
from gradcli.ops.linalg import WELL_CONDITIONED, square
from gradcli.ops.matrix_functions import check_bound
from gradcli.ops.reduce import amax, amin, check_count, norm, norm_vjp, reduce_node, sum_
from gradcli.ops.shape import narrow, permuted, squeeze, unsqueeze

ORDERS = "a number, inf, -inf, 'fro' or 'nuc'"


def _order(value: Any, name: str) -> float | str:
    """The order of a norm: a number or a word."""
    if isinstance(value, str):
        if value in ("fro", "nuc"):
            return value
        if value in ("inf", "-inf"):
            return float(value)
        raise GradcliError(f"{name}() has no order {quoted(value)}", hint=f"use {ORDERS}", argument="ord")
    return as_number(value, "ord")


def _floats(value: Any, dtype: Any, name: str) -> Node:
    wanted = to_dtype(dtype)
    x = as_node(value)
    return float_node(x if wanted is None else cast(x, wanted), name)


# Vectors and matrices -------------------------------------------------------------------------------------------------


def _of_vector(x: Node, order: float, dim: Any, keepdim: bool, name: str) -> Node:
    axes = normalize_axes(dim, x.ndim)
    if order < 0 or order == math.inf:
        check_count(name, x, axes)
    return reduce_node(norm, x, dim, keepdim, floating=True, p=float(order))


def _vector_norm(x: Any, ord: Any, dim: Any, keepdim: bool, dtype: Any) -> Node:
    order = _order(ord, "vector_norm")
    if isinstance(order, str):
        raise GradcliError("vector_norm() takes a number for its order", argument="ord")
    return _of_vector(_floats(x, dtype, "vector_norm"), order, dim, keepdim, "vector_norm")


def _of_matrix(x: Node, order: float | str, dim: Any, keepdim: bool, name: str) -> Node:
    """The norm of the matrices that lie along two dimensions: rows, columns."""
    if not isinstance(dim, list | tuple) or len(dim) != 2:
        raise GradcliError(f"{name}() needs two dimensions for a matrix", argument="dim")
    rows, columns = (normalize_axis(d, x.ndim) for d in dim)
    if x.ndim < 2 or rows == columns:
        raise SizeError("{}() needs two different dimensions of a matrix, the tensor has shape {}", name, x.shape)
    if order == "fro":
        return _of_vector(x, 2.0, (rows, columns), keepdim, name)
    if order in (1, -1, math.inf, -math.inf):
        summed, chosen = (rows, columns) if abs(order) == 1 else (columns, rows)
        chosen -= not keepdim and chosen > summed
        sums = _of_vector(x, 1.0, summed, keepdim, name)
        return _extreme(sums, chosen, keepdim, order > 0, name)
    if order not in (2, -2, "nuc"):
        raise GradcliError(f"a matrix has no norm of order {order:g}", hint="1, 2, inf, their negatives, 'fro', 'nuc'")
    order_of_dims = [d for d in range(x.ndim) if d not in (rows, columns)] + [rows, columns]
    values = singular_values(permuted(x, order_of_dims))
    found = sum_(values, -1, keepdim) if order == "nuc" else _extreme(values, -1, keepdim, order == 2, name)
    if keepdim:
        found = permuted(unsqueeze(found, -1), [order_of_dims.index(d) for d in range(x.ndim)])
    return found


def _extreme(values: Node, dim: int, keepdim: bool, largest: bool, name: str) -> Node:
    """The largest of numbers that are not negative, which is 0 where there is none, or the smallest of them."""
    if largest and not values.shape[dim]:
        return sum_(values, dim, keepdim)
    check_count(name, values, (normalize_axis(dim, values.ndim),))
    return (amax if largest else amin)(values, dim, keepdim)


def _matrix_norm(A: Any, ord: Any, dim: Any, keepdim: bool, dtype: Any) -> Node:
    x = _floats(A, dtype, "matrix_norm")
    return _of_matrix(x, _order(ord, "matrix_norm"), (-2, -1) if dim is None else dim, keepdim, "matrix_norm")


def _linalg_norm(A: Any, ord: Any, dim: Any, keepdim: bool, dtype: Any) -> Node:
    x = _floats(A, dtype, "linalg_norm")
    if ord is None:
        return _of_vector(x, 2.0, dim, keepdim, "linalg_norm")
    order = _order(ord, "linalg_norm")
    pair = isinstance(dim, list | tuple) and len(dim) == 2
    if isinstance(order, str) or pair or (dim is None and x.ndim == 2):
        if dim is None and x.ndim != 2:
            raise SizeError("linalg_norm() needs a matrix for the order {}, got shape {}", str(order), x.shape)
        return _of_matrix(x, order, (-2, -1) if dim is None else dim, keepdim, "linalg_norm")
    if dim is None and x.ndim > 2:
        hint = "vector_norm() takes all elements for one vector"
        raise SizeError("linalg_norm() with an order takes a vector or a matrix, got shape {}", x.shape, hint=hint)
    return _of_vector(x, order, dim, keepdim, "linalg_norm")


vector_norm = composite(
    "vector_norm", _vector_norm, family="reduction", args="x, ord: number=2, dim=None, keepdim=False, *, dtype=None",
    torch="linalg.vector_norm", doc="Norm of all elements, or of those along dimensions, as of one vector.",
)
matrix_norm = composite(
    "matrix_norm", _matrix_norm, family="linalg",
    args="A, ord: matrix_order='fro', dim: plane=None, keepdim=False, *, dtype=None",
    torch="linalg.matrix_norm", doc="Norm of the matrices along two dimensions, the last ones without dim.",
    example=("matrix_norm(A, 2)", "A:2"),
)
linalg_norm = composite(
    "linalg_norm", _linalg_norm, family="linalg", args="A, ord: norm=None, dim=None, keepdim=False, *, dtype=None",
    torch="linalg.norm", doc="Norm of a vector, or of a matrix if ord is given and there are two dimensions.",
    example=("linalg_norm(A, 2)", "A:2"),
)


# Condition and rank ---------------------------------------------------------------------------------------------------


def _cond(A: Any, p: Any) -> Node:
    a = matrices(A, "cond")
    if is_half(a.dtype):
        # Singular values that were rounded would not tell their ratio.
        return cast(_cond(cast(a, FLOAT32), p), a.dtype)
    order = 2.0 if p is None else _order(p, "cond")
    if not a.size:
        return call("zeros", a.shape[:-2], dtype=a.dtype)
    if order in (2, -2):
        values = singular_values(a)
        largest, smallest = (narrow(values, values.ndim - 1, k, k + 1) for k in (0, values.shape[-1] - 1))
        ratio = largest / smallest if order == 2 else smallest / largest
        return squeeze(ratio, -1)
    if a.shape[-1] != a.shape[-2]:
        raise SizeError("cond() with the order {} needs square matrices, got shape {}", str(order), a.shape)
    if order == "nuc":
        values = singular_values(a)
        return sum_(values, -1) * sum_(reciprocal(values), -1)
    inverse, info = inv_ex(a)
    inverse = call("masked_fill", inverse, unsqueeze(unsqueeze(ne(info, 0), -1), -1), math.inf)
    product = _of_matrix(a, order, (-2, -1), False, "cond") * _of_matrix(inverse, order, (-2, -1), False, "cond")
    return where(isnan(product), math.inf, product)


def _matrix_rank(A: Any, atol: Any, rtol: Any, hermitian: bool) -> Node:
    a = detach(square(A, "matrix_rank") if hermitian else matrices(A, "matrix_rank"))
    if not a.size:
        return call("zeros", a.shape[:-2], dtype="int64")
    values = abs_(eigvalsh(a)) if hermitian else singular_values(a)
    for bound in (atol, rtol):
        check_bound(as_node(0.0 if bound is None else bound), a, "matrix_rank")
    usual = max(a.shape[-2:]) * float(np.finfo(a.dtype).eps)
    if rtol is None:
        rtol = usual if atol is None else where(as_node(atol) > 0, 0.0, cast(as_node(usual), a.dtype))
    tolerance = maximum(0.0 if atol is None else detach(atol), detach(amax(values, -1) * detach(rtol)))
    return sum_(values > unsqueeze(tolerance, -1), -1)


cond = composite(
    "cond", _cond, family="linalg", args="A, p: matrix_order=None", torch="linalg.cond", domain=WELL_CONDITIONED,
    doc="Condition number: the norm of a matrix times that of its inverse; by singular values without p.",
    numpy="linalg.cond",
)
matrix_rank = composite(
    "matrix_rank", _matrix_rank, family="linalg",
    args="A, *, atol: bound=None, rtol: bound=None, hermitian=False", torch="linalg.matrix_rank",
    domain=WELL_CONDITIONED, doc="Number of singular values above max(atol, rtol*the largest).", words=("rank",),
)


# Slices within a norm -------------------------------------------------------------------------------------------------

# PyTorch's guard for the division by a norm.
_GUARD = 1e-7


def _scale(x: Node, p: float, dim: int, maxnorm: float) -> tuple[Node, Node]:
    """The norms of the slices, and what they are multiplied by."""
    dims = [d for d in range(x.ndim) if d != dim]
    norms = reduce_node(norm, x, dims, True, floating=True, p=p)
    return norms, where(norms > maxnorm, maxnorm / (norms + _GUARD), 1.0)


def _renorm_kernel(x: Any, p: float, dim: int, maxnorm: float) -> Any:
    dims = tuple(d for d in range(x.ndim) if d != dim)
    assert norm.kernel is not None
    norms = norm.kernel(x, dims, True, True, p)
    return x * np.where(norms > maxnorm, maxnorm / (norms + x.dtype.type(_GUARD)), 1).astype(x.dtype)


def _renorm_vjp(g: Node, out: Node, x: Node, p: float, dim: int, maxnorm: float) -> tuple[Node]:
    norms, scale = _scale(x, p, dim, maxnorm)
    dims = tuple(d for d in range(x.ndim) if d != dim)
    to_scale = sum_(g * x, dims, True)
    to_norm = where(norms > maxnorm, to_scale * (-maxnorm / (norms + _GUARD) ** 2), 0)
    (slope,) = norm_vjp(to_norm, norms, x, dims, True, True, p)
    return (g * scale if slope is None else g * scale + slope,)


def _renorm(input: Any, p: Any, dim: Any, maxnorm: Any) -> Node:
    x, order, most = float_node(input, "renorm"), as_number(p, "p"), as_number(maxnorm, "maxnorm")
    if x.ndim < 2:
        raise SizeError("renorm() needs at least 2 dimensions, the tensor has shape {}", x.shape)
    if not order > 0:
        raise GradcliError(f"renorm() needs a positive order, got {order:g}", argument="p")
    if not most >= 0:
        raise GradcliError(f"maxnorm must not be negative, got {most:g}", argument="maxnorm")
    return make(renorm, (x,), {"p": order, "dim": normalize_axis(dim, x.ndim), "maxnorm": most})


renorm: Op = primitive(
    "renorm", _renorm_kernel, family="reduction", args="input, p: number, dim: int, maxnorm: number", build=_renorm,
    vjp=_renorm_vjp, doc="The slices along a dimension, those with a norm above maxnorm scaled down to it.",
    blocking=Blocking(
        lambda node, dim: (dim,) if dim == node.params["dim"] else None,
        lower=lambda node: node.inputs[0] * _scale(node.inputs[0], **node.params)[1],
    ),
    example=("renorm(input, 2, 0, 1.5)", "input:2"), in_place=True,
)
