"""Formulas of functions under another name, of powers and numbers, and of what has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from gradcli.errors import GradcliError

if TYPE_CHECKING:
    from gradcli.ops.formulas.interface import Application, TermMaker, Value

Formula = Callable[["TermMaker", "Application"], "Value"]


def function(c: TermMaker, s: Application) -> Value:
    """A function element by element, under the name that the operation has in public."""
    return c.function(s, s.op.plain_name)


def function_named(name: str) -> Formula:
    return lambda c, s: c.function(s, name)


def call_named(name: str) -> Formula:
    return lambda c, s: c.call(s, name)


def call_or_number(number: int) -> Formula:
    """A call, but where the operand is a number, the result is another."""
    return lambda c, s: c.call(s) if s.shape else c.filled(number, 0)


def none(message: str, hint: str | None = None) -> Callable[[TermMaker, Application], NoReturn]:
    """For operations that are not to be found in any formula."""

    def refuse(c: TermMaker, s: Application) -> NoReturn:
        raise GradcliError(message, hint=hint)

    return refuse


def power_of(exponent: float) -> Formula:
    return lambda c, s: c.power(s.inputs[0], exponent)


def power(c: TermMaker, s: Application) -> Value:
    base, exponent = s.inputs
    return c.function(s) if exponent.number is None else c.power(base, exponent.number)


def normal_cdf(c: TermMaker, s: Application) -> Value:
    """(1 + erf(x/sqrt(2)))/2."""
    (x,) = s.inputs
    labels = c.fresh(x.rank)
    error = c.fn("erf", c.times(x.at(labels), c.raised(c.number(2), -0.5)))
    return c.closed(c.add((0.5, c.number(1)), (0.5, error)), x.named(labels))


def filled(c: TermMaker, s: Application) -> Value:
    return c.filled(s.params["value"], len(s.shape))


def arange(c: TermMaker, s: Application) -> Value:
    (place,) = c.fresh(1)
    count = c.times(c.number(s.params["step"]), c.arange(s.shape[0], place))
    return c.closed(c.add((1, c.number(s.params["start"])), (1, count)), [(place,)])


def multiple(factor: float) -> Formula:
    """A number times the operand."""

    def formula(c: TermMaker, s: Application) -> Value:
        (x,) = s.inputs
        labels = c.fresh(x.rank)
        return c.closed(c.add((factor, x.at(labels))), x.named(labels))

    return formula


def plus_product(power: int) -> Formula:
    """The first operand plus the `value` of the parameters times the second times a power of the third."""

    def formula(c: TermMaker, s: Application) -> Value:
        (a, x, y), axes = c.aligned(s.inputs, s.shapes, len(s.shape))
        product = c.times(x, y if power == 1 else c.raised(y, power))
        return c.closed(c.add((1, a), (s.params["value"], product)), axes)

    return formula
