"""Elements of a table, at places that are data: taken from there, or added up there."""

from __future__ import annotations

import numpy as np

from gradcli.engine.native import lane_forms
from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.expressions import LINE
from gradcli.engine.native.loop_steps import LookupTable, LoopStep, rest_of
from gradcli.engine.native.loops import address
from gradcli.engine.native.processor import has_wide_vectors
from gradcli.engine.native.strides import Shape, dense
from gradcli.engine.native.transpose import first_load, stored
from gradcli.engine.native.vectors import BOOL, FLOAT64, INT64, Vector, element_type
from gradcli.engine.plan.passes import Pass, Step, Sum
from gradcli.graph.native_forms import Dims, NativeAdded, NativeLookup, NativeScatter

#: The name of an integer of a function that is not 0 if a place is negative or out of range.
MARKS = "%marks"
# How LLVM calls instructions of numbers, floating or not, of so many bytes.
_PERMUTED = {(True, 4): "ps", (True, 8): "pd", (False, 4): "d", (False, 8): "q"}


def looked_up(one: Pass, step: Step, native: NativeLookup) -> LoopStep | None:
    """The item of a step that takes elements from a table, which is the same for all rows or is in each row."""
    found, axis = native.rule(step.node), one.slots[step.out][1]
    if found is None:
        return None
    table, places = (_ways(one, slot, own, axis) for slot, own in zip(step.inputs, found, strict=True))
    if table is None or places is None:
        return None
    dims = [dim for dim in range(step.node.ndim) if dim != axis]
    operands = tuple([(slot, _along(way, dims)) for slot, way in zip(step.inputs, (table, places), strict=True)])
    length = step.node.inputs[0].shape[found[0].index(-1)]
    space = rest_of(one, step.out)
    return LoopStep(
        step, space, operands, step.out, dense(space), lane_forms.first, table=LookupTable(table.get(-1, 0), length)
    )


def scattered(one: Pass, step: Sum, native: NativeScatter) -> LoopStep | None:
    """The item of a sum that adds the elements of each row up in a table."""
    found, axis = native.rule(step.node), one.slots[step.inputs[0]][1]
    places = None if found is None else _ways(one, step.inputs[1], found[1], axis)
    if found is None or places is None or axis < 0:
        return None
    table = dict(zip(found[0], dense(step.node.shape), strict=True))
    own = dict(enumerate(step.node.inputs[0].shape))
    dims = [dim for dim in own if dim != axis]
    space = rest_of(one, step.inputs[0])
    operands = ((step.inputs[0], dense(space)), (step.inputs[1], _along(places, dims)))
    lanes, length = step.accumulate.lanes_for(step.node), step.node.shape[found[0].index(-1)]
    return LoopStep(
        step, space, operands, -1, _along(table, dims), lane_forms.first, lanes, table=LookupTable(table[-1], length)
    )


def added(one: Pass, step: Step, native: NativeAdded) -> LoopStep | None:
    """The item of a step that adds elements of each row up in a row of its own."""
    found, (node, axis) = native.rule(step.node), one.slots[step.out]
    if found is None or axis:
        # Only whole rows lie in one piece.
        return None
    dim, start, *numbers = found
    begin = () if start is None else (step.inputs[start],)
    if any(one.slots[slot][1] for slot in begin):
        return None
    dims = list(range(1, node.ndim))
    lengths = step.node.inputs[numbers[1]].shape
    ways = [_ways(one, step.inputs[k], _from_right(step.node.inputs[k].ndim, node.ndim), axis) for k in numbers]
    if any(way is None for way in ways):
        return None
    operands = [(step.inputs[k], _along(way or {}, dims)) for k, way in zip(numbers, ways, strict=True)]
    table = dict(zip(dims, dense(node.shape[1:]), strict=True))
    space = tuple([lengths[d] for d in dims])
    return LoopStep(
        step,
        space,
        (*[(slot, (0,) * len(dims)) for slot in begin], *operands),
        step.out,
        tuple([0 if d == dim else table[d] for d in dims]),
        lane_forms.first,
        lane_forms.picked(FLOAT64),
        table=LookupTable(table[dim], node.shape[dim]),
    )


def _from_right(own: int, ndim: int) -> Dims:
    return tuple(range(ndim - own, ndim))


def _ways(one: Pass, slot: int, own: Dims, axis: int) -> dict[int | None, int] | None:
    """The elements between neighbours of an operand, along the dimensions that its own ones go along with; None where
    the blocked one is not cut in it."""
    node, cut = one.slots[slot]
    if cut < 0:
        if any(dim == axis and length > 1 for dim, length in zip(own, node.shape, strict=True)):
            return None
    elif own[cut] != axis:
        return None
    rest = rest_of(one, slot)
    dims = [dim for k, dim in enumerate(own) if k != cut]
    # What is 1 long is the same all along.
    return {dim: step for dim, step, length in zip(dims, dense(rest), rest, strict=True) if length > 1}


def _along(ways: dict[int | None, int], dims: list[int]) -> Shape:
    return tuple([ways.get(dim, 0) for dim in dims])


# In code --------------------------------------------------------------------------------------------------------------


def place_within(v: VectorBuilder, place: Vector, table: LookupTable, valid: int) -> Vector:
    """A place counted from the beginning: negative ones count from the end, and what is out of range is the first.

    Both leave a mark if they are in one of the first lanes: whether that is allowed is looked at later.
    """
    place = v.settled(v.cast(place, INT64))
    here, wrapped = _is_below(v, place, table.length), place + table.length
    _mark(v, ~here, valid)
    return v.select(here, place, v.select(_is_below(v, wrapped, table.length), wrapped, 0))


def _is_below(v: VectorBuilder, place: Vector, length: int) -> Vector:
    """Whether it is a place: without sign, negative ones are the largest numbers."""
    return v.emit(f"icmp ult {place.typed}, {v.constant(length, INT64).name}", BOOL)


def _mark(v: VectorBuilder, odd: Vector, valid: int) -> None:
    """Remember if one of the first lanes is odd."""
    bits, wide, own, before, after = (v.fresh() for _ in range(5))
    v.lines += [
        f"  {bits} = bitcast {odd.typed} to i{v.lanes}",
        f"  {wide} = zext i{v.lanes} {bits} to i64",
        f"  {own} = and i64 {wide}, {(1 << valid) - 1}",
        f"  {before} = load i64, ptr {MARKS}, align 8",
        f"  {after} = or i64 {before}, {own}",
        f"  store i64 {after}, ptr {MARKS}, align 8",
    ]


def scalar(v: VectorBuilder, x: Vector) -> str:
    """The number in the first lane."""
    name = v.fresh()
    v.lines.append(f"  {name} = extractelement {x.typed}, i32 0")
    return name


def lane_offsets(v: VectorBuilder, size: int) -> Vector:
    """So many bytes from each lane to the next."""
    return v.value(f"<{', '.join(f'i64 {k * size}' for k in range(v.lanes))}>", INT64)


def gathered(v: VectorBuilder, pointer: str, offset: Vector, dtype: np.dtype, valid: int) -> Vector:
    """The elements so many bytes behind an address, each lane its own; the first lanes only.

    One by one: instructions that take them all at once are slower on many processors, and faster on none by much.
    """
    kept = stored(dtype)
    value = v.constant(0, kept)
    for k in range(valid):
        by, at, one = (v.fresh() for _ in range(3))
        v.lines += [
            f"  {by} = extractelement {offset.typed}, i32 {k}",
            f"  {at} = getelementptr i8, ptr {pointer}, i64 {by}",
            f"  {one} = load {element_type(kept)}, ptr {at}, align {kept.itemsize}",
        ]
        value = v.emit(f"insertelement {value.typed}, {element_type(kept)} {one}, i32 {k}", kept)
    return value != 0 if dtype.kind == "b" else value


def can_pick(lanes: int, length: int, dtype: np.dtype) -> bool:
    """Whether a table is so short that it is quicker to read all of it."""
    return lanes * dtype.itemsize == LINE and length <= 2 * lanes and has_wide_vectors()


def picked(v: VectorBuilder, pointer: str, length: int, place: Vector, dtype: np.dtype) -> Vector:
    """Elements of a short table of neighbours at an address, each lane its own."""
    size, lanes = dtype.itemsize, v.lanes
    place = v.cast(place, np.dtype(f"i{size}"))
    parts = [
        first_load(v, address(v, pointer, first * size), dtype, min(lanes, length - first))
        for first in range(0, length, lanes)
    ]
    one, other = parts[0], parts[-1]
    name = f"@llvm.x86.avx512.vpermi2var.{_PERMUTED[dtype.kind == 'f', size]}.512"
    v.declarations[name] = f"declare {one.type} {name}({one.type}, {place.type}, {one.type})"
    return v.emit(f"call {one.type} {name}({one.typed}, {place.typed}, {other.typed})", dtype)


def add_each(v: VectorBuilder, pointer: str, offset: Vector, value: Vector, valid: int) -> None:
    """Add the first lanes to numbers so many bytes behind an address, one after the other: places may be the same."""
    kind, size = element_type(value.dtype), value.dtype.itemsize
    for k in range(valid):
        by, one, at, before, after = (v.fresh() for _ in range(5))
        v.lines += [
            f"  {by} = extractelement {offset.typed}, i32 {k}",
            f"  {one} = extractelement {value.typed}, i32 {k}",
            f"  {at} = getelementptr i8, ptr {pointer}, i64 {by}",
            f"  {before} = load {kind}, ptr {at}, align {size}",
            f"  {after} = {'fadd' if value.dtype.kind == 'f' else 'add'} {kind} {before}, {one}",
            f"  store {kind} {after}, ptr {at}, align {size}",
        ]
