"""Elements put at places of another tensor: instead of what is there, added to it, or taken together with it."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_choice, as_flag, as_node, as_number, normalize_axis
from gradcli.graph.dtypes import BOOL
from gradcli.graph.infer import cast
from gradcli.graph.native_forms import Dims, NativeAdded
from gradcli.graph.node import CONSTANT, Node, constant, fitted, make
from gradcli.graph.op import Blocking, Op, Shape
from gradcli.ops.elementwise import eq, ne, scaled, where
from gradcli.ops.family import apply, call, composite, primitive
from gradcli.ops.gather import (
    added_in_rows,
    check_index,
    cost_of_sums,
    gathered,
    index_node,
    looked_at,
    placed,
    take,
    wrapped,
)
from gradcli.ops.index import gather_at
from gradcli.ops.kernels import picking
from gradcli.ops.notation import spelling
from gradcli.ops.reduce import recurrence_of, shifted
from gradcli.ops.shape import cat, expand, narrow, reshape


def _own(step: Any, *names: str) -> dict[str, Any]:
    return {name: step.params[name] for name in names}


# Put and added along a dimension --------------------------------------------------------------------------------------


def _flattened(index: Any, shape: Shape, dim: int | None) -> Any:
    """Places along a dimension, or of the flattened tensor, as places of that."""
    if dim is not None and shape and index.ndim:
        return picking.flat_places(index, shape, dim)
    picking.check_places(index, math.prod(shape), dim or 0)
    return index


def _put_kernel(x: Any, *operands: Any, **params: Any) -> Any:
    out = np.empty(x.shape, x.dtype)
    _put_into(out, x, *operands, **params)
    return out


def _put_into(out: Any, x: Any, index: Any, source: Any, dim: int | None, add: bool, name: str) -> None:
    source = np.broadcast_to(source, index.shape)
    if add and dim is not None and picking.added_along(out, x, index, source, dim):
        return
    flat = _flattened(index, x.shape, dim)
    if add:
        out[...] = picking.added_up(x, flat, source)
        return
    made = out if out.flags.c_contiguous else np.empty(out.shape, out.dtype)
    made[...] = x
    # What comes later stays.
    made.reshape(-1)[flat.reshape(-1)] = source.reshape(-1)
    if made is not out:
        out[...] = made


def _put_vjp(
    g: Node, out: Node, x: Node, index: Node, source: Node, dim: int | None, add: bool, name: str
) -> tuple[Node, None, Node]:
    back = _at(g, dim, index)
    if add:
        return g, None, back
    stays = make(last, (index,), {"shape": x.shape, "dim": dim})
    return put_along(g, dim, index, _nothing(g, dim, index), name=name), None, where(stays, back, 0)


def _put_textbook(
    g: Node, out: Node, x: Node, index: Node, source: Node, dim: int | None, add: bool, name: str
) -> tuple[Node, None, Node]:
    """Where no two indices are equal."""
    to_x = g if add else put_along(g, dim, index, _nothing(g, dim, index), name=name)
    return to_x, None, _at(g, dim, index)


def _nothing(g: Node, dim: int | None, index: Node) -> Node:
    """Zeros to put: `put` takes as many as there are indices."""
    return constant(0, g.dtype) if dim is not None else call("zeros", index.shape, dtype=g.dtype)


def _at(x: Node, dim: int | None, index: Node) -> Node:
    return take(x, index) if dim is None else gathered(x, dim, index)


def _last_kernel(index: Any, shape: Shape, dim: int | None) -> Any:
    flat = _flattened(index, shape, dim)
    own = np.arange(index.size)
    there = np.zeros(math.prod(shape), np.int64)
    there[flat.reshape(-1)] = own
    return (there[flat.reshape(-1)] == own).reshape(index.shape)


def _last_follow(node: Node, dim: int) -> Dims | None:
    index, shape = node.inputs[0], node.params["shape"]
    if node.params["dim"] in (None, dim) or index.ndim != len(shape) or index.shape[dim] != shape[dim]:
        return None
    return (dim,)


last = primitive(
    "_last", _last_kernel, lambda inputs, params: (inputs[0].shape, BOOL), family="scatter", args="index",
    blocking=Blocking(_last_follow),
    doc="True for each index that is not followed by an equal one: what is put there stays.",
    text=spelling.last, formula=lambda c, s: c.call(s, "last", _own(s, "dim", "shape")),
)


def _put_follow(node: Node, dim: int) -> Dims | None:
    x, index, source = node.inputs
    if node.params["dim"] in (None, dim) or not index.ndim or index.shape[dim] != x.shape[dim]:
        return None
    own = dim - x.ndim + source.ndim
    return dim, dim, own if own >= 0 and source.shape[own] != 1 else None


# What PyTorch calls the putting of a number, which has no edge.
_OF_NUMBERS = {"ScatterBackward1", "IndexFillBackward0"}

put_: Op = primitive(
    "_put_along", _put_kernel, into=_put_into, family="scatter", args="input, index, source", vjp=_put_vjp,
    textbook=_put_textbook, textbook_whole=_put_vjp,
    grad_fn=lambda node: (node.params["name"], node.inputs[: 1 if node.params["name"] in _OF_NUMBERS else None : 2]),
    doc="Elements put at places along a dimension, or added there.", blocking=Blocking(_put_follow), cost=cost_of_sums,
    native=NativeAdded(lambda node: added_in_rows(node, 0, 2, 1) if node.params["add"] else None, looked_at),
    formula=lambda c, s: c.call(s, "put_along", _own(s, "dim", "add")),
    text=spelling.put,
)


def put_along(
    x: Node, dim: int | None, index: Node, source: Node, add: bool = False, name: str = "ScatterBackward0"
) -> Node:
    """`x` with a source put at, or added to, the places of `index` along a dimension, or in the flattened tensor."""
    if dim is not None:
        check_index(x, dim, index, "scatter")
    if index.op is CONSTANT:
        length = x.size if dim is None or not x.ndim else x.shape[dim]
        picking.check_places(index.params["value"], length, dim or 0)
    return make(put_, (x, index, source), {"dim": dim, "add": add, "name": name})


def _value(node: Node, x: Node, name: str) -> Node:
    """A number that is put, in the dtype of the tensor."""
    if node.ndim:
        raise SizeError("{}() puts a number or a tensor of one, got shape {}", name, node.shape, argument="value")
    return constant(fitted(node.params["number"], x.dtype)) if node.weak else cast(node, x.dtype)


def check_alike(x: Node, source: Node, name: str, argument: str) -> None:
    """Refuse a source of another dtype, as PyTorch does."""
    if source.dtype != x.dtype:
        message = f"{name}() takes a source of the tensor's dtype: {x.dtype} and {source.dtype}"
        raise GradcliError(message, argument=argument)


def _sources(x: Node, dim: int, index: Node, src: Any, name: str) -> tuple[Node, Node]:
    """The index, and as much of the source as it is large."""
    source = as_node(src)
    check_alike(x, source, name, "src")
    if not index.size:
        index = _nowhere(x, dim, index)
        if source.shape == index.shape:
            return index, source
        return index, reshape(narrow(reshape(source, (source.size,)), 0, 0, 0), index.shape)
    if max(source.ndim, 1) != max(index.ndim, 1) or any(n > m for n, m in zip(index.shape, source.shape, strict=False)):
        raise SizeError("{}() has an index of shape {} for a source of shape {}", name, index.shape, source.shape)
    if source.ndim != index.ndim:
        return index, reshape(source, index.shape)
    for d, length in enumerate(index.shape):
        source = narrow(source, d, 0, length)
    return index, source


def _nowhere(x: Node, dim: int, index: Node) -> Node:
    """An index without elements, which PyTorch takes in any shape, in one that fits the tensor."""
    shape = x.shape or (1,)
    if index.ndim == len(shape) and all(n <= shape[k] or k == dim for k, n in enumerate(index.shape)):
        return index
    return reshape(index, (0,) * len(shape))


def _scattered(input: Any, dim: Any, index: Any) -> tuple[Node, int, Node]:
    x = as_node(input)
    return x, normalize_axis(dim, x.ndim), index_node(index)


def _scatter(input: Any, dim: Any, index: Any, src: Any, value: Any, reduce: Any) -> Node:
    x, axis, places = _scattered(input, dim, index)
    if (src is None) == (value is None):
        raise GradcliError("scatter() puts a source or a value, one of them", argument="src")
    given = as_node(src if value is None else value)
    number = value is not None or given.weak
    if number:
        source = _value(given, x, "scatter")
        places = places if places.size else _nowhere(x, axis, places)
    else:
        places, source = _sources(x, axis, places, given, "scatter")
    if reduce is not None:
        check_index(x, axis, places, "scatter")
        how = as_choice(reduce, "reduce", ("add", "multiply"))
        full = expand(source, places.shape) if source.shape != places.shape else source
        name = "ScatterAddBackward0" if how == "add" else "ScatterReduceBackward0"
        return _reduced(x, axis, places, full, {"add": "sum", "multiply": "prod"}[how], True, name)
    return put_along(x, axis, places, source, name=f"ScatterBackward{int(number)}")


def _scatter_add(input: Any, dim: Any, index: Any, src: Any) -> Node:
    x, axis, places = _scattered(input, dim, index)
    places, source = _sources(x, axis, places, src, "scatter_add")
    return put_along(x, axis, places, source, True, "ScatterAddBackward0")


scatter = composite(
    "scatter", _scatter, family="scatter",
    args="input, dim, index: places, src: tensor=None, value: number=None, *, reduce: scattering=None",
    doc="The tensor with a source or a value put at each index along a dimension; of equal indices the last one "
    "counts. reduce adds or multiplies instead.",
    example=("scatter(input, 0, index, src)", "input:1 index:1:int64 src:1"), in_place=True,
)
scatter_add = composite(
    "scatter_add", _scatter_add, args="input, dim, index: places, src: tensor", family="scatter",
    doc="The tensor with a source added at each index along a dimension, one after the other.",
    example=("scatter_add(input, 0, index, src)", "input:1 index:1:int64 src:1"), in_place=True,
)


# By a vector of indices -----------------------------------------------------------------------------------------------


def _lines_kernel(x: Any, index: Any, source: Any) -> Any:
    if source.size:
        # Where slices have no elements PyTorch looks at no place.
        picking.check_places(index, len(x), 0)
    # Floats are added up in float64, as at places of their own.
    total = np.array(x, np.float64 if x.dtype.kind == "f" else x.dtype, order="C")
    picking.add_lines(total, index, source)
    return total.astype(x.dtype, copy=False)


def _lines_vjp(g: Node, out: Node, x: Node, index: Node, source: Node) -> tuple[Node, None, Node]:
    back = gather_at(g, {0: index}, "IndexSelectBackward0") if source.size else call("zeros_like", source)
    return g, None, back


def _lines_follow(node: Node, dim: int) -> Dims | None:
    """Slices that are longer than there are many of them are added in blocks, and need not be in memory as a whole."""
    return (dim, None, dim) if dim and node.shape[dim] > node.inputs[1].size else None


def _added_lines(node: Node) -> tuple[int, int | None, int, int] | None:
    return (0, 0, 2, 1) if node.dtype.kind == "f" and node.inputs[1].size else None


lines_added: Op = primitive(
    "_lines_added", _lines_kernel, family="scatter", args="input, index, source", vjp=_lines_vjp,
    grad_fn=lambda node: ("IndexAddBackward0", node.inputs[::2]), text=spelling.lines_added,
    doc="Slices added at a list of places along the first dimension.", blocking=Blocking(_lines_follow),
    native=NativeAdded(_added_lines, looked_at), formula=lambda c, s: c.call(s, "lines_added"),
)


def _by_vector(input: Any, dim: Any, index: Any, source: Any, name: str) -> tuple[Node, int, Node, Node]:
    """The tensor, its dimension, a vector of indices, and the source."""
    x, axis, vector = _scattered(input, dim, index)
    values = as_node(source)
    if vector.ndim > 1:
        raise SizeError("{}() takes a vector of indices, got shape {}", name, vector.shape, argument="index")
    check_alike(x, values, name, "source")
    vector = reshape(vector, (vector.size,)) if not vector.ndim else vector
    if not x.ndim:
        return x, axis, vector, reshape(values, (values.size,))
    if not values.ndim and x.ndim == 1:
        values = reshape(values, (1,))
    rest = (*x.shape[:axis], vector.size, *x.shape[axis + 1 :])
    if values.shape != rest:
        raise SizeError("{}() needs a source of shape {}, got {}", name, rest, values.shape, argument="source")
    return x, axis, vector, values


def _of_all(x: Node, axis: int, vector: Node, values: Node) -> Node:
    """A vector of indices as one of each element of the source."""
    return spread(vector, axis, values.shape) if x.ndim else vector


def spread(vector: Node, axis: int, shape: Shape) -> Node:
    """A vector of indices, the same along all other dimensions."""
    return expand(reshape(vector, tuple(vector.size if d == axis else 1 for d in range(len(shape)))), shape)


def _index_add(input: Any, dim: Any, index: Any, source: Any, alpha: Any) -> Node:
    x, axis, places, values = _by_vector(input, dim, index, source, "index_add")
    factor = as_number(alpha, "alpha")
    if factor != 1:
        values = apply(scaled, values, factor if x.is_floating else int(factor))
    if x.ndim < 2 or axis:
        return put_along(x, axis, _of_all(x, axis, places, values), values, True, "IndexAddBackward0")
    if places.op is CONSTANT and values.size:
        picking.check_places(places.params["value"], x.shape[0], 0)
    return make(lines_added, (x, places, values))


def _index_copy(input: Any, dim: Any, index: Any, source: Any) -> Node:
    x, axis, places, values = _by_vector(input, dim, index, source, "index_copy")
    return put_along(x, axis, _of_all(x, axis, places, values), values, name="IndexCopyBackward0")


def _index_fill(input: Any, dim: Any, index: Any, value: Any) -> Node:
    x, axis, vector = _scattered(input, dim, index)
    given = as_node(value)
    number, name = _value(given, x, "index_fill"), f"IndexFillBackward{0 if given.weak else 1}"
    vector = reshape(wrapped(vector, x.shape[axis] if x.ndim else 1), (vector.size,))
    shape = (*x.shape[:axis], vector.size, *x.shape[axis + 1 :]) if x.ndim else vector.shape
    return put_along(x, axis, spread(vector, axis, shape), number, name=name)


index_add = composite(
    "index_add", _index_add, args="input, dim, index: places, source: tensor, *, alpha=1", family="scatter",
    doc="The tensor with alpha times the slices of a source added at a list of indices of a dimension.",
    example=("index_add(input, 0, index, source)", "input:1 index:1:int64 source:1"), words=("accumarray",),
    in_place=True,
)
index_copy = composite(
    "index_copy", _index_copy, args="input, dim, index: places, source: tensor", family="scatter",
    doc="The tensor with the slices of a source at a list of indices of a dimension.",
    example=("index_copy(input, 0, index, source)", "input:1 index:1:int64 source:1"), in_place=True,
)
index_fill = composite(
    "index_fill", _index_fill, args="input, dim, index: places, value: number|tensor", family="scatter",
    doc="The tensor with a number at a list of indices of a dimension.",
    example=("index_fill(input, 0, index, 0)", "input:1 index:1:int64"), in_place=True,
)


# Taken together with what is there ------------------------------------------------------------------------------------

_UFUNCS: dict[str, tuple[Any, Any]] = {
    "sum": (np.add, 0), "mean": (np.add, 0), "prod": (np.multiply, 1),
    "amax": (np.maximum, -np.inf), "amin": (np.minimum, np.inf),
}


def _reduce_kernel(x: Any, index: Any, source: Any, dim: int, reduce: str, include: bool, name: str) -> Any:
    flat = _flattened(index, x.shape, dim).reshape(-1)
    ufunc, start = _UFUNCS[reduce]
    floating, extreme = x.dtype.kind == "f", reduce in ("amax", "amin")
    out = np.array(x, np.float64 if floating and not extreme else x.dtype, order="C").reshape(-1)
    if not include:
        # What is put first counts alone.
        out[flat] = start if floating or not extreme else _far_end(x.dtype, start)
    picking.combine_at(ufunc, out, flat, source.reshape(-1))
    if reduce == "mean":
        counts = np.bincount(flat, minlength=out.size) + int(include)
        np.maximum(counts, 1, out=counts)
        out = out / counts if floating else out // counts
    return out.astype(x.dtype).reshape(x.shape)


def _far_end(dtype: np.dtype, start: float) -> Any:
    if dtype.kind == "b":
        return start > 0
    return np.iinfo(dtype).max if start > 0 else np.iinfo(dtype).min


def _reduce_vjp(
    g: Node, out: Node, x: Node, index: Node, source: Node, dim: int, reduce: str, include: bool, name: str
) -> tuple[Node, None, Node]:
    if reduce == "prod":
        to_x, to_source = _product_vjp(g, x, index, source, dim, include)
        return to_x, None, to_source
    share = g
    if reduce == "mean":
        counts = put_along(_ones(x, include), dim, index, _ones(source, True), True)
        share = g / (counts if include else call("clamp_min", counts, 1))
    elif reduce != "sum":
        here = call("to", _same(x, out), x.dtype)
        here = here if include else put_along(here, dim, index, constant(0, x.dtype))
        there = call("to", _same(source, gathered(out, dim, index)), x.dtype)
        share = g / put_along(here, dim, index, there, True)
        return share * here, None, gathered(share, dim, index) * there
    return share if include else put_along(share, dim, index, constant(0, x.dtype)), None, gathered(share, dim, index)


def _ones(x: Node, ones: bool) -> Node:
    return call("full", x.shape, int(ones), dtype=x.dtype)


def _same(x: Node, extreme: Node) -> Node:
    """True for what is an extreme: NaN is where there is one."""
    return where(call("isnan", extreme), call("isnan", x), eq(x, extreme))


def _product_vjp(g: Node, x: Node, index: Node, source: Node, dim: int, include: bool) -> tuple[Node, Node]:
    """The product of all others at the same place: from the left times from the right, so that zeros do not divide."""
    taken = None if include else put_along(call("full", x.shape, False, dtype=BOOL), dim, index, constant(True))
    x = x if taken is None else where(taken, 1, x)
    place = cat([call("arange", x.size), reshape(_flat(index, x.shape, dim), (-1,))], 0)
    order = call("argsort", place, 0, False, True)
    elements = take(cat([reshape(x, (-1,)), reshape(source, (-1,))], 0), order)
    sorted_place = take(place, order)
    first, last = (ne(shifted(sorted_place, 0, step, -1), sorted_place) for step in (-1, 1))
    before, after = (
        recurrence_of(call("to", end, x.dtype), where(end, 0, shifted(elements, 0, step)), 0, step > 0)
        for end, step in ((first, -1), (last, 1))
    )
    others = placed(before * after * take(g, sorted_place), order, (elements.size,), 0)
    to_x, to_source = (reshape(part, n.shape) for part, n in (
        (narrow(others, 0, 0, x.size), x), (narrow(others, 0, x.size, others.size), source)
    ))
    return to_x if taken is None else where(taken, 0, to_x), to_source


def _flat(index: Node, shape: Shape, dim: int) -> Node:
    """Places in the flattened tensor."""
    stride, total = 1, constant(np.zeros((), np.int64))
    for d in reversed(range(len(shape))):
        own = index if d == dim else reshape(call("arange", index.shape[d]), (-1, *(1,) * (len(shape) - d - 1)))
        total, stride = total + own * stride, stride * shape[d]
    return total if shape else index


def _reduced(x: Node, dim: int, index: Node, source: Node, reduce: str, include: bool, name: str) -> Node:
    return make(reduce_, (x, index, source), {"dim": dim, "reduce": reduce, "include": include, "name": name})


def _reduced_follow(node: Node, dim: int) -> Dims | None:
    # A source is as large as its index: it is not broadcast.
    return _put_follow(node, dim) and (dim, dim, dim)


reduce_: Op = primitive(
    "_scatter_reduced", _reduce_kernel, family="scatter", args="input, index, source", vjp=_reduce_vjp,
    grad_fn=lambda node: (node.params["name"], node.inputs[::2]), blocking=Blocking(_reduced_follow),
    doc="Elements taken together with those that are put at places along a dimension.",
    formula=lambda c, s: c.call(s, "scatter_reduce", {**_own(s, "dim", "reduce"), "include_self": s.params["include"]}),
)


def _scatter_reduce(input: Any, dim: Any, index: Any, src: Any, reduce: Any, include_self: Any) -> Node:
    x, axis, places = _scattered(input, dim, index)
    how, include = as_choice(reduce, "reduce", tuple(_UFUNCS)), as_flag(include_self, "include_self")
    places, source = _sources(x, axis, places, src, "scatter_reduce")
    check_index(x, axis, places, "scatter_reduce")
    return _reduced(x, axis, places, source, how, include, "ScatterReduceBackward0")


def _index_reduce(input: Any, dim: Any, index: Any, source: Any, reduce: Any, include_self: Any) -> Node:
    x, axis, places, values = _by_vector(input, dim, index, source, "index_reduce")
    how, include = as_choice(reduce, "reduce", tuple(_UFUNCS)), as_flag(include_self, "include_self")
    return _reduced(x, axis, _of_all(x, axis, places, values), values, how, include, "IndexReduceBackward0")


scatter_reduce = composite(
    "scatter_reduce", _scatter_reduce, family="scatter",
    args="input, dim, index: places, src: tensor, reduce: scattered, *, include_self=True",
    doc="The tensor with elements of a source taken together at each index along a dimension: their "
    "sum, prod, mean, amax or amin, with what was there or without.",
    example=("scatter_reduce(input, 0, index, src, 'sum')", "input:1 index:1:int64 src:1"), in_place=True,
)
index_reduce = composite(
    "index_reduce", _index_reduce, family="scatter",
    args="input, dim, index: places, source: tensor, reduce: scattered, *, include_self=True",
    doc="The tensor with the places of a source taken together at a list of places of a dimension: "
    "their sum, prod, mean, amax or amin, with what was there or without.",
    example=("index_reduce(input, 0, index, source, 'mean')", "input:1 index:1:int64 source:1"), in_place=True,
)
