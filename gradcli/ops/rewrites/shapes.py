"""Reshapes, stretches, permutations and conversions: those that change nothing left out, several made one."""

from __future__ import annotations

from gradcli.graph.dtypes import is_wider
from gradcli.graph.native_forms import NativeRunning
from gradcli.graph.node import Node
from gradcli.graph.op import Op, Params, Shape
from gradcli.ops.rewrites.simplifier import Builder, is_large


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


def flip(s: Builder, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    x, dims = inputs[0], params["dims"]
    if x.op is op and x.params["dims"] == dims:
        return x.inputs[0]
    if x.op.repeats and all(d < 0 or x.inputs[0].shape[d] == 1 for d in (d + x.inputs[0].ndim - x.ndim for d in dims)):
        return x
    running = x.op.native
    if not isinstance(running, NativeRunning) or not running.turned or dims != (x.params["dim"],) or not is_large(x):
        return None
    # What is added up in reversed order is added up from the end.
    turned = s.build(op, x.inputs, params)
    return None if turned.op is op or x.shape[dims[0]] == x.size else s.call(running.turned, turned, dim=dims[0])


def cast(s: Builder, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    x, dtype = inputs[0], params["dtype"]
    if x.dtype == dtype:
        return x
    if x.op.recast and dtype.kind == "f" and is_wider(x.dtype, x.inputs[0].dtype):
        # What lies between changes no number.
        return s.build(op, x.inputs, params)
    return None
