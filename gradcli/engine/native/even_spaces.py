"""Items over the same places of a row brought to the same dimensions: no more of them than some item needs.

A row of 32 channels of 28 x 28 that is also seen as 8 groups of 3136 becomes 8 x 4 x 784. Loops are longer then, and
what is written with either shape shares them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.lowering import Lowering
from gradcli.engine.native.strides import Shape


def evened(reader: Lowering, items: Sequence[LoopStep]) -> list[LoopStep]:
    """The same items; those over as many places as each other have the same space, where there is one for all."""
    found: dict[int, list[LoopStep]] = {}
    for item in items:
        found.setdefault(math.prod(item.space), []).append(item)
    spaces = {places: _space_for(reader, places, own) for places, own in found.items()}
    return [_seen_in(item, spaces[math.prod(item.space)]) for item in items]


def _space_for(reader: Lowering, places: int, items: Sequence[LoopStep]) -> Shape | None:
    """The fewest dimensions in which all items can be written; None where there are none."""
    borders = sorted({1, places}.union(*(_borders(reader, item) for item in items)))
    if any(large % small for small, large in zip(borders, borders[1:], strict=False)):
        return None
    space = tuple([large // small for small, large in zip(borders, borders[1:], strict=False)][::-1])
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


def _seen_in(item: LoopStep, space: Shape | None) -> LoopStep:
    """The item in another space of as many places, each dimension of which is a piece of its own ones or several."""
    if space is None or space == item.space:
        return item
    inner = [math.prod(item.space[dim + 1 :]) for dim in range(len(item.space))]
    behind = [math.prod(space[dim + 1 :]) for dim in range(len(space))]
    # Its own dimension that each is a piece of, or the last of those that it has become.
    own = [next(dim for dim, own in enumerate(inner) if own <= size) for size in behind]

    def of(strides: Shape) -> Shape:
        return tuple([strides[dim] * (size // inner[dim]) for dim, size in zip(own, behind, strict=True)])

    operands = tuple([(slot, of(strides)) for slot, strides in item.operands])
    reduced = tuple([dim for dim, old in enumerate(own) if old in item.reduced])
    return replace(item, space=space, operands=operands, strides=of(item.strides), reduced=reduced)
