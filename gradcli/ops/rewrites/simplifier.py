"""What rules need of the simplifier, and what several of them ask."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from gradcli.graph.node import CONSTANT, Node
from gradcli.graph.op import Op, Params, Shape

# A factor is small if the product has so many times as many elements, and if there are no more than so many at all.
_FEW = 16
_SMALL = 1 << 16
# Numbers are merged within these bounds.
ORDINARY = (2.0**-60, 2.0**60)
# Sizes within which a factor may be moved out of a sum of products: these neither vanish nor overflow for it.
MODERATE = 2.0**60
# Sizes within which two factors may be made into one.
NORMAL = 2.0**100


class Condition(NamedTuple):
    """What must hold of all elements of a node: to lie between 1/bound and bound in size, or to be finite for 0."""

    node: Node
    bound: float


def holds(condition: Condition, array: Any) -> bool:
    """Whether a condition holds of the array of its node."""
    if not condition.bound:
        return bool(np.isfinite(array).all())
    size = np.abs(array)
    return bool(((size >= 1 / condition.bound) & (size <= condition.bound)).all())


class Builder(Protocol):
    """What the rules need of the simplifier."""

    conditions: list[Condition] | None

    def build(self, op: Op, inputs: tuple[Node, ...], params: Params, shape: Shape | None = None) -> Node: ...
    def call(self, name: str, *inputs: Node, **params: Any) -> Node: ...
    def number(self, value: float, like: Node) -> Node: ...


def is_small(factor: Node, size: int) -> bool:
    """Whether a factor of a product of `size` elements costs next to nothing."""
    return factor.size <= _SMALL and are_few(factor.size, size)


def is_large(node: Node) -> bool:
    """Whether a tensor has so many elements that it is worth some trouble not to go through it."""
    return node.size > _SMALL


def are_few(some: int, size: int) -> bool:
    """Whether so many elements are next to nothing beside `size` others."""
    return 0 < some * _FEW <= size


def number_of(node: Node) -> float | None:
    """The value of a floating-point constant of one element."""
    if node.op is CONSTANT and node.dtype.kind == "f" and node.params["value"].size == 1:
        return float(node.params["value"].reshape(()))
    return None


def is_ordinary(value: float) -> bool:
    """Whether a number may be merged with others."""
    return ORDINARY[0] <= abs(value) <= ORDINARY[1]


def unreshaped(node: Node) -> Node:
    """What a view shows: that is what is held."""
    while node.op.reshapes:
        node = node.inputs[0]
    return node


def split(node: Node) -> tuple[float | None, Node]:
    """A product as its number and the rest."""
    for k in (1, 0):
        factor = number_of(node.inputs[k])
        if factor is not None and factor != 0 and node.inputs[1 - k].op is not CONSTANT:
            return factor, node.inputs[1 - k]
    return None, node
