"""How operations are written in formulas: what their rows say, and the usual way where they say nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from gradcli.formula.derivation import derive
from gradcli.formula.formats import formatted
from gradcli.formula.lengths import Given, Wanted
from gradcli.formula.write.forms import Forms, named
from gradcli.formula.write.latex import latex
from gradcli.graph.arguments import as_node
from gradcli.graph.dtypes import FLOAT64
from gradcli.graph.node import make
from gradcli.graph.op import OPS, Op
from gradcli.language.parse import parse
from gradcli.ops.family import apply, elementwise, primitive
from gradcli.ops.reduce import reduction, restore


@pytest.fixture(autouse=True)
def scratch() -> Iterator[None]:
    """Rows of a test are gone after it."""
    known = dict(OPS)
    yield
    OPS.clear()
    OPS.update(known)


def written(form: str, expression: str, *shape: str) -> str:
    """The formula of a derivative with respect to x."""
    script, givens, wanted = parse(expression), [Given("x", shape, FLOAT64)], Wanted("x")
    return formatted(form, script, [(derive(script, givens, wanted), wanted)])


def slope(name: str, **row: Any) -> Op:
    """exp(scale*x), which is its own slope but for the scale."""
    op: Op = elementwise(
        name,
        lambda x, scale: np.exp(scale * x),
        args="input, scale=1.0",
        dtype="float",
        doc="An exponential.",
        build=lambda input, scale: apply(op, input, scale=float(scale)),
        vjp=lambda g, out, x, scale: (g * (out * scale),),
        **row,
    )
    return op


def test_an_elementwise_row_that_says_nothing() -> None:
    slope("growth_of")
    assert written("text", "sum(growth_of(x))", "n") == "growth_of(x)"
    assert written("text", "sum(growth_of(x, 2))", "n") == "2*growth_of(x, scale=2)"
    assert written("latex", "sum(growth_of(x))", "n") == r"\operatorname{growth\_of}\left(x\right)"


def test_a_row_says_its_operator_command_and_letter() -> None:
    slope("growth", latex=r"\growth", letter="G")
    assert written("latex", "sum(growth(x))", "n") == r"\growth\left(x\right)"
    assert written("latex", "sum(growth(x)**3)", "n") == r"3 \growth^{3}\left(x\right)"
    twice = written("text", "sum(sin(growth(x**2 + 1)))", "n")
    assert twice == "G = growth(x**2 + 1); 2*x*G*cos(G)"


def test_a_reduction_that_says_nothing() -> None:
    reduction(
        "energy",
        lambda x, dim, keepdim, axis_given: np.add.reduce(x * x, axis=dim, keepdims=keepdim),
        doc="The sum of squares.",
        vjp=lambda g, out, x, dim, keepdim, axis_given: (restore(g, x, dim, keepdim) * (2 * x),),
    )
    assert written("text", "exp(energy(x))", "n", "m") == "2*exp(energy(x))*x"
    assert written("text", "sum(exp(energy(x, 0)))", "n", "m") == "2*x*exp(energy(x, 0))"
    assert written("latex", "exp(energy(x))", "n") == r"2 e^{\operatorname{energy}\left(x\right)} x"
    along = written("latex", "sum(exp(energy(x, 0)))", "n", "m")
    assert r"e^{\operatorname{energy}_{0}\left(x\right)}" in along, along


def test_a_function_of_a_whole_tensor_that_says_nothing() -> None:
    op: Op = primitive(
        "turned",
        lambda x, places, wrap: np.roll(x, places),
        lambda inputs, params: (inputs[0].shape, inputs[0].dtype),
        args="input, places=1, wrap=True",
        family="shape",
        doc="The elements in other places.",
        build=lambda input, places, wrap: make(op, (as_node(input),), {"places": places, "wrap": wrap}),
        vjp=lambda g, out, x, places, wrap: (make(op, (g,), {"places": -places, "wrap": wrap}),),
    )
    assert written("text", "sum(exp(turned(x)))", "n") == "turned(exp(turned(x)), -1)"
    assert written("text", "sum(exp(turned(x, 1, False)))", "n") == (
        "turned(exp(turned(x, wrap=False)), -1, wrap=False)"
    )


@pytest.mark.parametrize(
    ("expression", "formula"),
    [
        ("sum(exp(x)*(x % 3))", "(x%3 + 1)*exp(x)"),
        ("sum(polygamma(2, x))", "polygamma(3, x)"),
        ("sum(softplus(x, 2)**2)", "2*sigmoid(2*x)*softplus(x, beta=2)"),
        ("sum(tril(outer(x, x), 1))", "r = tril(full((x.numel(), x.numel()), 1, dtype=x.dtype), 1); (r + r.T)@x"),
    ],
)
def test_rows_as_they_are_written(expression: str, formula: str) -> None:
    assert written("text", expression, "n") == formula


def test_operators_stand_for_one_row_each() -> None:
    symbols = [(op.symbol, len(op.signature.required)) for name, op in OPS.items() if op.symbol and name == op.name]
    assert len(set(symbols)) == len(symbols) == 21


ALL_OPERANDS = [
    (name, place)
    for name, op in OPS.items()
    if op.public and op.family == "elementwise" and op.name == name and "dtype" not in op.signature.names
    for place in range(len(op.signature.required) if len(op.signature.required) > 1 else 0)
]


@pytest.mark.parametrize(("name", "place"), ALL_OPERANDS)
def test_numbers_among_operands_are_arguments(name: str, place: int) -> None:
    """Element by element: an index is for settings, and a number in the place of a tensor is none."""
    forms = Forms()
    operands = [forms.name(word) for word in "abc"[: len(OPS[name].signature.required)]]
    operands[place] = forms.number(7)
    written = latex(named(forms.call(name, operands), set()), {})
    assert "7" in written and "_" not in written.replace(r"\_", "")
    if OPS[name].latex is None:
        arguments = ", ".join("7" if k == place else "abc"[k] for k in range(len(operands)))
        assert written.endswith(rf"\left({arguments}\right)")


def test_settings_are_told() -> None:
    """Those that are words as well: without them it would be another function."""
    forms = Forms()
    a, b, (zero, one, two, three) = forms.name("a"), forms.name("b"), map(forms.number, range(4))
    for made, expected in [
        (forms.call("softplus", [a], beta=two), r"{softplus}_{\text{beta} = 2}\left(a\right)"),
        (forms.call("hardtanh", [a], min_val=one), r"{hardtanh}_{\text{min\_val} = 1}\left(a\right)"),
        (forms.call("clamp", [a, zero, b]), r"{clamp}\left(a, 0, b\right)"),
        (forms.call("cumsum", [a, one]), r"{cumsum}_{1}\left(a\right)"),
        (
            forms.call("var", [a, zero], correction=three, keepdim=forms.name("True")),
            r"{var}_{0, \text{correction} = 3}\left(a\right)",
        ),
        (forms.call("linspace", [zero, one, three]), r"{linspace}\left(0, 1, 3\right)"),
    ]:
        assert latex(named(made, set()), {"a": 2}) == rf"\operatorname{expected}"
