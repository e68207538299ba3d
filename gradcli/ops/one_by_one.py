"""An operation applied to each member of a batch: for those that have no rule for doing them all at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.graph.infer import cast, sum_to
from gradcli.graph.node import INPUT, Batched, Node
from gradcli.graph.op import Op, Params, Shape
from gradcli.ops.batching import batch, dense
from gradcli.ops.family import primitive
from gradcli.ops.reduce import sum_
from gradcli.ops.shape import reshape

# What calling a kernel costs, in walks over an element.
_CALL = 2000


def _infer(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    return params["shape"], params["dtype"]


def _kernel(*arrays: Any, op: Op, params: Params, batched: tuple[bool, ...], shape: Shape, dtype: np.dtype) -> Any:
    assert op.kernel is not None
    out = np.empty(shape, dtype)
    for k in range(shape[0]):
        out[k] = op.kernel(*(x[k] if b else x for x, b in zip(arrays, batched, strict=True)), **params)
    return out


def _vjp(
    g: Node, out: Node, *inputs: Node, op: Op, params: Params, batched: tuple[bool, ...], shape: Shape, dtype: np.dtype
) -> tuple[Node | None, ...]:
    """The rule of one member, done for all of them."""
    assert op.vjp is not None
    # Stand-ins for one member's result, its gradient and its operands; what all members share stands for itself.
    result, gradient = _leaf(out), _leaf(g)
    own = tuple([_leaf(x) if b else x for x, b in zip(inputs, batched, strict=True)])
    pulled = op.vjp(gradient, result, *own, **params)
    parts = [p and cast(sum_to(p, x.shape), x.dtype) for p, x in zip(pulled, own, strict=True)]
    given = {result: out, gradient: g, **{leaf: x for leaf, x in zip(own, inputs, strict=True) if leaf is not x}}
    batches = {leaf: Batched(x, (None,) * leaf.ndim) for leaf, x in given.items()}
    found = batch([p for p in parts if p is not None], batches)
    answers: list[Node | None] = []
    for part, b in zip(parts, batched, strict=True):
        if part is not None:
            stacked = found.get(part) or Batched(reshape(part, (1, *part.shape)), (None,) * part.ndim)
            part = dense(stacked, shape[:1])
        answers.append(part if part is None or b else sum_(part, [0]))
    return tuple(answers)


def _leaf(stacked: Node) -> Node:
    """One member of what has all members along its first dimension."""
    return Node(INPUT, (), {"data": None, "name": None}, stacked.shape[1:], stacked.dtype, stacked.is_floating)


def _cost(node: Node) -> float:
    """That of a call for each member, in walks over an element of the result."""
    return 1.0 + _CALL * node.shape[0] / max(1, node.size)


each = primitive(
    "_each",
    _kernel,
    _infer,
    family="structure",
    args="input",
    public=False,
    grad_fn="EachBackward0",
    vjp=_vjp,
    doc="An operation applied to each member of a batch.",
    cost=_cost,
)
