"""Gradients of largest and smallest values: what is compared with them has the bits that it had before."""

from __future__ import annotations

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.execute.run import known_value, op_by_op, run
from gradcli.engine.native.processor import missing
from gradcli.engine.plan.passes import Step
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Program
from tests.test_engine_blocks import agree, with_gradients
from tests.test_native_left import BLOCKS

ENGINES = ["numpy", pytest.param("native", marks=pytest.mark.skipif(missing() is not None, reason="no llvmlite"))]
#: What each row becomes, by sums within it.
ROWS = ["X@w", "tanh(X@w/9)", "sum(exp(X), 1)", "softmax(X@A, 1)@c", "logsumexp(X, 1)", "cumsum(X, 1)[:, 2]"]
COMPARED = [
    "amax(h)",
    "amin(h)*2 + mean(logsumexp(X, 1))",
    "sum((h == amax(h))*X[:, 0])",
    "norm(h, inf) + sum((X@A)**2)",
]


def inputs(dtype: str, rows: int = 20_003) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = {"X": (rows, 20), "A": (20, 8), "c": (8,), "w": (20,)}
    return {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}


def times_computed(program: Program, name: str) -> int:
    """How many passes have a step of this name."""
    return sum(
        any(isinstance(step, Step) and step.node.op.name == name for step in one.steps) for one in program.passes
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("compared", COMPARED)
@pytest.mark.parametrize("rows", ROWS)
def test_the_place_of_the_largest_is_found(rows: str, compared: str, dtype: str, engine: str) -> None:
    gc.set_engine(engine)
    expression = f"h = {rows}; {compared}"
    roots = with_gradients(expression, {k: x for k, x in inputs(dtype).items() if k in expression})
    program = plan(roots, sizes=BLOCKS)
    found = run(program, [known_value(leaf) for leaf in program.leaves], threads=2)
    agree(found, op_by_op(roots), 1e-4 if dtype == "float32" else 1e-11)


@pytest.mark.skipif(missing() is not None, reason="llvmlite is not installed")
def test_other_sums_in_a_later_pass() -> None:
    """Another layout would add the products up in another order there, and none would be the largest."""
    gc.set_engine("native")
    given = inputs("float64", 300_007)
    del given["w"]
    found = gc.evaluate("h = softmax(X@A, 1)@c; amax(h)", given).grads["X"].numpy()
    assert np.isfinite(found).all()
    at = np.argmax(np.abs(found).sum(1))
    e = np.exp(given["X"] @ given["A"])
    assert at == np.argmax((e / e.sum(1, keepdims=True)) @ given["c"])


def test_only_what_is_added_up_in_blocks_is_kept() -> None:
    given = inputs("float64")

    def passes_with(name: str, expression: str) -> int:
        roots = with_gradients(expression, {k: x for k, x in given.items() if k in expression.replace("amax", "")})
        return times_computed(plan(roots, sizes=BLOCKS), name)

    assert passes_with("mv", "amax(X@w)") == 1
    assert passes_with("mul", "amax(2*X)") > 1, "each element is the same when it is computed again"
