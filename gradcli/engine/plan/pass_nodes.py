"""What each pass over the data computes, and which of the values that several passes meet are kept by the first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gradcli.engine.plan.node_kinds import BLOCK, REDUCE
from gradcli.engine.plan.program import walked
from gradcli.engine.plan.schedule import Schedule
from gradcli.graph.node import Node

# Writing an intermediate result out and reading it again costs as much.
_STORING = 5
# The same where it can live in the memory of a result that is written later anyway.
_BORROWING = 2
# So many users of what is computed again are looked at in a pass.
_MOST_USERS = 16

#: The level and the class of a pass.
PassKey = tuple[int, int]


class PassNodes(NamedTuple):
    """What one pass computes: its level and class, reductions, arrays to fill, and all nodes needed for them."""

    level: int
    axis: int
    reductions: list[Node]
    filled: list[Node]
    blocks: list[Node]


def passes(schedule: Schedule) -> list[PassNodes]:
    """The passes in order; decides which nodes met in several of them are kept, as far as there is room."""
    found = _Passes(schedule)
    if schedule.sizes.kept:
        kept = _Kept(schedule, found)
        while (node := kept.best()) is not None:
            kept.keep(node)
    return [one for _, one in sorted(found.by_key.items())]


class _Passes:
    """The passes of a schedule, and in which of them each node is computed."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.targets: dict[PassKey, tuple[list[Node], list[Node]]] = {}
        self.by_key: dict[PassKey, PassNodes] = {}
        self.met: dict[Node, set[PassKey]] = {}
        #: The operands of each node that are computed in the same blocks, if they are not kept from before.
        self.beside = {node: self._beside(node) for node in schedule.dims}
        for node in schedule.order:
            kind = schedule.kind[node]
            if kind == REDUCE or (kind == BLOCK and node in schedule.stored):
                self._targets(node)[kind == BLOCK].append(node)
        for key in self.targets:
            self._make(key)

    def store(self, node: Node) -> tuple[set[PassKey], set[Node]]:
        """Have a node kept; gives the passes that this changes, and the nodes of these, before and now."""
        self.schedule.keep({node})
        filled = self._targets(node)[1]
        filled[:] = self.schedule.in_order({*filled, node})
        keys = {*self.met[node], self._key(node)}
        return keys, set().union(*map(self._make, keys))

    def _key(self, node: Node) -> PassKey:
        return self.schedule.level[node], self.schedule.axis(node)

    def _targets(self, node: Node) -> tuple[list[Node], list[Node]]:
        """The reductions and the arrays of the pass that a node is a target of."""
        return self.targets.setdefault(self._key(node), ([], []))

    def _make(self, key: PassKey) -> set[Node]:
        """Make a pass, or make it anew; gives the nodes that it had and has."""
        before = set(self.by_key[key].blocks) if key in self.by_key else set()
        reductions, filled = self.targets[key]
        now = self.closure(key[0], [*reductions, *filled]).difference(reductions)
        for node in before - now:
            self.met[node].remove(key)
        for node in now - before:
            self.met.setdefault(node, set()).add(key)
        self.by_key[key] = PassNodes(*key, reductions, filled, self.schedule.in_order(now))
        return before | now

    def _beside(self, node: Node) -> list[Node]:
        schedule, own = self.schedule, zip(node.inputs, self.schedule.dims[node], strict=True)
        place = [(child, (schedule.axis(node), wanted)) for child, wanted in own if schedule.kind[child] == BLOCK]
        return [child for child, where in place if schedule.axes[child] == where]

    def closure(self, level: int, targets: list[Node], kept: Node | None = None) -> set[Node]:
        """The nodes that are computed in a pass: its targets and what they need that is not kept from before."""
        there, levels = self.schedule.kept, self.schedule.level
        needed = set(targets)
        stack = list(targets)
        while stack:
            for child in self.beside[stack.pop()]:
                known = child is kept or child in there
                if child not in needed and not (known and levels[child] < level):
                    needed.add(child)
                    stack.append(child)
        return needed


class _Kept:
    """What is gained by keeping each of the nodes that several passes would compute at a higher cost than that of
    keeping them, or what the later ones make of these. It is weighed anew where a pass changes."""

    def __init__(self, schedule: Schedule, found: _Passes) -> None:
        self.schedule = schedule
        self.found = found
        #: So many bytes may still be kept. It does not depend on where anything lies, or bits would.
        self.room = schedule.sizes.kept
        #: Keeping one costs less where it may live in the memory of a result of its form.
        self.forms = {(node.shape, node.dtype) for node in schedule.roots if schedule.kind[node] == BLOCK}
        #: What it costs to compute once each node that is computed again, and what that needs.
        self.costs: dict[Node, float] = {}
        self.gains: dict[Node, float] = {}
        #: The same of the users of such nodes in a pass.
        self.by_users: dict[PassKey, dict[Node, float]] = {}
        self._weigh(found.by_key, found.met)

    def best(self) -> Node | None:
        """The most expensive of the nodes; only one at a time, since keeping it may make others cheap."""
        gains = dict(self.gains)
        for _, saved in sorted(self.by_users.items()):
            gains.update(saved)
        # Of equal ones it is always the same.
        fitting = [node for node in gains if node.nbytes <= self.room]
        return max(self.schedule.in_order(fitting), key=gains.__getitem__, default=None)

    def keep(self, node: Node) -> None:
        self.room -= node.nbytes
        self._weigh(*self.found.store(node))

    def _weigh(self, made: Iterable[PassKey], changed: Iterable[Node]) -> None:
        # Of a pass in which nothing is computed any more no node tells.
        met, keys = self.found.met, set(made)
        for node in self.schedule.in_order(changed):
            self.costs.pop(node, None)
            keys.update(met[node])
            if len(met[node]) > 1 and node not in self.schedule.kept:
                below = sum(self.costs.get(child, 0.0) for child in dict.fromkeys(node.inputs))
                self.costs[node] = below + node.cost * walked(node)
            self._note(self.gains, node, self.costs.get(node, 0.0) * (len(met[node]) - 1))
        for key in keys:
            self.by_users[key] = self._saved_by_users(self.found.by_key[key])

    def _note(self, gains: dict[Node, float], node: Node, saved: float) -> None:
        """Note what is gained by keeping a node, if anything is."""
        written = node in self.schedule.stored
        storing = 0 if written else _BORROWING if (node.shape, node.dtype) in self.forms else _STORING
        gain = saved - node.size * storing
        gains.pop(node, None)
        # Of several results each is kept by itself.
        if gain > 0 and not node.op.results:
            gains[node] = gain

    def _saved_by_users(self, one: PassNodes) -> dict[Node, float]:
        """What is gained where it is not kept itself what earlier passes compute as well, but what is made of it here
        and could be made there."""
        schedule, again = self.schedule, self.costs.keys()
        users = [
            node
            for node in one.blocks
            if schedule.level[node] < one.level and node not in again and not again.isdisjoint(node.inputs)
        ]
        gains: dict[Node, float] = {}
        for node in users[:_MOST_USERS]:
            rest = self.found.closure(one.level, [*one.reductions, *one.filled], node)
            spared = [child for child in dict.fromkeys(node.inputs) if child in again and child not in rest]
            self._note(gains, node, sum(self.costs[child] for child in spared))
        return gains
