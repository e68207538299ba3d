"""Jacobians and their kin: against row by row, against PyTorch's figures, in the shapes and with the errors of both."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.autodiff import jacobian as by_graph
from gradcli.autodiff.vjp import vjp
from gradcli.engine.execute.run import execute
from gradcli.errors import GradcliError
from gradcli.graph.node import Node, constant, make, toposort
from gradcli.graph.op import OPS
from gradcli.ops.batching import dense, unit_vectors
from gradcli.ops.lifting import batch
from tests.calculus_cases import FUNCTIONS, SCALARS, Function
from tests.cases import Case, all_cases
from tests.gradients import build, weighted
from tests.record_calculus import RECORDED, plain

FIGURES = json.loads(RECORDED.read_text())


def _rows(output: Node, inputs: list[Node]) -> list[np.ndarray]:
    """The Jacobians, one backward pass for each element of the output."""
    rows: list[list[np.ndarray]] = [[] for _ in inputs]
    for place in range(output.size):
        unit = np.zeros(output.shape, output.dtype)
        unit.reshape(-1)[place] = 1
        found = vjp([output], [constant(unit)], inputs)
        for row, x in zip(rows, inputs, strict=True):
            row.append(execute([found[x]])[0] if x in found else np.zeros(x.shape))
    return [np.array(row).reshape(output.shape + x.shape) for row, x in zip(rows, inputs, strict=True)]


def _same(found: list[Node | None], expected: list[np.ndarray]) -> None:
    for node, array in zip(found, expected, strict=True):
        got = np.zeros(array.shape) if node is None else execute([node])[0]
        assert got.shape == array.shape
        np.testing.assert_allclose(got, array, rtol=1e-8, atol=1e-9 * max(1.0, np.abs(array).max(initial=0.0)))


DIFFERENTIABLE = [
    case
    for case in all_cases()
    if (lambda value: value.requires_grad and value.is_floating)(build(case.expression, case.arrays())[0])
]


@pytest.mark.parametrize("case", DIFFERENTIABLE, ids=str)
def test_jacobians_row_by_row(case: Case) -> None:
    value, leaves = build(case.expression, case.arrays())
    inputs = [leaf for leaf in leaves.values() if leaf.requires_grad]
    expected = _rows(value, inputs)
    _same(by_graph._backward(value, inputs), expected)
    _same(by_graph._forward(value, inputs), expected)


# Those whose graphs have every kind of rule, and the operations that have no rule of their own.
TWICE = [
    c
    for c in DIFFERENTIABLE
    if c.expression[:4]
    in (
        "inv(",
        "solv",
        "chol",
        "det(",
        "slog",
        "roll",
        "cump",
        "prod",
        "x @ ",
        "bmm(",
        "eins",
        "norm",
        "laye",
        "nll_",
        "cros",
        "std(",
        "logs",
        "x[[0",
        "diag",
        "tril",
        "mean",
        "pow(",
        "gelu",
    )
]


@pytest.mark.parametrize("case", TWICE, ids=str)
def test_a_jacobian_can_be_differentiated(case: Case) -> None:
    value, leaves = build(case.expression, case.arrays())
    inputs = [leaf for leaf in leaves.values() if leaf.requires_grad]
    rng = np.random.default_rng(3)
    total = by_row = constant(np.zeros(()))
    for block, x in zip(by_graph.jacobians(value, inputs), inputs, strict=True):
        if block is None:
            continue
        weights = rng.uniform(0.5, 1.5, block.shape)
        total = total + OPS["sum"](block * constant(weights))
        for place, weight in enumerate(weights.reshape(value.size, *x.shape)):
            unit = np.zeros(value.shape)
            unit.reshape(-1)[place] = 1
            by_row = by_row + OPS["sum"](vjp([value], [constant(unit)], [x])[x] * constant(weight))
    if not total.requires_grad:
        assert not by_row.requires_grad or all(not execute([g])[0].any() for g in _gradients(by_row, inputs) if g)
        return
    expected = zip(_gradients(by_row, inputs), inputs, strict=True)
    _same(_gradients(total, inputs), [np.zeros(x.shape) if g is None else execute([g])[0] for g, x in expected])


def _gradients(total: Node, inputs: list[Node]) -> list[Node | None]:
    found = vjp([total], [constant(np.ones(()))], inputs) if total.requires_grad else {}
    return [found.get(x) for x in inputs]


@pytest.mark.parametrize("expression", ["sum(x**3)", "logsumexp(x@x.T)", "sum(sin(x)*y)", "sum(relu(x@y))", "x.sum()"])
def test_hessians_row_by_row(expression: str) -> None:
    rng = np.random.default_rng(0)
    arrays = {n: rng.uniform(-1, 1, (3, 3)) for n in "xy" if n in expression.replace("exp", "")}
    value, leaves = build(expression, arrays)
    inputs = list(leaves.values())
    gradients = vjp([value], [constant(np.ones(()))], inputs)
    for row, x in zip(by_graph.hessians(value, inputs), inputs, strict=True):
        _same(row, _rows(gradients[x], inputs))


def test_an_elementwise_jacobian_computes_nothing_n_times() -> None:
    value, leaves = build("sin(x)*exp(x)", {"x": np.linspace(0, 1, 50)})
    (found,) = by_graph.jacobians(value, list(leaves.values()))
    assert found is not None
    assert {node.op.name for node in toposort([found]) if node.size > 50} == {"diag_embed"}


def test_a_layer_needs_no_product_of_matrices() -> None:
    value, leaves = build("tanh(w@x)", {"w": np.ones((20, 30)), "x": np.ones(30)})
    (found,) = by_graph.jacobians(value, [leaves["x"]])
    assert found is not None
    assert "mm" not in {node.op.name for node in toposort([found])}


def test_more_outputs_than_inputs_go_forward() -> None:
    value, leaves = build("a @ tanh(b @ x)", {"a": np.ones((300, 40)), "b": np.ones((40, 2)), "x": np.ones(2)})
    (found,) = by_graph.jacobians(value, [leaves["x"]])
    assert found is not None and max(node.size for node in toposort([found])) <= 300 * 40


def test_a_product_of_two_families_goes_one_by_one() -> None:
    x = gc.tensor([1.0, 2.0, 3.0]).node
    a = make(OPS["view"], (x,), {"shape": (3, 1)})
    product = make(OPS["mm"], (a, make(OPS["permute"], (a,), {"dims": (1, 0), "name": "TBackward0"})))
    found = batch([product], {x: unit_vectors((3,), gc.ones(3).node)})[product]
    np.testing.assert_array_equal(execute([dense(found, (3,))])[0], [np.diag(row) for row in np.eye(3)])


# PyTorch's conventions ------------------------------------------------------------------------------------------------


def _packed(arrays: list[np.ndarray]) -> Any:
    tensors = [gc.tensor(a) for a in arrays]
    return tensors[0] if len(tensors) == 1 else tuple(tensors)


def results(function: Function) -> dict[str, Any]:
    """What gradcli gives for a function, under the names of the recorded figures."""

    def call(*tensors: Any) -> Any:
        return function.call(gc, *tensors)

    inputs = _packed(function.arrays())
    outputs = call(*(inputs if isinstance(inputs, tuple) else (inputs,)))
    shapes = [y.shape for y in (outputs if isinstance(outputs, tuple) else (outputs,))]
    along = _packed(function.vectors(function.shapes))
    found = {
        "jacobian": gc.jacobian(call, inputs),
        "vjp": gc.vjp(call, inputs, _packed(function.vectors(shapes))),
        "jvp": gc.jvp(call, inputs, along),
    }
    if function in SCALARS:
        found["hessian"] = gc.hessian(call, inputs)
        found["hvp"], found["vhp"] = gc.hvp(call, inputs, along), gc.vhp(call, inputs, along)
    return found


def _agree(got: Any, expected: Any) -> None:
    assert isinstance(got, list) == isinstance(expected, list)
    if isinstance(got, list):
        assert len(got) == len(expected)
        for a, b in zip(got, expected, strict=True):
            _agree(a, b)
        return
    assert got["shape"] == expected["shape"]
    np.testing.assert_allclose(got["elements"], expected["elements"], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.name)
def test_as_recorded(function: Function) -> None:
    found = {name: plain(result) for name, result in results(function).items()}
    assert set(found) == set(FIGURES[function.name])
    for name, result in found.items():
        _agree(result, FIGURES[function.name][name])


@pytest.mark.oracle
def test_the_recorded_figures_are_what_pytorch_says() -> None:
    from tests.record_calculus import record

    fresh = json.loads(json.dumps(record()))
    assert set(fresh) == set(FIGURES)
    for name, entry in fresh.items():
        for kind, result in entry.items():
            _agree(result, FIGURES[name][kind])


def test_results_are_cut_off_unless_graphs_are_asked_for() -> None:
    x = gc.tensor([1.0, 2.0], requires_grad=True)
    assert not gc.jacobian(lambda v: v**3, x).requires_grad
    j = gc.jacobian(lambda v: v**3, x, create_graph=True)
    (g,) = gc.grad(j.sum(), x)
    np.testing.assert_allclose(g.numpy(), [6, 12])
    assert x.grad is None
    h = gc.hessian(lambda v: (v**4).sum(), x, create_graph=True)
    (g,) = gc.grad(h.sum(), x)
    np.testing.assert_allclose(g.numpy(), [24, 48])


def test_functions_may_look_at_values_and_ignore_modes() -> None:
    def relu(v: gc.Tensor) -> gc.Tensor:
        return v if v.sum() > 0 else v * 0

    with gc.no_grad():
        np.testing.assert_array_equal(gc.jacobian(relu, gc.tensor([1.0, 2.0])).numpy(), np.eye(2))
        np.testing.assert_array_equal(gc.jacobian(relu, gc.tensor([-1.0, -2.0])).numpy(), np.zeros((2, 2)))


def test_dtypes_are_those_of_the_inputs() -> None:
    x, y = gc.tensor([1.0, 2.0]), gc.tensor([1.0, 2.0], dtype=gc.float64)
    a, b = gc.jacobian(lambda u, v: u * v, (x, y))
    assert (a.dtype, b.dtype) == (np.float32, np.float64)


def test_strict_refuses_what_does_not_depend() -> None:
    x = gc.tensor([1.0, 2.0])
    with pytest.raises(GradcliError, match="output 0 of the function does not depend on the inputs"):
        gc.jacobian(lambda v: gc.ones(2), x, strict=True)
    with pytest.raises(GradcliError, match="output 0 does not depend on input 1"):
        gc.jacobian(lambda u, v: u, (x, x), strict=True)
    with pytest.raises(GradcliError, match="the gradient of input 0 does not depend on input 0"):
        gc.hessian(lambda v: v.sum(), x, strict=True)
    assert gc.hessian(lambda v: v.sum(), x).tolist() == [[0, 0], [0, 0]]
    assert gc.jacobian(lambda v: gc.ones(3), x).shape == (3, 2)


X = gc.tensor([1.0, 2.0])
REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: gc.vjp(lambda v: v, X), "can be left out only for a function with one output of one element"),
    (lambda: gc.jvp(lambda v: v, X), "can be left out only for a function with one input of one element"),
    (lambda: gc.vjp(lambda v: v, X, gc.ones(3)), r"v\[0\] has shape \(3,\), the output \(2,\)"),
    (lambda: gc.jvp(lambda u, v: u * v, (X, X), X), "v has 1 tensor, the function 2 inputs"),
    (lambda: gc.hessian(lambda v: v, X), r"needs a function with one result of one element, got shapes \(2,\)"),
    (lambda: gc.hvp(lambda v: (v.sum(), v.sum()), X, X), "needs a function with one result"),
    (lambda: gc.jacobian(lambda v: v, gc.tensor([1, 2])), "for floating-point inputs, not for int64"),
    (lambda: gc.jacobian(lambda v: 3, X), "must be tensors, not an int"),
    (lambda: gc.jacobian(lambda v: v, "x"), "must be tensors, not a string"),
    (lambda: gc.jacobian(lambda v: v, X, strategy="sideways"), "unknown strategy 'sideways'"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(GradcliError, match=message):
        call()


def test_empty_and_one_element() -> None:
    assert gc.jacobian(lambda v: v * 2, gc.zeros(0, 3)).shape == (0, 3, 0, 3)
    assert gc.jacobian(lambda v: v.sum(0), gc.zeros(0, 3)).shape == (3, 0, 3)
    assert gc.jacobian(lambda v: v * 2, gc.ones(1, 1)).tolist() == [[[[2]]]]
    assert gc.jacobian(lambda v: v @ v.T, gc.ones(2, 0)).shape == (2, 2, 2, 0)


# gradcheck ------------------------------------------------------------------------------------------------------------


def _double(*shape: int) -> gc.Tensor:
    return gc.tensor(np.random.default_rng(0).uniform(0.5, 1.5, shape), requires_grad=True)


@pytest.mark.parametrize("fast", [False, True])
def test_gradcheck_passes(fast: bool) -> None:
    x, y = _double(2, 2), _double(2)
    for check in (gc.gradcheck, gc.gradgradcheck):
        options = {"fast_mode": fast, "check_forward_ad": True, "check_batched_grad": True}
        assert check(lambda a, b: (gc.inv(a) @ b, a.sum()), (x, y), **options)


@pytest.mark.parametrize("fast", [False, True])
def test_gradcheck_finds_lost_gradients(fast: bool) -> None:
    def lost(a: gc.Tensor) -> gc.Tensor:
        return a * a.detach()

    with pytest.raises(GradcliError, match="Jacobian mismatch for output 0 with respect to input 0"):
        gc.gradcheck(lost, _double(2), fast_mode=fast)
    assert not gc.gradcheck(lost, _double(2), fast_mode=fast, raise_exception=False)

    def second(a: gc.Tensor) -> gc.Tensor:
        return a * a * 0.5 + a * (a - a.detach())

    assert not gc.gradgradcheck(lambda a: lost(a) * a, _double(2), fast_mode=fast, raise_exception=False)
    assert not gc.gradcheck(second, _double(2), fast_mode=fast, raise_exception=False)


def test_gradcheck_refuses_rough_inputs() -> None:
    with pytest.raises(GradcliError, match="input 0 is float32"):
        gc.gradcheck(lambda a: a, gc.ones(2, requires_grad=True))
    with pytest.raises(GradcliError, match="needs an input that requires grad"):
        gc.gradcheck(lambda a: a, gc.ones(2))


def test_a_weighted_sum_has_the_weights_as_its_jacobian() -> None:
    value, leaves = build("x", {"x": np.ones((2, 2))})
    (found,) = by_graph.jacobians(weighted(value, 1), list(leaves.values()))
    assert found is not None
    np.testing.assert_array_equal(execute([found])[0], np.random.default_rng(1).uniform(0.5, 1.5, (2, 2)))
