"""An operation applied to each member of a batch: for those that have no rule for doing them all at once."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.graph.infer import cast, sum_to
from gradcli.graph.node import INPUT, Batched, Forms, Node
from gradcli.graph.op import Op, Params, Shape
from gradcli.ops.batching import batch, dense
from gradcli.ops.family import primitive
from gradcli.ops.reduce import sum_
from gradcli.ops.shape import reshape

# What calling a kernel costs, in walks over an element.
_CALL = 2000


def _infer(inputs: tuple[Node, ...], params: Params) -> tuple[Any, ...]:
    forms = tuple([((*params["seed"], *shape), dtype) for shape, dtype in params["forms"]])
    return forms if params["op"].results else forms[0]


def _kernel(*arrays: Any, op: Op, params: Params, batched: tuple[bool, ...], seed: Shape, forms: Forms) -> Any:
    assert op.kernel is not None
    count = math.prod(seed)
    out = [np.empty((count, *shape), dtype) for shape, dtype in forms]
    for k in range(count):
        result = op.kernel(*(x[k] if b else x for x, b in zip(arrays, batched, strict=True)), **params)
        for all_of_them, one in zip(out, result if op.results else (result,), strict=True):
            all_of_them[k] = one
    shaped = tuple([x.reshape((*seed, *x.shape[1:])) for x in out])
    return shaped if op.results else shaped[0]


def _vjp(
    g: Any, out: Any, *inputs: Node, op: Op, params: Params, batched: tuple[bool, ...], seed: Shape, forms: Forms
) -> tuple[Node | None, ...]:
    """The rule of one member, done for all of them."""
    assert op.vjp is not None
    given: dict[Node, Node] = {}

    def member(stacked: Node) -> Node:
        """A stand-in for one of what has all members along its first dimension."""
        leaf = Node(INPUT, (), {"data": None, "name": None}, stacked.shape[1:], stacked.dtype, stacked.is_floating)
        given[leaf] = stacked
        return leaf

    def of_result(x: Node | None, k: int) -> Node | None:
        return x and member(reshape(x, (math.prod(seed), *forms[k][0])))

    # What all members share stands for itself.
    own = tuple([member(x) if b else x for x, b in zip(inputs, batched, strict=True)])
    if op.results:
        gradient, result = (op.named(of_result(x, k) for k, x in enumerate(some)) for some in (g, out))
    else:
        gradient, result = of_result(g, 0), of_result(out, 0)
    pulled = op.vjp(gradient, result, *own, **params)
    parts = [p and cast(sum_to(p, x.shape), x.dtype) for p, x in zip(pulled, own, strict=True)]
    batches = {leaf: Batched(x, (None,) * leaf.ndim) for leaf, x in given.items()}
    found = batch([p for p in parts if p is not None], batches)
    answers: list[Node | None] = []
    for part, b in zip(parts, batched, strict=True):
        if part is not None:
            stacked = found.get(part) or Batched(reshape(part, (1, *part.shape)), (None,) * part.ndim)
            part = dense(stacked, (math.prod(seed),))
        answers.append(part if part is None or b else sum_(part, [0]))
    return tuple(answers)


each = primitive(
    "_each", _kernel, _infer, family="structure", args="input", public=False, grad_fn="EachBackward0", vjp=_vjp,
    doc="An operation applied to each member of a batch.",
    # That of a call for each member, in walks over an element of the result.
    cost=lambda node: 1.0 + _CALL * math.prod(node.params["seed"]) / max(1, node.size),
)
