"""An operation applied to each member of a batch: for those that have no rule for doing them all at once."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.graph.infer import cast, sum_to
from gradcli.graph.native_forms import Dims
from gradcli.graph.node import Batched, Forms, Node
from gradcli.graph.op import Blocking, Op, Params, Shape
from gradcli.ops.family import primitive
from gradcli.ops.lifting import over_rows, row_of, rows_of
from gradcli.ops.reduce import sum_
from gradcli.ops.shape import reshape

# What calling a kernel costs, in walks over an element.
_CALL = 2000


def _infer(inputs: tuple[Node, ...], params: Params) -> tuple[Any, ...]:
    forms = tuple([((*params["seed"], *shape), dtype) for shape, dtype in params["forms"]])
    return forms if params["op"].results else forms[0]


def _kernel(*arrays: Any, op: Op, params: Params, batched: tuple[bool, ...], seed: Shape, forms: Forms) -> Any:
    assert op.kernel is not None
    # A single dimension may have been cut.
    count = next(len(x) for x, b in zip(arrays, batched, strict=True) if b)
    out = [np.empty((count, *shape), dtype) for shape, dtype in forms]
    for k in range(count):
        result = op.kernel(*(x[k, ...] if b else x for x, b in zip(arrays, batched, strict=True)), **params)
        for all_of_them, one in zip(out, result if op.results else (result,), strict=True):
            all_of_them[k] = one
    shaped = tuple([x if len(seed) == 1 else x.reshape((*seed, *x.shape[1:])) for x in out])
    return shaped if op.results else shaped[0]


def _vjp(
    g: Any, out: Any, *inputs: Node, op: Op, params: Params, batched: tuple[bool, ...], seed: Shape, forms: Forms
) -> tuple[Node | None, ...]:
    """The rule of one member, done for all of them."""
    assert op.vjp is not None
    given: dict[Node, Batched] = {}

    def member(stacked: Node) -> Node:
        """A stand-in for one of what has all members along its first dimension."""
        row = row_of(stacked, stacked.is_floating)
        given[row] = rows_of(stacked)
        return row

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
    found = iter(over_rows([p for p in parts if p is not None], given, (math.prod(seed),)))
    answers = [None if p is None else next(found) for p in parts]
    return tuple([p if p is None or b else sum_(p, [0]) for p, b in zip(answers, batched, strict=True)])


def _follow(node: Node, dim: int) -> Dims | None:
    along = dim == 0 and len(node.params["seed"]) == 1
    return tuple([0 if b else None for b in node.params["batched"]]) if along else None


each = primitive(
    "_each", _kernel, _infer, family="structure", args="input", grad_fn="EachBackward0", vjp=_vjp,
    doc="An operation applied to each member of a batch.", blocking=Blocking(_follow),
    # That of a call for each member, in walks over an element of the result.
    cost=lambda node: 1.0 + _CALL * math.prod(node.params["seed"]) / max(1, node.size),
)
