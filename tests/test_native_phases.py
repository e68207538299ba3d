"""In which loop a native step is computed: never after what it looks at is gone."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gradcli.engine.execute.run import known_value, op_by_op, run
from gradcli.engine.native.choice import ENGINE
from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.phases import phases_of
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Sizes
from gradcli.evaluation.interpret import Interpreter
from gradcli.graph.native_forms import Lanes
from gradcli.graph.node import input_node
from gradcli.language.parse import parse
from tests.test_engine_blocks import agree, with_gradients
from tests.test_native_left import BLOCKS

SPACE = (5,)
#: Of slots 0 (read) to 3: a sum along the row, what needs it and the array, and what is made of the array alone.
STEP: Any = SimpleNamespace(node=SimpleNamespace(op=SimpleNamespace(family="elementwise")))
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


@pytest.mark.parametrize(
    "expression",
    [
        "flip(cumsum(x, 2), 1) + sum(cumsum(x, 2))",
        "sort(x, 2).values[..., i] + sum(sort(x, 2).values)",
        "gather(sort(x, 2).values, 2, g) + sum(sort(x, 2).values)",
        "sum((flip(x, 1) + sum(x))[..., :1])",
    ],
)
def test_a_result_written_over_what_is_read_at_other_places(expression: str) -> None:
    """Once a sum is known, nobody looks at what it was made of but the result: all of a row is read before any of it is
    written."""
    rng = np.random.default_rng(0)
    arrays = {"x": rng.normal(size=(153, 9, 9)), "i": rng.permutation(9), "g": rng.integers(0, 9, (153, 9, 9))}
    arrays = {name: array for name, array in arrays.items() if re.search(rf"\b{name}\b", expression)}
    roots = with_gradients(expression, arrays)
    sizes = Sizes(small=0, block_bytes=1 << 12, least=1 << 6, elements=1 << 9, matrix_rows=16, little=0)
    for some in (roots, roots[:1]):
        program = plan(some, sizes=sizes)
        expected = op_by_op(some)
        for engine in ("numpy", "native"):
            ENGINE.set(engine)
            agree(run(program, [known_value(leaf) for leaf in program.leaves], threads=2), expected, 1e-9)


@pytest.mark.parametrize(
    ("expressions", "borrowed"),
    [
        # Of the two results of `max` one is asked for when the second expression would have been written over `p`.
        (["max(p, 1).indices*mean(p)", "p*mean(p)", "max(p, 1).values*mean(p)"], False),
        # The second one is a view of `q`, which is computed before `p` is looked at for the last time.
        (["sum(q*y, 1) + (p*mean(p))[:, 0]", "reshape(q, (1201, 4, 25))"], True),
        (["sum(q*y, 1) + argsort(p, 1)[:, 0]*mean(p)", "reshape(q, (1201, 4, 25))"], False),
        # Products of rows come after all else in their loop.
        (["(p @ z)*mean(p)", "p*mean(p)"], True),
        (["p.T @ ((p @ z)*mean(p))", "p*mean(p)"], True),
        (["(p @ z + sum(p, 1))*mean(p)", "exp(p)*mean(p)"], True),
    ],
    ids=["two results", "a view", "a view, and what NumPy computes", "a product", "its sum", "and another sum"],
)
def test_an_array_is_there_until_the_last_look_at_it(expressions: list[str], borrowed: bool) -> None:
    """A result lies where it was only if no operation with several results looks at it."""
    rng = np.random.default_rng(0)
    views = any("reshape" in expression for expression in expressions)
    leaves = {
        "x": input_node(rng.normal(size=(1201, 4, 25) if views else (1201, 100)), name="x"),
        "y": input_node(rng.normal(size=(1201, 100)), name="y"),
        "z": input_node(rng.normal(size=100), name="z"),
    }
    before = "k = exp(x)*tanh(x)*sin(x); p = reshape(k, (1201, 100)); q = p*mean(k)*z; "
    roots = [Interpreter(before + one, dict(leaves)).run(parse(before + one)) for one in expressions]
    program = plan(roots, sizes=BLOCKS)
    assert bool(program.borrowed) == borrowed
    for engine in ("numpy", "native"):
        ENGINE.set(engine)
        agree(run(program, [known_value(leaf) for leaf in program.leaves], threads=2), op_by_op(roots), 1e-9)
