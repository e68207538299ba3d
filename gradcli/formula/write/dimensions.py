"""Lengths, shapes and dtypes as forms, told by the inputs; tensors in their full shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from gradcli.formula.algebra.terms import ONE, Size, Sizes, Term, WholeArg
from gradcli.formula.write.forms import Form, Forms
from gradcli.language.kinds import BOOLEAN, EXACT, NUMBER, REAL
from gradcli.ops.create import arange, eye, full, full_like, ones, ones_like, zeros, zeros_like
from gradcli.ops.elementwise import to
from gradcli.ops.shape import expand, reshape

# What creates integers, exact in any dtype; other numbers are rounded, and keep the dtype of the expression.
_CREATED = frozenset(op.name for op in (arange, eye, ones, zeros))


class DimensionWriter:
    """Writes what depends on lengths; `get` gives the form of a term."""

    def __init__(self, shapes: Mapping[str, Sizes], real: str, kinds: Mapping[str, str]) -> None:
        self.forms = Forms()
        #: The shapes of the inputs, those first by which lengths are rather named; `real` is a floating-point one.
        self.shapes = dict(shapes)
        self.real = real
        self.kinds = kinds

    def get(self, term: Term, order: Sequence[int], number: Fraction = ONE) -> Form:
        """A number times a term, its axes in this order."""
        raise NotImplementedError

    def input(self, name: str) -> Form:
        """An input by its name."""
        return self.forms.name(name, self.kinds.get(name, REAL))

    def size(self, length: Size) -> Form:
        """A length as a number."""
        return self.forms.number(length) if isinstance(length, int) else self.get(length, ())

    def lengths(self, dims: list[Term]) -> list[Form]:
        """Lengths of inputs, several at once where that is all elements of one."""
        f = self.forms
        rest = list(dims)
        result = []
        while rest:
            for name, shape in self.shapes.items():
                if shape and all(rest.count(n) >= shape.count(n) for n in shape):
                    result.append(f.method(self.input(name), "numel", (), NUMBER))
                    for n in shape:
                        rest.remove(n)
                    break
            else:
                name, axis = next((n, s.index(rest[0])) for n, s in self.shapes.items() if rest[0] in s)
                shape_of = f.attribute(self.input(name), "shape", NUMBER)
                result.append(f.index(shape_of, [f.number(axis)], NUMBER))
                del rest[0]
        return result

    def shape(self, shape: Sizes) -> list[Form]:
        """A shape as arguments: that of an input, or all lengths."""
        for name, known in self.shapes.items():
            if known == shape and shape and not all(isinstance(n, int) for n in shape):
                return [self.forms.attribute(self.input(name), "shape", NUMBER)]
        return [self.size(n) for n in shape]

    def dtype(self) -> Form:
        """The dtype of the results."""
        return self.forms.attribute(self.forms.name(self.real), "dtype", NUMBER)

    def as_real(self, form: Form) -> Form:
        """Booleans and integers as floating-point numbers."""
        if form.kind == EXACT and form.op == "call" and form.arg[0] in _CREATED:
            return self.forms.call(form.arg[0], form.parts, REAL, dtype=self.dtype())
        if form.kind == EXACT and form.op == "binary" and form.arg == "*" and form.parts[0].kind == NUMBER:
            number, inner = form.parts[0], self.as_real(form.parts[1])
            minus_one = number.op == "unary" and number.parts[0].is_number(1)
            return self.forms.neg(inner) if minus_one else self.forms.mul(number, inner)
        if form.kind in (BOOLEAN, EXACT):
            return self.forms.method(form, to.name, [self.dtype()])
        return form

    def is_default(self, form: Form) -> bool:
        """Whether a form is float32 because nothing else was said: what creates numbers, but for those that count."""
        return form.op == "call" and form.kind == EXACT and form.arg[0] in _CREATED and form.arg[0] != arange.name

    def whole(self, whole: WholeArg, like: str | None = None) -> Form:
        """A tensor in its full shape."""
        f = self.forms
        order = [k for group in whole.axes for k in group]
        form = self.get(whole.term, order)
        missing = [k for k, group in enumerate(whole.axes) if not group]
        stretched = [k for k in missing if whole.shape[k] != 1]
        if any(len(group) > 1 for group in whole.axes):
            lengths = tuple([n if g else 1 for n, g in zip(whole.shape, whole.axes, strict=True)])
            form = f.method(form, reshape.name, self.shape(lengths), form.kind)
        elif form.kind == NUMBER and whole.shape:
            return self._filled(form, whole.shape, like)
        elif missing and len(missing) < len(whole.axes):
            form = f.with_axes(form, missing, len(whole.axes))
            if not stretched and missing[0] == 0:
                return f.method(form, reshape.name, self.shape(whole.shape), form.kind)
        elif missing and not stretched:
            return f.method(form, reshape.name, self.shape(whole.shape), form.kind)
        return f.method(form, expand.name, self.shape(whole.shape), form.kind) if stretched else form

    def _filled(self, form: Form, shape: Sizes, like: str | None) -> Form:
        f = self.forms
        names = [n for n in ([like] if like else self.shapes) if self.shapes[n] == shape and n not in self.kinds]
        if names:
            x = f.name(names[0])
            for value, like_op in ((1, ones_like), (0, zeros_like)):
                if form.is_number(value):
                    return f.call(like_op.name, [x])
            return f.call(full_like.name, [x, form])
        return f.call(full.name, [f.sequence(self.shape(shape), "tuple"), form], dtype=self.dtype())
