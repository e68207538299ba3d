"""Computations told step by step: names, words, bounds, and that nothing of the source is markup."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.render.json import to_json
from gradcli.walkthrough.board_data import walkthrough_data
from gradcli.walkthrough.board_latex import plain, walkthrough_latex
from gradcli.walkthrough.board_markdown import code, walkthrough_markdown
from gradcli.walkthrough.board_text import walkthrough_text
from gradcli.walkthrough.step_types import BackwardStep
from gradcli.walkthrough.told_walkthrough import Walkthrough
from tests.cases import all_cases
from tests.command import call

ONES = np.ones((2, 2), np.float32)


def forward(told: Walkthrough) -> list[str]:
    return [f"{step.name} = {step.expression}" for step in told.forward if not step.is_input]


def test_board() -> None:
    told = gc.steps("y = 3*x + 7; z = 2*y**2; w = mean(z)", {"x": ONES})
    assert forward(told) == ["a = 3*x", "y = a + 7", "b = y**2", "z = 2*b", "w = mean(z)"]
    assert "MeanBackward0    d w/d z = 1/4     z.grad = tensor([[0.2500, 0.2500]," in str(told)
    assert "PowBackward0     d b/d y = 2*y     y.grad = tensor([[10., 10.]," in str(told)


@pytest.mark.parametrize(
    ("source", "inputs", "expected"),
    [
        # Names that are taken, given twice or given within functions; names of results.
        ("a*2 + b", {"a": 1, "b": 2}, ["c = a*2", "value = c + b"]),
        ("value*2", {"value": 1}, ["value_2 = value*2"]),
        ("y = x*2; y = y*x; y", {"x": 1}, ["y = x*2", "y_2 = y*x"]),
        ("f(t) = {u = t**2; u + 1}; f(3*x)", {"x": 1}, ["a = 3*x", "u = a**2", "value = u + 1"]),
        ("s = sort(x); sum(s.values)", {"x": [2, 1]}, ["s.values = sort(x).values", "value = sum(s.values)"]),
        ("p, q = split(x, 1); sum(q)", {"x": [2, 1]}, ["q = split(x, 1)[1]", "value = sum(q)"]),
        # What is not tracked, what chose elements, and operations that are several in PyTorch.
        ("sum(x[x > 0])", {"x": [-1, 2]}, ["a = x[x > 0]", "value = sum(a)"]),
        ("lr = 0.5; x*(2*lr)", {"x": 1}, ["value = x*(2*lr)"]),
        ("2/x", {"x": 1}, ["a = reciprocal(x)", "value = a * 2"]),
        ("[x, 2]", {"x": 1}, ["value = [x, 2]"]),
        ("2**3", {}, ["value = 2**3"]),
        ("x if x > 0 else -x", {"x": 1}, ["a = x > 0", "b = -x", "value = x if a else b"]),
        # Loops: turn by turn, or as one operation where there are too many.
        ("f(h, r) = h*r; fold(f, 1, x)", {"x": [3]}, ["a = unbind(x)[0]", "value = 1*a"]),
        ("f(t) = t*x; iterate(f, x, 20_000)", {"x": 1}, ["value = iterate(f, x, 20000)"]),
    ],
)
def test_words(source: str, inputs: dict[str, Any], expected: list[str]) -> None:
    assert forward(gc.steps(source, inputs)) == expected


def test_what_is_not_finite_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "value is NaN; x.grad holds 1 infinity among 3 elements: `gradcli check` names the operation"
    request = "sum(log(x))", "x=[-1,0,2]"
    page = "-o", str(tmp_path / "page.html")
    for command, *further in (("steps",), ("steps", "--json"), ("report", *page)):
        assert call(monkeypatch, command, *request, *further).err == f"note: {words}\n"
        assert call(monkeypatch, command, *request, *further, "-q").err == ""
    assert (
        call(monkeypatch, "steps", "w = log(x)", "x=-1").err == "note: w is NaN: `gradcli check` names the operation\n"
    )
    assert call(monkeypatch, "steps", "w = log(x)", "x=2").err == ""


@pytest.mark.parametrize(
    "source",
    [
        "x@W",
        "x@(Q@Q)",
        "einsum('ij,kj->ik', W, W)",
        "cross_entropy(W, tensor([0, 1], dtype=int64))",
        "tensordot(W, W, 2)",
        "linear(x, W.T, y)",
        "conv2d(W[None, None], ones(1, 1, 2, 2))",
        "kron(Q, Q)",
        "cosine_similarity(W, 2*W, 1)",
        "vander(x)",
        "W[0, 1:]",
        "corrcoef(W)",
        "quantile(x, 0.5)",
        "triplet_margin_loss(W, 2*W, 3*W)",
        "index_put(x, (tensor([0], dtype=int64),), y[:1])",
        # What PyTorch has an operation of its own for within another.
        "avg_pool1d(W, 2, padding=1, count_include_pad=False)",
        "max_pool1d(W, 2, ceil_mode=True)",
        "scaled_dot_product_attention(W, W, W, is_causal=True)",
        "instance_norm(W[None], weight=x)",
        "bilinear(W, W[:, :2], ones(1, 3, 2))",
        "prelu(W, y)",
        "combinations(x)",
        "nanmean(W, 0, dtype=float32)",
        # What the value does not depend on, or only by its shape.
        "ones_like(x)",
        "W.view_as(W.T)",
        "quantile(W, ones_like(W[0])*0.3, 0)",
        # Longer than one would read.
        "cov(W, aweights=abs(y).detach())",
        "embedding(tensor([0, 1], dtype=int64), W, max_norm=1.5)",
        "normalize(W)",
        "cross_entropy(W, tensor([0, 1], dtype=int64), label_smoothing=0.1)",
    ],
)
def test_each_line_can_be_evaluated(source: str) -> None:
    values: dict[str, Any] = {"x": [1.0, 2.5], "y": [1.0, -2, 3], "W": [[0.5, -1, 2], [1, 0.3, -0.7]]}
    values = {name: np.array(value) for name, value in {**values, "Q": [[2.0, 0.5], [0.3, 1]]}.items()}
    every_line(source, values)


@pytest.mark.slow
def test_each_line_of_every_case() -> None:
    for case in all_cases():
        # The recursion of this loss is longer than anybody would read.
        if "ctc_loss" not in case.expression:
            every_line(case.expression, case.arrays())


def every_line(source: str, values: dict[str, Any]) -> None:
    for step in gc.steps(source, values).forward:
        # Constant arrays are shown, not told.
        if not step.is_input and step.expression:
            again, line = gc.evaluate(step.expression, values).value, step.expression
            assert again.shape == step.value.shape and str(again.dtype) == str(step.value.dtype), line
            np.testing.assert_allclose(again.detach(), step.value, rtol=1e-6, atol=1e-12, err_msg=line)
        values = {**values, step.name: step.value}


def test_places() -> None:
    source = "f(t) = 2/(t + 1); (f(x) + x)*(x - 1)"
    steps = [step for step in gc.steps(source, {"x": 1}).forward if not step.is_input]
    assert [step.source for step in steps] == [
        "t + 1",
        "2/(t + 1)",
        "2/(t + 1)",
        "f(x) + x",
        "x - 1",
        "(f(x) + x)*(x - 1)",
    ]
    assert all(step.span is not None and source[slice(*step.span)] == step.source for step in steps)
    assert steps[-1].operands == ("g", "h")


def test_branches_add_up() -> None:
    told = str(gc.steps("y = exp(x); y*sin(y)", {"x": 0}))
    assert re.findall(r"y\.grad \S+ tensor\(\S+\)", told) == [
        "y.grad += tensor(0.8415)",
        "y.grad += tensor(0.5403)",
        "y.grad = tensor(1.3818)",
    ]
    assert "both branches added" in told


def test_untracked() -> None:
    told = gc.steps("detach(2*x) + no_grad(3*x) + x", {"x": 1})
    functions = {step.expression: step.grad_fn for step in told.forward}
    assert functions["2*x"] == "MulBackward0" and functions["3*x"] is None
    assert [item.name for item in told.backward if isinstance(item, BackwardStep)] == ["AddBackward0"]


@pytest.mark.parametrize(
    ("source", "inputs", "note"),
    [
        ("sum(i)", {"i": np.arange(3)}, "nothing is differentiated: there is no backward pass"),
        ("sum(detach(x))", {"x": 1}, "the value depends on no input that is differentiated: there is no backward pass"),
        (
            "x**2",
            {"x": [1, 2]},
            "the value has shape (2,), so no gradient was computed: reduce it or give --grad-output 1",
        ),
    ],
)
def test_no_backward_pass(source: str, inputs: dict[str, Any], note: str) -> None:
    told = gc.steps(source, inputs)
    assert (told.note, told.backward) == (note, [])


def test_derivatives() -> None:
    X = np.arange(6, dtype="f4").reshape(3, 2)  # noqa: N806
    told = str(gc.steps("sum(max(X@w + b, dim=0).values)", {"X": X, "w": [1, 2], "b": 1}, wrt=["w", "b"]))
    assert "w.grad = X.T@a.grad" in told and "b.grad = sum(c.grad)" in told
    # A matrix of one row or column is a matrix all the same.
    for m, k, n in ((1, 2, 3), (2, 1, 3), (1, 1, 1)):
        told = str(gc.steps("sum(A@B)", {"A": np.ones((m, k)), "B": np.ones((k, n))}))
        assert "A.grad = a.grad@B.T" in told and "B.grad = A.T@a.grad" in told
    # Where the formula has no value, the rule has one all the same.
    assert "(no formula holds at these numbers)" in str(gc.steps("norm(x)", {"x": [0, 0]}))


def test_long_graphs_are_bounded() -> None:
    told = gc.steps("f(t) = t*x; iterate(f, x, 500)", {"x": 1})
    assert len(told.forward) == 61 and told.skipped == 440
    assert "  … 440 steps left out: --only NAMES shows those that it names\n  in f, call 471 of 500:" in str(told)
    one = gc.steps("f(t) = t*x; iterate(f, x, 500)", {"x": 1}, only="t250")
    assert forward(one) == ["t250 = t249*x"]
    assert [item.results for item in one.backward if isinstance(item, BackwardStep)] == [("t251",), ("t250",)]
    with pytest.raises(gc.GradcliError, match="there is no step 'y'"):
        gc.steps("x*2", {"x": 1}, only=["y"])


def test_width() -> None:
    told = gc.steps(
        "mean(softmax(X@w, 0)*cross_entropy(X, i))", {"X": np.ones((9, 4)), "w": np.ones(4), "i": np.zeros(9, int)}
    )
    for width in (50, 80, 120):
        assert max(map(len, walkthrough_text(told, width).split("\n"))) <= width


HOSTILE = "s = einsum('i,i->i', x, x)   # `</pre>` \\input{x} | $1$\n; \N{GREEK SMALL LETTER ALPHA}_1 = sum(s)*y_0"


def test_nothing_of_the_source_is_markup() -> None:
    told = gc.steps(HOSTILE, {"x": [1, 2], "y_0": 2})
    markdown, latex = walkthrough_markdown(told), walkthrough_latex(told)
    # Outside of code there are no names and no source.
    assert not re.search(r"[<|$\\]", re.sub(r"```text\n.*?\n```|`[^`]+`", "", markdown, flags=re.DOTALL))
    assert latex.count("{") == latex.count("}") and "input" not in latex and "#" not in latex
    assert code("a`b``c") == "``` a`b``c ```"
    assert plain(r"\%{") == r"\textbackslash{}\%\{"


def test_latex() -> None:
    latex = walkthrough_latex(gc.steps("y = X@w; sum(y)", {"X": ONES, "w": [1, 2]}, wrt="w"))
    assert r"y &= X w = \begin{pmatrix} 3 \\ 3 \end{pmatrix} && \texttt{MvBackward0}" in latex
    assert r"\bar{w} &\leftarrow X^{\top} \bar{y} = \begin{pmatrix} 2 \\ 2 \end{pmatrix}" in latex
    assert r"\frac{\partial \mathrm{value}}{\partial y} = 1" in latex


def test_names_that_look_the_same_in_latex() -> None:
    latex = walkthrough_latex(gc.steps("x_1 = x*2; x1 = x_1 + 1; x1*x_1", {"x": 3}))
    assert r"\mathtt{x1} &= \mathtt{x\_1} + 1 = 7" in latex
    assert r"\bar{\mathtt{x\_1}} &\leftarrow" in latex and r"\frac{\partial \mathtt{x\_1}}{\partial x} = 2" in latex
    assert r"\bar{\mathtt{x1}} &\leftarrow 6" in latex and "x_{1}" not in latex
    assert "x_{1} &= 2 x" in walkthrough_latex(gc.steps("x_1 = x*2; x_1 + x", {"x": 3}))


def test_transposes_in_latex() -> None:
    for turned in ("T", "H", "mT", "mH"):
        told = gc.steps(f"x.{turned}", {"x": [[1, 2]]}, grad_output=1)
        assert r"\mathrm{value} &= x^{\top} = " in walkthrough_latex(told)


def test_json() -> None:
    told = gc.steps("x/0", {"x": np.ones(2000)}, grad_output=np.nan)
    data = json.loads(to_json(walkthrough_data(told)))
    step = next(step for step in data["forward"] if step["name"] == data["value"])
    assert step["value"] is None and step["shape"] == [2000] and step["print"].startswith("tensor([inf, inf, inf,  ...")
    assert data["backward"][0]["arrives"] == "value"
    small = walkthrough_data(gc.steps("sum(x)", {"x": [np.inf, 1]}))
    assert '"value": "Infinity"' in to_json(small)


def test_command(monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "steps", "y = 3*x; w = sum(y)", "x=[1, 2]", "--only", "y", "--json")
    assert (done.code, done.err) == (0, "") and json.loads(done.out)["forward"][0]["name"] == "y"
    for words, error in [
        (("y = 3*q",), "gradcli: unknown name 'q'\n  y = 3*q\n        ^\n"),
        (("f(t) = t",), "gradcli: the last statement is a definition"),
        (("x**2", "x=[1,2]", "--wrt", "x"), "gradcli: the value has shape (2,): its gradient needs a vector"),
        (("x", "x=1", "--only", "x,"), "gradcli: --only takes names of steps"),
        (("x", "x=1", "--only", "y"), "gradcli: there is no step 'y'\nhint: choose from x\n"),
    ]:
        failed = call(monkeypatch, "steps", *words)
        assert failed.code == 2 and failed.err.startswith(error), failed


def test_from_python_as_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    told = gc.steps("y = x**2; w = sum(y)", {"x": [1, 2]})
    for form in ("markdown", "latex"):
        done = call(monkeypatch, "steps", "y = x**2; w = sum(y)", "x=[1, 2]", "--format", form)
        assert done.out.rstrip("\n") == getattr(told, form)().rstrip("\n") != ""
