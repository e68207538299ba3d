"""One turn of a loop as a graph: planned once, and run again and again."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from gradcli.engine.execute.run import run
from gradcli.engine.execute.small import computing
from gradcli.engine.native.choice import get_engine
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import SMALL, Program, work_of
from gradcli.graph.measured import TURN
from gradcli.graph.node import CONSTANT, INPUT, RESULT, Node, toposort
from gradcli.graph.op import Repeated, Shape

# An operation takes as long to compile as NumPy takes to be called for it so many times.
_WORTH_COMPILING = 1 << 11

T = TypeVar("T")
Form = tuple[Shape, np.dtype]


def leaf_of_turn(shape: Shape, dtype: np.dtype, tracked: bool) -> Node:
    """What stands in the graph of a turn for a value that each turn has of its own."""
    return Node(INPUT, (), {"data": None, "name": TURN}, shape, dtype, tracked)


class RowLeaf(NamedTuple):
    """A tensor whose rows the turns see: the leaf for one, and the number of the first turn's."""

    leaf: Node
    first: int


@dataclass(eq=False, repr=False)
class Turn:
    """One turn as a graph from leaves to what it gives.

    `given` are the `carried` leaves' next values, and then what is kept. What is kept has `before` rows more than there
    are turns, each its own number: they come first, and are there at the start. `back` says that the last turn is
    carried out first; rows are numbered all the same.
    """

    carried: tuple[Node, ...]
    rows: tuple[RowLeaf, ...]
    same: tuple[Node, ...]
    given: tuple[Node, ...]
    times: int
    before: tuple[int, ...]
    back: bool
    _plans: dict[Any, _Plan] = field(default_factory=dict)
    #: The loop as it would be without this operation, by its node.
    written: WeakKeyDictionary[Node, list[Node]] = field(default_factory=WeakKeyDictionary)

    @property
    def forms(self) -> list[Form]:
        """The forms of all results: what is carried out, what is kept, and what was carried into each turn."""
        out = [(node.shape, node.dtype) for node in self.given[: len(self.carried)]]
        for node, before in zip(self.given[len(self.carried) :], self.before, strict=True):
            out.append(((before + self.times, *node.shape), node.dtype))
        return [*out, *(((self.times, *node.shape), node.dtype) for node in self.carried)]

    def numbers(self) -> range:
        """The numbers of the turns, in the order in which they are carried out."""
        return range(self.times - 1, -1, -1) if self.back else range(self.times)

    def parted(self, inputs: Sequence[T]) -> tuple[list[T], list[T], list[T], list[list[T]]]:
        """The operands of the operation: what is carried in, tensors of rows, what is the same, and the first rows of
        each value that is kept."""
        given = iter(inputs)
        carried, rows, same = (list(islice(given, len(part))) for part in (self.carried, self.rows, self.same))
        return carried, rows, same, [list(islice(given, count)) for count in self.before]

    def plan(self, kept: tuple[bool, ...]) -> _Plan:
        """What computes a turn, and of what is kept some."""
        key = get_engine(), kept
        found = self._plans.get(key)
        if found is None:
            found = self._plans[key] = _Plan(self, kept)
        return found

    def __repr__(self) -> str:
        # The simplifier tells parameters apart by this.
        return f"<turn {id(self):#x} of {self.times:,}>"


class _Plan:
    """How a turn is computed: first what is the same at every turn, then the rest, again and again."""

    def __init__(self, turn: Turn, kept: tuple[bool, ...]) -> None:
        count = len(turn.carried)
        roots = [*turn.given[:count], *(node for node, k in zip(turn.given[count:], kept, strict=True) if k)]
        same = _same(roots, turn)
        self.once = plan(same) if same else None
        self.turn = plan(roots, stop=set(same).__contains__)
        self.compute = _compute(self.turn, turn.times)
        self._sources = (*turn.same, *same)
        self._fixed = _places(self.turn, self._sources)
        self.carried = _places(self.turn, turn.carried)
        places = _places(self.turn, [row.leaf for row in turn.rows])
        self.rows = [(place, k, turn.rows[k].first) for place, k in places]

    def leaves(self, same: Sequence[Any]) -> list[Any]:
        """The arrays of a turn's leaves, as far as all turns have the same."""
        found = list(same)
        if self.once is not None:
            given: list[Any] = [leaf.params.get("value") for leaf in self.once.leaves]
            for place, k in _places(self.once, self._sources):
                given[place] = same[k]
            found += run(self.once, given)
        leaves = [leaf.params.get("value") if leaf.op is CONSTANT else None for leaf in self.turn.leaves]
        for place, k in self._fixed:
            leaves[place] = found[k]
        return leaves


def _places(program: Program, leaves: Sequence[Node]) -> list[tuple[int, int]]:
    """Those of some leaves that a program has, each by its place there and by its number among them."""
    numbers = {leaf: k for k, leaf in enumerate(leaves)}
    return [(place, numbers[leaf]) for place, leaf in enumerate(program.leaves) if leaf in numbers]


def _same(roots: Sequence[Node], turn: Turn) -> list[Node]:
    """What turns need that comes to the same at each of them, so that it is computed once."""
    own = {*turn.carried, *(row.leaf for row in turn.rows)}
    fixed = set(turn.same)
    found: dict[Node, None] = {}
    for node in toposort(roots):
        if any(child in own for child in node.inputs):
            own.add(node)
            found.update(dict.fromkeys(child for child in node.inputs if child in fixed and child.inputs))
        elif any(child in fixed for child in node.inputs):
            fixed.add(node)
    found.update(dict.fromkeys(root for root in roots if root in fixed and root.inputs))
    return list(found)


def _compute(program: Program, times: int) -> Callable[[Sequence[Any]], list[Any]]:
    """What computes the arrays of a program's roots from those of its leaves, so many times."""
    if program.direct and program.takes_leaves and program.memory(1) < SMALL:
        fixed = {k: leaf.params["value"] for k, leaf in enumerate(program.leaves) if leaf.op is CONSTANT}
        found = computing(program, fixed, times if times >= _WORTH_COMPILING else 0)
        if found is not None:
            return found.once
    return partial(run, program)


def carried_out(*arrays: Any, turn: Turn, wanted: tuple[bool, ...] = ()) -> tuple[Any, ...]:
    """The arrays of a loop's results, of those that are wanted."""
    count, forms = len(turn.carried), turn.forms
    wanted = wanted or (True,) * len(forms)
    # What is carried out is there at the end.
    wanted = (False,) * count + wanted[count:]
    results = [np.empty(shape, dtype) if w else None for (shape, dtype), w in zip(forms, wanted, strict=True)]
    carried, rows, same, before = turn.parted(arrays)
    columns = [(column, k) for column, k in zip(results[count:], turn.before, strict=False) if column is not None]
    for column, there in zip(results[count:], before, strict=False):
        if column is not None and there:
            column[: len(there)] = there
    states = [(k, array) for k, array in enumerate(results[len(turn.given) :]) if array is not None]
    how = turn.plan(wanted[count : len(turn.given)])
    leaves, compute = how.leaves(same), how.compute
    for number in turn.numbers():
        for k, array in states:
            array[number] = carried[k]
        for place, k in how.carried:
            leaves[place] = carried[k]
        for place, k, first in how.rows:
            leaves[place] = rows[k][first + number, ...]
        carried = compute(leaves)
        for (array, first), row in zip(columns, carried[count:], strict=True):
            array[first + number] = row
    results[:count] = carried[:count]
    return tuple(results)


def cost_of(node: Node) -> float:
    """What an element of the largest operand or result costs."""
    turn: Turn = node.params["turn"]
    work = turn.times * sum(work_of(step) for step in toposort(turn.given))
    return work / max(1, node.size, *(child.size for child in node.inputs))


def repeated(node: Node) -> Repeated:
    """How many turns there are, and what each comes to."""
    turn: Turn = node.params["turn"]
    steps = [step for step in toposort(turn.given) if step.inputs and step.op is not RESULT]
    inner = [step.op.repeated(step) for step in steps if step.op.repeated is not None]
    operations = len(steps) + sum(loop.iterations * loop.operations - 1 for loop in inner)
    wanted = node.params.get("wanted") or (True,) * len(turn.forms)
    rows = [(shape[1:], dtype) for shape, dtype in turn.forms]
    kept = [form for form, w in list(zip(rows, wanted, strict=True))[len(turn.carried) :] if w]
    return Repeated(turn.times, operations, sum(math.prod(shape) * dtype.itemsize for shape, dtype in kept))
