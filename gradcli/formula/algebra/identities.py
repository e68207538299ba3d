"""Identities by which formulas become shorter: one function a row, listed in tables at the end."""

from __future__ import annotations

from fractions import Fraction

from gradcli.formula.algebra import polynomials
from gradcli.formula.algebra.algebra import Algebra
from gradcli.formula.algebra.functions_of_terms import along, argument, exponentials_along, is_function, is_indicator
from gradcli.formula.algebra.polynomials import Found, left_of, lengths_lost
from gradcli.formula.algebra.terms import ONE, Factor, Open, WholeArg, placed, value_of
from gradcli.ops.activation import sigmoid, softmax
from gradcli.ops.elementwise import abs_, exp, expm1, sign
from gradcli.ops.linalg import inv
from gradcli.ops.reduce import norm

# Products -------------------------------------------------------------------------------------------------------------


def _one_plus_exp(factor: Factor) -> Factor | None:
    """The exp(u) of a factor 1 + exp(u)."""
    if factor.term.head != "add" or len(factor.term.args) != 2:
        return None
    parts = placed(factor.term, factor.labels)
    one = next((p for p in parts if value_of(p.term) == 1 and p.power == 1), None)
    power = next((p for p in parts if is_function(p, exp) and p.power == 1), None)
    return power if one is not None else None


def logistic(algebra: Algebra, factors: list[Factor], free: set[int]) -> Found:
    """1/(1 + exp(u)) is sigmoid(-u)."""
    for k, factor in enumerate(factors):
        if factor.power < 0 and factor.power.denominator == 1:
            exponential = _one_plus_exp(factor)
            if exponential is not None:
                s = algebra.fn(sigmoid.name, [algebra.scaled(-1, argument(exponential))])
                return ONE, [*factors[:k], *factors[k + 1 :], Factor(*s, -factor.power)]
    return None


def exp_times_sigmoid(algebra: Algebra, factors: list[Factor], free: set[int]) -> Found:
    """exp(u)*sigmoid(-u) is sigmoid(u)."""
    table = {(f.term, f.labels): k for k, f in enumerate(factors) if is_function(f, sigmoid)}
    # Without one to go with, the arguments are not looked into: they may be exponentials, of exponentials, and so on.
    for k, factor in enumerate(factors if table else ()):
        if is_function(factor, exp) and factor.power > 0:
            u = argument(factor)
            other = algebra.fn(sigmoid.name, [algebra.scaled(-1, u)])
            at = table.get((other.term, other.labels))
            if at is not None and factors[at].power >= factor.power:
                rest = [f for i, f in enumerate(factors) if i not in (k, at)]
                s = algebra.fn(sigmoid.name, [u])
                return ONE, [*rest, Factor(*s, factor.power), *left_of(factors[at], factor.power)]
    return None


def exponentials(algebra: Algebra, factors: list[Factor], free: set[int]) -> Found:
    """A negative power of exp(u) is exp(-u); exp(u)*exp(-u) is 1."""
    table = {(f.term, f.labels): f for f in factors if is_function(f, exp)}
    for k, factor in enumerate(factors):
        if is_function(factor, exp) and factor.power < 0:
            e = algebra.fn(exp.name, [algebra.scaled(factor.power, argument(factor))])
            return ONE, [*factors[:k], *factors[k + 1 :], Factor(*e, ONE)]
        if is_function(factor, exp) and len(table) > 1:
            opposite = algebra.fn(exp.name, [algebra.scaled(-1, argument(factor))])
            other = table.get((opposite.term, opposite.labels))
            if other is not None and other.power > 0:
                rest = [f for f in factors if f is not factor and f is not other]
                times = min(factor.power, other.power)
                rest += [*left_of(factor, times), *left_of(other, times)]
                return ONE, [*rest, *lengths_lost(algebra, factors, rest, free)]
    return None


def absolute_value(algebra: Algebra, factors: list[Factor], free: set[int]) -> Found:
    """x*sign(x) is abs(x)."""
    table = {(f.term, f.labels): f for f in factors}
    for factor in factors:
        if is_function(factor, sign) and factor.power == 1:
            u = argument(factor)
            other = table.get((u.term, u.labels))
            if other is not None and other.power >= 1:
                rest = [f for f in factors if f is not factor and f is not other]
                return ONE, [*rest, *left_of(other, ONE), Factor(*algebra.fn(abs_.name, [u]), ONE)]
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
            size = algebra.intern("call", (norm.name, settings), (whole,), tuple([x.sizes[i] for i in kept]))
            names = tuple([factor.labels[own[i]] for i in kept])
            return ONE, [*factors[:k], *factors[k + 1 :], Factor(size, names, 2 * factor.power)]
    return None


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
        if is_function(factor, softmax) and factor.power == 1:
            label = factor.labels[dict(factor.term.data[1])["dim"]]
            if label not in free and sum(f.labels.count(label) for f in factors) == 1:
                return ONE, _dropped(algebra, factors, k, free, label)
    return None


def softmax_quotient(algebra: Algebra, factors: list[Factor], free: set[int]) -> Found:
    """exp(x)/sum(exp(x), dim) is softmax(x, dim)."""
    for total in factors:
        dim = exponentials_along(total.term)
        if dim is None or total.power >= 0 or total.power.denominator != 1:
            continue
        ((exponential, own, _),) = total.term.args
        outer = tuple([total.labels[k] for k in own if k < total.term.rank])
        for factor in factors:
            names = factor.labels
            if factor.term is exponential and factor.power > 0 and (*names[:dim], *names[dim + 1 :]) == outer:
                quotient = along(algebra, softmax, dim, exponential, exponential.sizes)
                times = min(factor.power, -total.power)
                rest = [f for f in factors if f is not factor and f is not total]
                left = [*left_of(factor, times), *left_of(total, -times)]
                return ONE, [*rest, *left, Factor(quotient, names, times)]
    return None


def inverse_cancels(algebra: Algebra, factors: list[Factor], free: set[int]) -> Found:
    """A matrix times its inverse is the identity."""
    for k, factor in enumerate(factors):
        term, labels, power = factor
        if not is_function(factor, inv) or power != 1 or term.rank != 2:
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


def exp_of_expm1(algebra: Algebra, addends: list[Factor]) -> list[tuple[Fraction, Open]] | None:
    """expm1(u) + 1 is exp(u)."""
    one = next((p for p in addends if value_of(p.term) == 1), None)
    for part in addends:
        if one is not None and is_function(part, expm1) and part.power == one.power:
            rest = [(p.power, Open(p.term, p.labels)) for p in addends if p is not part and p is not one]
            return [*rest, (one.power, algebra.fn(exp.name, [argument(part)]))]
    return None


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
    polynomials.total_over_itself,
    polynomials.summed_apart,
    polynomials.divided,
    polynomials.unnested,
)

#: Tried in every sum, until none applies.
SUM_RULES = (exp_of_expm1, polynomials.expanded, polynomials.on_one_denominator)
