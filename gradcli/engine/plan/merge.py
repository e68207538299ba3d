"""Graphs whose first two dimensions always go together, as the members and heads of a batch: they are planned as one.

What is computed at once is then a row of that one dimension, which the cache holds, in place of all heads of a member.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from gradcli.engine.plan.leaf_views import is_packed
from gradcli.graph.node import CONSTANT, INPUT, RESULT, Node, make, with_inputs
from gradcli.graph.op import Shape
from gradcli.ops.blocking import aligned, kept, reshaped
from gradcli.ops.shape import expand, view

#: Rows of fewer elements are left as they are: several of them make a block, and that block fits the cache.
_LARGE_ROW = 1 << 13
#: An operand that is one and the same for all members or heads is repeated for them if the result is so many times as
#: large.
_MUCH_SMALLER = 8


def merge(roots: Sequence[Node], order: Sequence[Node], small: int) -> tuple[list[Node], dict[Node, Node]] | None:
    """`roots` with two dimensions merged, and what each node has become; None where they do not always go together."""
    largest = max(order, key=lambda node: node.size)
    lead = largest.shape[:2]
    if largest.ndim < 3 or largest.size <= small or 1 in lead or largest.size // lead[0] < _LARGE_ROW:
        return None
    merging = _Merging(lead)
    for node in order:
        new = merging.leaf(node) if node.op is INPUT or node.op is CONSTANT else merging.step(node)
        if new is None:
            return None
        if new is not node and new.span is None:
            new.span = node.span
        merging.done[node] = new
    return [merging.done[root] for root in roots], merging.done


class _Merging:
    """What each node has become. A node that begins with the two dimensions has the one in their place."""

    def __init__(self, lead: Shape) -> None:
        self.lead = lead
        self.done: dict[Node, Node] = {}

    def has_lead(self, node: Node) -> bool:
        return node.shape[:2] == self.lead

    def shape(self, node: Node) -> Shape:
        """The shape that a node gets."""
        return (math.prod(self.lead), *node.shape[2:]) if self.has_lead(node) else node.shape

    def leaf(self, leaf: Node) -> Node | None:
        """An input or constant of this shape; None of one in another order."""
        if not self.has_lead(leaf):
            return leaf
        if not is_packed(leaf):
            return None
        shape, params = self.shape(leaf), leaf.params
        if leaf.op is CONSTANT:
            params = {"value": params["value"].reshape(shape)}
        return Node(leaf.op, (), params, shape, leaf.dtype, False, leaf.weak)

    def step(self, node: Node) -> Node | None:
        """The same operation on what its operands have become."""
        inputs = tuple([self.done[i] for i in node.inputs])
        if not self.has_lead(node) and not any(map(self.has_lead, node.inputs)):
            return node if inputs == node.inputs else with_inputs(node, inputs)
        blocking, params = node.op.blocking, node.params
        rule = _RULES.get(blocking.follow)
        if rule is not None:
            found = rule(self, node, inputs)
        elif node.op is RESULT:
            found = make(RESULT, inputs, params)
        elif not inputs:
            found = make(node.op, (), {**params, "shape": self.shape(node)}) if "shape" in params else None
        elif blocking.merged is not None:
            found = blocking.merged(node, inputs) if self.has_lead(node) and self.has_lead(node.inputs[0]) else None
        else:
            found = self._behind(node, inputs)
        return found if found is None or node.op.results else _in_shape(found, self.shape(node))

    def _behind(self, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        """An operation along dimensions that come behind the two, which are for themselves."""
        name, follow = "dims" if "dims" in node.params else "dim", node.op.blocking.follow
        dims = node.params.get(name)
        several = dims if isinstance(dims, tuple) else (dims,)
        if not all(isinstance(dim, int) and dim >= 2 for dim in several) or not self.has_lead(node):
            return None
        if any(follow(node, dim) != (dim,) * len(inputs) for dim in (0, 1)):
            return None
        fewer = tuple([dim - 1 for dim in several])
        params = {**node.params, name: fewer if isinstance(dims, tuple) else fewer[0]}
        if params.get("shape", node.shape) != node.shape:
            return None
        return make(node.op, inputs, {**params, "shape": self.shape(node)} if "shape" in params else params)

    def beside(self, node: Node, operand: Node) -> Node | None:
        """An operand whose dimensions stand below those of `node`, from the right; None where that does not work."""
        missing = node.ndim - operand.ndim
        if self.has_lead(operand):
            return self.done[operand] if not missing else None
        if missing >= 2:
            return self.done[operand]
        shape = (1,) * missing + operand.shape
        if shape[:2] == (1, 1):
            return _in_shape(self.done[operand], shape[2:])
        if operand.size // math.prod(shape[:2]) * math.prod(self.lead) * _MUCH_SMALLER > node.size:
            return None
        repeated = make(expand, (self.done[operand],), {"shape": (*self.lead, *shape[2:])})
        return _in_shape(repeated, (math.prod(self.lead), *shape[2:]))


def _in_shape(x: Node, shape: Shape) -> Node:
    return x if x.shape == shape else make(view, (x,), {"shape": shape})


# What becomes of an operation, by the rule that says which dimensions its operands are cut along ----------------------

Rule = Callable[[_Merging, Node, tuple[Node, ...]], Node | None]


def _of_aligned(merging: _Merging, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    found = [merging.beside(node, operand) for operand in node.inputs]
    if not merging.has_lead(node) or None in found:
        return None
    params = {**node.params, "shape": merging.shape(node)} if "shape" in node.params else node.params
    return make(node.op, tuple([x for x in found if x is not None]), params)


def _of_kept(merging: _Merging, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """A reduction over both of the dimensions, or neither."""
    dims = node.params["dim"]
    if not all(map(merging.has_lead, node.inputs)) or (0 in dims) != (1 in dims):
        return None
    return make(node.op, inputs, {**node.params, "dim": tuple(sorted({max(0, dim - 1) for dim in dims}))})


_RULES: dict[Callable[..., object], Rule] = {
    aligned: _of_aligned,
    kept: _of_kept,
    reshaped: lambda merging, node, inputs: inputs[0],
}
