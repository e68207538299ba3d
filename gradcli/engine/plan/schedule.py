"""When each node is computed: in which pass over the data, or whole between two passes.

The level of a node is the number of passes that must be over before it can be computed. A reduction over the blocked
dimension takes part in a pass and is there for the next level; whatever follows the dimension can be computed in
any pass from its level on, again if need be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gradcli.engine.plan.program import walked
from gradcli.graph.native_forms import Dims
from gradcli.graph.node import CONSTANT, INPUT, RESULT, Node
from gradcli.ops.shape import permute

LEAF, BLOCK, REDUCE, WHOLE = range(4)

# Writing an intermediate result out and reading it again costs as much.
_STORING = 5
# The same where it can live in the memory of a result that is written later anyway.
_BORROWING = 2
# An operand so many times as large as a result is rather taken in block by block than kept.
_MUCH = 4
# What has more bytes than this, and than all that is given and asked for together, is not kept but computed again.
_LARGE = 1 << 28
# So many users of what is computed again are looked at in a pass.
_MOST_USERS = 16


class Schedule:
    """Kind, axis, level and storage of every node of a graph."""

    def __init__(
        self,
        order: Sequence[Node],
        axes: dict[Node, tuple[int, int]],
        roots: Sequence[Node],
        streamed: Iterable[Node],
        small: int,
        files: frozenset[Node] = frozenset(),
    ) -> None:
        """`streamed` are the roots that go to a file block by block and are not there afterwards, `files` the leaves
        that are read so."""
        self.order = order
        self._places = {node: place for place, node in enumerate(order)}
        self.axes = axes
        self.roots = roots
        self.small = small
        self.files = files
        self.kind: dict[Node, int] = {}
        #: For blocked nodes and reductions: along which dimension each operand is cut.
        self.dims: dict[Node, Dims] = {}
        #: For reductions: the class that they are computed along.
        self.along: dict[Node, int] = {}
        self.level: dict[Node, int] = {}
        #: Results that are wanted in memory, all at once.
        self.held = set(roots).difference(streamed)
        #: Nodes whose arrays are kept.
        self.stored: set[Node] = set()
        for node in order:
            self._place(node)
        self.streamed = {node for node in streamed if self.kind[node] == BLOCK and node not in self.stored}
        self.stored.update(root for root in roots if self.kind[root] != LEAF)

    def _place(self, node: Node) -> None:
        if node.op is INPUT or node.op is CONSTANT:
            self.kind[node], self.level[node] = LEAF, 0
            return
        self.kind[node] = self._kind(node)
        if self.kind[node] == WHOLE:
            levels = [self._ready(child, None, None) for child in node.inputs]
        else:
            axis, pairs = self.axis(node), zip(node.inputs, self.dims[node], strict=True)
            levels = [self._ready(child, axis, wanted) for child, wanted in pairs]
        self.level[node] = max(levels, default=0)

    def in_order(self, nodes: Iterable[Node]) -> list[Node]:
        """Some of the nodes, inputs before users."""
        return sorted(nodes, key=self._places.__getitem__)

    def axis(self, node: Node) -> int:
        """The class that a blocked node or a reduction is computed along."""
        return self.axes[node][0] if self.kind[node] == BLOCK else self.along[node]

    def _kind(self, node: Node) -> int:
        blocking = node.op.blocking
        if node.op is RESULT:
            # Where its operation is: there are no blocks of a whole tuple, and none is kept.
            several = node.inputs[0]
            if self.kind[several] != BLOCK:
                return WHOLE
            self.axes[node], self.dims[node] = self.axes[several], (self.axes[several][1],)
            return BLOCK
        follows = blocking.follow(node, self.axes[node][1]) if node in self.axes else None
        if follows is not None and (self._is_view_of_kept(node) or self._is_repetition(node)):
            follows = None
        along, summed = self._summed(node)
        if follows is not None and (summed is None or not self._rather_summed(node, follows, along, summed)):
            self.dims[node] = follows
            return BLOCK
        if summed is None:
            return WHOLE
        # The other operands are there before and are cut in the same way.
        self.dims[node], self.along[node] = summed, along
        return REDUCE

    def _summed(self, node: Node) -> tuple[int, Dims | None]:
        """The class of a dimension that the node takes in and large operands are blocked along, and how all are cut."""
        blocking = node.op.blocking
        for dims in blocking.reduced(node) if blocking.reduced is not None else ():
            along = [
                child
                for child, d in zip(node.inputs, dims, strict=True)
                if d is not None and child in self.axes and self.axes[child][1] == d and child.size > self.small
            ]
            if along:
                return self.axes[max(along, key=lambda child: child.size)][0], dims
        return -1, None

    def _rather_summed(self, node: Node, follows: Dims, along: int, summed: Dims) -> bool:
        """Whether following a dimension would mean to keep what is much larger and can be taken in block by block."""
        kept = self._to_keep(node, self.axes[node][0], follows)
        return kept > _MUCH * node.size and not self._to_keep(node, along, summed)

    def _to_keep(self, node: Node, axis: int, dims: Dims) -> int:
        """How many elements of the operands are computed in blocks, but not in such as these."""
        return sum(
            child.size
            for child, d in zip(node.inputs, dims, strict=True)
            if self.kind[child] == BLOCK and self.axes[child] != (axis, d) and child not in self.held
        )

    def _is_view_of_kept(self, node: Node) -> bool:
        """Whether the node is another look at an array that is held anyway: it costs nothing to make at once."""
        op = node.op
        if not op.blocking.view or self.kind[node.inputs[0]] != LEAF or node.inputs[0] in self.files:
            return False
        # Blocks are better for what is repeated, and for what is read in another order, as `permute` alone does.
        return not op.repeats and op is not permute

    def _is_repetition(self, node: Node) -> bool:
        """Whether the node is a result of few numbers repeated: a view of these, as PyTorch's `expand` gives it."""
        return node in self.held and node.op.repeats and node.inputs[0].size <= self.small

    def _ready(self, child: Node, axis: int | None, wanted: int | None) -> int:
        """From which level on `child` can be used by a node computed along `axis`, and cut along `wanted`."""
        kind = self.kind[child]
        if kind == LEAF:
            return 0
        level = self.level[child]
        if kind == WHOLE or (kind == BLOCK and axis is not None and self.axes[child] == (axis, wanted)):
            return level
        if kind == BLOCK:
            self.stored.add(child)
        return level + 1


class PassNodes(NamedTuple):
    """What one pass computes: its level and class, reductions, arrays to fill, and all nodes needed for them."""

    level: int
    axis: int
    reductions: list[Node]
    filled: list[Node]
    blocks: list[Node]


def passes(schedule: Schedule, frugal: bool) -> list[PassNodes]:
    """The passes in order; decides, unless memory is scarce, which nodes met in several of them are kept."""
    found = _Passes(schedule)
    while not frugal and (costly := _worth_keeping(schedule, found)) is not None:
        found.keep(costly)
    return [one for _, one in sorted(found.by_key.items())]


class _Passes:
    """The passes of a schedule by level and class, and in which of them each node is computed."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        #: What it costs to compute a node once.
        self.costs = {node: node.cost * walked(node) for node in schedule.order if schedule.kind[node] == BLOCK}
        #: Nodes of more bytes are not kept.
        given = {*schedule.roots, *(node for node in schedule.order if schedule.kind[node] == LEAF)}
        self.largest = max(_LARGE, sum(node.nbytes for node in given))
        self.targets: dict[tuple[int, int], tuple[list[Node], list[Node]]] = {}
        self.by_key: dict[tuple[int, int], PassNodes] = {}
        self.met: dict[Node, set[tuple[int, int]]] = {}
        for node in schedule.order:
            kind = schedule.kind[node]
            if kind == REDUCE or (kind == BLOCK and node in schedule.stored):
                self._targets(node)[kind == BLOCK].append(node)
        for key in self.targets:
            self._make(key)

    def keep(self, node: Node) -> None:
        """Store a node that is met in several passes; makes those anew, and the one that computes it first."""
        self.schedule.stored.add(node)
        filled = self._targets(node)[1]
        filled[:] = self.schedule.in_order([*filled, node])
        for key in {*self.met[node], self._key(node)}:
            self._make(key)

    def _key(self, node: Node) -> tuple[int, int]:
        return self.schedule.level[node], self.schedule.axis(node)

    def _targets(self, node: Node) -> tuple[list[Node], list[Node]]:
        """The reductions and the arrays of the pass that a node is a target of."""
        return self.targets.setdefault(self._key(node), ([], []))

    def _make(self, key: tuple[int, int]) -> None:
        before = self.by_key.get(key)
        for node in before.blocks if before is not None else ():
            self.met[node].remove(key)
        reductions, filled = self.targets[key]
        needed = _closure(self.schedule, *key, [*reductions, *filled])
        blocks = self.schedule.in_order(node for node in needed if self.schedule.kind[node] == BLOCK)
        for node in blocks:
            self.met.setdefault(node, set()).add(key)
        self.by_key[key] = PassNodes(*key, reductions, filled, blocks)


def _closure(schedule: Schedule, level: int, axis: int, targets: list[Node], kept: Node | None = None) -> set[Node]:
    """The nodes that are computed in a pass: its targets and what they need that is not kept from before."""
    needed = set(targets)
    stack = list(targets)
    while stack:
        node = stack.pop()
        for child, wanted in zip(node.inputs, schedule.dims[node], strict=True):
            if child in needed or schedule.kind[child] != BLOCK or schedule.axes[child] != (axis, wanted):
                continue
            stored = child is kept or (child in schedule.stored and child not in schedule.streamed)
            if stored and schedule.level[child] < level:
                continue
            needed.add(child)
            stack.append(child)
    return needed


def _worth_keeping(schedule: Schedule, found: _Passes) -> Node | None:
    """The most expensive of the nodes that would be computed in several passes at a higher cost than that of keeping
    them; only one at a time, since keeping it may make others cheap."""
    again = {node for node, keys in found.met.items() if len(keys) > 1 and node not in schedule.stored}
    cost: dict[Node, float] = {}
    for node in schedule.in_order(again):
        cost[node] = sum(cost.get(child, 0.0) for child in dict.fromkeys(node.inputs)) + found.costs[node]
    # In their order, so that of equal ones it is always the same.
    saved = {node: cost[node] * (len(found.met[node]) - 1) for node in cost}
    for key in sorted(set().union(*[found.met[node] for node in again])):
        saved.update(_saved_by_users(schedule, found.by_key[key], again, cost))
    # Keeping one costs less where it may live in the memory of a result of its form.
    forms = {(node.shape, node.dtype) for node in schedule.roots if schedule.kind[node] == BLOCK}
    worth = {
        node: gain
        for node, much in saved.items()
        # Of several results each is kept by itself.
        if not node.op.results
        and node.nbytes <= found.largest
        and (gain := much - node.size * (_BORROWING if (node.shape, node.dtype) in forms else _STORING)) > 0
    }
    return max(worth, key=lambda node: worth[node], default=None)


def _saved_by_users(schedule: Schedule, one: PassNodes, again: set[Node], cost: dict[Node, float]) -> dict[Node, float]:
    """What is saved where it is not kept itself what earlier passes compute as well, but what is made of it here and
    could be made there."""
    users = [
        node
        for node in one.blocks
        if schedule.level[node] < one.level and node not in again and not again.isdisjoint(node.inputs)
    ]
    saved = {}
    for node in users[:_MOST_USERS]:
        rest = _closure(schedule, one.level, one.axis, [*one.reductions, *one.filled], node)
        saved[node] = sum(cost[child] for child in again.intersection(node.inputs) - rest)
    return saved
