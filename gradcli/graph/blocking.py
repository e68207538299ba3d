"""How an operation can be computed in blocks: which dimension of its operands a dimension of its result follows.

A rule `follow(node, dim)` answers for one dimension of the result: when only `start:stop` of it is wanted, which
dimension of each operand is cut in the same way. None in the place of an operand means that it is needed whole (or
is broadcast); None as the answer that the result cannot be had in pieces along `dim`.

A rule `reduced(node)` lists the dimensions that the operation sums up (or otherwise takes in): for each, the
dimension of every operand. An `Accumulate` says how the blocks' contributions are combined.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from gradcli.graph.node import Node

Dims = tuple[int | None, ...]
Follow = Callable[["Node", int], Dims | None]
Reduced = Callable[["Node"], list[Dims]]


class Accumulate(NamedTuple):
    """How a reduction is computed from blocks.

    `partial(arrays, params, start)` gives the state of one block, a tuple of arrays (`start` is the block's place
    along the reduced dimension); `merge(a, b)` the state of two neighbouring blocks, and may reuse `a`;
    `finish(state, node)` the result.
    """

    partial: Callable[[list[Any], dict[str, Any], int], tuple[Any, ...]]
    merge: Callable[[tuple[Any, ...], tuple[Any, ...]], tuple[Any, ...]]
    finish: Callable[[tuple[Any, ...], Node], Any]


class Blocking(NamedTuple):
    """What the planner knows of an operation.

    `view` marks results that are another look at the memory of their first operand. `lower` writes the operation
    with simpler ones, for a planner that can cut those but not this one.
    """

    follow: Follow
    reduced: Reduced | None = None
    accumulate: Accumulate | None = None
    lower: Callable[[Node], Node | None] | None = None
    view: bool = False


def aligned(node: Node, dim: int) -> Dims:
    """Elementwise operations and `expand`: dimensions match from the right, lengths of 1 are stretched."""
    ndim = len(node.shape)
    if len(node.inputs) == 1 and node.inputs[0].shape == node.shape:
        return (dim,)
    result: list[int | None] = []
    for child in node.inputs:
        d = dim - ndim + len(child.shape)
        result.append(d if d >= 0 and child.shape[d] != 1 else None)
    return tuple(result)


def batch(trailing: int) -> Follow:
    """Operations on the last `trailing` dimensions of their operands, one after the other over the leading ones."""

    def follow(node: Node, dim: int) -> Dims | None:
        # Leading dimensions of operands broadcast against each other.
        lead = len(node.inputs[0].shape) - trailing
        if dim >= lead:
            return None
        result: list[int | None] = []
        for child in node.inputs:
            d = dim - lead + len(child.shape) - trailing
            result.append(d if d >= 0 and child.shape[d] != 1 else None)
        return tuple(result)

    return follow


def except_along(node: Node, dim: int) -> Dims | None:
    """Operations along one dimension (`dim` of the parameters) or several (`dims`), independent along all others."""
    own = node.params["dims"] if "dims" in node.params else node.params["dim"]
    return None if own is None or dim == own or (isinstance(own, tuple) and dim in own) else (dim,) * len(node.inputs)


def kept(node: Node, dim: int) -> Dims:
    """Reductions: the dimensions that are left."""
    reduced = node.params["dim"]
    if node.params["keepdim"]:
        return (dim,) * len(node.inputs)
    left = [k for k in range(len(node.inputs[0].shape)) if k not in reduced]
    return (left[dim],) * len(node.inputs)


def over_dims(node: Node) -> list[Dims]:
    """Reductions: the dimensions that they take in."""
    return [(d,) for d in node.params["dim"]]


def reshaped(node: Node, dim: int) -> Dims | None:
    """Reshapes: a dimension that has the same length and the same number of elements before it."""
    new, old = node.shape, node.inputs[0].shape
    before = math.prod(new[:dim])
    product = 1
    for k, length in enumerate(old):
        if product == before and length == new[dim]:
            return (k,)
        product *= length
        if product > before:
            break
    return None


def nowhere(node: Node, dim: int) -> Dims | None:
    """Operations whose result comes in one piece."""
    return None


ALIGNED = Blocking(aligned)
WHOLE = Blocking(nowhere)
VIEW = Blocking(reshaped, view=True)
