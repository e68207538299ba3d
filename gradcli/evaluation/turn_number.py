"""Numbers of which each turn of a loop has another, such as time: how they follow from those that are carried on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.graph.dtypes import DEFAULT_DTYPE, INT64
from gradcli.graph.measured import TURN
from gradcli.graph.node import INPUT, Node, Number, fitted, toposort

#: The numbers that are carried into a turn.
Carried = tuple[Number, ...]


class TurnNumber:
    """A number of a turn: `find` computes it from the numbers that are carried in; `now` is that of the next turn.

    `owner` is the loop.
    """

    def __init__(self, find: Callable[[Carried], Any], now: Any, owner: Any) -> None:
        if isinstance(now, bool) or not isinstance(now, int | float):
            # A choice, say, which may be another one at each turn.
            raise GradcliError("turns that differ in more than numbers")
        self.find, self.now, self.owner = find, now, owner

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

    def find(carried: Carried) -> Any:
        return compute(*[value_at(v, carried) for v in values])

    owners = {v.owner for v in values if isinstance(v, TurnNumber)}
    if len(owners) > 1:
        raise GradcliError("numbers of several loops")
    return TurnNumber(find, compute(*[v.now if isinstance(v, TurnNumber) else v for v in values]), owners.pop())


def value_at(value: Any, carried: Carried) -> Any:
    """A number at a turn into which others are carried."""
    return value.find(carried) if isinstance(value, TurnNumber) else value


def as_leaf(value: Any) -> Any:
    """A value as operations on tensors take it."""
    return value.leaf() if isinstance(value, TurnNumber) else value


def of_all_turns(start: Carried, onward: Sequence[Any], times: int) -> list[Carried]:
    """The numbers that are carried into each turn, and out of the last; GradcliError where one changes its kind."""
    found = [start]
    for _ in range(times):
        last = found[-1]
        following = tuple([value_at(v, last) for v in onward])
        if list(map(type, following)) != list(map(type, start)):
            raise GradcliError("numbers of one kind at some turns, of another at others")
        found.append(following)
    return found


def row_of_numbers(leaf: Node, carried: Sequence[Carried]) -> np.ndarray:
    """The numbers that a leaf stands for at each turn."""
    number: TurnNumber = leaf.params["turn_number"]
    return np.array([fitted(number.find(numbers), leaf.dtype) for numbers in carried], leaf.dtype)


def numbers_below(nodes: Sequence[Node], owner: Any) -> list[Node]:
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
