"""The dimension that blocks are cut along: where that needs several passes, the one of a few with the least traffic.

Cut along the channels of a few pictures, what is wanted of each picture is summed up in one pass and used in the next.
Cut along the pictures, each of them goes through a single pass; but they may be too few for `axes` to prefer them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from gradcli.engine.plan.axes import Dimensions, Place, choose_axes, dimensions
from gradcli.engine.plan.block_sizes import block_length, block_rows, fills_vectors
from gradcli.engine.plan.compared import compared
from gradcli.engine.plan.node_kinds import WHOLE
from gradcli.engine.plan.pass_nodes import PassNodes, passes
from gradcli.engine.plan.program import Sizes
from gradcli.engine.plan.schedule import Schedule
from gradcli.graph.node import RESULT, Node

# Another dimension is taken if it moves at most so much of the bytes that the first choice moves.
_CLEARLY = 0.7
# A pass has to begin and end: that takes as long as so many bytes.
_PASS = 1 << 16
# There have to be so many rows: each is computed by one thread.
_ROWS = 8
# Rows have at most so many bytes: of more, no step would find in the cache what the one before it left there.
_LONGEST = 1 << 20
# So many elements have blocks of several rows at most. Those of matrices may have more, and are then few.
_LARGEST = 1 << 18
# Each block has its own partial results: so many bytes of each are written, and read again.
_PARTIAL = 16
# If lines do not fill vectors, a reduction takes as long for each element that it takes in as for so many bytes.
_SLOW = 16
# So many others are tried.
_TRIED = 2

Planned = tuple[Schedule, list[PassNodes]]


def cheapest(
    order: Sequence[Node], roots: Sequence[Node], streamed: Sequence[Node], sizes: Sizes, files: frozenset[Node]
) -> Planned:
    """When each node is computed, and the passes: by the first choice of dimensions, unless another is clearly better.

    Nothing of it depends on `streamed` and `files`: see `Schedule`.
    """
    known = dimensions(order, sizes.small)

    def planned(first: Place | None) -> Planned:
        schedule = Schedule(order, choose_axes(known, first), roots, streamed, sizes, files)
        schedule.keep(compared(schedule))
        return schedule, passes(schedule)

    best = planned(None)
    levels = len({one.level for one in best[1]})
    if levels < 2:
        return best
    others = [place for place in _outer(known, best[0]) if _levels(known, place) < levels]
    most = _CLEARLY * traffic(*best) if others else 0.0
    for place in others if most >= _least(best[0]) else ():
        other = planned(place)
        moved = traffic(*other)
        if moved <= most and not any(_is_coarse(other[0], one) for one in other[1]):
            best, most = other, moved
    return best


def _outer(known: Dimensions, schedule: Schedule) -> list[Place]:
    """The classes of dimensions outside of the chosen one in the largest arrays, those first that most of them have."""
    weight: dict[Place, int] = {}
    inner: set[Place | None] = set()
    largest = max(node.size for node in known.order)
    for node in known.order:
        number, axis = schedule.axes.get(node, (-1, 0))
        # Views have others' dimensions, and in any order.
        if number or node.size * 2 <= largest or node.op.blocking.view:
            continue
        places = known.places[node]
        inner.update(places[axis:])
        for place, length in zip(places[:axis], node.shape, strict=False):
            if place is not None and length >= _ROWS and node.nbytes // length <= _LONGEST:
                weight[place] = weight.get(place, 0) + node.size
    outer = [place for place in weight if place not in inner]
    return sorted(outer, key=weight.__getitem__, reverse=True)[:_TRIED]


def _levels(known: Dimensions, place: Place) -> int:
    """How many passes, one after the other, it takes at least to cut a class: what is summed up over it, or has it no
    more for another reason, is there for the next pass."""
    places, level, most = known.places, dict.fromkeys(known.order, 0), 0
    for node in known.order:
        cut = place in places[node]
        for child in node.inputs:
            own = level[child] + (not cut and place in places[child])
            if own > level[node]:
                level[node] = own
        if cut and level[node] > most:
            most = level[node]
    return most + 1


def _least(schedule: Schedule) -> int:
    """The bytes that one pass would move: all that is given is read once, and the results are written."""
    given = [node for node in schedule.order if node in schedule.at_hand and not node.inputs]
    return _PASS + sum(node.nbytes for node in {*given, *schedule.roots})


def traffic(schedule: Schedule, planned: Sequence[PassNodes]) -> int:
    """The bytes that passes, and operations on whole arrays that are large, read and write; what else takes long
    counts as so many bytes."""
    whole = [node for node in schedule.order if schedule.kind[node] == WHOLE and node.op is not RESULT]
    moved = [sum(node.nbytes for node in (*step.inputs, step)) for step in whole if not step.op.blocking.view]
    large = [size for size in moved if size > schedule.sizes.block_bytes]
    return sum(large) + sum(_of_pass(schedule, one) for one in planned)


def _of_pass(schedule: Schedule, one: PassNodes) -> int:
    inside = set(one.blocks)
    read: set[tuple[Node, int]] = set()
    for node in (*one.blocks, *one.reductions):
        for child, d in zip(node.inputs, schedule.dims[node], strict=True):
            if d is not None and not (child in inside and schedule.axes[child][1] == d):
                read.add((child, d))
    partial = _PARTIAL * sum(node.size for node in one.reductions)
    if partial > _PARTIAL * len(one.reductions):
        partial *= -(-block_length(schedule, one) // _rows(schedule, one))
    slow = _SLOW * sum(node.inputs[0].size for node in one.blocks if _takes_short_lines(schedule, node))
    return _PASS + sum(child.nbytes for child, _ in read) + sum(node.nbytes for node in one.filled) + partial + slow


def _rows(schedule: Schedule, one: PassNodes) -> int:
    """How many rows a block of a pass has."""
    order = [*one.blocks, *one.reductions]
    return block_rows(schedule, order, set(one.blocks), block_length(schedule, one), schedule.sizes)


def _is_coarse(schedule: Schedule, one: PassNodes) -> bool:
    """Whether several rows make a block that the cache does not hold."""
    widest = max(node.size for user in (*one.blocks, *one.reductions) for node in (user, *user.inputs))
    rows = _rows(schedule, one)
    return rows > 1 and rows * widest > _LARGEST * block_length(schedule, one)


def _takes_short_lines(schedule: Schedule, node: Node) -> bool:
    """Whether a reduction within rows keeps a dimension behind the first that it takes in, and what lies behind the
    last of these fills no vectors."""
    dims = node.params.get("dim")
    if node.op.blocking.accumulate is None or not isinstance(dims, tuple) or not dims:
        return False
    row = [1 if d == schedule.dims[node][0] else n for d, n in enumerate(node.inputs[0].shape)]
    if all(d in dims or row[d] == 1 for d in range(min(dims), len(row))):
        return False
    return not fills_vectors(math.prod(row[max(dims) + 1 :]))
