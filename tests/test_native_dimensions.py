"""Reductions that leave some dimensions of a row: a channel's mean, a softmax over lines, what is summed up for each
channel over all rows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.native.even_spaces import evened
from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.nests import nests
from gradcli.engine.native.processor import missing
from gradcli.engine.native.step import NativeStep
from gradcli.engine.native.strides import kept
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Program, Sizes
from gradcli.evaluation.request import prepare
from gradcli.evaluation.values import InputSpec
from gradcli.language.parse import parse
from tests.test_native_passes import TYPES, data, native_steps

pytestmark = [
    pytest.mark.usefixtures("in_blocks"),
    pytest.mark.skipif(missing() is not None, reason="llvmlite is not installed"),
]

#: Lines that are whole vectors, that are not, and that are shorter than one and a half; rows of three and more
#: dimensions; reductions of the last ones, of others, and of such with some on both sides.
EXPRESSIONS = [
    ("sum(softmax(X, 1)*X)", {"X": (301, 9, 32)}),
    ("sum(softmax(X, 1)*X)", {"X": (301, 9, 27)}),
    ("sum(log_softmax(X, 2)*X)", {"X": (101, 5, 7, 48)}),
    ("sum(sum(X*v, 1)**2)", {"X": (501, 12, 33), "v": (12, 33)}),
    ("sum(sum(X*v, (1, 2))**2)", {"X": (301, 5, 8, 16), "v": (8, 16)}),
    ("mean(sum((X - v)**2, 2)**0.5)", {"X": (501, 12, 33), "v": (12, 33)}),
    (
        "sum(((X - mean(X, (2, 3), True))/std(X, (2, 3), keepdim=True)*w + b)**4)",
        {"X": (201, 6, 9, 8), "w": (6, 1, 1), "b": (6, 1, 1)},
    ),
    ("sum(amax(X, 2)*v) + sum(amin(X, 1)**2)", {"X": (301, 7, 40), "v": (7,)}),
    ("sum(tanh(X@w)*t)", {"X": (301, 20, 31), "w": (31,), "t": (301, 20)}),
    ("sum(group_norm(X, 3, w, b)**2)", {"X": (401, 6, 5, 7), "w": (6,), "b": (6,)}),
    ("sum(instance_norm(X)**3)", {"X": (301, 5, 48)}),
    ("sum(prod(1 + 0.1*X, 1)*var(X, 2)[:, :1])", {"X": (501, 6, 32)}),
    # Lines that need others.
    ("sum((X[:, 1:]*w - mean(X, 2, True)[:, :-1])**2)", {"X": (301, 8, 40), "w": (40,)}),
    ("sum(softmax(X, 2)*flip(X, 1)*t)", {"X": (301, 8, 40), "t": (301, 1, 1)}),
    ("sum((X*amax(X, 2, True) - sum(X, 1, True)*w)**2)", {"X": (301, 8, 40), "w": (8, 1)}),
    ("sum((X - mean(X, 2, True)*sum(abs(mean(X, 2, True)), 1, True))**2)", {"X": (301, 8, 40)}),
]


def planned(expression: str, inputs: dict[str, Any]) -> Program:
    specs = tuple(InputSpec(name, array.shape, array.dtype, True) for name, array in inputs.items())
    return plan(prepare(parse(expression), specs, None, False).roots, sizes=Sizes(little=0))


def numbers(expression: str, inputs: dict[str, Any], engine: str) -> list[Any]:
    gc.set_engine(engine)
    found = gc.evaluate(expression, inputs)
    return [one.detach().numpy().copy() for one in (found.value, *found.grads.values())]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("expression", "shapes"), EXPRESSIONS)
def test_the_numbers_of_numpy(expression: str, shapes: dict[str, tuple[int, ...]], dtype: str) -> None:
    inputs = data(shapes, dtype)
    gc.set_engine("native")
    steps = native_steps(planned(expression, inputs))
    assert steps and all(isinstance(step, NativeStep) for step in steps)
    tolerance = 3e-5 if dtype == "float32" else 1e-11
    for ours, theirs in zip(*(numbers(expression, inputs, engine) for engine in ("native", "numpy")), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * abs(theirs).max())


def test_items_over_the_same_places_share_their_dimensions() -> None:
    """A row of channels of pictures that is also seen as groups has the dimensions that both need."""
    inputs = data({"X": (401, 6, 5, 7), "w": (6,), "b": (6,)}, "float32")
    gc.set_engine("native")
    (step,) = native_steps(planned("sum(group_norm(X, 3, w, b)**2)", inputs))
    assert {phase.space for phase in step.group.phases} == {(3, 2, 35), (3,)}


@pytest.mark.parametrize(
    ("expression", "space"),
    [
        # Neighbours of six lines are one line, where no line is looked at by itself.
        ("sum(sum(exp(X), (1, 2))*t)", (210,)),
        ("sum(sum(exp(X)*v, (1, 2))*t)", (6, 35)),
        ("sum(exp(X)*v*t.unsqueeze(1).unsqueeze(1))", (6, 35)),
        # Places along a dimension mean something.
        ("sum(argmax(X, 2)*X.sum(2))", (6, 35)),
    ],
)
def test_no_more_dimensions_than_needed(expression: str, space: tuple[int, ...]) -> None:
    shapes = {"X": (401, 6, 35), "v": (35,), "t": (401,)}
    inputs = data({name: shape for name, shape in shapes.items() if name in expression}, "float64")
    gc.set_engine("native")
    steps = native_steps(planned(expression, inputs))
    assert space in {phase.space for step in steps for phase in step.group.phases}


@pytest.mark.parametrize("dtype", TYPES)
def test_a_row_has_the_same_bits_wherever_it_stands(dtype: str) -> None:
    """Alone in a block, at its end, and among others."""
    expression = "sum((X - mean(X, 2, True))*softmax(X, 1)*v, 2)"
    inputs = data({"X": (3001, 7, 45), "v": (7, 1)}, dtype)
    gc.set_engine("native")
    whole = gc.evaluate(expression, inputs, wrt=()).value
    assert whole is not None
    for start, count in ((0, 1000), (1, 999), (2222, 779), (2780, 221)):
        part = gc.evaluate(expression, {**inputs, "X": inputs["X"][start : start + count]}, wrt=()).value
        assert part is not None and np.array_equal(part.numpy(), whole.numpy()[start : start + count])


@pytest.mark.parametrize("where", [np.nan, np.inf, -np.inf, -0.0])
def test_odd_values_stay_in_their_place(where: float) -> None:
    inputs = data({"X": (401, 6, 35)}, "float64")
    inputs["X"][7, 3, 34] = where
    expression = "sum(X, 1)*amax(X, 1) + mean(X, 2, True).amin(1)"
    ours, theirs = (numbers_of_value(expression, inputs, engine) for engine in ("native", "numpy"))
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def numbers_of_value(expression: str, inputs: dict[str, Any], engine: str) -> Any:
    gc.set_engine(engine)
    found = gc.evaluate(expression, inputs, wrt=()).value
    assert found is not None
    return found.numpy()


#: Item by item its space, the strides of an operand and what is reduced, as they are and as they become.
SPACES = [
    ([((6, 35), (35, 1), ()), ((210,), (1,), ())], [((210,), (1,), ()), ((210,), (1,), ())]),
    ([((6, 35), (1, 0), ()), ((210,), (1,), ())], [((6, 35), (1, 0), ()), ((6, 35), (35, 1), ())]),
    # What needs no dimensions may be seen in any, whichever it had.
    ([((30, 8), (8, 1), ()), ((8, 30), (30, 1), (1,))], [((8, 30), (30, 1), ()), ((8, 30), (30, 1), (1,))]),
    ([((3, 8, 5), (0, 5, 1), ()), ((12, 10), (1, 0), ())], [((3, 4, 10), (0, 10, 1), ()), ((3, 4, 10), (4, 1, 0), ())]),
    ([((4, 6), (1, 0), (1,)), ((6, 4), (1, 0), ()), ((24,), (0,), (0,))], None),
    ([((2, 3, 5), (0, 5, 1), (1, 2)), ((30,), (1,), ())], [((2, 15), (0, 1), (1,)), ((2, 15), (15, 1), ())]),
]


@pytest.mark.parametrize(("given", "wanted"), SPACES)
def test_the_dimensions_that_all_need(given: list[Any], wanted: list[Any] | None) -> None:
    reader: Any = SimpleNamespace(leading=lambda slot: 1)
    items = [
        LoopStep(cast("Any", None), space, ((0, strides),), 1, kept(space, reduced), None, None, reduced)
        for space, strides, reduced in given
    ]
    found = evened(reader, items)
    assert [(item.space, item.operands[0][1], item.reduced) for item in found] == (wanted or given)
    assert all(item.strides == kept(item.space, item.reduced) for item in found)


def test_lines_that_need_no_others_are_done_one_after_the_other() -> None:
    """What is kept of a line is no more than it has, however many there are."""
    gc.set_engine("native")
    kept_bytes = []
    for lines in (8, 64):
        inputs = data({"X": (200_000 // lines // 40, lines, 40)}, "float64")
        (step,) = native_steps(planned("sum(softmax(X, 2)*X*X)", inputs))
        (together,) = nests(step.group)
        assert len(together) > 2 and {phase.space[0] for phase in together} == {lines}
        kept_bytes.append(step.states.bytes)
    assert kept_bytes[0] == kept_bytes[1]


def test_a_sum_over_lines_ends_what_they_do_together() -> None:
    gc.set_engine("native")
    inputs = data({"X": (301, 8, 40)}, "float64")
    (step,) = native_steps(planned("sum((X - mean(X, 2, True)*sum(abs(mean(X, 2, True)), 1, True))**2)", inputs))
    found = nests(step.group)
    assert sum(map(len, found)) == len(step.group.phases) > len(found) > 1
