"""From the graph of a value to the graphs of its gradients, and the chain of backward functions as PyTorch shows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from gradcli.graph.dtypes import FLOAT32, is_half
from gradcli.graph.half_precision import pull
from gradcli.graph.infer import cast, sum_to
from gradcli.graph.node import INPUT, RESULT, Node, SeveralResults, constant, toposort


def vjp(outputs: Sequence[Node], grad_outputs: Sequence[Node], wrt: Iterable[Node]) -> dict[Node, Node]:
    """The vector-Jacobian product: for each of `wrt` that the outputs depend on, the graph of its gradient.

    `grad_outputs` have the outputs' shapes; outputs that are not tracked have no part in it. Since the rules are
    written in graph operations, the result can be differentiated again. The walk is iterative, so the depth of the
    graph does not matter.
    """
    targets = set(wrt)
    order = toposort([o for o in outputs if o.requires_grad], stop=lambda n: not n.requires_grad)
    # Only what lies between an output and a target is worth a rule.
    needed: set[Node] = set()
    for node in order:
        if node in targets or (node.requires_grad and any(i in needed for i in node.inputs)):
            needed.add(node)
    gradients: dict[Node, Node] = {}
    for output, gradient in zip(outputs, grad_outputs, strict=True):
        _accumulate(gradients, output, gradient)
    result: dict[Node, Node] = {}
    # Of operations with several results: the gradients of those that something depends on, by their number.
    gathered: dict[Node, dict[int, Node]] = {}
    for node in reversed(order):
        if isinstance(node, SeveralResults):
            parts = gathered.pop(node, {})
            if parts and any(i in needed for i in node.inputs):
                gs = node.op.named(parts.get(k) for k in range(len(node.forms)))
                _pass_on(gradients, node, gs, needed)
            continue
        total = gradients.pop(node, None)
        if total is None or node not in needed:
            continue
        if is_half(node.dtype):
            total = cast(total, node.dtype)
        if node.hooks is not None:
            total = node.hooks(total)
        if node in targets:
            result[node] = total
        if node.op is RESULT:
            parts, index = gathered.setdefault(node.inputs[0], {}), node.params["index"]
            parts[index] = parts[index] + total if index in parts else total
        elif node.op.vjp is not None and any(i in needed for i in node.inputs):
            _pass_on(gradients, node, total, needed)
    return result


def gradients_of(value: Node, wrt: Iterable[Node]) -> dict[Node, Node]:
    """The gradients of the sum of a value's elements; none where it is not tracked."""
    return vjp([value], [constant(np.ones(value.shape, value.dtype))], wrt)


def _pass_on(gradients: dict[Node, Node], node: Node, g: Any, needed: set[Node]) -> None:
    for child, part in zip(node.inputs, pull(node, g), strict=True):
        if part is not None and child in needed:
            _accumulate(gradients, child, part)


def _accumulate(gradients: dict[Node, Node], node: Node, gradient: Node) -> None:
    # What comes to a float16 tensor from all sides is rounded once, when it is complete.
    gradient = cast(sum_to(gradient, node.shape), FLOAT32 if is_half(node.dtype) else node.dtype)
    known = gradients.get(node)
    gradients[node] = gradient if known is None else known + gradient


#: The node that an edge leads to, None where nothing is tracked, and which of its results it is about.
Edge = tuple[Node | None, int]


def shown(node: Node) -> Edge:
    """The node that stands for `node` in the chain, and the number of the result that `node` is.

    Steps that PyTorch takes inside an operation, such as a conversion for promotion, are passed over.
    """
    number = 0
    while node.requires_grad and node.op is not INPUT and node.op.grad_fn is None:
        if node.op is RESULT and node.inputs[0].op.written is not None:
            node = node.inputs[0].op.written(node.inputs[0])[node.params["index"]]
            continue
        number = node.params["index"] if node.op is RESULT else number
        node = next(i for i in node.inputs if i.requires_grad)
    return (node, number) if node.requires_grad else (None, 0)


def backward_function(node: Node) -> tuple[str, list[Edge]]:
    """PyTorch's name for the backward function of a tracked node, and its edges."""
    name, inputs = _described(node)
    return name, [(None, 0) if i is None else shown(i) for i in inputs]


def backward_name(node: Node) -> str:
    """PyTorch's name for the backward function of a tracked node."""
    return _described(node)[0]


def _described(node: Node) -> tuple[str, Sequence[Node | None]]:
    if node.op is INPUT:
        return "AccumulateGrad", ()
    described = node.op.grad_fn
    return (described, node.inputs) if isinstance(described, str) else described(node)  # type: ignore[misc]
