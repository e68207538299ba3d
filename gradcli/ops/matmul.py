"""Products of vectors, matrices and batches of them, decomposed as PyTorch does, so that the chains agree."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_int, as_node, normalize_axis
from gradcli.graph.dtypes import BOOL
from gradcli.graph.infer import broadcast_shapes, cast, promote
from gradcli.graph.native_forms import Dims
from gradcli.graph.node import Node, make
from gradcli.graph.op import Accumulate, Blocking, Op, Params, Shape
from gradcli.ops import accumulators
from gradcli.ops.batched_products import MATRIX_PRODUCT
from gradcli.ops.elementwise import contiguous, mul
from gradcli.ops.family import composite, primitive
from gradcli.ops.formulas import reductions
from gradcli.ops.notation import latex_pieces as pieces
from gradcli.ops.reduce import sum_
from gradcli.ops.rewrites import matrix_products
from gradcli.ops.shape import (
    expand,
    flatten,
    m_t,
    permute,
    permuted,
    reshape,
    squeeze,
    strides_of,
    t,
    unsafe_view,
    unsqueeze,
    view,
)

BINARY = "input, other"

# Dot products of more float32 numbers are added up in float64.
_LONG = 1 << 10


# Kernels --------------------------------------------------------------------------------------------------------------


def _dot_kernel(a: Any, b: Any) -> Any:
    if a.dtype == b.dtype == np.float32 and len(a) > _LONG:
        return np.float32(accumulators.dot_wide(a, b))
    return np.dot(a, b)


# Primitives -----------------------------------------------------------------------------------------------------------


def common(values: tuple[Any, ...], name: str) -> list[Node]:
    """Operands in their common dtype; PyTorch would refuse unequal ones. Booleans have no products of this kind."""
    nodes = [as_node(v) for v in values]
    dtype = promote(nodes)
    if dtype == BOOL:
        raise GradcliError(f"{name} is not defined for booleans", hint="convert them first, as in x.float()")
    return [cast(n, dtype) for n in nodes]


def _do_not_fit(a: Shape, b: Shape, name: str, left: int, right: int) -> GradcliError:
    return SizeError(
        "shapes {} and {} do not fit for {}: {} against {}", a, b, name, left, right, unequal=(left, right)
    )


def _product_follow(node: Node, dim: int) -> Dims | None:
    """Batches together, rows with the left operand, columns with the right one."""
    a, b = node.inputs
    if dim < a.ndim - 2:
        return dim, dim
    return (dim, None) if dim == a.ndim - 2 else (None, b.ndim - 1)


def _contracted_dims(node: Node) -> list[Dims]:
    a, b = node.inputs
    return [(a.ndim - 1, max(b.ndim - 2, 0))]


def _primitive(
    name: str, kernel: Any, wanted: tuple[str, str], vjp: Any, doc: str, args: str, accumulate: Accumulate,
    lower: Any = None, merged: Any = None, **row: Any,
) -> Op:
    """A product of operands with fixed numbers of dimensions, contracting the last of one with one of the other."""
    plural = {
        "vector": "two vectors", "matrix": "two matrices", "batch of matrices": "two batches of matrices",
        "grid of matrices": "two grids of matrices",
    }
    ndims = tuple(1 + [*plural].index(w) for w in wanted)
    takes = plural[wanted[0]] if wanted[0] == wanted[1] else f"a {wanted[0]} and a {wanted[1]}"

    def infer(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
        a, b = inputs
        if (a.ndim, b.ndim) != ndims:
            hint = "@ takes vectors, matrices and batches of them alike"
            raise SizeError("{}() takes {}, got shapes {} and {}", name, takes, a.shape, b.shape, hint=hint)
        if a.shape[-1] != b.shape[max(b.ndim - 2, 0)]:
            raise _do_not_fit(a.shape, b.shape, f"{name}()", a.shape[-1], b.shape[max(b.ndim - 2, 0)])
        if a.shape[:-2] != b.shape[:-2]:
            raise _do_not_fit(a.shape, b.shape, f"{name}()", a.shape[0], b.shape[0])
        return (*a.shape[:-1], *b.shape[max(b.ndim - 1, 1) :]), a.dtype

    op: Op = primitive(
        name, kernel, infer, family="contraction", args=args, doc=doc, vjp=vjp, batching=MATRIX_PRODUCT,
        build=lambda a, b: make(op, tuple(common((a, b), f"{name}()")), {}),
        blocking=Blocking(_product_follow, _contracted_dims, accumulate, lower, merged=merged),
        into=(lambda out, a, b: np.matmul(a, b, out=out)) if ndims[0] > 1 else None,
        cost=lambda node: max(1.0, node.inputs[0].shape[-1] / 8), **row,
    )
    return op


def _flipped(x: Node) -> Node:
    return permuted(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _needed(inputs: tuple[Node, Node], left: Any, right: Any) -> tuple[Node | None, Node | None]:
    """A product costs as much as the operation itself: build only those that somebody asks for."""
    a, b = inputs
    return left() if a.requires_grad else None, right() if b.requires_grad else None


PRODUCT = accumulators.product(np.matmul)

mm: Op = _primitive(
    "mm", np.matmul, ("matrix", "matrix"),
    lambda g, out, a, b: _needed((a, b), lambda: mm(g, _flipped(b)), lambda: mm(_flipped(a), g)),
    "Product of two matrices.", "input, mat2", PRODUCT, formula=reductions.contraction((1, 0), (0, None), (None, 1)),
    native=((0, -1), (-1, 1)), words=("mmul", "gemm"), simplify=matrix_products.product_of_equals,
)
mv: Op = _primitive(
    "mv", np.matmul, ("matrix", "vector"),
    lambda g, out, a, b: _needed((a, b), lambda: reshape(g, (g.shape[0], 1)) * b, lambda: mv(_flipped(a), g)),
    "Product of a matrix and a vector.", "input, vec", PRODUCT, formula=reductions.contraction((1, 0), (0, None)),
    native=((0, -1), (-1,)), example="input:2 vec:1",
)
def _as_grid(node: Node) -> Node | None:
    """A product of batches that were grids, such as heads of members of a batch, as one of these: a member of it is a
    piece of the grid, but none of the batch."""
    leads = [base.shape[:2] for base in map(_grid_below, node.inputs) if base is not None]
    if not leads or any(lead != leads[0] for lead in leads):
        return None
    product = make(gmm, tuple(_grid(x, leads[0]) for x in node.inputs), {})
    return make(view, (product,), {"shape": node.shape})


def _grid_below(x: Node) -> Node | None:
    """What a batch of matrices, transposed perhaps, is a view of, if that has one dimension more."""
    shown = x.inputs[0] if _is_flipped(x) else x
    base = shown.inputs[0] if shown.op.reshapes else shown
    return base if base.ndim == 4 and base.shape[2:] == shown.shape[1:] else None


def _is_flipped(x: Node) -> bool:
    return x.op is permute and x.params["dims"] == (0, 2, 1)


def _grid(x: Node, lead: Shape) -> Node:
    shown = x.inputs[0] if _is_flipped(x) else x
    grid = make(view, (shown,), {"shape": (*lead, *shown.shape[1:])})
    return grid if shown is x else _flipped(grid)


bmm: Op = _primitive(
    "bmm", np.matmul, ("batch of matrices", "batch of matrices"),
    lambda g, out, a, b: _needed((a, b), lambda: bmm(g, _flipped(b)), lambda: bmm(_flipped(a), g)),
    "Products of two batches of matrices.", "input, mat2", PRODUCT, formula=reductions.batched_product,
    native=((0, 1, -1), (0, -1, 2)),
    example="input:3 mat2:3", simplify=matrix_products.product_of_equals, lower=_as_grid,
)
gmm: Op = _primitive(
    "_gmm", np.matmul, ("grid of matrices", "grid of matrices"),
    lambda g, out, a, b: _needed((a, b), lambda: gmm(g, _flipped(b)), lambda: gmm(_flipped(a), g)),
    "Products of two grids of matrices.", "input, mat2", PRODUCT, native=((0, 1, 2, -1), (0, 1, -1, 3)),
    simplify=matrix_products.product_of_equals, merged=lambda node, inputs: make(bmm, inputs, {}),
)


def _dot(name: str, second: str, more: str = "") -> Op:
    return _primitive(
        name, _dot_kernel, ("vector", "vector"), lambda g, out, a, b: (g * b, g * a),
        f"Sum of the products of two vectors{more}.", f"input, {second}", accumulators.DOT,
        formula=reductions.contraction((0, 0)), native=((-1,), (-1,)), example=f"input:1 {second}:1",
    )


dot = _dot("dot", "tensor")
vdot = _dot("vdot", "other", ", as dot for real numbers")


# matmul ---------------------------------------------------------------------------------------------------------------


def _matmul(input: Any, other: Any) -> Node:
    a, b = as_node(input), as_node(other)
    if not a.ndim or not b.ndim:
        hint = "write * for a product with a number"
        raise SizeError("@ needs at least 1 dimension on both sides, got shapes {} and {}", a.shape, b.shape, hint=hint)
    inner = b.shape[max(b.ndim - 2, 0)]
    if a.shape[-1] != inner:
        raise _do_not_fit(a.shape, b.shape, "@", a.shape[-1], inner)
    left, right = common((a, b), "@")
    return _decomposed(left, right)


def _decomposed(a: Node, b: Node) -> Node:
    """The steps that PyTorch takes, by the numbers of dimensions."""
    dims = a.ndim, b.ndim
    product = {(1, 1): dot, (2, 1): mv, (2, 2): mm}.get(dims)
    if product is not None:
        return product(a, b)
    if dims == (1, 2):
        return make(squeeze, (mm(unsqueeze(a, 0), b),), {"shape": b.shape[1:], "name": "SqueezeBackward4"})
    if _should_fold(a, b):
        return _folded(a, b)
    if dims == (3, 3) and a.shape[0] != b.shape[0]:
        # A batch of one that is tracked is not stretched: its gradient would have to be summed up again.
        if a.shape[0] == 1 and a.requires_grad:
            return _decomposed(squeeze(a, 0), b)
        if b.shape[0] == 1 and b.requires_grad:
            return _decomposed(a, squeeze(b, 0))
    return _batched(a, b)


def _should_fold(a: Node, b: Node) -> bool:
    """Whether the batch of the larger operand becomes rows of one matrix: always if the smaller operand is tracked,
    otherwise only where that takes no copy."""
    large, small = (a, b) if a.ndim >= b.ndim else (b, a)
    if large.ndim < 3 or small.ndim > 2 or a.ndim == 2 and not small.requires_grad:
        return False
    if small.requires_grad or not large.size:
        return True
    strides, shape = strides_of(large), large.shape
    if large is b:
        strides, shape = _swap_last(strides), _swap_last(shape)
    return all(strides[k] == strides[k + 1] * shape[k + 1] for k in range(len(shape) - 2))


def _swap_last(values: Shape) -> Shape:
    return (*values[:-2], values[-1], values[-2])


def _folded(a: Node, b: Node) -> Node:
    swapped = b.ndim > a.ndim
    large = m_t(b) if swapped else a
    small = b if not swapped else t(a) if a.ndim == 2 else a
    rows = reshape(large, (math.prod(large.shape[:-1]), large.shape[-1]))
    if small.ndim == 1:
        return make(unsafe_view, (mv(rows, small),), {"shape": large.shape[:-1]})
    result = make(unsafe_view, (mm(rows, small),), {"shape": (*large.shape[:-1], small.shape[1])})
    return contiguous(m_t(result)) if swapped else result


def _batched(a: Node, b: Node) -> Node:
    try:
        batch = broadcast_shapes([a.shape[:-2], b.shape[:-2]])
    except GradcliError:
        raise SizeError(
            "shapes {} and {} do not fit for @: batches {} against {}", a.shape, b.shape, a.shape[:-2], b.shape[:-2],
            hint="the dimensions before the last two must be equal or 1, aligned at the right",
        ) from None
    count = math.prod(batch)
    rows = a.shape[-2:] if a.ndim > 1 else (1, *a.shape)
    left = reshape(expand(a, (*batch, *rows)), (count, *rows))
    right = reshape(expand(b, (*batch, *b.shape[-2:])), (count, *b.shape[-2:]))
    shape = (*batch, *a.shape[-2:-1], *(b.shape[-1:] if b.ndim > 1 else ()))
    result = squeeze(bmm(left, unsqueeze(right, 2)), -1) if b.ndim == 1 else bmm(left, right)
    return make(unsafe_view, (result,), {"shape": shape})


matmul = composite(
    "matmul", _matmul, args=BINARY, family="contraction",
    doc="Matrix product, `input @ other`, of vectors, matrices and batches of matrices, whose batches broadcast.",
    symbol="@", words=("mtimes",),
)


# Written with the others ----------------------------------------------------------------------------------------------


def _outer(input: Any, vec2: Any) -> Node:
    a, b = as_node(input), as_node(vec2)
    if a.ndim != 1 or b.ndim != 1:
        raise SizeError("outer() takes two vectors, got shapes {} and {}", a.shape, b.shape)
    return mul(reshape(a, (a.shape[0], 1)), b)


def _inner(input: Any, other: Any) -> Node:
    a, b = as_node(input), as_node(other)
    if not a.ndim or not b.ndim:
        return mul(a, b)
    if a.shape[-1] != b.shape[-1]:
        raise _do_not_fit(a.shape, b.shape, "inner()", a.shape[-1], b.shape[-1])
    return _contracted(a, b, [a.ndim - 1], [b.ndim - 1], "inner()")


def _tensordot(a: Any, b: Any, dims: Any) -> Node:
    left, right = as_node(a), as_node(b)
    if isinstance(dims, list | tuple):
        if len(dims) != 2:
            hint = "for example, dims=([1], [0])"
            raise GradcliError("tensordot() takes dims as a number or a pair of lists", hint=hint)
        pair = [list(d) if isinstance(d, list | tuple) else [d] for d in dims]
        if not left.ndim or not right.ndim:
            raise SizeError("tensordot() has no dimension to contract in shapes {} and {}", left.shape, right.shape)
        first = [normalize_axis(d, left.ndim) for d in pair[0]]
        second = [normalize_axis(d, right.ndim) for d in pair[1]]
    else:
        count = as_int(dims, "dims")
        if not 0 <= count <= min(left.ndim, right.ndim):
            raise SizeError(
                "tensordot() cannot contract {} dimensions of shapes {} and {}", count, left.shape, right.shape
            )
        first, second = [*range(left.ndim - count, left.ndim)], [*range(count)]
    if len(first) != len(second) or len(set(first)) != len(first) or len(set(second)) != len(second):
        raise GradcliError("tensordot() needs as many different dimensions of one tensor as of the other")
    return _contracted(left, right, first, second, "tensordot()")


def _contracted(a: Node, b: Node, first: list[int], second: list[int], name: str) -> Node:
    """The sum over pairs of dimensions, by moving them together and multiplying matrices."""
    left, right = common((a, b), name)
    length = 1
    for d1, d2 in zip(first, second, strict=True):
        if right.shape[d2] == 1:
            left = cast(sum_(left, [d1], True), left.dtype)
        elif left.shape[d1] == 1:
            right = cast(sum_(right, [d2], True), right.dtype)
        elif left.shape[d1] != right.shape[d2]:
            raise _do_not_fit(a.shape, b.shape, name, left.shape[d1], right.shape[d2])
        length *= left.shape[d1]
    rows = [d for d in range(left.ndim) if d not in first]
    columns = [d for d in range(right.ndim) if d not in second]
    shape = (*(left.shape[d] for d in rows), *(right.shape[d] for d in columns))
    left, right = permuted(left, [*rows, *first]), permuted(right, [*second, *columns])
    height, width = math.prod(left.shape[: len(rows)]), math.prod(right.shape[len(second) :])
    if height != 1 or width != 1:
        product = mm(reshape(left, (height, length)), reshape(right, (length, width)))
    elif left.strides is None and right.strides is None:
        product = dot(flatten(left), flatten(right))
    else:
        product = cast(sum_(mul(squeeze(left), squeeze(right))), left.dtype)
    return reshape(product, shape)


outer = composite(
    "outer", _outer, args="input, vec2", family="contraction", aliases=("ger",),
    doc="Every product of an element of one vector with one of another.",
    latex=lambda w, form, parts: pieces.outer(*parts), example="input:1 vec2:1", numpy="outer",
)
inner = composite(
    "inner", _inner, args=BINARY, family="contraction", doc="Sum of products over the last dimensions of both tensors.",
    example="input:1 other:1",
)
tensordot = composite(
    "tensordot", _tensordot, args="a, b, dims: pairs=2", family="contraction",
    doc="Sum of products over pairs of dimensions: the last ones of a with the first ones of b, or as listed.",
)
