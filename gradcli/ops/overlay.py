"""A tensor with a part of it replaced: what indices, a slice, a place, a diagonal or a mask choose."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_flag, as_int, as_node, axis_of, normalize_axis
from gradcli.graph.dtypes import BOOL
from gradcli.graph.infer import broadcast_shapes, cast
from gradcli.graph.node import Node, make
from gradcli.graph.op import WHOLE, Blocking, Op
from gradcli.ops.blocking import except_along
from gradcli.ops.diagonal import diagonal, put_on_diagonal
from gradcli.ops.elementwise import where
from gradcli.ops.family import call, composite, primitive
from gradcli.ops.gather import index_node, wrapped
from gradcli.ops.index import gather_at, getitem, index_add, select
from gradcli.ops.scatter import check_alike, put_along
from gradcli.ops.shape import cut, expand, reshape
from gradcli.ops.shape import narrow as between

# At indices -----------------------------------------------------------------------------------------------------------


def _index_put(input: Any, indices: Any, values: Any, accumulate: Any) -> Node:
    x, source = as_node(input), as_node(values)
    if not isinstance(indices, list | tuple):
        raise GradcliError("index_put() takes a tuple of indices, one for each dimension", argument="indices")
    source = cast(source, x.dtype) if source.weak else source
    check_alike(x, source, "index_put", "values")
    places = getitem(reshape(call("arange", x.size), x.shape), tuple(indices))
    if broadcast_shapes([places.shape, source.shape]) != places.shape:
        message = "values of shape {} do not fit places of shape {}"
        raise SizeError(message, source.shape, places.shape, argument="values")
    return put_along(x, None, places, source, as_flag(accumulate, "accumulate"), "IndexPutBackward0")


def _put(input: Any, index: Any, source: Any, accumulate: Any) -> Node:
    x, places, values = as_node(input), index_node(index), as_node(source)
    check_alike(x, values, "put", "source")
    if values.size != places.size:
        message = "put() takes as many elements as indices: {} and {}"
        raise SizeError(message, values.size, places.size, argument="source")
    values = values if values.shape == places.shape else reshape(values, places.shape)
    return put_along(x, None, wrapped(places, x.size), values, as_flag(accumulate, "accumulate"), "PutBackward0")


index_put = composite(
    "index_put", _index_put, args="input, indices: each, values: tensor, accumulate=False", family="overlay",
    doc="The tensor with values put at indices, a tuple of them as in x[indices], or with accumulate added there.",
    example=("index_put(input, (indices,), values)", "input:1 indices:1:int64 values:1"),
    measures=True, words=("scatternd",), in_place=True,
)
put = composite(
    "put", _put, args="input, index: places, source: tensor, accumulate=False", family="overlay", torch="Tensor.put",
    doc="The tensor with a source put at indices into the flattened tensor, or with accumulate added there.",
    example="input:1 index:1:int64 source:1", in_place=True,
)


# A part that has a name -----------------------------------------------------------------------------------------------


def _replacing(
    name: str, assign: Callable[..., None], part: Callable[..., Node], backward: str, blocking: Blocking, doc: str
) -> Op:
    """The tensor with a part replaced: `assign(array, source, **params)` does it, `part(node, **params)` takes it."""

    def kernel(x: Any, source: Any, **place: Any) -> Any:
        out = np.array(x, order="C")
        assign(out, source, **place)
        return out

    def vjp(g: Node, out: Node, x: Node, source: Node, **place: Any) -> tuple[Node, Node]:
        return make(op, (g, call("zeros", source.shape, dtype=g.dtype)), place), part(g, **place)

    def formula(c: Any, s: Any) -> Any:
        # The language counts the end of a slice as Python does.
        words = {"end" if word == "stop" else word: value for word, value in s.params.items()}
        return c.call(s, name[1:], words)

    op: Op = primitive(
        name, kernel, family="overlay", args="input, src", vjp=vjp, grad_fn=backward, blocking=blocking,
        doc=doc, formula=formula,
    )
    return op


def _replaced(op: Op, input: Any, src: Any, part: Callable[..., Node], **place: Any) -> Node:
    x, source = as_node(input), as_node(src)
    shape = part(x, **place).shape
    if source.shape != shape:
        raise SizeError("{}() replaces a part of shape {}, got {}", op.name[1:], shape, source.shape, argument="src")
    return make(op, (x, cast(source, x.dtype)), place)


def _set_slice(out: Any, source: Any, dim: int, start: int, stop: int, step: int) -> None:
    out[(slice(None),) * dim + (slice(start, stop, step),)] = source


def _set_place(out: Any, source: Any, dim: int, index: int) -> None:
    out[(slice(None),) * dim + (index,)] = source


def _select_follow(node: Node, dim: int) -> Any:
    own = node.params["dim"]
    return None if dim == own else (dim, dim - (dim > own))


_slice_put = _replacing(
    "_slice_scatter", _set_slice, cut, "SliceScatterBackward0", Blocking(except_along),
    "A range of a dimension replaced.",
)
_place_put = _replacing(
    "_select_scatter", _set_place, select, "SelectScatterBackward0", Blocking(_select_follow),
    "A place of a dimension replaced.",
)
_diagonal_put = _replacing(
    "_diagonal_scatter", put_on_diagonal, diagonal, "DiagonalScatterBackward0", WHOLE, "A diagonal replaced."
)


def _slice_scatter(input: Any, src: Any, dim: Any, start: Any, end: Any, step: Any) -> Node:
    x = as_node(input)
    axis, by = normalize_axis(dim, x.ndim), as_int(step, "step")
    if not x.ndim:
        raise GradcliError("slice_scatter() needs at least one dimension, the tensor has none")
    if by < 1:
        raise GradcliError(f"the step of a slice must be positive, got {by}", argument="step")
    ends = [None if end is None else as_int(end, name) for end, name in ((start, "start"), (end, "end"))]
    first, last, _ = slice(*ends).indices(x.shape[axis])
    return _replaced(_slice_put, x, src, cut, dim=axis, start=first, stop=max(first, last), step=by)


def _select_scatter(input: Any, src: Any, dim: Any, index: Any) -> Node:
    x = as_node(input)
    axis, place = normalize_axis(dim, x.ndim), as_int(index, "index")
    # Refuses what is out of range.
    select(x, axis, place)
    return _replaced(_place_put, x, src, select, dim=axis, index=place % x.shape[axis])


def _diagonal_scatter(input: Any, src: Any, offset: Any, dim1: Any, dim2: Any) -> Node:
    x = as_node(input)
    # Refuses dimensions that are none, or the same.
    diagonal(x, offset, dim1, dim2)
    first, second = normalize_axis(dim1, x.ndim), normalize_axis(dim2, x.ndim)
    return _replaced(_diagonal_put, x, src, diagonal, offset=as_int(offset, "offset"), dim1=first, dim2=second)


def _narrow(input: Any, dim: Any, start: Any, length: Any) -> Node:
    x = as_node(input)
    axis, count = axis_of(x, dim, "narrow"), as_int(length, "length")
    size = x.shape[axis]
    if isinstance(start, Node):
        if start.size != 1 or start.dtype.kind not in "iu":
            raise SizeError("narrow() starts at an integer, got a tensor of shape {}", start.shape, argument="start")
        places = wrapped(reshape(start, (1,)), size) + call("arange", max(count, 0))
        return gather_at(x, {axis: places}, "SliceBackward0")
    first = as_int(start, "start")
    first += size if first < 0 else 0
    if count < 0 or not 0 <= first <= size - count:
        message = "{} places from {} on are not in dimension {} of length {}"
        raise SizeError(message, count, first, axis, size, argument="length")
    return cut(x, axis, first, first + count)


slice_scatter = composite(
    "slice_scatter", _slice_scatter, family="overlay",
    args="input, src: tensor, dim: dim=0, start: place=None, end: behind=None, step: int=1",
    doc="The tensor with a range of a dimension replaced by a source.",
    example=("slice_scatter(input, src, 0, 1, 3)", "input:4x2 src:2x2"),
)
select_scatter = composite(
    "select_scatter", _select_scatter, args="input, src: tensor, dim, index: int", family="overlay",
    doc="The tensor with one index of a dimension replaced by a source.",
    example=("select_scatter(input, src, 0, 1)", "input:2x3x4 src:3x4"),
)
diagonal_scatter = composite(
    "diagonal_scatter", _diagonal_scatter, args="input, src: tensor, offset: place=0, dim1=0, dim2=1", family="overlay",
    doc="The tensor with the diagonal of two dimensions replaced by a source.",
    example="input:2x3x3 src:3x2",
)
narrow = composite(
    "narrow", _narrow, args="input, dim, start: place|tensor, length: int", family="overlay",
    doc="A range of a dimension of the given length, from start on.", example=("narrow(input, 0, 0, 1)", "input:1"),
)


# Where a mask is true -------------------------------------------------------------------------------------------------


def _masked_scatter_kernel(x: Any, mask: Any, source: Any) -> Any:
    out = np.array(x, order="C")
    count = int(np.count_nonzero(mask))
    if count > source.size:
        raise SizeError("the mask is true at {} places, the source has {} elements", count, source.size)
    out[mask] = source.reshape(-1)[:count]
    return out


def _masked_scatter_vjp(g: Node, out: Node, x: Node, mask: Node, source: Node) -> tuple[Node, None, Node]:
    """Each element of the source gets what comes to its place, those that are left over nothing."""
    order = call("clamp_min", call("cumsum", reshape(mask, (-1,)), 0) - 1, 0)
    chosen = reshape(where(mask, g, 0), (-1,))
    size = max(source.size, 1)
    back = make(index_add, (chosen, order), {"shape": (size,), "dims": (0,)})
    return where(mask, 0, g), None, reshape(between(back, 0, 0, source.size), source.shape)


def _masked_scatter(input: Any, mask: Any, source: Any) -> Node:
    x, chosen, values = as_node(input), as_node(mask), as_node(source)
    if chosen.dtype != BOOL:
        raise GradcliError(f"a mask holds booleans, not {chosen.dtype}", hint="compare, as in x > 0", argument="mask")
    check_alike(x, values, "masked_scatter", "source")
    shape = broadcast_shapes([x.shape, chosen.shape])
    x, chosen = (n if n.shape == shape else expand(n, shape) for n in (x, chosen))
    return make(masked_put, (x, chosen, values))


masked_put: Op = primitive(
    "_masked_scatter", _masked_scatter_kernel, family="overlay", args="input, mask, source",
    grad_fn=lambda node: ("MaskedScatterBackward0", node.inputs[::2]), vjp=_masked_scatter_vjp,
    doc="The elements of a source, one after the other, where a mask is true.",
)
masked_scatter = composite(
    "masked_scatter", _masked_scatter, args="input, mask: mask, source: tensor", family="overlay",
    doc="The tensor with the elements of a source, one after the other, where a mask is true.",
    example="input:1 mask:1:bool source:1", in_place=True,
)
