"""What the function that gives the formula of an operation is handed: the operation's values, and a converter.

A term has axes of its own, only those that it depends on. While terms are put together, axes are told by labels,
arbitrary numbers: in a product, equal labels stand for one axis, and a label that the result does not have is summed
over. So matrix products, transposes, sums and broadcasting are all one thing, `TermMaker.product`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

#: A length: a number, or a term such as the length of an input's dimension.
Size = Any
Labels = tuple[int, ...]


class Labelled(Protocol):
    """A term with a label for each of its axes; 0 stands for no axis of the result."""

    @property
    def term(self) -> Any: ...
    @property
    def labels(self) -> Labels: ...


class Value(Protocol):
    """The formula of a node: a term, and for each axis of the node the term's axes in it (none: broadcast)."""

    @property
    def term(self) -> Any: ...
    @property
    def axes(self) -> tuple[Labels, ...]: ...
    @property
    def rank(self) -> int:
        """How many axes the term has."""

    @property
    def number(self) -> Any:
        """The number that it is, None where it is none."""

    def at(self, labels: Sequence[int]) -> Labelled:
        """The term with labels for its axes."""

    def named(self, labels: Sequence[int]) -> Sequence[Labels]:
        """The axes of the node by the labels of those of the term."""

    def with_axes(self, axes: Sequence[Labels]) -> Any:
        """The same term as the value of a node with other axes."""

    def without(self, dims: Sequence[int]) -> Any:
        """The same for a node that lacks some axes, in which the term is broadcast."""


class Application(NamedTuple):
    """An operation applied: its parameters and shapes, with terms for lengths, and the values of its inputs.

    `result` is the name of the one that is asked for, where the operation has several.
    """

    op: Any
    params: dict[str, Any]
    shape: tuple[Size, ...]
    dtype: Any
    inputs: tuple[Any, ...]
    shapes: tuple[tuple[Size, ...], ...]
    nodes: tuple[Any, ...]
    result: str | None = None


class TermMaker(Protocol):
    """Makes terms and values."""

    def fresh(self, count: int) -> Labels:
        """Labels that nobody has."""

    # Terms

    def number(self, value: Any) -> Labelled: ...
    def length(self, size: Size) -> Labelled: ...
    def arange(self, length: Size, label: int) -> Labelled:
        """0, 1, 2, … along an axis."""

    def ones(self, length: Size, label: int) -> Labelled: ...
    def eye(self, length: Size, row: int, column: int) -> Labelled: ...
    def fn(self, name: str, *args: Any) -> Labelled:
        """A function element by element."""

    def add(self, *addends: tuple[Any, Any]) -> Labelled:
        """A sum of terms, each times a number."""

    def times(self, *factors: Any) -> Labelled:
        """A product of terms that sums over nothing."""

    def raised(self, term: Any, exponent: float) -> Labelled: ...

    # Values

    def filled(self, number: Any, rank: int) -> Value:
        """A number along all axes."""

    def aligned(
        self, values: Sequence[Any], shapes: Sequence[Sequence[Size]], rank: int
    ) -> tuple[Sequence[Labelled], Sequence[Labels]]:
        """Operands at the labels of their common shape, and those labels for each of its axes."""

    def in_one_structure(self, values: Sequence[Any], shapes: Sequence[Sequence[Size]], rank: int) -> Sequence[Value]:
        """Where an axis is made of several in one operand and of one in another, it becomes one everywhere."""

    def whole(self, value: Any, shape: Sequence[Size]) -> Value:
        """A value with one axis of its own for each axis of the node, by a reshape in the formula."""

    def closed(self, term: Any, axes: Sequence[Labels]) -> Value:
        """A term as a value with these labels on its axes."""

    def product(self, factors: Sequence[Any], axes: Sequence[Labels]) -> Value:
        """The product with these labels on its axes, summed over all others."""

    def power(self, value: Any, exponent: Any) -> Value: ...
    def function(self, step: Application, name: str | None = None) -> Value:
        """A function element by element, of the operation's name unless given."""

    def call(
        self,
        step: Application,
        name: str | None = None,
        params: dict[str, Any] | None = None,
        shape: Sequence[Size] | None = None,
    ) -> Value:
        """A function of whole tensors."""
