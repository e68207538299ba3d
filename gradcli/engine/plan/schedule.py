"""When each node is computed: in which pass over the data, or whole between two passes.

The level of a node is the number of passes that must be over before it can be computed. A reduction over the blocked
dimension takes part in a pass and is there for the next level; whatever follows the dimension can be computed in
any pass from its level on, again if need be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gradcli.engine.plan.leaf_views import views_of_leaves
from gradcli.engine.plan.node_kinds import BLOCK, LEAF, REDUCE, WHOLE
from gradcli.engine.plan.program import Sizes
from gradcli.graph.native_forms import Dims
from gradcli.graph.node import CONSTANT, INPUT, RESULT, Node

# An operand so many times as large as a result is rather taken in block by block than kept.
_MUCH = 4


class Schedule:
    """Kind, axis, level and storage of every node of a graph."""

    def __init__(
        self,
        order: Sequence[Node],
        axes: dict[Node, tuple[int, int]],
        roots: Sequence[Node],
        streamed: Iterable[Node],
        sizes: Sizes,
        files: frozenset[Node] = frozenset(),
    ) -> None:
        """`streamed` are the roots that go to a file block by block and are not there afterwards, `files` the leaves
        that are read so. Neither decides what is computed in which pass, or in which order: that would change last
        bits."""
        self.order = order
        self._places = {node: place for place, node in enumerate(order)}
        self.axes = axes
        self.roots = roots
        self.sizes = sizes
        #: What is there from the start beside leaves, and takes no memory.
        self.views = views_of_leaves(order)
        #: What is read block by block, leaves and views.
        self.files = set(files)
        for view in self.views:
            if view.inputs[0] in self.files:
                self.files.add(view)
        self.kind: dict[Node, int] = {}
        #: For blocked nodes and reductions: along which dimension each operand is cut.
        self.dims: dict[Node, Dims] = {}
        #: For reductions: the class that they are computed along.
        self.along: dict[Node, int] = {}
        self.level: dict[Node, int] = {}
        #: Results that are wanted in memory, all at once.
        self.held = set(roots).difference(streamed)
        #: Results that count as kept, wherever they go.
        self._as_kept = {root for root in roots if root.nbytes <= sizes.kept}
        #: Nodes whose arrays later passes read: of results only those that are worth it, wherever they go.
        self.kept: set[Node] = set()
        self.kind.update(dict.fromkeys(self.views, LEAF))
        for node in order:
            self._place(node)
        #: What is there from the start, leaves and views.
        self.at_hand = {node for node in order if self.kind[node] == LEAF}
        self.streamed = {node for node in streamed if self.kind[node] == BLOCK and node not in self.kept}
        #: Nodes whose arrays are written.
        self.stored = {*self.kept, *(root for root in roots if self.kind[root] != LEAF)}

    def _place(self, node: Node) -> None:
        if node.op is INPUT or node.op is CONSTANT or node in self.kind:
            self.kind[node], self.level[node] = LEAF, 0
            return
        self.kind[node] = self._kind(node)
        if self.kind[node] == WHOLE:
            levels = [self._ready(child, None, None) for child in node.inputs]
        else:
            axis, pairs = self.axis(node), zip(node.inputs, self.dims[node], strict=True)
            levels = [self._ready(child, axis, wanted) for child, wanted in pairs]
        self.level[node] = max(levels, default=0)

    def keep(self, nodes: set[Node]) -> None:
        """Have blocked values kept in memory."""
        self.kept |= nodes
        self.stored |= nodes
        self.streamed -= nodes

    def only_in_blocks(self, node: Node) -> bool:
        """Whether there is never an array of a node."""
        return self.kind.get(node, BLOCK) == BLOCK and node not in self.stored

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
        if follows is not None and self._is_repetition(node):
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
                if d is not None and child in self.axes and self.axes[child][1] == d and child.size > self.sizes.small
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
            if self.kind[child] == BLOCK and self.axes[child] != (axis, d) and child not in self._as_kept
        )

    def _is_repetition(self, node: Node) -> bool:
        """Whether the node is a result of few numbers repeated: a view of these, as PyTorch's `expand` gives it."""
        return node in self.roots and node.op.repeats and node.inputs[0].size <= self.sizes.small

    def _ready(self, child: Node, axis: int | None, wanted: int | None) -> int:
        """From which level on `child` can be used by a node computed along `axis`, and cut along `wanted`."""
        kind = self.kind[child]
        if kind == LEAF:
            return 0
        level = self.level[child]
        if kind == WHOLE or (kind == BLOCK and axis is not None and self.axes[child] == (axis, wanted)):
            return level
        if kind == BLOCK:
            self.kept.add(child)
        return level + 1
