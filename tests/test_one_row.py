"""A new operation is one row: each kind is added here in one place, and asked for all that gradcli does with it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradcli.autodiff.jacobian import jacobians
from gradcli.autodiff.vjp import backward_function, shown, vjp
from gradcli.engine.execute.run import execute, known_value, op_by_op, run
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Sizes
from gradcli.evaluation.evaluate import evaluate
from gradcli.formula.derivation import derive
from gradcli.formula.formats import formatted
from gradcli.formula.lengths import Given, Wanted
from gradcli.graph.dtypes import FLOAT64
from gradcli.graph.node import Node, constant
from gradcli.graph.op import OPS, Accumulate
from gradcli.language.parse import parse
from gradcli.ops.blocking import ALIGNED
from gradcli.ops.elementwise import cosh
from gradcli.ops.family import composite, elementwise, primitive
from gradcli.ops.reduce import reduction, restore
from gradcli.repl.session import Session
from tests.command import call
from tests.gradients import build, errors, weighted

Arrays = dict[str, np.ndarray]
DRAWN = np.random.default_rng(0)
TINY = Sizes(small=2, block_bytes=56, least=3, elements=2, little=0)


@pytest.fixture(autouse=True)
def scratch() -> Iterator[None]:
    """Rows of a test are gone after it."""
    known = dict(OPS)
    yield
    OPS.clear()
    OPS.update(known)


# The rows -------------------------------------------------------------------------------------------------------------


def an_elementwise_operation() -> None:
    def gudermannian(out: Any, x: Any) -> None:
        np.sinh(x, out=out)
        np.arctan(out, out=out)

    elementwise(
        "gd",
        into=gudermannian,
        dtype="float",
        grad_fn="GdBackward0",
        doc="The Gudermannian function.",
        vjp=lambda g, out, x: (g / cosh(x),),
        latex=r"\operatorname{gd}",
        parity="odd",
        tame=True,
        source="def gd(x):\n    return np.arctan(np.sinh(x))",
    )


def a_reduction() -> None:
    def squares(x: Any, dim: Any, keepdim: bool, axis_given: bool) -> Any:
        return np.add.reduce(x * x, axis=dim, keepdims=keepdim)

    reduction(
        "energy",
        squares,
        doc="The sum of squares.",
        grad_fn="EnergyBackward0",
        vjp=lambda g, out, x, dim, keepdim, axis_given: (restore(g, x, dim, keepdim) * (2 * x),),
        accumulate=Accumulate(
            lambda arrays, params, start: (squares(arrays[0].astype(np.float64), **params),),
            lambda a, b: (a[0] + b[0],),
            lambda state, node: state[0].astype(node.dtype),
        ),
        source="def energy(x, axis=None):\n    return np.sum(x*x, axis=axis)",
    )


def an_operation_with_two_results() -> None:
    def vjp_of_both(g: Any, out: Any, x: Node) -> tuple[Node]:
        up = 0 if g.sinh is None else g.sinh * out.cosh
        down = 0 if g.cosh is None else g.cosh * out.sinh
        return (up + down,)

    primitive(
        "sinhcosh",
        lambda x: (np.sinh(x), np.cosh(x)),
        lambda inputs, params: ((inputs[0].shape, inputs[0].dtype),) * 2,
        family="activation",
        results=("sinh", "cosh"),
        grad_fn="SinhcoshBackward0",
        doc="Hyperbolic sine and cosine.",
        vjp=vjp_of_both,
        blocking=ALIGNED,
        source="def sinhcosh(x):\n"
        "    from types import SimpleNamespace\n\n"
        "    return SimpleNamespace(sinh=np.sinh(x), cosh=np.cosh(x))",
    )


def a_composite() -> None:
    composite(
        "smoothstep",
        lambda input: input**2 * (3 - 2 * input),
        args="input",
        family="elementwise",
        doc="A smooth step from 0 to 1.",
    )


KINDS: dict[str, tuple[Callable[[], None], str, Callable[..., Any], Arrays, str, str, str]] = {
    # By name: the row, a call, the same in NumPy, inputs, the backward function, the formula of its sum's gradient as
    # text and as LaTeX.
    "gd": (
        an_elementwise_operation,
        "gd(x)",
        lambda x: np.arctan(np.sinh(x)),
        {"x": DRAWN.uniform(-2, 2, (3, 4))},
        "GdBackward0",
        "1/cosh(x)",
        r"\frac{1}{\cosh\left(x\right)}",
    ),
    "energy": (
        a_reduction,
        "energy(x, 0)",
        lambda x: np.sum(x * x, 0),
        {"x": DRAWN.uniform(-2, 2, (5, 3))},
        "EnergyBackward0",
        "2*x",
        "2 x",
    ),
    "sinhcosh": (
        an_operation_with_two_results,
        "sinhcosh(x).sinh",
        lambda x: np.sinh(x),
        {"x": DRAWN.uniform(-2, 2, (3, 4))},
        "SinhcoshBackward0",
        "sinhcosh(x).cosh",
        r"\operatorname{sinhcosh}\left(x\right)_{\mathrm{cosh}}",
    ),
    "smoothstep": (
        a_composite,
        "smoothstep(x)",
        lambda x: x**2 * (3 - 2 * x),
        {"x": DRAWN.uniform(0, 1, (4, 2))},
        "MulBackward0",
        "6*x*(1 - x)",
        r"6 x \odot \left(1 - x\right)",
    ),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> tuple[str, str, Callable[..., Any], Arrays, str, str, str]:
    row, *rest = KINDS[request.param]
    row()
    return request.param, *rest  # type: ignore[return-value]


def _text(arrays: Arrays) -> list[str]:
    """Inputs of the command."""
    return [f"{name}={array.tolist()}" for name, array in arrays.items()]


def _slopes(value: Node, leaves: Sequence[Node]) -> list[Node]:
    """Gradients of orders 1 and 2 of a sum of what a node has."""
    first = vjp([weighted(value, 1)], [constant(np.ones(()))], leaves)
    second = vjp([weighted(g, 2) for g in first.values()], [constant(np.ones(()))] * len(first), leaves)
    return [*first.values(), *second.values()]


def test_value_and_gradients(kind: Any) -> None:
    name, expression, expected, arrays, backward, *_ = kind
    np.testing.assert_allclose(evaluate(expression, arrays).value.detach().numpy(), expected(**arrays), rtol=1e-12)
    assert errors(expression, arrays, 1) == []
    assert errors(expression, arrays, 2) == []
    node, _ = shown(build(expression, arrays)[0])
    assert node is not None and backward_function(node)[0] == backward


def test_blocks_give_what_whole_arrays_give(kind: Any) -> None:
    name, expression, _, arrays, *_ = kind
    value, leaves = build(expression, arrays)
    roots = [value, *_slopes(value, list(leaves.values()))]
    program = plan(roots, sizes=TINY)
    assert any(stage.passes for stage in program.stages), "nothing was computed in blocks"
    got = run(program, [known_value(leaf) for leaf in program.leaves], threads=2)
    for mine, theirs in zip(got, op_by_op(roots), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-11, atol=1e-12)


def test_its_jacobian(kind: Any) -> None:
    name, expression, _, arrays, *_ = kind
    value, leaves = build(expression, arrays)
    for leaf, whole in zip(leaves.values(), jacobians(value, list(leaves.values())), strict=True):
        assert whole is not None
        (got,) = execute([whole])
        for place in np.ndindex(value.shape):
            unit = np.zeros(value.shape)
            unit[place] = 1
            (row,) = execute([vjp([value], [constant(unit)], [leaf])[leaf]])
            np.testing.assert_allclose(got[place], row, rtol=1e-12, atol=1e-14)


def test_its_derivative_as_a_formula(kind: Any) -> None:
    name, expression, _, arrays, _, as_text, as_latex = kind
    script, givens = parse(f"sum({expression})"), [Given(n, a.shape, FLOAT64) for n, a in arrays.items()]
    derived = derive(script, givens, Wanted("x"))
    assert formatted("text", script, [(derived, Wanted("x"))]) == as_text
    assert formatted("latex", script, [(derived, Wanted("x"))]) == as_latex
    # A formula in which the operation itself stands, as code that needs NumPy alone.
    script = parse(f"sum(exp({expression}))")
    derived = derive(script, givens, Wanted("x"))
    names: dict[str, Any] = {}
    exec(formatted("python", script, [(derived, Wanted("x"))]), names)
    expected = evaluate(f"sum(exp({expression}))", arrays).grads["x"]
    np.testing.assert_allclose(names["gradient"](**arrays), expected.numpy(), rtol=1e-12)


def test_what_the_command_says(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    name, expression, expected, arrays, *_ = kind
    done = call(monkeypatch, "eval", f"sum({expression})", *_text(arrays), "--json")
    assert done.code == 0 and '"grads"' in done.out, done.err
    done = call(monkeypatch, "check", f"sum({expression})", *_text(arrays))
    assert done.code == 0 and "gradients agree" in done.out, done.err + done.out
    done = call(monkeypatch, "ops", name)
    assert done.code == 0 and done.out.startswith(f"{name}(") and OPS[name].doc in done.out, done.err
    done = call(monkeypatch, "ops")
    assert done.code == 0 and f"{name}(" in done.out


def test_where_its_name_is_known(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    name = kind[0]
    assert name in Session().completions(f"sum({name[:-1]}")[1]
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "docs"))
    from stub import stub

    written = stub()
    sys.modules.pop("stub", None)
    assert f"def {name}(input: _TensorLike" in written, "not a function of the stub"
    assert f"def {name}(self" in written, "not a method of the stub"
