"""Tensors whose shape depends on data, such as the places where a mask is true: their values are needed while a graph
is built. They are constants for every derivative."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.graph.node import CONSTANT, INPUT, Node, constant, toposort

#: What makes a tensor of integers of the values of a node.
Measure = Callable[[Any], np.ndarray]


class UnmeasuredError(GradcliError):
    """The shape of a tensor depends on values that are not at hand while the graph is built; the message says why."""


def _refused(node: Node, measure: Measure) -> Node:
    raise UnmeasuredError("the data, which is not known here")


#: What the leaves are called whose values are measured anew for all data: no input has such a name.
MEASURED = "--measured "


#: What the leaves are called that stand for what differs between the iterations of a loop.
TURN = "--turn "


def is_measured(leaf: Node) -> bool:
    """Whether a leaf is one of these."""
    return leaf.op is INPUT and str(leaf.params["name"]).startswith(MEASURED)


#: How they are had: `way(node, measure)` gives the node of `measure` of the node's values. Whoever has data sets it.
WAY: ContextVar[Callable[[Node, Measure], Node]] = ContextVar("gradcli.measured", default=_refused)


def measured(node: Node, name: str, measure: Measure, instead: str) -> Node:
    """The node of `measure` of a node's values; `name` is what has such a shape, `instead` says what has another."""
    if node.op is CONSTANT:
        return constant(measure(node.params["value"]))
    if any("row" in below.params for below in toposort([node]) if below.op is INPUT):
        raise UnmeasuredError(f"the shape of {name} depends on the row, and all rows have one shape", hint=instead)
    try:
        if any(leaf.op is INPUT and leaf.params["name"] == TURN for leaf in toposort([node])):
            raise UnmeasuredError("what differs between the iterations of a loop")
        return WAY.get()(node, measure)
    except UnmeasuredError as error:
        raise UnmeasuredError(f"the shape of {name} depends on {error.message}", hint=instead) from None
