"""Graphs over tensors of one size, whose shape does not matter: they are planned as vectors."""

from __future__ import annotations

from collections.abc import Sequence

from gradcli.engine.plan.leaf_views import is_packed
from gradcli.graph.node import CONSTANT, INPUT, Node, make
from gradcli.ops.blocking import kept
from gradcli.ops.create import filled
from gradcli.ops.shape import expand


def flatten(roots: Sequence[Node], order: Sequence[Node], small: int) -> tuple[list[Node], dict[Node, Node]] | None:
    """`roots` over vectors and numbers, and what each node has become; None where shapes matter.

    They do not where every tensor has the same number of elements or just one, and operations are elementwise,
    reductions of everything, or reshapes.
    """
    size = max(node.size for node in order)
    if size <= small or all(node.ndim <= 1 for node in order if node.size == size):
        return None
    leaves = {node for node in order if node.op is INPUT or node.op is CONSTANT}
    fits = all(node.size in (1, size) and (node in leaves or _is_flat(node, size)) for node in order)
    if not fits or not all(map(is_packed, leaves)):
        return None
    done: dict[Node, Node] = {}
    for node in order:
        if node in leaves:
            done[node] = _leaf(node)
        else:
            done[node] = _flat(node, tuple(done[i] for i in node.inputs), size)
            if done[node].span is None:
                done[node].span = node.span
    return [done[root] for root in roots], done


def _is_flat(node: Node, size: int) -> bool:
    op = node.op
    # Alone in that it makes a tensor out of a number, of any shape that is asked for.
    if op is filled:
        return True
    if op.family == "elementwise":
        # Stretching a row and a column to a matrix is no matter of one size: shapes agree but for 1s in front.
        return all(i.size == 1 or (1,) * (node.ndim - i.ndim) + i.shape == node.shape for i in node.inputs)
    if op.repeats:
        return node.inputs[0].size == 1 or node.inputs[0].size == node.size
    if op.family == "reduction" and op.blocking.accumulate is not None and op.blocking.follow is kept:
        return node.size == 1
    return op.reshapes


def _leaf(node: Node) -> Node:
    shape = (node.size,) if node.size != 1 else ()
    params = {"value": node.params["value"].reshape(shape)} if node.op is CONSTANT else node.params
    return Node(node.op, (), params, shape, node.dtype, False, node.weak)


def _flat(node: Node, inputs: tuple[Node, ...], size: int) -> Node:
    op = node.op
    shape = (size,) if node.size != 1 else ()
    if op is filled:
        return make(op, (), {**node.params, "shape": shape})
    if op.family == "elementwise":
        return make(op, inputs, node.params)
    if op.family == "reduction":
        dims = tuple(range(inputs[0].ndim))
        return make(op, inputs, {**node.params, "dim": dims, "keepdim": False})
    return inputs[0] if inputs[0].shape == shape else make(expand, inputs, {"shape": shape})
