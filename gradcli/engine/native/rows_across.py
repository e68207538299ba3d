"""A group as a native function, rows across the lanes: for rows of a few elements."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.group import Group
from gradcli.engine.native.lookups import add_each, gathered, place_within
from gradcli.engine.native.loop_steps import LookupTable, LoopStep
from gradcli.engine.native.loops import address, lead_address
from gradcli.engine.native.padded import Padded, rows_there
from gradcli.engine.native.processor import register_bytes
from gradcli.engine.native.states import States, as_variable, count_of, take_rows_in, with_one_more
from gradcli.engine.native.strides import Shape, kept
from gradcli.engine.native.transpose import pack, stored, unpack
from gradcli.engine.native.vectors import BOOL, FLOAT64, INT64, Vector, element_type

#: A value of one place: (slot, offset in the row).
Place = tuple[int, int]
#: Registers that are taken side by side.
_ABREAST = 4
#: Bytes of states that registers have room for.
_REGISTERS = 1024


class RowsAcross:
    """Rows lie across the lanes, and a row's places one after the other in the code: for rows of a few elements."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.lanes = group.lanes
        self.states = States(group, self.lanes, [False] * len(group.sums))
        self.v = VectorBuilder(self._side_by_side(), block="loop", calls=group.deep)
        self.found: dict[Place, Vector] = {}
        before, self.tail = self.states.marking()
        self.head = [*group.addresses(), *before]

    def _side_by_side(self) -> int:
        """How many rows are taken at a time: several vectors, if each alone would have to wait for its own results."""
        items = [item for phase in self.group.phases for item in phase.items]
        odd = any(item.table or item.along >= 0 or (item.lanes and item.lanes.indexed) for item in items)
        widest = max(dtype.itemsize for dtype, _ in self.group.forms.values())
        return max(self.lanes, _ABREAST * register_bytes() // widest) if self.group.deep and not odd else self.lanes

    def module(self) -> str:
        """The whole module: `@k(pointers, rows, states)` leaves the states of all lanes merged."""
        v, group = self.v, self.group
        self._accumulators()
        for k, slot in enumerate(group.inputs):
            self._read(k, slot)
        for phase in group.phases:
            for item in phase.items:
                self._item(item)
        for k, slot in enumerate(group.outs):
            self._write(len(group.inputs) + k, slot)
        head = [*self.head, *rows_there(v.lanes)]
        return Padded(group, self.states, v.declarations, v.lanes).module(head, v, self.tail)

    # Sums over the rows -----------------------------------------------------------------------------------------------

    def _accumulators(self) -> None:
        """Each vector of the states is a variable while the loop runs, if they are few enough for registers."""
        few = self.states.bytes <= _REGISTERS
        for number, dtypes in enumerate(self.states.parts):
            if self.group.sums[number].scatters:
                continue
            for part, index in itertools.product(range(len(dtypes)), range(self.states.sizes[number])):
                name, kind = f"%s{number}.{part}.{index}", f"<{self.lanes} x {element_type(dtypes[part])}>"
                at = self.states.place(number, part, index)
                if not few:
                    self.head.append(f"  {name} = getelementptr i8, ptr %s, i64 {at}")
                    continue
                before, after = as_variable(name, kind, at)
                self.head += before
                self.tail += after

    def _take_in(self, item: LoopStep, offset: int, value: Vector) -> None:
        number = self.group.sums.index(item)
        dtypes = self.states.parts[number]
        names = [f"%s{number}.{part}.{offset}" for part in range(len(dtypes))]
        take_rows_in(self.v, item, names, dtypes, value, self.lanes)

    # Memory -----------------------------------------------------------------------------------------------------------

    def _read(self, k: int, slot: int) -> None:
        dtype, width, v = self.group.dtype(slot), self.group.width(slot), self.v
        if slot in self.group.tables:
            return
        if slot in self.group.shared:
            kind = element_type(stored(dtype))
            for place in range(width):
                name = f"%c{k}.{place}"
                self.head += [
                    f"  {name}.p = getelementptr {kind}, ptr %a{k}, i64 {place}",
                    f"  {name} = load {kind}, ptr {name}.p, align 1",
                ]
                value = v.spread(name, stored(dtype))
                self.found[slot, place] = value != 0 if dtype.kind == "b" else value
            return
        for at, base in self._pieces(k, slot):
            for place, value in enumerate(pack(v, base, "%i", dtype, self.group.trail(slot)), at):
                self.found[slot, place] = value

    def _write(self, k: int, slot: int) -> None:
        trail = self.group.trail(slot)
        for at, base in self._pieces(k, slot):
            columns = [self.found[slot, place] for place in range(at, at + trail)]
            unpack(self.v, base, "%i", columns, slot in self.group.past)

    def _pieces(self, k: int, slot: int) -> Iterator[tuple[int, str]]:
        """The first place of each piece of a row, and the address that it has in the first row."""
        yield 0, f"%a{k}"
        for lead in range(1, self.group.lead(slot)):
            yield lead * self.group.trail(slot), lead_address(self.v, f"%a{k}", f"%l{k}", lead)

    # Items ------------------------------------------------------------------------------------------------------------

    def _item(self, item: LoopStep) -> None:
        v = self.v
        states: dict[int, list[Vector]] = {}
        if item.adds and item.table is not None:
            self._add_up(item, item.table)
            return
        places = list(itertools.product(*map(range, item.space)))
        for index in reversed(places) if item.from_end else places:
            if item.table is not None:
                self._at_place(item, item.table, index)
                continue
            values = [self.found[slot, _offset(index, strides) + shift] for slot, strides, shift in item.reads]
            if item.along >= 0:
                values.append(v.constant(index[item.along], INT64))
            assert item.form is not None
            value = item.form(v, *values)
            offset = _offset(index, item.strides)
            if item.running:
                self._run_on(item, states, index, value)
                continue
            if item.lanes is None:
                self.found[item.out, offset] = value
            elif item.out < 0:
                self._take_in(item, offset, value)
            else:
                state = states.get(offset) or item.lanes.start(v, value.dtype)
                at = v.constant(index[item.reduced[0]] if item.reduced else 0, INT64)
                states[offset] = with_one_more(v, item, state, value, at)
        if states and not item.running:
            assert item.lanes is not None
            for offset, state in states.items():
                settled = item.lanes.settle(v, state)
                self.found[item.out, offset] = item.lanes.result(v, settled, count_of(item), item.step.node)

    def _at_place(self, item: LoopStep, table: LookupTable, index: tuple[int, ...]) -> None:
        """Take an element from a place that is data, or add one up there."""
        v, ((first, strides), (places, along)) = self.v, item.operands
        place = place_within(v, self.found[places, _offset(index, along)], table, self.lanes)
        if item.out >= 0 and first not in self.group.shared:
            value, start = self.found[first, _offset(index, strides)], _offset(index, strides)
            for k in range(1, table.length):
                value = v.select(place == k, self.found[first, start + k * table.step], value)
            self.found[item.out, _offset(index, item.strides)] = value
            return
        if item.out >= 0:
            dtype = self.group.dtype(first)
            at = address(v, f"%a{self.group.inputs.index(first)}", _offset(index, strides) * stored(dtype).itemsize)
            value = gathered(v, at, place * (table.step * stored(dtype).itemsize), dtype, self.lanes)
            self.found[item.out, _offset(index, item.strides)] = value
            return
        self._scatter(item, table, place, self.found[first, _offset(index, strides)], _offset(index, item.strides))

    def _add_up(self, item: LoopStep, table: LookupTable) -> None:
        """Offer each element to all sums of its row that may be its own: registers have no addresses."""
        v, (source, along), (places, own) = self.v, *item.operands[-2:]
        width, start = self.group.width(item.out), item.start
        sums = [v.constant(0, FLOAT64)] * width
        if start >= 0:
            sums = [v.cast(self.found[start, k % self.group.width(start)], FLOAT64) for k in range(width)]
        for index in itertools.product(*map(range, item.space)):
            place = place_within(v, self.found[places, _offset(index, own)], table, self.lanes)
            value = v.cast(self.found[source, _offset(index, along)], FLOAT64)
            for k in range(table.length):
                at = _offset(index, item.strides) + k * table.step
                sums[at] = v.select(place == k, sums[at] + value, sums[at])
        for at, total in enumerate(sums):
            self.found[item.out, at] = v.cast(total, self.group.dtype(item.out))

    def _scatter(self, item: LoopStep, table: LookupTable, place: Vector, value: Vector, offset: int) -> None:
        v, number = self.v, self.group.sums.index(item)
        (dtype,) = self.states.parts[number]
        value = v.select(v.value("%mask", BOOL), v.cast(value, dtype), 0)
        at = address(v, "%s", self.states.place(number, 0, offset))
        add_each(v, at, place * (table.step * dtype.itemsize), value, self.lanes)

    def _run_on(self, item: LoopStep, states: dict[int, list[Vector]], index: tuple[int, ...], value: Vector) -> None:
        """Take in another element of a running reduction, and show what it has now."""
        v, line = self.v, _offset(index, kept(item.space, item.reduced))
        assert item.lanes is not None
        states[line] = item.lanes.add(v, states.get(line) or item.lanes.start(v, value.dtype), value)
        shown = item.lanes.result(v, item.lanes.settle(v, states[line]), count_of(item), item.step.node)
        self.found[item.out, _offset(index, item.strides)] = shown


def _offset(index: tuple[int, ...], strides: Shape) -> int:
    return sum(k * step for k, step in zip(index, strides, strict=True))
