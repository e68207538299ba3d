"""Backward passes from Python: what one starts with, and which tensors it reaches."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.autodiff.vjp import vjp
from gradcli.errors import GradcliError
from gradcli.graph.arguments import as_node
from gradcli.graph.node import INPUT, Node, constant, toposort
from gradcli.machine.limits import having
from gradcli.tensors.elements import lower, tensors_of
from gradcli.tensors.hooks import CREATING_GRAPH


def gradients_by_tensor(tensor: Any, gradient: Any, inputs: Any, create_graph: bool) -> dict[Any, Node]:
    """What a backward pass from a tensor makes of the `.grad` of all tensors that it reaches, or of `inputs` alone."""
    seed = seed_of(tensor.node, lower(gradient))
    targets = receivers_of(tensor.node)
    if inputs is not None:
        wanted = list(dict.fromkeys(tensors_of(inputs, "inputs")))
        before = [(t, n) for t, n in targets if n is not t.node and any(t is w for w in wanted)]
        targets = [(t, t.node) for t in wanted] + before
    with having(CREATING_GRAPH, create_graph):
        found = vjp([tensor.node], [seed], [node for _, node in targets])
    totals: dict[Any, Node] = {}
    for receiver, node in targets:
        if node in found:
            known = totals.get(receiver) or (None if receiver.grad is None else receiver.grad.node)
            totals[receiver] = found[node] if known is None else known + found[node]
    return totals


def receivers_of(root: Node) -> list[tuple[Any, Node]]:
    """The tensors whose `.grad` a backward pass from `root` fills: tracked leaves, and those that retain theirs.

    A leaf that has been changed in place since stands in the graph as the node that it was.
    """
    receivers = []
    for node in toposort([root], stop=lambda n: not n.requires_grad):
        live = node.shown_last_by()
        if live is None or not node.requires_grad:
            continue
        was_leaf = node.op is INPUT and live.is_leaf and live.requires_grad
        if was_leaf and live.shape != node.shape:
            raise GradcliError(
                f"a leaf of shape {live.shape} had shape {node.shape} when it was used: it cannot take the gradient",
                hint="compute the result again",
            )
        if was_leaf or (live.node is node and live.retains_grad):
            receivers.append((live, node))
    return receivers


def seed_of(output: Node, gradient: Any) -> Node:
    """The gradient that a backward pass starts with."""
    if not output.requires_grad:
        hint = "make an input with requires_grad=True"
        raise GradcliError("this tensor does not depend on anything that requires grad", hint=hint)
    if gradient is None:
        if output.size != 1:
            raise GradcliError(
                f"the gradient of a tensor of shape {output.shape} needs a vector to multiply with",
                hint="reduce it first, as in y.sum(), or pass one, as in y.backward(gradient)",
            )
        return constant(np.ones(output.shape, output.dtype))
    node = as_node(gradient)
    if node.shape != output.shape:
        raise GradcliError(f"the gradient has shape {node.shape}, the tensor {output.shape}: they must be equal")
    return node
