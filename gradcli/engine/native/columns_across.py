"""A group as a native function, neighbouring elements of a row across the lanes: for long rows, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gradcli.engine.native import row_tables
from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.expressions import LINE
from gradcli.engine.native.group import Group
from gradcli.engine.native.line_states import LineStates, begins_at, has_neighbours
from gradcli.engine.native.lookups import can_pick, gathered, lane_offsets, picked, place_within, scalar
from gradcli.engine.native.loop_steps import LookupTable, LoopStep
from gradcli.engine.native.loops import (
    address,
    address_around,
    address_of,
    ask,
    counted,
    in_vectors,
    lead_address,
    loop,
)
from gradcli.engine.native.nests import nests
from gradcli.engine.native.phases import Phase
from gradcli.engine.native.spans import beside, one_of
from gradcli.engine.native.states import States, place_in_row
from gradcli.engine.native.strides import Shape, dense
from gradcli.engine.native.transpose import UINT8, first_load, first_store, spread_from, stored
from gradcli.engine.native.vectors import INT64, Vector

#: Bytes of a table of a row's own that is asked for before it is looked at, and about how many there are in between,
#: as there are to what goes with it: the processor, busy with one element after the other, looks less far ahead.
_LONG, _AHEAD = 1 << 9, 12 << 10


class ColumnsAcross(LineStates):
    """Goes through each phase of a row in vectors of its last dimension; what a later phase needs is kept in memory."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.lanes = group.lanes
        self.states = States(group, self.lanes, [has_neighbours(item) for item in group.sums])
        self.v = VectorBuilder(self.lanes, block="row")
        before, self.tail = self.states.marking()
        self.head = [*group.addresses(), *before]
        #: What is the same for all places of a row, and the base of what differs.
        self.same: dict[int, Vector] = {}
        self.base: dict[int, str] = {}
        #: From one leading place to the next, in bytes, where there are several.
        self.leads: dict[int, str] = {}
        #: How many dimensions the loops have that several phases are in; what is made and used in these has memory for
        #: one line.
        self.around = 0
        self.of_lines: set[int] = set()

    def module(self) -> str:
        """The whole module: `@k(pointers, rows, states)`."""
        v, together = self.v, nests(self.group)
        self._arrays()
        self._kept(together)
        lines, v.lines, v.block = v.lines, [], "entry"
        self._start_sums()
        begun, before = v.lines, v.block
        v.lines, v.block = lines, "row"
        for phases in together:
            if len(phases) > 1:
                self._lines(phases)
            else:
                self._phase(phases[0])
        function = [
            "define void @k(ptr %p, i64 %n, ptr noalias %s) {",
            "entry:",
            *self.head,
            *begun,
            "  br label %row",
            "row:",
            f"  %i = phi i64 [0, %{before}], [%next, %{v.block}]",
            *v.lines,
            *counted(v, "%next", "%i", 1),
            "  %more = icmp ult i64 %next, %n",
            "  br i1 %more, label %row, label %done",
            "done:",
            *self._finish("done"),
            *self.group.end,
            "}",
        ]
        return "\n\n".join([*sorted(filter(None, v.declarations.values())), "\n".join(function)])

    # Memory -----------------------------------------------------------------------------------------------------------

    def _arrays(self) -> None:
        group, v = self.group, self.v
        for k, slot in enumerate(group.arrays):
            dtype, width = group.dtype(slot), group.width(slot)
            if slot in group.shared:
                if width == 1:
                    with self._in_head():
                        self.same[slot] = spread_from(v, f"%a{k}", dtype)
                self.base[slot] = f"%a{k}"
                continue
            v.lines += [
                f"  %o{k} = mul i64 %i, {group.trail(slot) * dtype.itemsize}",
                f"  %r{k} = getelementptr i8, ptr %a{k}, i64 %o{k}",
            ]
            self.base[slot] = f"%r{k}"
            if group.lead(slot) > 1:
                self.leads[slot] = f"%l{k}"
            if width == 1 and k < len(group.inputs):
                self.same[slot] = spread_from(v, f"%r{k}", dtype)

    @contextmanager
    def _in_head(self) -> Iterator[None]:
        """Within this block what is emitted stands before the rows."""
        v = self.v
        lines, v.lines = v.lines, self.head
        try:
            yield
        finally:
            v.lines = lines

    def _kept(self, together: list[list[Phase]]) -> None:
        """Memory for what one phase makes and another one uses; of what only those use that go through lines together,
        for one line."""
        group = self.group
        for phases in together:
            for slot in _made_for_each_other(group, phases) if len(phases) > 1 else ():
                width = group.width(slot) // phases[0].space[0]
                self.of_lines.add(slot)
                if width > 1:
                    self._reserve(slot, width)
        made = {item.out: (phase, item) for phase in group.phases for item in phase.items}
        for _, item in made.values():
            if item.adds:
                self.head.append(row_tables.reserve(self.states, group, item))
        for phase in group.phases:
            for item in phase.items:
                for slot, _ in item.operands:
                    if slot not in made or slot in self.base or slot in self.of_lines:
                        continue
                    if made[slot][0] is not phase and group.width(slot) > 1:
                        self._reserve(slot, group.width(slot))

    def _reserve(self, slot: int, width: int) -> None:
        """Memory for so many elements, in whole vectors."""
        self.base[slot] = f"%kept{slot}"
        self.head.append(self.states.reserve(self.base[slot], self._padded(width) * self.group.dtype(slot).itemsize))

    def _padded(self, width: int) -> int:
        return -(-width // self.lanes) * self.lanes

    # Phases -----------------------------------------------------------------------------------------------------------

    def _phase(self, phase: Phase) -> None:
        """The loops of a phase; the last dimension goes in vectors, what is left over under a mask."""
        v = self.v
        tables = [item for item in phase.items if item.adds]
        for item in tables:
            row_tables.begin(v, self.group, item, self.same.get(item.start), self.base.get(item.start))
        self._at_depth(phase, [])
        for item in tables:
            result = row_tables.end(v, self.group, item, self.base.get(item.out))
            self.same |= {} if result is None else {item.out: result}

    def _lines(self, phases: list[Phase]) -> None:
        """Several phases with one line after the other."""
        self.around = 1
        known = dict(self.same)
        with loop(self.v, phases[0].space[0], 1) as line:
            for phase in phases:
                self._at_depth(phase, [line])
        self.around, self.same = 0, known

    def _at_depth(self, phase: Phase, indices: list[str]) -> None:
        """What is done at a place of the outer dimensions. Reductions begin where they have a result of their own."""
        v, left = self.v, phase.space[len(indices) :]
        own = [item for item in phase.items if begins_at(item) == len(indices)]
        for item in own:
            self._begin(item, indices)
        if len(left) > 1:
            with loop(v, left[0], 1) as index:
                self._at_depth(phase, [*indices, index])
        elif left:
            for index, valid in in_vectors(v, left[0]):
                self._places(phase, [*indices, index], valid)
        else:
            self._places(phase, indices, 1)
        for item in own:
            self._end(item, indices)

    def _places(self, phase: Phase, indices: list[str], valid: int) -> None:
        """All items at neighbouring places, of which so many are there."""
        here: dict[int, Vector] = {}
        for item in phase.items:
            if item.scatters:
                self._scatter(item, here, indices, valid)
                continue
            if item.adds:
                self._add(item, here, indices, valid)
                continue
            if item.table is not None:
                value = self._taken(item, item.table, here, indices, valid)
                self._made(item, value, here, indices, valid)
                continue
            if item.spans:
                self._made(item, self._put_together(item, indices, valid), here, indices, valid)
                continue
            values = [self._operand(item, *read, here, indices, valid) for read in item.reads]
            if item.along >= 0:
                across = len(item.space) > self.around
                values.append(place_in_row(self.v, item, item.along, indices, across))
            assert item.form is not None
            value = item.form(self.v, *values)
            if item.lanes is not None:
                self._take_in(item, value, indices, valid)
            else:
                self._made(item, value, here, indices, valid)

    def _made(self, item: LoopStep, value: Vector, here: dict[int, Vector], indices: list[str], valid: int) -> None:
        here[item.out] = value
        if len(item.space) <= self.around:
            # The same in all lanes.
            self.same[item.out] = value
        if item.out in self.base:
            # What lies beyond a line is the next one, which is yet to come.
            kept = item.out not in self.group.outs and item.strides == dense(item.space)
            self._write(item.out, value, indices, item.strides, self.lanes if kept else valid, self._goes_past(item))

    def _put_together(self, item: LoopStep, indices: list[str], valid: int) -> Vector:
        """The value of an item with spans."""
        v, reads = self.v, item.reads
        found = [self.same.get(slot) or self._pointer(slot, indices, by, shift) for slot, by, shift in reads]
        if item.along == len(item.space) - 1:
            return beside(v, item, found, indices[-1], valid == v.lanes)
        dtype = self.group.dtype(item.out)
        return one_of(v, self.head, item, found, indices[item.along], lambda at: first_load(v, at, dtype, valid))

    def _taken(
        self, item: LoopStep, table: LookupTable, here: dict[int, Vector], indices: list[str], valid: int
    ) -> Vector:
        """An element from a place that is data; of neighbours at the same place, neighbouring elements."""
        v, ((slot, strides, shift), places) = self.v, item.reads
        place = place_within(v, self._operand(item, *places, here, indices, valid), table, valid)
        if slot in self.same:
            return self.same[slot]
        dtype, apart = self.group.dtype(slot), bool(places[1] and places[1][-1])
        trail = self.group.trail(slot) if slot in self.leads else 0
        step: str | int = table.step * stored(dtype).itemsize
        if trail and table.step % trail == 0:
            step = v.fresh()
            v.lines.append(f"  {step} = mul i64 {self.leads[slot]}, {table.step // trail}")
        pointer = self._pointer(slot, indices, strides, shift)
        beside = bool(strides and strides[-1])
        if apart:
            near = table.step == 1 and not trail and not beside
            if near and valid * 2 >= self.lanes and can_pick(self.lanes, table.length, dtype):
                return picked(v, pointer, table.length, place, dtype)
            if near and slot not in self.group.shared:
                self._ask_ahead(pointer, table.length * stored(dtype).itemsize, indices[-1], item.space[-1])
            offset = place * (v.spread(step, INT64) if isinstance(step, str) else step)
            offset = offset + lane_offsets(v, stored(dtype).itemsize) if beside else offset
            return gathered(v, pointer, offset, dtype, valid)
        pointer = lead_address(v, pointer, str(step), scalar(v, place))
        if not beside:
            return spread_from(v, pointer, dtype)
        value = first_load(v, pointer, stored(dtype), valid)
        return value != 0 if dtype.kind == "b" else value

    def _ask_ahead(self, pointer: str, size: int, index: str, count: int) -> None:
        """Ask for a piece of a table of so many bytes that will be looked at soon, in no order, while a loop goes
        through as many places of this one."""
        v = self.v
        if size < _LONG or index.isdigit():
            return
        by = v.fresh()
        v.lines.append(f"  {by} = mul i64 {index}, {-(-size // count)}")
        ask(v, address(v, address(v, pointer, max(1, _AHEAD // size) * size), by))

    def _scatter(self, item: LoopStep, here: dict[int, Vector], indices: list[str], valid: int) -> None:
        """Add neighbouring elements up at a place that is data."""
        v, (first, places), table = self.v, item.reads, item.table
        assert table is not None
        number, valid = self.group.sums.index(item), valid if item.space else 1
        (dtype,) = self.states.parts[number]
        place = place_within(v, self._operand(item, *places, here, indices, valid), table, valid)
        value = v.cast(self._operand(item, *first, here, indices, valid), dtype)
        start = address(v, "%s", self.states.place(number, 0, 0))
        at = lead_address(v, start, str(table.step * dtype.itemsize), scalar(v, place))
        at = address_of(v, at, indices, item.strides, dtype.itemsize)
        first_store(v, first_load(v, at, dtype, valid) + value, at, valid)

    def _add(self, item: LoopStep, here: dict[int, Vector], indices: list[str], valid: int) -> None:
        """Add neighbouring elements up, each at its place of a table of the row's own."""
        source, places = (self._operand(item, *read, here, indices, valid) for read in item.reads[-2:])
        row_tables.add(self.v, item, source, places, indices, valid if item.space else 1)

    def _operand(
        self,
        item: LoopStep,
        slot: int,
        strides: Shape,
        shift: int,
        here: dict[int, Vector],
        indices: list[str],
        valid: int,
    ) -> Vector:
        if slot in here and strides == dense(item.space):
            return here[slot]
        if slot in self.same:
            return self.same[slot]
        dtype = self.group.dtype(slot)
        pointer = self._pointer(slot, indices, strides, shift)
        if len(strides) <= self.around or not strides[-1]:
            return spread_from(self.v, pointer, dtype)
        inside = self.lanes if slot not in self.group.inputs and slot not in self.group.outs else valid
        if item.looks_up and slot in self.group.inputs and slot not in self.leads:
            ask(self.v, address(self.v, pointer, _AHEAD), valid * dtype.itemsize)
        value = first_load(self.v, pointer, stored(dtype), inside)
        return value != 0 if dtype.kind == "b" else value

    def _pointer(self, slot: int, indices: list[str], strides: Shape, shift: int = 0) -> str:
        size, at = self.group.dtype(slot).itemsize, self.base[slot]
        if slot in self.of_lines:
            strides = (0, *strides[1:])
        if slot in self.leads:
            step = self.leads[slot]
            return address_around(self.v, at, indices, strides, self.group.trail(slot), step, shift, size)
        if shift:
            at = address(self.v, at, shift * size)
        return address_of(self.v, at, indices, strides, size)

    def _goes_past(self, item: LoopStep) -> bool:
        """Whether a result is written past the cache: nothing else needs it, and lines of it begin with rows."""
        group, used = (
            self.group,
            [slot for phase in self.group.phases for one in phase.items for slot, _ in one.operands],
        )
        if item.out not in group.past or item.out in used or not item.space or item.strides != dense(item.space):
            return False
        return item.space[-1] * group.dtype(item.out).itemsize % LINE == 0

    def _write(
        self, slot: int, value: Vector, indices: list[str], strides: Shape, valid: int, past: bool = False
    ) -> None:
        v = self.v
        pointer = self._pointer(slot, indices, strides)
        if value.dtype.kind == "b":
            value = v.emit(f"zext {value.typed} to <{v.lanes} x i8>", UINT8)
        first_store(v, value, pointer, 1 if len(strides) <= self.around else valid, past)

    def _end(self, item: LoopStep, indices: list[str]) -> None:
        """End a reduction, which leaves a number for the whole row, or numbers in memory."""
        for value, places, strides, valid in self._ended(item, indices):
            if len(item.reduced) == len(item.space) - self.around:
                self.same[item.out] = value
            if item.out in self.base:
                self._write(item.out, value, places, strides, valid)


def _made_for_each_other(group: Group, phases: Sequence[Phase]) -> Iterator[int]:
    """What these phases make that only they look at, one of them another one's."""
    made = {item.out: phase for phase in phases for item in phase.items if item.out >= 0 and item.out not in group.outs}
    users: dict[int, set[Phase]] = {slot: set() for slot in made}
    for phase in group.phases:
        for item in phase.items:
            for slot, _ in item.operands:
                users.get(slot, set()).add(phase)
    for slot, seen in users.items():
        if seen - {made[slot]} and seen.issubset(phases):
            yield slot
