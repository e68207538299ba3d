"""Which dimensions belong together, and along which one each node of a graph is computed in blocks.

Dimensions that an operation carries over from its operands to its result are one class: the rows of X, of X @ w and of
exp(X @ w), say. The class that most of the data has is blocked; what does not have it is tried with the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gradcli.graph.native_forms import Dims
from gradcli.graph.node import INPUT, Node

# So many classes are tried: expressions of many unrelated large tensors are rare.
_MAX_DOMAINS = 8
# A dimension is good to block from this length on: a few blocks for each of many processors.
_LONG = 512
# Tensors that are not much larger than small ones have fewer blocks anyway; but some there have to be.
_FEW = 64
# A dimension that some step has to be cut along, or runs whole, is good from this length on.
_HELD = 16

Place = tuple[Node, int]


class _Classes:
    """Union-find over the dimensions of nodes."""

    def __init__(self) -> None:
        self.parent: dict[Place, Place] = {}

    def find(self, place: Place) -> Place:
        parent = self.parent
        root = parent.setdefault(place, place)
        while parent[root] != root:
            parent[root] = parent[parent[root]]
            root = parent[root]
        parent[place] = root
        return root

    def join(self, a: Place, b: Place) -> None:
        self.parent[self.find(a)] = self.find(b)


class Dimensions(NamedTuple):
    """The classes of a graph: that of each dimension of each node, None for one of length 1, and the dimensions that
    steps are held to."""

    order: Sequence[Node]
    places: dict[Node, list[Place | None]]
    held: dict[Node, list[int]]
    small: int


def dimensions(order: Sequence[Node], small: int) -> Dimensions:
    """Which dimensions of the nodes belong together."""
    classes = _Classes()
    held: dict[Node, list[int]] = {}
    for node in order:
        _join_summed(classes, node, small)
        follow = node.op.blocking.follow
        ways = {dim: follow(node, dim) if node.inputs else None for dim, n in enumerate(node.shape) if n != 1}
        for dim, wanted in ways.items():
            for child, d in zip(node.inputs, wanted or (), strict=False):
                if d is not None:
                    classes.join((node, dim), (child, d))
        if node.size > small and node.inputs and not node.op.blocking.view and (dims := _held_to(node, ways)):
            held[node] = dims
    places = {node: [classes.find((node, d)) if n != 1 else None for d, n in enumerate(node.shape)] for node in order}
    return Dimensions(order, places, held, small)


def choose_axes(known: Dimensions, first: Place | None = None) -> dict[Node, tuple[int, int]]:
    """For each node that has one, the number of the class it is blocked along and the dimension that has this class.

    `first` is the class to begin with, in place of the one that most of the data has.
    """
    order, places, held, small = known
    chosen: dict[Node, tuple[int, int]] = {}
    left = [node for node in order if node.size > small]
    for number in range(_MAX_DOMAINS):
        best = first if first is not None and not number else _best_class(left, places, held, small)
        if best is None:
            break
        for node in order:
            if node in chosen or best not in places[node]:
                continue
            dims = [d for d, place in enumerate(places[node]) if place == best]
            if node not in held or node.op.blocking.follow(node, dims[0]) is not None:
                chosen[node] = number, _best_dim(node, dims, chosen)
        left = [node for node in left if node not in chosen]
    return chosen


def _best_dim(node: Node, dims: Sequence[int], chosen: dict[Node, tuple[int, int]]) -> int:
    """Of several dimensions that belong together, as those of `x @ x.T` do, the one that operands are cut along."""
    for dim in dims if len(dims) > 1 and node.inputs else ():
        pairs = zip(node.inputs, node.op.blocking.follow(node, dim) or (), strict=False)
        if all(d is None or child not in chosen or chosen[child][1] == d for child, d in pairs):
            return dim
    return dims[0]


def _join_summed(classes: _Classes, node: Node, small: int) -> None:
    """What a product of large operands with a small result sums up is walked along in both of them together."""
    reduced = node.op.blocking.reduced
    if reduced is None or len(node.inputs) < 2 or node.size > small or max(i.size for i in node.inputs) <= small:
        return
    for dims in reduced(node):
        pairs = zip(node.inputs, dims, strict=True)
        places = [(child, d) for child, d in pairs if d is not None and child.shape[d] != 1]
        for place in places[1:]:
            classes.join(places[0], place)


def _held_to(node: Node, ways: dict[int, Dims | None]) -> list[int]:
    """The dimensions that a step should be cut along, if these are not all and the outermost is among them; or none.

    Along the others it would run whole, as a convolution would along a picture. Of a batch of products these would
    need one operand whole in each block, and the gradient of that one is a sum over all blocks.
    """
    product = node.op.family == "contraction"
    free = [k for k, dims in ways.items() if dims is not None and not (product and None in dims)]
    return free if len(free) < len(ways) and free[:1] == list(ways)[:1] else []


def _best_class(
    nodes: Sequence[Node], places: dict[Node, list[Place | None]], held: dict[Node, list[int]], small: int
) -> Place | None:
    """The class that the most data has; of two the one that is long enough, then the outer one."""
    needed = {places[node][d] for node in nodes for d in held.get(node, ())}
    weight: dict[Place, float] = {}
    depth: dict[Place, float] = {}
    for node in nodes:
        size = node.size
        long = max(_FEW, min(_LONG, 4 * size // max(1, small)))
        times = max(1.0, node.cost / 4) if node in held else 1.0
        for d in held.get(node, range(node.ndim)):
            place, length = places[node][d], node.shape[d]
            if place is not None and places[node].index(place) == d:
                # Leaves alone do not make work, but reading them along their rows is best.
                share = times * size * min(1.0, length / (_HELD if place in needed else long))
                weight[place] = weight.get(place, 0.0) + share
                depth[place] = depth.get(place, 0.0) + size * d * (2.0 if node.op is INPUT else 1.0)
    most = max(weight.values(), default=0.0)
    if not most:
        return None
    close = [place for place, w in weight.items() if w > 0.7 * most]
    return min(close, key=lambda place: (depth[place] / weight[place], -weight[place]))
