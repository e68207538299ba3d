"""A smaller graph with the same values: common work once, numbers merged, operations that change nothing left out.

What an infinity, NaN, a signed zero or an empty tensor leads to stays as it is. Numbers are merged (`2*(3*g)` becomes
`6*g`) only where they are of ordinary size, so that nothing overflows or vanishes that did not do so before;
intermediate results that would have overflowed may stay finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from gradcli.graph.infer import broadcast_shapes
from gradcli.graph.node import CONSTANT, INPUT, RESULT, Node, SeveralResults, constant, make, toposort
from gradcli.graph.op import OPS, Op, Params, Shape
from gradcli.ops.blocking import aligned, kept
from gradcli.ops.create import filled
from gradcli.ops.rewrites.simplifier import Condition
from gradcli.ops.shape import expand, view

# Constants up to this many elements are computed once, when the graph is simplified.
_FOLDED = 64


def simplify(
    roots: Sequence[Node],
    stop: Callable[[Node], bool] | None = None,
    leaves: dict[Node, Node] | None = None,
    conditions: list[Condition] | None = None,
) -> list[Node]:
    """Graphs with the values of `roots`.

    Nodes for which `stop` holds become inputs; `leaves`, if given, takes up which input stands for which node. With
    `conditions` small factors are taken out of large products, on conditions that are added to the list.
    """
    simplifier = _Simplifier(conditions)
    for node in toposort(roots, stop):
        if node.inputs and stop is not None and stop(node):
            leaf = Node(INPUT, (), {}, node.shape, node.dtype, False)
            simplifier.done[node] = leaf
            if leaves is not None:
                leaves[leaf] = node
        else:
            simplifier.visit(node)
    found = [simplifier.done[root] for root in roots]
    if simplifier.skipping:
        for node, wanted in wanted_results(toposort(found)).items():
            # Made here a moment ago: nobody else has seen it.
            node.params = {**node.params, "wanted": wanted}
    return found


class _Simplifier:
    """Rebuilds a graph from the leaves up, by the rules of the rows; equal nodes are found by what they are made of."""

    def __init__(self, conditions: list[Condition] | None) -> None:
        self.conditions = conditions
        #: Whether there is an operation that may leave results out.
        self.skipping = False
        self.done: dict[Node, Node] = {}
        self.known: dict[Any, Node] = {}

    def visit(self, node: Node) -> None:
        if node.op is INPUT or node.op is CONSTANT:
            self.done[node] = node if node.op is INPUT else self._constant(node)
            return
        inputs = tuple([self.done[child] for child in node.inputs])
        result = self.build(node.op, inputs, node.params, node.shape)
        if result.span is None:
            result.span = node.span
        self.done[node] = result

    def build(self, op: Op, inputs: tuple[Node, ...], params: Params, shape: Shape | None = None) -> Node:
        """The node of an operation, simplified, or the equal one that was built before."""
        if op.results:
            self.skipping = self.skipping or op.skips
            # One form of each reduction, as below; the results are reshaped one by one.
            shape = None
            params = {k: False if k == "keepdim" else v for k, v in params.items() if k != "wanted"}
        if op.family == "elementwise":
            inputs = _without_expansion(inputs)
        elif op.blocking.follow is aligned and len(inputs) > 1:
            inputs = _of_one_shape(inputs)
        elif not op.results and "axis_given" in params and params["keepdim"]:
            # One form of each reduction, so that equal ones are found.
            kept_shape = tuple(1 if k in params["dim"] else n for k, n in enumerate(inputs[0].shape))
            return self._in_shape(self.build(op, inputs, {**params, "keepdim": False}), shape or kept_shape)
        if op.same:
            return self._in_shape(inputs[0], shape)
        if op.simplify is not None:
            found = op.simplify(self, op, inputs, params)
            if found is not None:
                return self._in_shape(found, shape)
        if op.blocking.follow is kept and not op.results:
            # Only the name in the chain depends on it.
            params = {**params, "axis_given": True}
        key = self._key(op, inputs, params)
        known = self.known.get(key)
        if known is None:
            known = make(op, inputs, params)
            known.requires_grad = False
            # A number that is repeated stays one number.
            foldable = known.size <= _FOLDED and not op.repeats and not op.results
            # Of an operation with several results each is folded alone.
            operands = inputs[0].inputs if op is RESULT else inputs
            if operands and foldable and all(i.op is CONSTANT for i in operands):
                known = _folded(known)
            self.known[key] = known
        return self._in_shape(known, shape)

    def call(self, name: str, *inputs: Node, **params: Any) -> Node:
        return self.build(OPS[name], inputs, params)

    def number(self, value: float, like: Node) -> Node:
        """A constant in the dtype of a node."""
        return self._constant(constant(value, like.dtype))

    def _constant(self, node: Node) -> Node:
        data = node.params["value"]
        key = (CONSTANT, data.dtype, data.shape, data.tobytes()) if data.size <= _FOLDED else id(data)
        return self.known.setdefault(key, node)

    def _in_shape(self, node: Node, shape: Shape | None) -> Node:
        """What was simplified on smaller operands, in the shape that it had."""
        if shape is None or node.shape == shape:
            return node
        if node.size == math.prod(shape):
            return self.build(view, (node,), {"shape": shape})
        return self.build(expand, (node,), {"shape": shape})

    @staticmethod
    def _key(op: Op, inputs: tuple[Node, ...], params: Params) -> Any:
        # The nodes themselves, not their addresses: a node that nothing holds leaves its address to the next one.
        if op.commutative and id(inputs[0]) > id(inputs[1]):
            inputs = (inputs[1], inputs[0])
        if not params:
            return op, *inputs
        # repr tells -0.0 from 0.0 and True from 1, which compare equal.
        return op, *inputs, *((k, v if type(v) is tuple else repr(v)) for k, v in params.items())


def _folded(node: Node) -> Node:
    computed = node.inputs[0] if node.op is RESULT else node
    assert computed.op.kernel is not None
    with np.errstate(all="ignore"):
        try:
            found = computed.op.kernel(*(i.params["value"] for i in computed.inputs), **computed.params)
            value = np.asarray(found[node.params["index"]] if node.op is RESULT else found)
        except Exception:
            # It is reported where it is computed, with its place in the source.
            return node
    return constant(value)


def _without_expansion(inputs: tuple[Node, ...]) -> tuple[Node, ...]:
    """Operands before they were stretched: elementwise operations broadcast by themselves."""
    return tuple([_unstretched(i) if i.op.repeats or i.op.reshapes or i.op is filled else i for i in inputs])


def _of_one_shape(inputs: tuple[Node, ...]) -> tuple[Node, ...]:
    """The same where the result is a sum of all elements, so that their number must stay."""
    bare = _without_expansion(inputs)
    return bare if broadcast_shapes([i.shape for i in bare]) == broadcast_shapes([i.shape for i in inputs]) else inputs


def _unstretched(node: Node) -> Node:
    while True:
        op = node.op
        if op is filled:
            # The number that a tensor is filled with: the only operation without operands that repeats something.
            return constant(node.params["value"], node.dtype) if node.size else node
        if not (op.repeats or op.reshapes):
            return node
        base = node.inputs[0]
        # Of the reshapes only those that put lengths of 1 in front, which broadcasting does as well.
        if not op.repeats and (1,) * (node.ndim - base.ndim) + base.shape != node.shape:
            return node
        node = base


def wanted_results(order: Iterable[Node]) -> dict[Node, tuple[bool, ...]]:
    """For each operation that may leave results out and has some that no node of a graph is: which ones are wanted."""
    found: dict[Node, set[int]] = {}
    for node in order:
        if node.op is RESULT and node.inputs[0].op.skips:
            found.setdefault(node.inputs[0], set()).add(node.params["index"])
    return {
        node: tuple([k in used for k in range(len(node.forms))])
        for node, used in found.items()
        if isinstance(node, SeveralResults) and len(used) < len(node.forms)
    }
