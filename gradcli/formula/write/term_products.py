"""Products of terms as forms: numbers in front, fractions, diagonal matrices, outer products."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import reduce

from gradcli.formula.algebra.terms import ONE, Factor, Labels, Term, value_of
from gradcli.formula.write.contraction import Contraction, Item, ItemPower, complexity
from gradcli.formula.write.dimensions import DimensionWriter
from gradcli.formula.write.forms import Form, is_decimal
from gradcli.language.kinds import BOOLEAN, EXACT, NUMBER, REAL
from gradcli.ops.diagonal import diag, diagonal
from gradcli.ops.matmul import outer

_Side = list[tuple[Labels, Form]]


class ProductWriter:
    """Writes products of terms, sums over labels among them."""

    def __init__(self, known: DimensionWriter) -> None:
        self.known = known
        self.forms = known.forms

    def write(self, term: Term, order: Labels, number: Fraction) -> Form:
        """A number times a product."""
        number *= term.data
        dims = [f for f in term.args if f.term.head == "dim"]
        factors = [f for f in term.args if f.term.head != "dim"]
        eye = next((f for f in factors if f.term.head == "eye"), None)
        if eye is not None and len(order) == 2 and len(factors) > 1:
            found = self._on_diagonal(number, [f for f in term.args if f is not eye], eye, order)
            if found is not None:
                return found
        turned = max((f for f in factors if _turns(f)), key=_turns, default=None) if number < 0 else None
        entries = [ItemPower(self._item(f, -ONE if f is turned else ONE), f.power) for f in factors]
        sizes = {k: n for f in factors for k, n in zip(f.labels, f.term.sizes, strict=True)}
        contraction = Contraction(self.known, self.multiply, set(order), sizes)
        contracted, dims = self._means(contraction.contracted(entries), dims)
        return self.multiply(-number if turned else number, [*contracted, *self._size_entries(dims)], order)

    def _on_diagonal(self, number: Fraction, factors: list[Factor], eye: Factor, order: Labels) -> Form | None:
        """A vector times the identity matrix as a diagonal matrix."""
        keep, gone = eye.labels
        moved = [Factor(t, tuple([keep if k == gone else k for k in own]), p) for t, own, p in factors]
        if {k for f in moved for k in f.labels} != {keep} or set(order) != {keep, gone}:
            return None
        entries = [ItemPower(self._item(f, ONE), f.power) for f in moved if f.term.head != "dim"]
        entries += self._size_entries([f for f in moved if f.term.head == "dim"])
        return self.forms.call(diag.name, [self.multiply(number, entries, (keep,))])

    def _means(self, entries: list[ItemPower], dims: list[Factor]) -> tuple[list[ItemPower], list[Factor]]:
        """Sums that are divided by the number of their terms are means."""
        powers = {f.term: f.power for f in dims}
        result = []
        for item, power in entries:
            lengths = item.lengths
            if item.mean and power == 1 and lengths and all(powers.get(n, 0) <= -lengths.count(n) for n in lengths):
                for n in lengths:
                    powers[n] += 1
                item = Item(item.natural, item.mean)
            result.append(ItemPower(item, power))
        return result, [Factor(t, (), p) for t, p in powers.items() if p]

    def _item(self, factor: Factor, sign: Fraction) -> Item:
        """A factor as an item; where it has a label twice, its diagonal."""
        term, labels, _ = factor
        if len(set(labels)) == len(labels):
            return Item(labels, lambda order: self.known.get(term, [labels.index(k) for k in order], sign))
        twice = next(k for k in labels if labels.count(k) > 1)
        places = [k for k, label in enumerate(labels) if label == twice]
        rest = [k for k in range(len(labels)) if k not in places]
        natural = (*[labels[k] for k in rest], twice)

        def make(order: Labels) -> Form:
            f = self.forms
            form = self.known.get(term, [*rest, *places], sign)
            dims = [] if len(labels) == 2 else [f.number(0), f.number(-2), f.number(-1)]
            return f.transposed(f.call(diagonal.name, [form, *dims], form.kind), [natural.index(k) for k in order])

        return Item(natural, make)

    def _size_entries(self, dims: list[Factor]) -> list[ItemPower]:
        entries: list[tuple[Callable[..., Form], Fraction]] = []
        for sign in (ONE, -ONE):
            side = [(f.term, sign * f.power) for f in dims if sign * f.power > 0]
            whole = self.known.lengths([term for term, power in side for _ in range(int(power))])
            entries += [(lambda order, form=form: form, sign) for form in whole]
            entries += [(lambda order, t=t: self.known.get(t, ()), sign * (p % 1)) for t, p in side if p % 1]
        return [ItemPower(Item((), make), power) for make, power in entries]

    # Element by element -----------------------------------------------------------------------------------------------

    def multiply(self, number: Fraction, entries: list[ItemPower], order: Labels) -> Form:
        """A number times entries, element by element, in the shape of `order`."""
        f, real = self.forms, self.known.as_real
        above, below = self._sides(entries, order)
        size = abs(number)
        if is_decimal(size) and size.denominator != 1:
            top, bottom = f.number(size), f.number(1)
        else:
            top, bottom = f.number(size.numerator), f.number(size.denominator)
        exact = above and all(x.kind in (BOOLEAN, EXACT, NUMBER) for _, x in above)
        spread = [bool(k) for k, x in (*above, *below) if x.kind == REAL]
        if spread and not any(spread):
            # The language makes eye(n) float32, also where it is multiplied with a number of another dtype.
            above = [(k, real(x) if self.known.is_default(x) else x) for k, x in above]
        inexact = any(x.kind == REAL for _, x in below)
        if exact and not inexact and (below or size.denominator != 1):
            above = [(k, real(x)) for k, x in above]
        if not above and below and not inexact:
            below = [(k, real(x)) for k, x in below]
        above, below = self._outer(above, below, order) or (above, below)
        upper = self._chain([top, *self._spread(above, order)])
        lower = self._chain([bottom, *self._spread(below, order)])
        result = f.div(upper, lower)
        return f.neg(result) if number < 0 else result

    def _sides(self, entries: list[ItemPower], order: Labels) -> tuple[_Side, _Side]:
        """The factors above and below the fraction bar with their labels, in the order of writing."""
        f = self.forms
        sides: tuple[dict[tuple[Labels, Form], Fraction], dict[tuple[Labels, Form], Fraction]] = ({}, {})
        for item, power in entries:
            own = tuple([k for k in order if k in item.natural])
            side = sides[power < 0]
            key = own, item.make(own)
            side[key] = side.get(key, Fraction(0)) + abs(power)
        written = []
        for side in sides:
            ranked = sorted(side.items(), key=lambda entry: (bool(entry[0][0]), *complexity(entry[0][1])))
            written.append([(own, f.power(form, power)) for (own, form), power in ranked])
        return written[0], written[1]

    def _chain(self, factors: list[Form]) -> Form:
        """A number times factors; real ones first, since a fraction of an integer is rounded to float32."""
        number, *rest = factors
        return reduce(self.forms.mul, sorted(rest, key=lambda form: form.kind in (BOOLEAN, EXACT)), number)

    def _spread(self, side: _Side, order: Labels) -> list[Form]:
        """Factors of equal labels together, broadcast to the whole order."""
        groups: dict[Labels, list[Form]] = {}
        for own, form in side:
            groups.setdefault(own, []).append(form)
        rank = len(order)
        result = []
        for own, forms in groups.items():
            missing = [i for i, k in enumerate(order) if k not in own]
            last = next((i for i in range(rank) if i not in missing), rank)
            if own and any(i > last for i in missing):
                result.append(self.forms.with_axes(self._chain(forms), missing, rank))
            else:
                result += forms
        return result

    def _outer(self, above: _Side, below: _Side, order: Labels) -> tuple[_Side, _Side] | None:
        """Products of two vectors along different axes as outer(u, v)."""
        f = self.forms
        if len(order) != 2 or {own for own, _ in (*above, *below) if own} != {order[:1], order[1:]}:
            return None
        vectors = []
        for own in (order[:1], order[1:]):
            top = self._chain([f.number(1), *[x for k, x in above if k == own]])
            bottom = self._chain([f.number(1), *[x for k, x in below if k == own]])
            vectors.append(f.div(top, bottom))
            if top.kind == NUMBER:
                return None
        product = f.call(outer.name, vectors, EXACT if all(v.kind != REAL for v in vectors) else REAL)
        return [*[x for x in above if not x[0]], (order, product)], [x for x in below if not x[0]]


def _turns(factor: Factor) -> int:
    """How well a minus goes into a factor and takes one away there: 1 - x instead of -(x - 1)."""
    if factor.term.head != "add" or factor.power.denominator != 1 or factor.power % 2 == 0:
        return 0
    signs = [p.power < 0 for p in factor.term.args]
    numbers = any(value_of(p.term) is not None for p in factor.term.args)
    return 0 if not any(signs) or abs(factor.power) != 1 else 2 if numbers else 1
