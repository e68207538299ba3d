"""Sums over rows whose states stay in registers, neighbouring places of a row across the lanes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.native.choice import chosen
from gradcli.engine.native.processor import missing
from gradcli.engine.native.step import NativeStep
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Program, Sizes
from gradcli.evaluation.request import prepare
from gradcli.evaluation.values import InputSpec
from gradcli.language.parse import parse
from tests.test_native_passes import TYPES, data, native_steps

pytestmark = [
    pytest.mark.usefixtures("in_blocks"),
    pytest.mark.skipif(missing() is not None, reason="llvmlite is not installed"),
]

#: What there are of rows is no whole number of those that are taken at a time, in whole blocks and in the last one.
ROWS = 3001
MIXTURE = "-mean(logsumexp(-0.5*sum((X.unsqueeze(1) - m)**2, 2), 1))"
EXPRESSIONS = [
    *[(MIXTURE, {"X": (ROWS, width), "m": (count, width)}) for count, width in ((5, 8), (3, 12), (25, 32), (4, 40))],
    (MIXTURE, {"X": (ROWS, 100), "m": (3, 100)}),
    ("mean(logsumexp(sum(-((X.unsqueeze(1) - m)*s)**2, 2), 1))", {"X": (ROWS, 19), "m": (6, 19), "s": (6, 19)}),
    (
        "mean((exp(-sum((X.unsqueeze(1) - m)**2, 2))@v - y)**2)",
        {"X": (ROWS, 16), "m": (9, 16), "v": (9,), "y": (ROWS,)},
    ),
    ("sum(sin(sum((X.unsqueeze(1) - m)**2, 2))*t)", {"X": (ROWS, 24), "m": (3, 24), "t": (ROWS, 1)}),
]


def planned(expression: str, inputs: dict[str, Any], wrt: tuple[str, ...]) -> Program:
    specs = tuple(InputSpec(name, array.shape, array.dtype, name in wrt) for name, array in inputs.items())
    return plan(prepare(parse(expression), specs, wrt, False).roots, sizes=Sizes(little=0))


def is_apart(step: Any) -> bool:
    return isinstance(step, NativeStep) and "%there" in step.text


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("expression", "shapes"), EXPRESSIONS)
@pytest.mark.parametrize("names", ["ms", "Xms"], ids=["", "all"])
def test_the_numbers_of_numpy(expression: str, shapes: dict[str, tuple[int, ...]], dtype: str, names: str) -> None:
    inputs = data(shapes, dtype)
    wrt = tuple(name for name in names if name in inputs)
    gc.set_engine("native")
    assert any(map(is_apart, native_steps(planned(expression, inputs, wrt))))
    ours = gc.evaluate(expression, inputs, wrt=wrt)
    gc.set_engine("numpy")
    theirs = gc.evaluate(expression, inputs, wrt=wrt)
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    for name in wrt:
        found, expected = (one.grads[name].detach().numpy() for one in (ours, theirs))
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * abs(expected).max())


#: Rows of many places, which loops go through as a whole: vectors are kept for up to 4096 of them, none for more.
WIDE = [
    (MIXTURE, {"X": (300, 64), "m": (25, 64)}),
    (MIXTURE, {"X": (150, 30), "m": (400, 30)}),
    ("sum(layer_norm(X, (8,))**2)", {"X": (61, 8, 8, 6, 8)}),
    ("sum((X - mean(X, -1, True))**2/(1 + var(X, 1, keepdim=True)))", {"X": (301, 40, 30)}),
    ("sum(softmax(X, -1)*X)", {"X": (150, 30, 40)}),
]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("expression", "shapes"), WIDE)
def test_wide_rows_are_one_function(expression: str, shapes: dict[str, tuple[int, ...]], dtype: str) -> None:
    inputs = data(shapes, dtype)
    found = {}
    for engine in ("native", "numpy"):
        gc.set_engine(engine)
        result = gc.evaluate(expression, inputs)
        found[engine] = [one.detach().numpy().copy() for one in (result.value, *result.grads.values())]
    gc.set_engine("native")
    passes = [
        chosen(program, one) for program in [planned(expression, inputs, tuple(inputs))] for one in program.passes
    ]
    assert passes and all(isinstance(step, NativeStep) for one in passes for step in one.steps)
    assert max(len(one.steps) for one in passes) == 1
    tolerance = 2e-5 if dtype == "float32" else 1e-11
    for ours, theirs in zip(found["native"], found["numpy"], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * abs(theirs).max())


def test_what_is_made_of_something_large_goes_through_the_same_blocks() -> None:
    """`logsumexp` of few elements, which is written in steps that are native: its kernel is not."""
    inputs = data({"X": (200, 32), "m": (25, 32)}, "float32")
    gc.set_engine("native")
    steps = native_steps(planned(MIXTURE, inputs, ("m",)))
    assert Sizes().small > 25 * 200 and steps and all(isinstance(step, NativeStep) for step in steps)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("rows", [31, 32, 33, 500])
def test_rows_that_fill_no_vector(rows: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row counts once, wherever it stands: integers of ordinary size are added up exactly."""
    inputs = {"X": np.arange(rows * 40.0).reshape(rows, 40), "m": np.arange(120.0).reshape(3, 40)}
    gc.set_engine("native")
    gc.set_num_threads(threads)
    result = gc.evaluate("sum((X.unsqueeze(1) - m)**2)*1 + sum(sum((X.unsqueeze(1) - m)**2, 2))", inputs, wrt=("m",))
    expected = -4 * (inputs["X"][:, None] - inputs["m"]).sum(0)
    assert np.array_equal(result.grads["m"].detach().numpy(), expected)


@pytest.mark.parametrize("p", [0, 1, 2, 3, np.inf])
def test_distances_of_all_pairs_are_native(p: float) -> None:
    """Of few points with many pairs: no array holds all differences."""
    inputs = data({"X": (300, 5), "Y": (290, 5)}, "float64")
    inputs["Y"][:9] = inputs["X"][:9]
    gc.set_engine("native")
    steps = native_steps(planned(f"sum(cdist(X, Y, {p}))", inputs, ("X", "Y")))
    assert steps and all(isinstance(step, NativeStep) for step in steps)
    found = gc.evaluate(f"cdist(X, Y, {p})", inputs, wrt=()).value
    assert found is not None
    expected = np.linalg.norm(inputs["X"][:, None] - inputs["Y"], p, -1)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


def test_cosines_are_native() -> None:
    inputs = data({"X": (ROWS, 64), "Y": (ROWS, 64)}, "float32")
    gc.set_engine("native")
    steps = native_steps(planned("mean(cosine_similarity(X, Y, dim=1))", inputs, ("X", "Y")))
    assert steps and all(isinstance(step, NativeStep) for step in steps)
