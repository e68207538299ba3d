"""Identities of sums and quotients of polynomials; whatever is no sum or product is an indeterminate of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from gradcli.formula.algebra.algebra import Algebra
from gradcli.formula.algebra.terms import ONE, ZERO, Factor, Labels, Open, Term, placed

#: A term at labels, and its power; sorted, so that equal monomials are equal.
_Monomial = tuple[tuple[Term, Labels, int], ...]
_Polynomial = dict[_Monomial, Fraction]
Found = tuple[Fraction, list[Factor]] | None
Sum = list[tuple[Fraction, Open]]

# Larger ones are not looked at: what comes of them is no formula to read.
_MOST_TERMS = 40
_HIGHEST_POWER = 6
_DEEPEST = 4
_MOST_MATCHED = 8


class _TooLargeError(Exception):
    """A polynomial that has too many terms."""


def _times(a: _Polynomial, b: _Polynomial) -> _Polynomial:
    result: _Polynomial = {}
    if len(a) * len(b) > _MOST_TERMS**2:
        raise _TooLargeError
    for x, p in a.items():
        for y, q in b.items():
            key = _merged(x, y)
            result[key] = result.get(key, ZERO) + p * q
    return _small(result)


def _small(polynomial: _Polynomial) -> _Polynomial:
    result = {monomial: number for monomial, number in polynomial.items() if number}
    if len(result) > _MOST_TERMS:
        raise _TooLargeError
    return result


def _merged(a: _Monomial, b: _Monomial, sign: int = 1) -> _Monomial:
    powers = {(term, labels): power for term, labels, power in a}
    for term, labels, power in b:
        powers[term, labels] = powers.get((term, labels), 0) + sign * power
    merged = [(term, labels, power) for (term, labels), power in powers.items() if power]
    return tuple(sorted(merged, key=lambda entry: (entry[0].serial, entry[1])))


def _sum_of(algebra: Algebra, addends: Sequence[Factor], depth: int = 0) -> _Polynomial:
    """A sum of addends, whose "powers" are the numbers in front, multiplied out."""
    if depth > _DEEPEST or len(addends) > _MOST_TERMS:
        raise _TooLargeError
    total: _Polynomial = {}
    for term, labels, number in addends:
        for monomial, p in _product_of(algebra, term, labels, depth).items():
            total[monomial] = total.get(monomial, ZERO) + p * number
    return _small(total)


def _product_of(algebra: Algebra, term: Term, labels: Labels, depth: int = 0) -> _Polynomial:
    """A term multiplied out; a sum of products over labels of its own is an indeterminate."""
    if term.head == "add":
        return _sum_of(algebra, placed(term, labels, algebra.fresh), depth + 1)
    if term.head != "prod":
        return {((term, labels, 1),): ONE}
    result: _Polynomial = {(): term.data}
    inner = placed(term, labels, algebra.fresh)
    bound = [f for f in inner if not set(f.labels) <= set(labels)]
    if bound:
        linked = algebra.prod(ONE, bound, set(labels))
        result = {((linked.term, linked.labels, 1),): term.data}
    for factor in inner:
        if factor in bound:
            continue
        if factor.power.denominator != 1 or abs(factor.power) > _HIGHEST_POWER:
            raise _TooLargeError
        power = int(factor.power)
        if factor.term.head == "add" and power > 0:
            base = _product_of(algebra, factor.term, factor.labels, depth)
            for _ in range(power):
                result = _times(result, base)
        else:
            result = _times(result, {((factor.term, factor.labels, power),): ONE})
    return result


def _sum(algebra: Algebra, polynomial: _Polynomial) -> Sum:
    result = []
    for monomial, number in polynomial.items():
        factors = [Factor(term, labels, Fraction(power)) for term, labels, power in monomial]
        result.append((number, algebra.prod(ONE, factors, {k for f in factors for k in f.labels})))
    return result


def _quotient(a: _Polynomial, b: _Polynomial) -> _Polynomial | None:
    """a/b where there is no remainder."""
    names = sorted(
        {(term, labels) for side in (a, b) for m in side for term, labels, _ in m},
        key=lambda name: (name[0].serial, name[1]),
    )

    def degrees(monomial: _Monomial) -> list[int]:
        powers = {(term, labels): power for term, labels, power in monomial}
        return [powers.get(name, 0) for name in names]

    leading = max(b, key=degrees)
    rest = dict(a)
    result: _Polynomial = {}
    for _ in range(_MOST_TERMS):
        if not rest:
            return result
        top = max(rest, key=degrees)
        step = _merged(top, leading, -1)
        if any(power < 0 for _, _, power in step):
            return None
        number = rest[top] / b[leading]
        result[step] = number
        for monomial, p in _times(b, {step: number}).items():
            rest[monomial] = rest.get(monomial, ZERO) - p
        rest = _small(rest)
    return None


# Products -------------------------------------------------------------------------------------------------------------


def divided(algebra: Algebra, factors: list[Factor], free: set[int]) -> Found:
    """A sum that another one divides without a remainder: (x**2 - 1)/(x + 1) is x - 1."""
    sums = [f for f in factors if f.term.head == "add" and f.power.denominator == 1]
    bottoms = [f for f in sums if f.power < 0]
    for above in [f for f in sums if f.power > 0] if bottoms else ():
        for below in bottoms:
            for a, b, sign in ((above, below, 1), (below, above, -1)):
                found = _division(algebra, a, b)
                if found is not None:
                    times = min(above.power, -below.power)
                    rest = [f for f in factors if f is not above and f is not below]
                    parts = [Factor(*algebra.add(found), sign * times), *left_of(above, times), *left_of(below, -times)]
                    return ONE, [*rest, *parts, *lengths_lost(algebra, factors, [*rest, *parts], free)]
    return None


def left_of(factor: Factor, taken: Fraction) -> list[Factor]:
    """What is left of a factor without so many powers of it."""
    return [factor._replace(power=factor.power - taken)] if factor.power != taken else []


def _division(algebra: Algebra, a: Factor, b: Factor) -> Sum | None:
    try:
        above, below = (_product_of(algebra, f.term, f.labels) for f in (a, b))
        found = _quotient(above, below)
    except _TooLargeError:
        return None
    return None if found is None else _sum(algebra, found)


def lengths_lost(algebra: Algebra, before: list[Factor], after: list[Factor], free: set[int]) -> list[Factor]:
    """How many places a sum goes over, for labels that no factor has any more."""
    used = free.union(*[f.labels for f in after])
    lost = {k: n for f in before for k, n in zip(f.labels, f.term.sizes, strict=True) if k not in used}
    return [Factor(algebra.size(n).term, (), ONE) for n in lost.values()]


def unnested(algebra: Algebra, factors: list[Factor], free: set[int]) -> Found:
    """No fractions within a denominator: 1/(1/x**2 + 1) is x**2/(1 + x**2)."""
    for factor in factors:
        if factor.term.head != "add" or factor.power >= 0 or factor.power.denominator != 1:
            continue
        addends = placed(factor.term, factor.labels, algebra.fresh)
        lowest: dict[tuple[Term, Labels], Fraction] = {}
        for part in addends:
            if part.term.head == "prod":
                for f in placed(part.term, part.labels, algebra.fresh):
                    whole = f.power.denominator == 1 and f.term.head != "dim" and set(f.labels) <= {*part.labels}
                    if f.power < 0 and whole:
                        lowest[f.term, f.labels] = min(lowest.get((f.term, f.labels), ZERO), f.power)
        if lowest:
            by = [Factor(*key, -power) for key, power in lowest.items()]
            free_ = set(factor.labels)
            scaled = [(p.power, algebra.prod(ONE, [Factor(p.term, p.labels, ONE), *by], free_)) for p in addends]
            rest = [f for f in factors if f is not factor]
            inverse = [f._replace(power=-f.power * factor.power) for f in by]
            return ONE, [*rest, Factor(*algebra.add(scaled), factor.power), *inverse]
    return None


def total_over_itself(algebra: Algebra, factors: list[Factor], free: set[int]) -> Found:
    """A sum over labels divided by the same sum is 1: sum(x*y)/sum(x*y)."""
    for total in factors:
        inner = total.term.args
        if total.term.head != "prod" or total.power >= 0 or total.power.denominator != 1:
            continue
        if not inner or len(inner) > _MOST_MATCHED or all(k < total.term.rank for f in inner for k in f.labels):
            continue
        names = dict(enumerate(total.labels))
        matched = _matched(list(inner), factors, names, free)
        if matched is None:
            continue
        gone = {names[k] for f in inner for k in f.labels if k >= total.term.rank}
        rest = [f for f in factors if f is not total and not any(f is m for m in matched)]
        if not any(k in gone for f in rest for k in f.labels):
            rest += left_of(total, -ONE)
            return 1 / total.term.data, [*rest, *lengths_lost(algebra, factors, rest, free | gone)]
    return None


def summed_apart(algebra: Algebra, factors: list[Factor], free: set[int]) -> Found:
    """The sum of a sum, addend by addend, where that is shorter: sum(x - mean(x)) is 0."""
    for factor in factors:
        if factor.term.head != "add" or factor.power != 1 or free.issuperset(factor.labels):
            continue
        others = [f for f in factors if f is not factor]
        known = free.union(*[f.labels for f in others])
        if known.issuperset(factor.labels):
            continue
        kept = known.intersection(factor.labels)
        parts = []
        for term, own, number in placed(factor.term, factor.labels, algebra.fresh):
            lost = [n for k, n in zip(factor.labels, factor.term.sizes, strict=True) if k not in known and k not in own]
            counts = [Factor(algebra.size(n).term, (), ONE) for n in lost]
            parts.append((number, algebra.prod(ONE, [Factor(term, own, ONE), *counts], kept)))
        total = algebra.add(parts)
        if _leaves(total.term) < _leaves(factor.term):
            rest = [*others, Factor(*total, ONE)]
            return ONE, [*rest, *lengths_lost(algebra, others, rest, free)]
    return None


def _matched(wanted: list[Factor], factors: list[Factor], names: dict[int, int], free: set[int]) -> list[Factor] | None:
    """Factors that are the wanted ones, their own labels renamed; the names are put into the table."""
    found: list[Factor] = []
    for term, own, power in wanted:
        for factor in factors:
            if factor.term is not term or factor.power != power or any(factor is f for f in found):
                continue
            table = dict(zip(own, factor.labels, strict=True))
            new = [label for k, label in table.items() if k not in names]
            if all(names.get(k, label) == label for k, label in table.items()) and not free.intersection(new):
                names.update(table)
                found.append(factor)
                break
        else:
            return None
    return found


# Sums -----------------------------------------------------------------------------------------------------------------


def expanded(algebra: Algebra, addends: list[Factor]) -> Sum | None:
    """A sum multiplied out where that is shorter: s*(1 - t) - t*(1 - s) is s - t."""
    if not any(f.term.head == "add" for part in addends for f in _parts(algebra, part)):
        return None
    try:
        polynomial = _sum_of(algebra, addends)
    except _TooLargeError:
        return None
    before = sum(_size(part) for part in addends)
    if _cost(polynomial) >= before:
        return None
    result = _sum(algebra, polynomial)
    return result if sum(_size(Factor(*open_, number)) for number, open_ in result) < before else None


def _parts(algebra: Algebra, addend: Factor) -> list[Factor]:
    if addend.term.head == "prod":
        return placed(addend.term, addend.labels, algebra.fresh)
    return [addend._replace(power=ONE)]


def _cost(polynomial: _Polynomial) -> int:
    """How many names and numbers a polynomial is written with."""
    return sum(max(sum(_leaves(term) for term, _, _ in m) + (abs(n) != 1), 1) for m, n in polynomial.items())


def _size(addend: Factor, depth: int = 0) -> int:
    """How many names and numbers an addend is written with."""
    inner = addend.term.args if addend.term.head == "prod" else (addend,)
    return max(sum(_leaves(f.term, depth) for f in inner) + (abs(addend.power) != 1), 1)


def _leaves(term: Term, depth: int = 0) -> int:
    """Names and numbers in a term: whatever is no sum or product is one."""
    if term.head == "add" and depth < _DEEPEST:
        return sum(_size(part, depth + 1) for part in term.args)
    if term.head == "prod" and depth < _DEEPEST:
        return max(sum(_leaves(f.term, depth + 1) for f in term.args) + (abs(term.data) != 1), 1)
    return 1


def on_one_denominator(algebra: Algebra, addends: list[Factor]) -> Sum | None:
    """Fractions, those of sums above all, and what is no fraction, where the whole gets no longer."""
    opened = [_parts(algebra, part) for part in addends]
    lowest = _denominators(addends, opened)
    if not lowest:
        return None
    try:
        total: _Polynomial = {}
        bases = {name: _product_of(algebra, *name) for name in lowest}
        for part, factors in zip(addends, opened, strict=True):
            numerator: _Polynomial = {(): part.power * (part.term.data if part.term.head == "prod" else 1)}
            rest = [f for f in factors if f[:2] not in lowest]
            numerator = _times(numerator, _product_of(algebra, *algebra.prod(ONE, rest, set(part.labels))))
            for name, low in lowest.items():
                above = sum((f.power for f in factors if f[:2] == name), ZERO) - low
                if above.denominator != 1:
                    return None
                for _ in range(int(above)):
                    numerator = _times(numerator, bases[name])
            for monomial, p in numerator.items():
                total[monomial] = total.get(monomial, ZERO) + p
        total = _small(total)
    except _TooLargeError:
        return None
    numerator_ = algebra.add(_sum(algebra, total))
    below = [Factor(*name, power) for name, power in lowest.items()]
    free = {k for f in below for k in f.labels} | set(numerator_.labels)
    if len(total) > 1 and any(f.term.head != "add" for f in below):
        return None
    whole = algebra.prod(ONE, [Factor(*numerator_, ONE), *below], free)
    return [(ONE, whole)] if _leaves(whole.term) <= sum(_size(part) for part in addends) else None


def _denominators(addends: list[Factor], opened: list[list[Factor]]) -> dict[tuple[Term, Labels], Fraction]:
    """What addends are divided by, to the highest power of each; none where none of that is a sum."""
    lowest: dict[tuple[Term, Labels], Fraction] = {}
    known = {k for part in addends for k in part.labels}
    for factors in opened:
        for term, labels, power in factors:
            if power < 0 and term.head != "dim":
                if term.head == "prod" or not known.issuperset(labels) or power < -_HIGHEST_POWER:
                    return {}
                lowest[term, labels] = min(lowest.get((term, labels), ZERO), power)
    return lowest if any(term.head == "add" for term, _ in lowest) else {}
