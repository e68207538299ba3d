"""What is written with several operations where PyTorch has one: the chain shows one backward function."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

from typing import Any

from gradcli.errors import SizeError
from gradcli.graph.arguments import as_node
from gradcli.graph.infer import cast
from gradcli.graph.node import Node, make
from gradcli.graph.op import MANY, Batching, Blocking
from gradcli.ops.blocking import aligned
from gradcli.ops.create import zeros_like
from gradcli.ops.family import composite, primitive
from gradcli.ops.shape import expand


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
    "_again", lambda x, base: x, family="index", args="input, base", same=True,
    shares=True, put=lambda node, x, new: new,
    doc="A view taken once more, of a tensor that was changed in place.",
    blocking=Blocking(lambda node, dim: (*aligned(node, dim)[:1], None), view=True),
    vjp=lambda g, out, x, base: (g, None), batching=Batching(lambda node, operands: operands[0], scales=True),
    grad_fn=lambda node: ("AsStridedBackward0", node.inputs[1:]),
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


def _fill(input: Any, value: Any) -> Node:
    x, number = as_node(input), as_node(value)
    if number.ndim:
        raise SizeError("fill() takes a number or a 0-dim tensor, got shape {}", number.shape, argument="value")
    filled = make(apart, (expand(cast(number, x.dtype), x.shape),))
    if number.weak:
        return one_step("FillBackward0", filled, x, flat=True)
    return one_step("FillBackward1", filled, x, number, flat=True)


fill = composite(
    "fill", _fill, args="input, value: scalar", family="shape",
    doc="One number in the shape and dtype of a tensor.",
    example=("fill(input, value)", "input:1 value:0"),
)
zero = composite(
    "_zero", lambda input: one_step("ZeroBackward0", zeros_like(input), as_node(input), flat=True), args="input",
    family="shape", doc="Zeros in the place of a tensor.",
)
