"""Statistics and what runs along a line: what the tables of cases do not say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Sizes
from gradcli.engine.simplify import simplify
from gradcli.graph.node import SeveralResults, toposort
from tests.command import call

SIZES = Sizes(small=2, block_bytes=4096, least=3, elements=2, little=0)
X = np.array([[1.0, -3.0, 2.0, 2.0], [0.5, 7.0, -1.0, 4.0]])


def leaf(array: Any = X) -> gc.Tensor:
    return gc.tensor(array, requires_grad=True)


@pytest.mark.parametrize("function", [gc.aminmax, gc.var_mean, gc.std_mean])
def test_both_results_are_reductions_that_go_together(function: Any) -> None:
    x = leaf(np.random.default_rng(0).normal(size=(300, 20)))
    first, second = function(x, dim=1)
    (step, number), (same, other) = (y.sum().grad_fn.next_functions[0] for y in (first, second))
    assert step == same and (number, other) == (0, 1)
    total = (first * second).sum().node
    assert not [n for n in toposort(simplify([total])) if isinstance(n, SeveralResults) and n.op.part is not None]
    assert sum(len(stage.passes) for stage in plan([total], sizes=SIZES).stages) == 1


def test_the_last_of_equal_ones_is_found_with_its_sign() -> None:
    found = gc.cummax(gc.tensor([-1.0, 0.0, -0.0, 0.0, -5.0]), 0)
    assert found.indices.tolist() == [0, 1, 2, 3, 3]
    assert np.signbit(found.values.numpy()).tolist() == [True, False, True, False, False]
    assert np.signbit(gc.cummax(gc.tensor([0.0, -0.0]), 0).values.numpy()).tolist() == [False, True]
    assert gc.cummin(gc.tensor([2, 3, 2, 1]), 0).indices.tolist() == [0, 0, 2, 3]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("length", [10, 60, 200, 300])
def test_sorted_zeros_keep_their_signs(length: int, dtype: str) -> None:
    """NumPy may make one zero of the other when it sorts few elements in vectors."""
    for seed in range(8):
        x = gc.tensor(np.random.default_rng(seed).choice(np.array([0.0, -0.0], dtype), length))
        for descending in (False, True):
            found = gc.sort(x, 0, descending).values.numpy()
            assert np.array_equal(np.signbit(found), np.signbit(x.numpy()))


def test_running_sums_of_exponentials_neither_overflow_nor_vanish() -> None:
    x = leaf(np.array([1000.0, -1000.0, 1000.0, 999.0]))
    y = gc.logcumsumexp(x, 0)
    last = np.log(2 + np.exp(-1.0))
    np.testing.assert_allclose(y.detach().numpy(), [1000, 1000, 1000 + np.log(2), 1000 + last], rtol=1e-15)
    (found,) = gc.grad(y[-1], x)
    np.testing.assert_allclose(found.numpy(), np.exp([-last, -2000, -last, -1 - last]), atol=1e-12)
    start = leaf(np.array([-np.inf, 0.0, 1.0]))
    assert gc.grad(gc.logcumsumexp(start, 0)[-1], start)[0].tolist()[0] == 0


def test_whole_numbers_have_areas_between_them() -> None:
    assert gc.trapezoid(gc.tensor([1, 2]), gc.tensor([0, 1])).item() == 1.5
    assert gc.cumulative_trapezoid(gc.tensor([1, 2, 4]), gc.tensor([0, 1, 2])).tolist() == [1.5, 4.5]
    assert gc.diff(gc.tensor([True, True, False])).tolist() == [False, True]


def test_quantiles_of_several_levels() -> None:
    levels = gc.tensor([0.0, 0.5, 1.0], dtype="float64")
    np.testing.assert_array_equal(gc.quantile(gc.tensor(X), levels, 1).numpy(), np.quantile(X, [0, 0.5, 1], axis=1))
    holes = np.where(X > 3, np.nan, X)
    expected = np.nanquantile(holes, 0.3, axis=0, keepdims=True, method="lower")
    got = gc.nanquantile(gc.tensor(holes), 0.3, 0, True, interpolation="lower")
    np.testing.assert_array_equal(got.numpy(), expected)
    assert np.isnan(gc.quantile(gc.tensor(holes), 0.3).item())


@pytest.mark.parametrize(
    "expression",
    [
        "quantile(x, 1.5)",
        "quantile(x, [0.5, -1])",
        "quantile(x, 0.5, interpolation='cubic')",
        "quantile(x[:0], 0.5)",
        "aminmax(x[:0])",
        "cov(unsqueeze(x, 0))",
        "cov(x, fweights=[1, 2])",
        "cov(x, aweights=arange(4))",
        "diff(x, -1)",
        "diff(arange(20_000), 15_000)",
        "gradient(x[:, :1])",
        "gradient(x, edge_order=3)",
        "gradient(x, spacing=[1, 2, 3])",
        "gradient(x, spacing=[zeros(2), zeros(2)])",
        "trapezoid(x, zeros(3))",
        "trapezoid(x, x, dx=1)",
        "cummax(x, 2)",
    ],
)
def test_refused_in_a_sentence(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "eval", expression, f"x={X.tolist()}")
    assert done.code == 2 and done.err.startswith("gradcli: ") and "^" in done.err, done
