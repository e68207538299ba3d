"""The same bits on Arm, whose processor is emulated here: elementary functions, passes and small requests.

A NaN has another sign there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from gradcli.engine.execute import native_memory
from gradcli.engine.execute.run import known_value, run
from gradcli.engine.native import call, processor
from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.choice import ENGINE
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Sizes
from gradcli.graph.node import Node
from tests.arm_processor import ARM, ArmCode
from tests.native_reference import REFERENCES, points
from tests.native_support import ArrayFunction, module_text, same_bits
from tests.sampling import by_turns
from tests.test_engine_blocks import with_gradients
from tests.test_native_functions import FUNCTIONS, special_operands
from tests.test_native_left import BLOCKS, NOTHING_LEFT, inputs_of
from tests.test_native_products import BATCHED, CASES
from tests.test_native_products import SIZES as IN_PANELS
from tests.test_native_small import WHOLE, drawn, native

TYPES = ["float32", "float64"]


class ArmFunction(ArrayFunction):
    def __init__(self, name: str, dtype: str) -> None:
        self.lanes, self.operands = 16, [np.dtype(dtype)] * REFERENCES[name].operands
        text, self.dtype = module_text(getattr(VectorBuilder, name), self.operands, self.lanes)
        self.call = ArmCode(text).function("loop")


@pytest.mark.slow
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str, dtype: str) -> None:
    each = zip(points(name, np.dtype(dtype).type, 1000), special_operands(name, np.dtype(dtype).type), strict=True)
    operands = [np.concatenate(pair) for pair in each]
    here = ArrayFunction(getattr(VectorBuilder, name), *[dtype] * len(operands))(*operands)
    assert same_bits(ArmFunction(name, dtype)(*operands), here)


def functions(code: ArmCode) -> native_memory._Functions:
    return native_memory._Functions(code.function("k"), code.function("many"), code)


def on_arm(monkeypatch: pytest.MonkeyPatch, compute: Callable[[], Sequence[Any]]) -> tuple[list[bool], int]:
    """Whether each array has the same bits there as here, and how many functions of machine code were run there."""
    here = [np.array(array) for array in compute()]
    made: dict[str, ArmCode] = {}

    def code_of(text: str) -> ArmCode:
        if text not in made:
            made[text] = ArmCode(text)
        return made[text]

    with monkeypatch.context() as patch:
        patch.setattr(processor, "host", lambda: ARM)
        patch.setattr(call, "loaded", lambda text: (code_of(text), code_of(text).function("k")))
        patch.setattr(native_memory, "_functions", lambda text, short: functions(code_of(text)))
        there = compute()
    return [same_bits(np.array(ours), theirs) for ours, theirs in zip(there, here, strict=True)], len(made)


def in_passes(roots: list[Node], sizes: Sizes) -> list[Any]:
    ENGINE.set("native")
    program = plan(roots, sizes=sizes)
    return run(program, [known_value(leaf) for leaf in program.leaves], threads=1)


@pytest.mark.parametrize(
    ("expression", "dtype"),
    [
        pytest.param(expression, TYPES[k % 2], marks=[] if k % 29 == 0 else [pytest.mark.slow])
        for k, expression in enumerate(NOTHING_LEFT)
    ],
)
def test_passes(expression: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = with_gradients(expression, inputs_of(expression, dtype))
    same, made = on_arm(monkeypatch, lambda: in_passes(roots, BLOCKS))
    assert all(same) and made


@pytest.mark.slow
@pytest.mark.parametrize(("expression", "shapes", "dtype"), by_turns([*CASES, *BATCHED], TYPES), ids=str)
def test_products(
    expression: str, shapes: dict[str, tuple[int, ...]], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    inputs = {name: rng.normal(size=shape).astype(dtype) / 2 for name, shape in shapes.items()}
    roots = with_gradients(expression, inputs)
    same, made = on_arm(monkeypatch, lambda: in_passes(roots, IN_PANELS))
    assert all(same) and made


@pytest.mark.slow
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("expression", WHOLE)
def test_small_requests(expression: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = {name: drawn(shape, dtype, k) for k, (name, shape) in enumerate(WHOLE[expression].items())}
    roots = with_gradients(expression, arrays)

    def compute() -> list[Any]:
        program = plan(roots)
        return native(program).once([known_value(leaf) for leaf in program.leaves])

    same, made = on_arm(monkeypatch, compute)
    assert all(same) and made
