"""Elements picked at places along a dimension, and their reverse: elements added up where they belong."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_flag, as_int, as_node, normalize_axis
from gradcli.graph.dtypes import INT64
from gradcli.graph.infer import broadcast_shapes
from gradcli.graph.measured import measured
from gradcli.graph.native_forms import Dims, NativeAdded, NativeLookup, NativeParts
from gradcli.graph.node import CONSTANT, Node, constant, make
from gradcli.graph.op import Blocking, Op, Params, Shape
from gradcli.ops.batching import LINEAR, written
from gradcli.ops.elementwise import clone, eq, where
from gradcli.ops.family import call, composite, given_shape, primitive
from gradcli.ops.index import gather_at, index_add, index_select, integral, listed_index
from gradcli.ops.kernels import picking
from gradcli.ops.notation import spelling
from gradcli.ops.shape import expand, reshape, unsqueeze


def index_node(value: Any, name: str = "index") -> Node:
    """A tensor of indices; a list of them is one of integers."""
    node = listed_index(value)
    if node.dtype.kind == "b":
        raise GradcliError(f"{name} must hold integers, not booleans", argument=name)
    return integral(node, name)


def _gather_infer(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    # An index that lacks the first dimensions is the same all along them.
    x, index = inputs
    return (*x.shape[: max(0, x.ndim - index.ndim)], *index.shape), x.dtype


def _gather_follow(node: Node, dim: int) -> Dims | None:
    x, index = node.inputs
    own = dim - node.ndim + index.ndim
    if not x.ndim or dim == node.params["dim"]:
        return None, own
    return (dim, own if own >= 0 else None) if x.shape[dim] == node.shape[dim] else None


def _placed_follow(node: Node, dim: int) -> Dims | None:
    g, index = node.inputs
    own = dim - node.ndim + index.ndim
    if dim == node.params["dim"] or g.shape[dim] != node.shape[dim]:
        return None
    return dim, own if own >= 0 else None


def _gather(input: Any, dim: Any, index: Any, sparse_grad: Any) -> Node:
    x, node = as_node(input), index_node(index)
    as_flag(sparse_grad, "sparse_grad")
    return gathered(x, normalize_axis(dim, x.ndim), node)


def check_index(x: Node, dim: int, index: Node, name: str) -> None:
    """Refuse an index that has other dimensions than the tensor, or is longer than it along others than `dim`."""
    if max(x.ndim, 1) != max(index.ndim, 1):
        message = "{}() needs an index with as many dimensions as the tensor: shapes {} and {}"
        raise SizeError(message, name, index.shape, x.shape)
    if x.ndim and index.ndim and any(n > x.shape[k] for k, n in enumerate(index.shape) if k != dim):
        hint = f"it may be longer along dimension {dim} only"
        raise SizeError("{}() has an index of shape {} for a tensor of shape {}", name, index.shape, x.shape, hint=hint)


def gathered(x: Node, dim: int, index: Node) -> Node:
    """The elements of `x` at the places that `index` has along a dimension."""
    if index.size:
        check_index(x, dim, index, "gather")
    elif x.ndim not in (0, index.ndim):
        return reshape(gathered(x, dim, reshape(index, (0,) * x.ndim)), index.shape)
    if index.op is CONSTANT:
        picking.check_places(index.params["value"], x.shape[dim] if x.ndim else 1, dim)
    if x.ndim and not index.ndim:
        return reshape(gathered(x, dim, unsqueeze(index, 0)), ())
    return make(gather, (x, index), {"dim": dim})


def placed(g: Node, index: Node, shape: Shape, dim: int) -> Node:
    """Zeros of a shape with each element of `g` added at its index along a dimension."""
    return make(placed_, (g, index), {"shape": shape, "dim": dim})


def selecting_vjp(g: Any, out: Any, x: Node, dim: int, **how: Any) -> tuple[Node]:
    """The gradient of values that were picked along a dimension goes to where they come from."""
    return (placed(g.values, out.indices, x.shape, dim) if x.ndim else g.values,)


def _lookup(node: Node) -> tuple[Dims, Dims] | None:
    """What goes along with the dimensions of the table, and with those of the index."""
    x, index = node.inputs
    if not x.ndim or not index.ndim:
        return None
    own = tuple(-1 if d == node.params["dim"] else d for d in range(x.ndim))
    return own, tuple(range(x.ndim - index.ndim, x.ndim))


def looked_at(node: Node) -> Any:
    """What complains about places out of range; None where they are part of the expression, and all there."""
    x, index = node if "shape" in node.params else node.inputs[0], node.inputs[1]
    dim = node.params.get("dim", 0)
    length = x.shape[dim] if x.ndim else 1
    if index.op is CONSTANT and picking.are_there(index.params["value"], length):
        return None
    return 1, lambda places: picking.check_places(places, length, dim)


def added_in_rows(node: Node, start: int | None, source: int, places: int) -> tuple[int, int | None, int, int] | None:
    """What a native form is told of these operands, if there are places for all of the result beside the dimension."""
    dim, index = node.params["dim"], node.inputs[places]
    rest = [k for k in range(node.ndim) if k != dim]
    if node.dtype.kind != "f" or dim is None or not node.ndim or index.ndim != node.ndim or not index.size:
        return None
    return (dim, start, source, places) if all(index.shape[k] == node.shape[k] for k in rest) else None


def cost_of_sums(node: Node) -> float:
    """Sums within rows, of which there is a native form, take NumPy long enough to compile it for some millions."""
    return 18.0 if node.params["dim"] is not None and node.dtype.kind == "f" and node.params.get("add", True) else 4.0


def _rows_of_table(node: Node) -> tuple[Dims, Dims] | None:
    return ((-1, node.ndim - 1), tuple(range(node.ndim - 1))) if node.ndim > 1 else None


#: Places that are part of the expression are not looked at one by one here.
_NO_PARTS = NativeParts(lambda node: None)

gather: Op = primitive(
    "gather", picking.picked, _gather_infer, family="gather", into=picking.picked_into,
    args="input, dim, index: places, *, sparse_grad=False", build=_gather,
    grad_fn=lambda node: ("GatherBackward0", node.inputs[:1]),
    vjp=lambda g, out, x, index, dim: (placed(g, index, x.shape, dim), None),
    doc="The element at each index along a dimension, at the same position along the others.",
    batching=LINEAR, blocking=Blocking(_gather_follow), native=NativeLookup(_lookup, _NO_PARTS, looked_at), cost=18.0,
    example=("gather(input, 0, index)", "input:1 index:1:int64"),
)
placed_: Op = primitive(
    "_placed", lambda g, index, shape, dim: picking.placed(g, index, shape, dim),
    given_shape, into=picking.placed_into, family="gather",
    grad_fn=lambda node: ("ScatterAddBackward0", node.inputs[:1]),
    vjp=lambda h, out, g, index, shape, dim: (make(gather, (h, index), {"dim": dim}), None),
    doc="Zeros with elements added at places along a dimension.", batching=LINEAR, blocking=Blocking(_placed_follow),
    native=NativeAdded(lambda node: added_in_rows(node, None, 0, 1), looked_at), cost=cost_of_sums,
    formula=lambda c, s: c.call(s, "placed", {"dim": s.params["dim"]}), text=spelling.placed,
)


def wrapped(index: Node, length: int) -> Node:
    """Indices of which negative ones count from the end."""
    if index.op is CONSTANT:
        values = index.params["value"]
        return constant(np.where(values < 0, values + length, values))
    return where(index < 0, index + length, index)


def _take_along_dim(input: Any, indices: Any, dim: Any) -> Node:
    x, index = as_node(input), index_node(indices, "indices")
    if dim is None:
        return gathered(reshape(x, (-1,)), 0, wrapped(reshape(index, (-1,)), x.size))
    if x.ndim != index.ndim:
        raise SizeError("take_along_dim() needs as many dimensions in both: shapes {} and {}", x.shape, index.shape)
    axis = normalize_axis(dim, x.ndim)
    if not x.ndim:
        return reshape(_take_along_dim(reshape(x, (1,)), reshape(index, (1,)), 0), ())
    index = wrapped(index, x.shape[axis])
    rest = broadcast_shapes([(*n.shape[:axis], 1, *n.shape[axis + 1 :]) for n in (x, index)])
    whole, there = ((*rest[:axis], n.shape[axis], *rest[axis + 1 :]) for n in (x, index))
    return gathered(expand(x, whole), axis, expand(index, there))


def _take_kernel(x: Any, index: Any) -> Any:
    picking.check_places(index, x.size, 0, -x.size)
    return np.take(x, index, mode="wrap")


def _take_vjp(g: Node, out: Node, x: Node, index: Node) -> tuple[Node, None]:
    flat = make(index_add, (g, index), {"shape": (x.size,), "dims": (0,)})
    return reshape(flat, x.shape), None


take_along_dim = composite(
    "take_along_dim", _take_along_dim, args="input, indices: places, dim: dim=None", family="gather",
    doc="gather with the other dimensions broadcast; without dim, from the flattened tensor.",
    example=("take_along_dim(input, indices, 0)", "input:1 indices:1:int64"),
)
take: Op = primitive(
    "take", _take_kernel, lambda inputs, params: (inputs[1].shape, inputs[0].dtype), family="gather",
    args="input, index: places", vjp=_take_vjp,
    build=lambda input, index: make(take, (as_node(input), index_node(index))),
    grad_fn=lambda node: ("TakeBackward0", node.inputs[:1]), doc="The elements at indices into the flattened tensor.",
    batching=written(lambda node: gather_at(reshape(node.inputs[0], (-1,)), {0: node.inputs[1]})),
    blocking=Blocking(lambda node, dim: (None, dim)), example="input:1 index:1:int64", numpy="take",
)


# Tables ---------------------------------------------------------------------------------------------------------------


def _embedding(
    input: Any, weight: Any, padding_idx: Any, max_norm: Any, norm_type: Any, scale_grad_by_freq: Any, sparse: Any
) -> Node:
    index, table = index_node(input, "input"), as_node(weight)
    if table.ndim != 2:
        raise SizeError("embedding() takes a table of rows, a matrix, got shape {}", table.shape, argument="weight")
    as_flag(sparse, "sparse")
    padding = None if padding_idx is None else normalize_axis(padding_idx, table.shape[0])
    if max_norm is not None:
        table = _bounded(table, max_norm, norm_type)
    params = {"padding": padding, "by_frequency": as_flag(scale_grad_by_freq, "scale_grad_by_freq")}
    return make(embedding_, (table, index), params)


def bounded_table(input: Any, weight: Any, max_norm: Any, norm_type: Any) -> dict[str, Node]:
    """The table after rows that were looked up have been shortened."""
    if max_norm is None:
        return {}
    table = call("detach", as_node(weight))
    looked_at = call("isin", call("arange", table.shape[0]), index_node(input, "input"))
    return {"weight": where(unsqueeze(looked_at, 1), _bounded(table, max_norm, norm_type), table)}


def _bounded(table: Node, max_norm: Any, norm_type: Any) -> Node:
    """Rows no longer than a norm, outside of all gradients."""
    sizes = call("norm", table, norm_type, 1, True)
    short = call("detach", where(sizes > max_norm, table * (max_norm / (sizes + 1e-7)), table) - table)
    return table + short


def _embedding_kernel(table: Any, index: Any, **how: Any) -> Any:
    out = np.empty((*index.shape, table.shape[1]), table.dtype)
    _embedding_into(out, table, index, **how)
    return out


def _embedding_into(out: Any, table: Any, index: Any, padding: int | None, by_frequency: bool) -> None:
    picking.check_places(index, len(table), 0)
    picking.lines_into(out, table, index)


def _embedding_vjp(
    g: Node, out: Node, table: Node, index: Node, padding: int | None, by_frequency: bool
) -> tuple[Node, None]:
    if padding is not None:
        g = where(unsqueeze(eq(index, padding), -1), 0, g)
    if by_frequency:
        ones = call("ones_like", index, dtype=table.dtype)
        counts = make(index_add, (ones, index), {"shape": table.shape[:1], "dims": (0,)})
        g = g / unsqueeze(take(counts, index), -1)
    return make(index_add, (g, index), {"shape": table.shape, "dims": (0,)}), None


embedding_: Op = primitive(
    "_embedding", _embedding_kernel, lambda inputs, params: ((*inputs[1].shape, inputs[0].shape[1]), inputs[0].dtype),
    family="gather", grad_fn=lambda node: ("EmbeddingBackward0", node.inputs[:1]), vjp=_embedding_vjp,
    into=_embedding_into, doc="Rows of a table.", native=NativeLookup(_rows_of_table, _NO_PARTS, looked_at),
    blocking=Blocking(lambda node, dim: (None, dim) if dim < node.ndim - 1 else (1, None)),
    batching=written(lambda node: gather_at(node.inputs[0], {0: node.inputs[1]})),
    formula=lambda c, s: c.call(s, "index", {"dims": (0,), "rank": 2}),
    text=lambda w, c: spelling.indexed(w, c._replace(params={"dims": (0,)})),
)
embedding = composite(
    "embedding", _embedding, family="gather", torch="nn.functional.embedding",
    updates=lambda input, weight, padding_idx, max_norm, norm_type, *how: bounded_table(
        input, weight, max_norm, norm_type
    ),
    args="input: places, weight, padding_idx: int=None, max_norm: number=None, norm_type=2.0, "
    "scale_grad_by_freq=False, sparse=False",
    doc="The rows of a table, `weight`, at indices.", example="input:1:int64 weight:2",
)


def _one_hot_kernel(index: Any, classes: int) -> Any:
    picking.check_places(index, classes, index.ndim)
    return (index[..., None] == np.arange(classes)).astype(np.int64)


# No more are taken from data: a wrong index would make a tensor that has no end.
_MOST_CLASSES = 1 << 40


def _classes(index: Any) -> Any:
    # As many elements as there are classes.
    count = max(0, int(index.max()) + 1) if index.size else 0
    if count > _MOST_CLASSES:
        raise GradcliError(f"{count:,} classes are too many", hint="num_classes says how many there are")
    return np.broadcast_to(np.int64(0), count)


def _one_hot(tensor: Any, num_classes: Any) -> Node:
    index, classes = index_node(tensor, "tensor"), as_int(num_classes, "num_classes")
    if classes < 0:
        # As many as there are.
        classes = measured(index, "one_hot(i)", _classes, "give num_classes").size
    return make(one_hot_, (index,), {"classes": classes})


one_hot_: Op = primitive(
    "_one_hot", _one_hot_kernel, lambda inputs, params: ((*inputs[0].shape, params["classes"]), INT64), family="gather",
    doc="1 at each index, 0 elsewhere.",
    formula=lambda c, s: c.call(s, "one_hot", {"num_classes": s.params["classes"]}),
    blocking=Blocking(lambda node, dim: (dim,) if dim < node.ndim - 1 else None),
)
one_hot = composite(
    "one_hot", _one_hot, args="tensor: places, num_classes: classes=-1", family="gather", torch="nn.functional.one_hot",
    doc="1 at each index along a new last dimension, 0 elsewhere; num_classes is its length, by default the largest "
    "index plus one.", example=("one_hot(tensor, 3)", "tensor:1:int64"),
    measures=True,
)


# What np.int64 holds, with room for the roundings of a sum.
_MOST_PLACES = 1 << 62


def _repeat_interleave(input: Any, repeats: Any, dim: Any, output_size: Any) -> Node:
    x = as_node(input)
    if dim is None:
        x, dim = reshape(x, (-1,)), 0
    axis = normalize_axis(dim, x.ndim)
    if not x.ndim:
        x = reshape(x, (1,))
    if output_size is not None:
        output_size = as_int(output_size, "output_size")
    if isinstance(repeats, int | np.integer):
        return _each_repeated(x, as_int(repeats, "repeats"), axis)
    counts = index_node(repeats, "repeats")
    if counts.ndim > 1 or counts.size not in (1, x.shape[axis]):
        message = "repeat_interleave() takes a number of repeats or one for each of {}, got shape {}"
        raise SizeError(message, x.shape[axis], counts.shape, argument="repeats")
    counts = expand(counts, (x.shape[axis],)) if counts.shape != (x.shape[axis],) else counts
    hint = "write the repeats as a list of numbers"
    total = measured(counts, "repeat_interleave(x, repeats)", _places_of_repeats, hint).size
    if output_size is not None and output_size != total:
        raise GradcliError(f"the repeats make {total} places, not {output_size}", argument="output_size")
    # Only their number is known here, so that the places themselves are planned for as any other tensor.
    ends, order = call("cumsum", counts, 0), call("arange", total)
    return index_select(x, axis, call("searchsorted", ends, order, right=True))


def _places_of_repeats(counts: Any) -> Any:
    # As many elements as there will be.
    if (counts < 0).any():
        raise GradcliError(f"repeats cannot be negative, got {int(counts.min())}", argument="repeats")
    total = counts.sum(dtype=np.float64)
    if total > _MOST_PLACES:
        raise SizeError("the repeats make {} places", f"{total:.6g}", argument="repeats")
    return np.broadcast_to(np.int8(0), int(counts.sum(dtype=np.int64)))


def _each_repeated(x: Node, times: int, axis: int) -> Node:
    if times < 0:
        raise GradcliError(f"repeats cannot be negative, got {times}", argument="repeats")
    shape = (*x.shape[: axis + 1], times, *x.shape[axis + 1 :])
    spread = clone(expand(unsqueeze(x, axis + 1), shape))
    return reshape(spread, (*x.shape[:axis], x.shape[axis] * times, *x.shape[axis + 1 :]))


repeat_interleave = composite(
    "repeat_interleave", _repeat_interleave, family="gather",
    args="input, repeats: int|tensor, dim: dim=None, *, output_size: int=None",
    doc="Each slice along a dimension repeated, so many times or by a count for each; without dim, each element.",
    example=("repeat_interleave(input, 2)", "input:1"),
    measures=True, words=("repelem",),
)
