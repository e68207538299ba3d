"""Values that are kept because they are compared with what they were reduced to, as in the gradient of `amax`."""

from __future__ import annotations

from collections.abc import Iterator

from gradcli.engine.plan.node_kinds import BLOCK, REDUCE
from gradcli.engine.plan.schedule import Schedule
from gradcli.graph.node import Node


def compared(schedule: Schedule) -> set[Node]:
    """The values that are compared with a reduction of themselves, of those that another pass may add up in another
    order: it would find none that is equal."""
    ordered = _added_up(schedule)
    found: set[Node] = set()
    if not ordered:
        return found
    for node in schedule.order:
        if schedule.kind[node] != BLOCK or node.dtype.kind != "b":
            continue
        floats = [child for child in node.inputs if child.dtype.kind == "f"]
        for side in ordered.intersection(floats):
            reduced = ordered & _reduced_to(schedule, [child for child in floats if child is not side])
            # Most values are compared with constants.
            found |= reduced and reduced.intersection(_in_blocks(schedule, side))
    return found


def _added_up(schedule: Schedule) -> set[Node]:
    """The blocked values that depend on sums within a block, in any order."""
    found: set[Node] = set()
    for node in schedule.order:
        if schedule.kind[node] == BLOCK:
            own = node.op.family != "elementwise" and not node.op.blocking.view
            if own or not found.isdisjoint(node.inputs):
                found.add(node)
    return found


def _reduced_to(schedule: Schedule, nodes: list[Node]) -> set[Node]:
    """What has been reduced, over all blocks, for these values."""
    found: set[Node] = set()
    seen, stack = set(nodes), list(nodes)
    while stack:
        node = stack.pop()
        if schedule.kind[node] == REDUCE:
            found.update(node.inputs)
        # What is there before the first pass has ended needs nothing that was reduced.
        later = [child for child in node.inputs if schedule.level[child] or schedule.kind[child] == REDUCE]
        new = [child for child in later if child not in seen]
        seen.update(new)
        stack += new
    return found


def _in_blocks(schedule: Schedule, node: Node) -> Iterator[Node]:
    """A blocked value, and those that it is computed of in the same blocks."""
    seen, stack = {node}, [node]
    while stack:
        yield (node := stack.pop())
        new = [child for child in node.inputs if schedule.kind[child] == BLOCK and child not in seen]
        seen.update(new)
        stack += new
