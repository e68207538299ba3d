"""From terms to forms: products with labels become matrix products, sums, outer products and plain arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from gradcli.formula.algebra.terms import ONE, Factor, Labels, NodeTerm, Size, Term, WholeArg, value_of
from gradcli.formula.write.forms import BOOLEAN, EXACT, NUMBER, REAL, Form, Forms, is_decimal
from gradcli.formula.write.spellings import CALLS, FUNCTIONS

_Key = tuple[Term, Labels, Fraction]
_LETTERS = "ijklmnpqrstuvwabcdefgh"


class Item(NamedTuple):
    """Something with labels that can be written with its axes in any order; `natural` is the order that costs least."""

    natural: Labels
    make: Callable[[Labels], Form]
    #: For a sum: the lengths that it goes over, and its mean.
    lengths: tuple[Size, ...] = ()
    mean: Callable[[Labels], Form] | None = None


class ItemPower(NamedTuple):
    """An item to a power."""

    item: Item
    power: Fraction

    @property
    def labels(self) -> frozenset[int]:
        return frozenset(self.item.natural)


class Arranger:
    """Writes terms as forms; nothing recurses over the depth of a term."""

    def __init__(self, shapes: Mapping[str, tuple[Size, ...]], real: str, kinds: Mapping[str, str]) -> None:
        self.forms = Forms()
        #: The shapes of the inputs, those first by which lengths are rather named; `real` is a floating-point one.
        self.shapes = dict(shapes)
        self.real = real
        self.kinds = kinds
        self._done: dict[_Key, Form] = {}
        self._missing: list[_Key] = []
        self._label_sizes: dict[int, Size] = {}
        self._placeholder = self.forms.make("name", "?")

    # Requests ---------------------------------------------------------------------------------------------------------

    def write(self, value: NodeTerm, shape: tuple[Size, ...], like: str | None = None) -> Form:
        """The form of a value in its full shape; `like` names an input of that shape."""
        while True:
            self._missing = []
            form = self.whole(WholeArg(value.term, value.axes, shape), like)
            if not self._missing:
                return form
            self._settle()

    def _settle(self) -> None:
        """Write what was missing, and what that needs in turn."""
        stack = self._missing
        while stack:
            key = stack[-1]
            if key in self._done:
                stack.pop()
                continue
            self._missing = []
            form = self._write(*key)
            if self._missing:
                stack.extend(self._missing)
            else:
                self._done[key] = form
                stack.pop()

    def get(self, term: Term, order: Sequence[int], number: Fraction = ONE) -> Form:
        """A number times a term, its axes in this order: noted as missing unless it was written before."""
        key = (term, tuple(order), number)
        found = self._done.get(key)
        if found is None:
            self._missing.append(key)
            return self._placeholder
        return found

    def _write(self, term: Term, order: Labels, number: Fraction) -> Form:
        if term.head == "prod":
            return self._product(term, order, number)
        if term.head == "add":
            return self._sum(term, order, number)
        if number != 1:
            entries = [ItemPower(Item(order, lambda o: self.get(term, o)), ONE)]
            return self._multiply(number, entries, order)
        if term.head == "fn":
            return self._function(term, order)
        native = self._leaf(term) if term.head != "call" else self._call(term)
        return native if term.head == "eye" else self.forms.transposed(native, order)

    def _leaf(self, term: Term) -> Form:
        f = self.forms
        if term.head == "var":
            return f.name(term.data, self.kinds.get(term.data, REAL))
        if term.head == "dim":
            return self._lengths([term])[0]
        if term.head == "ones":
            return f.call("ones", [self.size(term.sizes[0])], EXACT)
        if term.head == "eye":
            return f.call("eye", [self.size(term.sizes[0])], EXACT)
        if isinstance(term.data, str):
            return f.name(term.data, NUMBER)
        return self._array(*term.data)

    def _array(self, dtype: str, shape: tuple[int, ...], data: bytes) -> Form:
        """A list, innermost rows first."""
        f, array = self.forms, np.frombuffer(data, dtype).reshape(shape)
        if array.dtype.kind == "b":
            level = [f.name(str(bool(v)), NUMBER) for v in array.ravel()]
        elif array.dtype.kind == "f":
            level = [f.number(Fraction(str(v))) if np.isfinite(v) else f.name(str(v), NUMBER) for v in array.ravel()]
        else:
            level = [f.number(int(v)) for v in array.ravel()]
        for n in reversed(shape):
            level = [f.sequence(level[k : k + n]) for k in range(0, len(level), n or 1)] if n else [f.sequence([])]
        kind = BOOLEAN if array.dtype.kind == "b" else EXACT
        return f.make(level[0].op, level[0].arg, level[0].parts, kind)

    # Lengths ----------------------------------------------------------------------------------------------------------

    def size(self, length: Size) -> Form:
        """A length as a number."""
        return self.forms.number(length) if isinstance(length, int) else self.get(length, ())

    def _lengths(self, dims: list[Term]) -> list[Form]:
        """Lengths of inputs, several at once where that is all elements of one."""
        f = self.forms
        rest = list(dims)
        result = []
        while rest:
            for name, shape in self.shapes.items():
                if shape and all(rest.count(n) >= shape.count(n) for n in shape):
                    result.append(f.method(f.name(name, self.kinds.get(name, REAL)), "numel", (), NUMBER))
                    for n in shape:
                        rest.remove(n)
                    break
            else:
                name, axis = next((n, s.index(rest[0])) for n, s in self.shapes.items() if rest[0] in s)
                shape_of = f.attribute(f.name(name, self.kinds.get(name, REAL)), "shape", NUMBER)
                result.append(f.index(shape_of, [f.number(axis)], NUMBER))
                del rest[0]
        return result

    def shape(self, shape: tuple[Size, ...]) -> list[Form]:
        """A shape as arguments: that of an input, or all lengths."""
        for name, known in self.shapes.items():
            if known == shape and shape and not all(isinstance(n, int) for n in shape):
                return [self.forms.attribute(self.forms.name(name, self.kinds.get(name, REAL)), "shape", NUMBER)]
        return [self.size(n) for n in shape]

    def dtype(self) -> Form:
        """The dtype of the results."""
        return self.forms.attribute(self.forms.name(self.real), "dtype", NUMBER)

    def as_real(self, form: Form) -> Form:
        """Booleans and integers as floating-point numbers."""
        if form.op == "call" and form.arg[0] in ("eye", "arange", "zeros", "ones"):
            return self.forms.call(form.arg[0], form.parts, REAL, dtype=self.dtype())
        if form.kind == EXACT and form.op == "binary" and form.arg == "*" and form.parts[0].kind == NUMBER:
            number, inner = form.parts[0], self.as_real(form.parts[1])
            minus_one = number.op == "unary" and number.parts[0].is_number(1)
            return self.forms.neg(inner) if minus_one else self.forms.mul(number, inner)
        if form.kind in (BOOLEAN, EXACT):
            return self.forms.method(form, "to", [self.dtype()])
        return form

    # Whole tensors ----------------------------------------------------------------------------------------------------

    def whole(self, whole: WholeArg, like: str | None = None) -> Form:
        """A tensor in its full shape."""
        f = self.forms
        order = [k for group in whole.axes for k in group]
        form = self.get(whole.term, order)
        missing = [k for k, group in enumerate(whole.axes) if not group]
        stretched = [k for k in missing if whole.shape[k] != 1]
        if any(len(group) > 1 for group in whole.axes):
            lengths = tuple([n if g else 1 for n, g in zip(whole.shape, whole.axes, strict=True)])
            form = f.method(form, "reshape", self.shape(lengths), form.kind)
        elif form.kind == NUMBER and whole.shape:
            return self._filled(form, whole.shape, like)
        elif missing and len(missing) < len(whole.axes):
            form = f.with_axes(form, missing, len(whole.axes))
            if not stretched and missing[0] == 0:
                return f.method(form, "reshape", self.shape(whole.shape), form.kind)
        elif missing and not stretched:
            return f.method(form, "reshape", self.shape(whole.shape), form.kind)
        return f.method(form, "expand", self.shape(whole.shape), form.kind) if stretched else form

    def _filled(self, form: Form, shape: tuple[Size, ...], like: str | None) -> Form:
        f = self.forms
        names = [n for n in ([like] if like else self.shapes) if self.shapes[n] == shape and n not in self.kinds]
        if names:
            x = f.name(names[0])
            for value, word in ((1, "ones_like"), (0, "zeros_like")):
                if form.is_number(value):
                    return f.call(word, [x])
            return f.call("full_like", [x, form])
        return f.call("full", [f.sequence(self.shape(shape), "tuple"), form], dtype=self.dtype())

    def _call(self, term: Term) -> Form:
        name, params = term.data
        args = [self.whole(arg) for arg in term.args]
        return CALLS[name](self, args, dict(params), term)

    # Functions and sums -----------------------------------------------------------------------------------------------

    def _aligned(self, factor: Factor, order: Labels, number: Fraction = ONE) -> Form:
        """An argument with axes of length 1 where it lacks one."""
        own = [k for k in order if k in factor.labels]
        form = self.get(factor.term, [factor.labels.index(k) for k in own], number)
        return self.forms.with_axes(form, [i for i, k in enumerate(order) if k not in own], len(order))

    def _function(self, term: Term, order: Labels) -> Form:
        name, params = term.data
        args = [self._aligned(arg, order) for arg in term.args]
        return FUNCTIONS(self, name, args, dict(params))

    def _sum(self, term: Term, order: Labels, number: Fraction) -> Form:
        f = self.forms
        if number != 1 and number != -1:
            return self._multiply(number, [ItemPower(Item(order, lambda o: self.get(term, o)), ONE)], order)
        parts = [Factor(p.term, p.labels, p.power * number) for p in term.args]
        ranked = sorted(parts, key=lambda p: (p.power < 0, value_of(p.term) is not None, _turned(p, order)))
        ranked = _by_degree(parts) or ranked
        whole = [self._aligned(p, order, abs(p.power)) for p in ranked]
        whole = [self.as_real(form) if form.kind == BOOLEAN else form for form in whole]
        if all(form.kind != REAL for form in whole) and any(p.power.denominator != 1 for p in ranked):
            whole = [self.as_real(form) for form in whole]
        result = f.neg(whole[0]) if ranked[0].power < 0 else whole[0]
        for part, form in zip(ranked[1:], whole[1:], strict=True):
            result = f.binary("-" if part.power < 0 else "+", result, form)
        return result

    # Products ---------------------------------------------------------------------------------------------------------

    def _product(self, term: Term, order: Labels, number: Fraction) -> Form:
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
        contracted = self._contracted(entries, set(order), sizes)
        contracted, dims = self._means(contracted, dims)
        return self._multiply(-number if turned else number, [*contracted, *self._size_entries(dims)], order)

    def _on_diagonal(self, number: Fraction, factors: list[Factor], eye: Factor, order: Labels) -> Form | None:
        """A vector times the identity matrix as a diagonal matrix."""
        keep, gone = eye.labels
        moved = [Factor(t, tuple([keep if k == gone else k for k in own]), p) for t, own, p in factors]
        if {k for f in moved for k in f.labels} != {keep} or set(order) != {keep, gone}:
            return None
        entries = [ItemPower(self._item(f, ONE), f.power) for f in moved if f.term.head != "dim"]
        entries += self._size_entries([f for f in moved if f.term.head == "dim"])
        return self.forms.call("diag", [self._multiply(number, entries, (keep,))])

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
            return Item(labels, lambda order: self.get(term, [labels.index(k) for k in order], sign))
        twice = next(k for k in labels if labels.count(k) > 1)
        places = [k for k, label in enumerate(labels) if label == twice]
        rest = [k for k in range(len(labels)) if k not in places]
        natural = (*[labels[k] for k in rest], twice)

        def make(order: Labels) -> Form:
            f = self.forms
            form = self.get(term, [*rest, *places], sign)
            dims = [] if len(labels) == 2 else [f.number(0), f.number(-2), f.number(-1)]
            return f.transposed(f.call("diagonal", [form, *dims], form.kind), [natural.index(k) for k in order])

        return Item(natural, make)

    def _size_entries(self, dims: list[Factor]) -> list[ItemPower]:
        entries = []
        for above in (True, False):
            terms = [f.term for f in dims if (f.power > 0) == above for _ in range(int(abs(f.power)))]
            entries += [
                ItemPower(Item((), lambda o, form=form: form), ONE if above else -ONE)  # type: ignore[misc]
                for form in self._lengths(terms)
            ]
            for f in dims:
                if (f.power > 0) == above and f.power.denominator != 1:
                    part = abs(f.power) - int(abs(f.power))
                    entry = ItemPower(Item((), lambda o, t=f.term: self.get(t, ())), part if above else -part)  # type: ignore[misc]
                    entries.append(entry)
        return entries

    def _contracted(self, entries: list[ItemPower], free: set[int], sizes: dict[int, Size]) -> list[ItemPower]:
        """Entries without labels that are summed over."""
        entries = list(entries)
        self._label_sizes = sizes
        while True:
            bound = dict.fromkeys(k for e in entries for k in e.item.natural if k not in free)
            if not bound:
                return entries
            plans = [p for p in (self._plan(k, entries, free) for k in bound) if p is not None]
            if not plans:
                entries = self._einsum(entries, free)
                continue
            _, used, result = min(plans, key=lambda p: p[0])
            entries = [e for e in entries if not any(e is u for u in used)]
            entries.append(ItemPower(result, ONE))

    def _plan(
        self, label: int, entries: list[ItemPower], free: set[int]
    ) -> tuple[tuple[int, int], list[ItemPower], Item] | None:
        """How to sum over a label: the rank and number of axes at work, the entries used up, the result."""
        having = [e for e in entries if label in e.labels]
        vectors = [e for e in having if len(e.labels) == 1]
        sets = list(dict.fromkeys(e.labels for e in having if len(e.labels) > 1))
        if not sets:
            return (0, 1), having, self._dot(label, having)
        if len(sets) == 1:
            matrices = [e for e in having if e.labels == sets[0]]
            rank = len(sets[0]) - 1
            if vectors:
                return (rank, 2), having, self._times_vector(label, self._group(matrices), self._group(vectors))
            others = {k for e in entries if not any(e is m for m in matrices) for k in e.labels}
            summed = [k for k in sets[0] if k not in free and k not in others]
            if len(sets[0]) == 2 and len(summed) == 2 and (found := self._trace(matrices)) is not None:
                return (0, 2), matrices, found
            return (len(sets[0]) - len(summed), 2), matrices, self._summed(self._group(matrices), summed)
        if len(sets) == 2:
            left, right = ([e for e in having if e.labels == s] for s in sets)
            side = left if len(sets[0]) <= len(sets[1]) else right
            side += vectors
            found = self._matmul(label, self._group(left), self._group(right))
            if found is not None:
                return (len(sets[0] | sets[1]) - 1, 3), having, found
        return None

    def _group(self, entries: list[ItemPower]) -> Item:
        """The product, element by element, of entries."""
        if len(entries) == 1 and entries[0].power == 1:
            return entries[0].item
        longest = max(entries, key=lambda e: len(e.item.natural)).item.natural
        return Item(longest, lambda order: self._multiply(ONE, entries, order))

    def _dot(self, label: int, entries: list[ItemPower]) -> Item:
        """The sum of a product of vectors."""
        order = (label,)
        if len(entries) == 2 and all(e.power == 1 for e in entries):

            def make(_: Labels) -> Form:
                a, b = sorted((e.item.make(order) for e in entries), key=_complexity)
                return self.forms.matmul(a, b, 1, 1)

            return Item((), make)
        return self._summed(self._group(entries), [label])

    def _summed(self, item: Item, labels: Sequence[int]) -> Item:
        rest = tuple([k for k in item.natural if k not in labels])

        def make(order: Labels, name: str = "sum") -> Form:
            form = item.make(item.natural)
            if all(self._label_sizes[k] == 1 for k in labels):
                name = "squeeze"
            elif name == "mean":
                form = self.as_real(form)
            total = self.forms.total(form, [item.natural.index(k) for k in labels], len(item.natural), name)
            return self.forms.transposed(total, [rest.index(k) for k in order])

        lengths = tuple([self._label_sizes[k] for k in labels])
        return Item(rest, make, lengths, lambda order: make(order, "mean"))

    def _times_vector(self, label: int, matrix: Item, vector: Item) -> Item:
        rest = tuple([k for k in matrix.natural if k != label])

        def make(order: Labels) -> Form:
            a, b = matrix.make((*rest, label)), vector.make((label,))
            product = self.forms.matmul(a, b, len(rest) + 1, 1)
            return self.forms.transposed(product, [rest.index(k) for k in order])

        return Item(rest, make)

    def _matmul(self, label: int, a: Item, b: Item) -> Item | None:
        """A product of matrices, or of batches of them where the batch is all that they share."""
        batch = [k for k in a.natural if k in b.natural and k != label]
        rows = [k for k in a.natural if k != label and k not in batch]
        columns = [k for k in b.natural if k != label and k not in batch]
        if batch and (len(rows) != 1 or len(columns) != 1):
            return None
        if len(columns) > 1:
            if len(rows) > 1:
                return None
            a, b, rows, columns = b, a, columns, rows
        natural = (*batch, *rows, *columns)

        def make(order: Labels) -> Form:
            f = self.forms
            rank = len(natural)
            if rank >= 2 and order == (*batch, *columns, *rows) and len(rows) == 1:
                left, right = b.make((*batch, *columns, label)), a.make((*batch, label, *rows))
                return f.matmul(left, right, rank, rank)
            left, right = a.make((*batch, *rows, label)), b.make((*batch, label, *columns))
            product = f.matmul(left, right, len(batch) + len(rows) + 1, len(batch) + 2)
            return f.transposed(product, [natural.index(k) for k in order])

        return Item(natural, make)

    def _trace(self, entries: list[ItemPower]) -> Item | None:
        """The sum of A[i, j]*B[j, i] is the trace of A@B."""
        if len(entries) != 2 or any(e.power != 1 for e in entries):
            return None
        a, b = (e.item for e in entries)
        if a.natural == b.natural:
            return None

        def make(_: Labels) -> Form:
            left, right = a.make(a.natural), b.make(b.natural)
            return self.forms.call("trace", [self.forms.matmul(left, right, 2, 2)])

        return Item((), make)

    def _einsum(self, entries: list[ItemPower], free: set[int]) -> list[ItemPower]:
        """What is no chain of matrix products, in Einstein's notation."""
        linked = [e for e in entries if any(k not in free for k in e.labels)]
        names = {k: _LETTERS[i] for i, k in enumerate(dict.fromkeys(k for e in linked for k in e.item.natural))}
        rest = tuple([k for k in names if k in free])

        def make(order: Labels) -> Form:
            f = self.forms
            inputs = ",".join("".join(names[k] for k in e.item.natural) for e in linked)
            equation = f"{inputs}->{''.join(names[k] for k in order)}"
            parts = [self._multiply(ONE, [e], e.item.natural) for e in linked]
            return f.call("einsum", [f.string(equation), *parts])

        return [*(e for e in entries if not any(e is x for x in linked)), ItemPower(Item(rest, make), ONE)]

    def _multiply(self, number: Fraction, entries: list[ItemPower], order: Labels) -> Form:
        """A number times entries, element by element, in the shape of `order`."""
        f = self.forms
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
            above = [(k, self.as_real(x) if x.op == "call" and x.arg[0] in ("eye", "ones") else x) for k, x in above]
        real = any(x.kind == REAL for _, x in below)
        if exact and not real and (below or size.denominator != 1):
            above = [(k, self.as_real(x)) for k, x in above]
        if not above and below and not real:
            below = [(k, self.as_real(x)) for k, x in below]
        outer = self._outer(above, below, order)
        if outer is not None:
            above, below = outer
        upper = self._chain([top, *self._spread(above, order)])
        lower = self._chain([bottom, *self._spread(below, order)])
        result = f.div(upper, lower)
        return f.neg(result) if number < 0 else result

    def _sides(
        self, entries: list[ItemPower], order: Labels
    ) -> tuple[list[tuple[Labels, Form]], list[tuple[Labels, Form]]]:
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
            ranked = sorted(side.items(), key=lambda entry: (bool(entry[0][0]), *_complexity(entry[0][1])))
            written.append([(own, f.power(form, power)) for (own, form), power in ranked])
        return written[0], written[1]

    def _chain(self, factors: list[Form]) -> Form:
        """A number times factors; real ones first, since a fraction of an integer is rounded to float32."""
        result = factors[0]
        for factor in sorted(factors[1:], key=lambda form: form.kind in (BOOLEAN, EXACT)):
            result = self.forms.mul(result, factor)
        return result

    def _spread(self, side: list[tuple[Labels, Form]], order: Labels) -> list[Form]:
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

    def _outer(
        self, above: list[tuple[Labels, Form]], below: list[tuple[Labels, Form]], order: Labels
    ) -> tuple[list[tuple[Labels, Form]], list[tuple[Labels, Form]]] | None:
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
        outer = f.call("outer", vectors, EXACT if all(v.kind != REAL for v in vectors) else REAL)
        return [*[x for x in above if not x[0]], (order, outer)], [x for x in below if not x[0]]


def _turned(part: Factor, order: Labels) -> bool:
    """Whether an addend is written as a transpose: A + A.T rather than A.T + A."""
    places = [order.index(k) for k in part.labels]
    return places != sorted(places)


def _by_degree(parts: list[Factor]) -> list[Factor] | None:
    """The addends of a polynomial from its highest or lowest power, whichever is positive."""
    bases = set()
    degrees: dict[Factor, Fraction] = {}
    for part in parts:
        term, labels, _ = part
        if value_of(term) is not None:
            degrees[part] = Fraction(0)
            continue
        inner, own, degree = Factor(term, tuple(range(term.rank)), ONE) if term.head != "prod" else term.args[0]
        if term.head == "prod" and (len(term.args) > 1 or max(own, default=-1) >= term.rank):
            return None
        bases.add((inner, tuple([labels[k] for k in own])))
        degrees[part] = degree
    if len(bases) != 1 or len(parts) < 3:
        return None
    ranked = sorted(parts, key=lambda part: -degrees[part])
    return ranked if ranked[0].power > 0 else ranked[::-1] if ranked[-1].power > 0 else None


def _turns(factor: Factor) -> int:
    """How well a minus goes into a factor and takes one away there: 1 - x instead of -(x - 1)."""
    if factor.term.head != "add" or factor.power.denominator != 1 or factor.power % 2 == 0:
        return 0
    signs = [p.power < 0 for p in factor.term.args]
    numbers = any(value_of(p.term) is not None for p in factor.term.args)
    return 0 if not any(signs) or abs(factor.power) != 1 else 2 if numbers else 1


def _complexity(form: Form) -> tuple[int, int]:
    """Simple factors are written first."""
    simple = form.op in ("number", "name")
    kind = 0 if form.kind == NUMBER else 1 if simple else 3 if form.op == "binary" and form.arg == "@" else 2
    return kind, form.serial
