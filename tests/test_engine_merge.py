"""The first two dimensions as one: the same values as of the graph as it is, and rows that the cache holds."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Program, Sizes
from gradcli.graph.node import Node
from gradcli.storage import opening
from tests.command import call
from tests.test_engine_blocks import agrees_with_any_threads, with_gradients

SIZES = Sizes(small=300, block_bytes=1 << 14, least=1 << 7, elements=1 << 10, matrix_rows=200, little=0)
#: Members of a batch, their heads or places, and what belongs to each of these.
SHAPES = {
    "T": (5, 70, 130), "U": (5, 70, 130), "Q": (3, 4, 50, 41), "K": (3, 4, 60, 41), "V": (3, 4, 60, 44),
    "w": (130,), "W": (130, 30), "b": (30,), "h": (4, 1, 1), "m": (3, 1, 1, 60), "M": (50, 60), "one": (1, 1, 130),
    "i": (3, 4, 50, 7), "F": (2, 3, 40, 20, 30),
}  # fmt: skip
MERGED = [
    "sum(tanh(T*w)*U)",
    "softmax(T*U, -1)",
    "layer_norm(T, (130,), w, w)",
    "sum(gelu(T@W + b)**2)",
    "mean(T*one, (0, 1))*w",
    "T*w - mean(T, (0, 1, 2), keepdim=True)",
    "T/sum(T**2, (0, 1), keepdim=True)",
    "amax(T, 2)*var(U, 2)",
    "cumsum(T, 2)*U",
    "sum(softmax(Q@K.mT/8, -1)@V)",
    "scaled_dot_product_attention(Q, K, V)",
    "scaled_dot_product_attention(Q, K, V, where(M > 0, 0, -inf))",
    "softmax(Q@K.mT*(h > 0) + where(m > 0, 0, -1), -1)@V",
    "cat([Q, Q*2], 3).flip([2])[:, :, 1:]*(h > 0)",
    "softmax(Q.view(3, 4, 2050), 2)*(h > 0)[:, 0]",
    "softmax(Q.view(12, 50, 41), 1).view(3, 4, 50, 41)*sum(Q, 2, keepdim=True)",
    "logsumexp(T, 2)[..., None]*T",
    "(T > w)*where(T > 0, T, 0.5)",
    "sum(tanh(F)*F, (0, 1, 2))",
    "sum(T, 2) > 0",
    "argmax(T, 2)",
    "max(T, 2).values[..., None]*U",
    "sort(T*w, 2).values*U",
    "topk(T*w, 3, 2).values*2",
    "exp(gather(Q, 3, argsort(i, 3)))*2",
    "stack([T, T*U], 2)*w",
    "roll(T, 2, 2)*w",
    "pad(T, (1, 2))**2*amax(T, 2, True)",
    "full((5, 70, 130), 2)*T**w",
]
AS_THEY_ARE = [
    "cumsum(T, 0)*U",
    "sum(T, 1)*w",
    "exp(T).permute(1, 0, 2)*2",
    "softmax(T, 1)*U",
    "exp(Q)*exp(K[:, :, :50])[:, :1]",
    "exp(T)[1:]*U[1:]",
    "softmax(Q, 3)*h",
    "stack([T, T*U], 1)*w",
]


def _planned(expression: str, dtype: str = "float64") -> tuple[Program, list[Node]]:
    rng = np.random.default_rng(3)
    names = [name for name in SHAPES if re.search(rf"(?<![.\w]){name}\b", expression)]
    roots = with_gradients(expression, {name: rng.normal(size=SHAPES[name]).astype(dtype) for name in names})
    return plan(roots, sizes=SIZES), roots


def _is_merged(program: Program) -> bool:
    values = program.values[: len(program.leaves)]
    return any(leaf.ndim > value.ndim > 1 for value, leaf in zip(values, program.leaves, strict=True))


@pytest.mark.parametrize("engine", ["numpy", "native"])
@pytest.mark.parametrize(("expression", "merged"), [*((e, True) for e in MERGED), *((e, False) for e in AS_THEY_ARE)])
def test_values_and_gradients(expression: str, merged: bool, engine: str) -> None:
    """Those of one operation after the other, in the same bits for any number of threads."""
    if engine == "native":
        pytest.importorskip("llvmlite")
    program, roots = _planned(expression)
    assert _is_merged(program) == merged
    gc.set_engine(engine)
    agrees_with_any_threads(program, roots, 1e-9)


def test_attention_takes_a_head_at_a_time() -> None:
    arrays = {name: np.zeros((4, 8, 256, 64), "f4") for name in "QKV"}
    program = plan(with_gradients("sum(softmax(Q@K.mT/8, -1)@V)", arrays))
    assert {one.length for stage in program.stages for one in stage.passes} == {32}
    # Five arrays of 256 x 256 in two threads; all heads of a member were eight times that.
    assert program.memory(2) < 4 * (6 * arrays["Q"].size + 12 * 256 * 256)


def test_small_rows_stay_as_they_are() -> None:
    program = plan(with_gradients("sum(tanh(x)**2, 2)", {"x": np.zeros((4000, 30, 10), "f4")}))
    assert not _is_merged(program)


def test_arrays_that_lie_otherwise_in_memory_stay_as_they_are() -> None:
    x = np.zeros((70, 5, 130)).transpose(1, 0, 2)
    program = plan(with_gradients("sum(softmax(x, 2)**2)", {"x": x}), sizes=SIZES)
    assert not _is_merged(program)


def test_an_error_names_its_place() -> None:
    x = np.full((5, 70, 130), 0.5)
    x[3, 2, 1] = 7.0
    with pytest.raises(gc.GradcliError) as caught:
        gc.evaluate("sum(softmax(x, 2)*binary_cross_entropy(x, x, reduction='none'))", {"x": x})
    assert caught.value.span == (18, 62)


@pytest.mark.usefixtures("in_blocks")
def test_what_is_printed_and_written_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read, written and shown by blocks of the merged dimension."""
    monkeypatch.setattr(opening, "LARGE", 0)
    monkeypatch.setattr("gradcli.cli.output_files._LARGE", 0)
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    # No small tensors, which are computed whole in memory.
    shapes = {"Q": (3, 4, 90, 41), "K": (3, 4, 80, 41), "V": (3, 4, 80, 44)}
    arrays = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    for name, array in arrays.items():
        np.save(f"{name}.npy", array)
    expression = "softmax(Q@K.mT/8, -1)@V"
    expected = gc.evaluate(expression, arrays, grad_output=0.5)
    assert expected.grads is not None
    given = [*(f"{name}={name}.npy" for name in arrays), "--grad-output", "0.5"]
    shown = call(monkeypatch, "eval", expression, *given, "--show", "grads")
    grads = "\n".join(f"{name}.grad\n{grad}\n" for name, grad in expected.grads.items())
    assert shown == (0, grads, "")
    assert call(monkeypatch, "eval", expression, *given, "-o", "out/", "-q") == (0, "", "")
    for name, grad in expected.grads.items():
        assert grad is not None and np.load(f"out/{name}.grad.npy").tobytes() == grad.numpy().tobytes()
    assert np.load("out/value.npy").tobytes() == expected.value.detach().numpy().tobytes()
