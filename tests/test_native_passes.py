"""Passes as native functions: the numbers of NumPy's engine, and the same bits on every path and every processor."""

from __future__ import annotations

import itertools
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.cli.main import cli
from gradcli.engine.execute import new_arrays
from gradcli.engine.execute.run import run
from gradcli.engine.native import call, choice, fuse, lowering, processor
from gradcli.engine.native.choice import chosen
from gradcli.engine.native.processor import Processor
from gradcli.engine.native.step import NativeStep
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Program, Sizes
from gradcli.errors import GradcliError, WorkError
from gradcli.evaluation.evaluate import _kept
from gradcli.evaluation.request import Request, prepare
from gradcli.evaluation.values import InputSpec
from gradcli.language.parse import parse
from gradcli.machine import own_cache
from tests.command import call as invoked
from tests.native_support import AVX2, AVX512, with_registers
from tests.test_engine_buffers import MATRICES, ONE, SHAPES, TINY, TWO

pytestmark = pytest.mark.usefixtures("in_blocks")

ROWS = 70_001
TYPES = ("float32", "float64")

MANY_FUNCTIONS = "sum(tanh(sin(x)*exp(-y*y))*log1p(x*x)) + amax(cos(x*y)) + var(sigmoid(y))"

#: Every way in which a function is written: flat, rows end to end, rows across the lanes, columns across them, loops
#: over the places.
EXPRESSIONS = [
    ("mean(2*(3*x + 7)**2)", {"x": (ROWS,)}),
    ("sum(x*y)/sum(y*y) + amax(x) - amin(y)", {"x": (ROWS,), "y": (ROWS,)}),
    ("var(x*y) + mean(abs(x - y)) + std(x)", {"x": (ROWS,), "y": (ROWS,)}),
    ("sum(sqrt(sum((X - c)**2, 1) + 0.01))", {"X": (ROWS, 3), "c": (3,)}),
    ("mean((t - X@w)**2)", {"X": (ROWS, 7), "w": (7,), "t": (ROWS,)}),
    ("sum(sqrt(sum(X*X, 1))*t)", {"X": (ROWS, 16), "t": (ROWS,)}),
    ("sum(X*t*r)", {"X": (ROWS, 20), "t": (ROWS, 1), "r": (20,)}),
    ("sum((X - mean(X, 1, keepdim=True))**2/(var(X, 1, keepdim=True) + 1))", {"X": (ROWS, 33)}),
    ("sum(amax(X*r, 1)*t)", {"X": (9001, 100), "r": (100,), "t": (9001,)}),
    ("mean((t - X@w)**2)", {"X": (9001, 301), "w": (301,), "t": (9001,)}),
    ("sum(sqrt(sum((X - c)**2, 2)))", {"X": (3001, 1, 6), "c": (25, 6)}),
    ("sum(logsumexp(-sum((S - m)**2, 2), 1))", {"S": (3001, 1, 32), "m": (25, 32)}),
    ("sum(softmax(S, -1)*S*m)", {"S": (301, 40, 70), "m": (301, 40, 1)}),
    ("sum((S - mean(S, 2, keepdim=True))**2*r) + amax(S)", {"S": (301, 7, 301), "r": (301,)}),
    ("mean((relu(X@A)@B)**2)", {"X": (9001, 33), "A": (33, 20), "B": (20, 3)}),
    ("sum(sum(X*X, 1)**2) + sum(sum(X, 2)**2)", {"X": (3001, 5, 30)}),
    ("sum(softmax(Z, 0)*Z*t)", {"Z": (10, 9001), "t": (9001,)}),
    ("sum(softmax(V, 0)*V)", {"V": (40, 9001)}),
    ("sum(sum(Q*r, 2)**2 * t)", {"Q": (3, 3001, 30), "r": (30,), "t": (3001,)}),
    ("sum((Q - mean(Q, 2, keepdim=True))**2*t)", {"Q": (2, 3001, 100), "t": (3001, 1)}),
    ("sum((X > 0)*X) + sum((X > 1).to('int64'))", {"X": (ROWS, 3)}),
    ("sum(sin(exp(cumsum(0.1*Y, 1)) + Y))", {"Y": (1001, 70)}),
    ("sum(sin(cumsum(V, 0)))", {"V": (40, 9001)}),
    (MANY_FUNCTIONS, {"x": (ROWS,), "y": (ROWS,)}),
    ("sum(((X - mean(X, 0))/std(X, 0))**2*X)", {"X": (ROWS, 20)}),
    ("sum(tanh(X*s + b)*X) + sum((X > b)*X*s)", {"X": (ROWS, 3), "s": (3,), "b": (3,)}),
    ("sum(abs(S - m)*S) + var(S*m)", {"S": (9001, 4, 5), "m": (4, 1)}),
    ("sum(softmax(S, 1)*S*r)", {"S": (901, 9, 33), "r": (33,)}),
    ("sum((S - mean(S, (2, 3), True))**2*w) + sum(amax(S*w, 2)**2)", {"S": (501, 5, 6, 11), "w": (5, 1, 1)}),
]


@pytest.fixture(autouse=True)
def code_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is compiled is kept for this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield


def data(shapes: dict[str, tuple[int, ...]], dtype: str) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    return {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}


def results(expression: str, inputs: dict[str, Any], engine: str) -> list[Any]:
    gc.set_engine(engine)
    found = gc.evaluate(expression, inputs)
    arrays = [found.value, *found.grads.values()]
    return [array.detach().numpy().copy() for array in arrays if array is not None]


def planned(expression: str, inputs: dict[str, Any], sizes: Sizes | None = None) -> tuple[Request, Program]:
    specs = tuple(InputSpec(name, array.shape, array.dtype, True) for name, array in inputs.items())
    request = prepare(parse(expression), specs, None, False)
    return request, plan(request.roots, sizes=sizes or Sizes(little=0))


def native_steps(program: Program) -> list[Any]:
    passes = [chosen(program, one) for stage in program.stages for one in stage.passes]
    return [step for one in passes for step in one.steps]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("expression", "shapes"), EXPRESSIONS, ids=[e for e, _ in EXPRESSIONS])
def test_engines_agree(expression: str, shapes: dict[str, tuple[int, ...]], dtype: str) -> None:
    inputs = data(shapes, dtype)
    gc.set_engine("native")
    steps = native_steps(planned(expression, inputs)[1])
    assert steps and all(isinstance(step, NativeStep) for step in steps)
    tolerance = 2e-5 if dtype == "float32" else 1e-12
    for ours, theirs in zip(results(expression, inputs, "native"), results(expression, inputs, "numpy"), strict=True):
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * float(np.abs(theirs).max()))


@pytest.mark.parametrize("wide", [True, False], ids=["wide", "narrow"])
@pytest.mark.parametrize("dtype", TYPES)
def test_vectors_side_by_side(dtype: str, wide: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many functions of single elements are called, for several vectors at a time: with the bits of one at a time, also
    of a number that is beyond the usual range in the last of these vectors."""
    with_registers(monkeypatch, wide)
    inputs = data({"x": (ROWS,), "y": (ROWS,)}, dtype)
    inputs["x"][-1] = 1e30
    gc.set_engine("native")
    lanes = 4 * (64 if wide else 32) // np.dtype(dtype).itemsize
    call_of_sine = f"call <{lanes} x {'float' if dtype == 'float32' else 'double'}> @sin_"
    assert any(call_of_sine in step.text for step in native_steps(planned(MANY_FUNCTIONS, inputs)[1]))
    found = results(MANY_FUNCTIONS, inputs, "native")
    monkeypatch.setattr(lowering, "_DEEP", 1000)
    _kept.clear()
    for ours, alone in zip(found, results(MANY_FUNCTIONS, inputs, "native"), strict=True):
        assert ours.tobytes() == alone.tobytes()


@pytest.mark.parametrize(("expression", "shapes"), EXPRESSIONS, ids=[e for e, _ in EXPRESSIONS])
def test_the_same_bits_for_any_threads_and_from_files(
    expression: str, shapes: dict[str, tuple[int, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = data(shapes, "float32")
    several = []
    for threads in (1, 2, 5):
        gc.set_num_threads(threads)
        several.append([one.tobytes() for one in results(expression, inputs, "native")])
    assert several[0] == several[1] == several[2]
    # Rows that lie elsewhere in memory, and in another order.
    other = {name: np.asfortranarray(array) for name, array in inputs.items()}
    assert [one.tobytes() for one in results(expression, other, "native")] == several[0]
    from gradcli.cli import main
    from gradcli.storage import loading

    monkeypatch.setattr(loading, "LARGE", 1 << 12)
    words = []
    for name, array in inputs.items():
        np.save(tmp_path / f"{name}.npy", array)
        words.append(f"{name}={tmp_path / name}.npy")
    out = tmp_path / "out"
    assert main.run(["eval", expression, *words, "-o", f"{out}/", "-q", "--engine", "native"]) == 0
    files = ["value.npy", *(f"{name}.grad.npy" for name in inputs)]
    assert [np.load(out / file).tobytes() for file in files if (out / file).exists()] == several[0]


@pytest.mark.parametrize("other", [AVX2, AVX512, Processor("x86-64-v3")], ids=lambda one: one.name)
@pytest.mark.parametrize(
    ("expression", "shapes"),
    [pytest.param(*one, marks=[pytest.mark.slow] if k % 2 else []) for k, one in enumerate(EXPRESSIONS)],
    ids=[e for e, _ in EXPRESSIONS],
)
def test_the_same_bits_on_every_processor(
    expression: str, shapes: dict[str, tuple[int, ...]], other: Processor, monkeypatch: pytest.MonkeyPatch
) -> None:
    if other is AVX512 and "avx512f" not in processor.host().features.replace("-avx512f", ""):
        pytest.skip("this processor cannot run it")
    inputs = data({name: tuple(min(n, 5_001) for n in shape) for name, shape in shapes.items()}, "float32")
    here = [one.tobytes() for one in results(expression, inputs, "native")]
    monkeypatch.setattr(processor, "host", lambda: other)
    monkeypatch.setattr(call, "host", lambda: other)
    call.loaded.cache_clear()
    assert [one.tobytes() for one in results(expression, inputs, "native")] == here
    call.loaded.cache_clear()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("width", range(2, 26))
def test_rows_in_registers(width: int, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are taken apart and put together in the same way whatever registers there are."""
    inputs = data({"X": (40_001, width)}, dtype)
    gc.set_engine("native")
    expected = inputs["X"] * np.arange(1, width + 1, dtype=dtype) + inputs["X"][:, ::-1]
    for wide in (True, False):
        with_registers(monkeypatch, wide)
        _kept.clear()
        text = f"X*{list(range(1, width + 1))} + flip(X, 1)"
        (step,) = native_steps(planned(text, inputs)[1])
        whole, piece = 64 // inputs["X"].itemsize, 16 // inputs["X"].itemsize
        if width in (2, 4, 6, 8, 10, 12, 16):
            assert (f"store <{whole} x " in step.text) == wide
        if width >= piece:
            assert wide or f"load <{piece} x " in step.text
        np.testing.assert_array_equal(np.asarray(gc.evaluate(text, inputs, wrt=()).value), expected)


@pytest.mark.parametrize("lines", [True, False], ids=["on lines", "elsewhere"])
@pytest.mark.parametrize(
    ("expression", "shapes"),
    [
        ("exp(x)*y", {"x": (ROWS,), "y": (ROWS,)}),
        ("exp(X*2)", {"X": (ROWS, 3)}),
        ("exp(X*2)", {"X": (ROWS, 8)}),
        ("X*exp(-sum(X, 1, keepdim=True))", {"X": (ROWS, 12)}),
        ("exp(X - mean(X, 1, keepdim=True))", {"X": (9001, 128)}),
        ("exp(X - mean(X, 1, keepdim=True))", {"X": (9001, 100)}),
        ("exp(X)*c", {"X": (3, 9001), "c": (3, 1)}),
    ],
)
def test_results_past_the_cache(
    expression: str, shapes: dict[str, tuple[int, ...]], lines: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bits, also where memory does not begin with a line."""
    for dtype in TYPES:
        inputs = data(shapes, dtype)
        _kept.clear()
        plain = [one.tobytes() for one in results(f"sum({expression})", inputs, "native")]
        _kept.clear()
        with monkeypatch.context() as patch:
            patch.setattr(fuse, "_LARGE", 1 << 10)
            if not lines:
                patch.setattr(new_arrays, "aligned", lambda size: np.empty(size + 72, np.uint8)[8 : 8 + size])
            steps = native_steps(planned(f"sum({expression})", inputs)[1])
            assert any("nontemporal" in step.text for step in steps) == (
                "c" not in shapes and 100 not in shapes.get("X", ())
            )
            assert [one.tobytes() for one in results(f"sum({expression})", inputs, "native")] == plain


@pytest.mark.parametrize("expression", ["sqrt(sum(exp(X), 1) + 1)", "w[i]*sum(X, 1)", "where(sum(X, 1) > 0, t, t*2)"])
def test_a_long_row_has_a_single_result_past_the_cache(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gc.set_engine("native")
    for dtype in TYPES:
        inputs = data({"X": (9001, 100), "w": (40,), "t": (9001,)}, dtype) | {"i": np.arange(9001) % 40}
        _kept.clear()
        plain = np.asarray(gc.evaluate(expression, inputs, wrt=()).value)
        _kept.clear()
        with monkeypatch.context() as patch:
            patch.setattr(fuse, "_LARGE", 1 << 10)
            np.testing.assert_array_equal(np.asarray(gc.evaluate(expression, inputs, wrt=()).value), plain)


@pytest.mark.slow
@pytest.mark.parametrize("sizes", TINY)
@pytest.mark.parametrize("seed", range(0, 240, 8))
def test_random_programs(seed: int, sizes: Sizes) -> None:
    """Expressions of everything, in blocks of a few rows: tails, native and other steps by turns."""
    for number in range(seed, seed + 8):
        rng = random.Random(number)
        terms = ["X", "Y", "(X*r)", "(c*Y)"]
        for _ in range(rng.randrange(2, 7)):
            form = rng.choice(MATRICES if rng.random() < 0.6 else ONE if rng.random() < 0.5 else TWO)
            picked = [rng.choice(terms) for _ in range(form.count("{}"))] or [rng.choice(terms)]
            terms.append(f"({form.format(*picked)})")
        expression = f"sum({terms[-1]}*{rng.choice(terms)})/41"
        arrays = data(
            {name: shape for name, shape in SHAPES.items() if re.search(rf"\b{name}\b", expression)}, "float64"
        )
        request, program = planned(expression, arrays, sizes)
        leaves = leaves_of(program, request, arrays)
        gc.set_engine("numpy")
        expected = [one.copy() for one in run(program, leaves)]
        gc.set_engine("native")
        for ours, theirs in zip(run(program, leaves), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-8, err_msg=expression)


@pytest.mark.slow
@pytest.mark.parametrize("width", [1, 2, 3, 5, 8, 15, 16, 17, 31, 32, 33, 47, 48, 100])
@pytest.mark.parametrize("rows", [1, 2, 15, 16, 17, 31, 32, 33, 100])
def test_rows_and_widths(rows: int, width: int) -> None:
    """Every number of rows and of columns that is left over beside whole vectors."""
    rng = np.random.default_rng(0)
    sizes = Sizes(small=0, block_bytes=width * 4 * 20, least=1, elements=width * 20, little=0)
    for dtype in ("float32", "float64", "int32"):
        arrays = {
            "X": (rng.standard_normal((rows, width)) * 10).astype(dtype),
            "t": (rng.standard_normal((rows, 1)) * 10).astype(dtype),
        }
        for expression in ("X*t + X", "sum(X*t, 1)", "sum(X, 0)", "amax(X - t)"):
            inputs = {name: array for name, array in arrays.items() if re.search(rf"\b{name}\b", expression)}
            request, program = planned(expression, inputs, sizes)
            found = {}
            for engine in ("native", "numpy"):
                gc.set_engine(engine)
                found[engine] = [one.copy() for one in run(program, leaves_of(program, request, inputs))]
            for ours, theirs in zip(found["native"], found["numpy"], strict=True):
                np.testing.assert_allclose(ours, theirs, rtol=1e-5 if dtype == "float32" else 1e-12, atol=1e-4)


def leaves_of(program: Program, request: Request, arrays: dict[str, Any]) -> list[Any]:
    names = {leaf: name for name, leaf in request.leaves.items()}
    return [arrays[names[leaf]] if leaf in names else leaf.params["value"] for leaf in program.leaves]


# The code that is kept ------------------------------------------------------------------------------------------------


def compiled_files() -> list[Path]:
    return [Path(entry.path) for entry in own_cache.kept_files("native-")]


def evaluated_anew(size: int = 300_000) -> float:
    call.loaded.cache_clear()
    _kept.clear()
    gc.set_engine("native")
    return gc.evaluate("sum(exp(x))", {"x": np.zeros(size, np.float32)}).value.item()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    "shape, dim",
    [((1001, 77), 1), ((77, 1001), 0), ((20, 53, 70), 1), ((40, 90, 23), 0), ((5, 40, 400), 1), ((4, 9, 2000), 2)],
)
def test_running_sums_go_through_long_lines_in_their_order(shape: tuple[int, ...], dim: int, dtype: str) -> None:
    x, g = (np.random.default_rng(k).standard_normal(shape).astype(dtype) for k in range(2))
    expression = f"(cumsum(x, {dim}) > 0)*2"
    sums = np.cumsum(x, dim, np.float64)
    back = np.flip(np.cumsum(np.flip(g, dim), dim, np.float64), dim)
    with choice.using("native"):
        found = gc.evaluate(f"cumsum(x, {dim})", {"x": x}, grad_output=g)
        assert np.array_equal(gc.evaluate(expression, {"x": x}).value, (sums.astype(dtype) > 0) * 2)
    assert np.array_equal(found.value.detach(), sums.astype(dtype))
    assert np.array_equal(found.grads["x"], back.astype(dtype))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(1001, 77), (3, 5000), (40, 9, 53)])
@pytest.mark.parametrize(
    "expression", ["cumsum(x, {0}) + c", "where(c > 0, cumsum(x*c, {0}), c)", "flip(cumsum(flip(x, {0})*c, {0}), {0})"]
)
def test_running_sums_meet_a_number_for_each_row(expression: str, shape: tuple[int, ...], dtype: str) -> None:
    inputs = data({"x": shape, "c": (shape[0], *(1 for _ in shape[1:]))}, dtype)
    tolerance = 2e-5 if dtype == "float32" else 1e-12
    for dim in range(1, len(shape)):
        one = expression.format(dim)
        found = []
        for engine in ("native", "numpy"):
            with choice.using(engine):
                result = gc.evaluate(one, inputs, grad_output=1)
            found.append([result.value.detach().numpy(), *result.grads.values()])
        for ours, theirs in zip(*found, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * float(np.abs(theirs).max()))


def test_nothing_is_kept_of_the_pieces_of_a_running_sum() -> None:
    gc.set_engine("native")
    program = planned("cumsum(x, 0)*2", {"x": np.ones(100_000, np.float32)})[1]
    running = [step for step in native_steps(program) if "cumsum" in {s.node.op.name for s in step.covers}]
    assert running and all(step.states.bytes == 0 for step in running)


def test_code_is_kept_and_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert evaluated_anew() == 300_000
    (file,) = compiled_files()
    assert file.stat().st_mode & 0o077 == 0

    def refuse(*arguments: Any) -> bytes:
        raise AssertionError("compiled again")

    monkeypatch.setattr(call, "object_code", refuse)
    assert evaluated_anew() == 300_000


def test_a_pass_is_compiled_once_for_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    monkeypatch.setattr(call, "object_code", lambda text: compiled.append(text) or processor.object_code(text))
    threads = gc.get_num_threads()
    gc.set_num_threads(4)
    try:
        assert evaluated_anew(4_000_000) == 4_000_000
    finally:
        gc.set_num_threads(threads)
    assert len(compiled) == 1


@pytest.mark.parametrize("damage", ["empty", "cut", "a bit", "no code", "other code", "code of another"])
def test_damaged_code_is_compiled_again(damage: str) -> None:
    evaluated_anew()
    (file,) = compiled_files()
    whole = file.read_bytes()
    checksum = own_cache._checksum
    bodies = {
        "empty": b"",
        "cut": whole[: len(whole) // 2],
        "a bit": whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:],
        "no code": checksum(b"x" * 100) + b"\n" + b"x" * 100,
    }
    if damage == "other code":
        other = processor.object_code("define void @other() {\n  ret void\n}")
        bodies[damage] = checksum(other) + b"\n" + other
    if damage == "code of another":
        gc.evaluate("sum(tanh(x))", {"x": np.zeros(300_000, np.float32)})
        (stranger,) = (one for one in compiled_files() if one != file)
        bodies[damage] = stranger.read_bytes()
        stranger.unlink()
    file.write_bytes(bodies[damage])
    assert evaluated_anew() == 300_000
    assert compiled_files() == [file] and file.read_bytes() == whole


@pytest.mark.parametrize("mode", [0o720, 0o702])
def test_code_that_others_can_write_is_not_loaded(mode: int, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluated_anew()
    (file,) = compiled_files()
    compiled = []
    monkeypatch.setattr(call, "object_code", lambda text: compiled.append(text) or processor.object_code(text))
    os.chmod(file.parent, mode)
    try:
        assert evaluated_anew() == 300_000
    finally:
        os.chmod(file.parent, 0o700)
    assert len(compiled) == 1


def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call, "_MOST_KEPT", 8)
    gc.set_engine("native")
    made = []
    # With another number the code is the same.
    for function in ("exp", "expm1", "log1p", "sqrt", "abs", "sin", "cos", "tanh", "sinh", "cosh"):
        gc.evaluate(f"sum({function}(x))", {"x": np.zeros(300_000)})
        made.append(compiled_files()[0])
    # The ninth was one too many, and three of the oldest went.
    assert compiled_files() == made[:2:-1]


# The choice -----------------------------------------------------------------------------------------------------------


def test_choosing() -> None:
    assert choice.get_engine() in choice.ENGINES
    gc.set_engine("native")
    assert gc.get_engine() == "native" and choice.engine_in_use().startswith("native (llvmlite ")
    gc.set_engine("numpy")
    assert choice.engine_in_use() == "numpy"
    with pytest.raises(GradcliError, match="there is no engine 'jit'"):
        gc.set_engine("jit")
    with pytest.raises(GradcliError) as raised:
        gc.set_engine("nativ")
    assert "native" in str(raised.value.hint)


@pytest.mark.parametrize(("length", "native"), [(300_000, False), (100_000_000, True)])
def test_auto_compiles_where_it_is_worth_it(length: int, native: bool) -> None:
    request = prepare(parse("sum(exp(x)*x)"), (InputSpec("x", (length,), np.dtype(np.float32), True),), None, False)
    program = plan(request.roots, sizes=Sizes(little=0))
    gc.set_engine("auto")
    assert any(isinstance(step, NativeStep) for step in native_steps(program)) == native


@pytest.mark.parametrize("count", [3, 300_000])
def test_a_wrong_variable(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADCLI_ENGINE", "fast")
    told = "GRADCLI_ENGINE must be auto, numpy or native, got 'fast'"
    # Also where a computation that fails is no error: at a point beside, in a record, on a line.
    for words in (("check", "x*x", "x=1"), ("stream", "x*x"), ("repl",), ("explain", "x*x", "x=1")):
        assert invoked(monkeypatch, *words, stdin=b"1\n") == (2, "", f"gradcli: {told}\n")
    assert invoked(monkeypatch, "eval", "x*x", "x=1", "--engine", "numpy", "--only", "x.grad").code == 0
    assert invoked(monkeypatch, "ops", "relu").code == 0
    with pytest.raises(GradcliError, match=told):
        gc.evaluate("sum(x)", {"x": np.zeros(count)})


def test_without_llvmlite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "missing", lambda: "llvmlite is not installed")
    with pytest.raises(WorkError, match="llvmlite is not installed"):
        gc.set_engine("native")
    gc.set_engine("auto")
    assert choice.engine_in_use(tried=True) == "numpy"
    assert gc.evaluate("sum(exp(x))", {"x": np.zeros(300_000)}).value.item() == 300_000


@pytest.mark.parametrize("broken", ["raise ImportError('gone')", "raise OSError('libz.so.9: cannot open')", "x = 1"])
def test_llvmlite_that_fails_to_load(broken: str, tmp_path: Path) -> None:
    """The command says so once and computes with NumPy; unasked, it says nothing."""
    (tmp_path / "llvmlite").mkdir()
    (tmp_path / "llvmlite" / "__init__.py").write_text("")
    (tmp_path / "llvmlite" / "binding.py").write_text(broken)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "GRADCLI_ENGINE": ""}
    command = [sys.executable, "-m", "gradcli", "eval", "sum(exp(x))", "x=zeros(3000000)", "--only", "value"]
    quiet = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert quiet.stderr == ""
    told = subprocess.run([*command, "--engine", "native"], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout == quiet.stdout == "tensor(3000000., grad_fn=<SumBackward0>)\n"
    assert told.stderr.count("NumPy computes instead") == 1 and "Traceback" not in told.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("eval", "x*x", "x=1"),
        ("steps", "x*x", "x=1"),
        ("check", "x*x", "x=1"),
        ("plot", "x*x", "x=0:1"),
        ("explain", "x*x", "x=1"),
        ("minimize", "x*x", "x=1"),
        ("stream", "x*x"),
        ("repl",),
    ],
    ids=lambda words: words[0],
)
def test_native_by_the_variable_without_llvmlite(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said once that NumPy computes, as where the option asks for native code, and not while Tab is answered."""
    monkeypatch.setattr(processor, "missing", lambda: "llvmlite is not installed")
    told = 'note: llvmlite is not installed: NumPy computes instead; pip install "gradcli[jit]"\n'
    monkeypatch.setenv("GRADCLI_ENGINE", " Native")
    assert invoked(monkeypatch, *words, stdin=b"1\n")._replace(out="") == (0, "", told)
    options = [option.name for option in cli.commands[words[0]].params]
    if "engine" in options:
        for asked in (["--engine", "numpy"], ["-q", "--engine", "native"], ["--engine", "native", "-q"]):
            if "-q" not in asked or "quiet" in options:
                assert invoked(monkeypatch, *words, *asked, stdin=b"1\n").err == ""
        line = " ".join([f"gradcli {words[0]}", "--engine native --engine "])
        monkeypatch.setenv("COMP_LINE", line)
        monkeypatch.setenv("_GRADCLI_COMPLETE", "bash_complete")
        done = invoked(monkeypatch)
        assert (done.code, done.err) == (0, "") and "numpy" in done.out


def test_explain_shows_what_is_native() -> None:
    command = [sys.executable, "-m", "gradcli", "explain", "sum(exp(x))", "x=zeros(3000000)", "--engine"]
    native, plain = (
        subprocess.run([*command, engine], capture_output=True, text=True, check=True).stdout
        for engine in ("native", "numpy")
    )
    assert "native" not in plain
    assert "x.grad[i:j] = exp(x[i:j])  (native)" in native and ", native; reads" in native
    shown = subprocess.run([*command, "native", "--ir"], capture_output=True, text=True, check=True).stdout
    none = subprocess.run([*command, "numpy", "--ir"], capture_output=True, text=True, check=True)
    assert "declare" in shown and none.stderr == "note: no pass is native: see --engine native\n"
    assert "define void @k(ptr %p, i64 %n, ptr noalias %s)" in shown and "@llvm.fma" in shown


def test_passes_beside_a_large_one_are_compiled() -> None:
    """A sum of float32 that NumPy would compute alone goes before running sums that are compiled."""
    gc.set_engine("auto")
    compiled = {}
    for expression in ("cumsum(x, 0)", "sum(x.double())"):
        inputs = {"x": np.broadcast_to(np.float32(0), (10**7,))}
        _, program = planned(expression, inputs)
        compiled[expression] = [chosen(program, one).fused for stage in program.stages for one in stage.passes]
    assert compiled == {"cumsum(x, 0)": [True, True], "sum(x.double())": [False]}


@pytest.mark.parametrize(
    ("expression", "shapes", "times"),
    [
        ("sum(exp(-sum((X - m)**2, 2)))", {"X": (10_000, 1, 32), "m": (25, 32)}, 2),
        ("mean(3*x)", {"x": (10**7,)}, 1),
        ("mean(3*x)", {"x": (2 * 10**7,)}, 2),
    ],
)
def test_blocks_are_as_long_as_many_threads_allow(
    expression: str, shapes: dict[str, tuple[int, ...]], times: int
) -> None:
    gc.set_engine("native")
    inputs = {name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes.items()}
    _, program = planned(expression, inputs)
    (one,) = [one for stage in program.stages for one in stage.passes]
    native = chosen(program, one)
    assert native.fused and native.rows == times * one.rows and native.blocks >= 16


def test_every_way_of_writing_is_met() -> None:
    """The expressions above are not all written in one way."""
    from gradcli.engine.native.ways import ways

    gc.set_engine("native")
    texts = [
        step.text
        for (expression, shapes), dtype in itertools.product([*EXPRESSIONS, ("cumsum(V, 0)", {"V": (80, 9001)})], TYPES)
        for step in native_steps(planned(expression, data(shapes, dtype))[1])
    ]
    assert any("row:" in text for text in texts), "columns across the lanes"
    assert any("%kept" in text and "@body" in text for text in texts), "loops over places"
    joined = [text for text in texts if "%end = mul i32 %valid" in text]
    assert joined, "rows end to end"
    assert any("%kept" not in text and "@body" in text for text in texts if text not in joined), "rows across the lanes"
    assert any("%packed" in text for text in texts), "panels of rows"
    assert any("%all" in text for text in texts), "sums over rows and lines that leave a dimension"
    assert any("%kept" in text and "while" in text for text in texts), "lines of running sums side by side"
    assert len({way.function for way in ways(widest=1 << 20)}) == 6
