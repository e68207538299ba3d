"""The states of reductions where neighbouring elements of a row are across the lanes: a state begins in the loops over
the dimensions around it, where the result has an element of its own, and ends when all is taken in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.group import Group
from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.loops import address, address_of, in_vectors, loop, loops
from gradcli.engine.native.states import (
    States,
    begin,
    count_of,
    kept_size,
    merge_in_memory,
    merged,
    place_in_row,
    reached,
    taken_in,
    with_one_more,
)
from gradcli.engine.native.strides import Shape
from gradcli.engine.native.transpose import first_lanes
from gradcli.engine.native.vectors import INT64, Vector, element_type


def has_neighbours(item: LoopStep) -> bool:
    """Whether neighbours in a row go into neighbouring elements of the result; if not, all lanes go into one."""
    return item.strides[-1:] not in ((), (0,))


def begins_at(item: LoopStep) -> int:
    """How many dimensions are around a state, -1 where none begins: in what is no reduction, and in sums over the rows
    that go on from one row to the next as they are."""
    if item.lanes is None or item.adds or item.scatters:
        return -1
    if item.out >= 0:
        return min(item.reduced, default=0)
    around = [dim for dim, stride in enumerate(item.strides) if stride]
    return -1 if has_neighbours(item) or not around else around[-1] + 1


class LineStates:
    """Begins reductions, takes vectors in, and ends them; a function that goes along rows is one of these."""

    group: Group
    lanes: int
    states: States
    v: VectorBuilder
    head: list[str]
    tail: list[str]

    # Within a row -----------------------------------------------------------------------------------------------------

    def _begin(self, item: LoopStep, indices: list[str]) -> None:
        """Begin a state at this place of the dimensions around it."""
        v = self.v
        if item.out < 0:
            for (place, dtype), name in zip(self._in_memory(item, indices), self._variables(item), strict=True):
                v.store(v.load(place, dtype), name)
            return
        if not has_neighbours(item):
            begin(v, self.head, self.group, item)
            return
        assert item.lanes is not None
        size = kept_size(_without(item, len(indices)))
        for part, value in enumerate(item.lanes.start(v, taken_in(self.group, item))):
            name = f"%red{item.out}.{part}"
            self.head.append(self.states.reserve(name, size * value.dtype.itemsize))
            with loop(v, size, self.lanes) as k:
                v.store(value, address(v, name, k, element_type(value.dtype)))

    def _take_in(self, item: LoopStep, value: Vector, indices: list[str], valid: int) -> None:
        """Take neighbouring elements in, of which so many are there."""
        v = self.v
        assert item.lanes is not None
        dtypes = [part.dtype for part in item.lanes.start(v, taken_in(self.group, item))]
        if item.out < 0:
            names = self._sum_places(item, indices)
        else:
            names = [f"%red{item.out}.{part}" for part in range(len(dtypes))]
            if has_neighbours(item):
                within = _without(item, begins_at(item)).strides
                own = zip(names, dtypes, strict=True)
                names = [address_of(v, name, indices, within, dtype.itemsize) for name, dtype in own]
        before = [v.load(name, dtype) for name, dtype in zip(names, dtypes, strict=True)]
        after = with_one_more(v, item, before, value, self._index(item, indices) if item.lanes.indexed else None)
        if valid < self.lanes:
            mask = first_lanes(v, valid)
            after = [v.select(mask, new, old) for new, old in zip(after, before, strict=True)]
        for name, part in zip(names, after, strict=True):
            v.store(part, name)

    def _index(self, item: LoopStep, indices: list[str]) -> Vector:
        """The places along the reduced dimension: those of rows, or those in a row."""
        if item.out < 0:
            return self.v.spread("%i", INT64)
        if not item.reduced:
            return self.v.constant(0, INT64)
        return place_in_row(self.v, item, item.reduced[0], indices, across=True)

    def _ended(self, item: LoopStep, indices: list[str]) -> Iterator[tuple[Vector, list[str], Shape, int]]:
        """End a state; gives what a reduction within the row comes to, where that belongs, and how many are there."""
        v, around = self.v, len(indices)
        if item.out < 0:
            for (place, dtype), name in zip(self._in_memory(item, indices), self._variables(item), strict=True):
                v.store(v.load(name, dtype), place)
            return
        assert item.lanes is not None
        if not has_neighbours(item):
            first = item.lanes.result(v, merged(v, item, reached(v, self.group, item)), count_of(item), item.step.node)
            order = f"<{v.lanes} x i32> zeroinitializer"
            value = v.emit(f"shufflevector {first.typed}, {first.type} poison, {order}", first.dtype)
            yield value, indices, item.strides[:around], 1
            return
        dtypes = [part.dtype for part in item.lanes.start(v, taken_in(self.group, item))]
        stay = [dim for dim in range(around, len(item.space)) if dim not in item.reduced]
        strides = tuple([item.strides[dim] for dim in stay])
        *outer, last = [item.space[dim] for dim in stay]
        with loops(v, outer) as found:
            for index, valid in in_vectors(v, last):
                here = [*found, index]
                names = [
                    address_of(v, f"%red{item.out}.{part}", here, strides, dtype.itemsize)
                    for part, dtype in enumerate(dtypes)
                ]
                state = item.lanes.settle(v, [v.load(*each) for each in zip(names, dtypes, strict=True)])
                value = item.lanes.result(v, state, count_of(item), item.step.node)
                yield value, [*indices, *here], (*item.strides[:around], *strides), valid

    # Over the rows ----------------------------------------------------------------------------------------------------

    def _variables(self, item: LoopStep) -> list[str]:
        """The names of a sum's state where lanes are merged."""
        number = self.group.sums.index(item)
        return [f"%sum{number}.{part}" for part in range(len(self.states.parts[number]))]

    def _in_memory(self, item: LoopStep, indices: list[str]) -> list[tuple[str, np.dtype]]:
        """Where each part of a sum's state lies for this place of the first dimensions, with its dtype."""
        number = self.group.sums.index(item)
        return self._at(number, indices, item.strides[: len(indices)])

    def _at(self, number: int, indices: list[str], strides: Sequence[int]) -> list[tuple[str, np.dtype]]:
        """Where each part of a state in memory lies, at a place with such counters and strides, with its dtype."""
        states, name = self.states, f"%sum{number}" if self.states.beside[number] else f"%all{number}"
        return [
            (address_of(self.v, f"{name}.{part}", indices, strides, states.step(number, part)), dtype)
            for part, dtype in enumerate(states.parts[number])
        ]

    def _sum_places(self, item: LoopStep, indices: list[str]) -> list[str]:
        if self.states.beside[self.group.sums.index(item)]:
            return [place for place, _ in self._in_memory(item, indices)]
        return self._variables(item)

    def _start_sums(self) -> None:
        """Start the sums over the rows: variables, or numbers in the memory of the states."""
        for number, item in enumerate(self.group.sums):
            self._start(number, item)

    def _start(self, number: int, item: LoopStep) -> None:
        v = self.v
        if item.scatters:
            self.states.clear(v, number)
            return
        assert item.lanes is not None
        begun = item.lanes.start(v, taken_in(self.group, item))
        for part, value in enumerate(begun):
            name, at = f"%sum{number}.{part}", self.states.place(number, part, 0)
            if self.states.beside[number]:
                self.head.append(f"  {name} = getelementptr i8, ptr %s, i64 {at}")
                with loop(v, self.states.sizes[number], self.lanes) as k:
                    v.store(value, address(v, name, k, element_type(value.dtype)))
                continue
            self.head.append(f"  {name} = alloca {value.type}, align 64")
            if begins_at(item) < 0:
                v.store(value, name)
            else:
                self.head.append(f"  %all{number}.{part} = getelementptr i8, ptr %s, i64 {at}")
        if begins_at(item) >= 0:
            with loop(v, self.states.sizes[number], 1) as k:
                for value, (place, _) in zip(begun, self._at(number, [k], [1]), strict=True):
                    v.store(value, place)

    def _finish(self, block: str) -> list[str]:
        """What ends the sums, in this block."""
        v = self.v
        v.lines, v.block = [], block
        for number, item in enumerate(self.group.sums):
            if item.scatters:
                continue
            if self.states.beside[number]:
                self._settle(number, item)
            elif begins_at(item) < 0:
                parts = zip(self._variables(item), self.states.parts[number], strict=True)
                state = merged(v, item, [v.load(name, dtype) for name, dtype in parts])
                for part, value in enumerate(state):
                    at = self.states.place(number, part, 0)
                    v.lines.append(f"  %end{number}.{part} = getelementptr i8, ptr %s, i64 {at}")
                    v.store(value, f"%end{number}.{part}")
            else:
                with loop(v, self.states.sizes[number], 1) as k:
                    names = [place for place, _ in self._at(number, [k], [1])]
                    merge_in_memory(v, item, names, self.states.parts[number])
        return [*self.tail, *v.lines]

    def _settle(self, number: int, item: LoopStep) -> None:
        """Settle the states of neighbouring places, a vector of them at a time."""
        v, dtypes = self.v, self.states.parts[number]
        assert item.lanes is not None
        with loop(v, self.states.sizes[number], self.lanes) as k:
            names = [address(v, f"%sum{number}.{part}", k, element_type(dtype)) for part, dtype in enumerate(dtypes)]
            state = [v.load(name, dtype) for name, dtype in zip(names, dtypes, strict=True)]
            # A settled state may have fewer parts.
            for name, part in zip(names, item.lanes.settle(v, state), strict=False):
                v.store(part, name)


def _without(item: LoopStep, around: int) -> LoopStep:
    """A reduction as it is within so many dimensions around it."""
    return replace(item, strides=(0,) * around + item.strides[around:])
