"""Sums over rows whose states stay in registers, neighbouring places of a row across the lanes."""

from __future__ import annotations

import math
import re
import time
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.native.choice import chosen
from gradcli.engine.native.places_across import with_sums_beside
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


#: Of a row: differences of it from others; a number, and booleans, for each line of these, and one for all of them.
PARTS = {
    "d": "X.unsqueeze(1) - m",
    "g": "sum(d**2, 2, True)",
    "h": "any(d > 1.5, 2, True)",
    "k": "any(d > 2, (1, 2), True)",
}
#: Sums over rows that have neighbouring places across the lanes.
BESIDE = [
    # Several, and what else becomes of rows.
    "sum(sum(g*d, 0)*q) + sum(amax(g*d, 0)) + sum(amin(g*d*q, 0)) + sum(count_nonzero(g*d > 9, 0))",
    "sum(prod(1 + 0.00001*d*g, 0)*q) + sum(any(g*d > 70, 0)*q)",
    "sum(sum(g*d, 0)*q + sum(g*d*r, 0)*r + sum(g*q, 0) + sum(g*d*d, 0) + sum(g*d*r*q, 0) + sum(g*r, 0))",
    # Booleans of a line, of a row, and of each place.
    "sum(sum(where(h, d, k), 0)*q)",
    "sum(any(B.unsqueeze(1) & h & k, 0)*q)",
    "sum(sum(where(h, d, 0), 0)*q)",
    # What does not begin with its first element, or lies otherwise.
    "sum(sum(g*d*flip(Y, 1), 0)*q)",
    "sum(sum(g*d*Z[:, 3:11].unsqueeze(1), 0)*q)",
    "sum(sum(g*d*Z[:, ::2].unsqueeze(1), 0)*q)",
    "sum(sum(g*d*r[1:2], 0)*q)",
    "sum(sum(g*d*s.transpose(0, 1), 0)*q)",
]
#: Those that have not: lines of other directions, states that are settled.
NOT_BESIDE = [
    "sum(sum(g*d*T.transpose(1, 2), 0)*q)",
    "sum(sum(g*d*permute(W, (1, 2, 0)), 0)*q)",
    "sum(sum(g*d*flip(Y, 2), 0)*q)",
    "sum(var(g*d, 0)*q)",
    "sum(var(g*d, 0)*q) + sum(amax(g*d, 0)) + sum(sum(g*d, 0)*q)",
    # What would be computed again is looked at by lines and by columns, in either order.
    "sum(sum(g*d*d.transpose(1, 2), 0)*q)",
    "sum(sum(g*d.transpose(1, 2)*d, 0)*q)",
    "sum(sum(g*d, 0)*q) + sum(sum(d.transpose(1, 2)*g, 0)*q)",
    "sum(sum(d.transpose(1, 2)*g, 0)*q) + sum(sum(g*d, 0)*q)",
]
CASES = [*((expression, True) for expression in BESIDE), *((expression, False) for expression in NOT_BESIDE)]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("expression", "beside"), CASES, ids=[expression for expression, _ in CASES])
def test_what_is_looked_at_for_them(expression: str, beside: bool, dtype: str) -> None:
    used = {"d", *re.findall(r"\w+", expression)}
    text = "; ".join([*(f"{name} = {part}" for name, part in PARTS.items() if name in used), expression])
    lines = 8 if "d.transpose" in expression else 5
    shapes = {"X": (ROWS, 8), **dict.fromkeys("mqr", (lines, 8)), "s": (8, lines), "Z": (ROWS, 16)}
    shapes |= {"Y": (ROWS, lines, 8), "T": (ROWS, 8, lines), "W": (8, ROWS, lines)}
    inputs = data({name: shape for name, shape in shapes.items() if name in used | {"X", "m"}}, dtype)
    inputs |= {"B": inputs["X"] > 0.5} if "B" in used else {}
    found = {}
    for engine in ("numpy", "native"):
        gc.set_engine(engine)
        result = gc.evaluate(text, inputs, wrt=("q",))
        found[engine] = [one.detach().numpy().copy() for one in (result.value, result.grads["q"])]
    assert any(map(is_apart, native_steps(planned(text, inputs, ("q",))))) == beside
    tolerance = 2e-5 if dtype == "float32" else 1e-11
    for ours, theirs in zip(found["native"], found["numpy"], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * abs(theirs).max())


def chain(levels: int) -> str:
    """Sums and products of differences, all of which sums over the rows look at."""
    text = "(X.unsqueeze(1) - m)"
    for level in range(levels):
        text = f"({text}*b - a)" if level % 2 else f"({text}*a + b)"
    return f"t = {text}; sum(sin(sum(t**2, 2)))"


@pytest.mark.parametrize("levels", [1, 2, 5, 600])
def test_only_little_is_computed_again(levels: int) -> None:
    inputs: dict[str, Any] = data({"X": (ROWS, 16), "m": (3, 16)}, "float64")
    inputs |= {"a": np.float64(0.9), "b": np.float64(1.05)}
    gc.set_engine("native")
    ours = gc.evaluate(chain(levels), inputs, wrt=("m",)).grads["m"]
    assert any(map(is_apart, native_steps(planned(chain(levels), inputs, ("m",))))) == (levels == 1)
    gc.set_engine("numpy")
    theirs = gc.evaluate(chain(levels), inputs, wrt=("m",)).grads["m"]
    assert ours is not None and theirs is not None
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-12, atol=1e-12 * abs(theirs.numpy()).max())


@pytest.mark.parametrize("width", [7, 16])
def test_long_groups_take_no_time(width: int) -> None:
    """Whether there are such sums is found out once for each item."""
    inputs: dict[str, Any] = data({"X": (ROWS, width), "m": (31, width)}, "float64")
    inputs |= {"a": np.float64(0.9), "b": np.float64(1.05)}
    gc.set_engine("native")
    groups = [step.group for step in native_steps(planned(chain(400), inputs, ("m",)))]
    assert max(len(phase.items) for group in groups for phase in group.phases) > 400
    start = time.process_time()
    for group in groups:
        assert not with_sums_beside(group)[1]
    assert time.process_time() - start < 0.05


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_long_sums_are_accurate(seed: int) -> None:
    """Not one addition after the other for all rows of a block, which were 1e-15 and more."""
    inputs = {"X": np.random.default_rng(seed).random((200_000, 16)) + 1, "m": np.zeros((3, 16))}
    expression = "d = X.unsqueeze(1) - m; sum(where(any(d > 0, 2, True), d, 0), 0)"
    gc.set_engine("native")
    assert any(map(is_apart, native_steps(planned(expression, inputs, ()))))
    found = gc.evaluate(expression, inputs, wrt=()).value
    assert found is not None
    expected = [math.fsum(column) for column in inputs["X"].T]
    np.testing.assert_allclose(found.numpy(), [expected] * 3, rtol=6e-16)


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
