"""More rows that arrange elements: like another tensor, turned, in windows, by strides; conjugates, which are none."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph import layout
from gradcli.graph.arguments import as_int, as_node, normalize_axis
from gradcli.graph.dtypes import INT64
from gradcli.graph.infer import sum_to
from gradcli.graph.node import Node, constant, make
from gradcli.graph.op import Blocking, Op, Params, Shape
from gradcli.ops.batching import LINEAR
from gradcli.ops.blocking import except_along
from gradcli.ops.diagonal import diag_embed
from gradcli.ops.elementwise import row_major
from gradcli.ops.family import composite, given_shape, primitive
from gradcli.ops.formulas import places
from gradcli.ops.index import index_
from gradcli.ops.kernels.windows import strided
from gradcli.ops.notation import spelling
from gradcli.ops.one_step import one_step
from gradcli.ops.shape import big_t, expand, flip, m_t, reshape, resolve_shape, sizes, strides_of, transpose, view

# Indices that are written into a graph take 8 bytes each.
_MOST_INDICES = 1 << 24

# Like another tensor --------------------------------------------------------------------------------------------------


def _ravel(input: Any) -> Node:
    x = as_node(input)
    return view(x if x.strides is None else row_major(x), (-1,))


def _unflatten(input: Any, dim: Any, given: Any) -> Node:
    x = as_node(input)
    axis = normalize_axis(dim, x.ndim)
    if not x.ndim:
        raise GradcliError("unflatten() needs at least one dimension, the tensor has none")
    lengths = resolve_shape(given, x.shape[axis], x.shape[axis : axis + 1])
    return view(x, (*x.shape[:axis], *lengths, *x.shape[axis + 1 :]))


def _sum_to_size(input: Any, size: Any) -> Node:
    x, shape = as_node(input), tuple(sizes(size, "a length"))
    fits = len(shape) <= x.ndim and all(n in (1, have) for n, have in zip(shape[::-1], x.shape[::-1], strict=False))
    if not fits:
        hint = "lengths become 1, or are dropped in front"
        raise SizeError("shape {} cannot be summed to {}", x.shape, shape, hint=hint)
    return sum_to(x, shape)


expand_as = composite(
    "expand_as", lambda input, other: expand(input, as_node(other).shape), args="input, other", family="shape",
    torch="Tensor.expand_as", doc="The tensor broadcast to the shape of another, without copying.",
)
reshape_as = composite(
    "reshape_as", lambda input, other: reshape(input, as_node(other).shape), args="input, other", family="shape",
    torch="Tensor.reshape_as", doc="The elements in the shape of another tensor.",
)
view_as = composite(
    "view_as", lambda input, other: view(input, as_node(other).shape), args="input, other", family="shape",
    torch="Tensor.view_as", doc="The elements in the shape of another tensor, without copying.",
)
unflatten = composite(
    "unflatten", _unflatten, args="input, dim, sizes: shape", family="shape",
    doc="A dimension split into several; one length may be -1.",
    example=("unflatten(input, 0, (-1, 1))", "input:1"),
)
ravel = composite("ravel", _ravel, family="shape", doc="All elements in one dimension.", numpy="ravel")
sum_to_size = composite(
    "sum_to_size", _sum_to_size, args="input, *size", family="shape", torch="Tensor.sum_to_size",
    doc="Sums over the dimensions along which the given shape would be broadcast to that of the tensor.",
    example=("sum_to_size(input, 1)", "input:1"),
)


def _of_matrix(input: Any) -> Node:
    x = as_node(input)
    if x.ndim not in (0, 2):
        raise SizeError("H takes a matrix, the tensor has shape {}", x.shape, hint="use mH for batches")
    return transpose(x, 0, 1) if x.ndim else x


def _of_matrices(input: Any) -> Node:
    x = as_node(input)
    return m_t(x) if x.ndim else x


h = composite(
    "H", _of_matrix, family="shape", torch="Tensor.H", attribute=True,
    doc="Transpose of a matrix, written x.H; all numbers are real.", latex=big_t.latex,
)
m_h = composite(
    "mH", _of_matrices, family="shape", torch="Tensor.mH", attribute=True,
    doc="The last two dimensions swapped, written x.mH; all numbers are real.", latex=m_t.latex,
)
adjoint = composite(
    "adjoint", _of_matrices, family="shape",
    doc="The last two dimensions swapped; all numbers are real.",
)


def _itself(name: str, doc: str) -> Op:
    return composite(name, lambda input: as_node(input), family="shape", doc=doc)


real = _itself("real", "The tensor itself: all numbers are real.")
resolve_neg = _itself("resolve_neg", "The tensor itself; in PyTorch, a negation that was delayed is carried out.")


# Turned ---------------------------------------------------------------------------------------------------------------


def _flipping(name: str, dim: int, doc: str) -> Op:
    def build(input: Any) -> Node:
        x = as_node(input)
        if x.ndim <= dim:
            least = "1 dimension" if not dim else "2 dimensions"
            raise SizeError("{}() needs at least {}, the tensor has shape {}", name, least, x.shape)
        return flip(x, (dim,))

    return composite(name, build, family="shape", doc=doc, numpy=name)


flipud = _flipping("flipud", 0, "The rows in reverse order.")
fliplr = _flipping("fliplr", 1, "The columns in reverse order.")


def _rot90(input: Any, k: Any, dims: Any) -> Node:
    x, turns = as_node(input), as_int(k, "k") % 4
    axes = [normalize_axis(d, x.ndim) for d in sizes((0, 1) if dims is None else dims, "dims")]
    if len(axes) != 2 or axes[0] == axes[1] or x.ndim < 2:
        raise GradcliError("rot90() needs two different dimensions", argument="dims")
    if turns == 2:
        result = flip(x, axes)
    elif turns:
        result = transpose(flip(x, (axes[1] if turns == 1 else axes[0],)), *axes)
    else:
        result = x
    return one_step("Rot90Backward0", result, x)


rot90 = composite(
    "rot90", _rot90, args="input, k: int=1, dims: plane=None", family="shape",
    doc="Rotation by k times 90 degrees in the plane of two dimensions, the first two unless given.", numpy="rot90",
    example="input:2",
)


diagflat = composite(
    "diagflat", lambda input, offset: diag_embed(_ravel(input), offset), args="input, offset: int=0", family="diagonal",
    doc="A matrix of zeros with the elements as its diagonal.", numpy="diagflat",
    example="input:1",
)


# Windows --------------------------------------------------------------------------------------------------------------


def _unfold(input: Any, dimension: Any, size: Any, step: Any) -> Node:
    x = as_node(input)
    axis, length, by = normalize_axis(dimension, x.ndim), as_int(size, "size"), as_int(step, "step")
    have = x.shape[axis] if x.ndim else 1
    if not 0 <= length <= have:
        raise SizeError("unfold() needs windows of at most {} elements, got {}", have, length)
    if by < 1:
        raise GradcliError(f"unfold() needs a step of at least 1, got {by}", argument="step")
    base = x if x.ndim else reshape(x, (1,))
    windows = make(unfold, (base,), {"dim": axis, "size": length, "step": by})
    return windows if x.ndim else one_step("UnfoldBackward0", reshape(windows, (length,)), x)


def _unfold_infer(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    x, dim, size, step = inputs[0], params["dim"], params["size"], params["step"]
    return (*x.shape[:dim], (x.shape[dim] - size) // step + 1, *x.shape[dim + 1 :], size), x.dtype


def _unfold_kernel(x: Any, dim: int, size: int, step: int) -> Any:
    shape = (*x.shape[:dim], (x.shape[dim] - size) // step + 1, *x.shape[dim + 1 :], size)
    strides = (*x.strides[:dim], x.strides[dim] * step, *x.strides[dim + 1 :], x.strides[dim])
    return strided(x, shape, strides)


def _unfold_layout(inputs: tuple[Node, ...], params: Params, shape: Shape) -> Shape | None:
    strides, dim = strides_of(inputs[0]), params["dim"]
    turned = (*strides[:dim], strides[dim] * params["step"], *strides[dim + 1 :], strides[dim])
    return layout.normalize(shape, turned)


def _fold_kernel(g: Any, shape: Shape, dim: int, size: int, step: int) -> Any:
    out = np.zeros(shape, g.dtype)
    count = g.shape[dim]
    for k in range(size):
        # Windows do not reach the same element twice with the same place.
        out[(slice(None),) * dim + (slice(k, k + (count - 1) * step + 1, step),)] += g[..., k]
    return out


def _refuse_windows(node: Node, x: Node, new: Node) -> Node:
    raise GradcliError("the windows of unfold() cannot be changed in place", hint="use clone()")


unfold: Op = primitive(
    "unfold", _unfold_kernel, _unfold_infer, family="shape", args="input, dimension: dim, size: int, step: int",
    build=_unfold, torch="Tensor.unfold",
    doc="Sliding windows along a dimension, their elements along a new last dimension.",
    vjp=lambda g, out, x, **how: (make(fold, (g,), {"shape": x.shape, **how}),), layout=_unfold_layout, batching=LINEAR,
    blocking=Blocking(lambda node, dim: None if dim in (node.params["dim"], node.ndim - 1) else (dim,), view=True),
    example=("unfold(input, 0, 2, 1)", "input:1"), text=spelling.every("dim", "size", "step"), tame=True,
    shares=True, put=_refuse_windows,
)
fold: Op = primitive(
    "_fold", _fold_kernel, given_shape, family="reduction", doc="The sum of windows, each added where it was taken.",
    grad_fn="UnfoldBackwardBackward0", batching=LINEAR, vjp=lambda h, out, g, shape, **how: (make(unfold, (h,), how),),
    blocking=Blocking(except_along), formula=places.folded,
)


# By strides -----------------------------------------------------------------------------------------------------------


def _strided_places(x: Node, size: Any, stride: Any, offset: Any) -> np.ndarray:
    """Where elements lie among those of `x` in row-major order."""
    lengths, steps = sizes(size, "a length"), sizes(stride, "a stride")
    first = 0 if offset is None else as_int(offset, "storage_offset")
    if x.strides is not None:
        hint = "write contiguous() before it"
        raise GradcliError("as_strided() counts in memory, and the tensor is not in row-major order", hint=hint)
    if len(lengths) != len(steps) or min([*lengths, *steps, first], default=0) < 0:
        raise GradcliError("as_strided() needs a stride for each length, and none of them negative")
    if math.prod(lengths) > _MOST_INDICES:
        message = "as_strided() would write {} places into the graph, more than {}"
        raise SizeError(message, math.prod(lengths), _MOST_INDICES)
    last = first + sum((n - 1) * by for n, by in zip(lengths, steps, strict=True))
    if math.prod(lengths) and last >= x.size:
        raise SizeError("as_strided() reaches place {} of a tensor of {} elements", last, x.size)
    found = np.full((), first, INT64)
    for n, by in zip(lengths, steps, strict=True):
        found = found[..., None] + by * np.arange(n)
    return found


def _as_strided(input: Any, size: Any, stride: Any, storage_offset: Any) -> Node:
    x = as_node(input)
    picked = constant(_strided_places(x, size, stride, storage_offset))
    found = make(index_, (reshape(x, (-1,)), picked), {"dims": (0,), "name": "IndexBackward0"})
    return one_step("AsStridedBackward0", found, x)


as_strided = composite(
    "as_strided", _as_strided, args="input, size: lengths, stride: lengths, storage_offset: int=None", family="index",
    doc="The elements at the given strides through a tensor in row-major order.",
    example=("as_strided(input, (1, 2), (1, 1))", "input:1"),
)
