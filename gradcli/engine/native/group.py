"""A group: neighbouring steps of a pass that one native function computes, and what goes into it and out of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradcli.engine.native.lowering import LoopStep, Lowering
from gradcli.engine.native.phases import Phase, phases_of


@dataclass(eq=False)
class Group:
    """`inputs` and `outs` are places among the block's values, `sums` the items whose results are states.

    `width(slot)` is how many elements a row has of a value, or the whole of a shared one.
    """

    phases: list[Phase]
    inputs: list[int]
    outs: list[int]
    sums: list[LoopStep]
    forms: dict[int, tuple[np.dtype, int]]
    shared: frozenset[int]

    def dtype(self, slot: int) -> np.dtype:
        return self.forms[slot][0]

    def width(self, slot: int) -> int:
        return self.forms[slot][1]

    @property
    def arrays(self) -> list[int]:
        """The places whose addresses the function is given, in their order."""
        return [*self.inputs, *self.outs]

    @property
    def lanes(self) -> int:
        """Wholly double precision has half as many lanes: a vector has the same size."""
        wide = all(self.dtype(slot).itemsize == 8 for slot in self.forms if self.dtype(slot).kind == "f")
        return 8 if wide and any(dtype.kind == "f" for dtype, _ in self.forms.values()) else 16

    def addresses(self) -> list[str]:
        """The beginning of a function: the addresses of its arrays, as `%a0` and so on."""
        places = range(len(self.arrays))
        return [
            line
            for k in places
            for line in (f"  %q{k} = getelementptr ptr, ptr %p, i64 {k}", f"  %a{k} = load ptr, ptr %q{k}, align 8")
        ]


def group_of(reader: Lowering, items: Sequence[LoopStep], wanted: set[int]) -> Group:
    """The group of these items; `wanted` are the places that others look at."""
    made = {item.out for item in items}
    outs = [item.out for item in items if item.out in wanted]
    used = dict.fromkeys(slot for item in items for slot, _ in item.operands)
    inputs = [slot for slot in used if slot not in made]
    slots = [slot for slot in (*used, *made) if slot >= 0]
    forms = {slot: (reader.one.slots[slot][0].dtype, math.prod(reader.rest(slot))) for slot in slots}
    shared = frozenset(slot for slot in inputs if reader.shared(slot))
    return Group(phases_of(items, outs), inputs, outs, [item for item in items if item.out < 0], forms, shared)
