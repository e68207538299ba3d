"""A group as a native function, rows end to end and neighbouring elements of them across the lanes: where no place of a
row needs another one, as when columns are scaled, or added up."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.group import Group
from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.loops import address, address_of, lead_address, loop, loops
from gradcli.engine.native.lowering import Lowering
from gradcli.engine.native.padded import Padded
from gradcli.engine.native.states import States, as_variable, merge_in_memory, take_in_each, taken_in
from gradcli.engine.native.strides import Shape, dense
from gradcli.engine.native.transpose import pack, spread_from, stored, unpack
from gradcli.engine.native.vectors import INT32, Vector, element_type

#: So many long rows are taken side by side, if one of their vectors takes no more instructions than so many: what is
#: shared, and the state of a place, are looked at for all of them at once.
_ABREAST, _FEW = 4, 48
#: Rows of more elements are as quickly gone through one by one.
_MOST_PLACES = 64

#: What all rows share, as a row goes along it: its place, the space, its strides there, and its first element.
Along = tuple[int, Shape, Shape, int]


class RowsJoined:
    """As many rows as fill whole vectors are one long row. What they share is repeated for it beforehand, and sums over
    the rows have a state for each of its places; those of all there is have one for each lane."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.lanes = group.lanes
        self.width = max(group.width(slot) for slot in group.forms if slot not in group.shared)
        self.rows = _rows_joined(self.width, self.lanes)
        self.length = self.rows * self.width
        self.states = States(group, self.lanes, [True] * len(group.sums))
        self.v = VectorBuilder(self.lanes, block="loop", calls=group.deep)
        #: What all places share, and the memory of what is repeated.
        self.same: dict[Along, Vector] = {}
        self.repeated: dict[Along, str] = {}
        #: Where the parts of each sum's states lie.
        self.sums: dict[LoopStep, list[tuple[str, np.dtype]]] = {}
        self.reserved: list[str] = []
        #: How many long rows are taken side by side.
        self.abreast = 1

    def module(self) -> str:
        """The whole module: `@k(pointers, rows, states)` leaves the states of all lanes merged."""
        v = self.v
        self._shared()
        tail = self._accumulators()
        head, v.lines = [*self.group.addresses(), *self.reserved, *v.lines], []
        start, first = v.fresh(), v.fresh()
        v.lines.append(f"  {start} = mul i64 %i, {self.width}")
        with loop(v, self.length, self.lanes) as at:
            v.lines.append(f"  {first} = add i64 {start}, {at}")
            begun = len(v.lines)
            taken = [self._vector(0, first, at)]
            if len(v.lines) - begun <= _FEW:
                self.abreast = _ABREAST
                taken += [self._vector(turn, first, at) for turn in range(1, _ABREAST)]
            masks = self._masks(at) if self.sums else []
            for item in self.sums:
                self._take_in(item, [(values[item], mask) for values, mask in zip(taken, masks, strict=True)], at)
        return _PaddedRows(self).module(head, v, tail)

    def _vector(self, turn: int, first: str, at: str) -> dict[LoopStep, Vector]:
        """All items for a vector of one of the rows side by side; gives what sums take in."""
        v, group = self.v, self.group
        flat, found, taken = v.fresh(), {}, {}
        v.lines.append(f"  {flat} = add i64 {first}, {turn * self.length}")
        for k, slot in enumerate(group.inputs):
            if slot not in group.shared:
                (found[slot],) = pack(v, f"%a{k}", flat, group.dtype(slot), 1)
        for item in [item for phase in group.phases for item in phase.items]:
            operands = [found[along[0]] if along[0] in found else self._along(along, at) for along in _alongs(item)]
            assert item.form is not None
            value = item.form(v, *operands)
            if item.lanes is None:
                found[item.out] = value
            else:
                taken[item] = value
        for k, slot in enumerate(group.outs, len(group.inputs)):
            unpack(v, f"%a{k}", flat, [found[slot]], slot in group.past)
        return taken

    # What rows share --------------------------------------------------------------------------------------------------

    def _shared(self) -> None:
        """Find what all places share; the rest is repeated."""
        v, group = self.v, self.group
        items = [item for phase in group.phases for item in phase.items]
        reads = dict.fromkeys(along for item in items for along in _alongs(item))
        for slot, space, strides, shift in reads:
            dtype = stored(group.dtype(slot))
            if slot not in group.shared:
                continue
            if any(strides):
                name = self.repeated[slot, space, strides, shift] = f"%row{len(self.repeated)}"
                self.reserved.append(self.states.reserve(name, self.length * dtype.itemsize))
            else:
                at = address(v, f"%a{group.inputs.index(slot)}", shift * dtype.itemsize)
                self.same[slot, space, strides, shift] = spread_from(v, at, group.dtype(slot))

    def _along(self, along: Along, at: str) -> Vector:
        if along in self.same:
            return self.same[along]
        dtype = self.group.dtype(along[0])
        return self.v.load(lead_address(self.v, self.repeated[along], str(stored(dtype).itemsize), at), dtype)

    # Sums over the rows -----------------------------------------------------------------------------------------------

    def _accumulators(self) -> list[str]:
        """Memory for the states of places, variables for those of all; gives what stands behind the loop."""
        v, after = self.v, list[str]()
        v.lines.append(f"  %end = mul i32 %valid, {self.width}")
        for number, item in enumerate(self.group.sums):
            dtypes = self.states.parts[number]
            self.sums[item] = [(f"%sum{number}.{part}", dtype) for part, dtype in enumerate(dtypes)]
            for part, (name, dtype) in enumerate(self.sums[item]):
                if any(item.strides):
                    self.reserved.append(self.states.reserve(name, self.length * dtype.itemsize))
                    continue
                before, behind = as_variable(name, v.type(dtype), self.states.place(number, part, 0))
                v.lines += before
                after += behind
        return after

    def _masks(self, at: str) -> list[Vector]:
        """Which places there are of a vector of each of the rows side by side."""
        v, here, left = self.v, self.v.fresh(), self.v.fresh()
        v.lines += [f"  {here} = trunc i64 {at} to i32", f"  {left} = sub i32 %end, {here}"]
        places = v.value(f"<{', '.join(f'i32 {k}' for k in range(v.lanes))}>", INT32)
        return [v.spread(left, INT32) > places + turn * self.length for turn in range(self.abreast)]

    def _take_in(self, item: LoopStep, values: Sequence[tuple[Vector, Vector]], at: str) -> None:
        """Take these into the state of a place, each where its mask is set."""
        v, parts = self.v, self.sums[item]
        if any(item.strides):
            parts = [(lead_address(v, name, str(dtype.itemsize), at), dtype) for name, dtype in parts]
        take_in_each(v, item, parts, values)


class _PaddedRows(Padded):
    """The function around it: repeats what rows share, and joins the states of a row's places."""

    def __init__(self, joined: RowsJoined) -> None:
        super().__init__(joined.group, joined.states, joined.v.declarations, joined.rows * joined.abreast)
        self.joined = joined

    def _start(self) -> None:
        v, joined = self.v, self.joined
        v.lines += joined.reserved
        for along, name in joined.repeated.items():
            self._repeat(along, name)
        for number, (item, parts) in enumerate(joined.sums.items()):
            assert item.lanes is not None
            start = list(zip(parts, item.lanes.start(v, taken_in(self.group, item)), strict=True))
            if not any(item.strides):
                for part, (_, value) in enumerate(start):
                    v.store(value, address(v, "%s", self.states.place(number, part, 0)))
                continue
            with loop(v, joined.length, v.lanes) as at:
                for (name, dtype), value in start:
                    v.store(value, lead_address(v, name, str(dtype.itemsize), at))

    def _repeat(self, along: Along, name: str) -> None:
        """Write what all rows share as often as rows are taken together."""
        v, (slot, space, strides, shift) = self.v, along
        dtype, k = stored(self.group.dtype(slot)), self.group.inputs.index(slot)
        kind, size = element_type(dtype), dtype.itemsize
        pointer, base, one = v.fresh(), v.fresh(), v.fresh()
        v.lines += [f"  {pointer} = getelementptr ptr, ptr %p, i64 {k}", f"  {base} = load ptr, ptr {pointer}, align 8"]
        base = address(v, base, shift * size)
        with loops(v, space) as indices:
            v.lines += [
                f"  {one} = load {kind}, ptr {address_of(v, base, indices, strides, size)}, align {size}",
                f"  store {kind} {one}, ptr {address_of(v, name, indices, dense(space), size)}, align {size}",
            ]
        count = self.joined.width * size
        if self.joined.rows > 1:
            with loop(v, self.joined.rows - 1, 1) as row:
                there = lead_address(v, address(v, name, count), str(count), row)
                v.lines.append(f"  call void @llvm.memcpy.p0.p0.i64(ptr {there}, ptr {name}, i64 {count}, i1 false)")

    def _finish(self) -> None:
        """Join the states of a place in all rows, or those of all lanes."""
        v = self.v
        for number, item in enumerate(self.group.sums):
            dtypes = self.states.parts[number]
            places = [address(v, "%s", self.states.place(number, part, 0)) for part in range(len(dtypes))]
            if not any(item.strides):
                merge_in_memory(v, item, places, dtypes)
                continue
            with loop(v, self.joined.width, v.lanes) as at:
                sizes = [str(dtype.itemsize) for dtype in dtypes]
                self._join(item, at, [lead_address(v, *one, at) for one in zip(places, sizes, strict=True)])

    def _join(self, item: LoopStep, first: str, places: list[str]) -> None:
        """Merge the states of these columns, and leave the result at these addresses."""
        v, joined = self.v, self.joined
        assert item.lanes is not None
        # A settled state may have fewer parts.
        result = list(zip(places, self._settled(item, first), strict=False))
        for place, part in result:
            v.store(part, place)
        if joined.rows == 1:
            return
        with loop(v, joined.rows - 1, 1) as row:
            by, at = v.fresh(), v.fresh()
            v.lines.append(f"  {by} = mul i64 {row}, {joined.width}")
            v.lines.append(f"  {at} = add i64 {by}, {first}")
            before = [v.load(place, part.dtype) for place, part in result]
            after = item.lanes.merge(v, before, self._settled(item, at, joined.width))
            for (place, _), part in zip(result, after, strict=True):
                v.store(part, place)

    def _settled(self, item: LoopStep, at: str, beyond: int = 0) -> list[Vector]:
        """The states from a place of the long row on, or from so many places behind it."""
        v, state = self.v, []
        assert item.lanes is not None
        for name, dtype in self.joined.sums[item]:
            start = address(v, name, beyond * dtype.itemsize)
            state.append(v.load(lead_address(v, start, str(dtype.itemsize), at), dtype))
        return item.lanes.settle(v, state)


def _alongs(item: LoopStep) -> list[Along]:
    return [(slot, item.space, strides, shift) for slot, strides, shift in item.reads]


def _rows_joined(width: int, lanes: int) -> int:
    """How many rows fill whole vectors."""
    return lanes // math.gcd(width, lanes)


def takes_joined(reader: Lowering, item: LoopStep) -> bool:
    """Whether an item does the same at each place of a row, or adds up either places or all there is."""
    width = math.prod(item.space)
    if item.table is not None or item.along >= 0 or item.running or width != _width(reader):
        return False
    if item.lanes is not None:
        plain = item.out < 0 and not item.lanes.indexed
        if not plain or (any(item.strides) and item.strides != dense(item.space)):
            return False
    own = [*item.reads, *([(item.out, item.strides, 0)] if item.out >= 0 else [])]
    for slot, strides, shift in own:
        if reader.shared(slot):
            continue
        if strides != dense(item.space) or shift or math.prod(reader.rest(slot)) != width or reader.leading(slot) > 1:
            return False
    return True


def _width(reader: Lowering) -> int:
    """How many places the largest row has, 0 where they are one or too many."""
    largest = reader.largest(Lowering.places, 0)
    return largest if 1 < largest < _MOST_PLACES else 0
