"""Sums of matrix products without the product: the operands are summed first, where no infinity makes it differ."""

from __future__ import annotations

import numpy as np
import pytest

from gradcli.engine.execute.run import op_by_op
from gradcli.engine.plan.passes import Cut
from gradcli.engine.plan.program import Sizes
from gradcli.ops.rewrites import simplifier
from tests.command import call
from tests.test_engine_simplify import close, planned, roots_of, same_specials

N, K = 30, 4
# With the number of columns of the second operand: where only one is summed, the other one must be small.
SUMMED = [
    ("sum(A@B)", 10),
    ("mean(A@B)", 10),
    ("sum(3*(A@B).T)", 10),
    ("sum(A@B)**2", 10),
    ("sum(A@A.T)", 10),
    ("sum(C@D)", 10),
    ("sum(C@B)", 10),
    ("sum(A@B, 0)[2]", 3),
    ("mean(exp(mean(A@B, 0)))", 3),
    ("sum(exp(-sum(A@B, 0)/9)) + sum(A)", 3),
]
# Here the gradient has a number for each row, too many to be looked at for infinities.
ALONG_ROWS = [("sum(sum(A@B, 1)**2)", 10), ("sum(mean(C@D, 2)**2)", 10), ("sum(sum(C@D, (0, 1))**2)", 3)]


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simplifier, "_SMALL", 12)
    monkeypatch.setattr(simplifier, "_FEW", 2)


def _arrays(expression: str, m: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = {"A": (N, K), "B": (K, m), "C": (3, N, K), "D": (3, K, m)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items() if name in expression.replace("T", "")}


@pytest.mark.parametrize(("expression", "m"), SUMMED)
def test_the_product_is_never_made(expression: str, m: int) -> None:
    roots = roots_of(expression, _arrays(expression, m))
    done = planned(roots, Sizes(12, 24, 1, 1, little=0))
    assert not done.fell_back
    nodes = [step.node for stage in done.program.stages for step in stage.whole]
    for stage in done.program.stages:
        nodes += [step.node for one in stage.passes for step in one.steps if not isinstance(step, Cut)]
    # At most one side of a product keeps its length.
    assert not [node for node in nodes if node.shape[-2:] in ((N, m), (m, N), (N, N))]
    for got, expected in zip(done.arrays, op_by_op(roots), strict=True):
        close(got, expected, 1e-12)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 1e308])
@pytest.mark.parametrize(("expression", "m"), [*SUMMED, *ALONG_ROWS])
def test_what_is_infinite_is_multiplied_as_it_stands(expression: str, m: int, value: float) -> None:
    for name in _arrays(expression, m):
        arrays = _arrays(expression, m)
        flat = arrays[name].reshape(-1)
        flat[5] = flat[9] = value
        flat[2] = 0.0
        roots = roots_of(expression, arrays)
        done = planned(roots, Sizes(12, 24, 1, 1, little=0))
        for got, expected in zip(done.arrays, op_by_op(roots), strict=True):
            if np.isfinite(value):
                # What overflows on the way may stay finite.
                fine = np.isfinite(expected)
                np.testing.assert_allclose(got[fine], expected[fine], rtol=1e-9, atol=1e-9)
            else:
                same_specials(got, expected)


def test_what_would_take_hours_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for words in (
        ["eval", "sum(sin(arange(2**22)[:, None]*arange(2.0**22))*x)", "x=1"],
        ["check", "sum(sin(arange(2**22)[:, None]*arange(2.0**22))*x)", "x=1"],
        ["eval", "mean((ones(2**22, 3)@ones(3, 2**22))**2)", "--memory-limit", "99TB"],
    ):
        done = call(monkeypatch, *words)
        assert (done.code, done.out) == (2, "")
        first, quoted, caret, hint = done.err.splitlines()
        assert first.startswith("gradcli: this is expected to take about ") and " hours, most of it for " in first
        assert quoted.strip() == words[1] and "^" in caret and hint == "hint: --yes computes it anyway"
    done = call(monkeypatch, "stream", "sum(sin(arange(2**22)[:, None]*arange(2.0**22))*x)", stdin=b'{"x": 1}\n')
    assert '"hint": "--yes computes it anyway"' in done.out


def test_yes_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from gradcli.engine.execute import bounds

    monkeypatch.setattr(bounds, "_SECONDS", 1e6)
    words = ["eval", "sum(x*x)", "x=ones(3000, 3000)", "--no-grad"]
    assert call(monkeypatch, *words).code == 2
    assert call(monkeypatch, *words, "--yes").out == "tensor(9000000.)\n"
