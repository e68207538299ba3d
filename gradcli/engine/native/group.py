"""A group: neighbouring steps of a pass that one native function computes, and what goes into it and out of it."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gradcli.engine.native.expressions import LINE
from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.lowering import Lowering
from gradcli.engine.native.phases import Phase, phases_of


@dataclass(eq=False)
class Group:
    """`inputs` and `outs` are places among the block's values, `sums` the items whose results are states.

    `width(slot)` is how many elements a row has of a value, or the whole of a shared one. Where some of its places
    stand before the blocked dimension, `lead(slot)` of them, a row is in as many pieces of `trail(slot)` elements, and
    between two of these are those of all other rows: how many bytes is known when there is an array.
    """

    phases: list[Phase]
    inputs: list[int]
    outs: list[int]
    sums: list[LoopStep]
    forms: dict[int, tuple[np.dtype, int]]
    leads: dict[int, int]
    shared: frozenset[int]
    #: Whether so many functions follow each other that they are called, for several vectors side by side.
    deep: bool = False
    #: The results that are written past the cache.
    past: frozenset[int] = frozenset()
    #: The arrays that results are written over.
    lost: frozenset[int] = frozenset()

    def dtype(self, slot: int) -> np.dtype:
        return self.forms[slot][0]

    def width(self, slot: int) -> int:
        return self.forms[slot][1]

    def lead(self, slot: int) -> int:
        return self.leads.get(slot, 1)

    def trail(self, slot: int) -> int:
        return self.width(slot) // self.lead(slot)

    @cached_property
    def tables(self) -> set[int]:
        """The shared values of which only elements at places that are data are used."""
        items = [item for phase in self.phases for item in phase.items]
        read = {slot for item in items for slot, _ in item.operands[item.looks_up :]}
        return {item.operands[0][0] for item in items if item.looks_up} & self.shared - read

    @property
    def arrays(self) -> list[int]:
        """The places whose addresses the function is given, in their order."""
        return [*self.inputs, *self.outs]

    @property
    def lanes(self) -> int:
        """Wholly double precision has half as many lanes: a vector has the same size. So have tables of sums."""
        if any(item.adds for phase in self.phases for item in phase.items):
            return 8
        wide = all(self.dtype(slot).itemsize == 8 for slot in self.forms if self.dtype(slot).kind == "f")
        return 8 if wide and any(dtype.kind == "f" for dtype, _ in self.forms.values()) else 16

    @property
    def end(self) -> list[str]:
        """How a function ends: what was written past the cache is there for other threads."""
        return [*(["  fence seq_cst"] if self.past else []), "  ret void"]

    def addresses(self) -> list[str]:
        """The beginning of a function: the addresses of its arrays, as `%a0` and so on, and behind all of these the
        bytes between leading places of an array that has several, as `%l0`."""
        lines = []
        for k, slot in enumerate(self.arrays):
            lines += [f"  %q{k} = getelementptr ptr, ptr %p, i64 {k}", f"  %a{k} = load ptr, ptr %q{k}, align 8"]
            if self.lead(slot) > 1:
                lines.append(f"  %ql{k} = getelementptr i64, ptr %p, i64 {len(self.arrays) + k}")
                lines.append(f"  %l{k} = load i64, ptr %ql{k}, align 8")
        return lines


def group_of(
    reader: Lowering, items: Sequence[LoopStep], wanted: set[int], over: dict[int, int], large: Collection[int] = ()
) -> Group:
    """The group of these items; `wanted` are the places that others look at, `over` says which ones are written over
    another one, `large` which ones into arrays that no cache holds."""
    made = {item.out for item in items}
    outs = [item.out for item in items if item.out in wanted]
    used = dict.fromkeys(slot for item in items for slot, _ in item.operands)
    inputs = [slot for slot in used if slot not in made]
    slots = [slot for slot in (*used, *made) if slot >= 0]
    forms = {slot: (reader.one.slots[slot][0].dtype, math.prod(reader.rest(slot))) for slot in slots}
    shared = frozenset(slot for slot in inputs if reader.shared(slot))
    leads = {slot: lead for slot in (*inputs, *outs) if (lead := reader.leading(slot)) > 1 and slot not in shared}
    phases, sums = phases_of(items, outs, over), [item for item in items if item.out < 0]
    group = Group(phases, inputs, outs, sums, forms, leads, shared, reader.deep)
    group.lost = frozenset(over.values())
    past = [slot for slot in outs if slot in large and slot not in leads and slot not in over]
    group.past = frozenset(slot for slot in past if group.lanes * group.dtype(slot).itemsize % LINE == 0)
    return group
