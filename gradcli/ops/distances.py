"""Distances between the rows of matrices, and between tensors."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_choice, as_number
from gradcli.graph.infer import broadcast_shapes, in_one_dtype
from gradcli.graph.native_forms import Dims
from gradcli.graph.node import Node, make
from gradcli.graph.op import WHOLE, Blocking, Op, Params, Shape
from gradcli.ops.blocking import batch
from gradcli.ops.elementwise import abs_, eq, ne, sign, sub, where
from gradcli.ops.family import call, float_node, primitive
from gradcli.ops.reduce import norm, norm_vjp, reduce_node, sum_
from gradcli.ops.shape import unsqueeze

# So many differences are held at once.
_PIECE = 1 << 18
_MODES = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")


def _norms(difference: Any, p: float) -> Any:
    assert norm.kernel is not None
    return norm.kernel(difference, (difference.ndim - 1,), False, True, p)


def _in_pieces(count: int, width: int) -> range:
    return range(0, count, max(1, _PIECE // max(width, 1)))


# Between tensors ------------------------------------------------------------------------------------------------------


def _dist_vjp(g: Node, out: Node, a: Node, b: Node, p: float) -> tuple[Node | None, ...]:
    difference: Node = sub(a, b)
    (slope,) = norm_vjp(g, out, difference, tuple(range(difference.ndim)), False, True, p)
    return (None, None) if slope is None else (slope, -slope)


def _dist(input: Any, other: Any, p: Any) -> Node:
    a, b = in_one_dtype(float_node(input, "dist"), float_node(other, "dist"))
    broadcast_shapes([a.shape, b.shape])
    return make(dist, (a, b), {"p": as_number(p, "p")})


dist: Op = primitive(
    "dist", lambda a, b, p: _norms((a - b).reshape(-1), p), lambda inputs, params: ((), inputs[0].dtype),
    family="reduction", args="input, other, p: number=2", build=_dist, vjp=_dist_vjp,
    doc="Norm of the difference of two tensors.",
    blocking=Blocking(
        WHOLE.follow, lower=lambda node: reduce_node(norm, sub(*node.inputs), None, False, **node.params)
    ), words=("euclidean", "euclideandistance"),
)


# Between rows ---------------------------------------------------------------------------------------------------------


def _slopes(difference: Node, distance: Node, p: float) -> Node:
    """The derivatives of the norms of differences along the last dimension: 0 where there is a corner.

    Unlike that of norm, all elements that are as large as the largest have the whole slope for p=inf.
    """
    size = abs_(difference)
    if p == 0:
        return difference * 0
    if p == 1:
        slope = sign(difference)
    elif math.isinf(p):
        slope = where(eq(size, distance), sign(difference), 0)
    elif p == 2:
        slope = where(eq(distance, 0), 0, difference / where(eq(distance, 0), 1, distance))
    else:
        safe = where(eq(size, 0), 1, size)
        power = where(eq(size, 0), 0, sign(difference) * safe ** (p - 1))
        slope = where(eq(distance, 0), 0, power / where(eq(distance, 0), 1, distance) ** (p - 1))
    return slope


def _pulled(g: Node, out: Node, a: Node, b: Node, p: float) -> tuple[Node, Node]:
    """The gradients of the rows of both operands; nothing of the size of all differences is held in blocks."""
    slopes = unsqueeze(g, -1) * _slopes(unsqueeze(a, -2) - unsqueeze(b, -3), unsqueeze(out, -1), p)
    return sum_(slopes, -2), -sum_(slopes, -3)


def _cdist_kernel(a: Any, b: Any, p: float) -> Any:
    batch = broadcast_shapes([a.shape[:-2], b.shape[:-2]])
    result = np.empty((*batch, a.shape[-2], b.shape[-2]), a.dtype)
    step = _in_pieces(a.shape[-2], math.prod(batch) * b.shape[-2] * a.shape[-1])
    for start in step:
        rows = slice(start, start + step.step)
        result[..., rows, :] = _norms(a[..., rows, None, :] - b[..., None, :, :], p)
    return result


def _cdist_infer(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    a, b = inputs
    return (*broadcast_shapes([a.shape[:-2], b.shape[:-2]]), a.shape[-2], b.shape[-2]), a.dtype


_BATCHES = batch(2)


def _cdist_follow(node: Node, dim: int) -> Dims | None:
    a, b = node.inputs
    if dim >= node.ndim - 2:
        return (a.ndim - 2, None) if dim == node.ndim - 2 else (None, b.ndim - 2)
    return _BATCHES(node, dim)


def _cdist_steps(node: Node) -> Node:
    """The norms of all differences, of which blocks hold few."""
    a, b = node.inputs
    return reduce_node(norm, unsqueeze(a, -2) - unsqueeze(b, -3), -1, False, **node.params)


def _positive(p: Any) -> float:
    order = as_number(p, "p")
    if not order >= 0:
        raise GradcliError(f"distances need an order of 0 or more, got {order:g}", argument="p")
    return order


def _cdist(x1: Any, x2: Any, p: Any, compute_mode: Any) -> Node:
    a, b = in_one_dtype(float_node(x1, "cdist"), float_node(x2, "cdist"))
    as_choice(compute_mode, "compute_mode", _MODES)
    if a.ndim < 2 or b.ndim < 2 or a.shape[-1] != b.shape[-1]:
        raise SizeError("cdist() needs matrices with rows of equal length, got shapes {} and {}", a.shape, b.shape)
    return make(cdist, (a, b), {"p": _positive(p)})


cdist: Op = primitive(
    "cdist", _cdist_kernel, _cdist_infer, family="reduction",
    args=f"x1: tensor, x2: tensor, p: number=2, compute_mode: distance='{_MODES[0]}'", build=_cdist,
    vjp=lambda g, out, a, b, p: _pulled(g, out, a, b, p), doc="Distance of each row of x1 to each row of x2.",
    blocking=Blocking(_cdist_follow, lower=_cdist_steps), cost=lambda node: max(4.0, 2.0 * node.inputs[0].shape[-1]),
    example="x1:2 x2:2", words=("pdist2", "distancematrix"),
)


def _pairs(count: int) -> tuple[Any, Any]:
    return np.triu_indices(count, 1)


def _pdist_kernel(x: Any, p: float) -> Any:
    first, second = _pairs(len(x))
    result = np.empty(len(first), x.dtype)
    step = _in_pieces(len(first), x.shape[1])
    for start in step:
        part = slice(start, start + step.step)
        result[part] = _norms(x[first[part]] - x[second[part]], p)
    return result


def _pdist_vjp(g: Node, out: Node, x: Node, p: float) -> tuple[Node]:
    """By the square of all distances, each pair twice; the diagonal has no slope."""
    count = x.shape[0]
    column = call("arange", count)
    row = unsqueeze(column, 1)
    low, high = call("minimum", row, column), call("maximum", row, column)
    # Where the pair stands among all of them, which are told row by row.
    place = call("floor_divide", low * (2 * count - 1 - low), 2) + high - low - 1
    index = call("clamp_min", place, 0)
    weights, distances = (where(ne(row, column), call("getitem", v, index), 0) for v in (g, out))
    slopes = unsqueeze(weights, -1) * _slopes(unsqueeze(x, -2) - unsqueeze(x, -3), unsqueeze(distances, -1), p)
    return (sum_(slopes, -2),)


def _pdist(input: Any, p: Any) -> Node:
    x = float_node(input, "pdist")
    if x.ndim != 2:
        raise SizeError("pdist() takes a matrix, got shape {}", x.shape)
    return make(pdist, (x,), {"p": _positive(p)})


pdist: Op = primitive(
    "pdist", _pdist_kernel,
    lambda inputs, params: ((inputs[0].shape[0] * (inputs[0].shape[0] - 1) // 2,), inputs[0].dtype),
    family="reduction", args="input, p: number=2", build=_pdist, torch="nn.functional.pdist",
    vjp=lambda g, out, x, p: _pdist_vjp(g, out, x, p) if g.size else (x * 0,),
    doc="Distances of all pairs of rows.", cost=lambda node: max(4.0, 2.0 * node.inputs[0].shape[-1]),
    example="input:3x2",
)
