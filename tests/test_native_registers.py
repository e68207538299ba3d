"""Functions that are laid out for registers of 64 bytes and for shorter ones: other code, the same bits."""

from __future__ import annotations

import pytest

import gradcli as gc
from gradcli.engine.native.processor import missing
from gradcli.evaluation.evaluate import _kept
from tests.native_support import with_registers
from tests.test_native_passes import MANY_FUNCTIONS, ROWS, TYPES, data, native_steps, planned, results

pytestmark = [
    pytest.mark.usefixtures("in_blocks"),
    pytest.mark.skipif(missing() is not None, reason="llvmlite is not installed"),
]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    ("expression", "shapes"),
    [
        *[("sum(softmax(X, 1)**2)", {"X": (ROWS, width)}) for width in (4, 5, 10, 16, 17, 24, 25)],
        ("sum(tanh(S - mean(S, 1, keepdim=True))**2)", {"S": (9001, 6, 9)}),
        *[("sum(tanh(X@w)**2)", {"X": (9001, width), "w": (width,)}) for width in (20, 64, 301, 600)],
        *[("sum(tanh(Q@K.mT/9))", {"Q": (70, 30, n), "K": (70, 33, n)}) for n in (8, 17, 64)],
        *[("sum(sin(cumsum(Y, 1))*Y)", {"Y": (3001, n)}) for n in (66, 70, 160)],
        ("sum(sin(logcumsumexp(Y, 1)))", {"Y": (3001, 70)}),
        ("sum(flip(tanh(X@A), 1)**3)", {"X": (ROWS, 22), "A": (22, 16)}),
        (MANY_FUNCTIONS, {"x": (ROWS,), "y": (ROWS,)}),
    ],
)
def test_the_same_bits_whatever_registers(
    expression: str, shapes: dict[str, tuple[int, ...]], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, found, texts = data(shapes, dtype), [], []
    gc.set_engine("native")
    for wide in (True, False):
        with_registers(monkeypatch, wide)
        _kept.clear()
        texts.append([getattr(step, "text", "") for step in native_steps(planned(expression, inputs)[1])])
        found.append([one.tobytes() for one in results(expression, inputs, "native")])
    assert found[0] == found[1] and texts[0] != texts[1]


def test_long_rows_are_asked_for_in_a_loop() -> None:
    """Code is as long for rows of 3200 elements as for those of 1600."""
    gc.set_engine("native")
    lengths = set()
    for width in (1600, 3200):
        steps = native_steps(planned("sum(tanh(X@w))", data({"X": (9001, width), "w": (width,)}, "float32"))[1])
        lengths.add(sum(step.text.count("\n") for step in steps))
    assert len(lengths) == 1


@pytest.mark.parametrize("wide", [True, False], ids=["wide", "narrow"])
def test_long_code_of_running_sums_is_looped(wide: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a place computes is written once for all places of a square, and once for those left over."""
    with_registers(monkeypatch, wide)
    gc.set_engine("native")
    steps = native_steps(planned("logcumsumexp(Y, 1)", data({"Y": (3001, 90)}, "float32"))[1])
    text = "".join(step.text for step in steps)
    polynomials = text.count("@llvm.fma") - text.count("declare")
    assert 0 < polynomials < 200 and "%square" in text
