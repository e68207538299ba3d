"""The chain of backward functions as PyTorch shows it: names and edges of the graph as it was written."""

from __future__ import annotations

from gradcli.graph.node import INPUT, Node


def shown(node: Node) -> Node | None:
    """The node that stands for `node` in the chain, or None where nothing is tracked.

    Steps that PyTorch takes inside an operation, such as a conversion for promotion, are passed over.
    """
    while node.requires_grad and node.op is not INPUT and node.op.grad_fn is None:
        node = next(i for i in node.inputs if i.requires_grad)
    return node if node.requires_grad else None


def backward_function(node: Node) -> tuple[str, list[Node | None]]:
    """PyTorch's name for the backward function of a tracked node, and the nodes that its edges lead to."""
    if node.op is INPUT:
        return "AccumulateGrad", []
    described = node.op.grad_fn
    name, inputs = (described, node.inputs) if isinstance(described, str) else described(node)  # type: ignore[misc]
    return name, [None if i is None else shown(i) for i in inputs]
