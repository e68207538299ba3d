r"""Calls as LaTeX: the usual way, \operatorname{name}(tensors), and that of rows that are written otherwise.

Each function takes a writer (`gradcli.formula.write.latex`), a form and the pieces of its operands, and gives a piece.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from gradcli.graph.op import OPS, Op
from gradcli.language.kinds import NUMBER
from gradcli.ops.notation import latex_pieces as pieces
from gradcli.ops.notation.latex_pieces import ATOM, COMPARISON, POWER, PRODUCT, LatexPiece, matrix_product, signed

_LONGEST_EXPONENT = 60
_ONE = LatexPiece("1", ATOM, 0)
# Settings that change what the result is kept in, and not what it is.
_OF_THE_FORM = ("keepdim", "dtype")

Latex = Callable[[Any, Any, list[LatexPiece]], LatexPiece]


def call(
    form: Any,
    parts: list[LatexPiece],
    command: str = "",
    *,
    whole: bool = False,
    operands: bool = False,
    quiet: bool = False,
) -> LatexPiece:
    """command(operands), its settings as an index.

    With `whole` it gives a number, with `operands` all its arguments are operands, with `quiet` no setting is told.
    """
    name, count, keywords = form.arg
    op = OPS.get(name)
    count += form.op == "method"
    # What follows the operands are settings: which dimension, and so on. Operands may be numbers, too.
    first = _operands_of(op)
    is_operand = [operands or k < first or part.kind != NUMBER for k, part in enumerate(form.parts[:count])]
    tensors = [p for p, among in zip(parts, is_operand, strict=False) if among]
    shown = [_bare(p) for p, among in zip(parts, is_operand, strict=False) if not (among or quiet)]
    named = dict(zip(keywords, parts[count:], strict=True)) if not quiet else {}
    words = [rf"\text{{{pieces.escaped(k)}}} = {_bare(p)}" for k, p in named.items() if k not in _OF_THE_FORM]
    rank = max((p.rank for p in tensors), default=0)
    word = op.latex if op is not None and isinstance(op.latex, str) else ""
    command = command or word or rf"\operatorname{{{pieces.escaped(name)}}}"
    index = f"_{{{', '.join([*shown, *words])}}}" if shown or words else ""
    text = rf"{command}{index}\left({', '.join(map(_bare, tensors))}\right)"
    if whole or (op is not None and op.family == "reduction" and "dim" in op.signature.defaults):
        kept = "keepdim" in keywords and shown == [str(rank - 1)]
        rank = rank - 1 if shown else 0
        return LatexPiece(text, ATOM, rank + kept, column=kept and rank == 1)
    columns = any(p.column for p in tensors) and all(p.column or not p.rank for p in tensors)
    return LatexPiece(
        text, ATOM, rank, column=columns, head=command if word and pieces.is_word(word) and not index else ""
    )


def _operands_of(op: Op | None) -> int:
    """How many of the first arguments are operands whatever they are: element by element all that have no default."""
    if op is None or op.family != "elementwise":
        return 1
    return len(op.signature.required)


def _bare(piece: LatexPiece) -> str:
    """An argument; a list without brackets of its own."""
    return ", ".join(piece.cells) if piece.cells else signed(piece)


def of_all(command: str = "") -> Latex:
    """command(arguments), numbers among them."""
    return lambda w, form, parts: call(form, parts, command, operands=True)


def scalar(command: str) -> Latex:
    """The number that is command(matrix)."""
    return lambda w, form, parts: call(form, parts, command, whole=True)


def along(w: Any, form: Any, parts: list[LatexPiece]) -> LatexPiece:
    """What goes along a dimension, which is not told where there is no other."""
    return call(form, parts, quiet=parts[0].rank <= 1)


def first(w: Any, form: Any, parts: list[LatexPiece]) -> LatexPiece:
    """The operand itself."""
    return parts[0]


def between(opening: str, closing: str) -> Latex:
    """The operand between bars of some kind, or below a root."""
    return lambda w, form, parts: LatexPiece(
        f"{opening}{signed(parts[0])}{closing}", ATOM, parts[0].rank, column=parts[0].column
    )


# Element by element ---------------------------------------------------------------------------------------------------


def exponential(w: Any, form: Any, parts: list[LatexPiece]) -> LatexPiece:
    """e to a power, if that is short."""
    inner = parts[0]
    exponent = w.exponent(form.parts[0])
    if (inner.rank > 1 and not inner.column) or len(exponent) > _LONGEST_EXPONENT or re.search("e\\^|begin", exponent):
        # e to a matrix would be another function.
        return LatexPiece(rf"\exp\left({signed(inner)}\right)", ATOM, inner.rank, column=inner.column, head=r"\exp")
    return LatexPiece(f"e^{{{exponent}}}", POWER, inner.rank, column=inner.column)


def exponential_less_one(w: Any, form: Any, parts: list[LatexPiece]) -> LatexPiece:
    """e to a power, minus 1."""
    return pieces.infix("-", exponential(w, form, parts), _ONE)


def _logarithm(text: str, inner: LatexPiece) -> LatexPiece:
    return LatexPiece(rf"\log\left({text}\right)", ATOM, inner.rank, column=inner.column, head=r"\log")


def logarithm_of_one_and(w: Any, form: Any, parts: list[LatexPiece]) -> LatexPiece:
    """log(1 + x)."""
    total = pieces.infix("+", _ONE, parts[0])
    return _logarithm(total.text, total)


def times_logarithm(w: Any, form: Any, parts: list[LatexPiece]) -> LatexPiece:
    """x log(y)."""
    return pieces.times(parts[0], _logarithm(signed(parts[1]), parts[1]))


def cases(w: Any, form: Any, parts: list[LatexPiece]) -> LatexPiece:
    """One value if a condition holds, another one otherwise."""
    condition, a, b = parts
    test = condition.text
    if re.fullmatch(r"\\left\[(?:(?!\\left\[).)*\\right\]", test):
        test = test.removeprefix(r"\left[").removesuffix(r"\right]")
    lines = rf"{signed(a)} & \text{{if }} {test} \\ {signed(b)} & \text{{otherwise}}"
    return LatexPiece(pieces.between_brackets("cases", lines), COMPARISON, max(p.rank for p in parts))


# Reductions -----------------------------------------------------------------------------------------------------------


def total(w: Any, form: Any, parts: list[LatexPiece]) -> LatexPiece:
    """A sum as a product with ones."""
    inner = parts[0]
    dims = [p.arg for p in form.parts[1 : form.arg[1]]]
    if inner.rank not in (1, 2) or inner.column or any(d not in (0, 1) for d in dims):
        return call(form, parts)
    if not dims:
        return matrix_product(pieces.ones(1), inner if inner.rank == 1 else matrix_product(inner, pieces.ones(1)))
    found = matrix_product(inner if dims == [1] else pieces.transposed(inner), pieces.ones(1))
    return pieces.column(found) if "keepdim" in form.arg[2] and dims == [1] else found


def product(w: Any, form: Any, parts: list[LatexPiece]) -> LatexPiece:
    """The product of a vector with a sign for it, and that of all but one of its elements."""
    (inner, *dims) = form.parts
    if inner.op == "name" and parts[0].rank == 1 and not dims:
        return LatexPiece(rf"\prod_{{i}} {pieces.with_index(parts[0].text, 'i')}", PRODUCT, 0)
    name = _all_but_one(inner) if len(dims) == 1 else None
    if name is not None and w.ranks.get(name) == 1:
        return LatexPiece(rf"\left(\prod_{{j \neq i}} {pieces.with_index(w.symbol(name), 'j')}\right)_{{i}}", ATOM, 1)
    return call(form, parts)


def _all_but_one(form: Any) -> str | None:
    """The x of where(eye(n) == 1, 1, x), which has a 1 in the place of one element in each row."""
    if form.op != "call" or form.arg[0] != "where" or form.parts[2].op != "name":
        return None
    condition, one, x = form.parts
    chosen = condition.op == "binary" and condition.parts[0].op == "call" and condition.parts[0].arg[0] == "eye"
    return str(x.arg) if chosen and one.is_number(1) else None


def norm(w: Any, form: Any, parts: list[LatexPiece]) -> LatexPiece:
    """Double bars, its order below."""
    if len(parts) > 2:
        return call(form, parts)
    order = f"_{{{signed(parts[1])}}}" if len(parts) > 1 else ""
    return LatexPiece(rf"\left\lVert {signed(parts[0])} \right\rVert{order}", ATOM, 0)


# Matrices -------------------------------------------------------------------------------------------------------------


def inverse(w: Any, form: Any, parts: list[LatexPiece]) -> LatexPiece:
    """A to the power -1."""
    inner = parts[0]
    if inner.level == POWER and inner.text.endswith(r"^{\top}") and not inner.minus:
        return LatexPiece(inner.text.removesuffix(r"^{\top}") + r"^{-\top}", POWER, inner.rank)
    return LatexPiece(f"{pieces.in_brackets(inner, ATOM)}^{{-1}}", POWER, inner.rank)


def solution(w: Any, form: Any, parts: list[LatexPiece]) -> LatexPiece:
    """An inverse times what is on the other side; a third part says that it stands on the right."""
    inverted = inverse(w, form, parts[:1])
    return matrix_product(parts[1], inverted) if len(parts) > 2 else matrix_product(inverted, parts[1])


def diagonal_of(w: Any, form: Any, parts: list[LatexPiece]) -> LatexPiece:
    """diag(matrix), as a vector."""
    if parts[0].rank != 2 or len(parts) > 1:
        return call(form, parts)
    return LatexPiece(rf"\operatorname{{diag}}\left({signed(parts[0])}\right)", ATOM, 1)


def diagonal_matrix(w: Any, form: Any, parts: list[LatexPiece]) -> LatexPiece:
    """diag(vector), as a matrix."""
    return pieces.diagonal(parts[0]) if parts[0].rank == 1 else call(form, parts)


def signed_determinant(w: Any, form: Any, parts: list[LatexPiece]) -> LatexPiece:
    """The results of slogdet by their names."""
    if form.op != "attribute":
        return call(form, parts)
    argument = parts[0].text.removeprefix(r"\operatorname{slogdet}")
    if form.arg == "logabsdet":
        return LatexPiece(rf"\log\left\lvert \det{argument} \right\rvert", ATOM, 0)
    return LatexPiece(rf"\operatorname{{sign}}\det{argument}", PRODUCT, 0)


# Creation -------------------------------------------------------------------------------------------------------------


def zeros_like(w: Any, form: Any, parts: list[LatexPiece]) -> LatexPiece:
    """Zeros in the shape of a tensor."""
    return LatexPiece(r"\mathbf{0}" if parts[0].rank else "0", ATOM, parts[0].rank)


def expanded(w: Any, form: Any, parts: list[LatexPiece]) -> LatexPiece:
    """A tensor repeated along new dimensions: times ones."""
    shape = form.parts[1:]
    named = len(shape) == 1 and shape[0].op == "attribute"
    return pieces.to_rank(parts[0], w.ranks.get(shape[0].parts[0].arg, 0) if named else len(shape))


def identity(w: Any, form: Any, parts: list[LatexPiece]) -> LatexPiece:
    """The identity matrix, with its size if that is a number."""
    return LatexPiece(f"I_{{{parts[0].text}}}" if form.parts[0].op == "number" else "I", ATOM, 2, symmetric=True)
