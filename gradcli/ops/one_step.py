"""What is written with several operations where PyTorch has one: the chain shows one backward function."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_flag, as_node
from gradcli.graph.infer import cast
from gradcli.graph.node import Node, make
from gradcli.graph.op import MANY, OPS, Batching, Blocking
from gradcli.ops.blocking import aligned
from gradcli.ops.create import zeros_like
from gradcli.ops.family import composite, primitive
from gradcli.ops.shape import expand, reshape


def one_step(name: str, value: Node, *operands: Node, flat: bool = False) -> Node:
    """A value whose step in the chain has this name, and an edge for each operand; how it was made is not shown.

    With `flat` the operands have gradients, which are zero as far as the value does not depend on them. Where nothing
    is tracked there is no chain, and no reason to keep the operands.
    """
    tracked = any(operand.requires_grad for operand in operands)
    return make(step, (value, *operands), {"name": name, "flat": flat}) if tracked else value


step = primitive(
    "_one_step", lambda x, *operands, name, flat: x, family="index", args="input, *operands", same=True,
    doc="The tensor itself, shown as the only step between it and the operands.",
    blocking=Blocking(lambda node, dim: (*aligned(node, dim)[:1], *(None for _ in node.inputs[1:])), view=True),
    vjp=lambda g, out, x, *operands, name, flat: (g, *(zeros_like(y) if flat else None for y in operands)),
    batching=Batching(lambda node, operands: operands[0], scales=True),
    grad_fn=lambda node: (node.params["name"], node.inputs[1:]),
    layout=lambda inputs, params, shape: None if params["flat"] else inputs[0].strides,
)


again = primitive(
    "_again", lambda x, base, name: x, family="index", args="input, base", same=True,
    shares=True, put=lambda node, x, new: new,
    doc="A view taken once more, of a tensor that was changed in place, or in place of its own tensor.",
    blocking=Blocking(lambda node, dim: (*aligned(node, dim)[:1], None), view=True),
    vjp=lambda g, out, x, base, name: (g, None), batching=Batching(lambda node, operands: operands[0], scales=True),
    grad_fn=lambda node: (node.params["name"], node.inputs[1:]),
    layout=lambda inputs, params, shape: inputs[0].strides,
)


apart = primitive(
    "_apart", lambda x: x, family="index", same=True, grad_fn=None,
    doc="The tensor itself, in memory of its own as far as anybody can tell.",
    blocking=Blocking(aligned, view=True), vjp=lambda g, out, x: (g,),
    batching=Batching(lambda node, operands: operands[0], scales=True), native=lambda v, x: x,
)
overwritten = primitive(
    "_overwritten", lambda x, old: x, family="index", args="input, old", same=True, grad_fn=None,
    doc="Other values in a tracked tensor, whose gradient is what it was: a change that is not tracked.",
    blocking=Blocking(lambda node, dim: (*aligned(node, dim)[:1], None), view=True),
    vjp=lambda g, out, x, old: (None, g), batching=Batching(lambda node, operands: operands[0], scales=True),
    layout=lambda inputs, params, shape: inputs[0].strides,
)


custom = primitive(
    "_custom", lambda *arrays, name, count, backward: arrays[:count],
    lambda inputs, params: tuple([(x.shape, x.dtype) for x in inputs[: params["count"]]]),
    family="index", args="*operands", results=MANY, part=lambda several, index: several.inputs[index],
    doc="Values, and behind them what they are made of by a function that states its derivative itself.",
    vjp=lambda g, out, *operands, name, count, backward: (*[None] * count, *backward(g, out)),
    grad_fn=lambda node: (node.params["name"], node.inputs[node.params["count"] :]),
)


def _filling(first: int) -> Callable[[Any, Any], Node]:
    """A tensor filled with a number, or with a tensor: PyTorch's steps from the first one that has to do with it on."""

    def build(input: Any, value: Any) -> Node:
        x, number = as_node(input), as_node(value)
        if number.ndim:
            raise SizeError("fill() takes a number or a 0-dim tensor, got shape {}", number.shape, argument="value")
        filled = make(apart, (expand(cast(number, x.dtype), x.shape),))
        if number.weak:
            return one_step(f"FillBackward{first}", filled, x, flat=True)
        return one_step(f"FillBackward{first + 1}", filled, x, number, flat=True)

    return build


fill = composite(
    "fill", _filling(0), args="input, value: scalar", family="shape",
    doc="One number in the shape and dtype of a tensor.",
    example=("fill(input, value)", "input:1 value:0"),
)
fill_within = composite(
    "_fill_within", _filling(2), args="input, value: scalar", family="shape", doc="One number in the place of others.",
)
zero = composite(
    "_zero", lambda input: one_step("ZeroBackward0", zeros_like(input), as_node(input), flat=True), args="input",
    family="shape", doc="Zeros in the place of a tensor.",
)


def _fill_diagonal_within(input: Any, fill_value: Any, wrap: Any) -> Node:
    x, number, again = as_node(input), as_node(fill_value), as_flag(wrap, "wrap")
    if not number.weak:
        raise GradcliError("fill_diagonal_() takes a number", argument="fill_value")
    if x.ndim < 2:
        raise SizeError("fill_diagonal_() needs at least 2 dimensions, the tensor has shape {}", x.shape)
    if x.ndim > 2 and len(set(x.shape)) > 1:
        raise SizeError("the diagonal of more than 2 dimensions needs equal lengths, got shape {}", x.shape)
    # Each step goes on by one in all dimensions; that of a tall matrix starts anew below only with wrap.
    step = sum(math.prod(x.shape[k + 1 :]) for k in range(x.ndim))
    stop = x.size if again or x.ndim > 2 else min(x.size, x.shape[1] ** 2)
    count = len(range(0, stop, max(1, step)))
    places = {"dim": 0, "start": 0, "stop": stop, "step": max(1, step)}
    new = expand(cast(number, x.dtype), (count,))
    filled = make(OPS["_slice_scatter"], (reshape(x, x.size), new), places)
    return one_step("CopySlices", reshape(filled, x.shape), x)


fill_diagonal_within = composite(
    "_fill_diagonal_within", _fill_diagonal_within, args="input, fill_value: number, wrap=False", family="shape",
    doc="A number in the place of the diagonal.",
)
