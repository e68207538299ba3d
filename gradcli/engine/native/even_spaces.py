"""Items over the same places of a row brought to the same dimensions: no more of them than some item needs.

A row of 32 channels of 28 x 28 that is also seen as 8 groups of 3136 becomes 8 x 4 x 784. Loops are longer then, and
what is written with either shape shares them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.lowering import Lowering
from gradcli.engine.native.strides import Shape


def evened(reader: Lowering, items: Sequence[LoopStep]) -> list[LoopStep]:
    """The same items; those over as many places as each other have the same space, where there is one for all."""
    borders = {item: _borders(reader, item) for item in items}
    found: dict[int, list[LoopStep]] = {}
    for item in items:
        found.setdefault(math.prod(item.space), []).append(item)
    spaces = {
        places: _space_for(own, sorted({1, places}.union(*map(borders.__getitem__, own))))
        for places, own in found.items()
    }
    return [_seen_in(item, borders[item], spaces[math.prod(item.space)]) for item in items]


def _space_for(items: Sequence[LoopStep], borders: Sequence[int]) -> Shape | None:
    """The dimensions with so many places behind each border; None where the items cannot all be written in these."""
    if any(large % small for small, large in itertools.pairwise(borders)):
        return None
    space = tuple([large // small for small, large in itertools.pairwise(borders)][::-1])
    return space if all(not _is_rigid(item) or item.space == space for item in items) else None


def _borders(reader: Lowering, item: LoopStep) -> set[int]:
    """How many places are behind each border between dimensions that the item needs."""
    return {
        math.prod(item.space[dim:])
        for dim in range(1, len(item.space))
        if _is_rigid(item) or _breaks(reader, item, dim)
    }


def _is_rigid(item: LoopStep) -> bool:
    """Whether single dimensions mean something to the item."""
    return item.along >= 0 or item.table is not None or item.running or bool(item.lanes and item.lanes.indexed)


def _breaks(reader: Lowering, item: LoopStep, dim: int) -> bool:
    """Whether the places of a dimension and of the one before it cannot be counted as one."""
    if (dim in item.reduced) != (dim - 1 in item.reduced):
        return True
    strides = [item.strides, *(one for _, one in item.operands)]
    if any(one[dim - 1] != one[dim] * item.space[dim] for one in strides):
        return True
    # Between two places of an array there may be rows.
    slots = [slot for slot in (item.out, *(slot for slot, _ in item.operands)) if slot >= 0]
    return any(reader.leading(slot) > 1 for slot in slots)


def _seen_in(item: LoopStep, borders: set[int], space: Shape | None) -> LoopStep:
    """The item in another space of as many places; it needs so many of them behind the borders of its own one."""
    if space is None or space == item.space:
        return item
    behind = [math.prod(space[dim + 1 :]) for dim in range(len(space))]
    # Of what is one dimension for the item, the places behind it, and the last of its own dimensions, which has those.
    inner = [math.prod(item.space[dim + 1 :]) for dim in range(len(item.space))]
    own = [(size, dim) for dim, size in enumerate(inner) if size in borders or size == 1]
    within = [next((size // step, dim) for step, dim in own if step <= size) for size in behind]

    def of(strides: Shape) -> Shape:
        return tuple([strides[dim] * times for times, dim in within])

    operands = tuple([(slot, of(strides)) for slot, strides in item.operands])
    reduced = tuple([dim for dim, (_, old) in enumerate(within) if old in item.reduced])
    return replace(item, space=space, operands=operands, strides=of(item.strides), reduced=reduced)
