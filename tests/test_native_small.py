"""Small requests as one native function each: against NumPy, against native passes, run again and again."""

from __future__ import annotations

import ctypes
import gc as collector
import itertools
import json
import math
import mmap
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.execute import native_memory
from gradcli.engine.execute.closure import Computing, bound
from gradcli.engine.execute.native_memory import KeptMemory
from gradcli.engine.execute.native_small import natively
from gradcli.engine.execute.run import known_value, run
from gradcli.engine.native import call, processor, whole
from gradcli.engine.native.choice import ENGINE, MOST_KEPT, WORTH_CALLS, is_small_native, using
from gradcli.engine.native.processor import Processor
from gradcli.engine.native.whole import NativePart, whole_request
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Program, Sizes, WholeStep
from gradcli.errors import GradcliError
from gradcli.graph.node import CONSTANT
from gradcli.language.parse import parse
from gradcli.machine.limits import MEMORY_LIMIT, limited
from gradcli.optimize.objective import Objective
from tests.cases import Case, all_cases
from tests.command import process
from tests.native_support import AVX2, BASELINE, same_bits
from tests.test_engine_blocks import agree, with_gradients
from tests.test_engine_buffers import inputs_of, random_program

pytestmark = pytest.mark.skipif(processor.missing() is not None, reason="llvmlite is not installed")

#: Of computed numbers, relative to the largest one.
CLOSE = {"float32": 2e-5, "float64": 1e-12}


def programs(expression: str, arrays: dict[str, np.ndarray]) -> tuple[Program, list[Any]]:
    """The program of a value and its gradients, and the arrays of its leaves."""
    program = plan(with_gradients(expression, arrays))
    assert program.direct
    return program, [known_value(leaf) for leaf in program.leaves]


def fixed(program: Program) -> dict[int, Any]:
    return {k: leaf.params["value"] for k, leaf in enumerate(program.leaves) if leaf.op is CONSTANT}


def native(program: Program) -> Computing:
    found = natively(program, fixed(program))
    assert found is not None
    return found


def numpy(program: Program, leaves: Sequence[Any]) -> list[Any]:
    function = bound(program)
    assert function is not None
    with np.errstate(all="ignore"):
        return function(leaves)


def drawn(shape: tuple[int, ...], dtype: str = "float32", seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.2, 1, shape).astype(dtype)


def at_the_end_of_memory(like: np.ndarray, before: int = 0) -> np.ndarray:
    """An array like this one that ends so many bytes before the end of a page; the page after it may not be read."""
    size = -(-(like.nbytes + before) // mmap.PAGESIZE) * mmap.PAGESIZE
    memory = mmap.mmap(-1, size + mmap.PAGESIZE)
    everything = np.frombuffer(memory, np.uint8)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mprotect(ctypes.c_void_p(everything.ctypes.data + size), ctypes.c_size_t(mmap.PAGESIZE), 0):
        pytest.skip("this system protects no memory")
    return everything[size - before - like.nbytes : size - before].view(like.dtype).reshape(like.shape)


# Against NumPy --------------------------------------------------------------------------------------------------------

CASES = all_cases()


@pytest.mark.slow
@pytest.mark.parametrize("part", range(12))
def test_every_operation(part: int) -> None:
    """The cases of the registry, value and gradients, float32 and float64 by turns; most of them are native."""
    count = 0
    for number, case in enumerate(CASES[part::12]):
        dtype = ("float32", "float64")[number % 2]
        program, leaves = _of_case(case, dtype)
        if program is None or (made := natively(program, fixed(program))) is None:
            continue
        count += 1
        expected = numpy(program, leaves)
        for _ in range(2):
            agree(made.once(leaves), expected, CLOSE[dtype])
    assert count > 20


def _of_case(case: Case, dtype: str) -> tuple[Program | None, list[Any]]:
    if not any(name in case.expression for name in case.inputs):
        return None, []
    program, leaves = programs(case.expression, case.arrays(dtype))
    return program, leaves


@pytest.mark.parametrize("seed", range(24))
def test_random_programs(seed: int) -> None:
    expression = random_program(1000 + seed)
    program, leaves = programs(expression, inputs_of(expression, seed))
    made = natively(program, fixed(program))
    if made is not None:
        agree(made.once(leaves), numpy(program, leaves), 1e-9)


@pytest.mark.parametrize(
    "shape", [(1,), (3,), (16,), (17,), (64,), (1, 5), (5, 1), (2, 2), (3, 17), (33, 3), (2, 3, 4)], ids=str
)
@pytest.mark.parametrize(
    "expression",
    [
        "mean(2*(3*x + 7)**2)",
        "sum(exp(x)*tanh(x), 0)*2 + 1",
        "cumsum(x*2, 0)*sin(x)",
        "(x.flip(0)*x - x.mean(0)).sum()*3",
        "var(x*2, 0) + max(x, 0).values*amin(x*x, 0)",
        "where(x > 0, x, -x*2)*argmax(x, 0)",
    ],
)
def test_lengths(expression: str, shape: tuple[int, ...]) -> None:
    """Whole vectors and what is left over, rows of all lengths; places beyond the end change nothing."""
    arrays = {"x": drawn(shape)}
    program, leaves = programs(expression, arrays)
    agree(native(program).once(leaves), numpy(program, leaves), CLOSE["float32"])


def test_elements_in_any_order_in_memory() -> None:
    program, leaves = programs("sum(x*x.T*2 + exp(x))", {"x": drawn((7, 7))})
    made = native(program)
    expected = [array.tobytes() for array in made.once(leaves)]
    turned = [np.asfortranarray(leaf) for leaf in leaves]
    assert [array.tobytes() for array in made.once(turned)] == expected
    repeated = [np.broadcast_to(leaf.ravel()[0], leaf.shape) for leaf in leaves]
    agree(made.once(repeated), numpy(program, repeated), CLOSE["float32"])


def test_special_numbers_stay_what_they_are() -> None:
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, 3e38, -1.0], np.float32)
    for expression in ("exp(x)*2 + x", "sum(x*2 + 1)", "amax(x*2, 0) + x", "sqrt(abs(x))*x"):
        program, leaves = programs(expression, {"x": special})
        for mine, theirs in zip(native(program).once(leaves), numpy(program, leaves), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-6)
            assert np.array_equal(np.signbit(mine) | np.isnan(mine), np.signbit(theirs) | np.isnan(theirs))


# Against native passes ------------------------------------------------------------------------------------------------

#: Each row of a block on its own, so that there are passes for small tensors.
PASSES = Sizes(small=0, block_bytes=1 << 12, least=1, elements=1 << 9, little=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("expression", "shapes"),
    [
        ("exp(x)*sin(x) + 2", {"x": (50,)}),
        ("sum(sigmoid(x)*tanh(x))*2", {"x": (50,)}),
        ("amax(X*2, 1)*3", {"X": (20, 7)}),
        ("tanh(X@W)*2", {"X": (20, 7), "W": (7, 5)}),
        ("var(x*2)*3", {"x": (50,)}),
    ],
)
def test_the_bits_of_passes(expression: str, shapes: dict[str, tuple[int, ...]], dtype: str) -> None:
    """Elements are computed by the same code; a vector is added up in the same order, a product along its sums."""
    arrays = {name: drawn(shape, dtype, k) for k, (name, shape) in enumerate(shapes.items())}
    roots = with_gradients(expression, arrays)[:1]
    program = plan(roots)
    whole = native(program).once([known_value(leaf) for leaf in program.leaves])
    blocked = plan(roots, sizes=PASSES)
    assert not blocked.direct
    ENGINE.set("native")
    (in_passes,) = run(blocked, [known_value(leaf) for leaf in blocked.leaves])
    assert same_bits(whole[0], in_passes)


@pytest.mark.parametrize("other", [AVX2, BASELINE, Processor("x86-64-v3")], ids=lambda one: one.name)
def test_the_same_bits_on_every_processor(other: Processor, monkeypatch: pytest.MonkeyPatch) -> None:
    from gradcli.engine.execute import native_memory

    program, leaves = programs("mean(log1p(exp(-y*(X@w))))", {"X": drawn((9, 3)), "w": drawn((3,)), "y": drawn((9,))})
    here = [array.tobytes() for array in native(program).once(leaves)]
    monkeypatch.setattr(processor, "host", lambda: other)
    monkeypatch.setattr(call, "host", lambda: other)
    for cache in (call.loaded, native_memory._functions):
        cache.cache_clear()
    assert [array.tobytes() for array in native(program).once(leaves)] == here
    for cache in (call.loaded, native_memory._functions):
        cache.cache_clear()


# What becomes of a request --------------------------------------------------------------------------------------------

WHOLE: dict[str, dict[str, tuple[int, ...]]] = {
    "mean(2*(3*x + 7)**2)": {"x": (2, 2)},
    "sum(sigmoid(x)*tanh(y))": {"x": (30,), "y": (30,)},
    "mean(log1p(exp(-y*(X@w))))": {"X": (9, 4), "w": (4,), "y": (9,)},
    "mean((relu(X@A)@B - Y)**2)": {"X": (8, 6), "A": (6, 5), "B": (5, 2), "Y": (8, 2)},
    "mean(logsumexp(X, 1) - sum(X*Y, 1))": {"X": (8, 3), "Y": (8, 3)},
    "sum(((X - mean(X, 0))/std(X, 0))**2)": {"X": (8, 3)},
    "sum(softmax(X@A, 1)*gelu(X@A))": {"X": (8, 6), "A": (6, 5)},
    "sum(layer_norm(X, (6,)) * X[:, 1:2] + cat([X.T[0], X.T[1]], 0).sum())": {"X": (8, 6)},
    "(huber_loss(x, y) + mse_loss(x, y))*sqrt(x*x + y*y).sum()": {"x": (9,), "y": (9,)},
    "sum(cumsum(X, 1)*cumprod(X, 0)) + norm(X)": {"X": (4, 3)},
    "max(X, 1).values.sum() * 2 + sum(X.T @ X)": {"X": (4, 3)},
}


def parts(program: Program) -> list[Any]:
    found = whole_request(program)
    assert found is not None
    return [part for part in found.parts if not isinstance(part, NativePart) or part.items]


@pytest.mark.parametrize("expression", WHOLE)
def test_one_function(expression: str) -> None:
    program, leaves = programs(expression, {n: drawn(shape) for n, shape in WHOLE[expression].items()})
    assert [type(part) for part in parts(program) if not isinstance(part, WholeStep) or part.inputs] == [NativePart]
    agree(native(program).once(leaves), numpy(program, leaves), CLOSE["float32"])


def test_what_is_left_to_numpy_splits_the_function() -> None:
    program, leaves = programs("sum(exp(inv(X*2 + 5*eye(3))@X)*2) + trace(X*3)", {"X": drawn((3, 3), "float64")})
    kinds = [type(part) for part in parts(program)]
    assert kinds.count(NativePart) in (2, 3) and len(kinds) > 3
    made = native(program)
    first = made.once(leaves)
    kept = [array.copy() for array in first]
    agree(first, numpy(program, leaves), CLOSE["float64"])
    # What was given is nobody's scratch memory.
    made.once([leaf * 2 for leaf in leaves])
    assert all(same_bits(a, b) for a, b in zip(first, kept, strict=True))


@pytest.mark.parametrize("most", [0, 20, 40, 60, 80, 120, 200])
@pytest.mark.parametrize(
    "expression",
    [
        "abs(X*2) + logsumexp(X, 1, keepdim=True)",
        "sin(logsumexp(X, 0)).unsqueeze(0)*X + logsumexp(X*X, (0, 1))",
        "max(X*3, 1).values*logsumexp(X, 1) + movedim(X*2, 0, 1).sum(0)",
    ],
)
def test_operations_for_which_there_is_too_much_code(
    expression: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NumPy makes their results, and not what only functions would have made of them."""
    monkeypatch.setattr(whole, "_LONGEST", most)
    program, leaves = programs(expression, {"X": drawn((9, 7))})
    made = natively(program, fixed(program))
    if made is not None:
        agree(made.once(leaves), numpy(program, leaves), CLOSE["float32"])


def test_code_does_not_know_lengths_and_numbers() -> None:
    def text(expression: str, count: int) -> str:
        (part,) = parts(programs(expression, {"x": drawn((count,))})[0])
        return str(part.text)

    assert text("mean(2*(3*x + 7)**2)", 3) == text("mean(2*(3*x + 7)**2)", 900)
    assert text("mean(2*(3*x + 7)**2)", 30) == text("mean(4*(5*x + 8)**2)", 30)
    assert text("var(x*2)*3", 3) == text("var(x*5)*4", 40)
    # The exponent is part of the code: a square is no call of pow.
    assert text("mean((3*x + 7)**3)", 3) != text("mean((3*x + 7)**2)", 3)


def test_what_needs_much_memory_and_single_operations_are_left() -> None:
    assert whole_request(programs("sum(x)", {"x": drawn((4,))})[0]) is None
    # More memory than may be kept.
    names = [f"x{k}" for k in range(40)]
    assert whole_request(programs("*".join(names), dict.fromkeys(names, drawn((65_536,), "float64")))[0]) is None


@pytest.mark.parametrize(
    ("expression", "shape", "expected"),
    [
        # Large products, and views that only these look at.
        ("sum(tanh(A@B)*2)", (80, 80), ["mm", "permute", "permute", "native", "mm", "mm"]),
        # A long loop over places that lie apart.
        ("sum(exp(A)*A.T*2*B)", (200, 200), ["permute", "native", "permute", "native"]),
        ("sum(exp(A)*A.T*2*B)", (20, 20), ["native"]),
    ],
)
def test_what_numpy_does_better_is_left(expression: str, shape: tuple[int, ...], expected: list[str]) -> None:
    program, leaves = programs(expression, {"A": drawn(shape), "B": drawn(shape)})
    kinds = [part.node.op.name if isinstance(part, WholeStep) else "native" for part in parts(program)]
    assert kinds == expected
    agree(native(program).once(leaves), numpy(program, leaves), CLOSE["float32"])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("expression", "shapes"),
    [
        ("mean(2*(3*x + 7)**2)", {"x": (123_457,)}),
        ("sum(sigmoid(x)*tanh(y))", {"x": (70_001,), "y": (70_001,)}),
        ("mean(log1p(exp(-y*(X@w))))", {"X": (4001, 20), "w": (20,), "y": (4001,)}),
        ("mean((relu(X@A)@B - Y)**2)", {"X": (700, 20), "A": (20, 32), "B": (32, 4), "Y": (700, 4)}),
        ("sum(((X - mean(X, 0))/std(X, 0))**2*Y)", {"X": (3001, 17), "Y": (3001, 17)}),
        ("sum(softmax(X, 1)*Y)", {"X": (5003, 10), "Y": (5003, 10)}),
        ("sum(cumsum(X, 1)*Y) + max(X, 0).values.sum()", {"X": (501, 90), "Y": (501, 90)}),
    ],
)
def test_arrays_of_some_megabytes(expression: str, shapes: dict[str, tuple[int, ...]], dtype: str) -> None:
    arrays = {name: drawn(shape, dtype, k) for k, (name, shape) in enumerate(shapes.items())}
    program, leaves = programs(expression, arrays)
    made, expected = native(program), numpy(program, leaves)
    for _ in range(2):
        agree(made.once(leaves), expected, CLOSE[dtype])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_many_elementary_functions_are_called(dtype: str) -> None:
    expression = "".join("x = tanh(1.1*sin(x) + 0.2)*exp(-x*x); " for _ in range(30)) + "mean(x)"
    program, leaves = programs(expression, {"x": drawn((1003,), dtype)})
    (part,) = parts(program)
    assert isinstance(part, NativePart) and part.text.count("call <16 x float> @tanh_v16f32") in (0, 30)
    assert part.text.count("define internal") < 12 and part.text.count("\n") < 2_000
    agree(native(program).once(leaves), numpy(program, leaves), CLOSE[dtype])


def test_large_arrays_are_read_and_written_where_they_are() -> None:
    """However they lie in memory, and up to the last byte of a page beyond which there is none."""
    count = 40_000
    program, leaves = programs("sum(exp(x)*y*2) + (x*y).max()", {"x": drawn((count,)), "y": drawn((count,))})
    made, place = native(program), next(k for k, leaf in enumerate(leaves) if leaf.shape == (count,))
    expected = [array.tobytes() for array in made.once(leaves)]
    x = leaves[place]
    shifted = np.empty(x.nbytes + 2, np.uint8)[2:].view(x.dtype)
    strided = np.empty(2 * count, x.dtype)[::2]
    guarded = at_the_end_of_memory(x)
    for other in (shifted, strided, guarded):
        other[...] = x
        again = [*leaves[:place], other, *leaves[place + 1 :]]
        results = made.once(again)
        assert [array.tobytes() for array in results] == expected
        assert not any(np.may_share_memory(a, b) for a in results for b in again)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float64"])
def test_nothing_beyond_a_page_is_read(dtype: str) -> None:
    """Vectors have as many elements of each type."""
    count = 66_001
    given = np.random.default_rng(0).integers(0, 2, count).astype(dtype)
    program, leaves = programs("sum(exp(x)*where(k > 0, x, 2*x))*3", {"x": drawn((count,)), "k": given})
    made, place = native(program), next(i for i, leaf in enumerate(leaves) if leaf.dtype == dtype and leaf.ndim)
    expected = [array.tobytes() for array in made.once(leaves)]
    for before in range(0, 160, 8):
        k = at_the_end_of_memory(given, before)
        k[...] = given
        assert [array.tobytes() for array in made.once([*leaves[:place], k, *leaves[place + 1 :]])] == expected


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_written_behind_an_array(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies between two arrays stays as it is but for the padding, which no result depends on."""
    expression = random_program(2000 + seed)
    program, leaves = programs(expression, inputs_of(expression, seed))
    made = natively(program, fixed(program))
    if made is None:
        pytest.skip("left to NumPy")
    expected = [array.tobytes() for array in made.once(leaves)]
    between: list[tuple[np.ndarray, int]] = []

    class Watched(KeptMemory):
        def __init__(self, layout: Any) -> None:
            super().__init__(layout)
            starts = [*sorted((at, layout.nodes[n].nbytes) for n, at in layout.starts.items()), (layout.bytes, 0)]
            for (at, size), (following, _) in itertools.pairwise(starts):
                between.append((self.data[at + size : following], layout.padding))
                between[-1][0][:] = 0xAB

    # So that there is something between them.
    monkeypatch.setattr(native_memory, "_LINE", 1 << 12)
    monkeypatch.setattr(native_memory, "KeptMemory", Watched)
    assert [array.tobytes() for array in native(program).once(leaves)] == expected
    assert between and all((gap[padding:] == 0xAB).all() for gap, padding in between)


def test_large_results_stay_what_they_are() -> None:
    program, leaves = programs("x*y*2", {"x": drawn((40_000,)), "y": drawn((40_000,))})
    made = native(program)
    first = made.once(leaves)
    kept = [array.copy() for array in first]
    made.once([leaf * 3 for leaf in leaves])
    assert all(same_bits(a, b) for a, b in zip(first, kept, strict=True))
    assert all(array.flags.c_contiguous and array.flags.writeable for array in first)


def test_many_at_once_are_what_each_is() -> None:
    program, leaves = programs("sum(exp(x)*w)*2 + x.mean()", {"x": drawn((5,)), "w": drawn((5,))})
    made = native(program)
    assert made.many is not None
    places = [k for k, leaf in enumerate(program.leaves) if leaf.op is not CONSTANT]
    several = [drawn((7, 5), "float32", k) if k in places else leaf for k, leaf in enumerate(leaves)]
    together = made.many(several, 7)
    for number in range(7):
        one = made.once([x[number] if k in places else x for k, x in enumerate(several)])
        assert all(same_bits(a, b[number]) for a, b in zip(one, together, strict=True))


def test_threads_do_not_share_memory() -> None:
    program, leaves = programs("sum(exp(x)*x) + var(x*2)", {"x": drawn((300,))})
    made = native(program)
    inputs = [[leaf if leaf.ndim == 0 else leaf + k for leaf in leaves] for k in range(4)]
    expected = [[array.tobytes() for array in made.once(one)] for one in inputs]
    wrong: list[int] = []

    def work(k: int) -> None:
        for _ in range(300):
            if [array.tobytes() for array in made.once(inputs[k])] != expected[k]:
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(("count", "held"), [(20, True), (250, False), (9_000, False)])
def test_only_short_calls_hold_the_lock_of_the_interpreter(count: int, held: bool) -> None:
    """Little memory is not little to compute: there may be many pairs."""
    expression = "sum(exp(-(x[:, None] - x)**2), 1)*2" if count < 1000 else "sum(exp(x)*x*2)"
    program, leaves = programs(expression, {"x": drawn((count,), "int64")})
    made, steps, ended = native(program), 0, threading.Event()

    def other() -> None:
        nonlocal steps
        while not ended.is_set():
            steps += 1
            time.sleep(0)

    usual = sys.getswitchinterval()
    thread = threading.Thread(target=other)
    thread.start()
    try:
        # Nobody has to give it up.
        sys.setswitchinterval(1000)
        # Whoever waits from now on does so that long; what had been asked for until now is answered by the first call.
        time.sleep(0.001)
        made.once(leaves)
        before = steps
        # Where it is given up, the other one may still have to wait for a processor.
        for _ in range(500 if held else 100_000):
            made.once(leaves)
            if steps != before:
                break
        done = steps - before
    finally:
        sys.setswitchinterval(usual)
        ended.set()
        thread.join()
    assert (done == 0) is held


@pytest.mark.parametrize("limit", [None, 10**9])
def test_requests_of_many_shapes_keep_little_memory(limit: int | None) -> None:
    """A stream has a thousand plans, each of which would keep some megabytes; under a limit only the last one does."""
    steps = "; ".join(f"t = softmax(t*x, {k % 2})" for k in range(12))
    kept, biggest, computed = 0, 0, []
    with limited(limit):
        for length in range(100, 112):
            program, leaves = programs(f"t = x; {steps}; sum(t*x)", {"x": drawn((length, 200), "float64")})
            computed.append(native(program))
            for _ in range(2):
                agree(computed[-1].once(leaves), numpy(program, leaves), CLOSE["float64"])
            alive = [one.layout.bytes for one in collector.get_objects() if isinstance(one, KeptMemory)]
            large = [size for size in alive if size > 1 << 20]
            kept, biggest = max(kept, sum(large)), max(biggest, *large)
    assert kept == biggest if limit else MOST_KEPT / 2 < kept <= MOST_KEPT


# Errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["numpy", "native"])
def test_errors_of_kernels_keep_their_place(engine: str) -> None:
    gc.set_engine(engine)
    inputs = {"x": drawn((2, 3)), "t": np.array([0, 7])}
    with pytest.raises(GradcliError, match="class 7 is out of range: there are 3 classes") as raised:
        gc.evaluate("2*cross_entropy(x*2, t)*3", inputs)
    assert raised.value.span is not None and raised.value.span[0] == 2
    with pytest.raises(GradcliError) as raised:
        gc.evaluate("sum(exp(x)*2 + cholesky(x*x - 9)*3)", {"x": np.ones((2, 2))})
    assert raised.value.span is not None
    inputs["t"] = np.array([0, 2])
    assert math.isfinite(gc.evaluate("2*cross_entropy(x*2, t)*3", inputs).value.item())


# Which engine computes ------------------------------------------------------------------------------------------------


def test_choosing() -> None:
    little = programs("sum(exp(x)*x)", {"x": drawn((4,))})[0]
    more = programs("sum(exp(x)*x)", {"x": drawn((100_000,))})[0]
    steps = len(little.stages[0].whole)
    gc.set_engine("auto")
    assert not is_small_native(little, 0) and is_small_native(little, math.inf)
    assert is_small_native(little, WORTH_CALLS // steps) and not is_small_native(little, 1000)
    assert is_small_native(more, 1000) and not is_small_native(more, 100)
    gc.set_engine("numpy")
    assert not is_small_native(little, math.inf)
    gc.set_engine("native")
    assert is_small_native(little, 0)
    large = plan(with_gradients("sum(exp(x)*x)", {"x": drawn((3_000_000,))}))
    assert not large.direct and not is_small_native(large, math.inf)


def test_every_call_asks_for_the_engine_anew() -> None:
    """A plan is kept for all engines, and each has results of its own."""
    x = drawn((40,))
    found: dict[str, set[bytes]] = {}
    for engine in ("numpy", "native", "auto", "numpy", "native"):
        gc.set_engine(engine)
        result = gc.evaluate("sum(sin(x)*exp(x)*tanh(x))", {"x": x})
        assert result.grads is not None and result.grads["x"] is not None
        found.setdefault(engine, set()).add(result.grads["x"].numpy().tobytes())
    assert all(len(bits) == 1 for bits in found.values())
    assert found["auto"] == found["numpy"] != found["native"]


@pytest.mark.parametrize("count", [300, 30_000])
def test_limits_and_progress_change_no_bits(count: int) -> None:
    gc.set_engine("native")
    program, leaves = programs("sum(sin(x)*exp(x)*tanh(x))", {"x": drawn((count,))})
    expected = [array.tobytes() for array in run(program, leaves)]
    assert [array.tobytes() for array in run(program, leaves, progress=lambda done, total: None)] == expected
    told: list[tuple[int, int]] = []
    token = MEMORY_LIMIT.set(1_000_000_000)
    try:
        results = run(program, leaves, progress=lambda done, total: told.append((done, total)))
    finally:
        MEMORY_LIMIT.reset(token)
    assert [array.tobytes() for array in results] == expected
    assert told and told[-1][0] == told[-1][1] > 0
    gc.set_engine("numpy")
    assert [array.tobytes() for array in run(program, leaves)] != expected


def test_loops_say_that_they_repeat() -> None:
    lines = "".join(f'{{"x": {drawn((9,), "float32", k).tolist()}}}\n' for k in range(3))
    answers = {}
    for engine in ("auto", "native", "numpy"):
        done = process("stream", "sum(sin(x)*exp(x)*tanh(x))", "--engine", engine, stdin=lines.encode())
        answers[engine] = done.out
    assert answers["auto"] == answers["native"] != answers["numpy"]
    for mine, theirs in zip(answers["native"].splitlines(), answers["numpy"].splitlines(), strict=True):
        a, b = json.loads(mine), json.loads(theirs)
        np.testing.assert_allclose([a["value"], *a["grads"]["x"]], [b["value"], *b["grads"]["x"]], rtol=1e-4)


def test_a_minimizer_says_how_many_steps_it_takes() -> None:
    gc.set_engine("auto")
    for steps, native_code in ((0, False), (1000, False), (WORTH_CALLS, True)):
        objective = Objective(parse("sum((w - x)**2)*2"), {"w": np.ones(3), "x": np.ones(3)}, ["w"], steps=steps)
        value, gradient = objective.value_and_gradient(np.array([1.0, 2.0, 3.0]))
        assert value == 10.0 and gradient.tolist() == [0.0, 4.0, 8.0]
        direct = objective._both._direct
        assert direct is not None and (direct.many is not None) == native_code


def test_a_batch_that_goes_on_computes_as_it_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More items come later: those decide nothing any more."""
    monkeypatch.chdir(tmp_path)
    words = ("batch", "sum(exp(x)*sin(x)*tanh(x))", "x=in/", "-o", "out")
    (tmp_path / "in").mkdir()
    for number in range(5):
        np.save(tmp_path / "in" / f"{number}.npy", drawn((20,), "float32", number))
        if number in (2, 4):
            assert process(*words, *(("--resume",) if number == 4 else ())).code == 0
    described = json.loads((tmp_path / "out" / ".gradcli" / "run.json").read_text())
    assert described["repeats"] == 3
    assert len((tmp_path / "out" / "results.jsonl").read_text().splitlines()) == 5


@pytest.mark.parametrize("shape", [(4, 5), (2, 1, 3, 3), (64, 7), (7, 64), (3, 1, 17)])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_the_place_of_an_extreme_of_all_is_that_in_the_flattened_tensor(
    name: str, order: Any, shape: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(0)
    for x in (rng.normal(size=shape), rng.integers(0, 3, shape).astype(float)):
        program, arrays = programs(f"{name}(x)*1.5 + {name}(2*x, keepdim=True)*x*0", {"x": np.array(x, order=order)})
        assert np.unique(native(program).once(arrays)[0]).tolist() == [1.5 * getattr(x, name)()]


@pytest.mark.parametrize("engine", ["numpy", "native"])
def test_a_number_is_rolled(engine: str) -> None:
    with using(engine):
        found = gc.evaluate("roll(x, 1, 0) + roll(2*x, [3, 1], [0, -1])", {"x": 2.0})
    assert (found.value.item(), found.grads["x"].item()) == (6, 3)
