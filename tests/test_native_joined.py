"""Rows that are laid end to end in native code: all types, any number of rows, and what they share along any of their
dimensions."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.native.rows_joined import RowsJoined
from gradcli.engine.plan import planner
from gradcli.evaluation.evaluate import _kept
from tests.native_support import same_bits
from tests.test_native_left import BLOCKS

#: All there are for a dtype; `s` is the same along the last dimension of a row.
SHAPES: dict[int, tuple[int, ...]] = {2: (2,), 3: (3,), 4: (2, 2), 8: (8,), 15: (3, 5), 16: (16,), 20: (20,), 63: (63,)}
#: No whole number of vectors, nor of long rows; the first one is of many blocks.
ROWS = (1009, 65, 127)
TWO = ("{0} + {1}", "{0} - {1}", "{0}*{1}", "maximum({0}, {1})", "where({0} > {1}, {0}, {0}*2)")
ONE = ("abs({0})", "-{0}", "{0} + 1", "{0}*{0}", "clamp({0}, -1, 1)")
SUMS = ("sum({})", "sum(sum({}, 0)*b)", "sum(amax({}, 0))", "amin({})", "sum(var({}*1.0, 0))", "mean({}*1.0)")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(planner, "DEFAULT_SIZES", BLOCKS)
    _kept.clear()
    yield
    _kept.clear()


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch) -> list[RowsJoined]:
    """The functions that are written so."""
    found: list[RowsJoined] = []
    module = RowsJoined.module
    monkeypatch.setattr(RowsJoined, "module", lambda self: found.append(self) or module(self))
    return found


def drawn(seed: int) -> str:
    """An expression of rows `X` and `Y` and of what all rows share."""
    draw = random.Random(seed)
    terms = ["X", "Y", "b", "s", "X"]
    for _ in range(draw.randint(2, 6)):
        a, b = draw.sample(terms, 2)
        terms.append("(" + draw.choice(TWO if draw.random() < 0.7 else ONE).format(a, b) + ")")
    return " + ".join(draw.choice(SUMS).format(f"({terms[-1]}*X + Y)") for _ in range(2))


def given(rows: int, width: int, dtype: str, seed: int = 0) -> dict[str, Any]:
    rng, rest = np.random.default_rng(seed), SHAPES[width]
    shapes = {"X": (rows, *rest), "Y": (rows, *rest), "b": rest, "s": (*rest[:-1], 1)}
    return {name: (rng.standard_normal(size) * 3).astype(dtype) for name, size in shapes.items()}


def results(expression: str, arrays: dict[str, Any], engine: str) -> list[np.ndarray]:
    gc.set_engine(engine)
    found = gc.evaluate(expression, {name: a for name, a in arrays.items() if re.search(rf"\b{name}\b", expression)})
    tensors = [found.value, *(found.grads or {}).values()]
    return [tensor.detach().numpy() for tensor in tensors if tensor is not None]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int8"])
@pytest.mark.parametrize("width", SHAPES)
def test_engines_agree(width: int, dtype: str, joined: list[RowsJoined]) -> None:
    for seed in range(6):
        rows, expression = ROWS[seed % len(ROWS)], drawn(seed * 64 + width)
        arrays = given(rows, width, dtype, seed)
        tolerance = 1e-4 if dtype == "float32" else 1e-11
        ours, theirs = results(expression, arrays, "native"), results(expression, arrays, "numpy")
        for mine, other in zip(ours, theirs, strict=True):
            bound = tolerance * max(1.0, float(np.max(np.abs(other), initial=0.0)))
            np.testing.assert_allclose(mine, other, rtol=tolerance, atol=bound, err_msg=expression)
    assert joined


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_last_rows_are_like_all(dtype: str, joined: list[RowsJoined]) -> None:
    """An element has the same bits in whichever row it stands, and nothing is taken in twice, or left out."""
    for width in SHAPES:
        arrays = given(1009, width, dtype)
        whole = results("sum((X*s + b)*Y, 0)*0 + tanh(X*s + b)", arrays, "native")[0]
        few = {name: array[:65] if len(array) == 1009 else array for name, array in arrays.items()}
        assert same_bits(results("sum((X*s + b)*Y, 0)*0 + tanh(X*s + b)", few, "native")[0], whole[:65])
        ones = {name: np.ones_like(array) for name, array in arrays.items()}
        assert results("sum(X*b)", ones, "native")[0] == 1009 * width
        assert (results("sum(X*b, 0)", ones, "native")[0] == 1009).all()
    assert joined


def test_nothing_but_numbers_is_shared(joined: list[RowsJoined]) -> None:
    arrays = given(1009, 20, "float32")
    for expression in ("sum(X*Y, 0)", "amax(X, 0)", "sum(sum(X > 0, 0)) + sum(X, 0)"):
        for mine, other in zip(*[results(expression, arrays, engine) for engine in ("native", "numpy")], strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-5)
    assert joined
