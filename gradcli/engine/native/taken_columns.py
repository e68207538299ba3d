"""Elements taken from places along the first dimension, where a pass goes along the second one: from the same column,
whose neighbours are neighbours in memory."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gradcli.engine.native import lane_forms
from gradcli.engine.native.added_columns import ColumnWalk, Walk, are_columns
from gradcli.engine.native.group import Group
from gradcli.engine.native.lookups import gathered, lane_offsets, place_within
from gradcli.engine.native.loop_steps import Check, LookupTable, LoopStep
from gradcli.engine.native.loops import in_masked_vectors, lead_address
from gradcli.engine.native.lowering import Lowering
from gradcli.engine.native.strides import dense
from gradcli.engine.native.transpose import store_under, stored
from gradcli.engine.native.vectors import INT64
from gradcli.engine.plan.passes import Step
from gradcli.graph.native_forms import NativeLookup


class TakenColumns(ColumnWalk):
    """Rows of a result are made one after the other, of columns that stay in the cache."""

    def __init__(self, group: Group) -> None:
        ((item,),) = [phase.items for phase in group.phases]
        super().__init__(group, _bytes(item, group.dtype(item.operands[0][0]).itemsize))

    def walks(self) -> Sequence[tuple[int, Walk]]:
        return [(self.item.space[0], self._take)]

    def _take(self, row: str, first: str, many: str) -> None:
        v, ((source, _), (places, _)), out = self.v, self.item.operands, self.item.out
        dtype = self.group.dtype(source)
        size, base = str(stored(dtype).itemsize), self.row(source, "0", first)
        theirs, own = self.row(places, row, first, ahead=True), self.row(out, row, first)
        for at, mask in in_masked_vectors(v, many):
            place = place_within(v, self.load(theirs, at, places, mask), self.table, v.lanes)
            # Lanes of no column look at the first of these.
            offset = lane_offsets(v, int(size))
            offset = offset if mask is None else v.select(mask, offset, 0)
            if self.group.lead(source) > 1:
                offset = offset + place * v.spread(f"%l{self.group.arrays.index(source)}", INT64)
            value = gathered(v, lead_address(v, base, size, at), offset, dtype, v.lanes)
            store_under(v, mask, value, lead_address(v, own, size, at))


def columns_taken(reader: Lowering, step: Step, form: NativeLookup) -> tuple[LoopStep, list[Check]] | None:
    """The item of a step that takes elements so, and what has to be looked at for it; None where it does not."""
    node, found, inputs = step.node, form.rule(step.node), step.node.inputs
    if found is None or found[0][0] != -1 or inputs[1].shape != node.shape or inputs[0].shape[1:] != node.shape[1:]:
        return None
    if not node.size or not inputs[0].size:
        return None
    table, places = (reader.source.get(slot, slot) for slot in step.inputs)
    space, rest = (node.shape[0], *node.shape[2:]), dense(node.shape[2:])
    item = LoopStep(
        step,
        space,
        ((table, (0, *rest)), (places, dense(space))),
        step.out,
        dense(space),
        lane_forms.first,
        table=LookupTable(math.prod(node.shape[2:]), inputs[0].shape[0]),
    )
    if not takes_taken(reader, item):
        return None
    check = form.check(node)
    return item, [] if check is None else [Check(places, check[1], node, True)]


def takes_taken(reader: Lowering, item: LoopStep) -> bool:
    """Whether all arrays are cut along their second dimension, and the fewest columns fit the cache."""
    return are_columns(reader, item, _bytes(item, reader.one.slots[item.operands[0][0]][0].dtype.itemsize))


def _bytes(item: LoopStep, size: int) -> int:
    """Those of a column that is taken from."""
    assert item.table is not None
    return item.table.length * size
