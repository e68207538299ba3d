"""float16 is a format to store numbers in: each operation on it computes in float32 and is rounded once, at its end.

So do PyTorch's. The graph says float16 where PyTorch does; `in_single` writes the conversions out before anything is
computed, so that no kernel ever computes in float16, and `pull` puts them around the derivative rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gradcli.graph.dtypes import FLOAT32, is_half
from gradcli.graph.infer import cast
from gradcli.graph.node import RESULT, Node, SeveralResults, make, weak_constant, with_inputs
from gradcli.graph.op import OPS

# Operations of these families move elements, or fill tensors with them: there is nothing to be rounded.
_MOVING = frozenset({"leaf", "create", "shape", "index", "diagonal"})


def rounds(node: Node) -> bool:
    """Whether a node is the result of an operation that computes with float16 numbers."""
    if not is_half(node.dtype) or node.op.family in _MOVING or node.op.blocking.view:
        return False
    return any(is_half(child.dtype) for child in node.inputs)


def widened(node: Node) -> Node:
    """The float32 numbers that an operation computes with in place of float16 ones."""
    if not is_half(node.dtype):
        return node
    if node.weak:
        # The number itself, not what float16 would leave of it.
        return weak_constant(node.params["number"], FLOAT32)
    if not node.op.within:
        return cast(node, FLOAT32)
    return unrounded(node, tuple([widened(child) for child in node.inputs]))


def unrounded(node: Node, inputs: tuple[Node, ...]) -> Node:
    """The operation of a node on widened operands."""
    params = {**node.params, "dtype": FLOAT32} if "dtype" in node.params else node.params
    wide = make(node.op, inputs, params)
    wide.span = node.span
    return wide


def pull(node: Node, g: Any) -> tuple[Node | None, ...]:
    """The gradients that an operation passes on, by its rule: float32 ones to float16 operands, still to be rounded.

    `g` is the gradient of its result, or those of several by their names.
    """
    if rounds(node):
        node = unrounded(node, tuple([widened(child) for child in node.inputs]))
        g = node.op.named(h and widened(h) for h in g) if node.op.results else widened(g)
    out = node.results() if isinstance(node, SeveralResults) else node
    assert node.op.vjp is not None
    return node.op.vjp(g, out, *node.inputs, **node.params)


def in_single(
    roots: Sequence[Node], order: Sequence[Node], stop: Callable[[Node], bool] | None = None
) -> Sequence[Node]:
    """Graphs with the values of `roots`, in which no operation computes in float16.

    `order` are the nodes that the roots need; those for which `stop` holds are leaves.
    """
    if not any(is_half(node.dtype) for node in order):
        return roots
    done: dict[Node, Node] = {}
    wide: dict[Node, Node] = {}
    for node in order:
        if not node.inputs or (stop is not None and stop(node)):
            done[node] = node
            continue
        inputs = tuple([done[child] for child in node.inputs])
        if node.op is RESULT and inputs[0] is not node.inputs[0]:
            # Its operation may give float32 numbers by now; like any other it is rounded at its end.
            done[node] = cast(make(RESULT, inputs, node.params), node.dtype)
            continue
        if not rounds(node):
            done[node] = node if inputs == node.inputs else with_inputs(node, inputs)
            continue
        for child in inputs:
            if child not in wide:
                wide[child] = widened(child)
        result = unrounded(node, tuple([wide[child] for child in inputs]))
        done[node] = result if node.op.results else make(OPS["_cast"], (result,), {"dtype": node.dtype})
        if node.op.within:
            wide[done[node]] = result
    return [done[root] for root in roots]
