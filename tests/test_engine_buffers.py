"""Where values lie while blocks are computed: scratch buffers, and the memory of results that are written later."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest

from gradcli.engine.execute.run import known_value, op_by_op, run
from gradcli.engine.plan.passes import Pass, Step
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Program, Sizes
from tests.test_engine_blocks import BLOCKS, agree, arrays_of, with_gradients

TINY = [Sizes(2, 56, 3, 2, 8, 0), Sizes(0, 24, 1, 1, little=0), Sizes(2, 400, 3, 2, 64, 0)]

SHAPES: dict[str, tuple[int, ...]] = {
    "x": (41,),
    "y": (41,),
    "w": (3,),
    "X": (41, 3),
    "Y": (41, 3),
    "r": (1, 3),
    "c": (41, 1),
    "W": (3, 3),
    "Q": (5, 41),
}
ONE = [
    "-{}",
    "exp({}/4)",
    "sigmoid({})",
    "tanh({})",
    "{}**2",
    "abs({})",
    "relu({})",
    "silu({})",
    "log1p({}**2)",
    "where({0} > 0, {0}, 2.0)",
    "clamp({}, -1, 1)",
    "softplus({})",
]
TWO = ["{} + {}", "{} - {}", "{}*{}", "maximum({}, {})", "sigmoid({})*{}", "{}*tanh({})", "{}/(1 + {}**2)"]
VECTORS = [
    "softmax({}, 0)",
    "{0}/(1 + norm({0}))",
    "{0}*dot({0}, y)*0.1",
    "({0}[:, None]*X).sum(1)",
    "Q@{0}@Q*0.1",
    "X.T@{0}@W.T@X.T*0.1",
    "outer({0}, x)@y*0.1",
    "cumsum({}, 0)/41",
    "flip({}, 0)",
    "{0} - mean({0})",
    "({0} - mean({0}))/(1 + std({0}))",
    "{0}*logsumexp({0}, 0)",
    "roll({}, 3, 0)",
]
MATRICES = [
    "softmax({}, 1)",
    "{0} - {0}.mean(1, keepdim=True)",
    "{0} - mean({0}, 0)",
    "{0}/(1 + norm({0}))",
    "{} @ W",
    "{0}*sum({0}, 1, keepdim=True)",
    "{0}*amax({0}, 1, keepdim=True)",
    "cumsum({}, 1)",
    "{}*r",
    "{} + c",
    "{}*w",
    "{}.T.T",
    "flip({}, 0)",
    "log_softmax({}, 0)",
    "({0} - {0}.mean(0))/({0}.std(0) + 1)",
    "({0}.T@{0}).sum()*{0}",
    "{0}@({0}.T@{0})*0.01",
    "cumsum({}, 0)/41",
    "{}*x[:, None]",
    "{0}[:, 1:2]*{0}",
    "cat([{0}, {0}*2], 1)[:, 1:4]",
    "cat([{0}[20:], {0}[:20]], 0)",
    "stack([{0}, {0}*2]).sum(0)",
    "layer_norm({0}, (3,))",
]


def random_program(seed: int) -> str:
    """Statements on tensors of one form that use one another."""
    draw = random.Random(seed)
    names, more = (["X", "Y"], MATRICES) if draw.random() < 0.6 else (["x", "y"], VECTORS)
    text = ""
    for k in range(draw.randint(3, 10)):
        a, b = draw.choice(names[-5:]), draw.choice(names)
        kind = draw.random()
        value = draw.choice(TWO if kind < 0.4 else ONE if kind < 0.65 else more).format(a, b)
        if draw.random() < 0.1:
            value = f"({value})/(1 + mean(abs({a})))"
        text += f"t{k} = {value}; "
        names.append(f"t{k}")
    return text + draw.choice(["{0}*1.5", "sum({0}*{1})", "mean({0}**2)"]).format(*names[:-3:-1])


def inputs_of(expression: str, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    used = {name: shape for name, shape in SHAPES.items() if re.search(rf"(?<![.\w]){name}\b", expression)}
    return {name: rng.normal(0, 1, shape) for name, shape in used.items()}


def passes(program: Program) -> list[Pass]:
    return [one for stage in program.stages for one in stage.passes]


def lent(one: Pass) -> list[Step]:
    return [step for step in one.steps if isinstance(step, Step) and step.lent >= 0]


def planned(expression: str) -> Program:
    return plan(with_gradients(expression, arrays_of(expression, "float32")), sizes=BLOCKS)


def test_results_lend_their_memory_until_they_are_written() -> None:
    (one,) = passes(planned("sum(sigmoid(x)*tanh(y))"))
    assert len(one.buffers) == 2 and len(lent(one)) == 5


def test_what_was_kept_in_a_result_is_not_written_over() -> None:
    """`exp(x)` is kept where the gradient will be, and needed there to the end of the second pass."""
    program = planned("p = exp(x); mean(x*p)/mean(p)")
    first, second = passes(program)
    assert len(program.borrowed) == 1 and not lent(first) and len(lent(second)) == 1
    (kept,) = [cut.slot for cut in second.cuts if cut.value in program.borrowed]
    uses = [k for k, step in enumerate(second.steps) if not hasattr(step, "axis") and kept in step.inputs]
    assert max(uses) == second.steps.index(lent(second)[0])


def check(expression: str, seed: int) -> int:
    """Compare the program in tiny blocks with operations one after the other; tells how often memory was lent."""
    roots = with_gradients(expression, inputs_of(expression, seed))
    expected = op_by_op(roots)
    found = 0
    for sizes in TINY:
        program = plan(roots, sizes=sizes)
        leaves = [known_value(leaf) for leaf in program.leaves]
        got = run(program, leaves, threads=1)
        agree(got, expected, 1e-8)
        for mine, again in zip(run(program, leaves, threads=3), got, strict=True):
            assert mine.tobytes() == again.tobytes()
        found += sum(len(lent(one)) for one in passes(program)) + len(program.borrowed)
    return found


@pytest.mark.parametrize(
    "expression",
    [
        # The gradient of Y is written where (1 + mean)'s quotient was kept, which another pass needs for that of r.
        "t0 = (X - r)/(1 + mean(abs(X))); (Y*Y - t0 - X)*1.5",
        # tanh is kept where the gradient of y will be, and looked at as a column after that is written.
        "t0 = X.T@y@W.T@X.T*0.1; t1 = tanh(softplus(x)); (t1[:, None]*X).sum(1)/(1 + log1p(t0**2)**2)*1.5 + (t1 + y)*0",
        "t0 = -x*x; t1 = X.T@t0@W.T@X.T*0.1; t2 = (t1[:, None]*X).sum(1)/(1 + mean(abs(t1))); sum(t2*t1*t2)",
    ],
)
def test_what_is_kept_stays_until_nobody_looks(expression: str) -> None:
    assert check(expression, 0) > 0


@pytest.mark.parametrize("first", range(0, 192, 12))
def test_random_programs(first: int) -> None:
    assert sum(check(random_program(seed), seed) for seed in range(first, first + 12)) > 100
