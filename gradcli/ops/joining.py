"""Rows that bring tensors together: beside each other, as blocks of a matrix, in one shape, as grids and products."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations as choices
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_choice, as_flag, as_int, as_node
from gradcli.graph.dtypes import INT64
from gradcli.graph.infer import broadcast_shapes, cast, promote
from gradcli.graph.node import Node, constant, make
from gradcli.graph.op import Op
from gradcli.ops.create import filled
from gradcli.ops.family import composite
from gradcli.ops.index import index_
from gradcli.ops.one_step import one_step
from gradcli.ops.shape import cat, expand, reshape, stack, unsqueeze

# Indices that are written into a graph take 8 bytes each.
_MOST_INDICES = 1 << 24
# PyTorch picks combinations out of a grid with so many dimensions, and has tensors of so many.
_MOST_AT_A_TIME = 64


def _given(tensors: Any, name: str) -> list[Node]:
    if not isinstance(tensors, list | tuple) or not tensors:
        raise GradcliError(f"{name}() takes a list of tensors", hint=f"for example, {name}([x, y])")
    return [as_node(item) for item in tensors]


# With dimensions put in -----------------------------------------------------------------------------------------------


def _at_least_1(x: Node) -> Node:
    return x if x.ndim else reshape(x, (1,))


def _at_least_2(x: Node) -> Node:
    return reshape(x, (1, 1)) if not x.ndim else unsqueeze(x, 0) if x.ndim == 1 else x


def _at_least_3(x: Node) -> Node:
    if not x.ndim:
        return reshape(x, (1, 1, 1))
    return unsqueeze(unsqueeze(x, 0), -1) if x.ndim == 1 else unsqueeze(x, -1) if x.ndim == 2 else x


def _with_dimensions(count: int, rule: Callable[[Node], Node]) -> Op:
    name = f"atleast_{count}d"

    def build(tensors: Any) -> Any:
        found = tuple([rule(x) for x in _given(tensors, name)])
        return found[0] if len(found) == 1 else found

    return composite(
        name, build, args="*tensors: tensor", family="shape", doc=f"The tensor with new dimensions of "
        f"length 1, so that there are at least {count}; several tensors give as many.",
        numpy=name, example="input:1",
    )


atleast_1d = _with_dimensions(1, _at_least_1)
atleast_2d = _with_dimensions(2, _at_least_2)
atleast_3d = _with_dimensions(3, _at_least_3)


# Beside each other ----------------------------------------------------------------------------------------------------


def _hstack(tensors: Any) -> Node:
    nodes = [_at_least_1(x) for x in _given(tensors, "hstack")]
    return cat(nodes, 0 if nodes[0].ndim == 1 else 1)


def _column_stack(tensors: Any) -> Node:
    nodes = _given(tensors, "column_stack")
    return cat([reshape(x, (x.size, 1)) if x.ndim <= 1 else x for x in nodes], 1)


def _stacking(name: str, build: Callable[[Any], Node], doc: str, example: str, **row: Any) -> Op:
    return composite(
        name, build, args="tensors", family="shape", doc=doc, numpy=name, example=(f"{name}([a, b])", example), **row
    )


hstack = _stacking("hstack", _hstack, "Side by side: along dimension 1, or 0 of vectors.", "a:2 b:2",
                    words=("hcat", "horzcat"))
vstack = _stacking(
    "vstack", lambda tensors: cat([_at_least_2(x) for x in _given(tensors, "vstack")], 0),
    "One below the other: along dimension 0, vectors as rows.", "a:2 b:2", aliases=("row_stack",),
    words=("vcat", "vertcat"),
)
dstack = _stacking(
    "dstack", lambda tensors: cat([_at_least_3(x) for x in _given(tensors, "dstack")], 2),
    "One behind the other: along dimension 2.", "a:2 b:2",
)
column_stack = _stacking("column_stack", _column_stack, "Side by side, vectors as columns.", "a:1 b:1")


# Blocks of a matrix ---------------------------------------------------------------------------------------------------


def _block_diag(tensors: Any) -> Node:
    nodes = _given(tensors, "block_diag")
    if any(x.ndim > 2 for x in nodes):
        large = next(x for x in nodes if x.ndim > 2)
        raise SizeError("block_diag() takes vectors and matrices, got shape {}", large.shape)
    dtype = promote(nodes)
    width = sum(x.shape[-1] if x.ndim else 1 for x in nodes)
    rows, at = [], 0
    for node in nodes:
        x = _at_least_2(cast(node, dtype))
        sides = [(x.shape[0], at), (x.shape[0], width - at - x.shape[1])]
        left, right = (make(filled, (), {"shape": s, "value": 0, "dtype": dtype}) for s in sides)
        rows.append(make(cat, tuple([part for part in (left, x, right) if part.shape[1]] or [x]), {"dim": 1}))
        at += x.shape[1]
    return one_step("BlockDiagBackward0", make(cat, tuple(rows), {"dim": 0}), *nodes)


block_diag = composite(
    "block_diag", _block_diag, args="*tensors: tensor", family="shape",
    doc="A block-diagonal matrix of matrices; vectors are rows.",
    example="a:2 b:2",
)


# In one shape, and grids ----------------------------------------------------------------------------------------------


def _broadcast_tensors(tensors: Any) -> tuple[Node, ...]:
    nodes = _given(tensors, "broadcast_tensors")
    shape = broadcast_shapes([x.shape for x in nodes])
    return tuple([x if x.shape == shape else expand(x, shape) for x in nodes])


def _grid(nodes: Sequence[Node], turned: bool = False) -> tuple[Node, ...]:
    """Vectors along a dimension of their own each; the first two exchange theirs where it is turned."""
    order = list(range(len(nodes)))
    order[:2] = order[1::-1] if turned else order[:2]
    lengths = [x.size for x in nodes]
    shape = tuple([lengths[k] for k in order])
    return tuple(
        [expand(reshape(x, [x.size if k == j else 1 for j in order]), shape) for k, x in enumerate(nodes)]
    )


def _vectors(tensors: Any, name: str) -> list[Node]:
    nodes = _given(tensors, name)
    for x in nodes:
        if x.ndim > 1:
            raise SizeError("{}() takes vectors, got shape {}", name, x.shape)
        if x.dtype != nodes[0].dtype:
            hint = "convert one of them, as in x.float()"
            raise GradcliError(f"{name}() takes vectors of one dtype, got {nodes[0].dtype} and {x.dtype}", hint=hint)
    return nodes


def _meshgrid(tensors: Any, indexing: Any) -> tuple[Node, ...]:
    turned = as_choice(indexing, "indexing", ("ij", "xy")) == "xy"
    return _grid(_vectors(tensors, "meshgrid"), turned)


def _cartesian_prod(tensors: Any) -> Node:
    nodes = _vectors(tensors, "cartesian_prod")
    if len(nodes) == 1:
        return nodes[0]
    return stack([reshape(x, (-1,)) for x in _grid(nodes)], 1)


def _combinations(input: Any, r: Any, with_replacement: Any) -> Node:
    x, count = as_node(input), as_int(r, "r")
    if x.ndim != 1:
        raise SizeError("combinations() takes a vector, the tensor has shape {}", x.shape)
    if count < 0:
        raise GradcliError(f"combinations() takes so many elements at a time, got {count}", argument="r")
    if not count:
        return make(filled, (), {"shape": (0,), "value": 0, "dtype": x.dtype})
    if count > _MOST_AT_A_TIME:
        message = f"combinations() takes up to {_MOST_AT_A_TIME} elements at a time, got {count}"
        raise GradcliError(message, argument="r")
    repeated = as_flag(with_replacement, "with_replacement")
    length = x.shape[0]
    rows = math.comb(length + count - 1, count) if repeated and length else 0 if repeated else math.comb(length, count)
    if rows * count > _MOST_INDICES:
        raise GradcliError(f"combinations() has {rows:.6g} rows of {count}, more than {_MOST_INDICES:,} elements")
    found = (combinations_with_replacement if repeated else choices)(range(length), count)
    places = np.fromiter(found, np.dtype((INT64, count)), rows)
    columns = [make(index_, (x, constant(column)), {"dims": (0,), "name": "IndexBackward0"}) for column in places.T]
    # PyTorch picks them out of grids with a mask.
    grids = _grid([x] * count) if length**count < 2**63 else [x] * count
    return stack([one_step("MaskedSelectBackward0", *pair) for pair in zip(columns, grids, strict=True)], 1)


broadcast_tensors = composite(
    "broadcast_tensors", _broadcast_tensors, args="*tensors: tensor", family="shape",
    doc="The tensors broadcast to their common shape, without copying.", numpy="broadcast_arrays",
    example=("broadcast_tensors(a, b)[0]", "a:1 b:2"),
)
meshgrid = composite(
    "meshgrid", _meshgrid, args="*tensors: tensor, indexing: indexing='ij'", family="shape",
    doc="Grids of vectors, each along a dimension of its own; 'xy' swaps the first two dimensions.",
    example=("meshgrid(a, b)[0]", "a:1 b:1"), words=("ndgrid",),
)
cartesian_prod = composite(
    "cartesian_prod", _cartesian_prod, args="*tensors: tensor", family="shape",
    doc="All combinations of an element of each vector, one per row.", example="a:1 b:1",
)
combinations = composite(
    "combinations", _combinations, args="input, r: int=2, with_replacement: flag=False", family="shape",
    doc="All combinations of r elements of a vector in their order, one per row, with or without repetition.",
    example=("combinations(stack([a, b]))", "a:0 b:0"),
)
