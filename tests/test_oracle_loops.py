"""Loops against the same loops in PyTorch: a network, an iteration, a differential equation, a filter."""

# Matrices have the letters that books give them.
# ruff: noqa: N803, N806

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from tests.oracle import torch

pytestmark = pytest.mark.oracle
RNG = np.random.default_rng(16)


def lstm(W: Any, U: Any, b: Any, xs: Any) -> Any:
    h, c, outputs = torch.zeros(4, dtype=W.dtype), torch.zeros(4, dtype=W.dtype), []
    for x in xs:
        i, f, g, o = (W @ h + U @ x + b).chunk(4)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        outputs.append(h)
    return (torch.stack(outputs) ** 2).sum() + c.sum()


LSTM = """
step(h, c, x) = {
  i, f, g, o = chunk(W@h + U@x + b, 4)
  c = sigmoid(f)*c + sigmoid(i)*tanh(g)
  (sigmoid(o)*tanh(c), c, sigmoid(o)*tanh(c))
}
h, c, hs = scan(step, (zeros(4).double(), zeros(4).double()), xs)
sum(hs**2) + sum(c)
"""


def newton(x: Any) -> Any:
    y = x
    for _ in range(6):
        y = y - (y**3 - x) / (3 * y**2)
    return y.sum()


NEWTON = "f(y) = y - (y**3 - x)/(3*y**2); sum(iterate(f, x, 6))"


def runge_kutta(k: Any, y0: Any) -> Any:
    def slope(y: Any) -> Any:
        return torch.stack([y[1], k * (1 - y[0] ** 2) * y[1] - y[0]])

    y = y0
    for _ in range(300):
        a = slope(y)
        b = slope(y + 0.005 * a)
        c = slope(y + 0.005 * b)
        d = slope(y + 0.01 * c)
        y = y + 0.01 / 6 * (a + 2 * b + 2 * c + d)
    return (y**2).sum()


RUNGE_KUTTA = """
slope(y) = [y[1], k*(1 - y[0]**2)*y[1] - y[0]]
step(y, h=0.01) = {
  a = slope(y)
  b = slope(y + h/2*a)
  c = slope(y + h/2*b)
  d = slope(y + h*c)
  y + h/6*(a + 2*b + 2*c + d)
}
sum(iterate(step, y0, 300)**2)
"""


def kalman(F: Any, H: Any, Q: Any, R: Any, zs: Any) -> Any:
    m, P, total = torch.zeros(2, dtype=F.dtype), torch.eye(2, dtype=F.dtype), 0
    for z in zs:
        m, P = F @ m, F @ P @ F.T + Q
        S = H @ P @ H.T + R
        e = z - H @ m
        total = total + 0.5 * (torch.logdet(S) + e @ torch.linalg.solve(S, e))
        K = torch.linalg.solve(S, H @ P).T
        m, P = m + K @ e, P - K @ H @ P
    return total


KALMAN = """
step(m, P, total, z) = {
  m = F@m
  P = F@P@F.T + Q
  S = H@P@H.T + R
  e = z - H@m
  K = solve(S, H@P).T
  (m + K@e, P - K@H@P, total + (logdet(S) + e@solve(S, e))/2)
}
m, P, total = fold(step, (zeros(2).double(), eye(2).double(), 0), zs)
total
"""

CASES: list[tuple[str, Callable[..., Any], dict[str, np.ndarray]]] = [
    (
        LSTM,
        lstm,
        {
            "W": 0.3 * RNG.normal(size=(16, 4)),
            "U": RNG.normal(size=(16, 3)),
            "b": RNG.normal(size=16),
            "xs": RNG.normal(size=(100, 3)),
        },
    ),
    (NEWTON, newton, {"x": RNG.uniform(0.5, 3, 7)}),
    (RUNGE_KUTTA, runge_kutta, {"k": np.array(1.3), "y0": np.array([1.0, 0.2])}),
    (
        KALMAN,
        kalman,
        {
            "F": np.array([[1.0, 0.1], [-0.1, 0.95]]),
            "H": np.array([[1.0, 0.0]]),
            "Q": 0.01 * np.eye(2),
            "R": np.array([[0.2]]),
            "zs": RNG.normal(size=(40, 1)),
        },
    ),
]


@pytest.mark.parametrize(("text", "theirs", "inputs"), CASES, ids=["lstm", "newton", "runge-kutta", "kalman"])
def test_value_and_gradients(text: str, theirs: Callable[..., Any], inputs: dict[str, np.ndarray]) -> None:
    leaves = {name: torch.tensor(array, requires_grad=True) for name, array in inputs.items()}
    expected = theirs(**leaves)
    expected.backward()
    found = gc.evaluate(text, inputs)
    np.testing.assert_allclose(found.value.item(), expected.item(), rtol=1e-11)
    for name, leaf in leaves.items():
        np.testing.assert_allclose(found.grads[name], leaf.grad.numpy(), rtol=1e-9, atol=1e-12, err_msg=name)
