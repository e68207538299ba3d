"""Identities by which formulas become shorter: one function a row, listed in tables at the end."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from gradcli.formula.algebra.polynomials import (
    divided,
    expanded,
    lengths_lost,
    on_one_denominator,
    summed_apart,
    total_over_itself,
    unnested,
)
from gradcli.formula.algebra.terms import ONE, Algebra, Factor, Open, Term, WholeArg, placed, value_of

Found = tuple[Fraction, list[Factor]] | None


def _never() -> int:
    raise AssertionError("a sum has no labels of its own")


# Products -------------------------------------------------------------------------------------------------------------


def _one_plus_exp(factor: Factor) -> Factor | None:
    """The exp(u) of a factor 1 + exp(u)."""
    if factor.term.head != "add" or len(factor.term.args) != 2:
        return None
    parts = placed(factor.term, factor.labels, _never)
    one = next((p for p in parts if value_of(p.term) == 1 and p.power == 1), None)
    power = next((p for p in parts if p.term.head == "fn" and p.term.data[0] == "exp" and p.power == 1), None)
    return power if one is not None else None


def _argument(factor: Factor) -> Open:
    """The argument of a function of one argument."""
    ((inner, own, _),) = factor.term.args
    return Open(inner, tuple([factor.labels[k] for k in own]))


def _is(factor: Factor, function: str) -> bool:
    return factor.term.head == "fn" and bool(factor.term.data[0] == function)


def logistic(algebra: Algebra, factors: list[Factor], free: set[int]) -> Found:
    """1/(1 + exp(u)) is sigmoid(-u)."""
    for k, factor in enumerate(factors):
        if factor.power < 0 and factor.power.denominator == 1:
            exponential = _one_plus_exp(factor)
            if exponential is not None:
                s = algebra.fn("sigmoid", [algebra.scaled(-1, _argument(exponential))])
                return ONE, [*factors[:k], *factors[k + 1 :], Factor(*s, -factor.power)]
    return None


def exp_times_sigmoid(algebra: Algebra, factors: list[Factor], free: set[int]) -> Found:
    """exp(u)*sigmoid(-u) is sigmoid(u)."""
    table = {(f.term, f.labels): k for k, f in enumerate(factors) if _is(f, "sigmoid")}
    # Without one to go with, the arguments are not looked into: they may be exponentials, of exponentials, and so on.
    for k, factor in enumerate(factors if table else ()):
        if _is(factor, "exp") and factor.power > 0:
            u = _argument(factor)
            other = algebra.fn("sigmoid", [algebra.scaled(-1, u)])
            at = table.get((other.term, other.labels))
            if at is not None and factors[at].power >= factor.power:
                rest = [f for i, f in enumerate(factors) if i not in (k, at)]
                left = factors[at].power - factor.power
                s = algebra.fn("sigmoid", [u])
                return ONE, [*rest, Factor(*s, factor.power), *([Factor(*other, left)] if left else [])]
    return None


def exponentials(algebra: Algebra, factors: list[Factor], free: set[int]) -> Found:
    """A negative power of exp(u) is exp(-u); exp(u)*exp(-u) is 1."""
    table = {(f.term, f.labels): f for f in factors if _is(f, "exp")}
    for k, factor in enumerate(factors):
        if _is(factor, "exp") and factor.power < 0:
            e = algebra.fn("exp", [algebra.scaled(factor.power, _argument(factor))])
            return ONE, [*factors[:k], *factors[k + 1 :], Factor(*e, ONE)]
        if _is(factor, "exp") and len(table) > 1:
            opposite = algebra.fn("exp", [algebra.scaled(-1, _argument(factor))])
            other = table.get((opposite.term, opposite.labels))
            if other is not None and other.power > 0:
                rest = [f for f in factors if f is not factor and f is not other]
                times = min(factor.power, other.power)
                left = [f._replace(power=f.power - times) for f in (factor, other) if f.power != times]
                return ONE, [*rest, *left, *lengths_lost(algebra, factors, [*rest, *left], free)]
    return None


def absolute_value(algebra: Algebra, factors: list[Factor], free: set[int]) -> Found:
    """x*sign(x) is abs(x)."""
    table = {(f.term, f.labels): f for f in factors}
    for factor in factors:
        if factor.term.head == "fn" and factor.term.data[0] == "sign" and factor.power == 1:
            u = _argument(factor)
            other = table.get((u.term, u.labels))
            if other is not None and other.power >= 1:
                rest = [f for f in factors if f is not factor and f is not other]
                left = [other._replace(power=other.power - 1)] if other.power != 1 else []
                return ONE, [*rest, *left, Factor(*algebra.fn("abs", [u]), ONE)]
    return None


def root_of_squares(algebra: Algebra, factors: list[Factor], free: set[int]) -> Found:
    """sqrt(sum(x**2, dim)) is norm(x, 2, dim)."""
    for k, factor in enumerate(factors):
        term = factor.term
        if term.head != "prod" or factor.power.denominator != 2 or term.data != 1 or len(term.args) != 1:
            continue
        ((x, own, power),) = term.args
        dims = tuple([i for i, label in enumerate(own) if label >= term.rank])
        if power == 2 and dims and len(set(own)) == len(own):
            whole = WholeArg(x, tuple([(i,) for i in range(x.rank)]), x.sizes)
            kept = [i for i in range(x.rank) if i not in dims]
            settings = (("dim", dims), ("p", 2.0))
            norm = algebra.intern("call", ("norm", settings), (whole,), tuple([x.sizes[i] for i in kept]))
            names = tuple([factor.labels[own[i]] for i in kept])
            return ONE, [*factors[:k], *factors[k + 1 :], Factor(norm, names, 2 * factor.power)]
    return None


_INDICATORS = frozenset(
    {
        "gt",
        "ge",
        "lt",
        "le",
        "eq",
        "ne",
        "bitwise_and",
        "bitwise_or",
        "bitwise_not",
        "logical_and",
        "logical_or",
        "logical_not",
        "logical_xor",
        "isnan",
        "isinf",
        "isfinite",
        "one_hot",
    }
)


def is_indicator(term: Term) -> bool:
    """Whether a term holds only zeros and ones."""
    return term.head == "fn" and term.data[0] in _INDICATORS


def indicator_powers(algebra: Algebra, factors: list[Factor], free: set[int]) -> Found:
    """Zeros and ones to any positive power are themselves; so is the square of a sign, but at 0."""
    for k, factor in enumerate(factors):
        if factor.power > 1 and is_indicator(factor.term):
            return ONE, [*factors[:k], *factors[k + 1 :], Factor(factor.term, factor.labels, ONE)]
    return None


def chosen_once(algebra: Algebra, factors: list[Factor], free: set[int]) -> Found:
    """The sum over the columns of a one-hot matrix is 1: each index is somewhere."""
    for k, factor in enumerate(factors):
        if factor.term.head == "fn" and factor.term.data[0] == "one_hot" and factor.power == 1:
            place = factor.labels[factor.term.args[1].labels[0]]
            if place not in free and sum(place in f.labels for f in factors) == 1:
                return ONE, _dropped(algebra, factors, k, free, place)
    return None


def _dropped(algebra: Algebra, factors: list[Factor], k: int, free: set[int], label: int) -> list[Factor]:
    """Factors without one whose sum over a label is 1."""
    rest = [*factors[:k], *factors[k + 1 :]]
    return [*rest, *lengths_lost(algebra, factors, rest, free | {label})]


def whole_softmax(algebra: Algebra, factors: list[Factor], free: set[int]) -> Found:
    """The sum of a softmax along its dimension is 1."""
    for k, factor in enumerate(factors):
        if factor.term.head == "call" and factor.term.data[0] == "softmax" and factor.power == 1:
            label = factor.labels[dict(factor.term.data[1])["dim"]]
            if label not in free and sum(f.labels.count(label) for f in factors) == 1:
                return ONE, _dropped(algebra, factors, k, free, label)
    return None


def _exponentials_along(term: Term) -> int | None:
    """The dimension of x where a term is the sum of exp(x) along one dimension."""
    if term.head != "prod" or term.data != 1 or len(term.args) != 1:
        return None
    ((inner, own, power),) = term.args
    summed = [k for k, label in enumerate(own) if label >= term.rank]
    if inner.head != "fn" or inner.data[0] != "exp" or power != 1 or len(summed) != 1 or len(set(own)) < len(own):
        return None
    return summed[0] if inner.args[0].term.rank == inner.rank else None


def _along(algebra: Algebra, name: str, dim: Any, exponential: Term, sizes: tuple[Any, ...]) -> Term:
    """A function of x along a dimension, given exp(x)."""
    ((x, labels, _),) = exponential.args
    whole = WholeArg(x, tuple([(labels.index(k),) for k in range(x.rank)]), exponential.sizes)
    return algebra.intern("call", (name, (("dim", dim),)), (whole,), sizes)


def softmax_quotient(algebra: Algebra, factors: list[Factor], free: set[int]) -> Found:
    """exp(x)/sum(exp(x), dim) is softmax(x, dim)."""
    for total in factors:
        dim = _exponentials_along(total.term)
        if dim is None or total.power >= 0 or total.power.denominator != 1:
            continue
        ((exponential, own, _),) = total.term.args
        outer = tuple([total.labels[k] for k in own if k < total.term.rank])
        for factor in factors:
            names = factor.labels
            if factor.term is exponential and factor.power > 0 and (*names[:dim], *names[dim + 1 :]) == outer:
                softmax = _along(algebra, "softmax", dim, exponential, exponential.sizes)
                times = min(factor.power, -total.power)
                rest = [f for f in factors if f is not factor and f is not total]
                left = [
                    f
                    for f in (factor._replace(power=factor.power - times), total._replace(power=total.power + times))
                    if f.power
                ]
                return ONE, [*rest, *left, Factor(softmax, names, times)]
    return None


def inverse_cancels(algebra: Algebra, factors: list[Factor], free: set[int]) -> Found:
    """A matrix times its inverse is the identity."""
    for k, factor in enumerate(factors):
        term, labels, power = factor
        if term.head != "call" or term.data[0] != "inv" or power != 1 or term.rank != 2:
            continue
        (whole,) = term.args
        if whole.axes not in (((0,), (1,)), ((1,), (0,))):
            continue
        turned = whole.axes == ((1,), (0,))
        for i, other in enumerate(factors):
            if other.term is not whole.term or other.power != 1:
                continue
            rows, columns = other.labels[::-1] if turned else other.labels
            for shared, ends in ((labels[1] == rows, (labels[0], columns)), (labels[0] == columns, (labels[1], rows))):
                label = labels[1] if ends[0] == labels[0] else labels[0]
                if shared and sum(label in f.labels for f in factors) == 2:
                    eye = algebra.intern("eye", None, (), (term.sizes[0],) * 2)
                    rest = [f for j, f in enumerate(factors) if j not in (k, i)]
                    return ONE, [*rest, Factor(eye, ends, ONE)]
    return None


# Functions ------------------------------------------------------------------------------------------------------------


def exp_rule(algebra: Algebra, u: Open) -> Open | None:
    """exp(log_softmax(x)) and exp(x - logsumexp(x)) are softmax(x); exp(0) is 1; exp(log(x)) is x."""
    if value_of(u.term) == 0:
        return algebra.number(1)
    if u.term.head == "fn" and u.term.data[0] == "log":
        return _argument(Factor(*u, ONE))
    if u.term.head == "call" and u.term.data[0] == "log_softmax":
        return Open(algebra.intern("call", ("softmax", u.term.data[1]), u.term.args, u.term.sizes), u.labels)
    if u.term.head != "add" or len(u.term.args) != 2:
        return None
    parts = placed(u.term, u.labels, _never)
    for total, x in (parts, parts[::-1]):
        if total.term.head == "call" and total.term.data[0] == "logsumexp" and total.power == -1 and x.power == 1:
            return _softmax_of(algebra, total, x)
    return None


def _softmax_of(algebra: Algebra, total: Factor, x: Factor) -> Open | None:
    (whole,) = total.term.args
    dims = dict(total.term.data[1])["dim"]
    if whole.term is not x.term or len(dims) != 1 or any(len(a) != 1 for a in whole.axes):
        return None
    outer = [a[0] for k, a in enumerate(whole.axes) if k not in dims]
    if tuple([x.labels[k] for k in outer]) != total.labels:
        return None
    term = algebra.intern("call", ("softmax", (("dim", dims[0]),)), (whole,), whole.shape)
    return Open(term, tuple([x.labels[a[0]] for a in whole.axes]))


def exp_of_expm1(algebra: Algebra, addends: list[Factor]) -> list[tuple[Fraction, Open]] | None:
    """expm1(u) + 1 is exp(u)."""
    one = next((p for p in addends if value_of(p.term) == 1), None)
    for part in addends:
        if one is not None and part.term.head == "fn" and part.term.data[0] == "expm1" and part.power == one.power:
            rest = [(p.power, Open(p.term, p.labels)) for p in addends if p is not part and p is not one]
            return [*rest, (one.power, algebra.fn("exp", [_argument(part)]))]
    return None


def log_rule(algebra: Algebra, u: Open) -> Open | None:
    """log(1) is 0, log(exp(x)) is x, log(sum(exp(x), dim)) is logsumexp(x, dim)."""
    if value_of(u.term) == 1:
        return algebra.number(0)
    if u.term.head == "fn" and u.term.data[0] == "exp":
        return _argument(Factor(*u, ONE))
    dim = _exponentials_along(u.term)
    if dim is not None:
        ((exponential, own, _),) = u.term.args
        sizes = (*exponential.sizes[:dim], *exponential.sizes[dim + 1 :])
        total = _along(algebra, "logsumexp", (dim,), exponential, sizes)
        return Open(total, tuple([u.labels[k] for k in own if k < u.term.rank]))
    return None


def where_rule(algebra: Algebra, condition: Open, a: Open, b: Open) -> Open | None:
    """A choice between something tame and 0 is a product; numbers come out."""
    if a == b:
        return a
    known = value_of(condition.term)
    if known is not None:
        return a if known else b
    if value_of(b.term) == 0 and a.term.tame:
        return algebra.times(condition, a)
    if value_of(a.term) == 0 and b.term.tame:
        return algebra.times(negated(algebra, condition), b)
    for value, other, first in ((a, b, True), (b, a, False)):
        if value_of(other.term) == 0 and value.term.head == "prod" and value.term.data != 1:
            number = value.term.data
            inner = algebra.scaled(1 / number, value)
            chosen = algebra.fn("where", [condition, inner, other] if first else [condition, other, inner])
            return algebra.scaled(number, chosen)
    return None


_OPPOSITE = {"gt": "le", "le": "gt", "lt": "ge", "ge": "lt", "eq": "ne", "ne": "eq"}


def negated(algebra: Algebra, condition: Open) -> Open:
    """The opposite of a condition. (A comparison with NaN has none, but neither has the derivative.)"""
    known = value_of(condition.term)
    if known is not None:
        return algebra.number(0 if known else 1)
    if condition.term.head == "fn" and condition.term.data[0] in _OPPOSITE:
        args = [Open(f.term, tuple([condition.labels[k] for k in f.labels])) for f in condition.term.args]
        return algebra.fn(_OPPOSITE[condition.term.data[0]], args)
    return algebra.fn("bitwise_not", [condition])


_MIRRORED = {"gt": "lt", "lt": "gt", "ge": "le", "le": "ge"}


def comparison(name: str) -> Any:
    """relu(x) > 0 where x > 0; 1 - x > 0 where x < 1."""

    def rule(algebra: Algebra, a: Open, b: Open) -> Open | None:
        if value_of(b.term) != 0:
            return None
        if name == "gt" and a.term.head == "fn" and a.term.data[0] == "relu":
            return algebra.fn(name, [_argument(Factor(*a, ONE)), b])
        if a.term.head == "prod" and a.term.data != 1 and value_of(a.term) is None:
            return algebra.fn(name if a.term.data > 0 else _MIRRORED[name], [algebra.scaled(1 / a.term.data, a), b])
        if a.term.head != "add" or len(a.term.args) != 2:
            return None
        # With a factor in front, the other side would be a fraction, which is rounded.
        first, second = sorted(placed(a.term, a.labels, _never), key=lambda p: (value_of(p.term) is not None, -p.power))
        if abs(first.power) != 1 or (abs(second.power) != 1 and value_of(second.term) is None):
            return None
        other = algebra.scaled(-second.power * first.power, Open(second.term, second.labels))
        return algebra.fn(name if first.power > 0 else _MIRRORED[name], [Open(first.term, first.labels), other])

    return rule


def sign_rule(algebra: Algebra, u: Open) -> Open | None:
    """The sign of a positive multiple; sign(0) is 0."""
    number = value_of(u.term)
    if number is not None:
        return algebra.number((number > 0) - (number < 0))
    if u.term.head == "prod" and u.term.data not in (1, -1):
        size = abs(u.term.data)
        return algebra.fn("sign", [algebra.scaled(1 / size, u)])
    return None


def even(name: str) -> Any:
    """f(-x) is f(x)."""

    def rule(algebra: Algebra, u: Open) -> Open | None:
        return algebra.fn(name, [algebra.scaled(-1, u)]) if u.term.head == "prod" and u.term.data < 0 else None

    return rule


def odd(name: str) -> Any:
    """f(-x) is -f(x)."""

    def rule(algebra: Algebra, u: Open) -> Open | None:
        if value_of(u.term) == 0:
            return algebra.number(0)
        if u.term.head == "prod" and u.term.data < 0:
            return algebra.scaled(-1, algebra.fn(name, [algebra.scaled(-1, u)]))
        return None

    return rule


#: Tried in every product, until none applies.
FACTOR_RULES = (
    logistic,
    exp_times_sigmoid,
    exponentials,
    indicator_powers,
    chosen_once,
    whole_softmax,
    softmax_quotient,
    inverse_cancels,
    absolute_value,
    root_of_squares,
    total_over_itself,
    summed_apart,
    divided,
    unnested,
)

#: Tried in every sum, until none applies.
SUM_RULES = (exp_of_expm1, expanded, on_one_denominator)

#: By the name of the function.
FUNCTION_RULES: dict[str, Any] = {
    "exp": exp_rule,
    "log": log_rule,
    "where": where_rule,
    "sign": sign_rule,
    **{name: comparison(name) for name in _MIRRORED},
    "cos": even("cos"),
    "cosh": even("cosh"),
    **{name: odd(name) for name in ("sin", "tan", "sinh", "tanh", "asin", "atan", "asinh", "atanh", "erf")},
}
