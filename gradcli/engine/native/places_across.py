"""Sums over rows, neighbouring places of a row across the lanes: their states stay in registers while one row after the
other is taken in. Where there are many, vectors with a state for each row as well would be all over the cache."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.group import Group
from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.loops import address, address_of, in_vectors, lead_address, loop, loops
from gradcli.engine.native.phases import Phase
from gradcli.engine.native.states import States
from gradcli.engine.native.strides import Shape, dense
from gradcli.engine.native.transpose import first_load, first_store, spread_from, stored
from gradcli.engine.native.vectors import Vector
from gradcli.graph.native_forms import Lanes

#: The fewest lanes that are worth while, and the most of all states, for which there are registers.
_LEAST, _MOST = 8, 32
_AS_IT_IS = Lanes._field_defaults["settle"]

#: A value that a phase looks at: its slot, its strides and its first element.
Read = tuple[int, Shape, int]
#: What is computed again where it is used, by its slot.
Again = dict[int, LoopStep]


class _InRows(NamedTuple):
    """Where a value lies in the first row, and the bytes from there to the next one."""

    pointer: str
    step: int


def set_apart(group: Group) -> tuple[list[Phase], dict[Phase, Again]]:
    """The phases of a group, sums over rows that can be written so in phases of their own; and what these compute again
    of what others have made."""
    phases: list[Phase] = []
    found: dict[Phase, Again] = {}
    made: dict[int, LoopStep] = {}
    for phase in group.phases:
        made |= {item.out: item for item in phase.items if item.out >= 0}
        others, sums = _split(group, phase)
        again = _again(group, sums, made) if sums.items else None
        if again is None or not all(_is_cheap(item) for item in sums.items if item in others.items):
            phases.append(phase)
            continue
        phases += [others, sums] if others.items else [sums]
        found[sums] = again
    return phases, found


def _split(group: Group, phase: Phase) -> tuple[Phase, Phase]:
    """What a phase does beside sums over rows, and these sums, each with what they are made of."""
    rest = (item for other in group.phases if other is not phase for item in other.items)
    wanted = {*group.outs, *(slot for item in rest for slot, _ in item.operands)}
    ends = [item for item in phase.items if item.out in wanted or (item.out >= 0 and item.lanes is not None)]
    parts = []
    for some in (ends, [item for item in phase.items if item.out < 0]):
        part, needed = Phase(phase.space), set(some)
        for item in reversed(phase.items):
            if item in needed:
                needed.update(one for one in phase.items if one.out >= 0 and one.out in dict(item.operands))
        for item in phase.items:
            if item in needed:
                part.add(item)
        parts.append(part)
    return parts[0], parts[1]


def _again(group: Group, sums: Phase, made: Mapping[int, LoopStep]) -> Again | None:
    """What such a phase computes again; None where it has to look at values that are not beside each other."""
    if not sums.space or sums.space[-1] < _LEAST or not all(map(_fits, sums.items)):
        return None
    again: Again = {}
    waiting = list(reads_of(sums, {}))
    while waiting:
        slot, strides, shift = waiting.pop()
        if slot in again or _is_at_hand(group, slot, strides):
            continue
        maker = made.get(slot)
        if maker is None or shift or strides != dense(sums.space) or maker.space != sums.space or not maker.is_plain:
            return None
        again[slot] = maker
        waiting += maker.reads
    return again


def _fits(item: LoopStep) -> bool:
    if item.table is not None or item.along >= 0:
        return False
    if item.lanes is None:
        return True
    return item.strides[-1] == 1 and not item.lanes.indexed and item.lanes.settle is _AS_IT_IS


def _is_cheap(item: LoopStep) -> bool:
    """Whether it may be computed for others and for sums, in one loop and another."""
    return item.lanes is None and item.step.node.cost <= 1


def _is_at_hand(group: Group, slot: int, strides: Shape) -> bool:
    if strides[-1] not in (0, 1):
        return False
    if slot in group.inputs:
        return group.lead(slot) == 1
    # What is made for rows across the lanes has neighbouring rows beside each other.
    return not strides[-1]


def reads_of(phase: Phase, again: Again) -> Iterator[Read]:
    """What a phase of sums looks at that is there before it."""
    made = {item.out for item in phase.items if item.out >= 0}
    for slot, strides, shift in (read for item in (*phase.items, *again.values()) for read in item.reads):
        if slot not in again and (slot not in made or strides != dense(phase.space)):
            yield slot, strides, shift


class PlacesAcross:
    """Writes such phases for as many rows at a time as the builder has lanes, `%there` of which there are."""

    def __init__(self, v: VectorBuilder, head: list[str], group: Group, states: States) -> None:
        self.v, self.head, self.group, self.states = v, head, group, states
        self.again: Again = {}
        self.rows = v.lanes
        head.append("  %there = zext i32 %valid to i64")

    def phase(self, phase: Phase, again: Again, base: Mapping[int, str], same: Mapping[int, Vector]) -> None:
        """Loops over the places, and within these over the rows; `base` and `same` have what is made for rows across
        the lanes, in memory or as vectors."""
        self.again = again
        v, base = self.v, {**base, **self._in_memory(phase, base, same)}
        sums = [item for item in phase.items if item.out < 0]
        parts = sum(len(self.states.parts[self.group.sums.index(item)]) for item in sums)
        *outer, last = phase.space
        with loops(v, outer) as indices, v.narrowed(_width(last, _MOST // parts)):
            for index, valid in in_vectors(v, last):
                self._places(phase, base, [*indices, index], valid)

    def _in_memory(self, phase: Phase, base: Mapping[int, str], same: Mapping[int, Vector]) -> dict[int, str]:
        """Where values with one place are, after they were written there."""
        found: dict[int, str] = {}
        for slot, _, _ in reads_of(phase, self.again):
            if slot not in (base.keys() | found.keys()) and slot not in self.group.inputs:
                name = found[slot] = f"%one{slot}.{self.v.fresh()[2:]}"
                self.head.append(self.states.reserve(name, self.rows * same[slot].dtype.itemsize))
                self.v.store(same[slot], name)
        return found

    def _places(self, phase: Phase, base: Mapping[int, str], indices: Sequence[str], valid: int) -> None:
        """All rows of so many neighbouring places."""
        v, states = self.v, [self._states(item, indices) for item in phase.items]
        found = {read: self._found(read, base, indices, valid) for read in reads_of(phase, self.again)}
        for at, name, dtype in itertools.chain(*states):
            v.store(first_load(v, at, dtype, valid), name)
        with loop(v, "%there", 1) as row:
            here: dict[Read, Vector] = {}
            for item, own in zip(phase.items, states, strict=True):
                value = self._value(item, here, found, row, valid)
                if item.lanes is None:
                    here[item.out, dense(item.space), 0] = value
                    continue
                after = item.lanes.add(v, [v.load(name, dtype) for _, name, dtype in own], value)
                for (_, name, _), part in zip(own, after, strict=True):
                    v.store(part, name)
        for at, name, dtype in itertools.chain(*states):
            first_store(v, v.load(name, dtype), at, valid)

    def _states(self, item: LoopStep, indices: Sequence[str]) -> list[tuple[str, str, np.dtype]]:
        """Where the parts of a sum's states are, and the variables that hold them meanwhile."""
        if item.lanes is None:
            return []
        v, number, found = self.v, self.group.sums.index(item), []
        for part, dtype in enumerate(self.states.parts[number]):
            start = address(v, "%s", self.states.place(number, part, 0))
            name = f"%state{v.fresh()[2:]}"
            self.head.append(f"  {name} = alloca {v.type(dtype)}, align 64")
            found.append((address_of(v, start, indices, item.strides, dtype.itemsize), name, dtype))
        return found

    def _found(self, read: Read, base: Mapping[int, str], indices: Sequence[str], valid: int) -> Vector | _InRows:
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
        at = address(v, base[slot], shift * size * self.rows)
        return _InRows(address_of(v, at, indices, strides, size * self.rows), size)

    def _value(
        self, item: LoopStep, here: dict[Read, Vector], found: Mapping[Read, Vector | _InRows], row: str, valid: int
    ) -> Vector:
        """What an item computes in a row; `here` takes up what it looks at there."""
        for read in item.reads:
            if read in here:
                continue
            slot, strides, _ = read
            if slot in self.again:
                here[read] = self._value(self.again[slot], here, found, row, valid)
                continue
            value = found[read]
            if isinstance(value, _InRows):
                pointer = lead_address(self.v, value.pointer, str(value.step), row)
                value = self._load(slot, pointer, strides, valid)
            here[read] = value
        assert item.form is not None
        return item.form(self.v, *[here[read] for read in item.reads])

    def _load(self, slot: int, pointer: str, strides: Shape, valid: int) -> Vector:
        dtype = self.group.dtype(slot)
        if not strides[-1]:
            return spread_from(self.v, pointer, dtype)
        value = first_load(self.v, pointer, stored(dtype), valid)
        return value != 0 if dtype.kind == "b" else value


def _width(length: int, most: int) -> int:
    """How many lanes vectors have for so many places: few wait as long for each other as twice as many."""
    return min([32, 16, 8], key=lambda lanes: (lanes > most, -(-length // lanes) * max(lanes, 16)))
