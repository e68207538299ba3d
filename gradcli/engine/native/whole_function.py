"""Items as one native function of a whole request: loop after loop, over arrays that lie in one piece of memory.

The code knows how arrays are broadcast, but neither their lengths nor the numbers in the expression, which it reads:
requests that differ in these alone have the same code.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.group import Group
from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.loops import address, loop
from gradcli.engine.native.phases import Phase
from gradcli.engine.native.states import States, begin, count_of, merged, places_from, reached, taken_in, with_one_more
from gradcli.engine.native.strides import Shape, dense
from gradcli.engine.native.transpose import UINT8, first_store, spread_from
from gradcli.engine.native.vectors import BOOL, FLOAT64, INT32, INT64, Vector

# Loops through more places than this shall come by several at a time.
_MANY = 1 << 11


@dataclass(eq=False)
class _Loops:
    """The loops of a phase: dimensions that lie one after the other in all arrays go together.

    `dims` has the last dimension of each loop, `lengths` are numbers of the table. `across` is the loop whose places
    lie across the lanes, -1 where they come one by one.
    """

    dims: list[int]
    lengths: list[str]
    reduced: list[bool]
    across: int

    def outer(self) -> list[int]:
        """Loops over what a result keeps, but that across the lanes."""
        return [k for k in range(len(self.dims)) if not self.reduced[k] and k != self.across]

    def inner(self) -> list[int]:
        return [k for k in range(len(self.dims)) if self.reduced[k] and k != self.across]

    @property
    def in_order(self) -> bool:
        """Whether elements are come by in the order in which they lie."""
        across = [self.across] if self.across >= 0 else []
        if across and not self.reduced[self.across]:
            order = [*self.outer(), *across, *self.inner()]
        else:
            order = [*self.outer(), *self.inner(), *across]
        return order == sorted(order)


class WholeFunction:
    """Writes the function. `table` is what it reads beside its memory: after the starts of the `arrays`, by place, in
    bytes, the lengths of loops and the like. Arrays are followed by as many unused bytes as `padding` says."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.lanes = group.lanes
        self.states = States(group, self.lanes, [])
        self.v = VectorBuilder(self.lanes, block="start", calls=group.deep)
        self.arrays = [*group.arrays, *self._kept()]
        self.base = {slot: f"%a{k}" for k, slot in enumerate(self.arrays)}
        self.numbers: list[int] = []
        self.head: list[str] = []
        #: What holds for all of a phase.
        self.same: dict[int, Vector] = {}
        self.mask: Vector | None = None
        #: Results that long loops come by one by one, so that NumPy is faster; known with the module.
        self.slow: set[int] = set()

    @property
    def padding(self) -> int:
        return 8 * self.lanes

    @property
    def bytes(self) -> int:
        """What its arrays take, about."""
        return sum(self.group.width(slot) * self.group.dtype(slot).itemsize for slot in self.arrays)

    def module(self) -> str:
        """The whole module: `@k(memory, table)`, and `@many(memory, table, moves, inputs, outs, count)` for so many
        requests, one after the other, with a move for each of so many arrays to fill, and to copy results to."""
        v = self.v
        for k in range(len(self.arrays)):
            self.head += [*_read(f"%o{k}", k), f"  %a{k} = getelementptr i8, ptr %m, i64 %o{k}"]
        for phase in self.group.phases:
            with v.scope():
                self._phase(phase)
        function = ["define void @k(ptr %m, ptr %table) {", "entry:", *self.head, "  br label %start", "start:"]
        text = "\n".join([*function, *v.lines, "  ret void", "}"])
        return "\n\n".join([*sorted(filter(None, v.declarations.values())), text, _many()])

    def _number(self, value: int) -> str:
        """The name of a number of the table."""
        self.numbers.append(value)
        k = len(self.arrays) + len(self.numbers) - 1
        self.head += _read(f"%n{k}", k)
        return f"%n{k}"

    def _kept(self) -> list[int]:
        """What one phase makes for another one."""
        made = {item.out: phase for phase in self.group.phases for item in phase.items}
        found: dict[int, None] = {}
        for phase in self.group.phases:
            for item in phase.items:
                slots = [slot for slot, _ in item.operands]
                found |= dict.fromkeys(slot for slot in slots if slot in made and made[slot] is not phase)
        return [slot for slot in found if slot not in self.group.outs]

    # Loops ------------------------------------------------------------------------------------------------------------

    def _phase(self, phase: Phase) -> None:
        v, plan = self.v, self._loops(phase)
        reductions = [item for item in phase.items if item.lanes is not None]
        self.same = {}
        made = {item.out for item in phase.items}
        for item in phase.items:
            for slot, strides, shift in item.reads:
                if slot not in made and not any(strides) and not shift:
                    self.same[slot] = spread_from(v, self.base[slot], self.group.dtype(slot))
        indices = ["0"] * len(plan.dims)
        with self._around(plan, plan.outer(), indices), self._across(plan, indices, reduced=False):
            for item in reductions:
                begin(v, self.head, self.group, item)
            with self._around(plan, plan.inner(), indices), self._across(plan, indices, reduced=True):
                self._places(phase, plan, indices)
            for item in reductions:
                if not item.running:
                    self._end(item, plan, indices)

    def _loops(self, phase: Phase) -> _Loops:
        space, reduced = phase.space, phase.reduced or ()
        strides = [one for item in phase.items for one in (*[own for _, own in item.operands], item.strides)]
        apart = {item.along for item in phase.items}
        for item in phase.items:
            if item.running or (item.lanes is not None and item.lanes.indexed):
                apart.update(item.reduced)
        dims: list[int] = []
        lengths: list[int] = []
        for dim, length in enumerate(space):
            together = (
                dim > 0
                and (dim in reduced) == (dim - 1 in reduced)
                and not {dim, dim - 1} & apart
                and all(one[dim - 1] == one[dim] * length for one in strides)
            )
            if together:
                dims[-1] = dim
                lengths[-1] *= length
            else:
                dims.append(dim)
                lengths.append(length)
        taken = [dim in reduced for dim in dims]
        across = [k for k, dim in enumerate(dims) if all(_lies_across(i, dim, taken[k]) for i in phase.items)]
        if math.prod(lengths) > _MANY and (not across or lengths[across[-1]] == 1):
            alone = [i for i in phase.items if not any(map(partial(_lies_across, i), dims, taken))]
            self.slow.update(item.out for item in alone or phase.items)
        return _Loops(dims, [self._number(length) for length in lengths], taken, across[-1] if across else -1)

    @contextmanager
    def _around(self, plan: _Loops, which: Sequence[int], indices: list[str]) -> Iterator[None]:
        """Loops within each other."""
        if not which:
            yield
            return
        with loop(self.v, plan.lengths[which[0]], 1) as index:
            indices[which[0]] = index
            with self._around(plan, which[1:], indices):
                yield

    @contextmanager
    def _across(self, plan: _Loops, indices: list[str], reduced: bool) -> Iterator[None]:
        """The loop across the lanes, where it is one over what is taken in, or over what is kept."""
        k = plan.across
        if k < 0 or plan.reduced[k] != reduced:
            yield
            return
        v = self.v
        with loop(v, plan.lengths[k], self.lanes) as index:
            indices[k] = index
            left, few = v.fresh(), v.fresh()
            v.lines += [f"  {left} = sub i64 {plan.lengths[k]}, {index}", f"  {few} = trunc i64 {left} to i32"]
            order = ", ".join(f"i32 {k}" for k in range(self.lanes))
            self.mask = v.emit(f"icmp ult <{self.lanes} x i32> <{order}>, {v.spread(few, INT32).name}", BOOL)
            yield

    # Places -----------------------------------------------------------------------------------------------------------

    def _places(self, phase: Phase, plan: _Loops, indices: list[str]) -> None:
        v = self.v
        here: dict[int, Vector] = {}
        for item in phase.items:
            values = []
            for slot, strides, shift in item.reads:
                if slot in here and strides == dense(item.space):
                    values.append(here[slot])
                else:
                    values.append(self._operand(slot, strides, shift, plan, indices))
            if item.along >= 0:
                values.append(self._place(item.along, plan, indices))
            assert item.form is not None
            value = item.form(v, *values)
            if item.lanes is not None:
                self._take_in(item, value, plan, indices)
                if item.running:
                    self._end(item, plan, indices)
                continue
            here[item.out] = value
            if item.out in self.base:
                self._write(item.out, value, item.strides, plan, indices, plan.in_order)

    def _place(self, dim: int, plan: _Loops, indices: list[str]) -> Vector:
        """The place along a dimension, which has a loop of its own unless it is 1 long."""
        if dim not in plan.dims:
            return self.v.constant(0, INT64)
        k = plan.dims.index(dim)
        return places_from(self.v, indices[k]) if k == plan.across else self.v.spread(indices[k], INT64)

    def _flat_place(self, item: LoopStep, plan: _Loops, indices: list[str]) -> Vector:
        """The place along what is reduced: where that is several dimensions, as if they were one."""
        place = self._place(item.reduced[0], plan, indices) if item.reduced else self.v.constant(0, INT64)
        for dim in item.reduced[1:]:
            length = self.v.spread(self._number(item.space[dim]), INT64)
            place = place * length + self._place(dim, plan, indices)
        return place

    def _operand(self, slot: int, strides: Shape, shift: int, plan: _Loops, indices: list[str]) -> Vector:
        if slot in self.same and not any(strides) and not shift:
            return self.same[slot]
        pointer = self._pointer(slot, strides, plan, indices, shift)
        dtype = self.group.dtype(slot)
        if plan.across >= 0 and strides[plan.dims[plan.across]]:
            return self.v.load(pointer, dtype)
        return spread_from(self.v, pointer, dtype)

    def _pointer(self, slot: int, strides: Shape, plan: _Loops, indices: list[str], shift: int = 0) -> str:
        v, base, size = self.v, self.base[slot], self.group.dtype(slot).itemsize
        if shift:
            base = address(v, base, self._number(shift * size))
        for k, dim in enumerate(plan.dims):
            if strides[dim]:
                step, kind = indices[k], f"i{8 * size}"
                if k != plan.across:
                    step = v.fresh()
                    v.lines.append(f"  {step} = mul i64 {indices[k]}, {self._number(strides[dim])}")
                base = address(v, base, step, kind)
        return base

    def _write(
        self, slot: int, value: Vector, strides: Shape, plan: _Loops, indices: list[str], in_order: bool
    ) -> None:
        """Write a value; lanes beyond the end reach what comes next, which is written later where all is in order."""
        v = self.v
        pointer = self._pointer(slot, strides, plan, indices)
        if value.dtype.kind == "b":
            value = v.emit(f"zext {value.typed} to <{v.lanes} x i8>", UINT8)
        if plan.across < 0 or not strides[plan.dims[plan.across]]:
            first_store(v, value, pointer, 1)
        elif in_order:
            v.store(value, pointer)
        else:
            assert self.mask is not None
            v.store(v.select(self.mask, value, v.load(pointer, value.dtype)), pointer)

    # Reductions -------------------------------------------------------------------------------------------------------

    def _take_in(self, item: LoopStep, value: Vector, plan: _Loops, indices: list[str]) -> None:
        v = self.v
        assert item.lanes is not None
        start = item.lanes.start(v, taken_in(self.group, item))
        names = [f"%red{item.out}.{part}" for part in range(len(start))]
        before = [v.load(name, part.dtype) for name, part in zip(names, start, strict=True)]
        index = None
        if item.lanes.indexed:
            index = self._flat_place(item, plan, indices)
        after = with_one_more(v, item, before, value, index)
        if plan.across >= 0 and plan.reduced[plan.across]:
            assert self.mask is not None
            after = [v.select(self.mask, new, old) for new, old in zip(after, before, strict=True)]
        for name, part in zip(names, after, strict=True):
            v.store(part, name)

    def _end(self, item: LoopStep, plan: _Loops, indices: list[str]) -> None:
        """Write the result of a reduction; its elements are come by in the order in which they lie, unless it runs."""
        v = self.v
        assert item.lanes is not None
        state = reached(v, self.group, item)
        if plan.across >= 0 and plan.reduced[plan.across]:
            state = merged(v, item, state)
        else:
            state = item.lanes.settle(v, state)
        value = item.lanes.result(v, state, self._count(item, plan), item.step.node)
        self._write(item.out, value, item.strides, plan, indices, plan.in_order or not item.running)

    def _count(self, item: LoopStep, plan: _Loops) -> Vector:
        """How many elements a result takes in, as a vector of float64."""
        v = self.v
        number, one = self._number(count_of(item)), v.fresh()
        v.lines.append(f"  {one} = sitofp i64 {number} to double")
        return v.spread(one, FLOAT64)


def _lies_across(item: LoopStep, dim: int, reduced: bool) -> bool:
    """Whether neighbours along a dimension are neighbours in memory, or the same."""
    if any(strides[dim] not in (0, 1) for _, strides in item.operands) or (item.running and reduced):
        return False
    return item.strides[dim] == (0 if reduced and item.lanes is not None and not item.running else 1)


# A move is the address of pieces, how long one is, and where it belongs in memory.
_BEFORE = """declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)

define internal {ptr, ptr, i64} @piece(ptr %m, ptr %moves, i64 %k, i64 %number) {
  %move = getelementptr [3 x i64], ptr %moves, i64 %k
  %start = load ptr, ptr %move, align 8
  %length.p = getelementptr i64, ptr %move, i64 1
  %length = load i64, ptr %length.p, align 8
  %place.p = getelementptr i64, ptr %move, i64 2
  %place = load i64, ptr %place.p, align 8
  %by = mul i64 %length, %number
  %there = getelementptr i8, ptr %start, i64 %by
  %here = getelementptr i8, ptr %m, i64 %place
  %r0 = insertvalue {ptr, ptr, i64} poison, ptr %here, 0
  %r1 = insertvalue {ptr, ptr, i64} %r0, ptr %there, 1
  %r2 = insertvalue {ptr, ptr, i64} %r1, i64 %length, 2
  ret {ptr, ptr, i64} %r2
}

define void @many(ptr %m, ptr %table, ptr %moves, i64 %inputs, i64 %outs, i64 %count) {
entry:
  %all = add i64 %inputs, %outs
  br label %one
one:
  %number = phi i64 [0, %entry], [%following, %next]
  br label %in
"""

_COPIES = """{name}:
  %{name}.k = phi i64 [{first}, %{before}], [%{name}.next, %{name}.one]
  %{name}.more = icmp ult i64 %{name}.k, {end}
  br i1 %{name}.more, label %{name}.one, label %{after}
{name}.one:
  %{name}.piece = call {{ptr, ptr, i64}} @piece(ptr %m, ptr %moves, i64 %{name}.k, i64 %number)
  %{name}.here = extractvalue {{ptr, ptr, i64}} %{name}.piece, 0
  %{name}.there = extractvalue {{ptr, ptr, i64}} %{name}.piece, 1
  %{name}.length = extractvalue {{ptr, ptr, i64}} %{name}.piece, 2
  call void @llvm.memcpy.p0.p0.i64(ptr %{name}.{to}, ptr %{name}.{source}, i64 %{name}.length, i1 false)
  %{name}.next = add i64 %{name}.k, 1
  br label %{name}
"""

_AFTER = """next:
  %following = add i64 %number, 1
  %more = icmp ult i64 %following, %count
  br i1 %more, label %one, label %done
done:
  ret void
}"""


def _read(name: str, k: int) -> list[str]:
    """The lines that read a number of the table."""
    return [f"  {name}.p = getelementptr i64, ptr %table, i64 {k}", f"  {name} = load i64, ptr {name}.p, align 8"]


def _many() -> str:
    """The function that computes many at once: pieces in, the kernel, pieces out, for each."""
    pieces_in = _COPIES.format(
        name="in", first="0", before="one", end="%inputs", after="compute", to="here", source="there"
    )
    pieces_out = _COPIES.format(
        name="out", first="%inputs", before="compute", end="%all", after="next", to="there", source="here"
    )
    return f"{_BEFORE}{pieces_in}compute:\n  call void @k(ptr %m, ptr %table)\n  br label %out\n{pieces_out}{_AFTER}"
