"""The chain of backward functions as PyTorch shows it: names and edges of the graph as it was written."""

from __future__ import annotations

from gradcli.graph.node import INPUT, RESULT, Node

#: The node that an edge leads to, None where nothing is tracked, and which of its results it is about.
Edge = tuple[Node | None, int]


def shown(node: Node) -> Edge:
    """The node that stands for `node` in the chain, and the number of the result that `node` is.

    Steps that PyTorch takes inside an operation, such as a conversion for promotion, are passed over.
    """
    number = 0
    while node.requires_grad and node.op is not INPUT and node.op.grad_fn is None:
        number = node.params["index"] if node.op is RESULT else number
        node = next(i for i in node.inputs if i.requires_grad)
    return (node, number) if node.requires_grad else (None, 0)


def backward_function(node: Node) -> tuple[str, list[Edge]]:
    """PyTorch's name for the backward function of a tracked node, and its edges."""
    if node.op is INPUT:
        return "AccumulateGrad", []
    described = node.op.grad_fn
    name, inputs = (described, node.inputs) if isinstance(described, str) else described(node)  # type: ignore[misc]
    return name, [(None, 0) if i is None else shown(i) for i in inputs]
