"""Arrays with zeros around them, as gradients of slices along the dimension that is cut: made there, not copied."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.execute import new_arrays, run
from gradcli.engine.plan import assemble
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Program, Sizes
from gradcli.engine.plan_report import plan_text
from gradcli.graph.node import Node
from tests.gradients import build
from tests.test_engine_blocks import agrees_with_any_threads, with_gradients

#: Differences along both dimensions, so that the rows are cut although neighbours are needed.
DIFFERENCES = "mean((X[1:] - X[:-1])**2) + mean((X[:, 1:] - X[:, :-1])**2)"
LAPLACIAN = "sum((X[2:, 1:-1] + X[:-2, 1:-1] + X[1:-1, 2:] + X[1:-1, :-2] - 4*X[1:-1, 1:-1])**2)"
#: Every second row, which lies apart.
APART = "sum(tanh(X[::2, 1:]*X[1::2, :-1]))"
EXPRESSIONS = [
    DIFFERENCES,
    LAPLACIAN,
    APART,
    "sum(tanh(X[3:, 2:]*X[:-3, :-2]))",
    "sum(pad(exp(X)[5:], (0, 0, 2, 7))**2)",
    "sum(roll(tanh(X), 40, 0)*X)",
    "sum(cat([tanh(X), X[:100]], 0)[:, 1:]**2*X[0, :-1])",
]


def drawn(dtype: str = "float64") -> dict[str, Any]:
    return {"X": np.random.default_rng(3).normal(size=(600, 301)).astype(dtype)}


def planned(roots: list[Node]) -> Program:
    """In blocks, however little there is to compute."""
    return plan(roots, sizes=Sizes(little=0))


@pytest.mark.parametrize("engine", ["numpy", "native"])
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_values_are_those_of_whole_arrays(expression: str, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gc.set_engine(engine)
    # What is large here as well.
    monkeypatch.setattr(new_arrays, "_LARGE", 1 << 16)
    roots = with_gradients(expression, drawn())
    agrees_with_any_threads(planned(roots), roots, 1e-11)


@pytest.mark.parametrize(("expression", "copies"), [(DIFFERENCES, 0), (LAPLACIAN, 0), (APART, 2)])
def test_nothing_is_copied(expression: str, copies: int, monkeypatch: pytest.MonkeyPatch) -> None:
    program = planned(with_gradients(expression, drawn()))
    computed: list[str] = []
    compute = run.compute

    def counted(node: Any, *rest: Any) -> Any:
        computed.append(node.op.name)
        return compute(node, *rest)

    monkeypatch.setattr(run, "compute", counted)
    run.run(program, [run.known_value(leaf) for leaf in program.leaves])
    assert computed.count("_embed") == copies


def test_memory_counts_once() -> None:
    """An array that is shown with a row of zeros before it, another one with one behind it."""
    program = planned(with_gradients(DIFFERENCES, drawn()))
    assert {(one.before, one.behind, *one.shown.values()) for one in program.surrounded.values()} == {
        (1, 0, 1),
        (0, 1, 0),
    }
    once = program.memory(1)
    program.surrounded = {}
    row = 301 * 8
    assert program.memory(1) - once == 2 * 599 * row


def test_the_plan_tells_of_it() -> None:
    told = plan_text(planned(with_gradients(LAPLACIAN, drawn())), ["value", "X.grad"], 1).splitlines()
    assert [line for line in told if "zeros" in line] == [
        "t12 is made among zeros: t15 is a view of it",
        "t13 is made among zeros: t16, t17 are views of it",
    ]


def test_results_share_no_memory() -> None:
    """An array that two values show is copied for them where one is a result, and made once where it is alone."""
    program = planned(with_gradients(LAPLACIAN, drawn()))
    alone, shown = ([*one.shown] for one in program.surrounded.values())
    assert (len(alone), len(shown)) == (1, 2)

    def made_among_zeros(*results: int) -> list[list[int]]:
        found = assemble._surrounded(program.stages, program.values, [*program.roots, *results])
        return [[*one.shown] for one in found.values()]

    assert made_among_zeros() == made_among_zeros(*alone) == [alone, shown]
    assert made_among_zeros(shown[0]) == made_among_zeros(*shown) == [alone]
    # A result has no zeros around it.
    assert made_among_zeros(*program.surrounded) == []


@pytest.mark.parametrize("expression", ["cat([A, B], 1)", "roll(A, 7, 0)", "roll(A, -3, 1)", "pad(A, (1, 2, 3, 0))"])
def test_stretches_are_put_together_as_the_kernel_does(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_arrays, "_LARGE", 1)
    a, b = (np.random.default_rng(k).normal(size=(30, 20 + k)).astype("float32") for k in range(2))
    node = build(expression, {"A": a, "B": b})[0]
    inputs = [a, b][: len(node.inputs)]
    kernel = new_arrays.put_together(node)
    assert (kernel is None) == (expression[:3] == "pad"), "along two dimensions at once"
    if kernel is not None:
        assert node.op.kernel is not None
        np.testing.assert_array_equal(kernel(*inputs, **node.params), node.op.kernel(*inputs, **node.params))


@pytest.mark.parametrize("engine", ["numpy", "native"])
@pytest.mark.parametrize("dims", [(1, 1), (0, 0, 1)])
def test_what_is_stretched_is_put_in_its_place_as_it_looks(dims: tuple[int, ...], engine: str) -> None:
    """The sum of two stretched columns is one that is stretched."""
    gc.set_engine(engine)
    text = "X[1:-1]"
    for dim in dims:
        # Each look at X has a gradient of its own.
        text = f"({text} - mean({text}, {dim}, True))"
    roots = with_gradients(f"sum({text}**2)", {"X": np.random.default_rng(0).normal(size=(64, 48)).astype("float32")})
    small = Sizes(small=700, block_bytes=1 << 12, least=1 << 6, elements=1 << 9, little=0)
    agrees_with_any_threads(plan(roots, sizes=small), roots, 1e-4)


def test_sums_of_what_is_put_at_the_same_place_are_put_there_once() -> None:
    """Three of the five terms have the rows but the first and the last."""
    found = planned(with_gradients(LAPLACIAN, drawn()))
    assert [step.node.op.name for stage in found.stages for step in stage.whole].count("_embed") == 3
