"""Whether an item can be computed along a row, neighbouring elements of it across the lanes."""

from __future__ import annotations

import math

from gradcli.engine.native import row_tables
from gradcli.engine.native.line_states import begins_at, has_neighbours
from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.lowering import Lowering


def takes_rows(reader: Lowering, item: LoopStep) -> bool:
    """Whether an item can go along its last dimension where a reduction takes in all of the row, and a sum over the
    rows all of it or none of its last dimension."""
    within = item.lanes is not None and item.out >= 0 and not item.adds
    return takes_lines(reader, item) and begins_at(item) <= 0 and not (within and has_neighbours(item))


def takes_lines(reader: Lowering, item: LoopStep) -> bool:
    """Whether an item can go along its last dimension: where a reduction takes that in, it has to take in all behind
    the first dimension that it takes in."""
    if item.is_large_product:
        return False
    own = [*item.operands, *([(item.out, item.strides)] if item.out >= 0 else [])]
    for slot, one in own:
        # Neighbours in a row are no neighbours in memory where the rows lie between them.
        if one[-1:] not in ((), (0,)) and math.prod(reader.rest(slot)) == reader.leading(slot) > 1:
            return False
    strides = [*(strides for _, strides in item.operands), item.strides]
    if not all(not one or one[-1] in (0, 1) for one in strides):
        return False
    if item.adds:
        # The table of a row is written as one piece.
        if any(reader.leading(slot) > 1 for slot in (item.out, item.start) if slot >= 0):
            return False
        return row_tables.fits(item)
    if item.running or (item.scatters and any(item.operands[1][1][-1:])):
        return False
    if item.scatters and item.strides[-1:] == (0,):
        return False
    if item.lanes is None or item.out < 0:
        return True
    if not item.reduced:
        return not item.space
    return has_neighbours(item) or item.reduced == tuple(range(item.reduced[0], len(item.space)))
