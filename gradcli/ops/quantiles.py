"""Quantiles: between which elements of a sorted line a level lies, and what is taken from them."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_choice, as_node, normalize_axis
from gradcli.graph.infer import cast
from gradcli.graph.node import CONSTANT, Node
from gradcli.graph.op import Op
from gradcli.ops.elementwise import bitwise_not, ceil, floor, isnan, lerp, long, round_, where
from gradcli.ops.family import composite, float_node
from gradcli.ops.gather import gathered
from gradcli.ops.reduce import any_, check_count, sum_
from gradcli.ops.shape import movedim, reshape, squeeze, unsqueeze
from gradcli.ops.sorting import sort

INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _levels(q: Any, x: Node, name: str) -> Node:
    """The levels as a vector in the dtype of the tensor."""
    levels = cast(as_node(q), x.dtype)
    if levels.ndim > 1:
        raise SizeError("{}() takes a level or a vector of them, got shape {}", name, levels.shape, argument="q")
    if levels.op is CONSTANT:
        values = levels.params["value"]
        if values.size and not (values.min() >= 0 and values.max() <= 1):
            raise GradcliError(f"the levels of {name}() lie between 0 and 1", argument="q")
    return levels if levels.ndim else unsqueeze(levels, 0)


def _ranks(line: Node, levels: Node, ignore: bool) -> Node:
    """Where each level lies in a sorted line, NaN last: among the numbers, or at the end where NaN is the answer."""
    length = line.shape[-1]
    if ignore:
        ranks = levels * (sum_(bitwise_not(isnan(line)), -1, True) - 1)
        return where(ranks < 0, 0, ranks)
    return where(any_(isnan(line), -1, True), length - 1, levels * (length - 1))


def _taken(line: Node, ranks: Node, how: str) -> Node:
    def at(rank: Node) -> Node:
        return gathered(line, line.ndim - 1, long(rank))

    if how in ("lower", "higher", "nearest"):
        return at({"lower": floor, "higher": ceil, "nearest": round_}[how](ranks))
    below = floor(ranks)
    return lerp(at(below), at(ceil(ranks)), 0.5 if how == "midpoint" else ranks - below)


def _quantile(name: str, ignore: bool, doc: str, numpy: str) -> Op:
    def build(input: Any, q: Any, dim: Any, keepdim: Any, interpolation: Any) -> Node:
        x = float_node(input, name)
        how = as_choice(interpolation, "interpolation", INTERPOLATIONS)
        many, levels = as_node(q).ndim == 1, _levels(q, x, name)
        axis = None if dim is None else normalize_axis(dim, x.ndim)
        flat = reshape(x, (-1,)) if axis is None or not x.ndim else x
        check_count(name, flat, (axis or 0,))
        line = sort(movedim(flat, axis or 0, -1), -1).values
        found = _taken(line, _ranks(line, levels, ignore), how)
        if keepdim and x.ndim:
            whole = (1,) * x.ndim if axis is None else (*x.shape[:axis], 1, *x.shape[axis + 1 :])
            found = reshape(found, (*whole, levels.shape[0]))
        return movedim(found, -1, 0) if many else squeeze(found, -1)

    return composite(
        name, build, args="input, q: levels, dim: dim=None, keepdim=False, *, interpolation: between='linear'",
        family="sorting", doc=doc, example=(f"{name}(input, 0.5, interpolation='nearest')", "input:1"), numpy=numpy,
    )


quantile = _quantile(
    "quantile", False, "The q-quantile, between neighbours as `interpolation` says; NaN "
    "if any element is.", "quantile",
)
nanquantile = _quantile("nanquantile", True, "The q-quantile of the elements that are not NaN.", "nanquantile")
