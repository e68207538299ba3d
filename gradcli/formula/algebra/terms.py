"""Terms: formulas over numbered axes, in one normal form, so that equal ones are one object.

A term has axes 0, 1, …; only those it depends on, so that a broadcast axis is simply absent. In a product every factor
carries labels for its axes: a label below the product's rank is an axis of its own, any other is summed over. Matrix
products, transposes, sums, outer products and broadcasting are therefore all one thing, a product with labels, and
need no rules. While terms are put together, labels are arbitrary numbers: an `Open` is a term and a label per axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from gradcli.errors import GradcliError

Labels = tuple[int, ...]
#: A length: a number, or a term such as the length of an input's dimension.
Size = Any

ZERO, ONE = Fraction(0), Fraction(1)


class Term:
    """An immutable formula; equal ones are the same object. `serial` counts them, arguments before users.

    By head: "var" (data: name); "dim" (data: word of a length); "const" (data: constant); "eye"; "ones"; "prod" (data:
    number, args: factors); "add" (args: factors whose power is the number in front); "fn", element by element, and
    "call", on whole tensors (data: name and parameters; args: factors, or `Whole`s).
    `tame` terms are finite wherever their inputs are.
    """

    __slots__ = ("head", "data", "args", "sizes", "serial", "tame")

    def __init__(self, head: str, data: Any, args: tuple[Any, ...], sizes: tuple[Size, ...], serial: int, tame: bool):
        self.head = head
        self.data = data
        self.args = args
        self.sizes = sizes
        self.serial = serial
        self.tame = tame

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
    shape: tuple[Size, ...]


#: Functions that are finite for finite arguments.
_TAME = frozenset(
    {
        "sin",
        "cos",
        "tanh",
        "sigmoid",
        "relu",
        "sign",
        "abs",
        "gt",
        "ge",
        "lt",
        "le",
        "eq",
        "ne",
        "where",
        "maximum",
        "minimum",
        "clamp",
        "clamp_min",
        "clamp_max",
        "softsign",
        "erf",
        "atan",
        "bitwise_and",
        "bitwise_or",
        "bitwise_not",
        "logical_and",
        "logical_or",
        "logical_not",
        "softplus",
        "logsigmoid",
        "silu",
        "gelu",
        "elu",
        "leaky_relu",
        "hardtanh",
        "detach",
        "one_hot",
        "to",
        "floor",
        "ceil",
        "round",
        "trunc",
    }
)

#: What to do about a derivative without a formula.
IN_NUMBERS = "`gradcli eval`, with --jacobian or --hessian too, computes the derivative in numbers"
# The longest textbook formulas take a thirtieth of this, which is some seconds.
_MOST_WORK = 60_000

Rule = Callable[["Algebra", list[Factor], set[int]], "tuple[Fraction, list[Factor]] | None"]
SumRule = Callable[["Algebra", list[Factor]], "list[tuple[Fraction, Open]] | None"]


class Algebra:
    """Makes terms; holds each once. The rules are the tables of `gradcli.formula.algebra.identities`."""

    def __init__(
        self, factor_rules: Sequence[Rule] = (), function_rules: Any = None, sum_rules: Sequence[SumRule] = ()
    ) -> None:
        self._known: dict[Any, Term] = {}
        self._labels = 0
        self._symmetric: dict[Term, bool] = {}
        self._factor_rules = factor_rules
        self._function_rules = function_rules or {}
        self._sum_rules = sum_rules
        self._work = 0

    def fresh(self) -> int:
        """A label that nobody has."""
        self._labels += 1
        return self._labels

    def intern(self, head: str, data: Any = None, args: tuple[Any, ...] = (), sizes: tuple[Size, ...] = ()) -> Term:
        key = (head, data, args, sizes)
        found = self._known.get(key)
        if found is None:
            found = Term(head, data, args, sizes, len(self._known), _is_tame(head, data, args))
            self._known[key] = found
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
        whole = [
            f
            for f in flat
            if value_of(f.term) is not None and f.power.denominator == 1 and (f.term.data or f.power > 0)
        ]
        for factor in whole:
            number *= factor.term.data ** int(factor.power)
        return self._product(number, [f for f in flat if f not in whole] if whole else flat, free)

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
        names = list(labels)
        for inner, own, exponent in term.args:
            while own and max(own) >= len(names):
                names.append(self.fresh())
            into.append(Factor(inner, tuple([names[k] for k in own]), exponent * power))
        return Fraction(term.data ** int(power))

    def _flatten_root(self, factor: Factor, into: list[Factor]) -> Fraction:
        """Roots of products: only what is certainly positive comes out."""
        term, labels, power = factor
        if len(term.args) == 1 and term.data == 1 and _may_nest(term.args[0].power):
            (inner, own, exponent) = term.args[0]
            if not any(k >= term.rank for k in own):
                into.append(Factor(inner, tuple([labels[k] for k in own]), exponent * power))
                return ONE
        root = _exact_root(term.data, power)
        outer = [f for f in term.args if f.term.head == "dim"]
        if root is None and not outer or not term.args:
            if root is not None:
                return root
            into.append(factor)
            return ONE
        rest = [f for f in term.args if f.term.head != "dim"]
        names = list(labels)
        for _, own, _ in rest:
            while own and max(own) >= len(names):
                names.append(self.fresh())
        moved = [Factor(t, tuple([names[k] for k in own]), e) for t, own, e in rest]
        inside = self._product(ONE if root is not None else term.data, moved, set(labels))
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

    def _product(self, number: Fraction, factors: list[Factor], free: set[int]) -> Open:
        """The normal form: factors sorted, labels numbered as they occur, own axes first."""
        if len(factors) == 1 and number == 1 and factors[0].power == 1:
            (term, labels, _) = factors[0]
            if len(set(labels)) == len(labels) and free.issuperset(labels):
                return Open(term, labels)
        ordered = _sorted(factors, free)
        labels = tuple(dict.fromkeys(k for f in ordered for k in f.labels if k in free))
        bound = dict.fromkeys(k for f in ordered for k in f.labels if k not in free)
        place = {label: k for k, label in enumerate((*labels, *bound))}
        sizes = {k: n for f in ordered for k, n in zip(f.labels, f.term.sizes, strict=True)}
        args = tuple([Factor(f.term, tuple([place[k] for k in f.labels]), f.power) for f in ordered])
        term = self.intern("prod", number, args, tuple([sizes[k] for k in labels]))
        if len(labels) == 2 and labels[0] > labels[1] and self._is_symmetric(term):
            labels = labels[::-1]
        return Open(term, labels)

    def _is_symmetric(self, term: Term) -> bool:
        """Whether a product is its own transpose, as far as renaming shows that."""
        known = self._symmetric.get(term)
        if known is None:
            swapped = [Factor(f.term, tuple([1 - k if k < 2 else k for k in f.labels]), f.power) for f in term.args]
            known = term.sizes[0] == term.sizes[1] and sorted(swapped, key=_key) == sorted(term.args, key=_key)
            self._symmetric[term] = known
        return known

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
        ordered = _sorted(parts, free)
        content = _content(ordered)
        labels = tuple(dict.fromkeys(k for p in ordered for k in p.labels))
        place = {label: k for k, label in enumerate(labels)}
        sizes = {k: n for p in ordered for k, n in zip(p.labels, p.term.sizes, strict=True)}
        args = tuple([Factor(p.term, tuple([place[k] for k in p.labels]), p.power / content) for p in ordered])
        result = Open(self.intern("add", None, args, tuple([sizes[k] for k in labels])), labels)
        return result if content == 1 else self.scaled(content, result)

    def _addends(self, number: Fraction, term: Term, labels: Labels) -> list[Factor]:
        """A term as a sum of numbers times terms without a number."""
        if term.head == "prod" and term.data != 1:
            number *= term.data
            if not number:
                return []
            factors = [
                Factor(f.term, tuple([labels[k] if k < term.rank else -1 - k for k in f.labels]), f.power)
                for f in term.args
            ]
            term, labels = self._product(ONE, factors, set(labels))
        if term.head == "add" and abs(number) == 1:
            return [Factor(f.term, tuple([labels[k] for k in f.labels]), f.power * number) for f in term.args]
        return [Factor(term, labels, number)]

    def _without_common(self, parts: list[Factor]) -> tuple[list[Factor], list[Factor]]:
        """Factors that all addends have, and the addends without them."""
        tables: list[dict[tuple[Term, Labels], Fraction]] = []
        common: dict[tuple[Term, Labels], Fraction] | None = None
        for part in parts:
            table = _factors_of(part)
            tables.append(table)
            common = table if common is None else _shared(common, table)
            if not common:
                return [], parts
        assert common is not None
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
        rule = self._function_rules.get(name)
        if rule is not None:
            found: Open | None = rule(self, *args, *params)
            if found is not None:
                return found
        labels = tuple(dict.fromkeys(k for a in args for k in a.labels))
        place = {label: k for k, label in enumerate(labels)}
        sizes = {k: n for a in args for k, n in zip(a.labels, a.term.sizes, strict=True)}
        own = tuple([Factor(a.term, tuple([place[k] for k in a.labels]), ONE) for a in args])
        return Open(self.intern("fn", (name, params), own, tuple([sizes[k] for k in labels])), labels)


def too_long() -> GradcliError:
    return GradcliError("the derivative is too long for a formula", hint=IN_NUMBERS)


def value_of(term: Term) -> Fraction | None:
    """The number that a term is, if it is one."""
    return term.data if term.head == "prod" and not term.args else None


def placed(term: Term, labels: Labels, fresh: Callable[[], int]) -> list[Factor]:
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


def _is_tame(head: str, data: Any, args: tuple[Any, ...]) -> bool:
    if head == "prod":
        return all(f.term.tame and (f.power > 0 or f.term.head == "dim") for f in args)
    if head == "fn" and data[0] not in _TAME:
        return False
    if head == "call" and data[0] not in ("softmax", "sum", "select", "slice"):
        return False
    return all(a.term.tame for a in args) and data != "inf"


def _may_nest(inner: Fraction) -> bool:
    """Whether (x**inner)**outer is x**(inner*outer) for every outer: not where a sign is lost."""
    return inner.denominator != 1 or inner.numerator % 2 == 1


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


def _sorted(factors: list[Factor], free: set[int]) -> list[Factor]:
    """In an order that does not depend on how labels are called, as far as that is easily had."""
    if len(factors) < 2:
        return factors
    seen: dict[int, list[tuple[int, Fraction, int]]] = {}
    for f in factors:
        for k, label in enumerate(f.labels):
            seen.setdefault(label, []).append((f.term.serial, f.power, k))
    signs = {label: (label not in free, sorted(places)) for label, places in seen.items()}
    return sorted(factors, key=lambda f: (f.term.serial, f.power, [signs[k] for k in f.labels]))


def _factors_of(part: Factor) -> dict[tuple[Term, Labels], Fraction]:
    """The factors of an addend at its labels; labels that are summed over are negative."""
    if part.term.head != "prod":
        return {(part.term, part.labels): ONE}
    rank = part.term.rank
    return {
        (f.term, tuple([part.labels[k] if k < rank else -1 - k for k in f.labels])): f.power for f in part.term.args
    }


def _shared(
    a: dict[tuple[Term, Labels], Fraction], b: dict[tuple[Term, Labels], Fraction]
) -> dict[tuple[Term, Labels], Fraction]:
    result = {}
    for key, p in a.items():
        q = b.get(key)
        if q is None or p * q < 0 or any(k < 0 for k in key[1]):
            continue
        result[key] = min(p, q) if p > 0 else max(p, q)
    return result


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
