"""Padding: a number around a tensor, or its own elements reflected, repeated or from the other end."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_choice, as_node, as_number
from gradcli.graph.native_forms import NativeParts, Span
from gradcli.graph.node import Node, fitted, make
from gradcli.graph.op import Batching, Blocking, Op, Params, Shape
from gradcli.ops.batching import LINEAR
from gradcli.ops.blocking import except_along
from gradcli.ops.family import composite, given_shape, primitive
from gradcli.ops.formulas import places
from gradcli.ops.notation import spelling
from gradcli.ops.shape import sizes

Pads = tuple[tuple[int, int], ...]
MODES = ("constant", "reflect", "replicate", "circular")


def _pairs(x: Node, pad: Any, name: str) -> tuple[tuple[int, ...], Pads]:
    """The dimensions that are padded, and by how much at either end; the last dimension comes first in `pad`."""
    given = sizes(pad, "a padding")
    if len(given) % 2 or len(given) > 2 * x.ndim:
        raise SizeError(
            "{}() needs two numbers for each dimension from the last one on, got {} for shape {}", name, len(given),
            x.shape,
        )
    found = {x.ndim - 1 - k: (given[2 * k], given[2 * k + 1]) for k in range(len(given) // 2)}
    for dim, (left, right) in found.items():
        taken = max(-left, 0) + max(-right, 0)
        if taken > x.shape[dim]:
            raise SizeError("{}() would take {} elements off a dimension of {}", name, taken, x.shape[dim])
    dims = tuple(sorted(found))
    return dims, tuple([found[d] for d in dims])


def _padded_infer(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    shape = list(inputs[0].shape)
    for dim, (left, right) in zip(params["dims"], params["pads"], strict=True):
        shape[dim] += left + right
    return tuple(shape), inputs[0].dtype


# With a number --------------------------------------------------------------------------------------------------------


def _constant_kernel(x: Any, dims: Shape, pads: Pads, value: float) -> Any:
    shape, source, target = list(x.shape), [slice(None)] * x.ndim, [slice(None)] * x.ndim
    for dim, (left, right) in zip(dims, pads, strict=True):
        length = x.shape[dim]
        shape[dim] = length + left + right
        source[dim] = slice(min(max(-left, 0), length), max(length + min(right, 0), min(max(-left, 0), length)))
        target[dim] = slice(max(left, 0), max(left, 0) + source[dim].stop - source[dim].start)
    out = np.full(shape, value, x.dtype)
    # What is taken off at one end may be more than there is.
    if all(s.stop > s.start for s, d in zip(source, range(x.ndim), strict=True) if d in dims):
        out[tuple(target)] = x[tuple(source)]
    return out


def _constant_vjp(g: Node, out: Node, x: Node, dims: Shape, pads: Pads, value: float) -> tuple[Node]:
    taken = tuple([(-left, -right) for left, right in pads])
    return (make(constant_pad_nd, (g,), {"dims": dims, "pads": taken, "value": 0}),)


def _constant_pad(input: Any, pad: Any, value: Any) -> Node:
    x = as_node(input)
    number = 0 if value is None else fitted(as_number(value, "value"), x.dtype).item()
    dims, pads = _pairs(x, pad, "pad")
    return make(constant_pad_nd, (x,), {"dims": dims, "pads": pads, "value": number})


def _zeros_around(node: Node) -> Any:
    """Zeros around one dimension."""
    dims, value = node.params["dims"], node.params["value"]
    changed = [(d, p) for d, p in zip(dims, node.params["pads"], strict=True) if p != (0, 0)]
    if value != 0 or len(changed) != 1:
        return None
    (dim, (left, _)), = changed
    start, stop = max(left, 0), min(left + node.inputs[0].shape[dim], node.shape[dim])
    return dim, [Span(start, stop, 0, start - left)] if stop > start else []


constant_pad_nd: Op = primitive(
    "constant_pad_nd", _constant_kernel, _padded_infer, family="shape", args="input, pad: ends, value: number=0",
    build=_constant_pad, doc="A number around the tensor, for each dimension from the last one on so often before and "
    "after it; negative lengths take elements off.", grad_fn="ConstantPadNdBackward0", vjp=_constant_vjp,
    batching=Batching(lambda node, operands: LINEAR.rule(node, operands) if node.params["value"] == 0 else None),
    blocking=Blocking(except_along), text=spelling.padded, native=NativeParts(spans=_zeros_around),
    example=("constant_pad_nd(input, (1, 2))", "input:1"),
)


# With its own elements ------------------------------------------------------------------------------------------------


def _places(mode: str, length: int, left: int, right: int) -> np.ndarray:
    """Which element stands in each place of a padded dimension."""
    there = np.arange(-left, length + right)
    if mode == "replicate":
        return np.clip(there, 0, length - 1)
    if mode == "reflect":
        return length - 1 - np.abs(length - 1 - np.abs(there))
    # What is taken off goes first: it does not come in again at the other end.
    first = max(0, -left)
    rest = length - first - max(0, -right)
    return first + (there - first) % max(rest, 1)


def _places_kernel(x: Any, dims: Shape, pads: Pads, mode: str) -> Any:
    for dim, (left, right) in zip(dims, pads, strict=True):
        if left or right:
            x = np.take(x, _places(mode, x.shape[dim], left, right), dim)
    return x


def _back_kernel(g: Any, shape: Shape, dims: Shape, pads: Pads, mode: str) -> Any:
    for dim, (left, right) in zip(dims, pads, strict=True):
        if left or right:
            front, lengths = np.moveaxis(g, dim, 0), list(g.shape)
            lengths[dim] = shape[dim]
            out = np.zeros(lengths, g.dtype)
            _add_up(np.moveaxis(out, dim, 0), front, _places(mode, shape[dim], left, right), left)
            g = out
    return g


def _add_up(out: Any, g: Any, there: np.ndarray, left: int) -> None:
    """What stands in its own place at once, the rest one by one."""
    own = np.flatnonzero(there == np.arange(len(there)) - left)
    if own.size:
        start, stop = own[0], own[-1] + 1
        out[start - left : stop - left] = g[start:stop]
    for k in np.setdiff1d(np.arange(len(there)), own, assume_unique=True):
        out[there[k]] += g[k]


def _moved(node: Node) -> Any:
    """Along one dimension."""
    changed = [(d, p) for d, p in zip(node.params["dims"], node.params["pads"], strict=True) if p != (0, 0)]
    if len(changed) != 1:
        return None
    (dim, (left, right)), = changed
    # Few are asked for, or none.
    there = lru_cache(lambda: _places(node.params["mode"], node.inputs[0].shape[dim], left, right))
    return dim, lambda k: (0, int(there()[k]))


_NAMES = {"reflect": "ReflectionPad{}DBackward", "replicate": "ReplicationPad{}DBackward", "circular": "CopySlices"}


def _named(suffix: str) -> Callable[[Node], tuple[str, tuple[Node, ...]]]:
    """PyTorch's names; it pads in circles by copying into slices."""

    def grad_fn(node: Node) -> tuple[str, tuple[Node, ...]]:
        name = _NAMES[node.params["mode"]].format(len(node.params["dims"]))
        return name + suffix * name.endswith("Backward"), node.inputs

    return grad_fn



around: Op = primitive(
    "_pad_with_own", _places_kernel, _padded_infer, family="shape", args="input, dims, pads, mode",
    doc="A tensor with its own elements around it.",
    vjp=lambda g, out, x, **how: (make(around_back, (g,), {"shape": x.shape, **how}),), batching=LINEAR,
    grad_fn=_named("0"), blocking=Blocking(except_along), text=spelling.padded, native=NativeParts(_moved),
    formula=places.padded,
)
around_back: Op = primitive(
    "_pad_with_own_back", _back_kernel, given_shape, family="reduction",
    args="input, shape, dims, pads, mode", doc="What lies around a tensor added to where it was taken from.",
    vjp=lambda h, out, g, shape, **how: (make(around, (h,), how),), batching=LINEAR,
    grad_fn=_named("Backward0"), blocking=Blocking(except_along), formula=places.padded_back,
)


def _pad(input: Any, pad: Any, mode: Any, value: Any) -> Node:
    how = as_choice(mode, "mode", MODES)
    if how == "constant":
        return _constant_pad(input, pad, value)
    if value not in (None, 0):
        raise GradcliError(f"pad() takes a value for the mode 'constant', not for {how!r}", argument="value")
    x = as_node(input)
    dims, pads = _pairs(x, pad, "pad")
    # As in PyTorch: one or two dimensions before those that are padded.
    if not dims or len(dims) > 3 or x.ndim not in (len(dims) + 1, len(dims) + 2):
        hint = "put dimensions of length 1 in front with unsqueeze()"
        raise SizeError(
            "pad() in the mode {} pads the last 1, 2 or 3 dimensions after one or two others, not {} of shape {}", how,
            len(dims), x.shape, hint=hint,
        )
    for dim, (left, right) in zip(dims, pads, strict=True):
        _check_reach(how, x.shape[dim], dim, left, right)
    return make(around, (x,), {"dims": dims, "pads": pads, "mode": how})


def _check_reach(mode: str, length: int, dim: int, left: int, right: int) -> None:
    reach = length - 1 if mode == "reflect" else length if mode == "circular" else None
    if reach is not None and max(left, right) > reach:
        raise SizeError(
            "pad() in the mode {} can take at most {} elements from dimension {}, asked for {}", mode, max(reach, 0),
            dim, max(left, right),
        )
    if not length and max(left, right) > 0:
        raise SizeError("pad() in the mode {} has nothing to take from dimension {}, which is empty", mode, dim)


pad = composite(
    "pad", _pad, args="input, pad: ends, mode: mode='constant', value: number=None", family="shape",
    torch="nn.functional.pad", example=("pad(input, (1, 2))", "input:1"),
    doc="A number around the tensor, or in the modes 'reflect', 'replicate' and 'circular' its own elements; pad has "
    "two lengths for each dimension from the last one on, negative ones take elements off.",
)
