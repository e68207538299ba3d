"""float16 as a format to store numbers in: operations compute in float32 and round once, wherever they run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as drawn_arrays

import gradcli as gc
from gradcli.autodiff.jacobian import curvature, hessians, jacobians, pushed
from gradcli.autodiff.vjp import vjp
from gradcli.engine.execute.run import execute, known_value, op_by_op, run
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Sizes
from gradcli.graph.node import Node, constant
from gradcli.graph.op import OPS
from tests.cases import Case, all_cases
from tests.gradients import build
from tests.half import doubles, halves, units_off, weights
from tests.sampling import sampled
from tests.test_engine import TINY

F16, F32 = np.dtype(np.float16), np.dtype(np.float32)


def half(*values: float) -> np.ndarray:
    return np.array(values if len(values) != 1 else values[0], F16)


def both(expression: str, inputs: dict[str, Any], vector: Any = None) -> tuple[Any, dict[str, Any]]:
    """The value and the gradients as lists."""
    result = gc.evaluate(expression, inputs, grad_output=vector)
    assert result.grads is not None and result.value.dtype == F16
    return result.value.tolist(), {n: g.tolist() for n, g in result.grads.items() if g is not None}


# What overflowed or vanished on the way -------------------------------------------------------------------------------


def test_numbers_and_scale_factors_are_not_rounded() -> None:
    assert both("x/100000", {"x": half(1000)}) == (float(F16.type(0.01)), {"x": float(F16.type(1e-5))})
    value, _ = both("x*100000", {"x": half(0.0001)})
    assert value == 10
    value, grads = both("mean(x)", {"x": np.ones(65520, F16)})
    assert value == 1 and set(grads["x"]) == {float(F16.type(1 / 65520))}
    # So with a factor that is a tensor of no dimension, and one that an operation has as an argument.
    x, factor = gc.tensor(half(0.0001, 0.0002)), gc.tensor(100000.0)
    assert (x * factor).tolist() == (factor * x).tolist() == [10, 20]
    assert gc.add(x, x, alpha=100000).tolist() == [10, 20] and gc.sub(x, x, alpha=-100000).tolist() == [10, 20]
    assert (x * 0.1).tolist() == (x.float() * 0.1).half().tolist()


@pytest.mark.parametrize("name", ["add", "sub"])
def test_a_scaled_number_is_a_number(name: str) -> None:
    sign = 1 if name == "add" else -1
    for x in (half(1), half(1, 2), np.array(1, np.float64), np.array([1, 2], F32)):
        result = getattr(gc, name)(gc.tensor(x), 1.5, alpha=2)
        assert result.dtype == x.dtype and np.array_equal(result.numpy(), x + sign * x.dtype.type(3))


def test_scaled_numbers_of_any_size() -> None:
    assert gc.add(gc.tensor(1.0), 1e308, alpha=10).item() == np.inf
    for number, alpha in ((10**400, 1.5), (1.5, 10**400)):
        with pytest.raises(gc.GradcliError, match="fit into float|too large"):
            gc.add(gc.tensor(1.0), number, alpha=alpha)
    total = gc.add(gc.tensor([1]), 2**40, alpha=2**20)
    assert total.dtype == np.int64 and total.tolist() == [2**60 + 1]


def test_gradients_are_computed_in_float32() -> None:
    value, grads = both("sum(log_softmax(x, 0)*800)", {"x": np.zeros(10, F16)})
    assert value == F16.type(-8000 * np.log(10)) and max(map(abs, grads["x"])) < 1e-3
    _, grads = both("sum(log_softmax(x, 0)*8000)", {"x": np.zeros(10, F16)})
    assert max(map(abs, grads["x"])) < 1e-2
    x = half(256, 1000, 60000, -256, -60000)
    assert both("gelu(x, approximate='tanh')", {"x": x}, 1)[1]["x"] == [1, 1, 1, 0, 0]
    assert both("mse_loss(x, y)", {"x": half(200, 0), "y": half(-80, 0)}) == (39200, {"x": [280, 0], "y": [-280, 0]})


def test_what_comes_from_all_sides_is_rounded_once() -> None:
    # 40000 from each side is more than float16 holds, 0 it does.
    assert both("x*40000 + x*40000 - x*79000", {"x": half(0)})[1] == {"x": 1000}
    _, grads = both("sum(x*y)", {"x": np.full(4096, 1, F16), "y": half(1)})
    assert grads["y"] == 4096


def test_derivatives_of_every_kind() -> None:
    x = gc.tensor(half(1, 2, 3))
    third = [float(v) for v in (np.array([2, 4, 6], F32) / 3).astype(F16)]
    jacobian = gc.jacobian(lambda t: t**2 / 3, x)
    assert jacobian.dtype == F16 and [row[k] for k, row in enumerate(jacobian.tolist())] == third
    assert gc.jvp(lambda t: t**2 / 3, x, gc.ones(3, dtype=F16))[1].tolist() == third
    assert gc.vjp(lambda t: t**2 / 3, x, gc.ones(3, dtype=F16))[1].tolist() == third
    hessian = gc.hessian(lambda t: (t**3 / 100000).sum(), x * 1000)
    assert hessian.dtype == F16 and np.count_nonzero(hessian.numpy()) == 3
    assert gc.hvp(lambda t: (t**3 / 9).sum(), x, gc.ones(3, dtype=F16))[1].tolist() == third


def test_the_next_number_is_that_of_float16() -> None:
    x = gc.tensor(half(1, -2, 0), requires_grad=True)
    following = gc.nextafter(x, gc.tensor(half(9, -2, -1)))
    assert following.tolist() == [1 + 2**-10, -2, -(2.0**-24)]
    assert gc.grad(following.sum(), x)[0].tolist() == [1, 0, 1]


def test_in_place_and_mixed() -> None:
    x = gc.tensor(half(1, 2))
    x += gc.tensor([0.1, 0.2])
    assert x.dtype == F16 and x.tolist() == half(1.1, 2.2).tolist()
    swapped = gc.tensor(np.array([1, 2], ">f2"))
    assert (swapped * 100000 / 100000).tolist() == [np.inf, np.inf] and (swapped * 1.5).tolist() == [1.5, 3]
    # Comparing takes the number as float16 has it, as PyTorch does.
    assert (gc.tensor(half(0.1, 0.3)) <= 0.1).tolist() == [True, False]


def test_the_chain_shows_no_conversion() -> None:
    x = gc.tensor(half(1, 2), requires_grad=True)
    (first,) = gc.grad((x**4).sum(), x, create_graph=True)
    assert first.dtype == F16 and first.grad_fn is not None and first.grad_fn.name() == "MulBackward0"
    assert gc.grad(first.sum(), x)[0].tolist() == [12, 48]


# Every row ------------------------------------------------------------------------------------------------------------


def _rows() -> list[Case]:
    """Cases of one operation, element by element."""
    found = []
    about_zero = ((2, 3), (-1.0, 1.0))
    more = [Case(f"{name}(x)", {"x": about_zero}) for name in ("hardsigmoid", "rrelu")]
    more.append(Case("heaviside(x, y)", {"x": about_zero, "y": about_zero}))
    for case in (*all_cases(), *more):
        node, _ = build(case.expression, halves(case.arrays()))
        steps = [n.op for n in _below(node) if n.inputs and n.op.name != "_result"]
        if len(steps) == 1 and steps[0].family in ("elementwise", "special") and node.dtype == F16:
            found.append(case)
    return found


def _below(node: Node) -> list[Node]:
    return [node, *(n for child in node.inputs for n in _below(child))]


ROWS = _rows()


def test_all_rows_are_there() -> None:
    tried = {n.op.name for case in ROWS for n in _below(build(case.expression, halves(case.arrays()))[0])}
    rules = ("float", "number", "promote")
    for name, op in OPS.items():
        if op.public and op.name == name and op.family == "elementwise" and op.kernel and op.dtype_rule in rules:
            assert name in tried or name in ("to", "detach", "nextafter"), name


def _in_blocks(roots: list[Node], sizes: Sizes) -> list[np.ndarray]:
    program = plan(roots, sizes=sizes)
    return run(program, [known_value(leaf) for leaf in program.leaves], threads=2)


@pytest.mark.parametrize("case", ROWS, ids=str)
def test_rows_give_the_rounded_results_of_float32(case: Case) -> None:
    arrays = halves(case.arrays())
    wide = {n: a.astype(F32) if a.dtype == F16 else a for n, a in arrays.items()}
    node, leaves = build(case.expression, arrays)
    single, wide_leaves = build(case.expression, wide)
    roots, expected = [node], [single]
    if node.requires_grad:
        vector = weights(node.shape, 1)
        pulled = vjp([node], [constant(vector)], list(leaves.values()))
        wanted = vjp([single], [constant(vector.astype(F32))], list(wide_leaves.values()))
        roots += [pulled[leaf] for leaf in leaves.values() if leaf in pulled]
        expected += [wanted[leaf] for leaf in wide_leaves.values() if leaf in wanted]
    with np.errstate(over="ignore"):
        right = [a.astype(F16) for a in op_by_op(expected)]
        cut = [[a.astype(F16) for a in _in_blocks(expected, sizes)] for sizes in TINY]
    for got, want in [(op_by_op(roots), right), *((_in_blocks(roots, s), c) for s, c in zip(TINY, cut, strict=True))]:
        assert len(got) == len(want)
        for mine, theirs in zip(got, want, strict=True):
            assert mine.dtype == F16 and np.array_equal(mine, theirs, equal_nan=True)


DIFFERENTIATED = [case for case in all_cases() if "//" not in case.expression]


def _derivatives(expression: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Jacobians, Hessians of the sum, and products with both."""
    node, leaves = build(expression, arrays)
    if not node.requires_grad:
        return {}
    tracked = [leaf for leaf in leaves.values() if leaf.requires_grad]
    vectors = [constant(weights(x.shape, k).astype(x.dtype)) for k, x in enumerate(tracked)]
    total = OPS["sum"](node)
    found = {
        "jacobian": jacobians(node, tracked),
        "jvp": pushed([node], tracked, vectors),
        "hessian": [block for row in hessians(total, tracked) for block in row],
        "hvp": curvature(total, tracked, vectors),
    }
    nodes = {f"{name} {k}": x for name, some in found.items() for k, x in enumerate(some) if x is not None}
    return dict(zip(nodes, execute(list(nodes.values())), strict=True))


@pytest.mark.parametrize("case", sampled(DIFFERENTIATED, every=2), ids=str)
def test_jacobians_and_products_are_as_exact_as_float16(case: Case) -> None:
    arrays = halves(case.arrays())
    got, exact = _derivatives(case.expression, arrays), _derivatives(case.expression, doubles(arrays))
    assert got.keys() == exact.keys()
    for name, right in exact.items():
        # Several roundings may add up where terms cancel. The terms of a product are as large as the Jacobian's
        # elements, and so are those that leave nothing: what is normalized has the same sum for all inputs.
        cancel = name.startswith("jvp") or np.max(np.abs(right), initial=0.0) < 1e-12
        terms = [exact[other] for other in exact if cancel and other.startswith("jacobian")]
        largest = max([float(np.max(np.abs(term), initial=0.0)) for term in terms], default=0.0)
        assert units_off(got[name], right, largest) <= 8, name


UNARY = [
    "sqrt(x)",
    "exp(x)",
    "x/100000",
    "x*100000",
    "x + 70000",
    "1/x",
    "x**3",
    "x*x",
    "gelu(x)",
    "softplus(x)",
    "x % 0.1",
    "x**1.7",
    "sum(x)",
    "mean(x)",
    "prod(x)",
    "norm(x)",
    "logsumexp(x, 0)",
    "var(x)",
    "cumsum(x, 0)",
]


@settings(deadline=None, max_examples=60)
@given(drawn_arrays(F16, st.integers(1, 40), elements=st.floats(width=16)), st.sampled_from(UNARY))
def test_any_numbers(x: np.ndarray, expression: str) -> None:
    node, _ = build(expression, {"x": x})
    with np.errstate(all="ignore"):
        expected = op_by_op([build(expression, {"x": x.astype(F32)})[0]])[0].astype(F16)
    whole = op_by_op([node])[0]
    assert np.array_equal(whole, expected, equal_nan=True)
    for sizes in TINY:
        assert units_off(_in_blocks([node], sizes)[0], whole.astype(np.float64)) <= 1
