"""Formulas as LaTeX, as a typesetter would have them; cases and small matrices need the package amsmath."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from gradcli.formula.write.forms import NUMBER, Form, in_order
from gradcli.formula.write.latex_pieces import (
    ATOM,
    COMPARISON,
    POWER,
    PRODUCT,
    SUM,
    LatexPiece,
    between_brackets,
    column,
    diagonal,
    escaped,
    fraction,
    hadamard,
    in_brackets,
    matrix_product,
    negated,
    number,
    ones,
    outer,
    scaled,
    signed,
    spread,
    symbol,
    transposed,
    with_index,
)
from gradcli.formula.write.naming import Named

_SYMBOLS = {
    "==": "=",
    "!=": r"\neq",
    "<": "<",
    ">": ">",
    "<=": r"\leq",
    ">=": r"\geq",
    "&": r"\land",
    "|": r"\lor",
    "%": r"\bmod",
    "+": "+",
    "-": "-",
}
_LEVEL = {"+": SUM, "-": SUM, "&": 3, "|": 2, "%": PRODUCT}
#: Functions with a command of their own, whose powers are written as in \sin^2 x.
_NAMED = {name: f"\\{name}" for name in ["log", "sin", "cos", "tan", "sinh", "cosh", "tanh"]} | {
    "asin": r"\arcsin",
    "acos": r"\arccos",
    "atan": r"\arctan",
}
_COMMANDS = _NAMED | {
    "sigmoid": r"\sigma",
    "trace": r"\operatorname{tr}",
    "det": r"\det",
    "logdet": r"\log\det",
    "amax": r"\max",
    "amin": r"\min",
    "maximum": r"\max",
    "minimum": r"\min",
    "lgamma": r"\log\Gamma",
    "digamma": r"\psi",
    "log2": r"\log_{2}",
    "log10": r"\log_{10}",
}
_REDUCING = frozenset(
    [
        "sum",
        "mean",
        "prod",
        "norm",
        "det",
        "trace",
        "logdet",
        "amax",
        "amin",
        "var",
        "std",
        "logsumexp",
        "argmax",
        "argmin",
        "all",
        "any",
        "count_nonzero",
    ]
)
_LONGEST_EXPONENT = 60
# The environment pmatrix takes no more columns.
_MOST_COLUMNS = 10


def latex(formula: Named, ranks: Mapping[str, int]) -> str:
    """A formula, then its named parts."""
    roots = [formula.result, *(form for _, form in formula.parts)]
    small = _LatexWriter(dict(ranks), formula.names)
    small.write(roots)
    writer = _LatexWriter(dict(ranks), formula.names, small.done)
    writer.write(roots)
    parts = [f"{symbol(name)} = {signed(writer.inner[form])}" for name, form in formula.parts]
    result = signed(writer.inner[formula.result])
    return result if not parts else rf"{result} \quad\text{{where}}\quad " + r",\quad ".join(parts)


class _LatexWriter:
    """Writes forms in the size of a line, or small, as in an exponent, where fractions have a slash."""

    def __init__(
        self, ranks: dict[str, int], names: Mapping[Form, str], small: Mapping[Form, LatexPiece] | None = None
    ) -> None:
        self.ranks = ranks
        self.names = names
        self.small = small
        self.done: dict[Form, LatexPiece] = {}
        #: What the forms with names are made of.
        self.inner: dict[Form, LatexPiece] = {}

    def write(self, roots: Sequence[Form]) -> None:
        for form in in_order(roots):
            piece = self.inner[form] = self._one(form, [self.done[p] for p in form.parts])
            if form in self.names:
                piece = LatexPiece(symbol(self.names[form]), ATOM, piece.rank, column=piece.column)
            self.done[form] = piece

    def exponent(self, form: Form) -> str:
        """A form as it is written above the line."""
        return signed((self.small if self.small is not None else self.done)[form])

    def _one(self, form: Form, parts: list[LatexPiece]) -> LatexPiece:
        if form.op == "number":
            return number(form.arg)
        if form.op == "name":
            word = {"inf": r"\infty", "pi": r"\pi", "e": "e"}.get(form.arg)
            return LatexPiece(word or symbol(form.arg), ATOM, self.ranks.get(form.arg, 0))
        if form.op == "string":
            return LatexPiece(rf"\text{{{escaped(form.arg)}}}", ATOM, 0)
        if form.op == "unary":
            if form.arg == "~":
                return LatexPiece(rf"\lnot {in_brackets(parts[0], ATOM)}", PRODUCT, parts[0].rank)
            return negated(parts[0])
        if form.op == "binary":
            return self._binary(form, *parts)
        if form.op in ("call", "method"):
            handler = _HANDLERS.get(form.arg[0], _call)
            return handler(self, form, parts)
        if form.op == "attribute":
            return _attribute(form, parts[0])
        if form.op == "index":
            return self._index(form, parts)
        if form.op == "slice":
            texts = iter([signed(p) for p in parts])
            return LatexPiece(":".join(next(texts) if given else "" for given in form.arg[: 2 + form.arg[2]]), ATOM, 0)
        return _sequence(form, parts)

    def _binary(self, form: Form, a: LatexPiece, b: LatexPiece) -> LatexPiece:
        if form.arg == "/":
            if self.small is not None and any(r"\frac" in piece.text for piece in (a, b)):
                # A fraction in a fraction has a slash.
                a, b = (self.small[part] for part in form.parts)
            return fraction(a, b, self.small is None)
        if form.arg == "*":
            return _times(a, b)
        if form.arg == "@":
            return matrix_product(a, b)
        rank = max(a.rank, b.rank)
        if form.arg == "//":
            quotient = fraction(a, b, self.small is None)
            return LatexPiece(rf"\left\lfloor {signed(quotient)} \right\rfloor", ATOM, rank)
        if form.arg == "**":
            return self._power(form, a)
        if form.arg == "==" and form.parts[1].op == "call" and form.parts[1].arg[0] == "arange" and a.column:
            return LatexPiece(rf"\operatorname{{onehot}}\left({signed(a)}\right)", ATOM, 2)
        if form.arg == "==" and form.parts[0].op == "call" and form.parts[0].arg[0] == "arange" and not b.rank:
            return LatexPiece(rf"\mathbf{{e}}_{{{signed(b)}}}", ATOM, 1)
        return _infix(form.arg, a, b)

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
            return column(inner)
        if all(text == ":" for text in shown):
            return inner._replace(rank=inner.rank + new)
        gone = sum(item.op in ("number", "unary") for item in items)
        return LatexPiece(with_index(in_brackets(inner, ATOM), ", ".join(shown)), ATOM, max(inner.rank + new - gone, 0))


def _infix(operator: str, a: LatexPiece, b: LatexPiece) -> LatexPiece:
    """Sums, comparisons and conditions."""
    rank = max(a.rank, b.rank)
    both = a.column and (b.column or not b.rank) or b.column and not a.rank
    if rank > 1 and not both:
        a, b = spread(a), spread(b)
        rank = max(a.rank, b.rank)
    level = _LEVEL.get(operator, COMPARISON)
    if operator in "+-" and b.minus:
        operator, b = "-" if operator == "+" else "+", negated(b)
    left = signed(a) if level <= SUM and a.level >= level else in_brackets(a, level)
    right = signed(b) if level == COMPARISON and b.level > level else in_brackets(b, level + 1)
    text = f"{left} {_SYMBOLS[operator]} {right}"
    if level == COMPARISON:
        # 1 where it holds, 0 elsewhere.
        return LatexPiece(rf"\left[{text}\right]", ATOM, rank, column=both)
    return LatexPiece(text, level, rank, column=both)


def _times(a: LatexPiece, b: LatexPiece) -> LatexPiece:
    """A product element by element; a vector along the rows or columns of a matrix is a diagonal matrix."""
    if not a.rank or not b.rank:
        return scaled(a, b)
    if a.column != b.column and {a.rank, b.rank} <= {1, 2}:
        vector, other = (a, b) if a.column else (b, a)
        bare = vector._replace(column=False, rank=1)
        return outer(bare, other) if other.rank == 1 else matrix_product(diagonal(bare), other)
    if {a.rank, b.rank} == {1, 2} and not a.column:
        vector, other = (a, b) if a.rank == 1 else (b, a)
        return matrix_product(other, diagonal(vector))
    return hadamard(a, b)


def _sequence(form: Form, parts: list[LatexPiece]) -> LatexPiece:
    if form.op == "list" and form.parts and all(p.op == "list" and len(p.parts) for p in form.parts):
        rows = [r" & ".join(row.cells) for row in parts]
        if all(0 < len(row.cells) <= _MOST_COLUMNS for row in parts):
            return LatexPiece(between_brackets("pmatrix", r" \\ ".join(rows)), ATOM, 2)
    text = rf"\left({', '.join(signed(p) for p in parts)}\right)"
    return LatexPiece(text, ATOM, 1 + max((p.rank for p in parts), default=0), cells=tuple([signed(p) for p in parts]))


def _attribute(form: Form, inner: LatexPiece) -> LatexPiece:
    if form.arg in ("T", "mT"):
        return transposed(inner)
    if form.arg in ("shape", "dtype"):
        return LatexPiece(rf"\operatorname{{{form.arg}}}\left({signed(inner)}\right)", ATOM, 1)
    if form.arg == "logabsdet":
        argument = inner.text.removeprefix(r"\operatorname{slogdet}")
        return LatexPiece(rf"\log\left\lvert \det{argument} \right\rvert", ATOM, 0)
    argument = inner.text.removeprefix(r"\operatorname{slogdet}")
    return LatexPiece(rf"\operatorname{{sign}}\det{argument}", PRODUCT, 0)


# Functions ------------------------------------------------------------------------------------------------------------


def _call(writer: _LatexWriter, form: Form, parts: list[LatexPiece]) -> LatexPiece:
    """name(tensors), its settings as an index."""
    name, count, keywords = form.arg
    arguments = list(zip(form.parts, parts, strict=True))[: count + (form.op == "method")]
    # What follows the tensors are settings: which dimension, and so on.
    settings = [_bare(p) for part, p in arguments[1:] if part.kind == NUMBER]
    tensors = [p for k, (part, p) in enumerate(arguments) if k == 0 or part.kind != NUMBER]
    rank = max((p.rank for p in tensors), default=0)
    if name in ("maximum", "minimum", "clamp_min", "clamp_max"):
        tensors, settings = [p for _, p in arguments], []
    along_last = settings == [str(rank - 1)]
    shown = settings if rank > 1 or name not in ("softmax", "log_softmax", "logsumexp") else []
    command = _COMMANDS.get(name) or rf"\operatorname{{{escaped(name)}}}"
    index = f"_{{{', '.join(shown)}}}" if shown else ""
    text = rf"{command}{index}\left({', '.join(map(_bare, tensors))}\right)"
    head = command if name in _NAMED and not index else ""
    if name in _REDUCING:
        rank = rank - 1 if settings else 0
        return LatexPiece(
            text,
            ATOM,
            rank + 1 if "keepdim" in keywords and along_last else rank,
            column="keepdim" in keywords and along_last and rank == 1,
        )
    columns = any(p.column for p in tensors) and all(p.column or not p.rank for p in tensors)
    return LatexPiece(text, ATOM, rank, column=columns, head=head)


def _bare(piece: LatexPiece) -> str:
    """An argument; a list without brackets of its own."""
    return ", ".join(piece.cells) if piece.cells else signed(piece)


def _sum(writer: _LatexWriter, form: Form, parts: list[LatexPiece]) -> LatexPiece:
    """A sum as a product with ones."""
    inner = parts[0]
    keep = "keepdim" in form.arg[2]
    dims = [p.arg for p in form.parts[1 : form.arg[1]]]
    if inner.rank not in (1, 2) or inner.column or any(d not in (0, 1) for d in dims):
        return _call(writer, form, parts)
    if not dims:
        one = ones(1)
        return matrix_product(one, inner if inner.rank == 1 else matrix_product(inner, one))
    total = matrix_product(inner if dims == [1] else transposed(inner), ones(1))
    return column(total) if keep and dims == [1] else total


def _surrounded(opening: str, closing: str) -> _Handler:
    return lambda writer, form, parts: LatexPiece(
        rf"\left{opening} {signed(parts[0])} \right{closing}", ATOM, parts[0].rank, column=parts[0].column
    )


def _prod(writer: _LatexWriter, form: Form, parts: list[LatexPiece]) -> LatexPiece:
    (inner, *dims) = form.parts
    if inner.op == "name" and parts[0].rank == 1 and not dims:
        return LatexPiece(rf"\prod_{{i}} {with_index(parts[0].text, 'i')}", PRODUCT, 0)
    if inner.op == "call" and inner.arg[0] == "where" and len(dims) == 1 and inner.parts[2].op == "name":
        condition, one, x = inner.parts
        diagonal_is_one = condition.op == "binary" and condition.parts[0].op == "call" and one.is_number(1)
        if diagonal_is_one and condition.parts[0].arg[0] == "eye" and writer.ranks.get(x.arg) == 1:
            factor = with_index(symbol(x.arg), "j")
            return LatexPiece(rf"\left(\prod_{{j \neq i}} {factor}\right)_{{i}}", ATOM, 1)
    return _call(writer, form, parts)


def _log1p(writer: _LatexWriter, form: Form, parts: list[LatexPiece]) -> LatexPiece:
    total = _infix("+", LatexPiece("1", ATOM, 0), parts[0])
    return LatexPiece(rf"\log\left({total.text}\right)", ATOM, total.rank, column=total.column, head=r"\log")


def _xlogy(writer: _LatexWriter, form: Form, parts: list[LatexPiece]) -> LatexPiece:
    a, b = parts
    return _times(a, LatexPiece(rf"\log\left({signed(b)}\right)", ATOM, b.rank, column=b.column, head=r"\log"))


def _diagonal_of(writer: _LatexWriter, form: Form, parts: list[LatexPiece]) -> LatexPiece:
    if parts[0].rank != 2 or len(parts) > 1:
        return _call(writer, form, parts)
    return LatexPiece(rf"\operatorname{{diag}}\left({signed(parts[0])}\right)", ATOM, 1)


def _norm(writer: _LatexWriter, form: Form, parts: list[LatexPiece]) -> LatexPiece:
    if len(parts) > 2:
        return _call(writer, form, parts)
    order = f"_{{{signed(parts[1])}}}" if len(parts) > 1 else ""
    return LatexPiece(rf"\left\lVert {signed(parts[0])} \right\rVert{order}", ATOM, 0)


def _inverse(writer: _LatexWriter, form: Form, parts: list[LatexPiece]) -> LatexPiece:
    inner = parts[0]
    if inner.level == POWER and inner.text.endswith(r"^{\top}") and not inner.minus:
        return LatexPiece(inner.text.removesuffix(r"^{\top}") + r"^{-\top}", POWER, inner.rank)
    return LatexPiece(f"{in_brackets(inner, ATOM)}^{{-1}}", POWER, inner.rank)


def _solve(writer: _LatexWriter, form: Form, parts: list[LatexPiece]) -> LatexPiece:
    inverse = _inverse(writer, form, parts[:1])
    return matrix_product(parts[1], inverse) if len(parts) > 2 else matrix_product(inverse, parts[1])


def _where(writer: _LatexWriter, form: Form, parts: list[LatexPiece]) -> LatexPiece:
    condition, a, b = parts
    test = condition.text
    if re.fullmatch(r"\\left\[(?:(?!\\left\[).)*\\right\]", test):
        test = test.removeprefix(r"\left[").removesuffix(r"\right]")
    cases = rf"{signed(a)} & \text{{if }} {test} \\ {signed(b)} & \text{{otherwise}}"
    return LatexPiece(between_brackets("cases", cases), COMPARISON, max(p.rank for p in parts))


def _expanded(writer: _LatexWriter, form: Form, parts: list[LatexPiece]) -> LatexPiece:
    """A tensor repeated along new dimensions: times ones."""
    shape = form.parts[1:]
    named = len(shape) == 1 and shape[0].op == "attribute"
    rank = writer.ranks.get(shape[0].parts[0].arg, 0) if named else len(shape)
    return _to_rank(parts[0], rank)


def _to_rank(piece: LatexPiece, rank: int) -> LatexPiece:
    if rank == 2 and piece.rank == 1 or piece.column:
        return spread(piece)
    if rank in (1, 2) and not piece.rank:
        return ones(rank) if piece.text == "1" and not piece.minus else scaled(piece, ones(rank))
    return piece._replace(rank=max(rank, piece.rank))


def _exp(writer: _LatexWriter, form: Form, parts: list[LatexPiece]) -> LatexPiece:
    inner = parts[0]
    exponent = writer.exponent(form.parts[0])
    if (inner.rank > 1 and not inner.column) or len(exponent) > _LONGEST_EXPONENT or re.search("e\\^|begin", exponent):
        # e to a matrix would be another function.
        return LatexPiece(rf"\exp\left({signed(inner)}\right)", ATOM, inner.rank, column=inner.column, head=r"\exp")
    return LatexPiece(f"e^{{{exponent}}}", POWER, inner.rank, column=inner.column)


def _eye(writer: _LatexWriter, form: Form, parts: list[LatexPiece]) -> LatexPiece:
    return LatexPiece(f"I_{{{parts[0].text}}}" if form.parts[0].op == "number" else "I", ATOM, 2, symmetric=True)


def _first(writer: _LatexWriter, form: Form, parts: list[LatexPiece]) -> LatexPiece:
    return parts[0]


_Handler = Callable[[_LatexWriter, Form, list[LatexPiece]], LatexPiece]

_HANDLERS: dict[str, _Handler] = {
    "exp": _exp,
    "sqrt": lambda writer, form, parts: LatexPiece(
        rf"\sqrt{{{signed(parts[0])}}}", ATOM, parts[0].rank, column=parts[0].column
    ),
    "abs": _surrounded(r"\lvert", r"\rvert"),
    "floor": _surrounded(r"\lfloor", r"\rfloor"),
    "ceil": _surrounded(r"\lceil", r"\rceil"),
    "expm1": lambda writer, form, parts: _infix("-", _exp(writer, form, parts), LatexPiece("1", ATOM, 0)),
    "log1p": _log1p,
    "xlogy": _xlogy,
    "diagonal": _diagonal_of,
    "sum": _sum,
    "prod": _prod,
    "norm": _norm,
    "inv": _inverse,
    "solve": _solve,
    "outer": lambda writer, form, parts: outer(*parts),
    "diag": lambda writer, form, parts: diagonal(parts[0]) if parts[0].rank == 1 else _call(writer, form, parts),
    "where": _where,
    "ones": lambda writer, form, parts: ones(max(len(form.parts[: form.arg[1]]), 1)),
    "ones_like": lambda writer, form, parts: ones(parts[0].rank),
    "zeros_like": lambda writer, form, parts: LatexPiece(r"\mathbf{0}" if parts[0].rank else "0", ATOM, parts[0].rank),
    "full_like": lambda writer, form, parts: _to_rank(parts[1], parts[0].rank),
    "full": lambda writer, form, parts: _to_rank(parts[1], len(form.parts[0].parts)),
    "eye": _eye,
    "numel": lambda writer, form, parts: LatexPiece(rf"\operatorname{{numel}}\left({signed(parts[0])}\right)", ATOM, 0),
    "to": _first,
    "tensor": _first,
    "expand": _expanded,
}
