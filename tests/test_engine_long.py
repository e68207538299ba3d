"""A graph of many operations is planned, and written as native code, nearly in proportion to their number."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import gradcli as gc

ENGINE = str(Path(gc.__file__).parent / "engine")

FLAT = np.linspace(0, 1, 70_000, dtype=np.float32)
ROWS = FLAT.reshape(7_000, 10)

CHAINS = {
    "one element after the other": ("t = tanh(1.1*sin(t) + 0.2)", FLAT),
    "columns": ("t = t - 0.1*mean(t, 0)", ROWS),
    "rows": ("t = softmax(1.1*t, 1)", ROWS),
    "matrices": ("t = softmax(1.1*t, -1)", FLAT.reshape(70, 20, 50)),
    "running sums": ("t = 0.01*cumsum(t, 0)", FLAT),
}


def instructions(work: Callable[[], object]) -> int:
    """How many of Python's own instructions the engine does: always as many, however busy the machine is."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        if ENGINE not in frame.f_code.co_filename:
            return None
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("name", CHAINS)
def test_twice_as_many_operations_take_much_less_than_four_times_as_long(name: str) -> None:
    step, x = CHAINS[name]

    def evaluated(times: int) -> int:
        text = "t = x; " + "; ".join([step] * times) + "; sum(t**2)"
        return instructions(lambda: gc.evaluate(text, {"x": x}))

    # What is imported at the first use of all this is not counted.
    evaluated(3)
    assert evaluated(80) < 3.5 * evaluated(40)
