"""Numbers of which each turn of a loop has another, such as time: how they follow from those that are carried on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from gradcli.errors import GradcliError
from gradcli.graph.dtypes import DEFAULT_DTYPE, INT64
from gradcli.graph.measured import TURN
from gradcli.graph.node import INPUT, Node, Number, fitted, toposort


class _Step(NamedTuple):
    """How a number follows from others, which are numbers of the turn or the same at each."""

    compute: Callable[..., Any]
    operands: tuple[Any, ...]


class TurnNumbers:
    """The numbers of a turn of a loop, in the order in which they come about: those that are carried in are first."""

    def __init__(self) -> None:
        # None for what is carried in.
        self._steps: list[_Step | None] = []

    def add(self, now: Any, step: _Step | None = None) -> TurnNumber:
        """A further number, which is `now` at the next turn."""
        if isinstance(now, bool) or not isinstance(now, int | float):
            # A choice, say, which may be another one at each turn.
            raise GradcliError("turns that differ in more than numbers")
        self._steps.append(step)
        return TurnNumber(len(self._steps) - 1, now, self)

    def at_all_turns(
        self, start: Sequence[Number], onward: Sequence[Any], wanted: Sequence[Any], times: int
    ) -> tuple[list[Number], list[list[Number]]]:
        """The numbers that are carried out of the last turn, and for each of `wanted` what it is at every one.

        `start` is carried into the first turn, and `onward` from each to the next; GradcliError where a number changes
        its kind. Each is computed once a turn, however often it is used.
        """
        steps = self._below([*onward, *wanted])
        carried, values = list(start), [*start, *[0] * (len(self._steps) - len(start))]
        columns: list[list[Number]] = [[] for _ in wanted]
        for _ in range(times):
            values[: len(carried)] = carried
            for place, (compute, operands) in steps:
                values[place] = compute(*[values[v.place] if isinstance(v, TurnNumber) else v for v in operands])
            for column, number in zip(columns, wanted, strict=True):
                column.append(_checked(number, values))
            carried = [_checked(number, values) for number in onward]
        return carried, columns

    def _below(self, roots: Sequence[Any]) -> list[tuple[int, _Step]]:
        """What is to be computed for some numbers, in order."""
        needed = {v.place for v in roots if isinstance(v, TurnNumber)}
        found = []
        for place in reversed(range(len(self._steps))):
            step = self._steps[place]
            if step is not None and place in needed:
                needed.update(v.place for v in step.operands if isinstance(v, TurnNumber))
                found.append((place, step))
        return found[::-1]


class TurnNumber:
    """A number of a turn, at its place among those of the loop `owner`; `now` is that of the next turn."""

    def __init__(self, place: int, now: Number, owner: TurnNumbers) -> None:
        self.place, self.now, self.owner = place, now, owner

    def leaf(self) -> Node:
        """What stands for it in the graph of a turn: it meets tensors as a number does."""
        dtype = INT64 if isinstance(self.now, int) else DEFAULT_DTYPE.get()
        return Node(INPUT, (), _Unknown(data=None, name=TURN, turn_number=self), (), dtype, False, weak=True)


class _Unknown(dict[str, Any]):
    """The parameters of such a leaf: whoever asks for its number, as for that of a constant, cannot have it."""

    def __missing__(self, key: str) -> Any:
        raise GradcliError("a number that is another one at each turn")


def is_number(value: Any) -> bool:
    """Whether a value is a number, be it another one at each turn; True and False are none."""
    return isinstance(value, TurnNumber) or (isinstance(value, int | float) and not isinstance(value, bool))


def computed(compute: Callable[..., Any], values: Sequence[Any]) -> TurnNumber:
    """What `compute` makes of numbers, some of which each turn has another of."""
    owners = {v.owner for v in values if isinstance(v, TurnNumber)}
    if len(owners) > 1:
        raise GradcliError("numbers of several loops")
    now = compute(*[v.now if isinstance(v, TurnNumber) else v for v in values])
    return owners.pop().add(now, _Step(compute, tuple(values)))


def _checked(number: Any, values: Sequence[Number]) -> Number:
    """What a number is at a turn, of the same kind as it was when the graph of the turn was built."""
    if not isinstance(number, TurnNumber):
        same: Number = number
        return same
    value = values[number.place]
    if type(value) is not type(number.now):
        raise GradcliError("numbers of one kind at some turns, of another at others")
    return value


def as_leaf(value: Any) -> Any:
    """A value as operations on tensors take it."""
    return value.leaf() if isinstance(value, TurnNumber) else value


def row_of_numbers(leaf: Node, column: Sequence[Number]) -> np.ndarray:
    """The numbers that a leaf stands for at each turn."""
    return np.array([fitted(number, leaf.dtype) for number in column], leaf.dtype)


def numbers_below(nodes: Sequence[Node], owner: TurnNumbers) -> list[Node]:
    """The leaves of graphs that stand for numbers of a loop."""
    leaves = [leaf for leaf in toposort(nodes) if leaf.op is INPUT and "turn_number" in leaf.params]
    return [leaf for leaf in leaves if leaf.params["turn_number"].owner is owner]


def is_plain(value: Any) -> bool:
    """Whether a value is a tensor as turns can hand it on."""
    return isinstance(value, Node) and not value.weak and value.strides is None


def form_of(value: Any) -> Any:
    """What has to stay as it is from turn to turn: shape and dtype, or whether a number is whole."""
    if isinstance(value, Node):
        return value.shape, value.dtype
    return type(value.now if isinstance(value, TurnNumber) else value)
