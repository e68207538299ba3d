"""What the sums of a group have taken in, while a block is gone through: vectors in memory, and what else a function
keeps beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.expressions import LINE
from gradcli.engine.native.group import Group
from gradcli.engine.native.lookups import MARKS
from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.loops import address, loop
from gradcli.engine.native.shuffles import in_pieces, shuffled
from gradcli.engine.native.vectors import BOOL, INT64, Vector

# Bytes of the largest element.
_WIDEST = 8


class States:
    """Where the states of the sums lie, in bytes from the start of their memory.

    A sum has as many states as its result has places in a row, and a state some parts. Usually each lane has a state of
    its own: a vector for each place. Where lanes are neighbouring places themselves (`beside`), there is one number, as
    there is for each element of a table.
    """

    def __init__(self, group: Group, lanes: int, beside: Sequence[bool]) -> None:
        self.lanes = lanes
        self.beside = [together or item.scatters for item, together in zip(group.sums, beside, strict=True)]
        self.parts: list[list[np.dtype]] = []
        self.sizes: list[int] = []
        self.offsets: list[list[int]] = []
        self.bytes = 0
        probe = VectorBuilder(lanes)
        for item, together in zip(group.sums, self.beside, strict=True):
            assert item.lanes is not None
            dtypes = [part.dtype for part in item.lanes.start(probe, taken_in(group, item))]
            size = item.step.node.size if item.scatters else kept_size(item)
            self.parts.append(dtypes)
            self.sizes.append(size)
            self.offsets.append([])
            for dtype in dtypes:
                self.offsets[-1].append(self.bytes)
                # Beyond the end: neighbours are looked at in whole vectors from any place on.
                vectors = -(-(size + lanes - 1) // lanes) if together else size
                self.bytes += vectors * lanes * dtype.itemsize
        #: Where the marks of places lie, -1 where no places are data.
        self.marks = self._room(_WIDEST) if any(i.table for phase in group.phases for i in phase.items) else -1

    def marking(self) -> tuple[list[str], list[str]]:
        """What stands before and after all rows if places are data: the marks are a variable in between."""
        if self.marks < 0:
            return [], []
        before = [f"  {MARKS} = alloca i64, align 8", f"  store i64 0, ptr {MARKS}, align 8"]
        return before, [
            f"  {MARKS}.p = getelementptr i8, ptr %s, i64 {self.marks}",
            f"  {MARKS}.a = load i64, ptr {MARKS}, align 8",
            f"  {MARKS}.b = load i64, ptr {MARKS}.p, align 8",
            f"  {MARKS}.c = or i64 {MARKS}.a, {MARKS}.b",
            f"  store i64 {MARKS}.c, ptr {MARKS}.p, align 8",
        ]

    def clear(self, v: VectorBuilder, number: int) -> None:
        """Start a table: sums of nothing have no bits."""
        v.declarations["@llvm.memset"] = "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)"
        size = sum(self.sizes[number] * dtype.itemsize for dtype in self.parts[number])
        at = address(v, "%s", self.place(number, 0, 0))
        v.lines.append(f"  call void @llvm.memset.p0.i64(ptr {at}, i8 0, i64 {size}, i1 false)")

    def reserve(self, name: str, size: int) -> str:
        """The line that names so many bytes of the same memory: a thread's stack has no room for whole rows. Behind
        them a whole vector has room, wherever it begins within."""
        return f"  {name} = getelementptr i8, ptr %s, i64 {self._room(size + self.lanes * _WIDEST)}"

    def _room(self, size: int) -> int:
        """Where so many bytes more begin."""
        start = -(-self.bytes // LINE) * LINE
        self.bytes = start + size
        return start

    def step(self, number: int, part: int) -> int:
        """From the state of a place to that of the next one, in bytes."""
        return self.parts[number][part].itemsize * (1 if self.beside[number] else self.lanes)

    def place(self, number: int, part: int, index: int) -> int:
        """Where the state of a place lies."""
        return self.offsets[number][part] + index * self.step(number, part)


def as_variable(name: str, kind: str, at: int) -> tuple[list[str], list[str]]:
    """The lines that make a state, so many bytes from the start of the memory, a variable while a loop runs, and those
    that write it back."""
    before = [
        f"  {name} = alloca {kind}, align 64",
        f"  {name}.p = getelementptr i8, ptr %s, i64 {at}",
        f"  {name}.v = load {kind}, ptr {name}.p, align 8",
        f"  store {kind} {name}.v, ptr {name}, align 64",
    ]
    after = [f"  {name}.e = load {kind}, ptr {name}, align 64", f"  store {kind} {name}.e, ptr {name}.p, align 8"]
    return before, after


def taken_in(group: Group, item: LoopStep) -> np.dtype:
    """The dtype of what a reduction takes in."""
    return group.dtype(item.operands[0][0])


def kept_size(item: LoopStep) -> int:
    """How many places of the space a result has."""
    return 1 + sum((length - 1) * stride for length, stride in zip(item.space, item.strides, strict=True))


def count_of(item: LoopStep) -> int:
    """How many elements of a row go into one place of a result."""
    return math.prod(item.space[dim] for dim in item.reduced)


def with_one_more(
    v: VectorBuilder, item: LoopStep, state: list[Vector], value: Vector, index: Vector | None
) -> list[Vector]:
    """The state after another element, at this place along the reduced dimension."""
    assert item.lanes is not None
    return item.lanes.add(v, state, value, index) if item.lanes.indexed else item.lanes.add(v, state, value)


def take_rows_in(
    v: VectorBuilder, item: LoopStep, names: Sequence[str], dtypes: Sequence[np.dtype], value: Vector, lanes: int
) -> None:
    """Take a vector of rows into the state of a sum over them, whose parts have these addresses and so many lanes: some
    rows after the others, those that there are."""
    values, masks = (in_pieces(v, x, lanes) for x in (value, v.value("%mask", BOOL)))
    with v.narrowed(lanes):
        take_in_each(v, item, list(zip(names, dtypes, strict=True)), list(zip(values, masks, strict=True)))


def take_in_each(
    v: VectorBuilder, item: LoopStep, parts: Sequence[tuple[str, np.dtype]], values: Sequence[tuple[Vector, Vector]]
) -> None:
    """Take one vector after the other into a state, each where its mask is set; `parts` have these addresses."""
    assert item.lanes is not None
    state = [v.load(*part) for part in parts]
    for one, mask in values:
        new = with_one_more(v, item, state, one, places_from(v, "%place") if item.lanes.indexed else None)
        state = [v.select(mask, after, before) for before, after in zip(state, new, strict=True)]
    for (name, _), part in zip(parts, state, strict=True):
        v.store(part, name)


def places_from(v: VectorBuilder, start: str) -> Vector:
    """So many places from a number on, one a lane."""
    return v.spread(start, INT64) + v.value(f"<{', '.join(f'i64 {k}' for k in range(v.lanes))}>", INT64)


def place_in_row(v: VectorBuilder, item: LoopStep, dim: int, indices: Sequence[str], across: bool = False) -> Vector:
    """The place along a dimension of a row; `across` says that lanes are neighbouring places of the last one."""
    if across and dim == len(item.space) - 1:
        return places_from(v, indices[dim])
    return v.spread(indices[dim], INT64)


def merged(v: VectorBuilder, item: LoopStep, state: list[Vector]) -> list[Vector]:
    """The settled state of all lanes, in the first one: halves are joined with halves."""
    assert item.lanes is not None
    return _folded(v, item, item.lanes.settle(v, state))


def _folded(v: VectorBuilder, item: LoopStep, state: list[Vector]) -> list[Vector]:
    assert item.lanes is not None
    half = v.lanes // 2
    while half:
        state = item.lanes.merge(v, state, [_rotated(v, part, half) for part in state])
        half //= 2
    return state


def merge_in_memory(v: VectorBuilder, item: LoopStep, names: Sequence[str], dtypes: Sequence[np.dtype]) -> None:
    """The same for a state in memory, whose parts have these addresses. What takes many instructions goes in a loop,
    which always joins the halves of all lanes, and afterwards moves the first half to every other lane."""
    assert item.lanes is not None
    state = item.lanes.settle(v, [v.load(name, dtype) for name, dtype in zip(names, dtypes, strict=True)])
    # A settled state may have fewer parts.
    places = list(zip(names, state, strict=False))
    if len(state) == 1:
        (whole,) = _folded(v, item, state)
        v.store(whole, names[0])
        return
    for name, part in places:
        v.store(part, name)
    half = v.lanes // 2
    with loop(v, half.bit_length(), 1):
        state = [v.load(name, part.dtype) for name, part in places]
        state = item.lanes.merge(v, state, [_rotated(v, part, half) for part in state])
        for name, part in zip(names, state, strict=False):
            v.store(_moved(v, part, [k // 2 + k % 2 * half for k in range(v.lanes)]), name)


def _rotated(v: VectorBuilder, x: Vector, by: int) -> Vector:
    """The lanes moved on by so many places."""
    return _moved(v, x, [(k + by) % v.lanes for k in range(v.lanes)])


def _moved(v: VectorBuilder, x: Vector, order: list[int]) -> Vector:
    return shuffled(v, x, v.value("poison", x.dtype), order)


def begin(v: VectorBuilder, head: list[str], group: Group, item: LoopStep) -> None:
    """Variables for the state of a reduction within rows, which are begun anew wherever this is emitted."""
    assert item.lanes is not None
    for part, value in enumerate(item.lanes.start(v, taken_in(group, item))):
        head.append(f"  %red{item.out}.{part} = alloca {value.type}, align 64")
        v.store(value, f"%red{item.out}.{part}")


def reached(v: VectorBuilder, group: Group, item: LoopStep) -> list[Vector]:
    """What these variables hold."""
    assert item.lanes is not None
    start = item.lanes.start(v, taken_in(group, item))
    return [v.load(f"%red{item.out}.{part}", value.dtype) for part, value in enumerate(start)]
