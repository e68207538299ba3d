"""A group with running sums as a native function that goes through its lines once: nothing of a line is kept but what
has been reached."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.expressions import LINE
from gradcli.engine.native.group import Group
from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.loops import address, ask, from_last, lead_address, loop, loop_to
from gradcli.engine.native.lowering import Lowering
from gradcli.engine.native.row_pieces import Place
from gradcli.engine.native.states import States, count_of, taken_in
from gradcli.engine.native.strides import Shape, dense
from gradcli.engine.native.transpose import (
    UINT8,
    columns_of,
    load_under,
    spread_from,
    store_under,
    stored,
    write_columns,
)
from gradcli.engine.native.vectors import INT64, Vector, element_type

#: Instructions of a place: longer code is written once, for all columns of a square in memory.
_LONG = 20
#: So many neighbouring lines are gone through side by side: what they have reached stays in the nearest cache.
_BESIDE = 512


def takes_running(reader: Lowering, item: LoopStep) -> bool:
    """Whether an item is computed place by place, from values at this place and from what it has of those before."""
    if item.out < 0 or item.table is not None or item.along >= 0 or any(item.shifts) or not item.space:
        return False
    if item.lanes is not None and not (item.running and item.reduced):
        return False
    return _fits(reader, item.out, item.strides, item) and all(
        _fits(reader, slot, strides, item) or math.prod(reader.rest(slot)) == 1 for slot, strides in item.operands
    )


def _fits(reader: Lowering, slot: int, strides: Shape, item: LoopStep) -> bool:
    """Whether a value has an element for each place."""
    return (
        not reader.shared(slot)
        and math.prod(reader.rest(slot)) == math.prod(item.space)
        and strides == dense(item.space)
    )


def alike(reader: Lowering, items: Sequence[LoopStep]) -> bool:
    """Whether one loop computes all of these items."""
    running = {(item.space, item.reduced, item.from_end) for item in items if item.running}
    if len(running) != 1 or len({item.space for item in items}) != 1:
        return False
    ((space, (dim,), _),) = running
    slots = {slot for item in items for slot in (item.out, *(slot for slot, _ in item.operands))}
    leads = {reader.leading(slot) for slot in slots if not reader.shared(slot)}
    if any(not reader.shared(slot) and math.prod(reader.rest(slot)) < math.prod(space) for slot in slots):
        # What has a number for each row goes with lines that are whole rows.
        return leads == {1} and math.prod(space) == space[dim]
    return leads == {1} or (len(leads) == 1 and leads.pop() % math.prod(space[: dim + 1]) == 0)


class RunningLines:
    """Lines lie across the lanes: those beside each other in memory, or squares of those that follow each other."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.lanes = group.lanes
        self.states = States(group, self.lanes, [])
        self.items = [item for phase in group.phases for item in phase.items]
        first = next(item for item in self.items if item.running)
        (dim,) = first.reduced
        self.from_end = first.from_end
        #: Lines before each other in a row, the places of a line, and how many neighbouring lines there are.
        self.before, self.length = math.prod(first.space[:dim]), first.space[dim]
        self.beside = math.prod(first.space[dim + 1 :])
        self.lead = group.lead(group.outs[0])
        #: What has one number, for all lines or for each of them, in a vector for the lines in the lanes.
        self.same: dict[int, Vector] = {}
        places = math.prod(first.space)
        self.looped = self._instructions() > _LONG
        self.v = VectorBuilder(self.lanes)
        self.each = {slot for slot in group.inputs if slot not in group.shared and group.width(slot) < places}

    def _instructions(self) -> int:
        """How many a place takes."""
        self.v = VectorBuilder(self.lanes)
        here = {slot: self.v.value(f"%x{slot}", self.group.dtype(slot)) for slot in self.group.inputs}
        self.computed(here, lambda number, part: f"%red{number}.{part}")
        return len(self.v.lines)

    def module(self) -> str:
        """The whole module: `@k(pointers, rows, states)`."""
        v, group = self.v, self.group
        v.lines += group.addresses()
        for k, slot in enumerate(group.inputs):
            if slot in group.shared:
                self.same[slot] = spread_from(v, f"%a{k}", group.dtype(slot))
        if self.lead == self.beside == 1:
            self._squares()
        else:
            self._neighbours()
        body = ["define void @k(ptr %p, i64 %n, ptr noalias %s) {", "entry:", *v.lines, *group.end, "}"]
        return "\n\n".join([*sorted(filter(None, v.declarations.values())), "\n".join(body)])

    def own(self, slots: Sequence[int]) -> list[tuple[str, int]]:
        """The names of addresses, with their places, of what has an element for each place."""
        of_lines = self.group.shared | self.each
        return [(f"%a{k}", slot) for k, slot in enumerate(self.group.arrays) if slot in slots and slot not in of_lines]

    def computed(self, here: dict[int, Vector], place: Callable[[int, int], str]) -> None:
        """All items at a place; `place(number, part)` is where a running one keeps what it has."""
        v = self.v
        for number, item in enumerate(self.items):
            assert item.form is not None
            value = item.form(v, *[here[slot] if slot in here else self.same[slot] for slot, _ in item.operands])
            if item.lanes is not None:
                start = item.lanes.start(v, taken_in(self.group, item))
                names = [place(number, part) for part in range(len(start))]
                state = item.lanes.add(
                    v, [v.load(name, part.dtype) for name, part in zip(names, start, strict=True)], value
                )
                for name, part in zip(names, state, strict=True):
                    v.store(part, name)
                value = item.lanes.result(v, item.lanes.settle(v, state), count_of(item), item.step.node)
            here[item.out] = value

    def kept_parts(self) -> Iterator[tuple[int, int, Vector]]:
        """The parts of what running items keep: number of the item, of the part, and what it is before all places."""
        for number, item in enumerate(self.items):
            if item.lanes is not None:
                for part, value in enumerate(item.lanes.start(self.v, taken_in(self.group, item))):
                    yield number, part, value

    # Lines one after the other in memory ------------------------------------------------------------------------------

    def _squares(self) -> None:
        """As many lines as there are lanes: a square of each array at a time is transposed in registers."""
        v, group, lanes, length = self.v, self.group, self.lanes, self.length
        for number, part, value in self.kept_parts():
            v.lines.append(f"  %red{number}.{part} = alloca {value.type}, align 64")
        if self.looped:
            for _, slot in self.own(group.arrays):
                size = lanes * lanes * stored(group.dtype(slot)).itemsize
                v.lines.append(self.states.reserve(f"%square{slot}", size))
        lines = self._times("%n", self.before)
        last = self._number(f"sub i64 {lines}, 1")
        v.declarations["@llvm.umin.i64"] = "declare i64 @llvm.umin.i64(i64, i64)"
        with loop_to(v, "0", lines, lanes) as first:
            # Where there are fewer lines, the last one is computed several times.
            numbers = [self._number(f"add i64 {first}, {k}") for k in range(lanes)]
            numbers = [self._number(f"call i64 @llvm.umin.i64(i64 {number}, i64 {last})") for number in numbers]
            bases = {
                slot: [lead_address(v, name, str(length * stored(group.dtype(slot)).itemsize), k) for k in numbers]
                for name, slot in self.own(group.arrays)
            }
            for k, slot in enumerate(group.inputs):
                if slot in self.each:
                    self.same[slot] = self._gathered(f"%a{k}", numbers, group.dtype(slot))
            for number, part, value in self.kept_parts():
                v.store(value, f"%red{number}.{part}")
            whole, rest = length // lanes * lanes, length % lanes
            if rest and self.from_end:
                self._square(bases, str(whole), rest)
            if whole:
                with loop(v, whole, lanes) as index:
                    self._square(bases, from_last(v, index, whole - lanes, self.from_end), lanes)
            if rest and not self.from_end:
                self._square(bases, str(whole), rest)

    def _gathered(self, base: str, numbers: Sequence[str], dtype: np.dtype) -> Vector:
        """The elements with these numbers."""
        v, kept = self.v, stored(dtype)
        value = Vector(v, "poison", kept)
        for lane, number in enumerate(numbers):
            pointer = lead_address(v, base, str(kept.itemsize), number)
            one = self._number(f"load {element_type(kept)}, ptr {pointer}, align {kept.itemsize}")
            value = v.assign(f"insertelement {value.typed}, {element_type(kept)} {one}, i32 {lane}", kept)
        return value != 0 if dtype.kind == "b" else value

    def _square(self, bases: dict[int, list[str]], left: str, columns: int) -> None:
        """So many places of these lines, from one on."""
        v, group = self.v, self.group
        with v.scope():
            places = {
                slot: [address(v, base, left, f"i{8 * group.dtype(slot).itemsize}") for base in lines]
                for slot, lines in bases.items()
            }
            found = {}
            for _, slot in self.own(group.inputs):
                dtype = stored(group.dtype(slot))
                found[slot] = columns_of(v, _on_lines(v, places[slot], dtype), dtype, columns)
                self._ask(places[slot], slot)
            made = (self._in_memory if self.looped else self._in_registers)(found, columns)
            for slot, values in made.items():
                past = slot in group.past and self.length * group.dtype(slot).itemsize % LINE == 0
                write_columns(v, _on_lines(v, places[slot], stored(group.dtype(slot))), values, past)

    def _in_registers(self, found: dict[int, list[Vector]], columns: int) -> dict[int, list[Vector]]:
        """The columns of the results, one after the other in the code."""
        made: dict[int, list[Vector]] = {slot: [] for slot in self.group.outs}
        for k in reversed(range(columns)) if self.from_end else range(columns):
            for slot, value in self._column({slot: values[k] for slot, values in found.items()}).items():
                made[slot].append(value)
        return {slot: values[::-1] if self.from_end else values for slot, values in made.items()}

    def _in_memory(self, found: dict[int, list[Vector]], columns: int) -> dict[int, list[Vector]]:
        """The same in a loop."""
        v, group = self.v, self.group

        def place(slot: int, column: str | int) -> str:
            return address(v, f"%square{slot}", column, f"[{v.lanes * group.dtype(slot).itemsize} x i8]")

        def column_of(slot: int, column: str | int) -> Vector:
            return v.load(place(slot, column), stored(group.dtype(slot)))

        for slot, values in found.items():
            for k, value in enumerate(values):
                v.store(value, place(slot, k))
        with loop(v, columns, 1) as index:
            at = from_last(v, index, columns - 1, self.from_end)
            for slot, value in self._column({slot: column_of(slot, at) for slot in found}).items():
                v.store(value, place(slot, at))
        return {slot: [column_of(slot, k) for k in range(columns)] for slot in group.outs}

    def _column(self, column: dict[int, Vector]) -> dict[int, Vector]:
        """A column of each result, from one of all inputs, as they are in memory."""
        v, group = self.v, self.group
        here = {slot: value != 0 if group.dtype(slot).kind == "b" else value for slot, value in column.items()}
        self.computed(here, lambda number, part: f"%red{number}.{part}")
        for slot in group.outs:
            if here[slot].dtype.kind == "b":
                here[slot] = v.emit(f"zext {here[slot].typed} to <{v.lanes} x i8>", UINT8)
        return {slot: here[slot] for slot in group.outs}

    def _ask(self, places: list[str], slot: int) -> None:
        """Ask for the same places of the next lines."""
        v, ahead = self.v, self.lanes * self.length * self.group.dtype(slot).itemsize
        for place in places:
            ask(v, address(v, place, ahead))

    # Lines side by side in memory -------------------------------------------------------------------------------------

    def _neighbours(self) -> None:
        """A place of many lines after the other: neighbours are loaded and stored as they lie."""
        v = self.v
        kept = {}
        for number, part, value in self.kept_parts():
            kept[number, part] = name = f"%kept{number}.{part}"
            v.lines.append(self.states.reserve(name, _BESIDE * value.dtype.itemsize))
        if self.lead == 1:
            # The lines of a row, then those of the next one.
            lines, width = self._times("%n", self.before), str(self.beside)
        else:
            lines = str(self.lead // self.length)
            width = self._times("%n", self.beside * self.before * self.length // self.lead)
        with loop(v, lines, 1) as line, loop_to(v, "0", width, _BESIDE) as first:
            start, step = self._line(line)
            many = self._number(f"sub i64 {width}, {first}")
            v.declarations["@llvm.umin.i64"] = "declare i64 @llvm.umin.i64(i64, i64)"
            many = self._number(f"call i64 @llvm.umin.i64(i64 {many}, i64 {_BESIDE})")
            for number, part, value in self.kept_parts():
                with loop(v, many, self.lanes) as at:
                    v.store(value, address(v, kept[number, part], at, element_type(value.dtype)))
            with loop(v, self.length, 1) as index:
                here = from_last(v, index, self.length - 1, self.from_end)
                bases = {}
                for name, slot in self.own(self.group.arrays):
                    size = self.group.dtype(slot).itemsize
                    base = address(v, name, first, f"i{8 * size}")
                    bases[slot] = lead_address(v, lead_address(v, base, start[slot], "1"), step[slot], here)
                whole = self._number(f"and i64 {many}, {-self.lanes}")
                with loop_to(v, "0", whole, self.lanes) as at:
                    self._vector(bases, kept, at, None)
                with loop_to(v, whole, many, self.lanes) as at:
                    rest = self._number(f"sub i64 {many}, {at}")
                    order = v.value(f"<{', '.join(f'i64 {k}' for k in range(self.lanes))}>", INT64)
                    self._vector(bases, kept, at, order < v.spread(rest, INT64))

    def _line(self, line: str) -> tuple[dict[int, str], dict[int, str]]:
        """For each array the bytes to the first place of a line, and those from there to the next one."""
        start, step = {}, {}
        after = self.lead // (self.before * self.length)
        for name, slot in self.own(self.group.arrays):
            size = self.group.dtype(slot).itemsize
            if self.lead == 1:
                step[slot] = str(self.beside * size)
                start[slot] = self._times(line, self.length * self.beside * size)
                continue
            # Between two places before the rows there are those of all rows.
            lead = f"%l{name[2:]}"
            step[slot] = self._times(lead, after)
            outer = self._number(f"udiv i64 {line}, {after}")
            inner = self._number(f"urem i64 {line}, {after}")
            place = self._number(f"add i64 {self._times(outer, self.length * after)}, {inner}")
            start[slot] = self._number(f"mul i64 {place}, {lead}")
        return start, step

    def _vector(self, bases: dict[int, str], kept: dict[tuple[int, int], str], at: str, mask: Vector | None) -> None:
        v, group, here = self.v, self.group, {}
        dtypes = {(number, part): value.dtype for number, part, value in self.kept_parts()}
        places = {slot: address(v, base, at, f"i{8 * group.dtype(slot).itemsize}") for slot, base in bases.items()}
        for _, slot in self.own(group.inputs):
            value = load_under(v, mask, places[slot], stored(group.dtype(slot)))
            here[slot] = value != 0 if group.dtype(slot).kind == "b" else value
        # What lies beyond the end is no number of anybody's.
        here = here if mask is None else {slot: v.settled(value) for slot, value in here.items()}
        self.computed(here, lambda number, part: address(v, kept[number, part], at, element_type(dtypes[number, part])))
        for _, slot in self.own(group.outs):
            store_under(v, mask, here[slot], places[slot])

    def _number(self, text: str) -> str:
        name = self.v.fresh()
        self.v.lines.append(f"  {name} = {text}")
        return name

    def _times(self, name: str, by: int) -> str:
        return name if by == 1 else self._number(f"mul i64 {name}, {by}")


def _on_lines(v: VectorBuilder, starts: Sequence[str], dtype: np.dtype) -> Place:
    """The places of lines that begin at these addresses."""
    return lambda row, column: address(v, starts[row], column, element_type(dtype))
