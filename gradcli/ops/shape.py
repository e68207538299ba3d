"""Rows that move elements without computing: reshaping, reordering, joining, repeating."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph import layout
from gradcli.graph.arguments import as_int, as_node, normalize_axes, normalize_axis
from gradcli.graph.infer import in_one_dtype
from gradcli.graph.native_forms import Dims, NativeParts, NativeView, Span
from gradcli.graph.node import Node, make
from gradcli.graph.op import OPS, Blocking, Op, Params, Shape
from gradcli.ops import batching
from gradcli.ops.batching import LINEAR
from gradcli.ops.blocking import VIEW, aligned, except_along
from gradcli.ops.elementwise import row_major
from gradcli.ops.family import call, composite, elementwise_layout, given_shape, primitive
from gradcli.ops.formulas import places, reshapes
from gradcli.ops.notation import latex_pieces as pieces
from gradcli.ops.notation import spelling, typeset
from gradcli.ops.rewrites import shapes


def strides_of(node: Node) -> Shape:
    """The strides of a node, written out when it is contiguous."""
    return layout.contiguous(node.shape) if node.strides is None else node.strides


def sizes(shape: Any, name: str) -> list[int]:
    """A list of lengths from integers given one by one or as one list."""
    if not isinstance(shape, list | tuple):
        shape = (shape,)
    if len(shape) == 1 and isinstance(shape[0], list | tuple):
        shape = shape[0]
    return [as_int(n, name) for n in shape]


def resolve_shape(shape: Any, size: int, old: Shape) -> Shape:
    """The lengths of a reshape with -1 filled in; they must hold exactly `size` elements."""
    lengths = sizes(shape, "shape")
    if any(n < -1 for n in lengths):
        hint = "-1 alone means: what is left"
        raise SizeError("a shape has no negative lengths, got {}", tuple(lengths), hint=hint)
    if lengths.count(-1) > 1:
        raise GradcliError("only one length of a shape can be left to -1")
    if -1 in lengths:
        known = math.prod(n for n in lengths if n != -1)
        if known == 0 or size % known:
            raise SizeError("{} elements of shape {} do not divide into shape {}", size, old, tuple(lengths))
        lengths[lengths.index(-1)] = size // known
    if math.prod(lengths) != size:
        raise SizeError(
            "shape {} holds {} elements, the tensor of shape {} has {}", tuple(lengths), math.prod(lengths), old, size
        )
    return tuple(lengths)


# Reshapes -------------------------------------------------------------------------------------------------------------


def _view_layout(inputs: tuple[Node, ...], params: Params, shape: Shape) -> Shape | None:
    x = inputs[0]
    if x.strides is None:
        return None
    strides = layout.view(x.shape, x.strides, shape)
    return None if strides is None else layout.normalize(shape, strides)


def _view(input: Any, shape: Any) -> Node:
    x = as_node(input)
    target = resolve_shape(shape, x.size, x.shape)
    if x.strides is not None and layout.view(x.shape, x.strides, target) is None:
        raise GradcliError("view() cannot be had without copying here", hint="use reshape() instead")
    return make(view, (x,), {"shape": target})


def _reshape(input: Any, shape: Any) -> Node:
    x = as_node(input)
    target = resolve_shape(shape, x.size, x.shape)
    if x.strides is None:
        return make(view, (x,), {"shape": target})
    if layout.view(x.shape, x.strides, target) is None:
        return make(unsafe_view, (row_major(x),), {"shape": target})
    return make(reshape_alias, (x,), {"shape": target})


def _flatten(input: Any, start_dim: Any, end_dim: Any) -> Node:
    x = as_node(input)
    first, last = normalize_axis(start_dim, x.ndim), normalize_axis(end_dim, x.ndim)
    if first > last:
        raise GradcliError(f"flatten() goes from dimension {first} to {last}: the first must not come after the last")
    if not x.ndim:
        return reshape(x, (1,))
    if first == last:
        return x
    return reshape(x, (*x.shape[:first], math.prod(x.shape[first : last + 1]), *x.shape[last + 1 :]))


def _reshaping(name: str, doc: str, args: str = "input, shape", **row: Any) -> Op:
    """The elements in another shape, `shape`, which `build` makes of the arguments."""
    return primitive(
        name, lambda x, shape, **_: x.reshape(shape), given_shape, family="shape", args=args, doc=doc, reshapes=True,
        vjp=lambda g, out, x, **_: (reshape(g, x.shape),), batching=LINEAR, blocking=VIEW, simplify=shapes.reshape,
        shares=True, put=lambda node, x, new: reshape(new, x.shape), **row,
    )


view = _reshaping(
    "view", "The elements in another shape, without copying; one length may be -1.", "input, *shape", build=_view,
    torch="Tensor.view", layout=_view_layout, example=("input.view(-1)", "input:2"), text=spelling.viewed,
)
unsafe_view = _reshaping(
    "_unsafe_view", "A reshape of a fresh result.", grad_fn="UnsafeViewBackward0", text=spelling.viewed,
)
reshape_alias = _reshaping(
    "_reshape_alias", "A reshape without copying of what is not in row-major order.", grad_fn="ReshapeAliasBackward0",
    layout=_view_layout, text=spelling.viewed,
)
reshape = composite(
    "reshape", _reshape, args="input, *shape", family="shape",
    doc="The elements in another shape; one length may be -1.", text=spelling.reshape,
    example=("input.reshape(-1)", "input:2"),
)
flatten = composite(
    "flatten", _flatten, args="input, start_dim=0, end_dim=-1", family="shape",
    doc="Several dimensions merged into one."
)


def _squeeze(input: Any, dim: Any) -> Node:
    x = as_node(input)
    # No dimension is named by an empty list, unlike for reductions.
    axes = () if isinstance(dim, list | tuple) and not dim else normalize_axes(dim, x.ndim)
    keep = tuple(n for k, n in enumerate(x.shape) if k not in axes or n != 1)
    number = 0 if dim is None else 2 if isinstance(dim, list | tuple) else 1
    return make(squeeze, (x,), {"shape": keep, "name": f"SqueezeBackward{number}"})


def _unsqueeze(input: Any, dim: Any) -> Node:
    x = as_node(input)
    axis = normalize_axis(dim, x.ndim + 1)
    return make(unsqueeze, (x,), {"shape": (*x.shape[:axis], 1, *x.shape[axis:])})


squeeze = _reshaping(
    "squeeze", "The tensor without its dimensions of length 1, or without the named ones where they have length 1.",
    "input, dim=None", build=_squeeze, grad_fn=lambda node: (node.params["name"], node.inputs), layout=_view_layout,
    numpy="squeeze", text=spelling.squeezed, in_place=True,
)
unsqueeze = _reshaping(
    "unsqueeze", "The tensor with a new dimension of length 1.", "input, dim", build=_unsqueeze,
    words=("expand_dims",), layout=_view_layout, text=spelling.unsqueezed,
    example=("unsqueeze(input, 0)", "input:1"), in_place=True,
)


# Reordering -----------------------------------------------------------------------------------------------------------


def _permute_layout(inputs: tuple[Node, ...], params: Params, shape: Shape) -> Shape | None:
    strides = strides_of(inputs[0])
    return layout.normalize(shape, tuple(strides[d] for d in params["dims"]))


def permuted(x: Node, dims: Sequence[int], name: str = "PermuteBackward0") -> Node:
    """`x` with its dimensions in another order, under the name that PyTorch gives to this way of asking."""
    return make(permute, (x,), {"dims": tuple(dims), "name": name})


def _permute(input: Any, dims: Any) -> Node:
    x = as_node(input)
    axes = [normalize_axis(d, x.ndim) for d in sizes(dims, "dims")]
    if sorted(axes) != list(range(x.ndim)):
        raise GradcliError(f"permute() needs each of the {x.ndim} dimensions once, got {tuple(axes)}")
    return permuted(x, axes)


def _swapped(x: Node, a: int, b: int) -> Node:
    dims = list(range(x.ndim))
    dims[a], dims[b] = dims[b], dims[a]
    return permuted(x, dims, "TransposeBackward0")


def _transpose(input: Any, dim0: Any, dim1: Any) -> Node:
    x = as_node(input)
    if dim0 is None and dim1 is None and x.ndim == 2:
        dim0, dim1 = 0, 1
    if not x.ndim:
        normalize_axis(dim0, 0), normalize_axis(dim1, 0)
        return permuted(x, (), "TransposeBackward0")
    return _swapped(x, normalize_axis(dim0, x.ndim), normalize_axis(dim1, x.ndim))


def _matrix_transpose(input: Any) -> Node:
    x = as_node(input)
    if x.ndim < 2:
        raise SizeError("mT needs at least 2 dimensions, the tensor has shape {}", x.shape)
    return _swapped(x, x.ndim - 2, x.ndim - 1)


def _t(input: Any) -> Node:
    x = as_node(input)
    if x.ndim > 2:
        raise SizeError("t() takes a vector or matrix, the tensor has shape {}", x.shape, hint="use mT or permute()")
    return permuted(x, tuple(reversed(range(x.ndim))), "TBackward0")


def _movedim(input: Any, source: Any, destination: Any) -> Node:
    x = as_node(input)
    start = [normalize_axis(d, x.ndim) for d in sizes(source, "source")]
    goal = [normalize_axis(d, x.ndim) for d in sizes(destination, "destination")]
    if len(start) != len(goal) or len(set(start)) != len(start) or len(set(goal)) != len(goal):
        raise GradcliError("movedim() needs as many different destinations as sources")
    rest = iter([d for d in range(x.ndim) if d not in start])
    return permuted(x, [start[goal.index(k)] if k in goal else next(rest) for k in range(x.ndim)])


def inverse_permutation(dims: Sequence[int]) -> tuple[int, ...]:
    """The order that undoes `dims`."""
    return tuple(sorted(range(len(dims)), key=lambda k: dims[k]))


def _permute_merged(node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """For two dimensions that stay where they are."""
    first, second, *rest = node.params["dims"]
    dims = (0, *(dim - 1 for dim in rest))
    return make(permute, inputs, {**node.params, "dims": dims}) if (first, second) == (0, 1) else None


permute = primitive(
    "permute", lambda x, dims, name: x.transpose(dims),
    lambda inputs, params: (tuple(inputs[0].shape[d] for d in params["dims"]), inputs[0].dtype), family="shape",
    args="input, *dims", build=_permute, grad_fn=lambda node: (node.params["name"], node.inputs),
    layout=_permute_layout, doc="The dimensions in another order.",
    vjp=lambda g, out, x, dims, name: (permuted(g, inverse_permutation(dims)),), batching=batching.PERMUTED,
    blocking=Blocking(lambda node, dim: (node.params["dims"][dim],), view=True, merged=_permute_merged),
    native=NativeView(lambda node: ([(dim, 0, 1) for dim in node.params["dims"]], [])),
    formula=reshapes.permuted, example=("permute(input, 1, 0)", "input:2"), numpy=".transpose", simplify=shapes.permute,
    words=("permutedims",), shares=True,
    put=lambda node, x, new: permuted(new, inverse_permutation(node.params["dims"])),
)
transpose = composite(
    "transpose", _transpose, args="input, dim0=None, dim1=None", family="shape", aliases=("swapaxes", "swapdims"),
    doc="Two dimensions swapped; those of a matrix need not be named.", in_place=True,
)
movedim = composite(
    "movedim", _movedim, args="input, source, destination", family="shape", aliases=("moveaxis",),
    doc="Dimensions moved to other positions.", example=("movedim(input, 0, 1)", "input:2"),
)
t = composite("t", _t, family="shape", doc="Transpose of a matrix; a vector is unchanged.", in_place=True)
big_t = composite(
    "T", lambda input: permuted(as_node(input), tuple(reversed(range(as_node(input).ndim)))),
    family="shape", torch="Tensor.T", attribute=True, doc="All dimensions in reverse order, written x.T.",
    latex=lambda w, form, parts: pieces.transposed(parts[0]),
)
m_t = composite(
    "mT", _matrix_transpose, family="shape", torch="Tensor.mT", attribute=True,
    doc="The last two dimensions swapped, written x.mT.", latex=lambda w, form, parts: pieces.transposed(parts[0]),
)


# Repeating ------------------------------------------------------------------------------------------------------------


def _expand(input: Any, shape: Any) -> Node:
    x = as_node(input)
    lengths = sizes(shape, "shape")
    lead = len(lengths) - x.ndim
    if lead < 0:
        raise SizeError("expand() cannot drop dimensions: shape {} to {}", x.shape, tuple(lengths))
    target = []
    for k, n in enumerate(lengths):
        have = x.shape[k - lead] if k >= lead else None
        if n == -1 and have is None:
            raise GradcliError("expand(): -1 is not possible for a new dimension")
        if n < -1 or (have is not None and have not in (1, n) and n != -1):
            hint = "only lengths of 1 can be stretched"
            raise SizeError("shape {} cannot be expanded to {}", x.shape, tuple(lengths), hint=hint)
        target.append(have if n == -1 and have is not None else n)
    return make(expand, (x,), {"shape": tuple(target)})


def _expand_layout(inputs: tuple[Node, ...], params: Params, shape: Shape) -> Shape | None:
    x = inputs[0]
    lead = len(shape) - x.ndim
    own = strides_of(x)
    strides = tuple(
        0 if k < lead or (x.shape[k - lead] == 1 and n != 1) else own[k - lead] for k, n in enumerate(shape)
    )
    return layout.normalize(shape, strides)


def _repeats(x: Node, repeats: Any, name: str) -> list[int]:
    counts = sizes(repeats, name)
    if any(n < 0 for n in counts):
        raise GradcliError(f"{name} cannot be negative, got {tuple(counts)}")
    return counts


def _repeat(input: Any, repeats: Any) -> Node:
    x = as_node(input)
    counts = _repeats(x, repeats, "repeats")
    if len(counts) < x.ndim:
        hint = "tile() fills in ones"
        raise GradcliError(f"repeat() needs a count for each of the {x.ndim} dimensions, got {len(counts)}", hint=hint)
    return make(repeat, (x,), {"repeats": tuple(counts)})


def _tile(input: Any, dims: Any) -> Node:
    x = as_node(input)
    counts = _repeats(x, dims, "dims")
    return make(repeat, (x,), {"repeats": (1,) * (x.ndim - len(counts)) + tuple(counts)})


def _repeat_infer(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    x, repeats = inputs[0], params["repeats"]
    shape = (1,) * (len(repeats) - x.ndim) + x.shape
    return tuple(n * r for n, r in zip(shape, repeats, strict=True)), x.dtype


def _repeat_follow(node: Node, dim: int) -> Dims | None:
    x, repeats = node.inputs[0], node.params["repeats"]
    d = dim - len(repeats) + x.ndim
    return (d,) if repeats[dim] == 1 and d >= 0 else None


def _repeat_vjp(g: Node, out: Node, x: Node, repeats: Shape) -> tuple[Node]:
    shape = (1,) * (len(repeats) - x.ndim) + x.shape
    split = tuple(n for pair in zip(repeats, shape, strict=True) for n in pair)
    if not g.size:
        return (call("zeros_like", x),)
    return (reshape(call("sum", reshape(g, split), tuple(range(0, len(split), 2))), x.shape),) if split else (g,)


def _put_expanded(node: Node, x: Node, new: Node) -> Node:
    if node.size != x.size:
        message = "several places of an expanded tensor show the same element: it cannot be changed in place"
        raise GradcliError(message, hint="use clone()")
    return reshape(new, x.shape)


expand = primitive(
    "expand", lambda x, shape: np.broadcast_to(x, shape), given_shape, family="shape", args="input, *shape",
    build=_expand, layout=_expand_layout, torch="Tensor.expand", aliases=("broadcast_to",),
    doc="Dimensions of length 1 expanded, without copying; -1 keeps a length.", vjp=lambda g, out, x, shape: (g,),
    batching=LINEAR, blocking=Blocking(aligned, view=True), formula=reshapes.expanded, repeats=True,
    latex=typeset.expanded, example=("expand(input, 2, -1)", "input:1"), numpy="broadcast_to", simplify=shapes.expand,
    native=lambda v, x: x, shares=True, put=_put_expanded,
)
def _repeated(node: Node) -> Any:
    """Along one dimension."""
    x = node.inputs[0]
    dims = [k for k in range(node.ndim) if x.ndim != node.ndim or x.shape[k] != node.shape[k]]
    if x.ndim != node.ndim or len(dims) != 1:
        return None
    return dims[0], lambda place: (0, place % x.shape[dims[0]])


repeat = primitive(
    "repeat", lambda x, repeats: np.tile(x, repeats), _repeat_infer, family="shape", args="input, *repeats",
    build=_repeat, torch="Tensor.repeat", doc="The tensor repeated along each dimension.", vjp=_repeat_vjp,
    batching=LINEAR, blocking=Blocking(_repeat_follow), text=spelling.tiled, example=("repeat(input, 2)", "input:1"),
    native=NativeParts(_repeated),
)
tile = composite(
    "tile", _tile, args="input, *dims: repeats", family="shape",
    doc="The tensor repeated; dimensions without a count are repeated once.", example=("tile(input, 2)", "input:1"),
    numpy="tile", words=("repmat",),
)


def _flip(input: Any, dims: Any) -> Node:
    x = as_node(input)
    return make(flip, (x,), {"dims": normalize_axes(sizes(dims, "dims"), x.ndim) if sizes(dims, "dims") else ()})


def _roll(input: Any, shifts: Any, dims: Any) -> Node:
    x = as_node(input)
    steps = sizes(shifts, "shifts")
    axes = None if dims is None else tuple(normalize_axis(d, x.ndim) for d in sizes(dims, "dims"))
    if len(steps) != (1 if axes is None else len(axes)):
        raise GradcliError("roll() needs one shift for each of dims")
    # A tensor without dimensions is flat already.
    return make(roll, (x,), {"shifts": tuple(steps), "dims": axes if x.ndim else None})


def _flipped(node: Node) -> Any:
    turned = [k in node.params["dims"] for k in range(node.ndim)]
    return [(k, n - 1, -1) if t else (k, 0, 1) for k, (n, t) in enumerate(zip(node.shape, turned, strict=True))], []


def _rolled(node: Node) -> Any:
    """Along one dimension."""
    dims, shifts = node.params["dims"], node.params["shifts"]
    if dims is None or len(dims) != 1:
        return None
    length = node.shape[dims[0]]
    shift = shifts[0] % length if length else 0
    spans = [Span(0, shift, 0, length - shift), Span(shift, length, 0, 0)]
    return dims[0], [span for span in spans if span.stop > span.start]


flip: Op = primitive(
    "flip", lambda x, dims: np.flip(x, dims), family="shape", args="input, *dims", build=_flip,
    words=("reverse",),
    doc="The order reversed along dimensions.", vjp=lambda g, out, x, dims: (make(flip, (g,), {"dims": dims}),),
    batching=LINEAR, blocking=Blocking(except_along), example=("flip(input, 0)", "input:1"), numpy="flip",
    native=NativeView(_flipped), simplify=shapes.flip, layout=elementwise_layout,
)
roll: Op = primitive(
    "roll",
    lambda x, shifts, dims: np.roll(x, shifts[0]) if dims is None else np.roll(x, shifts, dims),
    family="shape", args="input, shifts, dims=None", build=_roll,
    doc="Elements shifted cyclically along dimensions; without dims, in flattened order.",
    vjp=lambda g, out, x, shifts, dims: (make(roll, (g,), {"shifts": tuple(-s for s in shifts), "dims": dims}),),
    batching=LINEAR, blocking=Blocking(except_along), example=("roll(input, 1)", "input:1"), numpy="roll",
    native=NativeParts(spans=_rolled), words=("circshift", "rotate"),
)


# Joining and cutting --------------------------------------------------------------------------------------------------


def _tensors(tensors: Any, name: str) -> list[Node]:
    if not isinstance(tensors, list | tuple) or not tensors:
        raise GradcliError(f"{name}() takes a list of tensors", hint=f"for example, {name}([x, y])")
    return in_one_dtype(*map(as_node, tensors))


def _cat(tensors: Any, dim: Any) -> Node:
    nodes = _tensors(tensors, "cat")
    first = next((n for n in nodes if n.shape != (0,)), nodes[0])
    if not first.ndim:
        raise GradcliError("cat() cannot join 0-dim tensors", hint="use stack()")
    axis = normalize_axis(dim, first.ndim)
    # PyTorch's relic: empty vectors fit to all others; one that is tracked has a gradient.
    nothing = (*first.shape[:axis], 0, *first.shape[axis + 1 :])
    kept = [
        reshape(n, nothing) if n.shape == (0,) else n for n in nodes if n is first or n.shape != (0,) or n.requires_grad
    ]
    for node in kept[1:]:
        if node.ndim != first.ndim or (*node.shape[:axis], 0, *node.shape[axis + 1 :]) != nothing:
            raise SizeError(
                "cat() cannot join shapes {} and {} along dimension {}", first.shape, node.shape, axis,
                hint="all other dimensions must agree",
            )
    return make(cat, tuple(kept), {"dim": axis})


def _cat_infer(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    axis, shape = params["dim"], inputs[0].shape
    return (*shape[:axis], sum(n.shape[axis] for n in inputs), *shape[axis + 1 :]), inputs[0].dtype


def _cat_vjp(g: Node, out: Node, *inputs: Node, dim: int) -> tuple[Node, ...]:
    stops = accumulate(x.shape[dim] for x in inputs)
    return tuple(narrow(g, dim, stop - x.shape[dim], stop) for x, stop in zip(inputs, stops, strict=True))


def _stack(tensors: Any, dim: Any) -> Node:
    nodes = _tensors(tensors, "stack")
    first = nodes[0]
    for node in nodes[1:]:
        if node.shape != first.shape:
            raise SizeError("stack() needs equal shapes, got {} and {}", first.shape, node.shape)
    return make(stack, tuple(nodes), {"dim": normalize_axis(dim, first.ndim + 1)})


def _stack_infer(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    axis, shape = params["dim"], inputs[0].shape
    return (*shape[:axis], len(inputs), *shape[axis:]), inputs[0].dtype


def _stack_follow(node: Node, dim: int) -> Dims | None:
    axis = node.params["dim"]
    return None if dim == axis else (dim - (dim > axis),) * len(node.inputs)


def _joined(node: Node) -> Any:
    dim = node.params["dim"]
    ends = list(accumulate(x.shape[dim] for x in node.inputs))
    spans = [Span(end - x.shape[dim], end, k, 0) for k, (end, x) in enumerate(zip(ends, node.inputs, strict=True))]
    return dim, [span for span in spans if span.stop > span.start]


cat = primitive(
    "cat", lambda *xs, dim: np.concatenate(xs, dim), _cat_infer, family="shape", args="tensors, dim=0", build=_cat,
    aliases=("concat", "concatenate"),
    words=("join", "append"),
    doc="Tensors joined along a dimension.", vjp=_cat_vjp, batching=batching.JOINED,
    blocking=Blocking(except_along), text=spelling.joined, example=("cat([a, b])", "a:1 b:1"), numpy="concatenate",
    native=NativeParts(spans=_joined),
)
stack = primitive(
    "stack", lambda *xs, dim: np.stack(xs, dim), _stack_infer, family="shape", args="tensors, dim=0", build=_stack,
    doc="Tensors of one shape joined along a new dimension.",
    vjp=lambda g, out, *inputs, dim: tuple(reshape(narrow(g, dim, k, k + 1), n.shape) for k, n in enumerate(inputs)),
    batching=batching.JOINED, blocking=Blocking(_stack_follow), text=spelling.joined,
    example=("stack([a, b])", "a:1 b:1"), numpy="stack",
    native=NativeParts(lambda node: (node.params["dim"], lambda k: (k, 0))),
)


def _slice_infer(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    x, dim = inputs[0], params["dim"]
    length = len(range(params["start"], params["stop"], params["step"]))
    return (*x.shape[:dim], length, *x.shape[dim + 1 :]), x.dtype


def _slice_layout(inputs: tuple[Node, ...], params: Params, shape: Shape) -> Shape | None:
    strides = list(strides_of(inputs[0]))
    strides[params["dim"]] *= params["step"]
    return layout.normalize(shape, tuple(strides))


def _embed_kernel(g: Any, shape: Shape, dim: int, start: int, stop: int, step: int) -> Any:
    out = np.zeros(shape, g.dtype)
    out[(slice(None),) * dim + (slice(start, stop, step),)] = g
    return out


def cut(x: Node, dim: int, start: int, stop: int, step: int = 1) -> Node:
    """`x[start:stop:step]` along a dimension, for bounds already inside it."""
    return make(slice_, (x,), {"dim": dim, "start": start, "stop": stop, "step": step})


def narrow(x: Node, dim: int, start: int, stop: int) -> Node:
    """`x[start:stop]` along a dimension; the tensor itself where that is all of it."""
    return x if start == 0 and stop == x.shape[dim] else cut(x, dim, start, stop)


def _sliced(node: Node) -> Any:
    dim, start, step = (node.params[name] for name in ("dim", "start", "step"))
    return [(k, start, step) if k == dim else (k, 0, 1) for k in range(node.ndim)], []


def _embedded(node: Node) -> Any:
    dim, start, stop, step = (node.params[name] for name in ("dim", "start", "stop", "step"))
    there = range(start, stop, step)
    return dim, lambda place: (0, there.index(place)) if place in there else None


def _embedded_whole(node: Node) -> Any:
    """Elements that stay neighbours."""
    dim, start, stop, step = (node.params[name] for name in ("dim", "start", "stop", "step"))
    return (dim, [Span(start, stop, 0, 0)] if stop > start else []) if step == 1 else None


slice_ = primitive(
    "_slice", lambda x, dim, start, stop, step: x[(slice(None),) * dim + (slice(start, stop, step),)], _slice_infer,
    family="index", doc="A range of one dimension.", grad_fn="SliceBackward0", layout=_slice_layout,
    vjp=lambda g, out, x, **where: (make(embed, (g,), {"shape": x.shape, **where}),), batching=LINEAR,
    blocking=Blocking(except_along, view=True), formula=places.sliced, text=spelling.sliced, tame=True,
    native=NativeView(_sliced), shares=True,
    put=lambda node, x, new: make(OPS["_slice_scatter"], (x, new), node.params),
)
embed: Op = primitive(
    "_embed", _embed_kernel, given_shape, family="index",
    doc="Zeros with the tensor put in as a range of one dimension.", grad_fn="SliceBackwardBackward0",
    vjp=lambda h, out, g, shape, **where: (make(slice_, (h,), where),), batching=LINEAR,
    blocking=Blocking(except_along), formula=places.embedded, text=spelling.embedded,
    native=NativeParts(_embedded, _embedded_whole),
)
