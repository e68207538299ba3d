"""Reshapes, stretches, permutations and conversions: those that change nothing left out, several made one."""

from __future__ import annotations

from gradcli.graph.dtypes import is_wider
from gradcli.graph.node import Node
from gradcli.graph.op import Op, Params, Shape
from gradcli.ops.rewrites.simplifier import Builder


def reshape(s: Builder, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    x, shape = inputs[0], params["shape"]
    if x.shape == shape:
        return x
    base = x.inputs[0] if x.op.reshapes else x
    if base.shape == shape:
        return base
    if base.op.repeats and base.inputs[0].size == 1:
        return _stretched(s, base.inputs[0], shape)
    if op.name == "view" and base is x:
        return None
    return s.call("view", base, shape=shape)


def _stretched(s: Builder, number: Node, shape: Shape) -> Node:
    """A number stretched to one shape is the same stretched to another."""
    return s.call("expand", s.call("view", number, shape=()), shape=shape)


def expand(s: Builder, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    x, shape = inputs[0], params["shape"]
    if x.shape == shape:
        return x
    if x.op.repeats:
        return s.build(op, (x.inputs[0],), params)
    return None


def permute(s: Builder, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    x, dims = inputs[0], params["dims"]
    if dims == tuple(range(len(dims))):
        return x
    if x.op is op:
        return s.build(op, x.inputs, {**params, "dims": tuple(x.params["dims"][d] for d in dims)})
    if x.op.repeats and x.inputs[0].size == 1:
        return _stretched(s, x.inputs[0], tuple(x.shape[d] for d in dims))
    return None


def cast(s: Builder, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    x, dtype = inputs[0], params["dtype"]
    if x.dtype == dtype:
        return x
    if x.op.recast and dtype.kind == "f" and is_wider(x.dtype, x.inputs[0].dtype):
        # What lies between changes no number.
        return s.build(op, x.inputs, params)
    return None
