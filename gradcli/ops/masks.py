"""What a mask chooses, and what is there once: how many elements there are depends on the data."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_flag, as_int, as_node, normalize_axis
from gradcli.graph.dtypes import BOOL, FLOAT32, FLOAT64, INT64
from gradcli.graph.infer import broadcast_shapes, cast
from gradcli.graph.measured import measured
from gradcli.graph.node import Node
from gradcli.ops.elementwise import ne
from gradcli.ops.family import call, composite
from gradcli.ops.index import gather_at, select, true_places, where_true
from gradcli.ops.shape import expand, permuted, reshape


def _masked_select(input: Any, mask: Any) -> Node:
    x, chosen = as_node(input), as_node(mask)
    if chosen.dtype != BOOL:
        raise GradcliError(f"a mask holds booleans, not {chosen.dtype}", hint="compare, as in x > 0", argument="mask")
    shape = broadcast_shapes([x.shape, chosen.shape]) or (1,)
    x, chosen = (n if n.shape == shape else expand(n, shape) for n in (x, chosen))
    return gather_at(x, dict(enumerate(where_true(chosen, "masked_select(x, mask)"))), "MaskedSelectBackward0")


def _places(input: Any, name: str) -> Node:
    """Where an input is not zero, a row of indices for each dimension."""
    x = as_node(input)
    return measured(x if x.dtype == BOOL else ne(x, 0), name, true_places, "where(mask, x, 0) chooses without places")


def _nonzero(input: Any, as_tuple: Any) -> Any:
    found = _places(input, "nonzero(x)")
    if not as_flag(as_tuple, "as_tuple"):
        return permuted(found, (1, 0))
    if not found.shape[0]:
        # One element is looked at as a vector of one.
        return (call("zeros", found.shape[1], dtype=INT64),)
    return tuple(select(found, 0, k) for k in range(found.shape[0]))


masked_select = composite(
    "masked_select", _masked_select, args="input, mask: mask", family="masks",
    doc="The elements where a mask is true, as a vector: a constant choice for derivatives.",
    example="input:1 mask:1:bool", measures=True, words=("booleanmask",),
)
nonzero = composite(
    "nonzero", _nonzero, args="input, *, as_tuple=False", family="masks", example="input:1",
    doc="The indices of the nonzero elements, one per row; with as_tuple, a vector for each dimension.",
    measures=True,
)
argwhere = composite(
    "argwhere", lambda input: permuted(_places(input, "argwhere(x)"), (1, 0)), family="masks",
    doc="The indices of the nonzero elements, one per row.", example="input:1", numpy="argwhere", measures=True,
)


def _unique(input: Any, sorted: Any, return_inverse: Any, return_counts: Any, dim: Any) -> Any:
    x = as_node(input)
    as_flag(sorted, "sorted")
    axis = None if dim is None else normalize_axis(dim, x.ndim)
    if axis is not None and not x.ndim:
        raise GradcliError("unique() along a dimension needs one, the tensor has none", argument="dim")

    def found(array: Any, part: int) -> Any:
        several = np.unique(array, True, True, True, axis=axis, equal_nan=False)
        return np.asarray(several[part], INT64)

    def part(number: int) -> Node:
        return measured(x, "unique(x)", partial(found, part=number), "sort(x).values has the shape of x")

    flat, name = (x, "UniqueDimBackward0") if axis is not None else (reshape(x, (-1,)), "Unique2Backward0")
    results = [gather_at(flat, {axis or 0: part(1)}, name)]
    if as_flag(return_inverse, "return_inverse"):
        results.append(reshape(part(2), x.shape if axis is None else (-1,)))
    if as_flag(return_counts, "return_counts"):
        results.append(part(3))
    return results[0] if len(results) == 1 else tuple(results)


unique = composite(
    "unique", _unique, family="masks",
    args="input, sorted=True, return_inverse=False, return_counts=False, dim: dim=None",
    doc="Each element once, in order, or with dim each place along it; with return_inverse also where each has gone, "
    "with return_counts how often it is there. The gradient goes to the first of equal elements.",
    measures=True,
)


def _starts(array: Any, axis: int) -> Any:
    """Where along a dimension an element, or a slice, is not the same as the one before."""
    lines = np.moveaxis(array, axis, 0)
    first = np.ones(len(lines), bool)
    first[1:] = (lines[1:] != lines[:-1]).any(tuple(range(1, lines.ndim)))
    return np.flatnonzero(first)


def _unique_consecutive(input: Any, return_inverse: Any, return_counts: Any, dim: Any) -> Any:
    x = as_node(input)
    axis = None if dim is None else normalize_axis(dim, x.ndim)
    if axis is not None and not x.ndim:
        raise GradcliError("unique_consecutive() along a dimension needs one, the tensor has none", argument="dim")
    flat, along = (x, axis) if axis is not None else (reshape(x, (-1,)), 0)

    def part(found: Any) -> Node:
        return measured(flat, "unique_consecutive(x)", lambda array: found(_starts(array, along)), "x has one shape")

    length = flat.shape[along]
    results = [gather_at(flat, {along: part(lambda starts: starts)}, "UniqueConsecutiveBackward0")]
    if as_flag(return_inverse, "return_inverse"):
        gone = part(lambda starts: np.searchsorted(starts, np.arange(length), "right") - 1)
        results.append(reshape(gone, x.shape) if axis is None else gone)
    if as_flag(return_counts, "return_counts"):
        results.append(part(lambda starts: np.diff(starts, append=length)))
    return results[0] if len(results) == 1 else tuple(results)


unique_consecutive = composite(
    "unique_consecutive", _unique_consecutive, family="masks", measures=True,
    args="input, return_inverse=False, return_counts=False, dim: dim=None",
    doc="Each element that is not the same as the one before, or with dim each place along it; with return_inverse "
    "also where each has gone, with return_counts how often it is repeated. The gradient goes to the first of equal "
    "elements.",
)

# A tensor of so many is larger than what anybody counts in.
_MOST = 10**8


def _bincount(input: Any, weights: Any, minlength: Any) -> Node:
    x, least = as_node(input), as_int(minlength, "minlength")
    if x.ndim != 1 or x.dtype.kind not in "iu":
        ways = {"f": "x.long() makes whole numbers, histc(x, n) counts within n bins", "b": "x.long() makes integers"}
        hint = ways.get(x.dtype.kind, "x.flatten() makes a vector")
        raise GradcliError(f"bincount() counts a vector of integers, got {x.dtype} of shape {x.shape}", hint=hint)
    if least < 0:
        raise GradcliError(f"minlength must not be negative, got {least}", argument="minlength")

    def counted(array: Any) -> Any:
        low, high = (int(array.min()), int(array.max())) if array.size else (0, -1)
        if low < 0:
            hint = "bincount(x - x.min()) counts from the smallest on"
            raise GradcliError(f"bincount() counts numbers from 0 on, got {low}", hint=hint)
        if max(high, least) > _MOST:
            raise GradcliError(f"bincount() has room for numbers up to {_MOST:,}, got {max(high, least):,}")
        return np.bincount(array.astype(np.int64), minlength=least)

    counts = measured(x, "bincount(x)", counted, "histc(x, n, 0, n) has a shape of its own")
    if weights is None:
        return counts
    w = as_node(weights)
    if w.shape != x.shape:
        raise SizeError("weights have shape {}, the numbers {}", w.shape, x.shape, argument="weights")
    dtype = w.dtype if w.dtype == FLOAT32 else FLOAT64
    places = call("to", x, dtype=INT64)
    return call("index_add", call("zeros", counts.shape, dtype=dtype), 0, places, cast(w, dtype))


bincount = composite(
    "bincount", _bincount, args="input, weights: tensor=None, minlength: place=0", family="masks", measures=True,
    doc="How often each number from 0 on is in a vector of integers, or the sums of their weights.",
    example="input:1:int64", numpy="bincount",
)
