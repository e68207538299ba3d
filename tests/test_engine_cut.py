"""Along which dimension the data is cut: that which needs the least traffic, of a few."""

from __future__ import annotations

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.plan import cheapest
from gradcli.engine.plan.pass_nodes import PassNodes
from gradcli.engine.plan.passes import Cut
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Program, Sizes
from gradcli.engine.plan.schedule import Schedule
from gradcli.evaluation.request import Request, prepare
from gradcli.evaluation.values import InputSpec
from gradcli.graph.node import Node
from gradcli.language.parse import parse
from tests.test_engine_blocks import agrees_with_any_threads, with_gradients

Shapes = dict[str, tuple[int, ...]]

GROUP_NORM = "sum(group_norm(x, 8, w, b)**2)"
BATCH_NORM = "sum(batch_norm(x, None, None, w, b, True)**2)"
IMAGES = {"x": (16, 32, 28, 28), "w": (32,), "b": (32,)}
STANDARD = "sum(((x - mean(x, DIMS, True))/std(x, DIMS, keepdim=True))**4)"

# The length of what is cut, and the most passes.
CUTS: dict[str, tuple[str, Shapes, int, int]] = {
    "groups of channels": (GROUP_NORM, IMAGES, 16, 1),
    "channels": (BATCH_NORM, IMAGES, 32, 1),
    "softmax along channels": ("sum(softmax(x, 1)**2*y)", {"x": (16, 512, 64), "y": (16, 512, 64)}, 16, 1),
    "pictures": (STANDARD.replace("DIMS", "(1, 2, 3)"), {"x": (8, 32, 56, 56)}, 8, 1),
    "pooling over time": ("sum(amax(x, 1)**2)", {"x": (20, 256, 100)}, 20, 1),
    "rows": ("c = x - mean(x, 1, True); mean(sum(c**3, 1)/sum(c**2, 1))", {"x": (20, 20_000)}, 20, 1),
    # Columns would be walked through line by line.
    "a tall matrix": ("mean(exp(X@w) - y*(X@w))", {"X": (50_000, 20), "w": (20,), "y": (50_000,)}, 50_000, 1),
    "columns of a tall matrix": (STANDARD.replace("DIMS", "0"), {"x": (50_000, 20)}, 50_000, 3),
    "channels at the end": (STANDARD.replace("DIMS", "(0, 1, 2)"), {"x": (16, 32, 32, 32)}, 512, 3),
    # Too few pictures, too long ones, and short lines that reductions would keep.
    "six": (STANDARD.replace("DIMS", "(1, 2, 3)"), {"x": (6, 32, 56, 56)}, 56, 3),
    "large": (STANDARD.replace("DIMS", "(1, 2, 3)"), {"x": (8, 32, 128, 128)}, 128, 3),
    "short lines": (STANDARD.replace("DIMS", "(1, 2)"), {"x": (12, 64, 64, 4)}, 64, 3),
}


def _request(text: str, shapes: Shapes) -> Request:
    forms = [InputSpec(name, shape, np.dtype("f4")) for name, shape in shapes.items()]
    return prepare(parse(text), forms, None, True)


def _cut(program: Program) -> list[tuple[int, int, int]]:
    """How each pass is cut, and how many steps it has, apart from what is read before."""
    return [(one.length, one.rows, sum(not isinstance(step, Cut) for step in one.steps)) for one in program.passes]


def _first_choice(text: str, shapes: Shapes, monkeypatch: pytest.MonkeyPatch) -> Program:
    with monkeypatch.context() as patched:
        patched.setattr(cheapest, "_TRIED", 0)
        return plan(_request(text, shapes).roots)


@pytest.mark.parametrize("name", CUTS)
def test_what_is_cut(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text, shapes, length, most = CUTS[name]
    program = plan(_request(text, shapes).roots)
    first = _first_choice(text, shapes, monkeypatch)
    assert program.passes[0].length == length
    assert len(program.passes) <= most
    if _cut(program) != _cut(first):
        assert sum(one.traffic for one in program.passes) < 0.75 * sum(one.traffic for one in first.passes)
    if name in ("six", "large", "short lines"):
        assert _cut(program) == _cut(first) and len(first.passes) > 2


def test_one_pass_is_not_compared_with_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is what moves so little that nothing could be clearly better."""

    def traffic(*args: object) -> int:
        raise AssertionError("nothing to compare")

    monkeypatch.setattr(cheapest, "traffic", traffic)
    for name in ("channels", "a tall matrix", "columns of a tall matrix", "channels at the end", "six", "large"):
        text, shapes, *_ = CUTS[name]
        plan(_request(text, shapes).roots)


@pytest.mark.parametrize("name", CUTS)
def test_the_bytes_of_a_pass_are_those_that_it_will_move(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[tuple[Schedule, list[PassNodes]]] = []
    choose = cheapest.cheapest

    def noted(*args: object) -> tuple[Schedule, list[PassNodes]]:
        chosen.append(choose(*args))  # type: ignore[arg-type]
        return chosen[-1]

    monkeypatch.setattr(cheapest, "cheapest", noted)
    text, shapes, *_ = CUTS[name]
    program = plan(_request(text, shapes).roots)
    for constant in ("_PASS", "_PARTIAL", "_SLOW"):
        monkeypatch.setattr(cheapest, constant, 0)
    schedule, planned = chosen[-1]
    found = [cheapest._of_pass(schedule, one) for one in planned]
    assert found == [one.traffic for one in program.passes]


@pytest.mark.parametrize("name", CUTS)
def test_it_does_not_depend_on_where_anything_lies(name: str) -> None:
    text, shapes, *_ = CUTS[name]
    request = _request(text, shapes)
    plain = _cut(plan(request.roots))
    leaves, roots = frozenset(request.leaves.values()), frozenset(range(len(request.roots)))
    for files in (frozenset[Node](), leaves):
        for streamed in (frozenset[int](), roots):
            assert _cut(plan(request.roots, files=files, streamed=streamed)) == plain


# The same in small: where 100 elements are large, and blocks have 200.
SMALL = Sizes(small=100, block_bytes=800, least=100, elements=200, little=0)
RESULTS: dict[str, Shapes] = {
    "group_norm(x, 2, w, b)": {"x": (9, 4, 5, 5), "w": (4,), "b": (4,)},
    "batch_norm(x, None, None, w, b, True)": {"x": (9, 4, 5, 5), "w": (4,), "b": (4,)},
    "softmax(x, 1)*y": {"x": (10, 30, 7), "y": (10, 30, 7)},
    "(x - mean(x, (1, 2, 3), True))/std(x, (1, 2, 3), keepdim=True)": {"x": (8, 3, 9, 9)},
    "p = softmax(x, 1); sum(p*y, (2, 3))/(sum(p + y, (2, 3)) + 1)": {"x": (8, 3, 9, 9), "y": (8, 3, 9, 9)},
    "amax(x, 1)*w": {"x": (12, 40, 5), "w": (5,)},
    "a = softmax(sum(x*w, -1), 1); sum(x*a.unsqueeze(-1), 1)": {"x": (12, 40, 5), "w": (5,)},
    "p = exp(x); p = p/sum(p, 1, True); p = p/sum(p, 2, True); sum(p*y, (1, 2))": {"x": (9, 20, 30), "y": (9, 20, 30)},
}


@pytest.mark.parametrize("engine", ["numpy", "native"])
@pytest.mark.parametrize("text", RESULTS)
def test_values_and_gradients(text: str, engine: str) -> None:
    """Those of one operation after the other, in the same bits for any number of threads."""
    if engine == "native":
        pytest.importorskip("llvmlite")
    rng = np.random.default_rng(2)
    roots = with_gradients(text, {name: rng.normal(size=shape) for name, shape in RESULTS[text].items()})
    program = plan(roots, sizes=SMALL)
    assert program.passes
    gc.set_engine(engine)
    agrees_with_any_threads(program, roots, 1e-9)


def test_long_rows_beside_short_ones_stay_as_they_lie() -> None:
    """The weights of 50 words are few, and the words are long: three members are a block."""
    text = "a = softmax(sum(x*w, -1), 1); sum(sum(x*a.unsqueeze(-1), 1)**2)"
    (one,) = plan(_request(text, {"x": (16, 50, 768), "w": (768,)}).roots).passes
    assert (one.length, one.transposed) == (16, False)
