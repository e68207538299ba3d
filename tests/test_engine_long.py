"""A graph of many operations is planned, and written as native code, nearly in proportion to their number."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.plan import cheapest, pass_nodes
from gradcli.engine.plan.pass_nodes import PassNodes
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Sizes
from gradcli.engine.plan.schedule import Schedule
from gradcli.evaluation.request import prepare
from gradcli.evaluation.values import InputSpec
from gradcli.language.parse import parse

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


def lines(work: Callable[[], object]) -> int:
    """How many lines of Python the engine goes through, in a loop each time anew: always as many, however busy the
    machine is."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        if ENGINE not in frame.f_code.co_filename:
            return None
        count += event == "line"
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
        return lines(lambda: gc.evaluate(text, {"x": x}))

    # What is imported at the first use of all this is not counted.
    evaluated(3)
    assert evaluated(80) < 3.5 * evaluated(40)


KEPT = [
    "t = x; " + "t = sin(t)/max(t); " * 6 + "sum(t**2)",
    "u = exp(sin(X)); v = u/sum(u, 0); sum(v*log(1 + v**2)) + sum(u*mean(v, 0))",
    # What a pass needs of an earlier one is the sum of the rows: then it computes nothing but a product.
    "c = sin(exp(X)); sum(c**2) + sum(c, 1)@sort(y/sum(y)).values",
]


@pytest.mark.parametrize("text", KEPT)
def test_what_is_weighed_anew_is_as_if_all_were(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0

    def weighed(schedule: Schedule) -> list[PassNodes]:
        nonlocal count
        found = pass_nodes._Passes(schedule)
        kept = pass_nodes._Kept(schedule, found)
        while (node := kept.best()) is not None:
            assert node not in schedule.kept
            kept.keep(node)
            count += 1
            others = pass_nodes._Passes(schedule)
            again = pass_nodes._Kept(schedule, others)
            assert found.by_key == others.by_key
            assert (kept.costs, kept.gains, kept.by_users) == (again.costs, again.gains, again.by_users)
        return pass_nodes.passes(schedule)

    monkeypatch.setattr(cheapest, "passes", weighed)
    shapes = {"x": (70_000,), "y": (70_000,), "X": (70_000, 8)}
    used = [InputSpec(name, shapes[name], np.dtype(np.float64), True) for name in re.findall(r"\b[xyX]\b", text)]
    program = plan(prepare(parse(text), list(dict.fromkeys(used)), wrt=()).roots, sizes=Sizes(little=0))
    assert count and any(stage.passes for stage in program.stages)
