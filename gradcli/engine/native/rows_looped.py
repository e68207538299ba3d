"""A group as a native function, rows across the lanes and loops over a row's places: for rows of several dimensions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.group import Group
from gradcli.engine.native.lookups import add_each, gathered, lane_offsets, place_within
from gradcli.engine.native.loop_steps import LookupTable, LoopStep
from gradcli.engine.native.loops import address, address_around, address_of, lead_address, loop, loops
from gradcli.engine.native.padded import Padded, rows_there
from gradcli.engine.native.phases import Phase, in_step
from gradcli.engine.native.places_across import PlacesAcross, reads_of, rows_counted, with_sums_beside
from gradcli.engine.native.spans import one_of
from gradcli.engine.native.states import (
    States,
    begin,
    count_of,
    kept_size,
    place_in_row,
    take_rows_in,
    taken_in,
    with_one_more,
)
from gradcli.engine.native.strides import Shape, dense
from gradcli.engine.native.transpose import pack, pack_to, spread_from, stored, unpack, unpack_from
from gradcli.engine.native.vectors import BOOL, FLOAT32, INT64, Vector, element_type

#: Vectors of more bytes are not all in the nearest cache, beside what else is in use.
_NEAR = 16 << 10
#: A value of so many times fewer places than another one is little beside it.
_FEW = 4
#: Where states are more, rows are taken so many at a time, and a state has so few lanes: it is looked at less often.
_ROWS, _LANES = 32, 8


class RowsLooped:
    """Keeps a vector for each place of a row in memory, and goes through each phase of a row in loops."""

    def __init__(self, group: Group) -> None:
        self.group = group
        items = [item for phase in group.phases for item in phase.items]
        odd = any(item.table or (item.lanes and item.lanes.indexed) for item in items)
        #: The phases, and those of sums that have neighbouring places across the lanes instead.
        self.phases, self.sums_beside = (group.phases, set()) if odd else with_sums_beside(group)
        in_pieces = bool(self.sums_beside) or (not odd and _state_bytes(group) > _NEAR)
        self.lanes = _ROWS if in_pieces else group.lanes
        beside = {item for phase in self.sums_beside for item in phase.items}
        self.states = States(group, _LANES if in_pieces else group.lanes, [item in beside for item in group.sums])
        usual = [item for phase in self.phases if phase not in self.sums_beside for item in phase.items]
        #: The values that are looked at with rows across the lanes.
        self.looked_at_by_rows = {slot for item in usual for slot, _ in item.operands}
        self.v = VectorBuilder(self.lanes, block="loop")
        before, self.tail = self.states.marking()
        self.head = [*group.addresses(), *before]
        #: Vectors that hold for the whole row, and the memory of those that differ from place to place.
        self.same: dict[int, Vector] = {}
        self.base: dict[int, str] = {}
        #: From one place to the next, in bytes, of what is used where it lies.
        self.step: dict[int, str] = {}
        #: What is computed anew where a later phase uses it, instead of being kept.
        self.recomputed = self._recomputed()
        #: Where the states of reductions lie that are under way for many places at once.
        self.wide: dict[int, list[str]] = {}
        # How much it keeps is known before it is written.
        self._memory()

    def module(self) -> str:
        """The whole module: `@k(pointers, rows, states)` leaves the states of all lanes merged, but of sums whose
        lanes are places, which have one state for each."""
        v, group = self.v, self.group
        for k, slot in enumerate(group.inputs):
            if slot in self.looked_at_by_rows:
                self._read(k, slot)
        for phase in self.phases:
            self._phase(phase)
        for k, slot in enumerate(group.outs):
            self._write(len(group.inputs) + k, slot)
        head = [*self.head, *rows_there(v.lanes), *(rows_counted() if self.sums_beside else [])]
        return Padded(group, self.states, v.declarations, v.lanes).module(head, v, self.tail)

    # Memory -----------------------------------------------------------------------------------------------------------

    def _memory(self) -> None:
        """A vector for each place of what is read, written, or made by one phase for another."""
        group = self.group
        read = [slot for slot in group.inputs if slot in self.looked_at_by_rows]
        slots = [slot for slot in (*read, *group.outs) if slot not in group.shared]
        slots += [slot for slot, _, _ in self._used_later() if slot not in self.recomputed]
        for slot in dict.fromkeys(slots):
            if slot in group.inputs and group.lead(slot) == group.width(slot) > 1:
                # Neighbouring rows are neighbours in memory.
                k = group.inputs.index(slot)
                self.base[slot], self.step[slot] = f"%r{k}", f"%l{k}"
            elif group.width(slot) > 1:
                self.base[slot] = f"%kept{slot}"
                size = group.width(slot) * self.lanes * group.dtype(slot).itemsize
                self.head.append(self.states.reserve(f"%kept{slot}", size))

    def _used_later(self) -> Iterator[tuple[int, LoopStep, bool]]:
        """What a phase uses of an earlier one: its place, who makes it, and whether it is used place by place."""
        made: dict[int, LoopStep] = {}
        for phase in self.phases:
            if phase in self.sums_beside:
                yield from ((slot, made[slot], False) for slot, _, _ in reads_of(phase) if slot in made)
                continue
            for item in phase.items:
                for slot, strides in item.operands:
                    if slot in made:
                        yield slot, made[slot], in_step(made[slot], item, strides) and slot != item.whole
            made |= {item.out: item for item in phase.items if item.out >= 0}

    def _recomputed(self) -> dict[int, LoopStep]:
        """Many sums or products of few operands, which take less to be computed again than to be kept."""
        group, used = self.group, list(self._used_later())
        kept = {*group.outs, *(slot for slot, _, place_by_place in used if not place_by_place)}
        return {
            slot: item
            for slot, item, _ in used
            if slot not in kept
            and group.width(slot) * self.lanes * group.dtype(slot).itemsize > _NEAR
            and all(self._is_little(part, group.width(slot)) for part, _ in item.operands)
            and item.is_plain
        }

    def _is_little(self, slot: int, width: int) -> bool:
        """Whether a value is in memory anyhow, and is little beside one of so many places."""
        group = self.group
        return slot in group.inputs and (slot in group.shared or group.width(slot) * _FEW <= width)

    def _read(self, k: int, slot: int) -> None:
        dtype, width, v = self.group.dtype(slot), self.group.width(slot), self.v
        if slot in self.group.shared:
            self.base[slot] = f"%a{k}"
            if width == 1:
                self.same[slot] = spread_from(self.v, f"%a{k}", dtype)
            return
        if width == 1:
            (self.same[slot],) = pack(v, f"%a{k}", "%i", dtype, width)
        elif slot in self.step:
            v.lines.append(f"  %r{k} = getelementptr {element_type(stored(dtype))}, ptr %a{k}, i64 %i")
        else:
            with self._pieces(k, slot) as (base, kept):
                pack_to(v, base, "%i", dtype, self.group.trail(slot), kept, self.group.lanes)

    def _write(self, k: int, slot: int) -> None:
        dtype, width = self.group.dtype(slot), self.group.width(slot)
        if width == 1:
            unpack(self.v, f"%a{k}", "%i", [self.same[slot]], slot in self.group.past)
            return
        with self._pieces(k, slot) as (base, kept):
            if (trail := self.group.trail(slot)) == 1:
                unpack(self.v, base, "%i", [self.v.load(kept, dtype)])
            else:
                unpack_from(self.v, base, "%i", dtype, trail, kept, self.group.lanes, slot in self.group.past)

    @contextmanager
    def _pieces(self, k: int, slot: int) -> Iterator[tuple[str, str]]:
        """A loop over the pieces of a row where there are several; gives the address of one in the first row, and that
        of its vectors."""
        if self.group.lead(slot) == 1:
            yield f"%a{k}", self.base[slot]
            return
        size = self.group.trail(slot) * self.lanes * stored(self.group.dtype(slot)).itemsize
        with loop(self.v, self.group.lead(slot), 1) as lead:
            kept = lead_address(self.v, self.base[slot], str(size), lead)
            yield lead_address(self.v, f"%a{k}", f"%l{k}", lead), kept

    # Phases -----------------------------------------------------------------------------------------------------------

    def _phase(self, phase: Phase) -> None:
        """The dimensions that a result keeps are the outer loops, those that are taken in the inner ones, unless this
        would lead far from place to place."""
        if phase in self.sums_beside:
            PlacesAcross(self.v, self.head, self.group, self.states, phase, self.base, self.same).write()
            return
        reductions = [item for item in phase.items if item.lanes is not None and item.out >= 0]
        inner = list(phase.reduced or ())
        outer = [dim for dim in range(len(phase.space)) if dim not in inner]
        if self._goes_in_order(phase, reductions):
            self._in_order(phase, reductions, outer)
            return
        with self._results(phase, outer) as indices:
            for item in reductions:
                begin(self.v, self.head, self.group, item)
            with loops(self.v, [phase.space[dim] for dim in inner], phase.from_end) as within:
                names = dict(zip(inner, within, strict=True))
                self._places(phase, [names.get(dim, index) for dim, index in enumerate(indices)])
            for item in [item for item in reductions if not item.running]:
                self._end(item, indices)

    def _goes_in_order(self, phase: Phase, reductions: Sequence[LoopStep]) -> bool:
        """Whether places are gone through as they lie in memory, with a state for each place of a result."""
        if not phase.reduced or len(phase.space) - 1 in phase.reduced or any(item.running for item in reductions):
            return False
        states = [kept_size(item) * size for item in reductions for size in self._sizes(item)]
        return sum(states) <= _NEAR < math.prod(phase.space) * self.lanes * FLOAT32.itemsize

    def _in_order(self, phase: Phase, reductions: Sequence[LoopStep], outer: Sequence[int]) -> None:
        v = self.v
        for item in reductions:
            self.wide[item.out] = [f"%wide{item.out}.{part}" for part in range(len(self._start(item)))]
            for name, size in zip(self.wide[item.out], self._sizes(item), strict=True):
                self.head.append(self.states.reserve(name, kept_size(item) * size))
        with self._results(phase, outer) as indices:
            for item in reductions:
                for name, part in zip(self._state_of(item, indices), self._start(item), strict=True):
                    v.store(part, name)
        with loops(v, phase.space) as indices:
            self._places(phase, indices)
        with self._results(phase, outer) as indices:
            for item in reductions:
                self._end(item, indices)

    @contextmanager
    def _results(self, phase: Phase, outer: Sequence[int]) -> Iterator[list[str]]:
        """Loops over the dimensions that results keep."""
        with loops(self.v, [phase.space[dim] for dim in outer]) as around:
            names = dict(zip(outer, around, strict=True))
            yield [names.get(dim, "0") for dim in range(len(phase.space))]

    def _start(self, item: LoopStep) -> list[Vector]:
        """The state of a reduction that has taken in nothing."""
        assert item.lanes is not None
        return item.lanes.start(self.v, taken_in(self.group, item))

    def _sizes(self, item: LoopStep) -> list[int]:
        """The bytes of the vectors that this consists of."""
        return [self.lanes * part.dtype.itemsize for part in self._start(item)]

    def _places(self, phase: Phase, indices: Sequence[str]) -> None:
        here: dict[int, Vector] = {}
        for item in phase.items:
            if item.table is not None:
                self._at_place(item, item.table, here, indices)
                continue
            if item.spans:
                value = here[item.out] = self._put_together(item, indices)
                self._keep(item, value, indices)
                continue
            values = [self._operand(item, *read, here, indices) for read in item.reads]
            if item.along >= 0:
                values.append(place_in_row(self.v, item, item.along, indices))
            assert item.form is not None
            value = item.form(self.v, *values)
            if item.lanes is not None:
                self._take_in(item, value, indices)
                if item.running:
                    self._end(item, indices)
                continue
            here[item.out] = value
            self._keep(item, value, indices)

    def _put_together(self, item: LoopStep, indices: Sequence[str]) -> Vector:
        """The value of an item with spans."""
        v, reads = self.v, item.reads
        found = [self.same.get(slot) or self._pointer(slot, indices, by, self.lanes, to) for slot, by, to in reads]
        dtype = self.group.dtype(item.out)
        return one_of(v, self.head, item, found, indices[item.along], lambda at: v.load(at, dtype))

    def _at_place(self, item: LoopStep, table: LookupTable, here: dict[int, Vector], indices: Sequence[str]) -> None:
        """Take an element from a place that is data, or add one up there."""
        v, (first, second) = self.v, item.reads
        place = place_within(v, self._operand(item, *second, here, indices), table, self.lanes)
        if item.out >= 0:
            value = here[item.out] = self._taken(first[0], first[1], table, place, indices)
            self._keep(item, value, indices)
            return
        number = self.group.sums.index(item)
        (dtype,) = self.states.parts[number]
        value = v.cast(self._operand(item, *first, here, indices), dtype)
        value = v.select(v.value("%mask", BOOL), value, 0)
        add_each(
            v, self._state(number, 0, indices, item.strides), place * (table.step * dtype.itemsize), value, self.lanes
        )

    def _taken(self, slot: int, strides: Shape, table: LookupTable, place: Vector, indices: Sequence[str]) -> Vector:
        v, dtype = self.v, self.group.dtype(slot)
        if slot in self.same:
            return self.same[slot]
        size = stored(dtype).itemsize
        if slot in self.group.shared:
            return gathered(v, self._pointer(slot, indices, strides, 1), place * (table.step * size), dtype, self.lanes)
        # Of a row's own values each lane has those of its row.
        at = self._pointer(slot, indices, strides, self.lanes)
        step = (
            table.step * size * self.lanes if slot not in self.step else v.spread(self.step[slot], INT64) * table.step
        )
        return gathered(v, at, place * step + lane_offsets(v, size), dtype, self.lanes)

    def _keep(self, item: LoopStep, value: Vector, indices: Sequence[str]) -> None:
        if self.group.width(item.out) == 1:
            self.same[item.out] = value
        elif item.out in self.base:
            self.v.store(value, self._pointer(item.out, indices, item.strides, self.lanes))

    def _operand(
        self, item: LoopStep, slot: int, strides: Shape, shift: int, here: dict[int, Vector], indices: Sequence[str]
    ) -> Vector:
        if slot in here and strides == dense(item.space):
            return here[slot]
        if slot in self.same:
            return self.same[slot]
        if (maker := self.recomputed.get(slot)) is not None:
            assert maker.form is not None
            here[slot] = maker.form(self.v, *(self._operand(maker, *read, here, indices) for read in maker.reads))
            return here[slot]
        dtype = self.group.dtype(slot)
        if slot in self.group.shared:
            return spread_from(self.v, self._pointer(slot, indices, strides, 1), dtype)
        return self.v.load(self._pointer(slot, indices, strides, self.lanes, shift), dtype)

    def _pointer(self, slot: int, indices: Sequence[str], strides: Shape, lanes: int, shift: int = 0) -> str:
        size, at = lanes * self.group.dtype(slot).itemsize, self.base[slot]
        if slot in self.step:
            return address_around(self.v, at, indices, strides, 1, self.step[slot], shift, size)
        if shift:
            at = address(self.v, at, shift * size)
        return address_of(self.v, at, indices, strides, size)

    # Reductions -------------------------------------------------------------------------------------------------------

    def _end(self, item: LoopStep, indices: Sequence[str]) -> None:
        v = self.v
        assert item.lanes is not None
        names = self._state_of(item, indices)
        state = [v.load(name, part.dtype) for name, part in zip(names, self._start(item), strict=True)]
        state = item.lanes.settle(v, state)
        value = item.lanes.result(v, state, count_of(item), item.step.node)
        self._keep(item, value, indices)

    def _take_in(self, item: LoopStep, value: Vector, indices: Sequence[str]) -> None:
        v, names = self.v, self._state_of(item, indices)
        assert item.lanes is not None
        if item.out < 0:
            dtypes = self.states.parts[self.group.sums.index(item)]
            take_rows_in(v, item, names, dtypes, value, self.states.lanes)
            return
        before = [v.load(name, part.dtype) for name, part in zip(names, self._start(item), strict=True)]
        after = with_one_more(v, item, before, value, self._index(item, indices) if item.lanes.indexed else None)
        for name, part in zip(names, after, strict=True):
            v.store(part, name)

    def _index(self, item: LoopStep, indices: Sequence[str]) -> Vector:
        """The places along the reduced dimension."""
        return place_in_row(self.v, item, item.reduced[0], indices) if item.reduced else self.v.constant(0, INT64)

    def _state_of(self, item: LoopStep, indices: Sequence[str]) -> list[str]:
        """Where the parts of a state lie that this place is taken in."""
        if item.out < 0:
            number = self.group.sums.index(item)
            return [self._state(number, part, indices, item.strides) for part in range(len(self.states.parts[number]))]
        if item.out not in self.wide:
            return [f"%red{item.out}.{part}" for part in range(len(self._start(item)))]
        parts = zip(self.wide[item.out], self._sizes(item), strict=True)
        return [address_of(self.v, name, indices, item.strides, size) for name, size in parts]

    def _state(self, number: int, part: int, indices: Sequence[str], strides: Shape) -> str:
        at = address(self.v, "%s", self.states.place(number, part, 0))
        return address_of(self.v, at, indices, strides, self.states.step(number, part))


def _state_bytes(group: Group) -> int:
    """What vectors with a state for each row take, as they are in groups of no odd places."""
    v, size = VectorBuilder(group.lanes), 0
    for item in group.sums:
        assert item.lanes is not None
        parts = item.lanes.start(v, taken_in(group, item))
        size += kept_size(item) * sum(group.lanes * part.dtype.itemsize for part in parts)
    return size
