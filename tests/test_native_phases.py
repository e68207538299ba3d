"""In which loop a native step is computed: never after what it looks at is gone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.phases import phases_of
from gradcli.graph.native_forms import Lanes

SPACE = (5,)
#: Of slots 0 (read) to 3: a sum along the row, what needs it and the array, and what is made of the array alone.
STEP: Any = SimpleNamespace()
LANES = Lanes(start=lambda v, dtype: [], add=lambda v, s, x: s, merge=lambda v, a, b: a, result=lambda v, s, n, node: s)
TOTAL = LoopStep(STEP, SPACE, ((0, (1,)),), 1, (0,), None, LANES, (0,))
USER = LoopStep(STEP, SPACE, ((0, (1,)), (1, (0,))), 2, (1,), None)
WRITER = LoopStep(STEP, SPACE, ((0, (1,)),), 3, (1,), None)


def loops(wanted: list[int], over: dict[int, int]) -> list[list[int]]:
    return [[item.out for item in phase.items] for phase in phases_of([TOTAL, USER, WRITER], wanted, over)]


def test_a_result_is_written_over_an_array_after_the_last_look_at_it() -> None:
    assert loops([2, 3], {}) == [[1, 3], [2]]
    assert loops([2, 3], {3: 0}) == [[1], [2, 3]]


def test_what_looks_at_such_an_array_does_not_move_to_a_later_loop() -> None:
    last = LoopStep(STEP, SPACE, ((3, (1,)), (1, (0,))), 4, (1,), None)
    items = [TOTAL, WRITER, last]
    assert [[item.out for item in phase.items] for phase in phases_of(items, [4], {})] == [[1], [3, 4]]
    assert [[item.out for item in phase.items] for phase in phases_of(items, [4], {9: 0})] == [[1, 3], [4]]
