"""Everything with everything: of n × n elements that are only added up no more than some rows are ever there."""

from __future__ import annotations

import tracemalloc
from functools import partial
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.execute import run_pass
from gradcli.engine.execute.run import known_value, op_by_op, run
from gradcli.engine.native.choice import chosen
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Program
from tests.sampling import by_turns
from tests.test_engine_blocks import agree, with_gradients

N, M, K = 3000, 2500, 6
# Fewer, in which all is cut as well.
FEWER = 1200, 1000
PAIRS = [
    "sum(x@x.T)",
    "mean(exp(x@x.T))",
    "sum((x@x.T)**2)",
    "sum((x@y.T)**2)",
    "mean(exp(-sum((x[:, None, :] - x[None, :, :])**2, 2)))",
    "mean(exp(-sum((x[:, None, :] - y[None, :, :])**2, 2)))",
    "sum(softmax(x@y.T, 1)@v)",
    "mean(logsumexp(x@x.T, 1))",
    "sum(abs(u[:, None] - w))",
    "sum(relu(u[:, None] - u[None, :])*0.5)",
    "sum(amax(x@y.T, 1))",
    "sum(sigmoid(x@x.T)@x)",
]


def _inputs(expression: str, dtype: str, n: int, m: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        name: rng.normal(size=shape).astype(dtype) / 3
        for name, shape in {"x": (n, K), "y": (m, K), "v": (m, K), "u": (n,), "w": (m,)}.items()
        if f"{name}[" in expression or f"{name}@" in expression or f"@{name}" in expression or f" {name})" in expression
    }


def _planned(expression: str, dtype: str, n: int, m: int) -> tuple[Program, list[Any]]:
    program = plan(with_gradients(expression, _inputs(expression, dtype, n, m)))
    return program, [known_value(leaf) for leaf in program.leaves]


@pytest.mark.parametrize(("expression", "engine"), by_turns(PAIRS, ["numpy", "native"]))
def test_the_pairs_are_never_all_there(expression: str, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is taken is what is told, far less than one array of all pairs."""
    # It is given back at once.
    monkeypatch.setattr(run_pass, "_WARM", 1)
    gc.set_engine(engine)
    program, arrays = _planned(expression, "float64", N, M)
    run(program, arrays, threads=2)
    told = program.memory(2, chosen=partial(chosen, program))
    assert told < 0.7 * N * M * 8
    tracemalloc.start()
    try:
        run(program, arrays, threads=2)
        assert tracemalloc.get_traced_memory()[1] < 1.05 * told + 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("expression", "dtype"), by_turns(PAIRS, ["float32", "float64"]))
def test_pairs_agree_and_have_the_same_bits(expression: str, dtype: str) -> None:
    program, arrays = _planned(expression, dtype, *FEWER)
    wide = op_by_op(with_gradients(expression, _inputs(expression, "float64", *FEWER)))
    for engine in ("numpy", "native"):
        gc.set_engine(engine)
        one, three = (run(program, arrays, threads=count) for count in (1, 3))
        assert all(a.tobytes() == b.tobytes() for a, b in zip(one, three, strict=True))
        agree([array.astype(np.float64) for array in one], wide, 2e-5 if dtype == "float32" else 1e-11)


@pytest.mark.parametrize(
    "expression",
    [
        *("K/sum(K, 0)", "K/sum(K, 1, keepdim=True)", "K/sqrt(sum(K, 0)*sum(K, 1, keepdim=True))", "(u@K)*u"),
        *("relu(K@u)", "logsumexp(K, 1)", "log_softmax(K, 0)*K"),
    ],
)
def test_many_pairs_are_computed_again_where_several_passes_need_them(expression: str) -> None:
    """What comes after a sum of theirs needs them once more: 20,000 × 20,000 of them are not kept for it."""
    n = 20_000
    inputs = {"x": np.zeros((n, K)), "u": np.zeros(n)}
    used = {name: array for name, array in inputs.items() if name == "x" or "@" in expression}
    program = plan(with_gradients(f"K = exp(-(x@x.T)); sum({expression})", used))
    assert program.memory(2) < 100_000_000


def test_no_function_goes_through_so_many_pairs_that_nothing_can_interrupt_it() -> None:
    gc.set_engine("native")
    for n in (8_000, 60_000, 120_000):
        program = plan(with_gradients("sum(sin(x[:, None]*x))", {"x": np.ones(n, np.float32)}))
        passes = [chosen(program, one) for stage in program.stages for one in stage.passes]
        assert any(one.fused for one in passes)
        # Small ones begin seldom.
        assert all(one.rows * n * 4 <= 1 << 28 and (n > 8_000 or one.blocks <= 20) for one in passes)
