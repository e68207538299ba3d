"""Values that are kept because they are compared with what they were reduced to, as in the gradient of `amax`."""

from __future__ import annotations

from gradcli.engine.plan.node_kinds import BLOCK, REDUCE
from gradcli.engine.plan.schedule import Schedule
from gradcli.graph.node import Node, toposort


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
            if reduced:
                found |= reduced.intersection(toposort([side], stop=lambda node: schedule.kind[node] != BLOCK))
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

    def needs_none(node: Node) -> bool:
        return not schedule.level[node] and schedule.kind[node] != REDUCE

    reductions = [node for node in toposort(nodes, stop=needs_none) if schedule.kind[node] == REDUCE]
    return {child for node in reductions for child in node.inputs}
