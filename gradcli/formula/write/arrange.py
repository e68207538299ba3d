"""From terms to forms: products with labels become matrix products, sums, outer products and plain arithmetic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from gradcli.formula.algebra.terms import ONE, Factor, Labels, NodeTerm, Sizes, Term, WholeArg, value_of
from gradcli.formula.write.contraction import Item, ItemPower
from gradcli.formula.write.dimensions import DimensionWriter
from gradcli.formula.write.forms import Form
from gradcli.formula.write.term_products import ProductWriter
from gradcli.graph.op import OPS, Op
from gradcli.language.kinds import BOOLEAN, EXACT, NUMBER, REAL, together
from gradcli.ops.create import eye, ones
from gradcli.ops.notation.spelling import usual

_Key = tuple[Term, Labels, Fraction]


class CallOfForms(NamedTuple):
    """A row applied to forms: `name` is what it is called in formulas, `kind` what such operations make of `args`."""

    op: Op
    name: str
    args: list[Form]
    params: dict[str, Any]
    kind: str
    #: The lengths of the operands and of the result, for functions of whole tensors.
    shapes: tuple[Sizes, ...] = ()
    shape: Sizes = ()


class Arranger(DimensionWriter):
    """Writes terms as forms; nothing recurses over the depth of a term."""

    def __init__(self, shapes: Mapping[str, Sizes], real: str, kinds: Mapping[str, str]) -> None:
        super().__init__(shapes, real, kinds)
        self._products = ProductWriter(self)
        self._done: dict[_Key, Form] = {}
        self._missing: list[_Key] = []
        self._placeholder = self.forms.make("name", "?")

    # Requests ---------------------------------------------------------------------------------------------------------

    def write(self, value: NodeTerm, shape: Sizes, like: str | None = None) -> Form:
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
            return self._products.write(term, order, number)
        if term.head == "add":
            return self._sum(term, order, number)
        if number != 1:
            return self._times(number, term, order)
        if term.head == "fn":
            return self._function(term, order)
        native = self._leaf(term) if term.head != "call" else self._call(term)
        return native if term.head == "eye" else self.forms.transposed(native, order)

    def _times(self, number: Fraction, term: Term, order: Labels) -> Form:
        return self._products.multiply(number, [ItemPower(Item(order, lambda o: self.get(term, o)), ONE)], order)

    def _leaf(self, term: Term) -> Form:
        f = self.forms
        if term.head == "var":
            return self.input(term.data)
        if term.head == "dim":
            return self.lengths([term])[0]
        if term.head == "ones":
            return f.call(ones.name, [self.size(term.sizes[0])], EXACT)
        if term.head == "eye":
            return f.call(eye.name, [self.size(term.sizes[0])], EXACT)
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

    def literal(self, value: Any) -> Form:
        """A parameter of an operation."""
        f = self.forms
        if isinstance(value, Term):
            return self.size(value)
        if value is None or isinstance(value, bool):
            return f.name(str(value), NUMBER)
        if isinstance(value, str):
            return f.string(value)
        if isinstance(value, tuple):
            return f.sequence([self.literal(v) for v in value], "tuple")
        if isinstance(value, float) and not math.isfinite(value):
            word = f.name("nan" if math.isnan(value) else "inf", NUMBER)
            return f.neg(word) if value < 0 else word
        return f.number(Fraction(repr(value)) if isinstance(value, float) else value)

    # Functions and sums -----------------------------------------------------------------------------------------------

    def _aligned(self, factor: Factor, order: Labels, number: Fraction = ONE) -> Form:
        """An argument with axes of length 1 where it lacks one."""
        own = [k for k in order if k in factor.labels]
        form = self.get(factor.term, [factor.labels.index(k) for k in own], number)
        return self.forms.with_axes(form, [i for i, k in enumerate(order) if k not in own], len(order))

    def _function(self, term: Term, order: Labels) -> Form:
        name, params = term.data
        args = [self._aligned(arg, order) for arg in term.args]
        if name == "one_hot":
            return self._one_hot(*args)
        op = row_of(name)
        kind = together(args)
        kind = BOOLEAN if op.indicator else EXACT if kind == BOOLEAN else kind
        return self._spelled(CallOfForms(op, name, args, dict(params), kind))

    def _one_hot(self, index: Form, place: Form) -> Form:
        """The formula's own function: whether a place is the index, unless that has axes of its own before it."""
        operands = [place, index] if index.kind == NUMBER else [index, place]
        return self.forms.make("binary", "==", operands, BOOLEAN)

    def _call(self, term: Term) -> Form:
        """A function of whole tensors."""
        name, params = term.data
        args = [self.whole(arg) for arg in term.args]
        name, _, field = name.partition(".")
        kind = args[0].kind if args else EXACT
        shapes = tuple([arg.shape for arg in term.args])
        form = self._spelled(CallOfForms(row_of(name), name, args, dict(params), kind, shapes, term.sizes))
        return self.forms.attribute(form, field) if field else form

    def _spelled(self, call: CallOfForms) -> Form:
        return (call.op.text or usual)(self, call)

    def _sum(self, term: Term, order: Labels, number: Fraction) -> Form:
        f = self.forms
        if number != 1 and number != -1:
            return self._times(number, term, order)
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


def row_of(name: str) -> Op:
    """The row of an operation by its name in formulas, which has no underscore in front."""
    return OPS[name] if name in OPS else OPS[f"_{name}"]


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
