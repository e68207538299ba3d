"""What the language says beyond arithmetic: choices, chains, functions with statements of their own, loops."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.errors import GradcliError
from gradcli.evaluation import expansion
from tests.command import call

A = np.array([[1.0, 2.0], [3.0, 4.5]])


def value(expression: str, **inputs: Any) -> Any:
    return gc.evaluate(expression, inputs or {"A": A}).value


def gradient(expression: str, **inputs: Any) -> np.ndarray:
    result = gc.evaluate(expression, inputs or {"A": A})
    return np.asarray(result.grads[next(iter(inputs), "A")])


def failure(expression: str, **inputs: Any) -> tuple[str, str, str | None]:
    """The message, what it points at, and the hint."""
    with pytest.raises(GradcliError) as caught:
        gc.evaluate(expression, inputs or {"A": A})
    error = caught.value
    assert error.span is not None
    return error.message, expression[slice(*error.span)], error.hint


# Choices and chains ---------------------------------------------------------------------------------------------------


def test_a_choice_is_where() -> None:
    assert value("A*A if A > 2 else -A").tolist() == np.where(A > 2, A * A, -A).tolist()
    assert gradient("sum(A*A if A > 2 else -A)").tolist() == np.where(A > 2, 2 * A, -1).tolist()
    assert value("1 if A.ndim == 2 else A").item() == 1
    assert value("(A.shape if A.ndim else 1)[1]").item() == 2
    nested = np.where(A > 4, A, np.where(A > 2, 2 * A, 3 * A))
    assert value("A if A > 4 else 2*A if A > 2 else 3*A").tolist() == nested.tolist()


def test_both_branches_are_computed() -> None:
    assert np.isnan(value("log(A) if A > 0 else A", A=np.array([-1.0, 1.0]))).tolist() == [False, False]
    assert gradient("sum(log(A) if A > 0 else A)", A=np.array([-1.0, 2.0])).tolist() == [1.0, 0.5]


def test_comparisons_chain() -> None:
    assert value("1 < A <= 3").tolist() == ((A > 1) & (A <= 3)).tolist()
    assert value("1 < A <= 3 != A").tolist() == ((A > 1) & (A <= 3) & (A != 3)).tolist()
    assert value("(1 < A) < 1").tolist() == ((A > 1) < 1).tolist()
    assert value("(1 if 1 < 2 < 3 else 0)*A").tolist() == A.tolist()
    assert failure("A < 'x' < 2") == ("expected a tensor or a number, got a string", "<", None)
    assert failure("A < 2*A < [1, 2, 3]")[:2] == ("shapes (2, 2) and (3,) do not fit: 2 against 3 in dimension -1", "<")


def test_constants() -> None:
    assert value("0x10 + 0b11 + 0o17").item() == 16 + 3 + 15
    assert value("x*π", x=np.float64(2)).item() == 2 * np.pi


# Functions ------------------------------------------------------------------------------------------------------------


def test_defaults_are_computed_where_the_function_is_defined() -> None:
    text = "k = 2; f(t, n=k, m=(1, 3)) = t**n*m[1]; k = 5; [sum(f(A)), sum(f(A, 1)), sum(f(A, m=(0, 1))), 0*k]"
    assert value(text).tolist() == [3 * (A**2).sum(), 3 * A.sum(), (A**2).sum(), 0]
    assert gradient("f(t, s=A) = sum(t*s); f(2*A)").tolist() == (4 * A).tolist()
    assert failure("f(t, n=1) = t; f()") == ("f() needs 't'", "f()", None)
    assert failure("f(t, n=1) = t; f(A, 2, 3)")[0] == "f() takes 2 arguments, got 3"
    assert failure("f(t, n=1) = t; f(A, 2, n=3)")[0] == "f() got 'n' twice"
    assert failure("f(u, n=u) = u; f(A)")[:2] == ("unknown name 'u'", "u")
    assert failure("f(t, n=f(1)) = t; f(A)")[0] in ("f() calls itself without end", "unknown function 'f'")


def test_an_own_function_takes_the_place_of_one_of_the_language() -> None:
    assert value("norm(t) = sum(abs(t)); norm(A) + A.norm()").item() == A.sum() + np.sqrt((A * A).sum())
    assert value("inner(y) = y/2; outer(y, t) = iterate(inner, y + t, 3); sum(fold(outer, 0, A))").item() == (
        ((A[0] / 8 + A[1]) / 8).sum()
    )
    assert value("fold(a, b) = a*b; fold(A, 2)").tolist() == (2 * A).tolist()
    assert value("exp(t) = 2*t; iterate(exp, A, 2)").tolist() == (4 * A).tolist()
    assert failure("exp(t) = exp(2*t); exp(A)")[0] == "exp() calls itself without end"


def test_names_of_a_function_are_its_own() -> None:
    text = "y = 1; f(t) = {y = 2*t; z, _ = max(y, 0); y = y + z; sum(y)}; f(A) + 100*y"
    y = 2 * A
    assert value(text).item() == (y + y.max(0)).sum() + 100
    assert failure("f(t) = {y = t; y}; y + f(A)")[:2] == ("unknown name 'y'", "y")
    assert value("f(t) = {u = A + t; A = 0; u + A}; sum(f(A))").item() == 2 * A.sum()
    assert failure("f(t) = {a, b, c = t.shape; a}; f(A)") == ("3 names are assigned 2 values", "a, b, c", None)
    assert value("f(t) = {\n  # twice\n  u = 2*t\n\n  u\n}\nf(A)").tolist() == (2 * A).tolist()


def test_inputs_that_only_a_body_reads_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(monkeypatch, "eval", "f(t, n=k) = {u = t*w; u**n}; f(x)", "x=2", "w=3", "k=2", "--no-grad").out == (
        "tensor(36.)\n"
    )
    assert "unknown name 'w'" in call(monkeypatch, "eval", "f(t) = {u = t*w; u}; f(x)", "x=2").err


def test_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "f(t, n=2) = {u = t**n; u + 1}; sum(f(x) if 0 < x < 2 else x)"
    assert call(monkeypatch, "derive", text, "x:1").out == "r = (0 < x) & (x < 2); ~r + 2*x*r\n"
    assert call(monkeypatch, "check", text, "x=[0.5, 3]").code == 0
    done = call(monkeypatch, "stream", text, stdin=b'{"x": [1, 3]}\n')
    assert json.loads(done.out)["grads"]["x"] == [2.0, 1.0]


@pytest.mark.parametrize(
    ("command", "words", "stdin"),
    [
        ("eval", ("x=2",), b""),
        ("steps", ("x=2", "--only", "x"), b""),
        ("check", ("x=2",), b""),
        ("derive", ("x:0",), b""),
        ("explain", ("x=2",), b""),
        ("graph", ("x=2",), b""),
        ("minimize", ("x=2", "--wrt", "x"), b""),
        ("plot", ("x=-1:1",), b""),
        ("stream", (), b'{"x": 2}\n'),
        ("report", ("x=2", "-o", "-"), b""),
    ],
)
def test_the_last_statement_may_be_an_assignment(
    command: str, words: tuple[str, ...], stdin: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, plain = (call(monkeypatch, command, f"r = x**2; {last}", *words, stdin=stdin) for last in ("w = 3*r", "3*r"))
    assert named.code == plain.code == 0 and named.out != ""
    if command not in ("steps", "report"):
        assert named.out == plain.out


# Loops ----------------------------------------------------------------------------------------------------------------


def test_iterate() -> None:
    assert value("iterate(cos, A, 3)").tolist() == np.cos(np.cos(np.cos(A))).tolist()
    assert value("iterate(cos, A, 0)").tolist() == A.tolist()
    assert value("f(a, b) = (b, a + b); iterate(f, (0, 1), 10)[0]*A").tolist() == (55 * A).tolist()
    expected = gradient("f(y) = y*y + A; sum(f(f(f(A))))")
    assert gradient("f(y) = y*y + A; sum(iterate(f, A, 3))").tolist() == expected.tolist()
    assert gradient("f(y, k=2) = y*k; sum(iterate(f, A, n=A.ndim))").tolist() == [[4, 4], [4, 4]]


def test_fold_and_scan() -> None:
    assert value("fold(add, 0, A)").tolist() == A.sum(0).tolist()
    assert value("fold(add, 0, [sum(A), 2, 3])").item() == A.sum() + 5
    assert value("f(c, a, b) = c + a*b; fold(f, 0, (A, [2, 3]))").tolist() == (2 * A[0] + 3 * A[1]).tolist()
    assert value("fold(add, A, zeros(0, 2))").tolist() == A.tolist()
    assert value("last, c = scan(add, 0, A); c").tolist() == A.cumsum(0).tolist()
    assert gradient("last, c = scan(mul, 1, A); sum(c)").tolist() == [[4, 5.5], [1, 2]]
    text = "f(h, c, a) = {h = h + a; (h, c*a, h - c)}; h, c, y = scan(f, (0, 1), A); "
    assert value(text + "h").tolist() == A.sum(0).tolist()
    assert value(text + "c").tolist() == A.prod(0).tolist()
    assert value(text + "y").tolist() == [(A[0] - 1).tolist(), (A.sum(0) - A[0]).tolist()]


def test_the_operation_that_is_called_like_a_loop() -> None:
    columns = np.arange(8.0).reshape(1, 4, 2)
    assert value("fold(x, (3, 2), (2, 2))", x=columns).shape == (1, 1, 3, 2)
    assert value("x = 2*y; fold(x, (3, 2), (2, 2))", y=columns).sum().item() == 2 * columns.sum()
    assert value("f(t) = fold(t, (3, 2), (2, 2)); f(x)", x=columns).shape == (1, 1, 3, 2)


def test_loops_within_loops() -> None:
    assert value("f(y) = 2*y; g(y) = iterate(f, y, 2); iterate(g, A, 2)").tolist() == (16 * A).tolist()


@pytest.mark.parametrize(
    ("expression", "message", "place"),
    [
        ("iterate(2*A, A, 3)", "iterate() takes the name of a function first", "2*A"),
        ("iterate()", "iterate() needs 'f'", "iterate()"),
        ("iterate(2, A, 3)", "iterate() takes the name of a function first", "2"),
        ("fold(f=add, init=0, xs=A)", "'add' is a function", "add"),
        ("iterate(A, A, 2)", "iterate() takes the name of a function first", "A"),
        ("iterate(foo, A, 3)", "unknown function 'foo'", "foo"),
        ("iterate(cos, A, -3)", "iterate() needs 0 or more iterations, got -3", "-3"),
        ("iterate(cos, A, 1.5)", "n must be an integer, got 1.5", "1.5"),
        ("iterate(cos, A)", "iterate() needs 'n'", "iterate(cos, A)"),
        ("iterate(cos, A, 2, 3)", "iterate() takes at most 3 arguments, got 4", "iterate(cos, A, 2, 3)"),
        ("fold(add, 0, sum(A))", "there are no rows in a 0-dim tensor", "sum(A)"),
        ("fold(add, 0, 2)", "there are no rows in an int", "2"),
        ("f(c, a, b) = c; fold(f, 0, (A, [1, 2, 3]))", "the numbers of rows differ: 2, 3", "(A, [1, 2, 3])"),
        ("f(x) = iterate(f, x, 2); f(A)", "f() calls itself without end", "f"),
        ("iterate(scan, A, 2)", "scan() is a loop: none can go through it", "scan"),
        ("f(x) = (x, x); iterate(f, A, 2)", "the function gives 2 values and is called with one", "iterate(f, A, 2)"),
        ("f(x) = x; iterate(f, (A, A), 2)", "f() takes 1 argument, got 2", "iterate(f, (A, A), 2)"),
        (
            "f(x, y) = x; iterate(f, (A, A), 2)",
            "the function gives one value, 2 are carried on",
            "iterate(f, (A, A), 2)",
        ),
        ("scan(add, 0, zeros(0, 2))", "scan() needs one row or more, got shape (0, 2)", "scan(add, 0, zeros(0, 2))"),
        ("cos(cos)", "'cos' is a function", "cos"),
        ("iterate + 1", "'iterate' is a function", "iterate"),
        (
            "f(x) = x + [1, 2, 3]; iterate(f, A, 2)",
            "shapes (2, 2) and (3,) do not fit: 2 against 3 in dimension -1",
            "+",
        ),
    ],
)
def test_errors(expression: str, message: str, place: str) -> None:
    assert failure(expression)[:2] == (message, place)


def test_a_loop_may_not_come_to_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    message, place, hint = failure("f(y) = sin(y)*cos(y); iterate(f, A, 2**19)")
    assert message == "with f() the expression has 1572864 operations; 2**20 are too many"
    assert place.startswith("iterate") and hint == "reduce the number of iterations"
    monkeypatch.setattr(expansion, "TOO_MANY", 1000)
    nested = "f(y) = y*2; g(y) = iterate(f, y, 20); iterate(g, A, {})"
    assert value(nested.format(40)).shape == (2, 2)
    assert "the expression has" in failure(nested.format(60))[0]


def test_derivatives_of_loops_are_formulas_where_they_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(monkeypatch, "derive", "f(y) = y*x; iterate(f, x, 3)", "x:0").out == "4*x**3\n"
    done = call(monkeypatch, "derive", "f(y) = sin(y*x) + x/y; sum(iterate(f, x, 100))", "x:n")
    assert done.code == 2 and "too long for a formula" in done.err


@pytest.mark.parametrize(
    ("call", "name"),
    [("ln(A)", "log"), ("LN(A)", "log"), ("A.average()", "mean"), ("pow2(A)", "square"), ("mmul(A, A)", "mm")],
)
def test_words_of_others_are_understood_in_hints(call: str, name: str) -> None:
    assert failure(call)[2] == f"it is called {name!r} here"


# Integers -------------------------------------------------------------------------------------------------------------


def test_integers_are_exact() -> None:
    for text, expected in {
        "(2**1100) % 1000": 2**1100 % 1000,
        "10**700 - 10**700 + 1": 1,
        "10**900 // 10**898": 100,
        "10**900 / 10**899": 10,
        "2**16383 % 7": 2**16383 % 7,
        "(-1)**10**400": 1,
        "(1 << 5000) >> 4998": 4,
        "f(a, b) = (b, a + b); p, q = iterate(f, (0, 1), 5000); p % 1000": 125,
    }.items():
        assert value(text).item() == expected, text


def test_integers_that_are_too_large_are_refused() -> None:
    for text, symbol in {
        "A*2**10**9": "**",
        "A*10**10**10": "**",
        "A*(2**16000*2**16000)": "*",
        "A*(2**16383 + 2**16383)": "+",
        f"A + (0x{'f' * 5000} % 7)": "%",
        "A*(1 << 10**9)": "<<",
    }.items():
        message, place, _ = failure(text)
        assert (message.split()[0], place) == (symbol, symbol) and "too large" in message, text
    for text in ("10**400*0.0", "10**900/10**400"):
        assert failure(f"A*({text})")[0].endswith(" of an integer that is too large for double precision")


@pytest.mark.parametrize("text", ["A + 10**309", "2**1024*A", "A > 10**400", "A**-10**400"])
def test_integers_beyond_floating_point_numbers_are_refused(text: str) -> None:
    message, place, hint = failure(text)
    assert message == "the number written here does not fit into float64" and place and "inf" in (hint or "")


def test_integers_meet_the_tensor_s_own_precision() -> None:
    wide = gc.evaluate("x + 2**200", {"x": np.ones(2)}).value
    assert wide.dtype == np.float64 and wide.tolist() == [2.0**200] * 2
    assert failure("where(x > 0, 2**128, x)", x=[1.0])[0] == "the number written here does not fit into float32"
    assert gc.evaluate("x + 1e400 - 10**38", {"x": [1.0]}).value.tolist() == [np.inf]


def test_a_tuple_of_one_value_is_no_value() -> None:
    message, _, hint = failure("f(y) = (y,); iterate(f, A, 3)")
    assert message == "the function gives a tuple of one value and is called with the value"
    assert hint == "a comma at the end makes a tuple: write y for (y,)"
