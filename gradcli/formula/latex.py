"""Formulas as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from gradcli.formula.forms import NUMBER, Form, in_order
from gradcli.formula.naming import Named

_COMPARISON, _SUM, _PRODUCT, _UNARY, _POWER, _ATOM = 1, 4, 5, 6, 7, 9

_GREEK = frozenset([
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi",
    "pi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega", "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi",
    "Sigma", "Phi", "Psi", "Omega",
])  # fmt: skip
_SYMBOLS = {
    "==": "=", "!=": r"\neq", "<": "<", ">": ">", "<=": r"\leq", ">=": r"\geq", "&": r"\land", "|": r"\lor",
    "%": r"\bmod", "+": "+", "-": "-",
}  # fmt: skip
_LEVEL = {"+": _SUM, "-": _SUM, "&": 3, "|": 2, "%": _PRODUCT}
#: Functions with a command of their own.
_COMMANDS = {name: f"\\{name}" for name in ["log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "det"]} | {
    "asin": r"\arcsin", "acos": r"\arccos", "atan": r"\arctan", "sigmoid": r"\sigma", "trace": r"\operatorname{tr}",
    "amax": r"\max", "amin": r"\min", "lgamma": r"\log\Gamma", "digamma": r"\psi",
}  # fmt: skip
_REDUCING = frozenset([
    "sum", "mean", "prod", "norm", "det", "trace", "logdet", "amax", "amin", "var", "std", "logsumexp", "argmax",
    "argmin", "all", "any",
])  # fmt: skip


class Piece(NamedTuple):
    """LaTeX, how tightly it binds, and the number of dimensions as far as it is known."""

    text: str
    level: int
    rank: int


def latex(formula: Named, ranks: Mapping[str, int]) -> str:
    """A formula, then its named parts."""
    writer = _Writer(dict(ranks))
    names = formula.names
    done = writer.write([formula.result], names)
    result = done[formula.result].text
    parts = [f"{_name(name)} = {writer.inner[form].text}" for name, form in formula.parts]
    return r",\quad ".join([result, *parts])


def _name(name: str) -> str:
    match = re.fullmatch(r"([A-Za-z]+?)_?(\d+)?", name)
    if match is None:
        escaped = name.replace("_", r"\_")
        return rf"\mathrm{{{escaped}}}" if name.isascii() else rf"\text{{{escaped}}}"
    word, digits = match.groups()
    shown = word if len(word) == 1 else f"\\{word}" if word in _GREEK else rf"\mathrm{{{word}}}"
    return f"{shown}_{{{digits}}}" if digits else shown


def _in_brackets(piece: Piece, needed: int) -> str:
    return rf"\left({piece.text}\right)" if piece.level < needed else piece.text


class _Writer:
    def __init__(self, ranks: dict[str, int]) -> None:
        self.ranks = ranks
        self.inner: dict[Form, Piece] = {}

    def write(self, roots: Sequence[Form], names: Mapping[Form, str]) -> dict[Form, Piece]:
        done: dict[Form, Piece] = {}
        for form in in_order(roots):
            piece = self._one(form, [done[p] for p in form.parts])
            if form in names:
                self.inner[form] = piece
                piece = Piece(_name(names[form]), _ATOM, piece.rank)
            done[form] = piece
        return done

    def _one(self, form: Form, parts: list[Piece]) -> Piece:
        if form.op == "number":
            return _number(form.arg)
        if form.op == "name":
            word = {"inf": r"\infty", "pi": r"\pi", "e": "e"}.get(form.arg)
            return Piece(word or _name(form.arg), _ATOM, self.ranks.get(form.arg, 0))
        if form.op == "string":
            return Piece(rf"\text{{{_escaped(form.arg)}}}", _ATOM, 0)
        if form.op == "unary":
            sign = r"\lnot " if form.arg == "~" else "-"
            return Piece(sign + _in_brackets(parts[0], _PRODUCT), _SUM, parts[0].rank)
        if form.op == "binary":
            return _binary(form, parts)
        if form.op in ("call", "method"):
            name = form.arg[0]
            handler = _HANDLERS.get(name)
            return handler(form, parts) if handler is not None else _call(form, parts)
        if form.op == "attribute":
            return _attribute(form, parts)
        if form.op == "index":
            return _index(form, parts)
        if form.op == "slice":
            texts = iter([p.text for p in parts])
            return Piece(":".join(next(texts) if given else "" for given in form.arg[: 2 + form.arg[2]]), _ATOM, 0)
        opening, closing = (r"\left[", r"\right]") if form.op == "list" else (r"\left(", r"\right)")
        return Piece(f"{opening}{', '.join(p.text for p in parts)}{closing}", _ATOM, 1)


def _number(value: int | float) -> Piece:
    shown = repr(value)
    mantissa, found, exponent = shown.partition("e")
    if not found:
        return Piece(shown, _ATOM, 0)
    return Piece(rf"{mantissa} \cdot 10^{{{int(exponent)}}}", _PRODUCT, 0)


def _escaped(text: str) -> str:
    return re.sub(r"([#$%&_{}])", r"\\\1", text.replace("\\", "")).replace("->", r"$\to$").replace("^", "")


def _binary(form: Form, parts: list[Piece]) -> Piece:
    left, right = parts
    symbol = form.arg
    rank = max(left.rank, right.rank)
    if symbol == "/":
        return Piece(rf"\frac{{{left.text}}}{{{right.text}}}", _PRODUCT + 1, rank)
    if symbol == "//":
        return Piece(rf"\left\lfloor\frac{{{left.text}}}{{{right.text}}}\right\rfloor", _ATOM, rank)
    if symbol == "**":
        return Piece(f"{_in_brackets(left, _ATOM)}^{{{right.text}}}", _POWER, rank)
    if symbol in ("*", "@"):
        rank = rank if symbol == "*" else max(left.rank + right.rank - 2, 0)
        first, second = _in_brackets(left, _PRODUCT), _in_brackets(right, _UNARY)
        if symbol == "@" and left.rank == 1:
            # A vector on the left is a row.
            first = rf"{_in_brackets(left, _ATOM)}^{{\top}}"
        sign = r" \odot " if symbol == "*" and left.rank and right.rank else _between(first, second)
        return Piece(first + sign + second, _PRODUCT, rank)
    level = _LEVEL.get(symbol, _COMPARISON)
    text = f"{_in_brackets(left, level)} {_SYMBOLS[symbol]} {_in_brackets(right, level + 1)}"
    if level == _COMPARISON:
        # 1 where it holds, 0 elsewhere.
        return Piece(rf"\left[{text}\right]", _ATOM, rank)
    return Piece(text, level, rank)


def _between(first: str, second: str) -> str:
    return r" \cdot " if second[:1].isdigit() else r" \, " if second.startswith("\\frac") else " "


def _attribute(form: Form, parts: list[Piece]) -> Piece:
    (inner,) = parts
    if form.arg in ("T", "mT"):
        if inner.text.endswith("^{-1}"):
            return Piece(inner.text.removesuffix("^{-1}") + r"^{-\top}", _POWER, inner.rank)
        return Piece(rf"{_in_brackets(inner, _ATOM)}^{{\top}}", _POWER, inner.rank)
    if form.arg in ("shape", "dtype"):
        return Piece(rf"\operatorname{{{form.arg}}}\left({inner.text}\right)", _ATOM, 1)
    if form.arg == "logabsdet":
        return Piece(rf"\log\left|\det {inner.text}\right|", _PRODUCT, 0)
    return Piece(rf"\operatorname{{{form.arg}}} {inner.text}", _PRODUCT, 0)


def _index(form: Form, parts: list[Piece]) -> Piece:
    receiver, items = form.parts[0], form.parts[1:]
    shown = [p.text for p, item in zip(parts[1:], items, strict=True) if not (item.op == "name" and item.arg == "None")]
    new = len(items) - len(shown)
    if receiver.op == "attribute" and receiver.arg == "shape":
        text = rf"\dim_{{{shown[0]}}}" + parts[0].text.removeprefix(r"\operatorname{shape}")
        return Piece(text, _ATOM, 0)
    if all(text == ":" for text in shown):
        return Piece(parts[0].text, parts[0].level, parts[0].rank + new)
    gone = sum(item.op == "number" for item in items)
    text = (
        rf"\left({parts[0].text}\right)_{{{', '.join(shown)}}}"
        if parts[0].level < _ATOM
        else (f"{parts[0].text}_{{{', '.join(shown)}}}")
    )
    return Piece(text, _ATOM if parts[0].level < _ATOM else _POWER, max(parts[0].rank + new - gone, 0))


def _call(form: Form, parts: list[Piece]) -> Piece:
    """name(first; settings as an index)."""
    name, count, keywords = form.arg
    receiver = form.op == "method"
    arguments = parts[: count + receiver]
    rank = max((p.rank for p in arguments), default=0)
    # What follows the tensors are settings: which dimension, and so on.
    pairs = list(zip(form.parts, arguments, strict=False))[1:]
    settings = [piece.text for part, piece in pairs if part.kind == NUMBER]
    tensors = [p.text for part, p in zip(form.parts, arguments, strict=False) if p.text not in settings]
    command = _COMMANDS.get(name) or rf"\operatorname{{{_escaped(name)}}}"
    index = f"_{{{', '.join(settings)}}}" if settings else ""
    if name in _REDUCING:
        rank = rank - 1 if settings else 0
    return Piece(rf"{command}{index}\left({', '.join(tensors)}\right)", _ATOM, rank)


def _surrounded(opening: str, closing: str) -> Callable[[Form, list[Piece]], Piece]:
    return lambda form, parts: Piece(rf"\left{opening} {parts[0].text} \right{closing}", _ATOM, parts[0].rank)


def _norm(form: Form, parts: list[Piece]) -> Piece:
    order = f"_{{{parts[1].text}}}" if len(parts) > 1 else ""
    rank = parts[0].rank - 1 if len(parts) > 2 else 0
    return Piece(rf"\left\lVert {parts[0].text} \right\rVert{order}", _ATOM, rank)


def _inverse(form: Form, parts: list[Piece]) -> Piece:
    return Piece(f"{_in_brackets(parts[0], _ATOM)}^{{-1}}", _POWER, parts[0].rank)


def _solve(form: Form, parts: list[Piece]) -> Piece:
    a, b = parts[:2]
    inverse = rf"{_in_brackets(a, _ATOM)}^{{-1}}"
    if len(parts) > 2:
        return Piece(f"{_in_brackets(b, _PRODUCT)} {inverse}", _PRODUCT, b.rank)
    return Piece(f"{inverse} {_in_brackets(b, _UNARY)}", _PRODUCT, b.rank)


def _outer(form: Form, parts: list[Piece]) -> Piece:
    u, v = parts
    return Piece(rf"{_in_brackets(u, _PRODUCT)} {_in_brackets(v, _ATOM)}^{{\top}}", _PRODUCT, 2)


def _where(form: Form, parts: list[Piece]) -> Piece:
    condition, a, b = parts
    test = condition.text
    if test.startswith(r"\left[") and test.endswith(r"\right]") and test.count(r"\left[") == 1:
        test = test.removeprefix(r"\left[").removesuffix(r"\right]")
    text = rf"\begin{{cases}} {a.text} & \text{{if }} {test} \\ {b.text} & \text{{otherwise}} \end{{cases}}"
    return Piece(rf"\left({text}\right)", _ATOM, max(p.rank for p in parts))


def _filled(symbol: str) -> Callable[[Form, list[Piece]], Piece]:
    return lambda form, parts: Piece(symbol, _ATOM, parts[0].rank)


def _full_like(form: Form, parts: list[Piece]) -> Piece:
    return Piece(rf"{_in_brackets(parts[1], _PRODUCT)} \, \mathbf{{1}}", _PRODUCT, parts[0].rank)


def _first(form: Form, parts: list[Piece]) -> Piece:
    return parts[0]


_HANDLERS: dict[str, Callable[[Form, list[Piece]], Piece]] = {
    "exp": lambda form, parts: Piece(f"e^{{{parts[0].text}}}", _POWER, parts[0].rank),
    "sqrt": lambda form, parts: Piece(rf"\sqrt{{{parts[0].text}}}", _ATOM, parts[0].rank),
    "abs": _surrounded("|", "|"),
    "floor": _surrounded(r"\lfloor", r"\rfloor"),
    "ceil": _surrounded(r"\lceil", r"\rceil"),
    "norm": _norm,
    "inv": _inverse,
    "solve": _solve,
    "outer": _outer,
    "where": _where,
    "ones_like": _filled(r"\mathbf{1}"),
    "zeros_like": _filled(r"\mathbf{0}"),
    "full_like": _full_like,
    "eye": lambda form, parts: Piece(rf"I_{{{parts[0].text}}}", _ATOM, 2),
    "to": _first,
    "expand": _first,
    "numel": lambda form, parts: Piece(rf"\operatorname{{numel}}\left({parts[0].text}\right)", _ATOM, 0),
}
