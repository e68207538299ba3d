r"""Steps as LaTeX: two `align*` environments of amsmath, forward and backward.

What arrives at a step has a bar, as the adjoint of automatic differentiation has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from gradcli.formula.write.forms import Form, Forms, Named, in_order
from gradcli.formula.write.latex import latex
from gradcli.ops.notation.latex_pieces import Symbols, between_brackets
from gradcli.walkthrough import board_words as words
from gradcli.walkthrough.recording import Code, popped
from gradcli.walkthrough.step_types import Arrival, BackwardStep, ForwardStep, Passed, Told

# A matrix of more rows or columns is told by its size.
_MOST = 6
# What formulas have as LaTeX; other instructions are written as in the source.
_TYPESET = frozenset(
    ("number", "name", "string", "unary", "binary", "call", "method", "attribute", "index", "list", "tuple")
)
_GRAD = ".grad"
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: rf"\{c}" for c in "#$%&_{}"},
}


def walkthrough_latex(told: Told) -> str:
    """The steps as LaTeX; nothing of the source is a command in it."""
    symbol = Symbols(told.ranks)
    forward = [_step(step, told.ranks, symbol) for step in told.forward]
    parts = [_aligned(forward)]
    backward = [row for item in told.backward for row in _rows(item, told.ranks, symbol)]
    if backward:
        parts.append(_aligned(backward))
    notes = [words.left_out(told), told.note or ""]
    return "\n".join([*parts, *(f"{plain(note)}." for note in notes if note)])


def _aligned(rows: list[str]) -> str:
    return "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}"


def _step(step: ForwardStep, ranks: Mapping[str, int], symbol: Symbols) -> str:
    shown = _expression(step, ranks, symbol) or (typewriter(step.expression) if step.expression else "")
    equals = f"{shown} = " if shown else ""
    function = rf" && {typewriter(step.grad_fn)}" if step.grad_fn else ""
    return f"{symbol(step.name)} &= {equals}{_value(step.value)}{function}"


def _expression(step: ForwardStep, ranks: Mapping[str, int], symbol: Symbols) -> str | None:
    form = _form(step.code)
    return None if form is None else latex(Named([], form), ranks, symbol)


def _form(code: Code) -> Form | None:
    """Instructions as a form; None where there is no LaTeX for one of them."""
    forms, stack = Forms(), list[Form]()
    for step in code:
        count = popped(step)
        if step.op not in _TYPESET or step.arg == "…":
            return None
        parts = stack[len(stack) - count :]
        del stack[len(stack) - count :]
        stack.append(forms.make(step.op, step.arg, parts))
    return stack[0] if len(stack) == 1 else None


def _rows(item: BackwardStep | Arrival, ranks: Mapping[str, int], symbol: Symbols) -> list[str]:
    if isinstance(item, BackwardStep):
        return [_passed(passed, item, ranks, symbol) for passed in item.passed]
    if not item.branches:
        return [f"{_bar(symbol(item.target))} &= {_value(item.total)}"]
    if item.branches > 1:
        return [rf"{_bar(symbol(item.target))} &= {_value(item.total)} && \text{{{plain(words.joining(item))}}}"]
    return []


def _passed(passed: Passed, function: BackwardStep, ranks: Mapping[str, int], symbol: Symbols) -> str:
    value = _value(passed.part)
    name = typewriter(function.name)
    target, result = symbol(passed.target), symbol(function.results[0])
    if passed.derivative is None:
        return rf"{_bar(target)} &\leftarrow {value} && {name}"
    formula = _formula(passed, ranks, symbol)
    if passed.derivative.product:
        return rf"{_bar(target)} &\leftarrow {formula} = {value} && {name}"
    local = rf"\frac{{\partial {result}}}{{\partial {target}}} = {formula}"
    return rf"{_bar(target)} &\leftarrow {value} && {name}\colon\ {local}"


def equation(step: ForwardStep, ranks: Mapping[str, int], symbol: Symbols) -> str | None:
    """A step as an equation, without its numbers; None where there is no LaTeX for it."""
    shown = _expression(step, ranks, symbol)
    return None if shown is None else f"{symbol(step.name)} = {shown}"


def local_derivative(passed: Passed, function: BackwardStep, ranks: Mapping[str, int], symbol: Symbols) -> str | None:
    """The equation of a local derivative, or of what the operand is given; None where there is no formula."""
    if passed.derivative is None:
        return None
    formula = _formula(passed, ranks, symbol)
    if passed.derivative.product:
        return f"{_bar(symbol(passed.target))} = {formula}"
    return rf"\frac{{\partial {symbol(function.results[0])}}}{{\partial {symbol(passed.target)}}} = {formula}"


def _formula(passed: Passed, ranks: Mapping[str, int], symbol: Symbols) -> str:
    """A formula in which what arrives at a step has a bar."""
    assert passed.derivative is not None
    # Words without digits and underscores, which no index can be put into.
    own = {name: f"arriving{'i' * k}x" for k, name in enumerate(passed.words)}
    forms = Forms()
    done: dict[Form, Form] = {}
    named = passed.derivative.formula
    for form in in_order([named.result, *(form for _, form in named.parts)]):
        arg = own.get(form.arg, form.arg) if form.op == "name" else form.arg
        done[form] = forms.make(form.op, arg, [done[part] for part in form.parts], form.kind)
    known = {own.get(name, name): rank for name, rank in ranks.items()}
    known |= {own[name]: ranks.get(word.removesuffix(_GRAD), 0) for name, word in passed.words.items()}
    text = latex(Named([(name, done[form]) for name, form in named.parts], done[named.result]), known, symbol)
    for name, word in passed.words.items():
        shown = _bar(symbol(word.removesuffix(_GRAD))) if word.endswith(_GRAD) else symbol(word)
        text = text.replace(symbol(own[name]), shown)
    return text


def _bar(symbol: str) -> str:
    return rf"\bar{{{symbol}}}"


def _value(array: Any) -> str:
    """A number, vector or matrix; what is larger by its size."""
    shape = tuple(array.shape)
    if len(shape) > 2 or max(shape, default=0) > _MOST or 0 in shape:
        sizes = r" \times ".join(map(str, shape))
        return rf"(\ldots) \in \mathbb{{R}}^{{{sizes}}}"
    numbers = np.asarray(array[...])
    if not shape:
        return _number(numbers.item())
    rows = [" & ".join(_number(v) for v in np.atleast_1d(row).tolist()) for row in numbers]
    return between_brackets("pmatrix", r" \\ ".join(rows))


def _number(value: Any) -> str:
    if isinstance(value, bool | int):
        return rf"\mathrm{{{value}}}" if isinstance(value, bool) else str(value)
    if not math.isfinite(value):
        return r"\mathrm{NaN}" if math.isnan(value) else r"\infty" if value > 0 else r"-\infty"
    mantissa, _, exponent = f"{value:.4g}".partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa


def plain(text: str) -> str:
    """A text in which nothing is a command."""
    return "".join(_SPECIAL.get(c, c) for c in text)


def typewriter(text: str) -> str:
    """A text as it is written in the source."""
    return rf"\texttt{{{plain(text)}}}"
