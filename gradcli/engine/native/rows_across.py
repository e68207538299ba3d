"""A group as a native function, rows across the lanes: for rows of a few elements."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.group import Group
from gradcli.engine.native.lookups import add_each, gathered, place_within
from gradcli.engine.native.loop_steps import LookupTable, LoopStep
from gradcli.engine.native.loops import address, counted, lead_address, loop, loops
from gradcli.engine.native.states import States, count_of, merge_in_memory, take_rows_in, taken_in, with_one_more
from gradcli.engine.native.strides import Shape, kept
from gradcli.engine.native.transpose import pack, stored, unpack
from gradcli.engine.native.vectors import BOOL, FLOAT64, INT64, Vector, element_type

#: A value of one place: (slot, offset in the row).
Place = tuple[int, int]
#: Bytes of vectors that are taken side by side.
_ABREAST = 256
#: Bytes of states that registers have room for.
_REGISTERS = 1024
#: States that are merged within a moment.
_FEW_STATES = 64


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
        return max(self.lanes, _ABREAST // widest) if self.group.deep and not odd else self.lanes

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
        return Padded(group, self.states, v.declarations).module(self.head, v, self.tail)

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
                self.head += [
                    f"  {name} = alloca {kind}, align 64",
                    f"  {name}.p = getelementptr i8, ptr %s, i64 {at}",
                    f"  {name}.v = load {kind}, ptr {name}.p, align 8",
                    f"  store {kind} {name}.v, ptr {name}, align 64",
                ]
                self.tail += [
                    f"  {name}.e = load {kind}, ptr {name}, align 64",
                    f"  store {kind} {name}.e, ptr {name}.p, align 8",
                ]

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


class Padded:
    """The function that is called: whole vectors of rows where they lie, the last few rows in a padded copy."""

    def __init__(self, group: Group, states: States, declarations: dict[str, str]) -> None:
        self.group = group
        self.states = states
        self.lanes = states.lanes
        self.v = VectorBuilder(states.lanes, declarations)

    def module(self, head: list[str], v: VectorBuilder, tail: list[str]) -> str:
        """The whole module: `v` has what is done with each vector of rows, between `head` and `tail`."""
        self.lanes = v.lanes
        body, outer = self._body(head, v, tail), self._function()
        return "\n\n".join([*sorted(filter(None, v.declarations.values())), body, outer])

    def _body(self, head: list[str], v: VectorBuilder, tail: list[str]) -> str:
        """The function that goes through an integer of vectors of rows."""
        lanes = self.lanes
        mask = f"<{lanes} x i32> <{', '.join(f'i32 {k}' for k in range(lanes))}>"
        return "\n".join(
            [
                "define internal void @body(ptr %p, i64 %n, i32 %valid, i64 %first, ptr noalias %s) noinline {",
                "entry:",
                *head,
                f"  %v0 = insertelement <{lanes} x i32> poison, i32 %valid, i32 0",
                f"  %v1 = shufflevector <{lanes} x i32> %v0, <{lanes} x i32> poison, <{lanes} x i32> zeroinitializer",
                f"  %mask = icmp ult {mask}, %v1",
                "  br label %loop",
                "loop:",
                f"  %i = phi i64 [0, %entry], [%next, %{v.block}]",
                "  %place = add i64 %i, %first",
                *v.lines,
                *counted(v, "%next", "%i", lanes),
                "  %more = icmp ult i64 %next, %n",
                "  br i1 %more, label %loop, label %done",
                "done:",
                *tail,
                "  ret void",
                "}",
            ]
        )

    def _function(self) -> str:
        """The function around it."""
        v, lanes = self.v, self.lanes
        self._start()
        begun, v.lines = v.lines, []
        v.start("last")
        reserved = self._padding()
        v.lines.append("  br label %finish")
        v.start("finish")
        self._finish()
        # It is run once a block: with little to merge it need not be quick, but soon made.
        plain = " noinline optnone" if sum(self.states.sizes) <= _FEW_STATES else ""
        return "\n".join(
            [
                f"define void @k(ptr %p, i64 %n, ptr noalias %s){plain} {{",
                "entry:",
                *reserved,
                f"  %rest = and i64 %n, {lanes - 1}",
                "  %whole = sub i64 %n, %rest",
                *begun,
                "  %any = icmp ne i64 %whole, 0",
                "  br i1 %any, label %main, label %left",
                "main:",
                f"  call void @body(ptr %p, i64 %whole, i32 {lanes}, i64 0, ptr %s)",
                "  br label %left",
                "left:",
                "  %some = icmp ne i64 %rest, 0",
                "  br i1 %some, label %last, label %finish",
                *v.lines,
                *self.group.end,
                "}",
            ]
        )

    def _padding(self) -> list[str]:
        """Write what copies the last rows, goes through them, and brings results back; gives what reserves memory."""
        v, lanes, arrays, count = self.v, self.lanes, self.group.arrays, len(self.group.inputs)
        reserved = [f"  %t = alloca [{max(1, 2 * len(arrays))} x ptr]"]
        for k, slot in enumerate(arrays):
            v.lines += [
                f"  %f{k} = getelementptr ptr, ptr %p, i64 {k}",
                f"  %g{k} = load ptr, ptr %f{k}, align 8",
                f"  %h{k} = getelementptr ptr, ptr %t, i64 {k}",
            ]
            if slot in self.group.shared:
                v.lines.append(f"  store ptr %g{k}, ptr %h{k}, align 8")
                continue
            size = self.group.width(slot) * self.group.dtype(slot).itemsize
            piece = size // self.group.lead(slot)
            reserved.append(self.states.reserve(f"%b{k}", lanes * size))
            v.lines += [
                f"  store ptr %b{k}, ptr %h{k}, align 8",
                f"  %o{k} = mul i64 %whole, {piece}",
                f"  %r{k} = getelementptr i8, ptr %g{k}, i64 %o{k}",
                f"  %m{k} = mul i64 %rest, {piece}",
            ]
            if self.group.lead(slot) > 1:
                v.lines += [
                    f"  %fl{k} = getelementptr i64, ptr %p, i64 {len(arrays) + k}",
                    f"  %gl{k} = load i64, ptr %fl{k}, align 8",
                    f"  %hl{k} = getelementptr i64, ptr %t, i64 {len(arrays) + k}",
                    f"  store i64 {lanes * piece}, ptr %hl{k}, align 8",
                ]
            if k < count:
                v.lines.append(f"  call void @llvm.memset.p0.i64(ptr %b{k}, i8 0, i64 {lanes * size}, i1 false)")
                self._copy(k, piece, f"%b{k}", f"%r{k}")
        v.lines += [
            "  %few = trunc i64 %rest to i32",
            f"  call void @body(ptr %t, i64 {lanes}, i32 %few, i64 %whole, ptr %s)",
        ]
        for k, slot in enumerate(arrays[count:], count):
            self._copy(k, self.group.trail(slot) * self.group.dtype(slot).itemsize, f"%r{k}", f"%b{k}")
        v.declarations["@llvm.memset"] = "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)"
        v.declarations["@llvm.memcpy"] = "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)"
        return reserved

    def _copy(self, k: int, piece: int, to: str, of: str) -> None:
        """Copy the last rows of an array, or them back; each piece of a row has so many bytes."""
        v, pieces = self.v, self.group.lead(self.group.arrays[k])
        if pieces == 1:
            v.lines.append(f"  call void @llvm.memcpy.p0.p0.i64(ptr {to}, ptr {of}, i64 %m{k}, i1 false)")
            return
        steps = {f"%b{k}": str(self.lanes * piece), f"%r{k}": f"%gl{k}"}
        with loop(v, pieces, 1) as lead:
            there, here = (lead_address(v, one, steps[one], lead) for one in (to, of))
            v.lines.append(f"  call void @llvm.memcpy.p0.p0.i64(ptr {there}, ptr {here}, i64 %m{k}, i1 false)")

    def _places(self) -> Iterator[tuple[int, LoopStep, list[str]]]:
        """Each sum with the names of its state's parts, in a loop over its places, which are treated alike."""
        v = self.v
        for number, item in enumerate(self.group.sums):
            if item.scatters:
                continue
            size = self.states.sizes[number]
            with loops(v, [size] if size > 1 else []) as indices:
                names = []
                for part in range(len(self.states.parts[number])):
                    names.append(v.fresh())
                    at = str(self.states.place(number, part, 0))
                    if indices:
                        step, start, at = v.fresh(), at, v.fresh()
                        v.lines.append(f"  {step} = mul i64 {indices[0]}, {self.states.step(number, part)}")
                        v.lines.append(f"  {at} = add i64 {step}, {start}")
                    v.lines.append(f"  {names[-1]} = getelementptr i8, ptr %s, i64 {at}")
                yield number, item, names

    def _start(self) -> None:
        for number, item in enumerate(self.group.sums):
            if item.scatters:
                self.states.clear(self.v, number)
        for _, item, names in self._places():
            assert item.lanes is not None
            for name, value in zip(names, item.lanes.start(self.v, taken_in(self.group, item)), strict=True):
                self.v.store(value, name)

    def _finish(self) -> None:
        """Merge the lanes, halves with halves: the result is in the first lane, and is written where its vector was."""
        for number, item, names in self._places():
            merge_in_memory(self.v, item, names, self.states.parts[number])
