"""A group as a native function where a row is a matrix whose lines have nothing to do with each other, as the scores of
attention: each line is a row of its own, with neighbouring columns across the lanes."""

from __future__ import annotations

import math
from dataclasses import replace

from gradcli.engine.native.along_rows import suits
from gradcli.engine.native.columns_across import ColumnsAcross
from gradcli.engine.native.group import Group
from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.lowering import Lowering
from gradcli.engine.native.phases import Phase


class FoldedColumns(ColumnsAcross):
    """Columns across the lanes, for so many times as many rows."""

    def __init__(self, group: Group) -> None:
        self.lines = group.phases[0].space[0]
        super().__init__(_folded_group(group, self.lines))

    def module(self) -> str:
        """The whole module: `@k(pointers, rows, states)`."""
        self.head.insert(0, f"  %n = mul i64 %matrices, {self.lines}")
        return super().module().replace("@k(ptr %p, i64 %n,", "@k(ptr %p, i64 %matrices,")


def takes_folded(reader: Lowering, item: LoopStep) -> bool:
    """Whether an item treats each line of its matrix alike, and all items have as many lines."""
    count = _lines(reader)
    if count == 1 or item.space[:1] != (count,) or item.table is not None or item.along == 0:
        return False
    if item.out < 0 and item.lanes is not None and item.lanes.indexed:
        return False
    if item.out >= 0 and 0 in item.reduced:
        return False
    own = [*item.operands, *([(item.out, item.strides)] if item.out >= 0 else [])]
    for slot, strides in own:
        line = 0 if reader.shared(slot) else math.prod(reader.rest(slot)) / count
        if strides[0] != line or reader.leading(slot) > 1:
            return False
    return (item.out >= 0 or not item.strides[0]) and suits(reader, _folded(item))


def _lines(reader: Lowering) -> int:
    """How many lines the largest matrix has that a row is."""
    return reader.largest(_matrix, (1, 1))[1]


def _matrix(reader: Lowering, slot: int) -> tuple[int, int]:
    """The elements and the lines of a row that is a matrix."""
    node, axis = reader.one.slots[slot]
    return (math.prod(reader.rest(slot)), reader.rest(slot)[0]) if axis == 0 and node.ndim > 2 else (0, 0)


def _folded(item: LoopStep) -> LoopStep:
    return replace(
        item,
        space=item.space[1:],
        operands=tuple([(slot, strides[1:]) for slot, strides in item.operands]),
        strides=item.strides[1:],
        reduced=tuple([dim - 1 for dim in item.reduced if dim]),
        along=item.along - 1 if item.along > 0 else item.along,
    )


def _folded_group(group: Group, lines: int) -> Group:
    """The same group with each line as a row."""
    known = {item: _folded(item) for phase in group.phases for item in phase.items}
    phases = []
    for phase in group.phases:
        reduced = None if phase.reduced is None else tuple([dim - 1 for dim in phase.reduced])
        phases.append(Phase(phase.space[1:], reduced, [known[item] for item in phase.items]))
    forms = {
        slot: (dtype, width if slot in group.shared else width // lines) for slot, (dtype, width) in group.forms.items()
    }
    return replace(group, phases=phases, sums=[known[item] for item in group.sums], forms=forms)
