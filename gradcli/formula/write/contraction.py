"""Sums over labels: chains of matrix products, traces, sums and means, and Einstein's notation for the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

from gradcli.formula.algebra.terms import ONE, Labels, Size, Sizes
from gradcli.formula.write.dimensions import DimensionWriter
from gradcli.formula.write.forms import Form, Forms
from gradcli.language.kinds import NUMBER
from gradcli.ops.diagonal import trace
from gradcli.ops.einsum import einsum
from gradcli.ops.reduce import mean, sum_
from gradcli.ops.shape import squeeze

_LETTERS = "ijklmnpqrstuvwabcdefgh"


class Item(NamedTuple):
    """Something with labels that can be written with its axes in any order; `natural` is the order that costs least."""

    natural: Labels
    make: Callable[[Labels], Form]
    #: For a sum: the lengths that it goes over, and its mean.
    lengths: Sizes = ()
    mean: Callable[[Labels], Form] | None = None


class ItemPower(NamedTuple):
    """An item to a power."""

    item: Item
    power: Fraction

    @property
    def labels(self) -> frozenset[int]:
        return frozenset(self.item.natural)


class Contraction(NamedTuple):
    """A product whose labels that are not `free` are summed over, one after the other, where it costs least.

    `multiply` writes a product element by element.
    """

    known: DimensionWriter
    multiply: Callable[[Fraction, list[ItemPower], Labels], Form]
    free: set[int]
    sizes: dict[int, Size]

    @property
    def forms(self) -> Forms:
        return self.known.forms

    def contracted(self, entries: list[ItemPower]) -> list[ItemPower]:
        """Entries without labels that are summed over."""
        entries = list(entries)
        while True:
            bound = dict.fromkeys(k for e in entries for k in e.item.natural if k not in self.free)
            if not bound:
                return entries
            plans = [p for p in (self._plan(k, entries) for k in bound) if p is not None]
            if not plans:
                entries = self._einsum(entries)
                continue
            _, used, result = min(plans, key=lambda p: p[0])
            entries = [e for e in entries if not any(e is u for u in used)]
            entries.append(ItemPower(result, ONE))

    def _plan(self, label: int, entries: list[ItemPower]) -> tuple[tuple[int, int], list[ItemPower], Item] | None:
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
            summed = [k for k in sets[0] if k not in self.free and k not in others]
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
        return Item(longest, lambda order: self.multiply(ONE, entries, order))

    def _dot(self, label: int, entries: list[ItemPower]) -> Item:
        """The sum of a product of vectors."""
        order = (label,)
        if len(entries) == 2 and all(e.power == 1 for e in entries):

            def make(_: Labels) -> Form:
                a, b = sorted((e.item.make(order) for e in entries), key=complexity)
                return self.forms.matmul(a, b, 1, 1)

            return Item((), make)
        return self._summed(self._group(entries), [label])

    def _summed(self, item: Item, labels: Sequence[int]) -> Item:
        rest = tuple([k for k in item.natural if k not in labels])

        def make(order: Labels, name: str = sum_.name) -> Form:
            form = item.make(item.natural)
            if all(self.sizes[k] == 1 for k in labels):
                name = squeeze.name
            elif name == mean.name:
                form = self.known.as_real(form)
            total = self.forms.total(form, [item.natural.index(k) for k in labels], len(item.natural), name)
            return self.forms.transposed(total, [rest.index(k) for k in order])

        lengths = tuple([self.sizes[k] for k in labels])
        return Item(rest, make, lengths, lambda order: make(order, mean.name))

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
            return self.forms.call(trace.name, [self.forms.matmul(left, right, 2, 2)])

        return Item((), make)

    def _einsum(self, entries: list[ItemPower]) -> list[ItemPower]:
        """What is no chain of matrix products, in Einstein's notation."""
        linked = [e for e in entries if any(k not in self.free for k in e.labels)]
        names = {k: _LETTERS[i] for i, k in enumerate(dict.fromkeys(k for e in linked for k in e.item.natural))}
        rest = tuple([k for k in names if k in self.free])

        def make(order: Labels) -> Form:
            f = self.forms
            inputs = ",".join("".join(names[k] for k in e.item.natural) for e in linked)
            equation = f"{inputs}->{''.join(names[k] for k in order)}"
            parts = [self.multiply(ONE, [e], e.item.natural) for e in linked]
            return f.call(einsum.name, [f.string(equation), *parts])

        return [*(e for e in entries if not any(e is x for x in linked)), ItemPower(Item(rest, make), ONE)]


def complexity(form: Form) -> tuple[int, int]:
    """Simple factors are written first."""
    simple = form.op in ("number", "name")
    kind = 0 if form.kind == NUMBER else 1 if simple else 3 if form.op == "binary" and form.arg == "@" else 2
    return kind, form.serial
