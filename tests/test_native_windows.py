"""Convolutions by native functions: against NumPy's, for any shape and layout, any number of threads, and what their
memory is."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import pytest

from gradcli.engine.execute.run import known_value, run
from gradcli.engine.native import convolutions, native_kernels, window_planes
from gradcli.engine.native.choice import ENGINE, chosen, why_not
from gradcli.engine.native.processor import MachineCode, Processor, object_code
from gradcli.engine.plan.passes import Pass, Step, Sum, has_native_kernel
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Program, Sizes
from gradcli.engine.plan_report import native_code
from gradcli.evaluation.request import prepare
from gradcli.evaluation.values import InputSpec
from gradcli.language.parse import parse
from gradcli.ops.kernels import windows
from gradcli.ops.kernels.windows import Meeting, out_lengths
from tests.arm_processor import ArmCode
from tests.native_support import other_processors, same_bits
from tests.test_engine_blocks import with_gradients

pytestmark = pytest.mark.skipif(why_not() is not None, reason="no native engine")

#: Nothing is small, and blocks have a few images.
SIZES = Sizes(small=0, little=0, block_bytes=1 << 15, least=1, elements=1)
NAMES = {"_convolution", "_convolution_back", "_convolution_kernel"}
#: Input, kernel, and how they meet: one to three dimensions, few channels and many, rows that fill no vector and no
#: tile, unequal padding, more steps than places and fewer, single channels, images of many pieces and pieces of many
#: images, a line that is cut, and windows that reach no element.
CASES: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((5, 64, 14, 14), (64, 64, 3, 3), {}),
    ((3, 3, 28, 29), (5, 3, 3, 2), {"padding": ((1, 1), (2, 0))}),
    ((3, 4, 28, 29), (6, 2, 3, 2), {"padding": ((1, 1), (2, 0)), "groups": 2, "stride": (2, 3)}),
    ((3, 4, 28, 29), (4, 1, 3, 3), {"groups": 4, "stride": (2, 1), "dilation": (3, 2)}),
    ((9, 4, 7, 7), (7, 4, 3, 3), {"padding": ((1, 1), (1, 1)), "stride": (3, 3)}),
    ((1, 3, 400, 500), (17, 3, 5, 5), {"padding": ((1, 1), (1, 1)), "stride": (3, 2)}),
    ((9, 200, 7, 7), (41, 200, 3, 3), {"padding": ((1, 1), (1, 1))}),
    ((9, 30, 7, 7), (60, 6, 3, 3), {"padding": ((1, 1), (1, 1)), "groups": 5}),
    ((5, 3, 100), (5, 3, 7), {"padding": ((3, 1),), "stride": (2,)}),
    ((2, 3, 10, 11, 12), (4, 3, 2, 3, 3), {"padding": ((3, 1), (1, 2), (0, 1)), "stride": (2, 1, 3)}),
    ((1, 2, 3, 200_000), (4, 2, 1, 3), {}),
    ((4, 6, 9, 9), (6, 1, 1, 1), {"groups": 6, "stride": (3, 3)}),
    ((4, 70, 9, 9), (1, 70, 2, 2), {"dilation": (4, 4)}),
    ((2, 4, 1, 1, 1), (4, 4, 2, 2, 2), {"padding": ((2, 0), (2, 0), (500, 0)), "stride": (3, 3, 3)}),
]


class CodeElsewhere:
    """Machine code for another processor of this kind."""

    def __init__(self, text: str, processor: Processor) -> None:
        self.code = MachineCode(object_code(text, processor))

    def function(self, name: str) -> Callable[..., None]:
        return ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p)(self.code.address(name))


def meeting(x: tuple[int, ...], more: dict[str, Any]) -> Meeting:
    count = len(x) - 2
    usual = {"stride": (1,) * count, "padding": ((0, 0),) * count, "dilation": (1,) * count, "groups": 1}
    return Meeting(**{**usual, **more})


def close(found: Any, wanted: Any) -> bool:
    """Whether results are equal but for rounding in the dtype of `found`."""
    error = np.abs(found - wanted).max() / max(1.0, np.abs(wanted).max())
    return bool(error < 200 * np.finfo(found.dtype).eps)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_three_sums_are_those_of_numpy(case: tuple[Any, Any, dict[str, Any]], dtype: str) -> None:
    shape, weight, more = case
    form, rng = meeting(shape, more), np.random.default_rng(0)
    x, w = (rng.standard_normal(n).astype(dtype) for n in (shape, weight))
    lengths = out_lengths(shape[2:], weight[2:], form)
    g = rng.standard_normal((shape[0], weight[0], *lengths)).astype(dtype)
    # Operands and results in any layout.
    x, g, w = (np.asfortranarray(a) if k % 2 else a for k, a in enumerate((x, g, w)))
    out, back = np.full(g.shape, np.nan, dtype), np.full(shape[::-1], np.nan, dtype).T
    convolutions.convolved(out, x, w, **form._asdict())
    convolutions.convolved_back(back, g, w, space=shape[2:], **form._asdict())
    found = convolutions.kernel_gradient(x, g, weight[2:], form)
    wide = [a.astype(np.float64) for a in (x, g, w)]
    assert close(out, windows.convolved(wide[0], wide[2], form))
    assert close(back, windows.convolved_back(wide[1], wide[2], shape[2:], form))
    assert close(found.astype(dtype), windows.kernel_gradient(wide[0], wide[1], weight[2:], form))


@pytest.mark.parametrize("rows", [1, 2, 4, 24])
def test_long_sums_are_added_up_in_double_precision(rows: int) -> None:
    """The sum of 512 such products is a number in single precision, that of a thousand is none."""
    x, g = np.full((7, 1, 130, 128), 1 + 2**-14, np.float32), np.zeros((7, rows, 128, 126), np.float32)
    # In one lane: lines are eight vectors long.
    g[..., ::16] = 1
    found = convolutions.kernel_gradient(x, g, (3, 3), meeting(x.shape, {}))
    assert (found == g[:, :1].sum() * (1 + 2**-14)).all()


def kernels_of(program: Program) -> list[str]:
    """The operations whose kernels are native ones."""
    return [name for stage in program.stages for one in stage.passes for name in kernels_in(chosen(program, one))]


def kernels_in(one: Pass) -> list[str]:
    steps = [step for step in one.steps if isinstance(step, Step | Sum)]
    return [step.node.op.name for step in steps if has_native_kernel(step)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("x", "w", "expression"),
    [
        ((23, 16, 14, 14), (24, 16, 3, 3), "sum(conv2d(x, w, padding=1)**2)"),
        ((23, 16, 14, 14), (24, 16, 3, 3), "sum(conv2d(x, w, b, stride=2)**3)"),
        ((23, 16, 14, 14), (16, 12, 3, 3), "sum(conv_transpose2d(x, w, b[:12], stride=2)**2)"),
        ((23, 16, 60), (24, 8, 5), "sum(relu(conv1d(x, w, b, groups=2)))"),
    ],
)
def test_any_number_of_threads_gives_the_same_bits(
    x: tuple[int, ...], w: tuple[int, ...], expression: str, dtype: str
) -> None:
    rng = np.random.default_rng(0)
    inputs = {name: rng.standard_normal(shape).astype(dtype) for name, shape in (("x", x), ("w", w), ("b", 24))}
    if "b" not in expression:
        del inputs["b"]
    program = plan(with_gradients(expression, inputs), sizes=SIZES)
    leaves = [known_value(leaf) for leaf in program.leaves]
    ENGINE.set("numpy")
    assert not kernels_of(program)
    wanted = [array.copy() for array in run(program, leaves, threads=2)]
    ENGINE.set("native")
    assert set(kernels_of(program)) == NAMES
    first = [array.copy() for array in run(program, leaves, threads=1)]
    for mine, theirs in zip(first, wanted, strict=True):
        assert np.allclose(mine, theirs, rtol=0, atol=200 * np.finfo(dtype).eps * np.abs(theirs).max())
    for threads in (2, 3):
        again = run(program, leaves, threads=threads)
        assert all(same_bits(a, b) for a, b in zip(first, again, strict=True)), threads


@np.errstate(all="ignore")
@pytest.mark.parametrize("odd", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("at", [(0, 0, 0, 0), (1, 2, 5, 8), (2, 1, 8, 8)])
def test_what_is_not_finite_is_where_numpy_has_it(at: tuple[int, ...], odd: float) -> None:
    """Zeros that are laid out around arrays are multiplied by nothing but what is finite."""
    form, rng = meeting((3, 4, 9, 9), {"padding": ((1, 1), (1, 1)), "stride": (2, 1)}), np.random.default_rng(0)
    x, w, g = (rng.standard_normal(shape) for shape in ((3, 4, 9, 9), (20, 4, 3, 3), (3, 20, 5, 9)))
    x[at] = odd
    assert same_kinds(
        convolutions.kernel_gradient(x, g, (3, 3), form), windows.kernel_gradient(x, g, (3, 3), form, np.float64)
    )
    w[at[0], at[1], at[2] % 3, at[3] % 3] = odd
    out, back = np.empty(g.shape), np.empty(x.shape)
    convolutions.convolved(out, x, w, **form._asdict())
    convolutions.convolved_back(back, g, w, space=(9, 9), **form._asdict())
    assert same_kinds(out, windows.convolved(x, w, form))
    assert same_kinds(back, windows.convolved_back(g, w, (9, 9), form))


def same_kinds(a: Any, b: Any) -> bool:
    """Whether arrays are finite at the same places and alike there, and elsewhere the same."""
    return bool(np.allclose(a, b, equal_nan=True))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_memory_is_counted_that_is_taken(
    case: tuple[Any, Any, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    shape, weight, more = case
    form = meeting(shape, more)
    x, w = np.ones(shape, np.float32), np.ones(weight, np.float32)
    g = np.ones((shape[0], weight[0], *out_lengths(shape[2:], weight[2:], form)), np.float32)
    taken = []
    plain = convolutions.aligned
    monkeypatch.setattr(convolutions, "aligned", lambda size: taken.append(size) or plain(size))
    jobs = {
        "convolved": convolutions.forward_job(shape, weight, g.shape, form),
        "convolved_back": convolutions.back_job(g.shape, weight, shape, form),
    }
    jobs["kernel_gradient"] = jobs["convolved"]
    for name, job in jobs.items():
        taken.clear()
        if name == "convolved":
            convolutions.convolved(g, x, w, **form._asdict())
        elif name == "convolved_back":
            convolutions.convolved_back(x, g, w, space=shape[2:], **form._asdict())
        else:
            convolutions.kernel_gradient(x, g, weight[2:], form)
        counted = job.product_memory if name == "kernel_gradient" else job.memory
        assert sum(taken) == sum(counted(len(x), x.dtype))
        # A megabyte of planes and results, unless a line of one image is more.
        assert max(taken) < 3 << 20


@pytest.mark.parametrize(("expression", "functions"), [("conv2d(x, w)", 1), ("sum(conv2d(x, w, stride=2)**2)", 4)])
def test_the_code_of_all_sums_is_shown(expression: str, functions: int) -> None:
    inputs = {"x": np.ones((23, 16, 14, 14)), "w": np.ones((24, 16, 3, 3))}
    ENGINE.set("native")
    program = plan(with_gradients(expression, inputs)[: 3 if functions > 1 else 1], sizes=SIZES)
    code = native_code(program)
    assert len(code) == len(set(code)) == functions and all("define" in text for text in code)


def test_blocks_have_room_for_planes() -> None:
    inputs = {"x": np.ones((23, 16, 14, 14)), "w": np.ones((24, 16, 3, 3))}
    program = plan(with_gradients("sum(conv2d(x, w)**2)", inputs), sizes=SIZES)
    ENGINE.set("numpy")
    plain = [chosen(program, one) for stage in program.stages for one in stage.passes]
    ENGINE.set("native")
    ready = [chosen(program, one) for stage in program.stages for one in stage.passes]
    both = [(a, b) for a, b in zip(plain, ready, strict=True) if kernels_in(b)]
    assert both
    assert all(b.fused and b.thread_bytes > b.own > (1 << 14) for a, b in both)


@pytest.mark.parametrize(
    ("x", "w", "more"),
    [
        # Of single elements BLAS needs no layout.
        ((4, 64, 14, 14), (64, 64, 1, 1), {}),
        # Most of a line would be between images.
        ((4, 64, 32, 32), (64, 64, 1, 31), {}),
        # Each of many planes would be copied for itself.
        ((4, 64, 32, 32), (64, 64, 8, 8), {"stride": (8, 8)}),
        # There is little to add up.
        ((1, 3, 90, 90), (64, 3, 3, 3), {}),
        # Each piece of an image would be mostly what its neighbours have as well: all lines between those of a window,
        ((1, 512, 65, 65), (64, 512, 3, 3), {"padding": ((24, 24), (24, 24)), "dilation": (24, 24)}),
        # and as many windows as are asked for would be computed between two lines.
        ((2, 512, 8000), (512, 512, 2), {"dilation": (1024,)}),
        # So many offsets would be listed.
        ((2, 4096, 30, 30), (1, 4096, 9, 9), {}),
    ],
)
def test_numpy_keeps_what_it_does_as_fast(x: tuple[int, ...], w: tuple[int, ...], more: dict[str, Any]) -> None:
    form = meeting(x, more)
    job = convolutions.forward_job(x, w, (x[0], w[0], *out_lengths(x[2:], w[2:], form)), form)
    assert not native_kernels.pays(job, np.dtype(np.float32), gradient=False)
    assert not native_kernels.pays(job, np.dtype(np.float32), gradient=True)


@pytest.mark.parametrize(
    ("lengths", "kernel", "stride"), [((900, 900), (3, 3), 300), ((600, 600), (300, 300), 1), ((9, 9), (3, 3), 10**9)]
)
def test_what_numpy_keeps_is_told_before_anything_is_listed(
    lengths: tuple[int, int], kernel: tuple[int, int], stride: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Phases are as many as steps are long, and a kernel has as many places as an image may have."""
    inputs = {"x": InputSpec("x", (8, 8, *lengths), np.dtype(np.float32), True)}
    inputs["w"] = InputSpec("w", (8, 8, *kernel), np.dtype(np.float32), True)
    request = prepare(parse(f"sum(conv2d(x, w, stride={stride})**2)"), tuple(inputs.values()))
    monkeypatch.setattr(native_kernels, "back_job", None)
    if math.prod(kernel) > 9:
        monkeypatch.setattr(native_kernels, "forward_job", None)
    ENGINE.set("native")
    assert "_convolution_back" not in kernels_of(plan(request.roots, sizes=SIZES))


@pytest.mark.parametrize("code", [*(partial(CodeElsewhere, processor=one) for one in other_processors()), ArmCode])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", [CASES[2], CASES[4], ((2, 9, 6, 6), (20, 9, 3, 3), {})], ids=str)
def test_other_processors_give_the_same_bits(
    case: tuple[Any, Any, dict[str, Any]], dtype: str, code: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though fewer numbers are in their registers at once."""
    shape, weight, more = case
    form, rng = meeting(shape, more), np.random.default_rng(0)
    x, w = (rng.standard_normal(n).astype(dtype) for n in (shape, weight))
    g = rng.standard_normal((shape[0], weight[0], *out_lengths(shape[2:], weight[2:], form))).astype(dtype)

    def compute() -> list[Any]:
        out, back = np.empty_like(g), np.empty_like(x)
        convolutions.convolved(out, x, w, **form._asdict())
        convolutions.convolved_back(back, g, w, space=shape[2:], **form._asdict())
        return [out, back, convolutions.kernel_gradient(x, g, weight[2:], form)]

    def loaded(text: str) -> Any:
        made = code(text)
        return made, made.function("k")

    here = compute()
    monkeypatch.setattr(convolutions, "has_wide_vectors", lambda: False)
    monkeypatch.setattr(convolutions, "vectors_for_results", lambda: 6)
    monkeypatch.setattr(window_planes, "loaded", cache(loaded))
    convolutions._tile.cache_clear()
    convolutions._task.cache_clear()
    try:
        there = compute()
    finally:
        convolutions._tile.cache_clear()
        convolutions._task.cache_clear()
    assert all(same_bits(a, b) for a, b in zip(here, there, strict=True))
