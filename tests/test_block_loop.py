"""Several blocks of native passes in one call: the bits are those of one block after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.execute import run_pass
from gradcli.engine.native import call
from gradcli.engine.native.block_loop import LOOP, BlockLoop
from gradcli.engine.native.processor import missing
from gradcli.errors import GradcliError
from gradcli.evaluation.compiled import Compiled
from gradcli.evaluation.request import InputSpec, prepare
from gradcli.language.parse import parse

pytestmark = pytest.mark.skipif(missing() is not None, reason="llvmlite is not installed")

LENGTH = 1_100_003
ROWS = 60_001
EXPRESSIONS = {
    "mean(2*(3*x + 7)**2)": {"x": (LENGTH,)},
    "sum(sigmoid(x)*tanh(y))": {"x": (LENGTH,), "y": (LENGTH,)},
    "sum(x/sum(exp(x)))": {"x": (LENGTH,)},
    "var(x*y) + mean(abs(x - y)) + amax(x)": {"x": (LENGTH,), "y": (LENGTH,)},
    "argmax(x) + sum(sort(x[:3]).values)": {"x": (LENGTH,)},
    "mean(log1p(exp(-y*(X@w))))": {"X": (ROWS, 20), "y": (ROWS,), "w": (20,)},
    "sum(((X - mean(X, 0))/std(X, 0))**2)": {"X": (ROWS, 20)},
    "sum(softmax(X, 1)*X)": {"X": (ROWS, 33)},
    "mean(logsumexp(X, 1)) + sum(cumsum(X, 1)**2)": {"X": (ROWS, 16)},
    "sum((relu(X@A)@B)**2)": {"X": (ROWS, 32), "A": (32, 16), "B": (16, 4)},
    "sum(X.t()*2 + X.t()**2)": {"X": (ROWS, 9)},
}


def compiled(expression: str, dtype: str) -> tuple[Compiled, dict[str, Any]]:
    shapes, rng = EXPRESSIONS[expression], np.random.default_rng(0)
    inputs = {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}
    specs = [InputSpec(name, shape, np.dtype(dtype)) for name, shape in shapes.items()]
    return Compiled(prepare(parse(expression), specs, wrt=list(shapes))), inputs


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_pass, "_MANY", 2)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many blocks each call has computed that may compute several."""
    found: list[int] = []
    plain = BlockLoop.run

    def noted(self: BlockLoop, begin: int, blocks: int) -> list[list[Any]]:
        found.append(blocks)
        return plain(self, begin, blocks)

    monkeypatch.setattr(BlockLoop, "run", noted)
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_bits_are_those_of_one_block_after_the_other(expression: str, dtype: str, calls: list[int]) -> None:
    gc.set_engine("native")
    kept, inputs = compiled(expression, dtype)
    expected = None
    for threads in (2, 1, 2, 3, 5):
        gc.set_num_threads(threads)
        found = [np.asarray(array).tobytes() for array in kept.run(inputs)]
        # The first time goes block by block.
        assert expected is None or found == expected
        expected = found
    many = any(run_pass.blocks_together(kept.program.native[id(one)]) > 1 for one in kept.program.passes)
    assert many == bool(calls) and all(count > 1 for count in calls)


def test_most_of_these_go_so() -> None:
    gc.set_engine("native")
    together = {}
    for expression in EXPRESSIONS:
        kept, inputs = compiled(expression, "float32")
        kept.run(inputs)
        together[expression] = [run_pass.blocks_together(kept.program.native[id(one)]) for one in kept.program.passes]
    assert sum(max(found, default=1) > 1 for found in together.values()) >= len(together) - 2, together


def test_the_loop_is_compiled_once_for_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    object_code = call.object_code

    def counted(text: str) -> bytes:
        made.append(text)
        return object_code(text)

    monkeypatch.setattr(call, "read_cached", lambda name, longest: None)
    monkeypatch.setattr(call, "object_code", counted)
    call.loaded.cache_clear()
    gc.set_engine("native")
    gc.set_num_threads(4)
    kept, inputs = compiled("sum(sigmoid(x)*tanh(y))", "float32")
    kept.run(inputs)
    assert LOOP not in made
    kept.run(inputs)
    assert made.count(LOOP) == 1 and made[-1] == LOOP


def test_arrays_that_do_not_lie_in_rows_are_taken_block_by_block(calls: list[int]) -> None:
    gc.set_engine("native")
    kept, inputs = compiled("mean(2*(3*x + 7)**2)", "float64")
    apart = {"x": np.repeat(inputs["x"], 2)[::2]}
    assert not apart["x"].flags.c_contiguous
    expected = [np.asarray(array).tobytes() for array in kept.run(inputs)]
    assert not calls
    assert [np.asarray(array).tobytes() for array in kept.run(apart)] == expected and not calls
    assert [np.asarray(array).tobytes() for array in kept.run(inputs)] == expected and calls


def test_what_is_looked_at_is_looked_at_in_each_block(calls: list[int]) -> None:
    gc.set_engine("native")
    rng = np.random.default_rng(0)
    x, table = rng.integers(0, 7, LENGTH), rng.standard_normal(7)
    specs = [InputSpec("i", x.shape, x.dtype), InputSpec("t", table.shape, table.dtype)]
    kept = Compiled(prepare(parse("sum(t[i])"), specs, wrt=["t"]))
    for _ in range(2):
        kept.run({"i": x, "t": table})
    x[-3] = 7
    with pytest.raises(GradcliError, match="index 7 is out of range"):
        kept.run({"i": x, "t": table})
    assert not calls
