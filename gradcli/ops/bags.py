"""Bags: rows of a table taken together, so many at a time."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_choice, as_flag, as_node, normalize_axis
from gradcli.graph.node import Node
from gradcli.ops.elementwise import eq, ne, where
from gradcli.ops.family import call, composite
from gradcli.ops.gather import bounded_table, embedding, index_node
from gradcli.ops.one_step import one_step
from gradcli.ops.scatter import put_along, spread
from gradcli.ops.shape import reshape, unsqueeze


def _bags(index: Node, offsets: Any, include_last_offset: bool) -> tuple[Node, int]:
    """Which bag each index belongs to, and how many bags there are."""
    if index.ndim == 2:
        if offsets is not None:
            raise GradcliError("each row of indices is a bag: there are no offsets", argument="offsets")
        return call("arange", index.size) // max(1, index.shape[1]), index.shape[0]
    if index.ndim != 1 or offsets is None:
        message = "embedding_bag() takes rows of indices, or a vector and where each bag starts, got shape {}"
        raise SizeError(message, index.shape)
    starts = index_node(offsets, "offsets")
    if starts.ndim != 1 or not starts.size:
        raise SizeError("offsets are a vector of where bags start, got shape {}", starts.shape, argument="offsets")
    places = call("arange", index.size)
    return call("searchsorted", starts, places, right=True) - 1, starts.size - include_last_offset


def _embedding_bag(
    input: Any, weight: Any, offsets: Any, max_norm: Any, norm_type: Any, scale_grad_by_freq: Any, mode: Any,
    sparse: Any, per_sample_weights: Any, include_last_offset: Any, padding_idx: Any,
) -> Node:
    index, table = index_node(input, "input"), as_node(weight)
    how = as_choice(mode, "mode", ("sum", "mean", "max"))
    bag, count = _bags(index, offsets, as_flag(include_last_offset, "include_last_offset"))
    flat = reshape(index, (-1,))
    rows = embedding(flat, table, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse)
    factors = None if per_sample_weights is None else as_node(per_sample_weights)
    if factors is not None:
        if how != "sum" or factors.shape != index.shape:
            hint = "one for each index, with mode='sum'"
            raise GradcliError("embedding_bag() has no such weights", hint=hint, argument="per_sample_weights")
        rows = rows * reshape(factors, (-1, 1))
    taken = None if padding_idx is None else ne(flat, normalize_axis(padding_idx, table.shape[0]))
    value = _together(rows, bag, count, taken, how)
    # Where there are no weights of samples, the chain has an empty edge.
    return one_step("EmbeddingBagBackward0", value, table, index if factors is None else factors)


def _together(rows: Node, bag: Node, count: int, taken: Node | None, how: str) -> Node:
    """The rows of each bag in one; those that are not taken count as if they were not there."""
    shape = (count, rows.shape[1])
    nothing = call("zeros", shape, dtype=rows.dtype)
    if rows.size == 0 or count == 0:
        return nothing
    places = spread(bag, 0, rows.shape)
    if how == "max":
        low = -np.inf
        held = rows if taken is None else where(unsqueeze(taken, -1), rows, low)
        found = call("scatter_reduce", nothing, 0, places, held, "amax", include_self=False)
        return where(eq(found, low), 0, found)
    held = rows if taken is None else where(unsqueeze(taken, -1), rows, 0)
    total = put_along(nothing, 0, places, held, True)
    if how == "sum":
        return total
    ones = call("ones_like", bag, dtype=rows.dtype) if taken is None else call("to", taken, rows.dtype)
    counts = put_along(call("zeros", count, dtype=rows.dtype), 0, bag, ones, True)
    return total / unsqueeze(call("clamp_min", counts, 1), -1)


embedding_bag = composite(
    "embedding_bag", _embedding_bag, family="bags", torch="nn.functional.embedding_bag",
    updates=lambda input, weight, offsets, max_norm, norm_type, *how: bounded_table(
        input, weight, max_norm, norm_type
    ),
    args="input: places, weight, offsets: places=None, max_norm: number=None, norm_type=2.0, scale_grad_by_freq=False, "
    "mode: bag='mean', sparse=False, per_sample_weights: tensor=None, include_last_offset=False, padding_idx: int=None",
    doc="The mean, sum or max of the rows of a table in each bag: a row of indices is one, or what comes after each of "
    "the offsets.",
    example=("embedding_bag(input, weight, mode='sum')", "input:2:int64 weight:2"),
)
