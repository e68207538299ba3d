"""`gradcli check`: right gradients pass, wrong ones are blamed on the right operation, kinks are told apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradcli.check.compare import Report, check
from gradcli.errors import GradcliError
from gradcli.graph.node import Node, constant
from gradcli.graph.op import OPS
from tests.cases import Case, all_cases
from tests.command import call, process
from tests.gradients import build
from tests.test_gradients import MUTANTS_FIRST, _detached, _scaled

# One expression for each kind of rule; the checker of the tests goes through all of them.
RIGHT = [
    c
    for c in all_cases()
    if "x" in c.expression.replace("exp", "")
    and "eye" not in c.expression
    and all(0 not in s for s, _ in c.inputs.values())
][::9]


def _verdicts(report: Report) -> dict[str, str]:
    return {row.name: row.verdict for row in report.rows}


@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_right_gradients_pass(case: Case) -> None:
    value, leaves = build(case.expression, case.arrays())
    if not value.is_floating or not any(leaf.is_floating for leaf in leaves.values()):
        with pytest.raises(GradcliError):
            check(case.expression, case.arrays())
        return
    for order in (1, 2):
        report = check(case.expression, case.arrays(), order=order)
        assert report.ok, report


@pytest.mark.parametrize("expression", MUTANTS_FIRST)
def test_a_wrong_rule_is_found_and_named(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(expression, {"x": ((2, 3), (0.3, 2.0))})
    value, _ = build(expression, case.arrays())
    monkeypatch.setattr(value.op, "vjp", _scaled(value.op))
    report = check(f"sum(tanh({expression}))", case.arrays())
    assert _verdicts(report) == {"x": "wrong"}
    assert {s.op for s in report.suspects} == {value.op.name}


@pytest.mark.parametrize("expression", ["exp(x)", "tanh(x)", "softmax(x, 0)", "logsumexp(x, 0)", "x * x"])
def test_a_rule_wrong_at_second_order_is_found(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(expression, {"x": ((2, 3), (0.3, 2.0))})
    value, _ = build(expression, case.arrays())
    monkeypatch.setattr(value.op, "vjp", _detached(value.op))
    assert check(expression, case.arrays()).ok
    assert not check(expression, case.arrays(), order=2).ok


def test_a_wrong_entry_of_a_large_input_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    value, _ = build("sin(x)", {"x": np.ones(3)})
    rule = value.op.vjp
    assert rule is not None
    factor = np.ones((40, 50))
    factor[7, 9] = 2.0
    wrong = constant(factor)

    def off(g: Node, *rest: Any, **params: Any) -> tuple[Node | None, ...]:
        return tuple(None if r is None else r * wrong for r in rule(g, *rest, **params))

    monkeypatch.setattr(value.op, "vjp", off)
    (row,) = check("sum(sin(x))", {"x": np.linspace(0, 1, 2000).reshape(40, 50)}).rows
    assert (row.verdict, row.place) == ("wrong", (7, 9))


KINKS: list[tuple[str, Any, str]] = [
    ("abs(x)", [0.0, 1.0], "abs"),
    ("relu(x)", [0.0, 1.0], "relu"),
    ("max(x)", [2.0, 2.0, 2.0], "max"),
    ("maximum(x, 1)", [1.0, 3.0], "maximum"),
    ("amax(x, 1)", [[1.0, 1.0], [0.0, 1.0]], "amax"),
    ("clamp(x, 0, 1)", [0.0, 0.5], "clamp"),
    ("floor(x)", [2.0, 2.5], "floor"),
    ("sum(abs(x)) * 1000", [[0.0, 1e-3]], "abs"),
    ("norm(x)", [0.0, 0.0], "norm"),
]


@pytest.mark.parametrize(("expression", "x", "op"), KINKS)
def test_a_kink_is_no_failure(expression: str, x: Any, op: str) -> None:
    report = check(expression, {"x": np.array(x)})
    assert report.ok
    assert _verdicts(report) == {"x": "kink"}
    assert [s.op for s in report.suspects] == [op]


JUMPS = [
    ("abs(x)", "abs"),
    ("minimum(x, 1)", "minimum"),
    ("minimum(x, 1)**3", "minimum"),
    ("maximum(x, 1)**4", "maximum"),
    ("relu(x)**2", "relu"),
    ("clamp(x, 0, 1)**2", "clamp"),
    ("max(x)**3", "max"),
    ("norm(x, 1)", "norm"),
]


@pytest.mark.parametrize(("expression", "op"), JUMPS)
@pytest.mark.parametrize("order", [2, 3, 4])
def test_a_kink_of_the_value_is_none_of_its_derivatives_failures(expression: str, op: str, order: int) -> None:
    report = check(expression, {"x": np.array([0.0, 1.0, 1.0, 0.0])}, order=order)
    assert report.ok, report
    if order == 2:
        assert _verdicts(report) == {"x": "kink"}
        (suspect,) = report.suspects
        assert suspect.op == op and suspect.span is not None


def test_a_wrong_derivative_beside_a_kink_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    value, _ = build("exp(x)", {"x": np.ones(2)})
    monkeypatch.setattr(value.op, "vjp", _detached(value.op))
    report = check("abs(x) + exp(x)", {"x": np.array([0.0, 1.0])}, order=2)
    assert _verdicts(report) == {"x": "wrong"} and report.rows[0].place == (1,)


def test_a_gradient_outside_the_slopes_of_a_kink_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    value, _ = build("abs(x)", {"x": np.ones(2)})
    monkeypatch.setattr(value.op, "vjp", lambda g, out, x: (g * 3,))
    assert _verdicts(check("abs(x)", {"x": np.array([0.0])})) == {"x": "wrong"}


SMOOTH: list[tuple[str, Any]] = [
    ("log(x)", [1e-9, 1e9]),
    ("1/x", [1e-5, -1e-5]),
    ("exp(100*x)", [3.0, 0.1]),
    ("sin(1000*x)", [0.3, 2.0]),
    ("x**3", [0.0, 1e6]),
    ("x*1e-12", [1.0]),
    ("sqrt(x)", [1e-12]),
    ("detach(x)*x", [3.0]),
    ("tanh(x)", [30.0]),
    ("abs(x)", [1e-4]),
    ("sum(x)", np.linspace(-1, 1, 3000)),
    ("logsumexp(x, 0)", np.linspace(-1, 1, 300)),
]


@pytest.mark.parametrize(("expression", "x"), SMOOTH, ids=lambda v: v if isinstance(v, str) else "")
def test_awkward_points_pass(expression: str, x: Any) -> None:
    assert _verdicts(check(expression, {"x": np.array(x)})) == {"x": "ok"}


def test_an_edge_is_said_to_be_one() -> None:
    assert _verdicts(check("sqrt(x)", {"x": [0.0, 2.0]})) == {"x": "edge"}


def test_a_gradient_that_is_not_finite_is_wrong_and_explained() -> None:
    report = check("where(x > 0, sqrt(x), 0)", {"x": [-1.0, 2.0]})
    assert _verdicts(report) == {"x": "wrong"}
    assert [(s.op, s.slope.verdict) for s in report.suspects] == [("sqrt", "undefined")]


def test_symmetric_matrices_are_compared_as_such() -> None:
    assert _verdicts(check("cholesky(x)", {"x": [[2.0, 1.0], [1.0, 3.0]]})) == {"x": "symmetric"}
    assert _verdicts(check("cholesky(x@x.T)", {"x": [[2.0, 1.0], [1.0, 3.0]]}, order=2)) == {"x": "ok"}


@pytest.mark.parametrize("words", [("k=1",), ("k=k.npy",), ("k=1", "--against", "x=x")])
def test_dtypes_that_are_told_are_those_of_the_check(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("k.npy", np.float16(1))
    told = process("check", "x[2*k]", "x=[1, 2]", *words).err.splitlines()
    assert told[:3] == ["gradcli: an index must hold integers, not float64", "  x[2*k]", "   ^^^^^"]
    # 0.1 as a literal is not what it is in float32.
    assert process("check", "x", "x=0.1", "--against", "where(x == 0.1, 1, 0)*x/x").code == 0


def test_drawn_numbers_are_those_of_the_note() -> None:
    report = check("sum(log(x*rand(2)))", {"x": np.array([1e-60, 1.0])}, literals=["x"])
    assert report.ok and report.notes == ["log gives an infinity in float32: log(x*rand(2))"]


def test_float32_inputs_are_widened_and_casts_within_are_noted() -> None:
    report = check("sum(x**3)", {"x": np.array([0.1, 0.7], np.float32)})
    assert report.ok and not report.notes and report.rows[0].largest < 1e-8
    report = check("sum(x.float()**3)", {"x": np.array([0.1, 0.7])})
    assert report.ok and "float32" in report.notes[0]


def test_functions_with_nothing_to_differentiate() -> None:
    assert check("sum(x)", {"x": 3.0}, order=2).ok
    assert check("x**2", {"x": np.ones((0, 3))}).ok
    assert check("x**4", {"x": 2.0}, order=4).ok
    assert check("rand(3)*x", {"x": 2.0}).ok


def test_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "check", "sum(x**2*y)", "x=[1,2]", "y=3")
    assert done.code == 0 and not done.err
    lines = done.out.splitlines()
    assert lines[0].split() == ["input", "shape", "checked", "largest", "error", "relative", "at"]
    assert lines[1].startswith("x      (2,)   2 elements") and lines[1].endswith("ok")
    assert lines[2].startswith("y      ()     1 element") and lines[2].endswith("ok")
    assert lines[-1] == "gradients agree with central differences"


def test_a_wrong_gradient_ends_with_code_1() -> None:
    done = process("check", "where(x>0, sqrt(x), 0)", "x=[-1,2]")
    assert done.code == 1 and not done.err
    assert "x: the gradient is nan at [0], differences give 0\n" in done.out
    assert "  where(x>0, sqrt(x), 0)\n             ^^^^^^^" in done.out
    assert done.out.endswith("gradients differ from central differences: x\n")
    done = process("check", "where(x>0, sqrt(x), 0)", "x=[-1,2]", "--json")
    assert done.code == 1
    found = json.loads(done.out)
    assert found["ok"] is False and found["inputs"][0]["gradient"] == "NaN"
    assert found["operations"] == [
        {"op": "sqrt", "operand": 0, "verdict": "undefined", "gradient": "NaN", "difference": "NaN", "span": [11, 18]}
    ]


def test_json(monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "check", "sum(abs(x)*n)", "x=[0,1]", "n=[1,2]", "--wrt", "x", "--json", "--order", "1")
    found = json.loads(done.out)
    assert (done.code, found["ok"], found["order"], found["notes"]) == (0, True, 1, [])
    (row,) = found["inputs"]
    assert {k: row[k] for k in ("name", "shape", "entries", "verdict", "index")} == {
        "name": "x",
        "shape": [2],
        "entries": 2,
        "verdict": "kink",
        "index": [0],
    }
    assert [(o["op"], o["span"]) for o in found["operations"]] == [("abs", [4, 10])]


def test_files_and_expression_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.float32([1, 2]))
    Path("loss.txt").write_text("sum(sin(x) * randn(2))")
    first, second = (call(monkeypatch, "check", "-f", "loss.txt", "x=x.npy", "--seed", "1") for _ in range(2))
    assert first.code == 0 and first.out == second.out


def test_the_derivative_is_called_by_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    for order, name in ((1, "gradient"), (2, "second derivative"), (3, "third derivative"), (4, "fourth derivative")):
        done = call(monkeypatch, "check", "x**5", "x=2", "--order", str(order))
        assert done.out.endswith(f"\n{name}s agree with central differences\n")
    monkeypatch.setattr(OPS["sin"], "vjp", lambda g, out, x: (g * OPS["detach"](OPS["cos"](x)),))
    assert (
        "\nx: the second derivative is 0 here, differences give -0.8414"
        in call(monkeypatch, "check", "sin(x)", "x=1", "--order", "2").out
    )


def test_the_gradient_of_a_number_has_no_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    for words, gradient in (
        (("mean(x**2)", "x=[3, 3]"), 3.0),
        (("x**3", "x=2", "--order", "2"), 12.0),
        (("x*y", "x=2", "y=5", "--wrt", "x"), 5.0),
    ):
        (row,) = json.loads(call(monkeypatch, "check", *words, "--json").out)["inputs"]
        assert row["gradient"] == gradient and row["difference"] == pytest.approx(row["gradient"])


def test_a_literal_that_float32_cannot_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "check", "x/2", "x=1e200")
    assert done.code == 0 and "note: the input x holds an infinity in float32\n" in done.out
    done = call(monkeypatch, "check", "x**2", "x=1e200")
    assert done.err.endswith("\nhint: the input x holds an infinity in float32; choose other inputs\n")


@pytest.mark.parametrize("option", ["--atol", "--rtol"])
def test_a_tolerance_that_is_no_number(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything would be wrong."""
    done = call(monkeypatch, "check", "x**2", "x=1", option, "nan")
    assert (done.code, done.out) == (2, "") and f"'{option}': nan is not a valid number" in done.err


def test_no_warning_of_numpy_is_seen() -> None:
    done = process("check", "sum(sqrt(frac(i)))", "i=[1,2]")
    assert (done.code, done.err) == (1, "")


REFUSED = [
    (("sqrt(x)", "x=0", "--order", "2"), "the gradient is not finite here: there are no differences"),
    (("x**1.5", "x=0", "--order", "4"), "the second derivative is not finite here: there are no differences"),
    (("x>0", "x=1"), "the value is bool and has no gradient"),
    (("log(x)", "x=0"), "the value is not finite here: there are no differences"),
    (("sum(x)", "x=1", "y=2"), "the input 'y' is never used"),
    (("sum(x)", "x=1", "--wrt", "z"), "there is no input 'z' to differentiate"),
    (("sum(x", "x=1"), "'(' is never closed"),
    (("sum(x)", "x=1", "--order", "0"), "invalid value for '--order'"),
    (("2+3",), "no input can be differentiated"),
    (("sum(x)", "x=1", "--grad-output", "1"), "no such option"),
    (("cholesky(x)", "x=-eye(2)"), "the matrix is not positive definite"),
]


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_refused(words: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "check", *words)
    assert done.code == 2 and not done.out
    assert message in done.err.lower() or message in done.err


# Derivatives that somebody has worked out -----------------------------------------------------------------------------


def test_own_derivatives() -> None:
    done = process("check", "sum((X@w)**2)", "X=randn(5,3)", "w=randn(3)", "--against", "w=2*X.T@X@w", "--seed", "1")
    assert (done.code, done.err) == (0, "") and done.out.endswith("\n\nformulas agree with gradients\n")
    done = process("check", "sin(x)", "x=[1,2,3]", "--against", "cos(x) + (x == 2)")
    shown = "x: the formula gives 0.583853163 at [1], the gradient is -0.416146837"
    assert (done.code, done.err) == (1, "") and done.out.endswith(f"\n{shown}\n\nformulas differ from gradients: x\n")
    # One formula for each input; a name on the left is an input's, a comparison is none.
    assert process("check", "sum(x*y)", "x=[1,2]", "y=[3,4]", "--against", "y").code == 1
    assert process("check", "sum(x*y)", "x=[1,2]", "y=[3,4]", "--against", "y", "--wrt", "x").code == 0
    assert process("check", "sum(x*y)", "x=[1,2]", "y=[3,4]", "--against", "y", "--against", "y.grad=x").code == 0
    assert process("check", "sum(x)", "x=[1,2]", "--against", "x==x").code == 0
    assert process("check", "sum(x)", "x=[1,2]", "--against", "t = 3; t - 2").code == 0
    assert process("check", "x**3", "x=[1,2]", "--against", "6*x", "--order", "2").code == 0
    assert process("check", "x**3", "x=[1,2]", "--against", "6.001*x", "--order", "2", "--rtol", "0.01").code == 0
    # Infinite in the same way is the same; without a number on one side is not.
    assert process("check", "log(x)", "x=[0,2]", "--against", "1/x").code == 0
    assert process("check", "log(x)", "x=[0,2]", "--against", "nan").code == 1
    assert process("check", "log(x)", "x=[0,2]", "--against", "-1/x").code == 1
    assert process("check", "sum(x)", "x=ones(0)", "--against", "7").code == 0
    # Of a number, too.
    assert process("check", "x**2", "x=3", "--against", "2*x").code == 0
    assert "x: the formula gives 7, the gradient is 6" in process("check", "x**2", "x=3", "--against", "7").out


def test_own_derivatives_as_json() -> None:
    done = process("check", "sum(x**2)", "x=arange(12.).reshape(3,4)", "--against", "2*x + (x > 3)", "--json")
    data = json.loads(done.out)
    (row,) = data.pop("inputs")
    assert done.code == 1 and data == {"ok": False, "order": 1}
    assert row.pop("differences")[0] == {"index": [1, 0], "formula": 9.0, "gradient": 8.0}
    assert row.pop("max_rel_error") == 1 / 9
    assert row == {"name": "x", "shape": [3, 4], "verdict": "wrong", "wrong": 8, "max_abs_error": 1.0, "index": [1, 0]}
    text = process("check", "sum(x**2)", "x=arange(12.).reshape(3,4)", "--against", "2*x + (x > 3)").out
    assert text.count("the formula gives") == 5 and "   … 8 places in all\n" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("sum(x)", "x=[1,2]", "--against", "ones(3)"), "--against for x: the formula has shape (3,), x has (2,)"),
        (("sum(x)", "x=[1,2]", "--against", "x="), "--against for x: the expression is empty"),
        (("sum(x)", "x=[1,2]", "--against", "z=1"), "--against: the last statement is an assignment"),
        (("sum(x)", "x=[1,2]", "--against", "x=q"), "--against for x: unknown name 'q'"),
        (("sum(x)", "x=[1,2]", "--against", "x=1", "--against", "x=2"), "--against gives two formulas for x"),
        (("sum(x)", "x=[1,2]", "--against", "1", "--against", "2"), "--against gives two formulas for all inputs"),
        (("sum(x*y)", "x=1", "y=2", "--against", "x=y", "--wrt", "y"), "the formula for 'x' has no gradient"),
        (("sum(x*y)", "x=1", "y=2", "--against", "x=y", "--wrt", "x,y"), "there is no formula for 'y'"),
        (("x > 1", "x=[1,2]", "--against", "1"), "the value is bool and has no gradient"),
        (("sum(x)", "x=[1,2]", "y=3", "--against", "1"), "the input 'y' is never used"),
    ],
)
def test_own_derivatives_that_cannot_be_compared(words: tuple[str, ...], message: str) -> None:
    done = process("check", *words)
    assert (done.code, done.out) == (2, "") and done.err.startswith(f"gradcli: {message}"), done


def test_no_formula_for_integers(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.arange(2))
    done = process("check", "sum(x*t)", "x=[1,2]", f"t={tmp_path}/t.npy", "--against", "t=x")
    report = "gradcli: the formula for 't' has no gradient to compare with\nhint: it is int64\n"
    assert done == (2, "", report)
    assert process("check", "sum(x*t)", "x=[1,2]", f"t={tmp_path}/t.npy", "--against", "t").code == 0


def test_kinks_of_half_precision_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "check", "sum(abs(x.half()))", "x=[0, 1]")
    assert (done.code, "except on kinks" in done.out) == (0, True)
