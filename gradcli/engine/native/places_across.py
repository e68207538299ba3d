"""Sums over rows, neighbouring places of a row across the lanes: their states stay in registers while one row after the
other is taken in. Where there are many, vectors with a state for each row as well would be all over the cache."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.group import Group
from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.loops import address, address_of, in_vectors, lead_address, loop, loops
from gradcli.engine.native.phases import Phase
from gradcli.engine.native.states import States, taken_in
from gradcli.engine.native.strides import Shape, dense
from gradcli.engine.native.transpose import first_load, first_store, spread_from, stored
from gradcli.engine.native.vectors import Vector

#: The fewest places along the last dimension that are worth while.
_LEAST = 8
#: So many items for each of these sums may be computed both for them and for others. Measured with one sum, passes take
#: 0.7 to 0.9 of the time without these phases with 3 such items, 0.6 to 1.1 of it with 5, and up to 1.3 with 13.
_TWICE = 3
#: Bytes of all states of a vector of places: half of the registers that most processors have, the rest is for values.
_MOST = 256
#: Bytes of states that are added to in the time that an addition takes until the next one can follow.
_AT_ONCE = 128

#: A value that a phase looks at: its slot, its strides and its first element.
Read = tuple[int, Shape, int]


class _InRows(NamedTuple):
    """Where a value lies in the first row, and the bytes from there to the next one."""

    pointer: str
    step: int


class _State(NamedTuple):
    """A part of the state of a sum: its address, and the variable that it is meanwhile."""

    pointer: str
    name: str
    dtype: np.dtype


def with_sums_beside(group: Group) -> tuple[list[Phase], set[Phase]]:
    """The phases of a group, those of its sums over rows that can be written so in phases of their own; and these. They
    begin with what they compute again of what other phases have made."""
    if not group.sums:
        return group.phases, set()
    items = [(item, phase) for phase in group.phases for item in phase.items if item.out >= 0]
    where = {item.out: phase for item, phase in items}
    makers = {item.out: (number, item) for number, (item, _) in enumerate(items)}
    reads = ((slot, phase) for phase in group.phases for item in phase.items for slot, _ in item.operands)
    wanted = {*group.outs, *(slot for slot, phase in reads if where.get(slot) is not phase)}
    phases: list[Phase] = []
    found: set[Phase] = set()
    for phase in group.phases:
        parts = _split(group, phase, makers, wanted)
        phases += parts
        if parts[-1] is not phase:
            found.add(parts[-1])
    return phases, found


def _split(group: Group, phase: Phase, makers: Mapping[int, tuple[int, LoopStep]], wanted: set[int]) -> list[Phase]:
    """What a phase does beside sums over rows, if anything, and these sums, each with what they are made of; the phase
    itself where it has none, or has to stay together."""
    ends = [item for item in phase.items if item.out < 0]
    if not ends or not phase.space or phase.space[-1] < _LEAST or not all(map(_fits, ends)):
        return [phase]
    sums = _with_operands(phase, ends)
    rest = _with_operands(
        phase, [item for item in phase.items if item.out in wanted or (item.out >= 0 and item.lanes is not None)]
    )
    others = set(rest)
    twice = [item for item in sums if item in others]
    most = _TWICE * len(ends) - len(twice)
    if most < 0 or not all(map(_fits, sums)) or not all(map(_is_cheap, twice)):
        return [phase]
    again = _computed_again(group, phase.space, sums, makers, most)
    if again is None:
        return [phase]
    return [*([_phase_of(phase.space, rest)] if rest else []), _phase_of(phase.space, [*again, *sums])]


def _with_operands(phase: Phase, ends: Iterable[LoopStep]) -> list[LoopStep]:
    """These items of a phase and what they are made of there, in their order."""
    needed, slots, found = set(ends), set[int](), []
    for item in reversed(phase.items):
        if item in needed or item.out in slots:
            found.append(item)
            slots.update(slot for slot, _ in item.operands)
    return found[::-1]


def _phase_of(space: Shape, items: Iterable[LoopStep]) -> Phase:
    phase = Phase(space)
    for item in items:
        phase.add(item)
    return phase


def _computed_again(
    group: Group, space: Shape, sums: Sequence[LoopStep], makers: Mapping[int, tuple[int, LoopStep]], most: int
) -> list[LoopStep] | None:
    """What other phases make that these items look at, and that is computed again for them, in its order; None where
    it is too much, or where they look at what cannot be had."""
    usual, there = dense(space), set(sums)
    found: list[tuple[int, LoopStep]] = []
    waiting = [read for item in sums for read in item.reads]
    while waiting:
        slot, strides, shift = waiting.pop()
        if _is_readable(group, slot, strides):
            continue
        if slot not in makers or shift or strides != usual:
            return None
        number, maker = makers[slot]
        if maker in there:
            continue
        if maker.space != space or not maker.is_plain or len(found) == most:
            return None
        there.add(maker)
        found.append((number, maker))
        waiting += maker.reads
    return [maker for _, maker in sorted(found, key=lambda one: one[0])]


def _fits(item: LoopStep) -> bool:
    if item.table is not None or item.along >= 0:
        return False
    if item.lanes is None:
        return True
    # States are settled when lanes are merged, which these are not.
    return item.strides[-1] == 1 and not item.lanes.indexed and not item.lanes.settles


def _is_cheap(item: LoopStep) -> bool:
    """Whether it may be computed for others and for sums, in one loop and another."""
    return item.lanes is None and item.step.node.cost <= 1


def _is_readable(group: Group, slot: int, strides: Shape) -> bool:
    """Whether neighbouring places of a value are beside each other in memory, or have it in common."""
    if strides[-1] not in (0, 1):
        return False
    if slot in group.inputs:
        return group.lead(slot) == 1
    # What is made for rows across the lanes has neighbouring rows beside each other.
    return not strides[-1]


def reads_of(phase: Phase) -> Iterator[Read]:
    """What a phase of sums looks at that is there before it."""
    usual = dense(phase.space)
    made = {(item.out, usual, 0) for item in phase.items if item.out >= 0}
    return (read for item in phase.items for read in item.reads if read not in made)


def rows_counted() -> list[str]:
    """The lines that make `%there`: how many rows of a vector of them there are."""
    return ["  %there = zext i32 %valid to i64"]


class PlacesAcross:
    """Writes such a phase for as many rows at a time as the builder has lanes, `%there` of which there are.

    `base` and `same` have what is made for rows across the lanes, in memory or as vectors.
    """

    def __init__(
        self,
        v: VectorBuilder,
        head: list[str],
        group: Group,
        states: States,
        phase: Phase,
        base: Mapping[int, str],
        same: Mapping[int, Vector],
    ) -> None:
        self.v, self.head, self.group, self.states, self.phase = v, head, group, states, phase
        self.rows = v.lanes
        self.reads = list(dict.fromkeys(reads_of(phase)))
        self.numbers = {item: number for number, item in enumerate(group.sums)}
        self.base = {**base, **self._in_memory(base, same)}

    def _in_memory(self, base: Mapping[int, str], same: Mapping[int, Vector]) -> dict[int, str]:
        """Where values with one place are, after they were written there."""
        found: dict[int, str] = {}
        for slot, _, _ in self.reads:
            if slot not in (base.keys() | found.keys()) and slot not in self.group.inputs:
                name = found[slot] = f"%one{slot}.{self.v.fresh()[2:]}"
                self.head.append(self.states.reserve(name, self.rows * same[slot].dtype.itemsize))
                self.v.store(same[slot], name)
        return found

    def write(self) -> None:
        """Loops over the places, and within these over the rows."""
        v, (*outer, last) = self.v, self.phase.space
        parts = [dtype for item in self.phase.items if item.out < 0 for dtype in self.states.parts[self.numbers[item]]]
        with loops(v, outer) as indices, v.narrowed(_width(last, sum(dtype.itemsize for dtype in parts))):
            for index, valid in in_vectors(v, last):
                self._places([*indices, index], valid)

    def _places(self, indices: Sequence[str], valid: int) -> None:
        """All rows of so many neighbouring places."""
        v, usual = self.v, dense(self.phase.space)
        states = [self._begun(item, indices) for item in self.phase.items]
        found = {read: self._found(read, indices, valid) for read in self.reads}
        with loop(v, "%there", 1) as row:
            here: dict[Read, Vector] = {}
            for item, parts in zip(self.phase.items, states, strict=True):
                for read in item.reads:
                    if read not in here:
                        here[read] = self._in_row(read, found[read], row, valid)
                assert item.form is not None
                value = item.form(v, *[here[read] for read in item.reads])
                if item.lanes is None:
                    here[item.out, usual, 0] = value
                    continue
                _keep(v, parts, item.lanes.add(v, _held(v, parts), value))
        # These rows are added up for themselves: of n rows in a block, 32 at a time, a sum is rounded no more than 32 +
        # n/32 times, not n times. Its relative error is at most so many times 2**-53, if no terms cancel each other.
        for item, parts in zip(self.phase.items, states, strict=True):
            if item.lanes is not None:
                before = [first_load(v, part.pointer, part.dtype, valid) for part in parts]
                for part, value in zip(parts, item.lanes.merge(v, before, _held(v, parts)), strict=True):
                    first_store(v, value, part.pointer, valid)

    def _begun(self, item: LoopStep, indices: Sequence[str]) -> list[_State]:
        """The state of a sum that has taken in nothing, in variables."""
        if item.lanes is None:
            return []
        v, number, found = self.v, self.numbers[item], []
        for part, dtype in enumerate(self.states.parts[number]):
            start = address(v, "%s", self.states.place(number, part, 0))
            name = f"%state{v.fresh()[2:]}"
            self.head.append(f"  {name} = alloca {v.type(dtype)}, align 64")
            found.append(_State(address_of(v, start, indices, item.strides, dtype.itemsize), name, dtype))
        _keep(v, found, item.lanes.start(v, taken_in(self.group, item)))
        return found

    def _found(self, read: Read, indices: Sequence[str], valid: int) -> Vector | _InRows:
        """A value that all rows share, or where it lies in each."""
        v, group, (slot, strides, shift) = self.v, self.group, read
        size = group.dtype(slot).itemsize
        if slot in group.inputs:
            at, step = f"%a{group.inputs.index(slot)}", size * group.width(slot)
            if slot in group.shared:
                pointer = address_of(v, address(v, at, shift * size), indices, strides, size)
                return self._load(slot, pointer, strides, valid)
            at = address(v, lead_address(v, at, str(step), "%i"), shift * size)
            return _InRows(address_of(v, at, indices, strides, size), step)
        at = address(v, self.base[slot], shift * size * self.rows)
        return _InRows(address_of(v, at, indices, strides, size * self.rows), size)

    def _in_row(self, read: Read, found: Vector | _InRows, row: str, valid: int) -> Vector:
        """The same in one row."""
        if isinstance(found, Vector):
            return found
        return self._load(read[0], lead_address(self.v, found.pointer, str(found.step), row), read[1], valid)

    def _load(self, slot: int, pointer: str, strides: Shape, valid: int) -> Vector:
        dtype = self.group.dtype(slot)
        if not strides[-1]:
            return spread_from(self.v, pointer, dtype)
        value = first_load(self.v, pointer, stored(dtype), valid)
        return value != 0 if dtype.kind == "b" else value


def _held(v: VectorBuilder, parts: Sequence[_State]) -> list[Vector]:
    return [v.load(part.name, part.dtype) for part in parts]


def _keep(v: VectorBuilder, parts: Sequence[_State], values: Sequence[Vector]) -> None:
    for part, value in zip(parts, values, strict=True):
        v.store(value, part.name)


def _width(length: int, size: int) -> int:
    """How many lanes vectors have for so many places, with states of so many bytes for each place: such that the states
    are in registers, and that it takes the least time.

    A row's addition to a state waits until the one before it is done. Fewer lanes than fill this time take no less.
    """
    fitting = [lanes for lanes in (32, 16, 8) if lanes * size <= _MOST]
    # With 5 and more sums of float64 not all of them may be in registers. Measured with up to 12 on AVX2, 8 lanes take
    # 0.55 to 0.8 of the time without these phases; 16 and 32 take 2 to 10 % more. With 1 to 3 sums it is a tie.
    return min(fitting or [8], key=lambda lanes: -(-length // lanes) * max(lanes * size, _AT_ONCE))
