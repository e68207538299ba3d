"""Formulas at the points where they tend to break: 0, 1 and -1, roots, and random ones; to the fourth order."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.autodiff.vjp import vjp
from gradcli.engine.execute.run import execute
from gradcli.formula.derivation import Derived, derive
from gradcli.formula.formats import formatted
from gradcli.formula.lengths import Given, Wanted
from gradcli.formula.write.forms import text
from gradcli.graph.node import input_node
from gradcli.language.parse import parse
from tests.command import call
from tests.gradients import build
from tests.sampling import sampled

FUNCTIONS = (Path(__file__).parent / "functions_of_x.txt").read_text().splitlines()[1:]
POINTS = np.array(
    [
        0.0,
        1.0,
        -1.0,
        0.5,
        -0.5,
        2.0,
        -2.0,
        3.0,
        3**0.5,
        -(3**0.5),
        np.pi,
        np.pi / 2,
        *np.random.default_rng(4).normal(size=8),
    ]
)


def derivative(expression: str, arrays: dict[str, Any], wrt: str, order: int) -> np.ndarray:
    """The derivative of the sum of the value by the engine, and of its sum, and so on."""
    node, leaves = build(expression, arrays)
    value = node
    for _ in range(order):
        found = vjp([node], [input_node(np.ones(node.shape))], [leaves[wrt]]) if node.requires_grad else {}
        if leaves[wrt] not in found:
            return np.zeros(arrays[wrt].shape)
        node = found[leaves[wrt]]
    result, numbers = execute([node, value])
    return np.where(np.isfinite(numbers), result, np.nan) if numbers.shape == result.shape else result


def values(derived: Derived, program: Any, wanted: Wanted, arrays: dict[str, Any]) -> list[np.ndarray]:
    """What a formula gives in the language, and as a Python function."""
    shown = text(derived.formula)
    known = {n: a for n, a in arrays.items() if re.search(rf"\b{n}\b", shown)}
    found = gc.evaluate(shown, known, wrt=()).value.numpy()
    names: dict[str, Any] = {}
    exec(compile(formatted("python", program, [(derived, wanted)]), "formula.py", "exec"), names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return [np.asarray(found, np.float64), np.asarray(names["gradient"](**known), np.float64)]


def assert_holds(expression: str, arrays: dict[str, Any], wrt: str, order: int) -> Derived:
    """A formula for numbers gives the derivative wherever there is one, unless it says that it does not."""
    script = parse(expression)
    wanted = Wanted(wrt, order)
    derived = derive(script, [Given(n, a.shape, a.dtype) for n, a in arrays.items()], wanted)
    with np.errstate(all="ignore"):
        expected = derivative(expression, arrays, wrt, order)
    for found in values(derived, script, wanted, arrays):
        finite = np.isfinite(expected) & (np.isfinite(found) | (not derived.undefined))
        close = np.isclose(found[finite], expected[finite], rtol=1e-6, atol=1e-8)
        assert found.shape == expected.shape and close.all(), (
            f"{text(derived.formula)}: {found[finite][~close]} instead of {expected[finite][~close]} "
            f"at {np.broadcast_to(arrays[wrt], expected.shape)[finite][~close]}"
        )
    return derived


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("expression", FUNCTIONS)
def test_functions_of_one_number(expression: str, order: int) -> None:
    _holds_everywhere(expression, order)


@pytest.mark.parametrize("order", [3, 4])
@pytest.mark.parametrize("expression", sampled(FUNCTIONS, every=4))
def test_high_orders_of_one_number(expression: str, order: int) -> None:
    _holds_everywhere(expression, order)


def _holds_everywhere(expression: str, order: int) -> None:
    found = assert_holds(f"sum({expression})", {"x": POINTS}, "x", order)
    assert not found.undefined, (text(found.formula), found.undefined)


def test_there_are_enough_functions() -> None:
    assert len(FUNCTIONS) >= 100


_ZEROS = [np.array(v) for v in ([0.5, 0.0, -2.0, 3.0], [0.0, 0.0, 2.0, 3.0], [0.0] * 4, [1.0, 2.0, 3.0, 0.0])]


@pytest.mark.parametrize(
    ("expression", "wrt", "order"),
    [
        ("prod(x)", "x", 1),
        ("prod(x)", "x", 2),
        ("prod(x)**2", "x", 1),
        ("sum(prod(outer(x, y), 1))", "x", 1),
        ("sum(prod(outer(x, y), 0)*y)", "x", 1),
        ("prod(outer(x, y))", "y", 1),
        ("sum(cumprod(x, 0))", "x", 1),
        ("cumprod(x, 0)@y", "x", 1),
        ("sum(cumprod(outer(x, y), 0)[2])", "x", 1),
        ("sum(x**y)", "y", 1),
        ("sum(x**2*y)", "x", 2),
        ("sum(xlogy(x, y))", "x", 1),
        ("sum(x*y**3)", "y", 3),
        ("(x@x - 13)**3", "x", 2),
        ("(x@x)**2", "x", 2),
        ("exp(-x@x)", "x", 2),
    ],
)
def test_tensors_with_zeros(expression: str, wrt: str, order: int) -> None:
    for x in _ZEROS:
        arrays = {"x": x, "y": np.array([0.5, 2.0, 1.0, 3.0])}
        used = {n: a for n, a in arrays.items() if re.search(rf"\b{n}\b", expression)}
        assert not assert_holds(expression, used, wrt, order).undefined


def test_a_formula_for_every_size_holds_at_zeros() -> None:
    for expression in ("prod(X)", "sum(prod(X, 0))", "sum(prod(X, 1))", "sum(cumprod(X, 1))", "sum(cumprod(X, 0))"):
        shape: tuple[int | str, ...] = ("X.0", "X.1")
        formula = text(derive(parse(expression), [Given("X", shape, np.dtype(float))], Wanted("X")).formula)
        for x in (np.array([[1.0, 0.0, 2.0], [3.0, 4.0, 5.0]]), np.zeros((3, 2))):
            found = gc.evaluate(formula, {"X": x}, wrt=()).value.numpy()
            np.testing.assert_allclose(found, derivative(expression, {"X": x}, "X", 1), rtol=1e-12, atol=1e-12)


# Where no formula holds everywhere ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["norm(x)", "x:1"], "norm(x) is 0"),
        (["det(X)", "X:2"], "X is singular"),
        (["det(X)", "X:3,3", "--order", "2"], "X is singular"),
        (["std(x)", "x:1"], "std(x) is 0"),
        (["det(A@X)", "A:2", "X:2", "--wrt", "X"], "A@X is singular"),
        (["norm(A@x)", "A:2", "x:1", "--wrt", "x", "--jacobian"], "norm(A@x) is 0"),
        # x**0 has the derivative 0, at x = 0 too.
        (["sum(x**y)", "x:1", "y:1", "--wrt", "x"], "an element of x is 0 and y - 1 is negative"),
        (["atan2(x, y)", "x:0", "y:0", "--wrt", "x"], "x**2 + y**2 is 0"),
        # At the edge of what the root is defined for, the gradient is 0.
        (["norm(x**1.5, 3)", "x:1"], "norm(x**1.5, 3) is 0"),
    ],
)
def test_where_a_formula_breaks(monkeypatch: pytest.MonkeyPatch, words: list[str], place: str) -> None:
    done = call(monkeypatch, "derive", *words)
    assert done.code == 0 and f"note: the formula has no value where {place}; the gradient has one" in done.err
    assert call(monkeypatch, "derive", *words, "-q").err == ""
    found = json.loads(call(monkeypatch, "derive", *words, "--format", "json").out)
    assert found["undefined_where"] == [place]
    for form in ("python", "latex"):
        assert place in call(monkeypatch, "derive", *words, "--format", form).err


@pytest.mark.parametrize(
    "expression",
    [
        "maximum(x, 2)",
        "minimum(0.25, x)",
        "-3*maximum(x + x, 1)",
        "maximum(x, y)",
        "logsumexp(maximum(x, y), 0)",
        "maximum(x**3, 4*x)",
        "prod(maximum(0.5, x))",
        "maximum(2, x)**4",
        "softplus(minimum(x, 3))",
        "maximum(3*x, tanh(y))",
        "var(expm1(minimum(-1, x)))",
    ],
)
@pytest.mark.parametrize("order", [1, 2])
def test_kinks_that_are_not_at_simple_numbers_are_told(
    monkeypatch: pytest.MonkeyPatch, expression: str, order: int
) -> None:
    """The number in the expression, elements of another input, and wherever two operands are equal."""
    inputs = [f"{name}:1" for name in "xy" if re.search(rf"\b{name}\b", expression)]
    words = ["derive", f"sum({expression})", *inputs, "--wrt", "x", "--order", str(order)]
    done = call(monkeypatch, *words)
    assert done.code == 0
    # A sign is 0 where both are equal, as is the difference of the gradient's halves.
    assert ("at kinks" in done.err) == bool(re.search(r"[<>]", done.out)), (done.out, done.err)


@pytest.mark.parametrize("expression", ["var(clamp(x, -1, 1))", "var(relu(x))", "sum((relu(x) - mean(relu(x)))**2)"])
def test_means_of_conditions_are_means_of_numbers(expression: str) -> None:
    x = np.array([0.5, -3.0, 0.25, 2.0, -0.5])
    assert_holds(expression, {"x": x}, "x", 2)
    derived = derive(parse(expression), [Given("x", ("n",), np.dtype(float))], Wanted("x", 2))
    assert not derived.notes
    found = gc.evaluate(text(derived.formula), {"x": x}, wrt=()).value.numpy()
    np.testing.assert_allclose(found, derivative(expression, {"x": x}, "x", 2))


def test_a_formula_that_is_refused_is_wrong() -> None:
    """Not one that has no value: mean() takes no booleans, whatever they are."""
    from gradcli.formula.lengths import Lengths
    from gradcli.formula.verify import verify
    from gradcli.formula.write.forms import Forms, Named

    forms = Forms()
    condition = forms.binary(">", forms.name("x"), forms.number(0))
    formula = Named([], forms.call("mean", [condition]))
    assert verify(parse("sum(relu(x))"), Lengths([Given("x", (3,), np.dtype(float))]), formula, Wanted("x")).wrong


def test_another_value_at_kinks_is_told() -> None:
    """A formula that is 0 where |x| has the slope 0, and one that is 1."""
    from gradcli.formula.lengths import Lengths
    from gradcli.formula.verify import verify
    from gradcli.formula.write.forms import Forms, Named

    forms = Forms()
    x, lengths = forms.name("x"), Lengths([Given("x", (), np.dtype(float))])
    sign = Named([], forms.call("sign", [x]))
    other = Named([], forms.call("where", [forms.binary("<", x, forms.number(0)), forms.number(-1), forms.number(1)]))
    good, told = (verify(parse("abs(x)"), lengths, formula, Wanted("x")) for formula in (sign, other))
    assert good.compared and not good.wrong and not good.other_choice
    assert told.compared and not told.wrong and told.other_choice
    wrong = verify(parse("abs(x)**3"), lengths, sign, Wanted("x"))
    assert wrong.wrong


def test_a_factor_is_taken_out_only_where_it_divides() -> None:
    for expression, order, formula in (
        ("exp(-x**2/2)", 2, "(x**2 - 1)*exp(-x**2/2)"),
        ("x**5 - x**3", 3, "6*(10*x**2 - 1)"),
        ("x**0", 1, "0"),
    ):
        assert text(derive(parse(expression), [Given("x", (), np.dtype(float))], Wanted("x", order)).formula) == formula


@pytest.mark.parametrize("names", [("X", "A"), ("A", "X")])
def test_the_order_of_the_inputs_is_of_no_account(names: tuple[str, ...]) -> None:
    givens = [Given(n, (f"{n}.0", f"{n}.1"), np.dtype(float)) for n in names]
    for expression in ("det(X.T@A@X)", "logdet(X.T@A@X)", "trace(inv(X.T@A@X))"):
        assert "inv(" in text(derive(parse(expression), givens, Wanted("X")).formula)


@pytest.mark.parametrize("shape", [("n", "k"), ("k", "n")])
@pytest.mark.parametrize(
    "expression", ["logdet(X.T@X)", "logdet(X@X.T)", "det(X.T@X)", "trace(inv(X.T@X))", "slogdet(X.T@X).logabsdet"]
)
def test_products_that_are_singular_for_some_shapes(expression: str, shape: tuple[str, str]) -> None:
    formula = text(derive(parse(expression), [Given("X", shape, np.dtype(float))], Wanted("X")).formula)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 3) if "X.T@X" in expression else (3, 5))
    found = gc.evaluate(formula, {"X": x}, wrt=()).value.numpy()
    np.testing.assert_allclose(found, derivative(expression, {"X": x}, "X", 1), rtol=1e-9, atol=1e-9)
