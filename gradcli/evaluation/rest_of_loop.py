"""All turns of a loop from some turn on, at once: the function is called on leaves, and what it gives is one turn."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from typing import Any

from gradcli.errors import GradcliError
from gradcli.evaluation.looped import looped, on_leaves
from gradcli.evaluation.turn import RowLeaf, leaf_of_turn
from gradcli.evaluation.turn_number import TurnNumbers, form_of, is_number, is_plain, numbers_below, row_of_numbers
from gradcli.graph.arguments import Literal
from gradcli.graph.dtypes import is_half
from gradcli.graph.node import Node, constant, toposort
from gradcli.ops.shape import stack

#: Bytes that are kept of all turns, if it is not more: half the work over again would cost more than it saves.
MUCH = 1 << 28


class Rest:
    """The turns of a loop that are left, so many from the number `first` on; `carried` is what goes into the next."""

    def __init__(self, carried: Sequence[Any], xs: Sequence[Node], first: int, times: int) -> None:
        self.carried, self.xs, self.times = carried, xs, times
        self.rows = [RowLeaf(leaf_of_turn(x.shape[1:], x.dtype, x.requires_grad), first) for x in xs]
        self._tracked = [isinstance(value, Node) and value.requires_grad for value in carried]
        #: What the function is to be called on, None when all is known.
        self.leaves: tuple[Any, ...] | None = self._leaves()
        #: Whether a turn gives what the next can take.
        self.alike = True

    def _leaves(self) -> tuple[Any, ...]:
        leaves: list[Any] = []
        self._numbers = TurnNumbers()
        for value, tracked in zip(self.carried, self._tracked, strict=True):
            if isinstance(value, Node):
                leaves.append(leaf_of_turn(value.shape, value.dtype, tracked))
            else:
                leaves.append(self._numbers.add(value))
        self._called_on = tuple(leaves)
        return self._called_on

    def look(self, onward: Sequence[Any], more: Sequence[Any]) -> None:
        """Take what the function gave: what is carried on, and what is kept. It may have to be called again, where
        something is tracked that was not."""
        self._onward, self._more = onward, more
        self.leaves = None
        self.alike = _are_alike(self._called_on, onward, more)
        tracked = [
            t or (isinstance(out, Node) and out.requires_grad) for out, t in zip(onward, self._tracked, strict=True)
        ]
        if self.alike and tracked != self._tracked:
            self._tracked = tracked
            self.leaves = self._leaves()

    def results(self, kept: Sequence[Sequence[Any]], outside: Container[Node]) -> Any:
        """What is carried out, and what is kept, after what turns before have kept; None where it cannot be."""
        before = [list(column) for column in zip(*kept, strict=True)] or [[] for _ in self._more]
        if len(before) != len(self._more) or not all(map(_goes_on, before, self._more)):
            return None
        given = [*self._onward, *self._more]
        nodes = [part for part in given if isinstance(part, Node)]
        if not nodes:
            return None
        try:
            start, onward, more = (
                [value for value in values if not isinstance(value, Node)]
                for values in (self.carried, self._onward, self._more)
            )
            leaves = numbers_below(nodes, self._numbers)
            wanted = [*(leaf.params["turn_number"] for leaf in leaves), *more]
            carried_out, columns = self._numbers.at_all_turns(start, onward, wanted, self.times)
            rows = [
                (RowLeaf(leaf, 0), constant(row_of_numbers(leaf, column)))
                for leaf, column in zip(leaves, columns, strict=False)
            ]
        except GradcliError:
            return None
        found = iter(self._looped(nodes, rows, before, outside))
        out, further = iter(carried_out), iter(columns[len(leaves) :])
        last = tuple([next(found) if isinstance(part, Node) else next(out) for part in self._onward])
        kept_of_all = [
            next(found) if isinstance(part, Node) else stack(Literal([*first, *next(further)]))
            for first, part in zip(before, self._more, strict=True)
        ]
        return last, kept_of_all

    def _looped(
        self,
        nodes: Sequence[Node],
        rows: Sequence[tuple[RowLeaf, Node]],
        before: Sequence[Sequence[Node]],
        outside: Container[Node],
    ) -> list[Node]:
        start = {leaf: x for leaf, x in zip(self._called_on, self.carried, strict=True) if isinstance(x, Node)}
        rows = [*zip(self.rows, self.xs, strict=True), *rows]
        graphs, same = on_leaves(nodes, {*start, *(row.leaf for row, _ in rows)}, outside)
        for row, _ in rows:
            # By now it has been promoted.
            row.leaf.weak = False
        earlier = [first for first, part in zip(before, self._more, strict=True) if isinstance(part, Node)]
        if not rows and not self._more and self.times * sum(x.nbytes for x in start) > MUCH:
            return _in_pieces(start, same, graphs, self.times)
        return _tracked_as(graphs, looped(start, rows, same, graphs, self.times, earlier))


def _tracked_as(graphs: Sequence[Node], results: list[Node]) -> list[Node]:
    """The results of a loop, not all of which need depend on what is tracked."""
    for node, graph in zip(results, graphs, strict=True):
        node.requires_grad = graph.requires_grad
    return results


def _in_pieces(start: dict[Node, Node], same: dict[Node, Node], graphs: Sequence[Node], times: int) -> list[Node]:
    """A loop whose turns are loops: so only what goes into each of these is kept, and of one at a time the rest."""
    piece = math.isqrt(times)
    own = {leaf: leaf_of_turn(leaf.shape, leaf.dtype, leaf.requires_grad) for leaf in (*start, *same)}
    carried, fixed = {leaf: own[leaf] for leaf in start}, {leaf: own[leaf] for leaf in same}
    turn = _tracked_as(graphs, looped(carried, [], fixed, graphs, piece, []))
    begin = {own[leaf]: x for leaf, x in start.items()}
    results = looped(begin, [], {own[leaf]: x for leaf, x in same.items()}, turn, times // piece, [])
    results = _tracked_as(graphs, results)
    if times % piece:
        start = dict(zip(start, results, strict=True))
        results = _tracked_as(graphs, looped(start, [], same, graphs, times % piece, []))
    return results


def _are_alike(leaves: Sequence[Any], onward: Sequence[Any], more: Sequence[Any]) -> bool:
    """Whether what a turn hands on has the form that it was handed, and all of it can be done again and again."""
    if not all(is_plain(part) or is_number(part) for part in onward):
        return False
    if not all(isinstance(part, Node) or is_number(part) for part in more):
        return False
    if list(map(form_of, leaves)) != list(map(form_of, onward)):
        return False
    # float16 is rounded operation by operation, which is decided for a whole graph.
    nodes = [part for part in (*onward, *more) if isinstance(part, Node)]
    return not any(is_half(node.dtype) for node in toposort(nodes))


def _goes_on(first: Sequence[Any], part: Any) -> bool:
    """Whether what turns before have kept is of a piece with what the others keep."""
    if isinstance(part, Node):
        return all(isinstance(x, Node) and form_of(x) == form_of(part) for x in first)
    return all(map(is_number, first))
