"""Products of matrices in native passes: a panel of rows at a time, sums in registers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.execute.run import known_value, run
from gradcli.engine.native import call, loop_steps, processor
from gradcli.engine.native.choice import chosen
from gradcli.engine.native.processor import Processor
from gradcli.engine.native.step import NativeStep
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Program, Sizes
from tests.gradients import build
from tests.native_support import AVX2, AVX512
from tests.sampling import by_turns
from tests.test_engine_blocks import with_gradients

#: Panels and blocks that end anywhere.
SIZES = Sizes(small=300, block_bytes=1 << 14, least=1 << 7, elements=1 << 10, matrix_rows=200, little=0)
ROWS = 1403

#: Widths below, at and beyond a vector, several of them, and more than are taken at once.
WIDTHS = [(64, 32, 4), (13, 2, 17), (20, 16, 2), (12, 33, 31), (130, 70, 8), (40, 3, 65), (770, 17, 3)]
NETWORK = "mean((relu(X@A)@B - Y)**2)"
EXPRESSIONS = [
    ("mean(log1p(exp(-t*(X@w))))", {"X": (ROWS, 20), "w": (20,), "t": (ROWS,)}),
    ("mean((t - X@w)**2) + sum((X@w)*t)", {"X": (ROWS, 301), "w": (301,), "t": (ROWS,)}),
    ("sum(softmax(X@A, 1)*Y)", {"X": (ROWS, 40), "A": (40, 10), "Y": (ROWS, 10)}),
    ("cross_entropy(X@A + b, argmax(Y, 1))", {"X": (ROWS, 40), "A": (40, 10), "b": (10,), "Y": (ROWS, 10)}),
    ("sum(tanh(tanh(X@A)@B)**2 * t[:, None])", {"X": (ROWS, 30), "A": (30, 24), "B": (24, 24), "t": (ROWS,)}),
    ("sum((X.T@Z)**2)", {"X": (ROWS, 20), "Z": (ROWS, 34)}),
    ("sum((X.T@t)**2)", {"X": (ROWS, 45), "t": (ROWS,)}),
    ("sum((X.T@X)**2)", {"X": (ROWS, 18)}),
    ("sum(layer_norm(X@A, (48,))@w)", {"X": (ROWS, 16), "A": (16, 48), "w": (48,)}),
    ("sum((X@A > 0)*(X@B))", {"X": (ROWS, 16), "A": (16, 20), "B": (16, 20)}),
    ("sum(amax(X@A.T, 1)*t)", {"X": (ROWS, 24), "A": (50, 24), "t": (ROWS,)}),
    ("sum(argmax(X@A, 0)*w)", {"X": (ROWS, 24), "A": (24, 24), "w": (24,)}),
]
#: Products of which each item of a batch has its own matrices, transposed or not: sides around a vector and a tile, too
#: large for other ways.
SIDES = [(40, 33, 48), (33, 5, 70), (17, 64, 40), (65, 16, 130), (50, 2, 35), (41, 130, 34), (33, 257, 20)]
BATCHED = [
    ("sum((softmax(Q@K.mT/8, -1)@V)**2)", {"Q": (30, 48, 33), "K": (30, 70, 33), "V": (30, 70, 40)}),
    ("sum(tanh(Q@K)*w)", {"Q": (40, 3, 12, 20), "K": (40, 3, 20, 18), "w": (12, 18)}),
    ("sum((Q@Q.mT)**2)", {"Q": (70, 40, 33)}),
    ("tanh(Q)@K", {"Q": (60, 40, 40), "K": (60, 40, 40)}),
    ("e = exp(Q/4); e@(K/sum(e))", {"Q": (50, 36, 36), "K": (50, 36, 36)}),
    ("e = exp(Q/4); (e@e)/sum(e)", {"Q": (50, 36, 36)}),
    *[("sum(tanh(A@B/9)*C)", {"A": (70, m, k), "B": (70, k, n), "C": (70, m, n)}) for m, k, n in SIDES],
    *[("sum(tanh(A.mT@B.mT/9)**2)", {"A": (70, k, m), "B": (70, n, k)}) for m, k, n in SIDES],
]
CASES = [*[(NETWORK, {"X": (ROWS, k), "A": (k, m), "B": (m, n), "Y": (ROWS, n)}) for k, m, n in WIDTHS], *EXPRESSIONS]


def _planned(expression: str, shapes: dict[str, tuple[int, ...]], dtype: str) -> tuple[Program, list[Any]]:
    rng = np.random.default_rng(5)
    inputs = {name: rng.normal(size=shape).astype(dtype) / 2 for name, shape in shapes.items()}
    program = plan(with_gradients(expression, inputs), sizes=SIZES)
    return program, [known_value(leaf) for leaf in program.leaves]


def _with(engine: str, program: Program, arrays: list[Any], threads: int = 2) -> list[np.ndarray]:
    gc.set_engine(engine)
    return run(program, arrays, threads=threads)


def _steps(program: Program) -> list[Any]:
    gc.set_engine("native")
    return [step for stage in program.stages for one in stage.passes for step in chosen(program, one).steps]


def _is_in_panels(step: Any) -> bool:
    return isinstance(step, NativeStep) and "%packed" in step.text or "%total" in getattr(step, "text", "")


def _is_separate(step: Any) -> bool:
    return isinstance(step, NativeStep) and "matrices:" in step.text


def _agree(program: Program, arrays: list[Any], dtype: str) -> None:
    tolerance = 2e-5 if dtype == "float32" else 1e-12
    got, expected = _with("native", program, arrays), _with("numpy", program, arrays)
    for ours, theirs in zip(got, expected, strict=True):
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * max(1, np.abs(theirs).max()))


@pytest.mark.parametrize(("expression", "shapes", "dtype"), by_turns(CASES, ["float32", "float64"]), ids=str)
def test_products_agree(expression: str, shapes: dict[str, tuple[int, ...]], dtype: str) -> None:
    program, arrays = _planned(expression, shapes, dtype)
    assert any(map(_is_in_panels, _steps(program)))
    _agree(program, arrays, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("expression", "shapes"), BATCHED, ids=str)
def test_products_of_each_item_agree(expression: str, shapes: dict[str, tuple[int, ...]], dtype: str) -> None:
    program, arrays = _planned(expression, shapes, dtype)
    assert any(map(_is_separate, _steps(program)))
    _agree(program, arrays, dtype)


def test_products_of_each_item_are_native() -> None:
    """All of attention's, forward and backward; not those of matrices that no cache holds."""
    steps = _steps(_planned(*BATCHED[0], "float32")[0])
    assert sum(map(_is_separate, steps)) == 6
    shapes = {"A": (2, 300, 1000), "B": (2, 1000, 300)}
    assert not any(map(_is_separate, _steps(_planned("sum((A@B)**2)", shapes, "float32")[0])))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("expression", "shapes"), [*CASES, *BATCHED], ids=str)
def test_bits(expression: str, shapes: dict[str, tuple[int, ...]], dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for any number of threads, and on processors with fewer registers, whose code is another one."""
    program, arrays = _planned(expression, shapes, dtype)
    expected = [one.tobytes() for one in _with("native", program, arrays, 1)]
    assert [one.tobytes() for one in _with("native", program, arrays, 3)] == expected
    for other in (AVX2, AVX512, Processor("x86-64-v3", "+avx2,+fma")):
        if other is AVX512 and "+avx512f" not in processor.host().features.split(","):
            continue
        monkeypatch.setattr(processor, "host", lambda other=other: other)
        monkeypatch.setattr(call, "host", lambda other=other: other)
        call.loaded.cache_clear()
        program.native.clear()
        assert [one.tobytes() for one in _with("native", program, arrays)] == expected
        monkeypatch.undo()
    call.loaded.cache_clear()


def test_rows_do_not_depend_on_where_they_stand() -> None:
    """Neither on their place in the panel nor on how many there are."""
    rng = np.random.default_rng(0)
    x, a, w = (rng.normal(size=shape).astype("f4") for shape in ((ROWS, 37), (37, 21), (37,)))
    for expression, other in (("tanh(X@A)", {"A": a}), ("tanh(X@w)", {"w": w})):
        whole = _value(expression, {"X": x, **other})
        for begin, end in ((1, ROWS), (5, 900), (400, 1399)):
            part = _value(expression, {"X": x[begin:end].copy(), **other})
            assert part.tobytes() == whole[begin:end].tobytes()


def _value(expression: str, inputs: dict[str, Any]) -> np.ndarray:
    program = plan([build(expression, inputs)[0]], sizes=SIZES)
    assert any(map(_is_in_panels, _steps(program)))
    return _with("native", program, [known_value(leaf) for leaf in program.leaves])[0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_no_number_stays_where_it_is(dtype: str) -> None:
    rng = np.random.default_rng(0)
    x, a = rng.normal(size=(ROWS, 19)).astype(dtype), rng.normal(size=(19, 18)).astype(dtype)
    x[3, 18], x[700, 0], x[ROWS - 1, 5] = np.nan, np.inf, -np.inf
    for inputs, expression in (({"X": x, "A": a}, "X@A*2"), ({"X": x, "w": a[:, 0].copy()}, "X@w*2")):
        got = _value(expression, inputs)
        wrong = ~np.isfinite(got).reshape(ROWS, -1).all(1)
        assert np.flatnonzero(wrong).tolist() == [3, 700, ROWS - 1]


@pytest.mark.parametrize("inner", [256, 513, 1999])
def test_long_sums_are_exact_to_some_roundings(inner: int) -> None:
    """Of positive numbers: added up in one chain, errors grow with its length."""
    rng = np.random.default_rng(0)
    shapes: list[tuple[Any, dict[str, tuple[int, ...]]]] = [
        (_is_in_panels, {"A": (ROWS, inner), "B": (inner, 7)}),
        (_is_separate, {"A": (60, 20, inner), "B": (60, inner, 40)}),
    ]
    for is_expected, sides in shapes:
        a, b = (rng.random(shape, dtype="f4") for shape in sides.values())
        program = plan([build("tanh(A@B/1000)", {"A": a, "B": b})[0]], sizes=SIZES)
        assert any(map(is_expected, _steps(program)))
        got = _with("native", program, [known_value(leaf) for leaf in program.leaves])[0]
        expected = np.tanh(a.astype("f8") @ b.astype("f8") / 1000)
        assert np.abs(got / expected - 1).max() < 10 * np.finfo("f4").eps


@pytest.mark.parametrize("sides", [(300, 300), (64, 1024), (1024, 64), (16, 2000), (5000, 4)])
def test_large_matrices_are_left_to_the_blas(sides: tuple[int, int]) -> None:
    """By all ways to write a function, forward and backward: loops take up to twenty times as long."""
    assert sides[0] * sides[1] > loop_steps._LARGEST
    program, arrays = _planned("sum(relu(X@A)*Y)", {"X": (900, sides[0]), "A": sides, "Y": (900, sides[1])}, "float32")
    steps = _steps(program)
    assert any(isinstance(step, NativeStep) for step in steps)
    covered = [covered for step in steps if isinstance(step, NativeStep) for covered in step.covers]
    assert not any(one.node.op.family == "contraction" for one in covered)
    _agree(program, arrays, "float32")
