"""How many instructions the items of a function make, found by writing one place of each."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.lookups import place_within
from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.lowering import Lowering
from gradcli.engine.native.vectors import INT64

#: Instructions that take an element from a place that is data, or add one up there, about.
_GATHERED, _SCATTERED = 4, 6


class Written(NamedTuple):
    """The instructions of an item, None where a row's form does not take values of these dtypes, and what stands
    outside of the function for it."""

    lines: int | None
    declarations: dict[str, str]


class CodeLength:
    """How much code items make, and how much more there may be. Functions out of line are written once for all."""

    def __init__(self, reader: Lowering, room: int, unrolled: bool, known: dict[Any, Written] | None = None) -> None:
        """`known` has what items like others make, for several ways to write a function."""
        self.reader = reader
        self.room = room
        self.unrolled = unrolled
        self.known = {} if known is None else known
        self.declarations: dict[str, str] = {}

    def of(self, items: list[LoopStep]) -> int | None:
        """Instructions of these items, None where a row's form does not take values of these dtypes."""
        length = 0
        for item in items:
            written = self._written(item)
            if written.lines is None:
                return None
            length += written.lines * (math.prod(item.space) if self.unrolled else 1)
            new = [name for name in written.declarations if name not in self.declarations]
            length += sum(written.declarations[name].count("\n") for name in new)
            self.declarations |= written.declarations
        return length

    def lines(self, item: LoopStep) -> int:
        """Instructions of one place."""
        return self._written(item).lines or 0

    def _written(self, item: LoopStep) -> Written:
        node = item.step.node
        dtypes = [self.reader.one.slots[slot][0].dtype for slot, _ in item.operands]
        numbers = [child.params["value"].item() if child.weak else None for child in node.inputs]
        params = {name: value for name, value in item.step.params.items() if name != "shape"}
        along = item.space[item.along] if item.along >= 0 else 0
        looks = (along, item.lanes is not None, item.out >= 0, item.table is not None)
        key = (node.op.name, repr(params), node.dtype, *dtypes, repr(numbers), looks)
        if key not in self.known:
            declarations: dict[str, str] = {}
            self.known[key] = Written(self._lines(item, dtypes, declarations), declarations)
        return self.known[key]

    def _lines(self, item: LoopStep, dtypes: list[np.dtype], declarations: dict[str, str]) -> int | None:
        v = VectorBuilder(16, declarations, calls=self.reader.deep)
        values = [v.value(f"%x{k}", dtype) for k, dtype in enumerate(dtypes)]
        if item.along >= 0:
            values.append(v.value("%place", INT64))
        try:
            assert item.form is not None
            if item.table is not None:
                place_within(v, values.pop(), item.table, v.lanes)
                v.lines += [""] * ((_GATHERED if item.out >= 0 else _SCATTERED) * v.lanes)
                return 1 + len(v.lines)
            made = item.form(v, *values)
            if item.lanes is not None:
                state = item.lanes.start(v, made.dtype)
                if item.out >= 0:
                    made = item.lanes.result(v, item.lanes.settle(v, state), 1, item.step.node)
                index = [v.constant(0, INT64)] if item.lanes.indexed else []
                item.lanes.add(v, state, item.form(v, *values), *index)
        except (TypeError, AttributeError, NotImplementedError):
            return None
        return 1 + len(v.lines) if made.dtype == item.step.node.dtype or item.out < 0 else None
