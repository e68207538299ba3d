"""Long loops as one operation, which carries a turn out again and again.

A loop carries values from turn to turn; a turn also sees a row of each of some tensors, and what is the same at every
turn. It gives what is carried on, and what is kept of each turn. The derivative is a loop too, which goes the other
way: what was carried into each turn is kept for it, the rest of a turn is computed again.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from itertools import chain
from typing import Any, NamedTuple

from gradcli.autodiff.vjp import vjp
from gradcli.evaluation.turn import RowLeaf, Turn, carried_out, cost_of, leaf_of_turn, repeated
from gradcli.graph.arguments import Literal
from gradcli.graph.node import (
    CONSTANT,
    INPUT,
    Batched,
    BatchedResults,
    Node,
    Operands,
    SeveralResults,
    constant,
    make_results,
    toposort,
    weak_constant,
    with_inputs,
)
from gradcli.graph.op import MANY, Batching, Op
from gradcli.ops.batching import expanded, reordered, written_out
from gradcli.ops.index import getitem
from gradcli.ops.lifting import over_rows
from gradcli.ops.shape import expand, stack
from gradcli.ops.splitting import unbind

# Derivatives ----------------------------------------------------------------------------------------------------------


def _vjp(g: Any, out: Any, *inputs: Node, turn: Turn) -> tuple[Node | None, ...]:
    count, many = len(turn.carried), len(turn.given)
    start, rows, same, before = turn.parted(range(len(inputs)))
    back = _Back(turn.times, not turn.back)
    for leaf, node in zip(turn.same, same, strict=True):
        back.same[leaf] = inputs[node]
        if leaf.requires_grad:
            # First of all, so that what each turn adds is added to what the turns after it have come to.
            back.gathered.append(_Running(leaf, node, back.seeded(leaf), _zeros(leaf)))
    for k, leaf in enumerate(turn.carried):
        back.rows.append((RowLeaf(leaf, 0), out[many + k]))
        if leaf.requires_grad:
            arrived = _zeros(leaf) if g[k] is None else g[k]
            back.carried.append(_Running(leaf, start[k], back.seeded(turn.given[k]), arrived))
    for row, node in zip(turn.rows, rows, strict=True):
        back.rows.append((row, inputs[node]))
        if row.leaf.requires_grad:
            back.kept.append((row, node))
    for given, first, rest in zip(turn.given[count:], turn.before, g[count:many], strict=True):
        back.seed(given, first, rest)
    for leaf, rest in zip(turn.carried, g[many:], strict=True):
        back.seed(leaf, 0, rest)
    gradients: list[Node | None] = [None] * len(inputs)
    for node, gradient in back.gradients():
        gradients[node] = gradient
    for places, rest in zip(before, g[count:many], strict=True):
        for k, node in enumerate(places):
            gradients[node] = None if rest is None else getitem(rest, (k,))
    return tuple(gradients)


class _Running(NamedTuple):
    """The gradient of a leaf of a turn, which stands for an operand of the loop: `seed` is what has come of it until
    then, from `start` on."""

    leaf: Node
    operand: int
    seed: Node
    start: Node


class _Back:
    """The derivative of a turn, put together; operands of the loop are meant by their numbers."""

    def __init__(self, times: int, back: bool) -> None:
        self.times, self.back = times, back
        #: As `looped` takes them.
        self.same: dict[Node, Node] = {}
        self.rows: list[tuple[RowLeaf, Node]] = []
        # What a turn gives, and the gradients of that.
        self._outputs: list[Node] = []
        self._seeds: list[Node] = []
        #: What each turn adds to, what it carries on, and the rows whose gradients are kept.
        self.gathered: list[_Running] = []
        self.carried: list[_Running] = []
        self.kept: list[tuple[RowLeaf, int]] = []

    def seeded(self, given: Node) -> Node:
        """The gradient of something that a turn gives, as a leaf."""
        seed = leaf_of_turn(given.shape, given.dtype, True)
        self._outputs.append(given)
        self._seeds.append(seed)
        return seed

    def seed(self, given: Node, first: int, rest: Node | None) -> None:
        """Begin each turn with a row of gradients, where there are some."""
        if rest is not None and given.requires_grad:
            self.rows.append((RowLeaf(self.seeded(given), first), rest))

    def gradients(self) -> list[tuple[int, Node]]:
        """The gradient of each operand that there is one of."""
        leaves = [one.leaf for one in (*self.gathered, *self.carried)] + [row.leaf for row, _ in self.kept]
        found = vjp(self._outputs, self._seeds, leaves)
        onward = self.carried + [one for one in self.gathered if found[one.leaf] is not one.seed]
        kept = [(row, operand) for row, operand in self.kept if row.leaf in found]
        if not onward and not kept:
            return []
        given = [found[one.leaf] if one.leaf in found else _zeros(one.leaf) for one in onward]
        results = looped(
            {one.seed: one.start for one in onward},
            self.rows,
            self.same,
            [*given, *(found[row.leaf] for row, _ in kept)],
            self.times,
            [[_zeros(row.leaf)] * row.first for row, _ in kept],
            self.back,
        )
        return list(zip([*(one.operand for one in onward), *(k for _, k in kept)], results, strict=True))


def _zeros(node: Node) -> Node:
    zero: Node = expand(constant(0, node.dtype), node.shape)
    return zero


# Many loops at once ---------------------------------------------------------------------------------------------------


def _many(node: Node, operands: Operands) -> BatchedResults:
    """Loops that differ in some operands: one whose turn is that of all of them."""
    turn: Turn = node.params["turn"]
    full, seed = written_out(operands)
    lead = len(seed)
    given: dict[Node, Batched] = {}

    def of_all(one: Node) -> Node:
        leaf = leaf_of_turn((*seed, *one.shape), one.dtype, one.requires_grad)
        given[one] = Batched(leaf, (None,) * one.ndim)
        return leaf

    whole = [expanded(x if f is None else f.node, (*seed, *x.shape)) for x, f in zip(node.inputs, full, strict=True)]
    start, _, _, before = turn.parted(whole)
    _, rows, same, _ = turn.parted(list(zip(node.inputs, full, whole, strict=True)))
    carried = {of_all(leaf): x for leaf, x in zip(turn.carried, start, strict=True)}
    seen, shared = [], {}
    for row, (x, f, every) in zip(turn.rows, rows, strict=True):
        turned = (lead, *range(lead), *range(lead + 1, every.ndim))
        seen.append((row, x) if f is None else (RowLeaf(of_all(row.leaf), row.first), reordered(every, turned)))
    for leaf, (x, f, every) in zip(turn.same, same, strict=True):
        shared[leaf if f is None else of_all(leaf)] = x if f is None else every
    made = over_rows(turn.given, given, seed)
    loop = looped(carried, seen, shared, made, turn.times, before, turn.back)[0].inputs[0]
    assert isinstance(loop, SeveralResults)
    results = loop.results()
    # What is kept of each turn has the turns in front.
    order = (*range(1, lead + 1), 0)
    found = list(results[: len(carried)])
    found += [reordered(x, (*order, *range(lead + 1, x.ndim))) for x in results[len(carried) :]]
    return BatchedResults(tuple([Batched(x, (None,) * (x.ndim - lead)) for x in found]))


# The loop as it is written --------------------------------------------------------------------------------------------


def _written(node: Node) -> list[Node]:
    """The results of the operations, turn after turn, that a loop stands for."""
    turn: Turn = node.params["turn"]
    known = turn.written.get(node)
    if known is not None:
        return known
    start, rows, same, before = turn.parted(node.inputs)
    order = toposort(turn.given)
    places = {step: k for k, step in enumerate(order)}
    steps = [(step, tuple([places[child] for child in step.inputs])) for step in order if step.inputs]
    earlier = (*start, *chain.from_iterable(before))
    pairs = zip(rows, turn.rows, strict=True)
    parts = [_rows_of(row, x, earlier) for x, row in pairs]
    values: list[Node] = list(order)
    for leaf, value in zip(turn.same, same, strict=True):
        values[places[leaf]] = value
    given = [places[step] for step in turn.given]
    carried, states, kept = list(start), [], []
    for number in turn.numbers():
        states.append(carried)
        for leaf, value in zip(turn.carried, carried, strict=True):
            if leaf in places:
                values[places[leaf]] = value
        for row, part in zip(turn.rows, parts, strict=True):
            values[places[row.leaf]] = part[row.first + number]
        for step, operands in steps:
            inputs = tuple([values[k] for k in operands])
            new = with_inputs(step, inputs)
            new.requires_grad = step.requires_grad and any(i.requires_grad for i in inputs)
            values[places[step]] = new
        made = [values[k] for k in given]
        carried = made[: len(turn.carried)]
        kept.append(made[len(turn.carried) :])
    if turn.back:
        kept.reverse()
        states.reverse()
    columns = [[*first, *(made[k] for made in kept)] for k, first in enumerate(before)]
    columns += [[made[k] for made in states] for k in range(len(turn.carried))]
    found = turn.written[node] = [*carried, *(stack(Literal(column)) for column in columns)]
    return found


def _refused(*args: Any) -> Any:
    raise AssertionError("a loop is not called")


def _rows_of(row: RowLeaf, x: Node, earlier: Sequence[Node]) -> Sequence[Node]:
    """The rows of a tensor; those that turns before the loop saw, where it has been taken apart for them."""
    if "turn_number" in row.leaf.params:
        return [weak_constant(number, x.dtype) for number in x.params["value"].tolist()]
    for node in toposort(earlier if row.first else (), stop=lambda node: node is x):
        if node.op is unbind and node.inputs[0] is x and isinstance(node, SeveralResults):
            known: Sequence[Node] = node.results()
            return known
    rows: Sequence[Node] = unbind(x, 0)
    return rows


LOOP = Op(
    "_loop",
    family="structure",
    args="*operands, turn",
    build=_refused,
    doc="A loop of many iterations.",
    kernel=carried_out,
    infer=lambda inputs, params: tuple(params["turn"].forms),
    vjp=_vjp,
    results=MANY,
    skips=True,
    cost=cost_of,
    written=_written,
    repeated=repeated,
    batching=Batching(_many, front=False),
)


def looped(
    carried: dict[Node, Node],
    rows: Sequence[tuple[RowLeaf, Node]],
    same: dict[Node, Node],
    given: Sequence[Node],
    times: int,
    before: Sequence[Sequence[Node]],
    back: bool = False,
) -> list[Node]:
    """What is carried out of a loop and what it keeps, as results of one operation.

    Leaves are given with what they stand for: at the first turn, in all rows, at every turn. `before` has, for each
    value that is kept, the rows that come before those of the turns.
    """
    met = set(toposort(given))
    rows = [(row, node) for row, node in rows if row.leaf in met]
    same = {leaf: node for leaf, node in same.items() if leaf in met}
    seen = tuple([row for row, _ in rows])
    turn = Turn(tuple(carried), seen, tuple(same), tuple(given), times, tuple(map(len, before)), back)
    inputs = (*carried.values(), *(node for _, node in rows), *same.values(), *chain.from_iterable(before))
    results = make_results(LOOP, inputs, {"turn": turn})
    return list(results[: len(given)])


def on_leaves(
    roots: Sequence[Node], own: Container[Node], outer: Container[Node]
) -> tuple[list[Node], dict[Node, Node]]:
    """Graphs in which leaves stand for `outer` nodes and for inputs that are not a turn's own, and for which ones."""
    leaves: dict[Node, Node] = {}
    done: dict[Node, Node] = {}
    for node in toposort(roots, stop=outer.__contains__):
        if node.op is CONSTANT or node in own:
            done[node] = node
        elif node in outer or node.op is INPUT:
            leaf = done[node] = leaf_of_turn(node.shape, node.dtype, node.requires_grad)
            leaf.strides = node.strides
            leaves[leaf] = node
        else:
            done[node] = with_inputs(node, tuple([done[child] for child in node.inputs]))
    return [done[root] for root in roots], leaves
