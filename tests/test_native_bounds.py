"""What native code may cost: its length, and so the time to make it, and the stack that it takes."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.execute.run import run
from gradcli.engine.native import call, fuse
from gradcli.engine.native.choice import chosen
from gradcli.engine.native.step import NativeStep
from gradcli.engine.plan.program import Program, Sizes
from gradcli.ops.kernels.inplace import aligned
from tests.test_native_passes import leaves_of, planned

pytestmark = pytest.mark.usefixtures("in_blocks")

SMOOTH = ("tanh({0}) + X", "sigmoid({0})*1.5", "sin({0})")
ROWWISE = ("{0} - mean({0}, 1, keepdim=True)", "softmax({0}, 1) + X")
SIMPLE = ("{0}*1.01 + 0.1", "{0} - X")
SMALL = Sizes(small=0, little=0)


def chain(forms: tuple[str, ...], count: int) -> str:
    steps = [f"t{k} = {forms[k % len(forms)].format(f't{k - 1}')}" for k in range(1, count)]
    return "; ".join(["t0 = X", *steps, f"mean(t{count - 1})"])


def modules(program: Program) -> list[str]:
    gc.set_engine("native")
    passes = [chosen(program, one) for stage in program.stages for one in stage.passes]
    return [step.text for one in passes for step in one.steps if isinstance(step, NativeStep)]


def lines(texts: list[str]) -> int:
    return sum(text.count("\n") for text in texts)


@pytest.mark.parametrize(
    ("forms", "count", "shape"),
    [(SMOOTH, 150, (3_000,)), (SMOOTH, 60, (200, 32)), (ROWWISE, 40, (200, 32)), (SIMPLE, 2_000, (3_000,))],
)
def test_long_expressions(forms: tuple[str, ...], count: int, shape: tuple[int, ...]) -> None:
    """Steps for which there is no room stay with NumPy, and the numbers are the same."""
    inputs = {"X": np.random.default_rng(0).standard_normal(shape)}
    request, program = planned(chain(forms, count), inputs, SMALL)
    texts = modules(program)
    assert texts and lines(texts) <= 2 * fuse._FEW * sum(len(stage.passes) for stage in program.stages)
    gc.set_engine("numpy")
    expected = [one.copy() for one in run(program, leaves_of(program, request, inputs))]
    gc.set_engine("native")
    for ours, theirs in zip(run(program, leaves_of(program, request, inputs)), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9 * float(np.abs(theirs).max()))


def test_large_data_have_room() -> None:
    """With enough to compute the same expression is native as a whole, in functions of a bounded length."""
    few = modules(planned(chain(SIMPLE, 2_000), {"X": np.zeros(3_000)}, SMALL)[1])
    many = modules(planned(chain(SIMPLE, 2_000), {"X": np.zeros(3_000_000)})[1])
    assert lines(many) > lines(few)
    assert len(many) > 1 and max(map(lines, ([one] for one in many))) < 2 * fuse._LONGEST


def test_many_functions_are_called() -> None:
    """Each elementary function is written once, however often it is used."""
    (once,) = modules(planned(chain(SMOOTH, 150), {"X": np.zeros(3_000_000)})[1])
    assert len(re.findall(r"@sin_v\d+f64\(", once)) == 50 + 1 and lines([once]) < fuse._LONGEST / 2


@pytest.mark.parametrize(
    ("expression", "shapes", "most"),
    [
        ("mean(2*(3*x+7)**2)", {"x": (10**7,)}, 140),
        ("mean(log1p(exp(-y*(X@w))))", {"X": (10**6, 20), "y": (10**6,), "w": (20,)}, 850),
        ("sum(((X - mean(X, 0))/std(X, 0))**2)", {"X": (10**6, 20)}, 800),
    ],
)
def test_usual_requests_are_little_code(expression: str, shapes: dict[str, tuple[int, ...]], most: int) -> None:
    """Making it takes most of the time of a first evaluation, some 30 lines a millisecond."""
    inputs = {name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes.items()}
    assert 0 < lines(modules(planned(expression, inputs)[1])) <= most


STACK = """
import threading
import numpy as np
import gradcli as gc
gc.set_engine("native")
threading.stack_size(1 << 18)
gc.set_num_threads(2)
steps = "; ".join(f"t{k} = cumsum(t{k - 1}, 1)*0.01 + sin(t{k - 1})" for k in range(1, 5))
inputs = {"X": np.ones((2_000, 30, 30), np.float32), "Y": np.ones((30, 30), np.float32)}
thread = threading.Thread(target=lambda: print(gc.evaluate(f"t0 = X + Y; {steps}; sum(t4*t1)", inputs).value.item()))
thread.start()
thread.join()
"""


def test_little_stack() -> None:
    """Rows that are kept between loops lie elsewhere: a thread may have little of it."""
    done = subprocess.run([sys.executable, "-c", STACK], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert np.isfinite(float(done.stdout))


@pytest.mark.parametrize("width", [17, 18, 33, 49, 300, 305])
@pytest.mark.parametrize(("source", "target"), [("int16", "uint8"), ("int32", "int8"), ("int64", "int32")])
def test_narrowed_numbers_end_with_their_row(source: str, target: str, width: int) -> None:
    """What is left over of a row is written, and nothing behind it: the next row, or the end of the array."""
    x = np.random.default_rng(0).integers(-(2**15), 2**15, (33, width)).astype(source)
    request, program = planned(f"x.to({target})", {"x": x}, SMALL)
    assert modules(program)
    (found,) = run(program, leaves_of(program, request, {"x": x}))
    np.testing.assert_array_equal(found, x.astype(target))


@pytest.mark.parametrize("shape", [(40, 50), (3, 5, 33), (64, 33), (50,)])
@pytest.mark.parametrize(
    "expression",
    [
        "sum(X*amax(X, {dims}, keepdim=True))",
        "t = sin(X); sum((t - mean(t, {dims}, keepdim=True))**2, 0)",
        "sum(sin(X), 0)",
    ],
)
def test_what_is_kept_of_a_row_ends_with_its_memory(
    expression: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines of a row that are no whole vectors: the last one has nothing of what lies behind."""
    found: list[np.ndarray] = []

    def guarded(size: int) -> np.ndarray:
        memory = aligned(size + 4096)
        memory[size:] = 0xAB
        found.append(memory[size:])
        return memory[:size]

    monkeypatch.setattr(call, "aligned", guarded)
    x = np.random.default_rng(0).standard_normal((70, *shape))
    text = expression.format(dims=tuple(range(1, 1 + len(shape))))
    request, program = planned(text, {"X": x}, SMALL)
    assert modules(program)
    ours = [one.copy() for one in run(program, leaves_of(program, request, {"X": x}))]
    gc.set_engine("numpy")
    for one, theirs in zip(ours, run(program, leaves_of(program, request, {"X": x})), strict=True):
        np.testing.assert_allclose(one, theirs, rtol=1e-9, atol=1e-9)
    assert found and all((tail == 0xAB).all() for tail in found)
