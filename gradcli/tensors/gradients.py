"""Backward passes from Python: what Tensor.backward and gradcli.grad do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from gradcli.autodiff.vjp import vjp
from gradcli.errors import GradcliError
from gradcli.graph.arguments import as_node, kind_of
from gradcli.graph.node import INPUT, Node, constant, toposort
from gradcli.tensors.tensor import Tensor, as_leaves, lower, tensor_of


def _receivers(root: Node) -> list[tuple[Tensor, Node]]:
    """The tensors whose `.grad` a backward pass from `root` fills: tracked leaves, and those that retain theirs.

    A leaf that has been changed in place since stands in the graph as the node that it was.
    """
    receivers = []
    for node in toposort([root], stop=lambda n: not n.requires_grad):
        live = node.tensor() if node.tensor is not None else None
        if live is None or not node.requires_grad:
            continue
        was_leaf = node.op is INPUT and live.is_leaf and live.requires_grad and live.shape == node.shape
        if was_leaf or (live.node is node and live.retains_grad):
            receivers.append((live, node))
    return receivers


def _seed(output: Tensor, gradient: Any) -> Node:
    """The gradient that a backward pass starts with."""
    if not output.requires_grad:
        raise GradcliError(
            "this tensor does not depend on anything that requires grad", hint="make an input with requires_grad=True"
        )
    if gradient is None:
        if output.numel() != 1:
            raise GradcliError(
                f"the gradient of a tensor of shape {output.shape} needs a vector to multiply with",
                hint="reduce it first, as in y.sum(), or pass one, as in y.backward(gradient)",
            )
        return constant(np.ones(output.shape, output.dtype))
    node = as_node(lower(gradient))
    if node.shape != output.shape:
        raise GradcliError(f"the gradient has shape {node.shape}, the tensor {output.shape}: they must be equal")
    return node


def _tensors(given: Any, name: str) -> list[Tensor]:
    """The tensors of an argument that takes one or several."""
    items = given if isinstance(given, Iterable) and not isinstance(given, Tensor | str | bytes) else [given]
    try:
        tensors = list(items)
    except TypeError:
        # An array of no dimensions says that it can be gone through.
        tensors = [given]
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise GradcliError(f"{name} must be a tensor or a list of tensors, got {kind_of(tensor)}")
    return tensors


def _among(tensor: Tensor, others: list[Tensor]) -> bool:
    return any(tensor is other for other in others)


def backward(output: Tensor, gradient: Any, create_graph: bool, inputs: Any) -> None:
    """Add the gradient of `output` to `.grad` of `inputs`, or of every tensor that receives one."""
    seed = _seed(output, gradient)
    targets = _receivers(output.node)
    if inputs is not None:
        wanted = list(dict.fromkeys(_tensors(inputs, "inputs")))
        targets = [(t, t.node) for t in wanted] + [(t, n) for t, n in targets if n is not t.node and _among(t, wanted)]
    found = vjp([output.node], [seed], [node for _, node in targets])
    totals: dict[Tensor, Node] = {}
    for tensor, node in targets:
        if node in found:
            known = totals.get(tensor) or (None if tensor.grad is None else tensor.grad.node)
            totals[tensor] = found[node] if known is None else known + found[node]
    receivers = list(totals)
    gradients = [tensor_of(total) for total in totals.values()]
    if not create_graph:
        # Leaves of their own: a loop of backward passes must not keep every pass alive.
        gradients = as_leaves(gradients)
    for tensor, total in zip(receivers, gradients, strict=True):
        if tensor.grad is None or create_graph or tensor.grad.requires_grad:
            tensor.grad = total
        else:
            tensor.grad._update(total)


def grad(
    outputs: Tensor | Iterable[Tensor], inputs: Tensor | Iterable[Tensor], grad_outputs: Any = None,
    retain_graph: bool | None = None, create_graph: bool = False, allow_unused: bool | None = None,
) -> tuple[Tensor | None, ...]:  # fmt: skip
    """The gradients of `outputs` with respect to `inputs`, without touching any `.grad`.

    With `create_graph=True` they can be differentiated again. An input that the outputs do not depend on is an error
    unless `allow_unused`; its gradient is then None.

    >>> import gradcli as gc
    >>> x = gc.tensor(3.0, requires_grad=True)
    >>> (first,) = gc.grad(x**3, x, create_graph=True)
    >>> gc.grad(first, x)
    (tensor(18.),)
    """
    outs, targets = _tensors(outputs, "outputs"), _tensors(inputs, "inputs")
    seeds = [None] * len(outs) if grad_outputs is None else grad_outputs
    seeds = list(seeds) if isinstance(seeds, list | tuple) else [seeds]
    if len(seeds) != len(outs):
        raise GradcliError(f"{len(outs)} outputs need as many grad_outputs, got {len(seeds)}")
    for target in targets:
        if not target.requires_grad:
            raise GradcliError("one of the inputs does not require grad", hint="call x.requires_grad_() on it")
    nodes = [_seed(o, s) for o, s in zip(outs, seeds, strict=True)]
    found = vjp([o.node for o in outs], nodes, [t.node for t in targets])
    if not allow_unused and len(found) < len({t.node for t in targets}):
        raise GradcliError("an output does not depend on one of the inputs", hint="allow_unused=True gives None for it")
    gradients = {node: tensor_of(g) for node, g in found.items()}
    if not create_graph:
        gradients = dict(zip(gradients, as_leaves(list(gradients.values())), strict=True))
    return tuple(gradients.get(t.node) for t in targets)
