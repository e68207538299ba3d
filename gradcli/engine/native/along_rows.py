"""Whether an item can be computed along a row, neighbouring elements of it across the lanes."""

from __future__ import annotations

import math

from gradcli.engine.native import row_tables
from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.lowering import Lowering


def suits(reader: Lowering, item: LoopStep) -> bool:
    """Whether an item can go along its last dimension: a reduction has to take in all of the row."""
    own = [*item.operands, *([(item.out, item.strides)] if item.out >= 0 else [])]
    for slot, one in own:
        # Neighbours in a row are no neighbours in memory where the rows lie between them.
        if one[-1:] not in ((), (0,)) and math.prod(reader.rest(slot)) == reader.leading(slot) > 1:
            return False
    strides = [*(strides for _, strides in item.operands), item.strides]
    if item.adds:
        # The table of a row is written as one piece.
        if any(reader.leading(slot) > 1 for slot in (item.out, item.start) if slot >= 0):
            return False
        return all(not one or one[-1] in (0, 1) for one in strides) and row_tables.fits(item)
    if item.running or (item.scatters and any(item.operands[1][1][-1:])):
        return False
    if item.scatters and item.strides[-1:] == (0,):
        return False
    if item.lanes is not None and item.out >= 0 and len(item.reduced) != len(item.space):
        return False
    if item.out < 0 and any(item.strides) and item.strides[-1:] == (0,):
        return False
    return all(not one or one[-1] in (0, 1) for one in strides)
