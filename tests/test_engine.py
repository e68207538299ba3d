"""The engine against operations one after the other: every case in tiny blocks, on one thread and on several."""

from __future__ import annotations

from itertools import cycle

import numpy as np
import pytest

from gradcli.autodiff.vjp import vjp
from gradcli.engine.execute.run import known_value, op_by_op, run
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Program, Sizes
from gradcli.errors import GradcliError
from gradcli.graph.node import Node, constant
from tests.cases import Case, all_cases
from tests.gradients import build, weighted

CASES = all_cases()
# Small enough that tensors of a few elements are cut, at odd places.
TOLERANCE = {"float64": 1e-11, "float32": 2e-5, "float16": 2e-3}
TINY = [Sizes(0, 24, 1, 1, little=0), Sizes(2, 56, 3, 2, little=0)]


def roots_of(expression: str, arrays: dict[str, np.ndarray]) -> list[Node]:
    """The value, the gradients of all inputs, and those of a sum of these."""
    value, leaves = build(expression, arrays)
    roots = [value]
    if value.requires_grad:
        tracked = [leaf for leaf in leaves.values() if leaf.requires_grad]
        first = vjp([weighted(value, 1)], [constant(np.ones((), value.dtype))], tracked)
        roots += first.values()
        again = [g for g in first.values() if g.requires_grad]
        if again:
            second = vjp([weighted(again[0], 2)], [constant(np.ones((), again[0].dtype))], tracked)
            roots += second.values()
    return roots


def computed(program: Program, threads: int) -> list[np.ndarray]:
    return run(program, [known_value(leaf) for leaf in program.leaves], threads=threads)


@pytest.mark.parametrize(("case", "dtype"), list(zip(CASES, cycle(TOLERANCE), strict=False)), ids=str)
def test_blocks_give_what_whole_arrays_give(case: Case, dtype: str) -> None:
    _the_same_in_blocks(case, dtype)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_blocks_give_what_whole_arrays_give_in_every_dtype(case: Case) -> None:
    for dtype in TOLERANCE:
        _the_same_in_blocks(case, dtype)


def _the_same_in_blocks(case: Case, dtype: str) -> None:
    try:
        roots = roots_of(case.expression, case.arrays(dtype))
        expected = op_by_op(roots)
    except GradcliError:
        pytest.fail(f"{case} cannot be computed at all")
    for sizes in TINY:
        program = plan(roots, sizes=sizes)
        got = computed(program, 1)
        for mine, theirs in zip(got, expected, strict=True):
            assert mine.shape == theirs.shape and mine.dtype == theirs.dtype
            scale = float(np.max(np.abs(theirs.astype(np.float64)), initial=0.0, where=np.isfinite(theirs)))
            tolerance = TOLERANCE.get(theirs.dtype.name, 0.0)
            # Terms of size 1 may cancel, and are added up in another precision.
            np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance * max(1e-2, scale))
        for mine, again in zip(computed(program, 3), got, strict=True):
            assert mine.tobytes() == again.tobytes()
