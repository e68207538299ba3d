"""`--per-row`: a value, and gradients or Jacobians of all inputs, for each row of some of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.plan.planner import plan
from gradcli.errors import GradcliError
from gradcli.evaluation.request import VECTOR, prepare
from gradcli.evaluation.values import InputSpec
from gradcli.language.parse import parse
from tests.command import call

ROWS = ("x=[[1,2],[3,4],[5,6]]", "y=[1,2,3]", "w=[1,1]", "--per-row", "x,y")
X, Y, W = np.arange(1.0, 7).reshape(3, 2), np.arange(1.0, 4), np.array([0.5, -0.25])


def asked(monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    done = call(monkeypatch, "eval", *words, "--json")
    assert (done.code, done.err) == (0, "")
    return json.loads(done.out)


def test_values_and_gradients_of_each_row(monkeypatch: pytest.MonkeyPatch) -> None:
    found = asked(monkeypatch, "(x@w - y)**2", *ROWS)
    assert found["value"] == [4.0, 25.0, 64.0]
    assert found["grads"] == {
        "x": [[4.0, 4.0], [10.0, 10.0], [16.0, 16.0]],
        "y": [-4.0, -10.0, -16.0],
        "w": [[4.0, 8.0], [30.0, 40.0], [80.0, 96.0]],
    }


def test_jacobians_where_the_value_of_a_row_is_no_scalar(monkeypatch: pytest.MonkeyPatch) -> None:
    found = asked(monkeypatch, "[x@w*y, sum(w)]", *ROWS, "--wrt", "w")
    assert found["grads"] is None
    assert found["jacobian"] == {"w": [[[1, 2], [1, 1]], [[6, 8], [1, 1]], [[15, 18], [1, 1]]]}
    vector = asked(monkeypatch, "[x@w*y, sum(w)]", *ROWS, "--wrt", "w", "--grad-output", "[[1,0],[0,1],[1,1]]")
    assert vector["grads"]["w"] == [[1, 2], [1, 1], [16, 19]]
    assert "jacobian" not in vector


def test_all_derivatives_are_those_of_a_loop() -> None:
    text = "exp(x@w)*x*y"
    found = gc.evaluate(text, {"x": X, "y": Y, "w": W}, per_row=("x", "y"))
    for k in range(3):
        jacobian = gc.jacobian(lambda x, y, w: gc.exp(x @ w) * x * y, tuple(map(gc.tensor, (X[k], Y[k], W))))
        for name, block in zip("xyw", jacobian, strict=True):
            np.testing.assert_allclose(found.derivatives[f"{name}.jacobian"].numpy()[k], block.numpy(), rtol=1e-12)
    assert found.grads is None


@pytest.mark.parametrize(
    "text",
    (
        "scatter_add(x, 0, i, 3*x)",
        "index_add(x, 0, i, x)",
        "scatter_reduce(x, 0, i, 2*x, 'amax')",
        "scatter_reduce(b, 1, j, b, 'amin')",
        "sum(n)",
        "nansum(n)",
        "sum(x, dtype=float64)",
        "argmin(x, 0, keepdim=True)",
        "max(x, 0)[1]",
    ),
)
def test_rows_without_dimensions_of_their_own_are_those_of_a_loop(text: str) -> None:
    row = {"x": np.array([1, -2, 3], "f4"), "n": np.array([200, 100, 7], "u1"), "i": np.zeros(3, "i8")}
    row["j"] = np.array([[[1, 2]], [[0, 0]], [[2, 1]]])
    same = {"b": np.array([[4.0, 2.0, 3.0]])}
    wrt = "b" if "b" in text else "x" if "x" in text and "arg" not in text and "[1]" not in text else ()
    text = f"sum({text})" if wrt else text
    found = gc.evaluate(text, row | same, wrt, per_row=tuple(row))
    one = [gc.evaluate(text, {name: a[k] for name, a in row.items()} | same, wrt) for k in range(3)]
    pairs = [(found.value, [r.value for r in one])]
    if wrt:
        pairs.append((found.grads[wrt], [r.grads[wrt] for r in one]))
    for all_of_them, each in pairs:
        assert all_of_them.dtype == each[0].dtype
        np.testing.assert_array_equal(all_of_them.detach().numpy(), [r.detach().numpy() for r in each])


def test_second_derivatives_and_products(monkeypatch: pytest.MonkeyPatch) -> None:
    more = ("--hessian", "--jvp", "w=1", "--hvp", "x=[[1,0],[0,1],[1,1]]", "--jacobian")
    found = asked(
        monkeypatch, "sum(x*w)**2", "x=[[1,2],[3,4],[5,6]]", "w=[1,1]", "--per-row", "x", "--wrt", "x,w", *more
    )
    assert found["hessian"]["w"]["w"][1] == [[18.0, 24.0], [24.0, 32.0]]
    assert found["jvp"] == [18.0, 98.0, 242.0]
    assert found["hvp"]["x"] == [[2.0, 2.0], [2.0, 2.0], [4.0, 4.0]]
    assert found["jacobian"] == found["grads"]


def test_files_show_and_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    done = call(
        monkeypatch, "eval", "x*y", *ROWS[:2], "--per-row", "x,y", "-o", "x.jacobian=j.npy", "-o", "value=v.npy", "-q"
    )
    assert (done.code, done.out, done.err) == (0, "", "")
    assert np.load("j.npy").tolist() == [(np.eye(2) * y).tolist() for y in (1, 2, 3)]
    assert call(
        monkeypatch, "eval", "x@w", "x=[[1,2]]", "w=[1,1]", "--per-row", "x", "--only", "w.jacobian"
    ).out.startswith("tensor([[1., 2.]])")
    plan_text = call(monkeypatch, "explain", "(x@w)**2", "x=zeros(4000000,2)", "w=[1,1]", "--per-row", "x").out
    assert "4,000,000 rows in" in plan_text and "w.grad[i:j]" in plan_text


def test_streamed_rows_are_read_and_written_in_blocks() -> None:
    """Neither the inputs nor what lies between them and the Jacobians is held as a whole, nor is a vector in a file."""
    shape = (2_000_000, 15)
    for vector in (False, InputSpec(VECTOR, (2_000_000, 2), np.dtype("f4"))):
        forms = [InputSpec("p", shape, np.dtype("f4"))]
        request = prepare(parse("d = p[:2]/p[2]; d*p[3] + sum(d**2)*p[4:6]"), forms, None, vector, per_row=["p"])
        files = frozenset([request.leaves["p"], *([request.vector] if request.vector is not None else [])])
        program = plan(request.roots, files=files, streamed=frozenset(range(len(request.roots))))
        assert [len(stage.whole) for stage in program.stages] == [0]


BAD = [
    (("x*y", "x=[3,4]", "y=[1,2,3]", "--per-row", "x,y"), "the numbers of rows differ: x has 2, y has 3"),
    (("x*2", "x=3", "--per-row", "x"), "x has no rows: it is a 0-dim tensor"),
    (("x*2", "x=[3]", "--per-row", "z"), "there is no input 'z' to evaluate row by row"),
    (("x*2", "x=[3]", "--per-row", ""), "--per-row takes names of inputs"),
    (
        ("x*rand(2)", "x=[3]", "--per-row", "x"),
        "--per-row builds what is done with a row once, so that all rows would have the same random numbers",
    ),
    (("x@w", "x=[[3, 4]]", "w=[1,2,3]", "--per-row", "x"), "shapes (2,) and (3,) do not fit for @: 2 against 3"),
    (("x > 1", "x=[3,4]", "--per-row", "x", "--jacobian"), "the value is bool and has no derivatives"),
    (
        ("x", "x=[3,4]", "--per-row", "x", "--grad-output", "[1,2,3]"),
        "the upstream gradient has shape (3,), the value (2,): they must be equal",
    ),
]


@pytest.mark.parametrize(("words", "message"), BAD, ids=[message for _, message in BAD])
def test_requests_that_make_no_sense(monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str) -> None:
    done = call(monkeypatch, "eval", *words)
    assert done.code == 2
    assert done.err.splitlines()[0] == f"gradcli: {message}"


def test_rows_of_the_records_of_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    records = b'{"x": [[1, 2], [3, 4]]}\n{"x": [[1, 2]]}\n'
    done = call(monkeypatch, "stream", "sum(x*w)**2", "w=[1,2]", "--per-row", "x", "--wrt", "w", stdin=records)
    assert [json.loads(line)["grads"]["w"] for line in done.out.splitlines()] == [[[10, 20], [66, 88]], [[10, 20]]]
    done = call(monkeypatch, "stream", "x*w", "w=[1,2]", "--per-row", "x", "--wrt", "w", stdin=records)
    assert (
        json.loads(done.out.splitlines()[0])["error"]["message"] == "the value of a row has shape (2,), and no gradient"
    )


def test_a_cluster_builds_the_same_request() -> None:
    forms = [InputSpec("x", (3, 2), np.dtype("f8")), InputSpec("w", (2,), np.dtype("f8"))]
    request = prepare(parse("x*w"), forms, ["w"], per_row=["x"])
    again = request.recipe(["w"]).prepare()
    assert request.targets == again.targets == ["value", "w.jacobian"]
    assert [root.shape for root in again.roots] == [(3, 2), (3, 2, 2)]


def test_plans_are_kept_for_their_rows() -> None:
    inputs = {"x": X, "w": W}
    assert gc.evaluate("sum(x*w)", inputs, per_row="x").value.shape == (3,)
    assert gc.evaluate("sum(x*w)", inputs).value.shape == ()
    with pytest.raises(GradcliError, match="there is no input 'v' to evaluate row by row"):
        gc.evaluate("sum(x*w)", inputs, per_row="v")
