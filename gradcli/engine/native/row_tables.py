"""Elements of a row added up at places that are data: in double precision, in their order, in a table of the row."""

from __future__ import annotations

import math

from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.group import Group
from gradcli.engine.native.lookups import add_each, lane_offsets, place_within
from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.loops import address, address_of, in_vectors
from gradcli.engine.native.states import States
from gradcli.engine.native.transpose import first_load, first_store, spread_from
from gradcli.engine.native.vectors import FLOAT64, Vector, element_type

#: Rows of more sums do not stay in the cache.
_WIDEST = 1 << 16
_SIZE = FLOAT64.itemsize


def fits(item: LoopStep) -> bool:
    """Whether the table of a row is small enough."""
    return math.prod(item.step.node.shape[1:]) <= _WIDEST


def reserve(states: States, group: Group, item: LoopStep) -> str:
    """The line that names its memory."""
    return states.reserve(_name(item), group.width(item.out) * _SIZE)


def begin(v: VectorBuilder, group: Group, item: LoopStep, same: Vector | None, base: str | None) -> None:
    """Write zeros, or what the sums begin with: a vector for all of them, or a row at an address."""
    for index, valid in in_vectors(v, group.width(item.out)):
        value = v.constant(0, FLOAT64) if same is None else v.cast(same, FLOAT64)
        if same is None and base is not None:
            dtype = group.dtype(item.start)
            value = v.cast(first_load(v, address(v, base, index, element_type(dtype)), dtype, valid), FLOAT64)
        v.store(value, address(v, _name(item), index, "double"))


def add(v: VectorBuilder, item: LoopStep, value: Vector, place: Vector, indices: list[str], valid: int) -> None:
    """Add the first elements of a vector, each at its place."""
    assert item.table is not None
    offset = place_within(v, place, item.table, valid) * (item.table.step * _SIZE)
    if item.strides[-1:] == (1,):
        offset = offset + lane_offsets(v, _SIZE)
    add_each(v, address_of(v, _name(item), indices, item.strides, _SIZE), offset, v.cast(value, FLOAT64), valid)


def end(v: VectorBuilder, group: Group, item: LoopStep, base: str | None) -> Vector | None:
    """Write the sums as the result has them to an address; a single one is a vector, too."""
    dtype, width = group.dtype(item.out), group.width(item.out)
    for index, valid in in_vectors(v, width) if base is not None else ():
        value = v.cast(v.load(address(v, _name(item), index, "double"), FLOAT64), dtype)
        first_store(v, value, address(v, base or "", index, element_type(dtype)), valid)
    return v.cast(spread_from(v, _name(item), FLOAT64), dtype) if width == 1 else None


def _name(item: LoopStep) -> str:
    return f"%table{item.out}"
