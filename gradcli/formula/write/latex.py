"""Formulas as LaTeX, as a typesetter would have them; cases and small matrices need the package amsmath."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gradcli.formula.write.forms import Form, Named, in_order
from gradcli.graph.op import OPS
from gradcli.ops.create import arange
from gradcli.ops.notation import latex_pieces as pieces
from gradcli.ops.notation.latex_pieces import ATOM, POWER, PRODUCT, LatexPiece, Symbols, in_brackets, signed
from gradcli.ops.notation.typeset import call

# The environment pmatrix takes no more columns.
_MOST_COLUMNS = 10


def latex(formula: Named, ranks: Mapping[str, int], symbols: Symbols | None = None) -> str:
    """A formula, then its named parts; `symbols` write the names, beside others than those of `ranks` if given."""
    symbol = symbols or Symbols([*ranks, *(name for name, _ in formula.parts)])
    roots = [formula.result, *(form for _, form in formula.parts)]
    small = _LatexWriter(ranks, formula.names, symbol)
    small.write(roots)
    writer = _LatexWriter(ranks, formula.names, symbol, small.done)
    writer.write(roots)
    parts = [f"{symbol(name)} = {signed(writer.inner[form])}" for name, form in formula.parts]
    result = signed(writer.inner[formula.result])
    return result if not parts else rf"{result} \quad\text{{where}}\quad " + r",\quad ".join(parts)


@dataclass(eq=False)
class _LatexWriter:
    """Writes forms in the size of a line, or small, as in an exponent, where fractions have a slash."""

    ranks: Mapping[str, int]
    names: Mapping[Form, str]
    symbol: Symbols
    small: Mapping[Form, LatexPiece] | None = None
    done: dict[Form, LatexPiece] = field(default_factory=dict)
    #: What the forms with names are made of.
    inner: dict[Form, LatexPiece] = field(default_factory=dict)

    def write(self, roots: Sequence[Form]) -> None:
        for form in in_order(roots):
            piece = self.inner[form] = self._one(form, [self.done[p] for p in form.parts])
            if form in self.names:
                piece = LatexPiece(self.symbol(self.names[form]), ATOM, piece.rank, column=piece.column)
            self.done[form] = piece

    def exponent(self, form: Form) -> str:
        """A form as it is written above the line."""
        return signed((self.small if self.small is not None else self.done)[form])

    def _one(self, form: Form, parts: list[LatexPiece]) -> LatexPiece:
        if form.op == "number":
            return pieces.number(form.arg)
        if form.op == "name":
            word = {"inf": r"\infty", "pi": r"\pi", "e": "e"}.get(form.arg)
            return LatexPiece(word or self.symbol(form.arg), ATOM, self.ranks.get(form.arg, 0))
        if form.op == "string":
            return LatexPiece(rf"\text{{{pieces.escaped(form.arg)}}}", ATOM, 0)
        if form.op == "unary":
            if form.arg == "~":
                return LatexPiece(rf"\lnot {in_brackets(parts[0], ATOM)}", PRODUCT, parts[0].rank)
            return pieces.negated(parts[0])
        if form.op == "binary":
            return self._binary(form, *parts)
        if form.op in ("call", "method"):
            return self._call(form, form.arg[0], parts)
        if form.op == "attribute":
            return self._attribute(form, parts)
        if form.op == "index":
            return self._index(form, parts)
        if form.op == "slice":
            texts = iter([signed(p) for p in parts])
            return LatexPiece(":".join(next(texts) if given else "" for given in form.arg[: 2 + form.arg[2]]), ATOM, 0)
        return _sequence(form, parts)

    def _call(self, form: Form, name: str, parts: list[LatexPiece]) -> LatexPiece:
        """As the row says."""
        op = OPS.get(name)
        if op is None or op.latex is None or isinstance(op.latex, str):
            # What is no operation is a question about lengths, and the answer a number.
            return call(form, parts, whole=op is None)
        return op.latex(self, form, parts)

    def _attribute(self, form: Form, parts: list[LatexPiece]) -> LatexPiece:
        """A shape or dtype; one of the results of an operation, as its row says; or a transpose."""
        (inner,), (receiver,) = parts, form.parts
        if form.arg in ("shape", "dtype"):
            return LatexPiece(rf"\operatorname{{{form.arg}}}\left({signed(inner)}\right)", ATOM, 1)
        op = OPS.get(form.arg)
        if op is not None and op.attribute:
            return self._call(form, form.arg, parts)
        if callable(OPS[receiver.arg[0]].latex):
            return self._call(form, receiver.arg[0], parts)
        return LatexPiece(rf"{inner.text}_{{\mathrm{{{form.arg}}}}}", ATOM, inner.rank)

    def _binary(self, form: Form, a: LatexPiece, b: LatexPiece) -> LatexPiece:
        if form.arg == "/":
            if self.small is not None and any(r"\frac" in piece.text for piece in (a, b)):
                # A fraction in a fraction has a slash.
                a, b = (self.small[part] for part in form.parts)
            return pieces.fraction(a, b, self.small is None)
        if form.arg == "*":
            return pieces.times(a, b)
        if form.arg == "@":
            return pieces.matrix_product(a, b)
        rank = max(a.rank, b.rank)
        if form.arg == "//":
            quotient = pieces.fraction(a, b, self.small is None)
            return LatexPiece(rf"\left\lfloor {signed(quotient)} \right\rfloor", ATOM, rank)
        if form.arg == "**":
            return self._power(form, a)
        if form.arg == "==" and _counts(form.parts[1]) and a.column:
            return LatexPiece(rf"\operatorname{{onehot}}\left({signed(a)}\right)", ATOM, 2)
        if form.arg == "==" and _counts(form.parts[0]) and not b.rank:
            return LatexPiece(rf"\mathbf{{e}}_{{{signed(b)}}}", ATOM, 1)
        return pieces.infix(form.arg, a, b)

    def _power(self, form: Form, base: LatexPiece) -> LatexPiece:
        exponent = self.exponent(form.parts[1])
        whole = form.parts[1].op == "number" and isinstance(form.parts[1].arg, int)
        if base.head and whole and not base.minus:
            return base._replace(text=f"{base.head}^{{{exponent}}}{base.text[len(base.head) :]}", level=POWER, head="")
        if base.rank > 1 and not base.column:
            # Without the circle it would be a product of matrices.
            exponent = rf"\circ {exponent}"
        return LatexPiece(f"{in_brackets(base, ATOM)}^{{{exponent}}}", POWER, base.rank, column=base.column)

    def _index(self, form: Form, parts: list[LatexPiece]) -> LatexPiece:
        receiver, items = form.parts[0], form.parts[1:]
        inner, given = parts[0], list(zip(items, parts[1:], strict=True))
        shown = [signed(p) for item, p in given if not (item.op == "name" and item.arg == "None")]
        new = len(items) - len(shown)
        if receiver.op == "attribute" and receiver.arg == "shape":
            return LatexPiece(rf"\dim_{{{shown[0]}}}" + inner.text.removeprefix(r"\operatorname{shape}"), ATOM, 0)
        if shown == [":"] and new == 1 and inner.rank == 1 and items[1].op == "name":
            return pieces.column(inner)
        if all(text == ":" for text in shown):
            return inner._replace(rank=inner.rank + new)
        gone = sum(item.op in ("number", "unary") for item in items)
        text = pieces.with_index(in_brackets(inner, ATOM), ", ".join(shown))
        return LatexPiece(text, ATOM, max(inner.rank + new - gone, 0))


def _counts(form: Form) -> bool:
    """Whether a form is 0, 1, 2, …: arange alone is compared with places."""
    return form.op == "call" and bool(form.arg[0] == arange.name)


def _sequence(form: Form, parts: list[LatexPiece]) -> LatexPiece:
    if form.op == "list" and form.parts and all(p.op == "list" and len(p.parts) for p in form.parts):
        rows = [r" & ".join(row.cells) for row in parts]
        if all(0 < len(row.cells) <= _MOST_COLUMNS for row in parts):
            return LatexPiece(pieces.between_brackets("pmatrix", r" \\ ".join(rows)), ATOM, 2)
    text = rf"\left({', '.join(signed(p) for p in parts)}\right)"
    return LatexPiece(text, ATOM, 1 + max((p.rank for p in parts), default=0), cells=tuple([signed(p) for p in parts]))
