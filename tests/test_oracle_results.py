"""Operations with several results as PyTorch has them: values, gradients of two orders, Jacobians, chains."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.autodiff import jacobian as by_graph
from gradcli.engine.execute.run import execute, op_by_op
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Sizes
from gradcli.graph.node import input_node
from gradcli.graph.op import OPS
from tests.gradients import build
from tests.oracle import torch
from tests.test_results import SQUARE, TINY, USES, X, evaluated, ran, rows  # noqa: F401

pytestmark = pytest.mark.oracle

THEIRS = {
    "first": lambda x: torch.sin(x) ** 2,
    "second": lambda x: torch.exp(torch.cos(x)),
    "both": lambda x: torch.sin(x) * torch.cos(x) ** 2 + torch.sin(x),
    "twice": lambda x: _twice(x),
    "again": lambda x: torch.sin(x) ** 2,
}


def _twice(x: Any) -> Any:
    s, c = torch.sin(x), torch.cos(x)
    return c * torch.sin(s * x) + torch.cos(s * x)


@pytest.mark.parametrize("name", USES)
def test_value_and_gradients_of_two_orders(name: str) -> None:
    expression, theirs = USES[name], THEIRS[name]
    x = torch.tensor(X, requires_grad=True)
    ours = gc.tensor(X, requires_grad=True)
    y = theirs(x)
    z = evaluated(expression, ours)
    (first,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    (own,) = gc.grad(z.sum(), ours, create_graph=True)
    (second,) = torch.autograd.grad((first**2).sum(), x)
    (own_second,) = gc.grad((own**2).sum(), ours)
    for got, expected in ((z, y), (own, first), (own_second, second)):
        np.testing.assert_allclose(got.detach().numpy(), expected.detach().numpy(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", USES)
def test_jacobians(name: str) -> None:
    expression, theirs = USES[name], THEIRS[name]
    value, leaves = build(expression, {"x": X[:2]})
    (found,) = by_graph.jacobians(value, [leaves["x"]])
    assert found is not None
    expected = torch.autograd.functional.jacobian(theirs, torch.tensor(X[:2]))
    np.testing.assert_allclose(execute([found])[0], expected.numpy(), rtol=1e-12, atol=1e-13)
    hessian = gc.hessian(lambda x: evaluated(expression, x).sum(), gc.tensor(X[0]))
    expected = torch.autograd.functional.hessian(lambda x: theirs(x).sum(), torch.tensor(X[0]))
    np.testing.assert_allclose(hessian.numpy(), expected.numpy(), rtol=1e-12, atol=1e-13)


def test_integers_are_not_tracked_and_pass_no_gradient() -> None:
    x = gc.tensor(X, requires_grad=True)
    values, indices = x.max(1)
    assert values.requires_grad and not indices.requires_grad and indices.grad_fn is None
    (values * indices).sum().backward()
    expected = torch.tensor(X, requires_grad=True)
    v, i = expected.max(1)
    (v * i).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), expected.grad.numpy())


MOVED = {
    "max": lambda m, x: m.max(x, 1)[0].exp(),
    "max keepdim": lambda m, x: m.max(x, 0, True).values * x,
    "min": lambda m, x: m.min(x, -1)[0] * m.min(x, 0)[0].sum(),
    "values and indices": lambda m, x: (lambda p: p.values * p.indices)(m.max(x, 1)),
    "both of them": lambda m, x: m.max(x, 1).values - m.min(x, 1).values,
    "logabsdet": lambda m, x: _slogdet(m, x)[1].sin(),
    "sign and logabsdet": lambda m, x: _slogdet(m, x)[0] * _slogdet(m, x)[1].exp(),
}


def _slogdet(m: Any, x: Any) -> Any:
    return (torch.linalg if m is torch else gc).slogdet(x)


def edges(function: Any) -> Any:
    """Names and edges with the numbers of the outputs."""
    if function is None:
        return None
    return (
        function.name().removeprefix("torch::autograd::"),
        *((edges(behind), number) for behind, number in function.next_functions),
    )


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("name", MOVED)
def test_moved_operations_are_pytorchs(name: str, ties: bool) -> None:
    array = SQUARE if "det" in name else np.round(X * 3) if ties else X
    x, ours = torch.tensor(array, requires_grad=True), gc.tensor(array, requires_grad=True)
    y, z = MOVED[name](torch, x), MOVED[name](gc, ours)
    np.testing.assert_allclose(z.detach().numpy(), y.detach().numpy(), rtol=1e-12)
    assert edges(z.grad_fn) == edges(y.grad_fn)
    (first,) = torch.autograd.grad((y**2).sum(), x, create_graph=True)
    (own,) = gc.grad((z**2).sum(), ours, create_graph=True)
    np.testing.assert_allclose(own.detach().numpy(), first.detach().numpy(), rtol=1e-10)
    (second,) = torch.autograd.grad((first**2).sum(), x)
    np.testing.assert_allclose(gc.grad((own**2).sum(), ours)[0].numpy(), second.numpy(), rtol=1e-9)


ODD = [[0.0, -0.0, -1.0], [-0.0, 0.0, 0.0], [np.nan, 1.0, np.inf], [-np.nan, -np.inf, 2.0], [3.0, 3.0, 3.0]]


@pytest.mark.parametrize("name", ["max", "min"])
@pytest.mark.parametrize("dim", [0, 1])
def test_values_alone_are_those_that_come_with_their_indices(name: str, dim: int) -> None:
    """To the bit: of equal ones the first, whatever its sign."""
    long = np.tile(np.array(ODD), (1, 40))
    for array in (np.array(ODD), np.array(ODD, np.float32).T, np.array(ODD)[:, ::-1], long, np.ones((3, 90)), long.T):
        x = input_node(array)
        pair = OPS[name](x, dim)
        both = op_by_op(list(pair))
        theirs = getattr(torch, name)(torch.tensor(array.copy()), dim)
        np.testing.assert_array_equal(both[1], theirs.indices.numpy())
        np.testing.assert_array_equal(np.signbit(both[0]), np.signbit(theirs.values.numpy()))
        for sizes in (Sizes(), *TINY):
            for roots, expected in (([pair.values], both[:1]), ([pair.indices], both[1:]), (list(pair), both)):
                for got, wanted in zip(ran(plan(roots, sizes=sizes), 2), expected, strict=True):
                    assert got.tobytes() == wanted.tobytes() and got.dtype == wanted.dtype


@pytest.mark.parametrize("dtype", ["uint8", "int16", "bool", "float16"])
@pytest.mark.parametrize("name", ["sum", "prod", "nansum", "cumsum", "cumprod"])
def test_sums_and_products_are_of_the_dtype_that_is_asked_for(name: str, dtype: str) -> None:
    if dtype == "bool" and name.startswith("cum"):
        pytest.raises(RuntimeError, getattr(torch, name), torch.ones(2), 0, dtype=torch.bool)
        return
    for given in ([1.5, 2.0, 250.0], [0.0, 0.0, 0.0]):
        x = torch.tensor(given)
        expected = getattr(torch, name)(x, 0, dtype=getattr(torch, dtype)).numpy()
        found = getattr(gc, name)(gc.tensor(given), 0, dtype=dtype).value()
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


def test_rms_norm_of_float16_squares_in_float32() -> None:
    for given in ([[1.0, 500.0]], [[5e-4, 2.5e-7]], [[3.0, -4.0]]):
        x, w = np.array(given, np.float16), np.array([2, 3], np.float16)
        for weight in (None, w):
            expected = torch.nn.functional.rms_norm(torch.tensor(x), [2], None if weight is None else torch.tensor(w))
            found = gc.rms_norm(gc.tensor(x), [2], weight).value()
            np.testing.assert_allclose(found, expected.numpy(), rtol=1e-3)


def test_a_product_over_all_dimensions_keeps_a_dtype_of_integers() -> None:
    a, b = np.full((2, 2, 1), 9, np.uint8), np.full((2, 1, 2), 9, np.uint8)
    dims = [[0, 1], [2, 0]]
    expected = torch.tensordot(torch.tensor(a), torch.tensor(b), dims).numpy()
    found = gc.tensordot(gc.tensor(a), gc.tensor(b), dims).value()
    assert found.dtype == expected.dtype == np.uint8 and found == expected
