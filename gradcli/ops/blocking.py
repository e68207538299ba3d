"""How an operation can be computed in blocks: which dimension of its operands a dimension of its result follows.

A rule `follow(node, dim)` answers for one dimension of the result: when only `start:stop` of it is wanted, which
dimension of each operand is cut in the same way. None in the place of an operand means that it is needed whole (or
is broadcast); None as the answer that the result cannot be had in pieces along `dim`.

A rule `reduced(node)` lists the dimensions that the operation sums up (or otherwise takes in): for each, the
dimension of every operand. An `Accumulate` says how the blocks' contributions are combined.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gradcli.graph.native_forms import Dims
from gradcli.graph.op import Blocking, Follow

if TYPE_CHECKING:
    from gradcli.graph.node import Node


def aligned(node: Node, dim: int) -> Dims:
    """Elementwise operations and `expand`: dimensions match from the right, lengths of 1 are stretched."""
    ndim = len(node.shape)
    if len(node.inputs) == 1 and node.inputs[0].shape == node.shape:
        return (dim,)
    return _not_stretched(node, [dim - ndim + len(x.shape) for x in node.inputs])


def _not_stretched(node: Node, dims: list[int]) -> Dims:
    """A dimension of each operand, None where it lacks that or is broadcast along it."""
    return tuple([d if d >= 0 and x.shape[d] != 1 else None for x, d in zip(node.inputs, dims, strict=True)])


def batch(*trailing: int) -> Follow:
    """Operations on the last dimensions of their operands, one after the other over the leading ones, which broadcast.

    `trailing` says how many they are for each operand, or once for all.
    """

    def follow(node: Node, dim: int) -> Dims | None:
        leads = [len(x.shape) - n for x, n in zip(node.inputs, trailing * len(node.inputs), strict=False)]
        shift = dim - max(leads)
        return _not_stretched(node, [shift + lead for lead in leads]) if shift < 0 else None

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


ALIGNED = Blocking(aligned)
VIEW = Blocking(reshaped, view=True)
