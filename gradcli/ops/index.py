"""Indexing: integers, slices, None and ... one dimension after the other, then lists and integer tensors together."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph import layout
from gradcli.graph.arguments import as_int, as_node, axis_of, holds_nodes, list_array, normalize_axis
from gradcli.graph.dtypes import INT64
from gradcli.graph.infer import broadcast_shapes, cast
from gradcli.graph.measured import measured
from gradcli.graph.native_forms import Dims, NativeLookup, NativeParts, NativeScatter, NativeSteps, NativeView
from gradcli.graph.node import CONSTANT, INPUT, Node, constant, make
from gradcli.graph.op import OPS, Blocking, Op, Params, Shape
from gradcli.ops import accumulators, batching
from gradcli.ops.batched_places import INDEXED, picked_place
from gradcli.ops.blocking import ALIGNED, aligned
from gradcli.ops.family import call, composite, given_shape, primitive
from gradcli.ops.formulas import places
from gradcli.ops.kernels.picking import add_lines, are_there, combine_at, lines_into
from gradcli.ops.notation import spelling
from gradcli.ops.shape import cut, embed, reshape, strides_of, unsqueeze


def _getitem(input: Any, index: Any) -> Node:
    """Follow PyTorch: each item of the index is a step of its own, list-like items are gathered for the end."""
    x = as_node(input)
    # A lone slice leaves a step even where it takes everything, as in x[:]; within a tuple it does not.
    lone = not isinstance(index, tuple) or len(index) == 1
    given = list(index) if isinstance(index, tuple) else [index]
    items = _expand_ellipsis([item if _is_basic(item) else _index_node(item) for item in given], x)
    gathered: dict[int, Node] = {}
    result, dim = x, 0
    for item in items:
        if item is None:
            result = unsqueeze(result, dim)
            dim += 1
        elif isinstance(item, slice):
            result = _take_slice(result, dim, item, lone)
            dim += 1
        elif _is_integer(item):
            result = _take_one(result, dim, as_int(item, "an index"))
        elif item.dtype.kind == "b":
            if not item.ndim:
                # True or False for all there is: a dimension of one place or none.
                result = unsqueeze(result, dim)
            places = _true_places(item, result.shape[dim : dim + item.ndim], dim)
            gathered.update(zip(range(dim, dim + len(places)), places, strict=True))
            dim += len(places)
        elif not item.ndim:
            # One place, as an integer is.
            result = gather_at(result, {dim: item}, _ONE_PLACE)
        else:
            gathered[dim] = item
            dim += 1
    if gathered:
        return gather_at(result, gathered)
    return alias(result) if result is x else result


def _is_basic(item: Any) -> bool:
    return item is None or item is Ellipsis or isinstance(item, slice) or _is_integer(item)


def _true_places(mask: Node, shape: Shape, dim: int) -> list[Node]:
    """Where a mask is true: a list of indices for each of its dimensions."""
    if mask.ndim and mask.shape != shape:
        message = "a mask of shape {} does not fit dimensions of shape {}, from dimension {} on"
        raise SizeError(message, mask.shape, shape, dim)
    return where_true(mask, "x[mask]")


def where_true(mask: Node, name: str) -> list[Node]:
    """A list of indices for each dimension of a mask, or for what has none; `name` is what asks for them."""
    hint = "where(mask, x, 0) has the shape of x, with 0 for what the mask leaves out"
    found = measured(mask, name, true_places, hint)
    if not mask.ndim:
        return [constant(np.zeros(found.shape[1], INT64))]
    if found.op is CONSTANT:
        return [constant(row) for row in found.params["value"]]
    return [select(found, 0, k) for k in range(mask.ndim)]


def true_places(mask: Any) -> np.ndarray:
    """Where an array is not zero: a row of indices for each dimension."""
    if not mask.ndim:
        return np.zeros((0, int(mask != 0)), INT64)
    return np.array(np.nonzero(mask), INT64).reshape(mask.ndim, -1)


def _is_integer(item: Any) -> bool:
    return isinstance(item, int | np.integer) and not isinstance(item, bool)


def _expand_ellipsis(items: list[Any], x: Node) -> list[Any]:
    """Replace `...` by as many full slices as it stands for; as many are understood at the end."""
    used, at = sum(_dims_of(item) for item in items), [k for k, item in enumerate(items) if item is Ellipsis]
    if len(at) > 1:
        raise GradcliError("an index can hold only one ellipsis (...)")
    if used > x.ndim:
        have = f"{x.ndim} dimension" + ("s" if x.ndim != 1 else "")
        raise SizeError("too many indices: {} for a tensor of {} (shape {})", used, have, x.shape)
    return [*items[: at[0]], *[_SKIP] * (x.ndim - used), *items[at[0] + 1 :]] if at else items


def _dims_of(item: Any) -> int:
    """How many dimensions an item of an index is about."""
    if item is None or item is Ellipsis:
        return 0
    return item.ndim if isinstance(item, Node) and item.dtype.kind == "b" else 1


# Native code writes lines of so few elements out place by place.
_SHORT = 32
#: Sums at places are added up block by block where there are up to so many, and so many times as many terms.
_MOST_SUMS, _LEAST = 1 << 16, 4

#: The step of an index without dimensions, which takes one place as an integer does.
_ONE_PLACE = "SelectBackward0"

#: A dimension that an ellipsis passes over: not even PyTorch's `:` leaves no trace.
_SKIP = slice(None, None, 0)


def _take_slice(x: Node, dim: int, item: slice, lone: bool) -> Node:
    if item is _SKIP:
        return x
    # Whole numbers of any size: those beyond the ends mean the ends.
    given = (item.start, item.stop, item.step)
    bounds = [v if v is None or type(v) is int else as_int(v, "a slice bound") for v in given]
    step = 1 if bounds[2] is None else bounds[2]
    if step < 1:
        raise GradcliError(f"the step of a slice must be positive, got {step}", hint="flip(x, dim) reverses the order")
    start, stop, step = slice(bounds[0], bounds[1], step).indices(x.shape[dim])
    stop = max(start, stop)
    if start == 0 and stop == x.shape[dim] and step == 1 and not lone:
        return x
    return cut(x, dim, start, stop, step)


def _take_one(x: Node, dim: int, index: int) -> Node:
    length = x.shape[dim]
    if not -length <= index < length:
        raise SizeError("index {} is out of range for dimension {} of length {}", index, dim, length)
    return make(select, (x,), {"dim": dim, "index": index % length})


def _index_node(item: Any) -> Node:
    node = listed_index(item)
    return integral(node, "an index") if node.dtype.kind != "b" else node


def listed_index(item: Any) -> Node:
    """A tensor, or a list in which numbers are integers."""
    if isinstance(item, list | tuple) and not hasattr(item, "_fields") and not holds_nodes(item):
        return constant(_index_array(item))
    return as_node(item)


def integral(node: Node, name: str) -> Node:
    """A node of integers; an input whose data comes later may hold them, since lists of numbers are floating-point."""
    if node.dtype.kind in "iu":
        # With few bits it could not be counted from the end; NumPy takes no index of uint64.
        return node if node.dtype in ("int32", "int64") else cast(node, INT64)
    if node.dtype.kind != "f" or node.op is not INPUT or node.params.get("data", node) is not None:
        hint = "convert it, as in i.long()"
        raise GradcliError(f"{name} must hold integers, not {node.dtype}", hint=hint)
    return make(whole_numbers, (node,))


def _whole_kernel(x: Any) -> Any:
    found = x.astype(INT64)
    if (found != x).any():
        raise GradcliError(f"an index must hold integers, this one has {x[found != x].flat[0]:g}")
    return found


def _index_array(items: Any) -> np.ndarray:
    """A nested list of indices as an array; in an index a tuple within the tuple is such a list too."""
    array = list_array(items)
    if not array.size:
        return array.astype(INT64)
    if array.dtype.kind == "f":
        raise GradcliError("a list of indices may hold only integers")
    return array


def gather_at(x: Node, gathered: dict[int, Node], name: str = "IndexBackward0") -> Node:
    """The elements at lists of indices, by the dimensions that they are for."""
    dims = tuple(sorted(gathered))
    indices = tuple(gathered[d] for d in dims)
    for dim, index in zip(dims, indices, strict=True):
        if index.op is not CONSTANT:
            continue
        values, length = index.params["value"], x.shape[dim]
        if not are_there(values, length, -length):
            worst = values.min() if values.min() < -length else values.max()
            raise SizeError("index {} is out of range for dimension {} of length {}", worst, dim, length)
    return make(index_, (x, *indices), {"dims": dims, "name": name})


def _index_infer(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    x, dims = inputs[0], params["dims"]
    picked = broadcast_shapes([i.shape for i in inputs[1:]])
    rest = [n for k, n in enumerate(x.shape) if k not in dims]
    at = picked_place(dims)
    return (*rest[:at], *picked, *rest[at:]), x.dtype


def _index_follow(node: Node, dim: int) -> Dims | None:
    x, *indices = node.inputs
    dims = node.params["dims"]
    at, picked = picked_place(dims), max(i.ndim for i in indices)
    if at <= dim < at + picked:
        own = (dim - at - picked + i.ndim for i in indices)
        return None, *(d if d >= 0 and i.shape[d] != 1 else None for d, i in zip(own, indices, strict=True))
    rest = [k for k in range(x.ndim) if k not in dims]
    return rest[dim if dim < at else dim - picked], *(None for _ in indices)


def _index_places(node: Node) -> tuple[Dims, Dims] | None:
    """Of a single index: what goes along with the dimensions of what it is taken from or added to, and with its own."""
    table = node if "shape" in node.params else node.inputs[0]
    index, *more = node.inputs[1:]
    if more:
        return None
    (dim,), picked = node.params["dims"], index.ndim
    own = (*range(dim), -1, *range(dim + picked, table.ndim - 1 + picked))
    return own, tuple(range(dim, dim + picked))


def _index_add_reduced(node: Node) -> list[Dims]:
    """Along the places elements are added up block by block, if there are many times as many as sums."""
    g, index, *more = node.inputs
    if more or g.dtype.kind != "f" or not _LEAST * node.size <= g.size or node.size > _MOST_SUMS:
        return []
    return [(node.params["dims"][0] + k, k) for k in range(index.ndim)]


def _index_add_follow(node: Node, dim: int) -> Dims | None:
    g, *indices = node.inputs
    dims = node.params["dims"]
    if dim in dims:
        return None
    at, picked = picked_place(dims), max(i.ndim for i in indices)
    place = [k for k in range(node.ndim) if k not in dims].index(dim)
    return (place if place < at else place + picked), *(None for _ in indices)


def _full_index(dims: Shape, indices: tuple[Any, ...]) -> tuple[Any, ...]:
    full: list[Any] = [slice(None)] * (max(dims) + 1)
    for dim, index in zip(dims, indices, strict=True):
        full[dim] = index
    return tuple(full)


def _index_kernel(x: Any, *indices: Any, dims: Shape, name: str) -> Any:
    try:
        return x[_full_index(dims, indices)]
    except IndexError:
        _check_all(x.shape, dims, indices)
        raise


def _index_into(out: Any, x: Any, *indices: Any, dims: Shape, name: str) -> None:
    if len(indices) > 1:
        out[...] = _index_kernel(x, *indices, dims=dims, name=name)
        return
    _check_places(indices[0], x.shape[dims[0]], dims[0])
    lines_into(out, x, indices[0], dims[0])


def _check_all(shape: Shape, dims: Shape, indices: tuple[Any, ...]) -> None:
    for dim, index in zip(dims, indices, strict=True):
        _check_places(index, shape[dim], dim)


def _add_lines(g: Any, index: Any, shape: Shape, dim: int) -> Any:
    """The same of a single index."""
    _check_places(index, shape[dim], dim)
    out = np.zeros((shape[dim], *shape[:dim], *shape[dim + 1 :]), g.dtype)
    add_lines(out, index, np.moveaxis(g, range(dim, dim + index.ndim), range(index.ndim)))
    return np.moveaxis(out, 0, dim)


def _index_add_kernel(g: Any, *indices: Any, shape: Shape, dims: Shape) -> Any:
    if len(indices) == 1 and g.size > indices[0].size > 0:
        return _add_lines(g, indices[0], shape, dims[0])
    out = np.zeros(shape, g.dtype)
    try:
        np.add.at(out, _full_index(dims, indices), g)
    except IndexError:
        _check_all(shape, dims, indices)
        raise
    return out


def _sums_at_places(arrays: list[Any], params: Params, start: int) -> tuple[Any, ...]:
    """The sums of a block in float64."""
    (g, index), shape, (dim,) = arrays, params["shape"], params["dims"]
    _check_places(index, shape[dim], dim)
    length, picked = shape[dim], range(dim, dim + index.ndim)
    places = index.ravel()
    lines = np.moveaxis(g, tuple(picked), tuple(k - dim - index.ndim for k in picked)).reshape(-1, places.size)
    sums = np.zeros((len(lines), length))
    for line, total in zip(lines, sums, strict=True):
        combine_at(np.add, total, places, line)
    return (np.moveaxis(sums.reshape((*shape[:dim], *shape[dim + 1 :], length)), -1, dim),)


def _check_places(index: Any, length: int, dim: int) -> None:
    """Complain about the first place that there is not."""
    if not are_there(index, length, -length):
        wrong = index[(index < -length) | (index >= length)].ravel()[0]
        raise SizeError("index {} is out of range for dimension {} of length {}", int(wrong), dim, length)


def _select_infer(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    x, dim = inputs[0], params["dim"]
    return x.shape[:dim] + x.shape[dim + 1 :], x.dtype


def _select_layout(inputs: tuple[Node, ...], params: Params, shape: Shape) -> Shape | None:
    strides, dim = strides_of(inputs[0]), params["dim"]
    return layout.normalize(shape, strides[:dim] + strides[dim + 1 :])


def _select_vjp(g: Node, out: Node, x: Node, dim: int, index: int) -> tuple[Node]:
    place = {"shape": x.shape, "dim": dim, "start": index, "stop": index + 1, "step": 1}
    return (make(embed, (unsqueeze(g, dim),), place),)


def _select(input: Any, dim: Any, index: Any) -> Node:
    x = as_node(input)
    return _take_one(x, axis_of(x, dim, "select"), as_int(index, "index"))


def _index_select(input: Any, dim: Any, index: Any) -> Node:
    x = as_node(input)
    # A single index is a list of one: the dimension stays.
    node = _index_node([index] if isinstance(index, int) else index)
    if node.dtype.kind == "b":
        raise GradcliError("index_select() takes integers, not booleans", hint="x[mask] takes a mask", argument="index")
    if node.ndim > 1:
        raise SizeError("index_select() takes a vector of indices, got shape {}", node.shape, argument="index")
    places = node if node.ndim else unsqueeze(node, 0)
    axis = normalize_axis(dim, x.ndim)
    if x.ndim:
        return gather_at(x, {axis: places}, "IndexSelectBackward0")
    if places.shape != (1,):
        raise SizeError("index_select() of no dimensions takes one index, got shape {}", places.shape, argument="index")
    chosen = gather_at(reshape(x, (1,)), {0: reshape(places, ())}, "IndexSelectBackward0")
    step = {"name": "IndexSelectBackward0", "flat": False}
    return make(OPS["_one_step"], (chosen, x), step) if x.requires_grad else chosen


whole_numbers = primitive(
    "_whole_numbers", _whole_kernel, lambda inputs, params: (inputs[0].shape, INT64), family="index",
    doc="Floating-point numbers that are whole, as integers.", blocking=ALIGNED, recast=True, refuses=True,
    formula=lambda c, s: s.inputs[0],
)
alias = primitive(
    "_alias", lambda x: x, family="index", grad_fn="AliasBackward0", doc="The tensor itself, as x[...] gives it.",
    vjp=lambda g, out, x: (g,), layout=lambda inputs, params, shape: inputs[0].strides, batching=batching.sums(0),
    blocking=Blocking(aligned, view=True), same=True, native=lambda v, x: x, shares=True, put=lambda node, x, new: new,
)
def _selected(node: Node) -> Any:
    dim = node.params["dim"]
    return [(k + (k >= dim), 0, 1) for k in range(node.ndim)], [(dim, node.params["index"])]


def _taken(node: Node) -> Any:
    """Places along one dimension that are known."""
    dim = node.params["dims"][0]
    found = _known_places(node, node.inputs[0].shape[dim])
    return None if found is None else (dim, lambda place: (0, int(found[place])))


def _known_places(node: Node, length: int) -> np.ndarray | None:
    """What a single index holds, if it is a vector that is part of the expression."""
    index, *more = node.inputs[1:]
    if more or index.ndim != 1 or index.op is not CONSTANT or not are_there(index.params["value"], length, -length):
        return None
    return np.asarray(index.params["value"]).astype(np.int64) % max(length, 1)


def _looked_at(node: Node) -> Any:
    """What complains about places out of range; None where they are part of the expression, and all there."""
    table, index, (dim,) = node if "shape" in node.params else node.inputs[0], node.inputs[1], node.params["dims"]
    length = table.shape[dim]
    if index.op is CONSTANT and are_there(index.params["value"], length, -length):
        return None
    return 1, lambda places: _check_places(places, length, dim)


select = primitive(
    "select", lambda x, dim, index: x[(slice(None),) * dim + (index,)], _select_infer, family="index", build=_select,
    args="input, dim, index: int", layout=_select_layout, vjp=_select_vjp,
    doc="One index of a dimension, which is dropped.", batching=batching.LINEAR,
    blocking=Blocking(lambda node, dim: (dim + (dim >= node.params["dim"]),), view=True),
    formula=lambda c, s: places.selected(c, s, **s.params), text=spelling.select, tame=True,
    example=("select(input, 0, 1)", "input:2"), native=NativeView(_selected), shares=True,
    put=lambda node, x, new: make(OPS["_select_scatter"], (x, new), node.params),
)
def _put_at(node: Node, x: Node, new: Node) -> Node:
    places: list[Any] = [slice(None)] * x.ndim
    for dim, index in zip(node.params["dims"], node.inputs[1:], strict=True):
        places[dim] = index
    return call("index_put", x, tuple(places), new)


index_ = primitive(
    "_index", _index_kernel, _index_infer, into=_index_into, family="index", doc="The elements at lists of indices.",
    grad_fn=lambda node: (node.params["name"], node.inputs[:1]),
    vjp=lambda g, out, x, *indices, dims, name: (
        make(index_add, (g, *indices), {"shape": x.shape, "dims": dims}), *(None for _ in indices)
    ),
    batching=INDEXED, blocking=Blocking(_index_follow), formula=places.indexed, text=spelling.indexed, refuses=True,
    native=NativeLookup(_index_places, NativeParts(_taken), _looked_at), put=_put_at,
    shares=lambda node: node.params["name"] == _ONE_PLACE,
)
def _added(node: Node) -> Node | None:
    """At each place of a dimension the sum of what goes there."""
    g, *indices = node.inputs
    dim, length = node.params["dims"][0], node.shape[node.params["dims"][0]]
    found = _known_places(node, length)
    if found is None or max(length, len(found)) > _SHORT:
        return None
    parts: list[Node | None] = [None] * length
    for k, place in enumerate(found):
        part, known = make(select, (g,), {"dim": dim, "index": k}), parts[place]
        parts[place] = part if known is None else known + part
    some = next((part for part in parts if part is not None), None)
    return None if some is None else call("stack", [call("zeros_like", some) if p is None else p for p in parts], dim)


_SUMS = accumulators.SUM._replace(partial=_sums_at_places)
index_add: Op = primitive(
    "_index_add", _index_add_kernel, given_shape, family="reduction",
    grad_fn=lambda node: ("IndexPutBackward0", node.inputs[:1]),
    vjp=lambda h, out, g, *indices, shape, dims: (
        make(index_, (h, *indices), {"dims": dims, "name": "IndexBackward0"}), *(None for _ in indices)
    ),
    doc="Zeros with elements added at lists of indices.", batching=INDEXED, refuses=True,
    blocking=Blocking(_index_add_follow, _index_add_reduced, _SUMS), formula=places.index_added,
    native=NativeScatter(_index_places, NativeSteps(_added), _looked_at),
)
index_select = composite(
    "index_select", _index_select, args="input, dim, index", family="index",
    doc="The slices at a list of indices along a dimension.",
    example=("index_select(input, 0, index)", "input:1 index:1:int64"),
)
getitem = composite(
    "getitem", _getitem, args="input, index: index", family="index", torch="Tensor.__getitem__",
    doc="Indexing, written x[...]: integers, slices, ..., None, lists and tensors of integers, and masks.",
    example=("input[0]", "input:2"),
    measures=True,
)
