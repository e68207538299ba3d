"""Terms: formulas over numbered axes, in one normal form, so that equal ones are one object.

A term has axes 0, 1, …; only those it depends on, so that a broadcast axis is simply absent. In a product every factor
carries labels for its axes: a label below the product's rank is an axis of its own, any other is summed over. Matrix
products, transposes, sums, outer products and broadcasting are therefore all one thing, a product with labels, and
need no rules. While terms are put together, labels are arbitrary numbers: an `Open` is a term and a label per axis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

from gradcli.graph.op import OPS

Labels = tuple[int, ...]
#: A length: a number, or a term such as the length of an input's dimension; and several, as of a shape.
Size = Any
Sizes = tuple[Size, ...]

ZERO, ONE = Fraction(0), Fraction(1)


@dataclass(eq=False, repr=False, slots=True)
class Term:
    """An immutable formula; equal ones are the same object. `serial` counts them, arguments before users.

    By head: "var" (data: name); "dim" (data: word of a length); "const" (data: constant); "eye"; "ones"; "prod" (data:
    number, args: factors); "add" (args: factors whose power is the number in front); "fn", element by element, and
    "call", on whole tensors (data: name and parameters; args: factors, or `Whole`s).
    `tame` terms are finite wherever their inputs are.
    """

    head: str
    data: Any
    args: tuple[Any, ...]
    sizes: Sizes
    serial: int
    tame: bool = field(init=False)

    def __post_init__(self) -> None:
        if self.head == "prod":
            self.tame = all(f.term.tame and (f.power > 0 or f.term.head == "dim") for f in self.args)
            return
        op = OPS.get(self.data[0]) if self.head in ("fn", "call") else None
        known = op is None or op.tame or op.indicator
        self.tame = known and self.data != "inf" and all(a.term.tame for a in self.args)

    @property
    def rank(self) -> int:
        return len(self.sizes)

    def __repr__(self) -> str:
        return f"Term({self.head}, {self.data}, rank={self.rank}, serial={self.serial})"


class Factor(NamedTuple):
    """A term at labels, to a power; in a sum the "power" is the number that it is multiplied with."""

    term: Term
    labels: Labels
    power: Fraction


class Open(NamedTuple):
    """A term with a label for each of its axes."""

    term: Term
    labels: Labels


class WholeArg(NamedTuple):
    """A whole tensor as an argument: for each of its axes the term's axes that lie in it (none: broadcast)."""

    term: Term
    axes: tuple[Labels, ...]
    shape: Sizes


#: What to do about a derivative without a formula.
IN_NUMBERS = "`gradcli eval`, with --jacobian or --hessian too, computes the derivative in numbers"


def value_of(term: Term) -> Fraction | None:
    """The number that a term is, if it is one."""
    return term.data if term.head == "prod" and not term.args else None


def _never() -> int:
    raise AssertionError("a sum has no labels of its own")


def placed(term: Term, labels: Labels, fresh: Callable[[], int] = _never) -> list[Factor]:
    """The arguments of a product or sum, or the term itself, at the labels of the term."""
    if term.head not in ("prod", "add"):
        return [Factor(term, labels, ONE)]
    names = list(labels)
    result = []
    for inner, own, power in term.args:
        while own and max(own) >= len(names):
            names.append(fresh())
        result.append(Factor(inner, tuple([names[k] for k in own]), power))
    return result


class NodeTerm(NamedTuple):
    """The formula of a node: a term, and for each axis of the node the term's axes in it (none: broadcast)."""

    term: Term
    axes: tuple[Labels, ...]

    @property
    def rank(self) -> int:
        return self.term.rank

    @property
    def number(self) -> Fraction | None:
        return value_of(self.term)

    def at(self, labels: Sequence[int]) -> Open:
        return Open(self.term, tuple(labels))

    def named(self, labels: Sequence[int]) -> list[Labels]:
        return [tuple([labels[k] for k in group]) for group in self.axes]

    def with_axes(self, axes: Sequence[Labels]) -> NodeTerm:
        return NodeTerm(self.term, tuple(axes))

    def without(self, dims: Sequence[int]) -> NodeTerm:
        return self.with_axes([group for k, group in enumerate(self.axes) if k not in dims])
