"""The native forms of operations that are more than an expression of their operands, element by element."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

#: For each operand the dimension that is cut where the result is cut, None where the whole operand is needed.
Dims = tuple[int | None, ...]

# Dimensions may have as many places as fit in memory, or more.
_MOST_LISTED = 1 << 16


def _as_it_is(v: Any, state: list[Any]) -> list[Any]:
    return state


class Lanes(NamedTuple):
    """How a reduction goes in native code, each lane of a vector having a state of its own: a list of vectors.

    With `v`, the builder of vector expressions: `start(v, dtype)` is the state of no elements; `add(v, state, x)` takes
    one in; `settle(v, state)` makes of it what `merge(v, a, b)` can join; `result(v, state, count, node)` is the result
    of so many elements, a number or a vector of float64. `partial(parts, count, node, start)` makes what
    `Accumulate.partial` gives, of arrays that hold a settled state in the shape of the node; `start` is the block's
    place along the reduced dimension. States are in memory while they are made, and hold no booleans.

    With `indexed`, `add(v, state, x, index)` is told the places along the reduced dimension, counted in the block where
    that is cut.
    """

    start: Callable[[Any, Any], list[Any]]
    add: Callable[..., list[Any]]
    merge: Callable[[Any, list[Any], list[Any]], list[Any]]
    result: Callable[[Any, list[Any], Any, Any], Any]
    settle: Callable[[Any, list[Any]], list[Any]] = _as_it_is
    partial: Callable[[list[Any], int, Any, int], tuple[Any, ...]] = lambda parts, count, node, start: tuple(parts)
    indexed: bool = False

    @property
    def settles(self) -> bool:
        """Whether a state has to be settled, perhaps to fewer parts: if not, one that is never merged with others is
        the result as it lies in memory."""
        return self.settle is not _as_it_is


class NativeSteps:
    """The native form of an operation that is several steps: `rule(node)` writes it with operations that have one, or
    gives None."""

    def __init__(self, rule: Callable[[Any], Any]) -> None:
        self.rule = rule


class NativeChecked(NamedTuple):
    """The native form of an elementwise operation that refuses some operands: `form(v, *vectors)` and the `check` of
    `NativePlaces`."""

    form: Callable[..., Any]
    check: Callable[[Any], tuple[int, Callable[[Any], Any]] | None]


class NativePlaces(NamedTuple):
    """The native form of an operation that looks at the places along a dimension.

    `form(v, *vectors, place, **params)` is the value at a place; `dim(node)` the dimension and how long it is. With
    `picks` the values are added up along it, all but one being 0. Operands that lack the dimension are the same all
    along it, a shared vector lies along it. `check(node)` gives the number of an operand and a function of its array
    that raises what the kernel would, or None.
    """

    form: Callable[..., Any]
    dim: Callable[[Any], tuple[int, int]]
    picks: bool = False
    check: Callable[[Any], tuple[int, Callable[[Any], Any]] | None] = lambda node: None


class NativeView:
    """The native form of an operation that shows elements of its operand.

    `rule(node)` gives, for each dimension of the result, the operand's, the place in it to start at, and the step; and
    the places in other dimensions of the operand.
    """

    def __init__(self, rule: Callable[[Any], tuple[list[tuple[int, int, int]], list[tuple[int, int]]]]) -> None:
        self.rule = rule


class Span(NamedTuple):
    """The places of a dimension from one to another, which have the elements of an operand, by its number, from the
    place `first` on."""

    start: int
    stop: int
    number: int
    first: int


#: The number of an operand and the place there of an element, None for a zero.
Part = tuple[int, int] | None


class NativeParts:
    """The native form of an operation that puts elements of its operands beside each other.

    `rule(node)` gives the dimension, and a function that gives for a place along it the number of an operand and the
    place there, None for zeros; or None altogether. `spans(node)` gives the dimension and all stretches of it that have
    neighbours of an operand in their order, or None where that is not known without looking at each place; either
    will do.
    """

    def __init__(
        self,
        rule: Callable[[Any], tuple[int, Callable[[int], Part]] | None] = lambda node: None,
        spans: Callable[[Any], tuple[int, list[Span]] | None] = lambda node: None,
    ) -> None:
        self.rule, self.spans = rule, spans

    def parts(self, node: Any) -> tuple[int, list[Part]] | None:
        """The dimension, and what is at each place along it; None where these are too many to be listed."""
        found = self.spans(node) or self.rule(node)
        if found is None or node.shape[found[0]] > _MOST_LISTED:
            return None
        dim, known = found
        if not isinstance(known, list):
            return dim, [known(place) for place in range(node.shape[dim])]
        order: list[Part] = [None] * node.shape[dim]
        for start, stop, number, first in known:
            order[start:stop] = [(number, first + k) for k in range(stop - start)]
        return dim, order

    def stretches(self, node: Any, most: int) -> tuple[int, list[Span]] | None:
        """The dimension and its stretches; None where there are more than `most`, or too many places."""
        known = self.spans(node)
        if known is None:
            found = self.parts(node)
            spans = None if found is None else spans_of(found[1], most)
            return None if found is None or spans is None else (found[0], spans)
        return known if len(known[1]) <= most else None


def spans_of(order: Sequence[Part], most: int) -> list[Span] | None:
    """The stretches of what is at each place; None where there are more than `most`.

    >>> spans_of([None, (0, 5), (0, 6), (1, 0)], 2)
    [Span(start=1, stop=3, number=0, first=5), Span(start=3, stop=4, number=1, first=0)]
    """
    found: list[Span] = []
    for place, part in enumerate(order):
        if part is None:
            continue
        if found:
            start, stop, number, first = found[-1]
            if stop == place and part == (number, first + place - start):
                found[-1] = found[-1]._replace(stop=place + 1)
                continue
        if len(found) == most:
            return None
        found.append(Span(place, place + 1, *part))
    return found


class NativeLookup(NamedTuple):
    """The native form of an operation that takes elements of a table, its first operand, from places that the second
    one holds.

    `rule(node)` gives the dimension of the result that goes along with each one of the table, -1 for the one that is
    looked up, and with each one of the places; or None. `parts` is its form where the places are known, `check(node)`
    the same as that of `NativePlaces`.
    """

    rule: Callable[[Any], tuple[Dims, Dims] | None]
    parts: NativeParts
    check: Callable[[Any], tuple[int, Callable[[Any], Any]] | None]


class NativeScatter(NamedTuple):
    """The native form of the reverse, which adds elements of its first operand up at such places: `rule(node)` gives
    the dimensions of the operand instead of those of the result, of which it has a table. `steps` is its form where
    the places are known. Lines of whole arrays are added in the dtype of the result."""

    rule: Callable[[Any], tuple[Dims, Dims] | None]
    steps: NativeSteps
    check: Callable[[Any], tuple[int, Callable[[Any], Any]] | None]


class NativeAdded(NamedTuple):
    """The native form of an operation that adds elements up at places along a dimension of its result, in their order
    and in double precision; no place is negative.

    `rule(node)` gives the dimension, and the numbers of three operands: what the result starts with, None for zeros;
    the elements; and the places, which have the dimensions of the result, or one for each line of a whole array. Or
    None. `check` is that of `NativePlaces`.
    """

    rule: Callable[[Any], tuple[int, int | None, int, int] | None]
    check: Callable[[Any], tuple[int, Callable[[Any], Any]] | None]


class NativeRunning:
    """The native form of a reduction along `dim` of the parameters that shows what it has after each place, or with
    `from_end` from each place on. `turned` is the name of the operation that does the same from the other end."""

    def __init__(self, lanes: Lanes, turned: str = "", from_end: bool = False) -> None:
        self.lanes, self.turned, self.from_end = lanes, turned, from_end


class NativeKernel(NamedTuple):
    """The native form of an operation whose kernel is another one there, which calls native functions; the name of what
    it does: "convolved", "convolved_back" or "kernel_gradient"."""

    name: str
