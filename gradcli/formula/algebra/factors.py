"""Products of terms: numbers multiplied, equal factors gathered, sums over labels carried out where that is easy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

from gradcli.errors import GradcliError
from gradcli.formula.algebra.terms import IN_NUMBERS, ONE, ZERO, Factor, Labels, Open, Size, Term, placed, value_of

# The longest textbook formulas take a thirtieth of this, which is some seconds.
_MOST_WORK = 60_000

#: A shorter product of the same value, as a number and factors, from the algebra, factors and the free labels.
Rule = Callable[[Any, list[Factor], set[int]], tuple[Fraction, list[Factor]] | None]


class Products:
    """Makes terms, each once, and products of them."""

    def __init__(self, factor_rules: Sequence[Rule]) -> None:
        self._known: dict[Any, Term] = {}
        self._labels = 0
        self._symmetric: dict[Term, bool] = {}
        self._factor_rules = factor_rules
        self._work = 0

    def fresh(self) -> int:
        """A label that nobody has."""
        self._labels += 1
        return self._labels

    def intern(self, head: str, data: Any = None, args: tuple[Any, ...] = (), sizes: tuple[Size, ...] = ()) -> Term:
        key = (head, data, args, sizes)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Term(head, data, args, sizes, len(self._known))
        return found

    def number(self, value: Any) -> Open:
        return Open(self.intern("prod", Fraction(value)), ())

    def size(self, length: Size) -> Open:
        """A length as a factor."""
        return self.number(length) if isinstance(length, int) else Open(length, ())

    # Products ---------------------------------------------------------------------------------------------------------

    def times(self, *opens: Open) -> Open:
        """The product at all labels of the factors."""
        return self.prod(ONE, [Factor(t, labels, ONE) for t, labels in opens], {k for o in opens for k in o.labels})

    def scaled(self, value: Any, term: Open) -> Open:
        return self.prod(Fraction(value), [Factor(*term, ONE)], set(term.labels))

    def power(self, base: Open, exponent: Any) -> Open:
        return self.prod(ONE, [Factor(*base, Fraction(exponent))], set(base.labels))

    def prod(self, number: Fraction, factors: Iterable[Factor], free: Iterable[int]) -> Open:
        """The product of a number and factors, summed over all labels that are not free."""
        free = set(free)
        flat: list[Factor] = []
        for factor in factors:
            number *= self._flatten(factor, flat)
        if not number:
            return self.number(0)
        for _ in range(1000):
            self._spend(len(flat))
            before = flat
            flat = self._merged(self._without_deltas(self._without_ones(flat, free), free), free)
            for rule in self._factor_rules:
                found = rule(self, flat, free)
                if found is not None:
                    number *= found[0]
                    flat = []
                    for factor in found[1]:
                        number *= self._flatten(factor, flat)
            if flat == before:
                break
        numbers = [f for f in flat if value_of(f.term) is not None and f.power.denominator == 1]
        whole = [f for f in numbers if f.term.data or f.power > 0]
        for factor in whole:
            number *= factor.term.data ** int(factor.power)
        return self.product(number, [f for f in flat if f not in whole] if whole else flat, free)

    def _spend(self, factors: int) -> None:
        """Count the factors that are looked at: long products of long products would take hours."""
        self._work += factors + 1
        if self._work > _MOST_WORK:
            raise too_long()

    def _flatten(self, factor: Factor, into: list[Factor]) -> Fraction:
        """Append the factors that a factor consists of, and give the number that comes out of it."""
        term, labels, power = factor
        if term.head != "prod":
            into.append(factor)
            return ONE
        if power.denominator != 1:
            return self._flatten_root(factor, into)
        bound = any(k >= term.rank for f in term.args for k in f.labels)
        if bound and power != 1:
            number = term.data ** int(power)
            bare = term if term.data == 1 else self.intern("prod", ONE, term.args, term.sizes)
            into.append(Factor(bare, labels, power))
            return Fraction(number)
        if not term.data and power < 0:
            # 1/0 stays what it is.
            into.append(Factor(self.intern("const", "inf"), (), ONE))
            return ONE
        into += [Factor(t, own, exponent * power) for t, own, exponent in placed(term, labels, self.fresh)]
        return Fraction(term.data ** int(power))

    def _flatten_root(self, factor: Factor, into: list[Factor]) -> Fraction:
        """Roots of products: only what is certainly positive comes out."""
        term, labels, power = factor
        if len(term.args) == 1 and term.data == 1:
            (inner, own, exponent) = term.args[0]
            # (x**inner)**outer is x**(inner*outer) for every outer where no sign is lost.
            nests = exponent.denominator != 1 or exponent.numerator % 2 == 1
            if nests and not any(k >= term.rank for k in own):
                into.append(Factor(inner, tuple([labels[k] for k in own]), exponent * power))
                return ONE
        root = _exact_root(term.data, power)
        outer = [f for f in term.args if f.term.head == "dim"]
        if root is None and not outer or not term.args:
            if root is not None:
                return root
            into.append(factor)
            return ONE
        rest = [f for f in placed(term, labels, self.fresh) if f.term.head != "dim"]
        inside = self.product(ONE if root is not None else term.data, rest, set(labels))
        into.append(Factor(*inside, power))
        into.extend(Factor(f.term, (), f.power * power) for f in outer)
        return root if root is not None else ONE

    def _merged(self, factors: list[Factor], free: set[int]) -> list[Factor]:
        """Powers of equal factors added. Where one cancels, a sum over its label counts the places."""
        powers: dict[tuple[Term, Labels], Fraction] = {}
        for term, labels, power in factors:
            powers[term, labels] = powers.get((term, labels), ZERO) + power
        if len(powers) == len(factors) and all(powers.values()):
            return factors
        result = [Factor(term, labels, power) for (term, labels), power in powers.items() if power]
        used = free.union(*[f.labels for f in result])
        lost = {k: n for f in factors for k, n in zip(f.labels, f.term.sizes, strict=True) if k not in used}
        return [*result, *(Factor(self.size(n).term, (), ONE) for n in lost.values())]

    def _without_ones(self, factors: list[Factor], free: set[int]) -> list[Factor]:
        """Ones only keep an axis that nothing else has; summed over, they count its places."""
        if not any(f.term.head == "ones" for f in factors):
            return factors
        result = [f for f in factors if f.term.head != "ones"]
        used = {k for f in result for k in f.labels}
        for term, labels, _ in dict.fromkeys(f for f in factors if f.term.head == "ones"):
            if labels[0] in used:
                continue
            used.update(labels)
            one = Factor(term, labels, ONE)
            result.append(one if labels[0] in free else Factor(self.size(term.sizes[0]).term, (), ONE))
        return result

    def _without_deltas(self, factors: list[Factor], free: set[int]) -> list[Factor]:
        """Sums over an identity matrix carried out, by renaming a label."""
        if not any(f.term.head == "eye" for f in factors):
            return factors
        result = list(factors)
        k = 0
        while k < len(result):
            term, labels, power = result[k]
            if term.head != "eye":
                k += 1
            elif labels[0] == labels[1]:
                del result[k]
                if labels[0] not in free and not any(labels[0] in f.labels for f in result):
                    result.append(Factor(self.size(term.sizes[0]).term, (), ONE))
            elif all(label in free for label in labels):
                # Any power of ones and zeros is the same.
                result[k] = Factor(term, (min(labels), max(labels)), ONE)
                k += 1
            else:
                old, new = labels if labels[0] not in free else labels[::-1]
                del result[k]
                result = [Factor(t, tuple([new if i == old else i for i in own]), p) for t, own, p in result]
                k = 0
        return result

    def product(self, number: Fraction, factors: list[Factor], free: set[int]) -> Open:
        """The normal form: factors sorted, labels numbered as they occur, own axes first."""
        if len(factors) == 1 and number == 1 and factors[0].power == 1:
            (term, labels, _) = factors[0]
            if len(set(labels)) == len(labels) and free.issuperset(labels):
                return Open(term, labels)
        ordered = in_order_of_terms(factors, free)
        term, labels = self.at_labels("prod", number, ordered, free)
        if len(labels) == 2 and labels[0] > labels[1] and self._is_symmetric(term):
            labels = labels[::-1]
        return Open(term, labels)

    def at_labels(self, head: str, data: Any, parts: Sequence[Factor], free: set[int] | None = None) -> Open:
        """A term of parts at labels; the `free` ones, or else all, are its axes, in the order in which they occur."""
        met = dict.fromkeys(k for p in parts for k in p.labels)
        labels = tuple([k for k in met if free is None or k in free])
        place = {label: k for k, label in enumerate((*labels, *(k for k in met if k not in labels)))}
        sizes = {k: n for p in parts for k, n in zip(p.labels, p.term.sizes, strict=True)}
        args = tuple([Factor(p.term, tuple([place[k] for k in p.labels]), p.power) for p in parts])
        return Open(self.intern(head, data, args, tuple([sizes[k] for k in labels])), labels)

    def _is_symmetric(self, term: Term) -> bool:
        """Whether a product is its own transpose, as far as renaming shows that."""
        known = self._symmetric.get(term)
        if known is None:
            swapped = [Factor(f.term, tuple([1 - k if k < 2 else k for k in f.labels]), f.power) for f in term.args]
            known = term.sizes[0] == term.sizes[1] and sorted(swapped, key=_key) == sorted(term.args, key=_key)
            self._symmetric[term] = known
        return known


def too_long() -> GradcliError:
    return GradcliError("the derivative is too long for a formula", hint=IN_NUMBERS)


def _exact_root(number: Fraction, power: Fraction) -> Fraction | None:
    """A positive number to a power, where that is a fraction again."""
    if number == 1:
        return ONE
    if number <= 0 or power.denominator != 2:
        return None
    top, bottom = math.isqrt(number.numerator), math.isqrt(number.denominator)
    if top * top != number.numerator or bottom * bottom != number.denominator:
        return None
    return Fraction(top, bottom) ** power.numerator


def _key(factor: Factor) -> tuple[int, Labels, Fraction]:
    return factor.term.serial, factor.labels, factor.power


def in_order_of_terms(factors: list[Factor], free: set[int]) -> list[Factor]:
    """In an order that does not depend on how labels are called, as far as that is easily had."""
    if len(factors) < 2:
        return factors
    seen: dict[int, list[tuple[int, Fraction, int]]] = {}
    for f in factors:
        for k, label in enumerate(f.labels):
            seen.setdefault(label, []).append((f.term.serial, f.power, k))
    signs = {label: (label not in free, sorted(places)) for label, places in seen.items()}
    return sorted(factors, key=lambda f: (f.term.serial, f.power, [signs[k] for k in f.labels]))
