"""Sums of terms and functions of them, beside products: all that formulas are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import reduce
from typing import Any

from gradcli.formula.algebra.factors import Products, Rule, in_order_of_terms
from gradcli.formula.algebra.terms import ONE, ZERO, Factor, Labels, Open, Term, placed, value_of

#: A sum of the same value, from the algebra and the addends.
SumRule = Callable[[Any, list[Factor]], list[tuple[Fraction, Open]] | None]
#: What a function of that name with arguments and parameters is in a shorter form, None where there is none.
FunctionRule = Callable[[Any, str, Sequence[Open], tuple[Any, ...]], Open | None]
_Powers = dict[tuple[Term, Labels], Fraction]


class Algebra(Products):
    """Makes terms in their normal form. The rules are those of `gradcli.formula.algebra.identities`."""

    def __init__(self, factor_rules: Sequence[Rule], function_rule: FunctionRule, sum_rules: Sequence[SumRule]) -> None:
        super().__init__(factor_rules)
        self._function_rule = function_rule
        self._sum_rules = sum_rules

    # Sums -------------------------------------------------------------------------------------------------------------

    def add(self, addends: Iterable[tuple[Any, Open]]) -> Open:
        """The sum of numbers times terms, at all labels of the addends; what they have in common comes out."""
        total: dict[tuple[Term, Labels], Fraction] = {}
        for number, (term, labels) in addends:
            for inner, own, factor in self._addends(Fraction(number), term, labels):
                total[inner, own] = total.get((inner, own), ZERO) + factor
        parts = [Factor(term, labels, number) for (term, labels), number in total.items() if number]
        if not parts:
            return self.number(0)
        if len(parts) == 1:
            return self.scaled(parts[0].power, Open(parts[0].term, parts[0].labels))
        for rule in self._sum_rules:
            found = rule(self, parts)
            if found is not None:
                return self.add(found)
        common, parts = self._without_common(parts)
        if common:
            rest = self.add([(p.power, Open(p.term, p.labels)) for p in parts])
            free = {k for f in common for k in f.labels} | set(rest.labels)
            return self.prod(ONE, [*common, Factor(rest.term, rest.labels, ONE)], free)
        shared = self._shared_contraction(parts)
        if shared is not None:
            return shared
        free = {k for p in parts for k in p.labels}
        ordered = in_order_of_terms(parts, free)
        content = _content(ordered)
        result = self.at_labels("add", None, [p._replace(power=p.power / content) for p in ordered])
        return result if content == 1 else self.scaled(content, result)

    def _addends(self, number: Fraction, term: Term, labels: Labels) -> list[Factor]:
        """A term as a sum of numbers times terms without a number."""
        if term.head == "prod" and term.data != 1:
            number *= term.data
            if not number:
                return []
            factors = [Factor(*key, power) for key, power in _factors_of(Factor(term, labels, ONE)).items()]
            term, labels = self.product(ONE, factors, set(labels))
        if term.head == "add" and abs(number) == 1:
            return [Factor(f.term, tuple([labels[k] for k in f.labels]), f.power * number) for f in term.args]
        return [Factor(term, labels, number)]

    def _without_common(self, parts: list[Factor]) -> tuple[list[Factor], list[Factor]]:
        """Factors that all addends have, and the addends without them."""
        tables = [_factors_of(part) for part in parts]
        common = reduce(_shared, tables)
        if any(key[0].head == "eye" for table in tables for key in table):
            # A diagonal matrix is written as such: nothing is taken out of it.
            common = {key: p for key, p in common.items() if not key[1]}
        if not common:
            return [], parts
        rest = []
        for part, table in zip(parts, tables, strict=True):
            factors = [Factor(*key, p - common.get(key, ZERO)) for key, p in table.items()]
            open_ = self.prod(part.power, [f for f in factors if f.power], set(part.labels))
            rest.append(Factor(*open_, ONE))
        return [Factor(*key, p) for key, p in common.items()], rest

    def _shared_contraction(self, parts: list[Factor]) -> Open | None:
        """A@x + B@x as (A + B)@x: a factor that all addends sum over one label with."""
        if any(p.term.head != "prod" or len(p.term.args) < 2 for p in parts):
            return None
        opened = [placed(p.term, p.labels, self.fresh) for p in parts]
        free = {k for p in parts for k in p.labels}
        for candidate in opened[0]:
            fits = [self._same_but_one(candidate, factors, free) for factors in opened]
            if any(f is None for f in fits):
                continue
            place = self.fresh()
            rest = []
            for part, factors, fit in zip(parts, opened, fits, strict=True):
                assert fit is not None
                label = next(k for k in fit.labels if k not in free)
                left = [
                    Factor(t, tuple([place if k == label else k for k in own]), p)
                    for t, own, p in factors
                    if (t, own) != fit[:2]
                ]
                rest.append((part.power, self.prod(ONE, left, {*part.labels, place})))
            sizes = {abs(number) for number, _ in rest}
            content = sizes.pop() if len(sizes) == 1 else ONE
            inner = self.add([(number / content, part) for number, part in rest])
            if len(inner.labels) > max(2, *[f.term.rank for factors in opened for f in factors]):
                # Matrices of matrices are not easier to read.
                continue
            outer = Factor(candidate.term, tuple([k if k in free else place for k in candidate.labels]), ONE)
            return self.prod(content, [outer, Factor(*inner, ONE)], free)
        return None

    def _same_but_one(self, wanted: Factor, factors: list[Factor], free: set[int]) -> Factor | None:
        """The factor that is the wanted one but for the name of the one label that is summed over."""
        for factor in factors:
            if factor.term is not wanted.term or factor.power != 1 or wanted.power != 1:
                continue
            bound = [k for k in factor.labels if k not in free]
            if len(bound) != 1 or sum(bound[0] in f.labels for f in factors) < 2:
                continue
            if all(
                a == b or (a not in free and b not in free) for a, b in zip(factor.labels, wanted.labels, strict=True)
            ):
                return factor
        return None

    # Functions --------------------------------------------------------------------------------------------------------

    def fn(self, name: str, args: Sequence[Open], params: tuple[Any, ...] = ()) -> Open:
        """A function element by element, at all labels of its arguments."""
        found = self._function_rule(self, name, args, params)
        return found or self.at_labels("fn", (name, params), [Factor(*a, ONE) for a in args])


def _factors_of(part: Factor) -> _Powers:
    """The factors of an addend at its labels; labels that are summed over are negative."""
    if part.term.head != "prod":
        return {(part.term, part.labels): ONE}
    rank = part.term.rank
    return {
        (f.term, tuple([part.labels[k] if k < rank else -1 - k for k in f.labels])): f.power for f in part.term.args
    }


def _shared(a: _Powers, b: _Powers) -> _Powers:
    alike = {key: p for key, p in a.items() if p * b.get(key, ZERO) > 0 and all(k >= 0 for k in key[1])}
    return {key: min(p, b[key], key=abs) for key, p in alike.items()}


def _content(parts: list[Factor]) -> Fraction:
    """The number that comes out of a sum: what all have in common, with the sign of the number, or of the first."""
    numbers = [p.power for p in parts]
    size = ONE
    if len({abs(n) for n in numbers}) == 1:
        size = abs(numbers[0])
    elif all(n.denominator == 1 for n in numbers):
        size = Fraction(math.gcd(*[int(n) for n in numbers]))
    first = next((p.power for p in parts if value_of(p.term) is not None), numbers[0])
    return size if first > 0 else -size
