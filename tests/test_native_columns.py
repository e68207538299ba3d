"""Elements added up at places of their own columns, and taken from there: native code against NumPy and against sums
one by one, in any number of blocks and threads, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.execute.run import known_value, run
from gradcli.engine.native import added_columns
from gradcli.engine.native.added_columns import ColumnWalk
from gradcli.engine.native.choice import ENGINE
from gradcli.engine.native.taken_columns import TakenColumns
from gradcli.engine.plan import planner
from gradcli.engine.plan.planner import plan
from gradcli.errors import GradcliError
from gradcli.evaluation.evaluate import _kept
from tests.native_support import same_bits
from tests.test_engine_blocks import with_gradients
from tests.test_native_left import BLOCKS
from tests.test_native_passes import native_steps, planned

#: Places, elements in a column, and the columns: no whole number of vectors, one place, several dimensions of columns.
CASES: list[tuple[int, int, tuple[int, ...]]] = [
    (701, 503, (307,)),
    (40, 90, (1000,)),
    (3001, 3, (301,)),
    (1, 700, (333,)),
    (700, 1, (333,)),
    (50, 41, (90, 9)),
    (30, 20, (150, 3, 2)),
]
EXPRESSIONS = ["scatter_add(x, 0, i, y)", "sum(gather(x, 0, i)*y)", "scatter_add(x, 0, i, y)*x"]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[ColumnWalk]:
    """The functions that are written so."""
    found: list[ColumnWalk] = []
    module = ColumnWalk.module
    monkeypatch.setattr(ColumnWalk, "module", lambda self: found.append(self) or module(self))
    return found


def inputs_of(case: tuple[int, int, tuple[int, ...]], dtype: str, index: str = "int64") -> dict[str, Any]:
    length, count, columns = case
    rng = np.random.default_rng(length + count)
    x, y = (rng.standard_normal((n, *columns)).astype(dtype) for n in (length, count))
    x[::7] = -0.0
    y.reshape(-1)[::50], y.reshape(-1)[::70], y.reshape(-1)[::90] = np.inf, 1e4, np.nan
    return {"x": x, "i": rng.integers(0, length, (count, *columns)).astype(index), "y": y}


def results(expression: str, inputs: dict[str, Any], engine: str, threads: int) -> list[Any]:
    ENGINE.set(engine)
    program = plan(with_gradients(expression, inputs), sizes=BLOCKS)
    return [array.copy() for array in run(program, [known_value(leaf) for leaf in program.leaves], threads=threads)]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_columns_are_added_up_as_numpy_does_it(expression: str, dtype: str, written: list[ColumnWalk]) -> None:
    for case in CASES:
        inputs = inputs_of(case, dtype)
        expected = results(expression, inputs, "numpy", 1)
        for threads in (1, 2, 3):
            got = results(expression, inputs, "native", threads)
            assert all(same_bits(mine, theirs) for mine, theirs in zip(got, expected, strict=True)), (case, threads)
    assert len({one.item.step.node.shape for one in written}) >= 3


@pytest.mark.parametrize("index", ["int32", "int64"])
def test_sums_are_made_one_by_one_in_double_precision(index: str, written: list[ColumnWalk]) -> None:
    inputs = inputs_of((701, 900, (307,)), "float32", index)
    total = inputs["x"].astype(np.float64)
    for places, line in zip(inputs["i"], inputs["y"].astype(np.float64), strict=True):
        total[places, np.arange(307)] += line
    got = results("scatter_add(x, 0, i, y)", inputs, "native", 2)[0]
    assert np.array_equal(got, total.astype(np.float32), equal_nan=True) and written


def test_few_columns_at_a_time_change_no_bits(monkeypatch: pytest.MonkeyPatch, written: list[ColumnWalk]) -> None:
    inputs = inputs_of((701, 503, (307,)), "float32")
    expected = results("scatter_add(x, 0, i, y)", inputs, "native", 1)
    monkeypatch.setattr(added_columns, "_NEAR", 1)
    monkeypatch.setattr(added_columns, "_FEW", 8)
    got = results("scatter_add(x, 0, i, y)", inputs, "native", 1)
    assert all(same_bits(mine, theirs) for mine, theirs in zip(got, expected, strict=True))
    assert [one.columns for one in written[:1] + written[-1:]] == [184, 8]


def test_too_many_places_are_left_to_numpy(written: list[ColumnWalk]) -> None:
    case = 300_001, 2, (70,)
    assert same_bits(
        *(results("scatter_add(x, 0, i, y)", inputs_of(case, "float64"), one, 2)[0] for one in ("native", "numpy"))
    )
    assert not written


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int8", "bool", "float16"])
def test_elements_are_taken_from_columns(dtype: str, written: list[ColumnWalk]) -> None:
    cases = [
        (3001, 1503, (307,)),
        (2000, 1041, (90, 9)),
        (70_001, 1025, (65,)),
        (3001, 503, (307,)),
        (2000, 41, (90, 9)),
    ]
    for case in cases:
        inputs = inputs_of(case, "float32")
        inputs["x"] = np.nan_to_num(inputs["x"] * 3).astype(dtype)
        used = {name: inputs[name] for name in "xi"}
        for expression in ("gather(x, 0, i)", "gather(x, 0, i - 0)*1"):
            expected = results(expression, used, "numpy", 1)
            for threads in (1, 2):
                got = results(expression, used, "native", threads)
                assert all(same_bits(mine, theirs) for mine, theirs in zip(got, expected, strict=True)), (case, threads)
    assert any(isinstance(one, TakenColumns) for one in written)


def test_what_is_taken_from_is_not_written_over(written: list[ColumnWalk]) -> None:
    """Where the result might lie in the memory of what nobody else needs."""
    inputs = inputs_of((3001, 3001, (307,)), "float32")
    used = {name: inputs[name] for name in "xi"}
    for expression in ("gather(tanh(x) + sum(x)*0, 0, i)", "gather(x*2, 0, i) + sum(x*2)*0"):
        both = [results(expression, used, engine, 2)[0] for engine in ("numpy", "native")]
        np.testing.assert_allclose(*both, rtol=1e-5)
    assert written


@pytest.mark.parametrize("bad", [-1, 3001])
@pytest.mark.parametrize("expression", ["gather(x, 0, i)", "scatter_add(x, 0, i, y)"])
def test_places_that_are_not_there_are_refused(
    expression: str, bad: int, written: list[ColumnWalk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner, "DEFAULT_SIZES", BLOCKS)
    _kept.clear()
    inputs = inputs_of((3001, 1503, (370,)), "float32")
    inputs["i"][400, 300] = bad
    used = inputs if "y" in expression else {name: inputs[name] for name in "xi"}
    for engine in ("numpy", "native"):
        gc.set_engine(engine)
        with pytest.raises(GradcliError, match=f"index {bad} is out of range") as refused:
            gc.evaluate(expression, used, wrt=())
        assert refused.value.span is not None
    assert written
    _kept.clear()


def test_other_dtypes_are_left_to_numpy(written: list[ColumnWalk]) -> None:
    rng = np.random.default_rng(0)
    x, y, i = (rng.integers(0, 50, (n, 300)) for n in (50, 80, 80))
    expected = x.copy()
    for places, line in zip(i, y, strict=True):
        expected[places, np.arange(300)] += line
    for engine in ("numpy", "native"):
        ENGINE.set(engine)
        program = plan(with_gradients("scatter_add(x, 0, i, y)", {"x": x, "i": i, "y": y}), sizes=BLOCKS)
        assert same_bits(run(program, [known_value(leaf) for leaf in program.leaves], threads=2)[0], expected)
    assert not written


def test_sums_of_many_columns_are_little_code() -> None:
    """They are started and ended in loops: LLVM takes time with the square of what stands one after the other."""
    gc.set_engine("native")
    lengths = set()
    for width in (1600, 16000):
        inputs = {"X": np.ones((300, width), "float32"), "w": np.ones(width, "float32")}
        steps = native_steps(planned("sum(X*w, 0)", inputs)[1])
        lengths.add(sum(step.text.count("\n") for step in steps))
    assert len(lengths) == 1 and lengths.pop() < 200
