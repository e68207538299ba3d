"""Loops that make a new tensor of their last one: each step is computed once, and what it was made of is let go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.execute.run import execute, is_known
from gradcli.graph.node import Node, toposort
from gradcli.tensors import elements

STEPS = 60


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many operations each computation takes."""
    counts: list[int] = []

    def counting(roots: Sequence[Node]) -> list[np.ndarray]:
        counts.append(sum(not is_known(node) for node in toposort(roots, stop=is_known)))
        return execute(roots)

    monkeypatch.setattr(elements, "execute", counting)
    return counts


def counter() -> gc.Tensor:
    s = gc.zeros(3)
    for _ in range(STEPS):
        s = s + 1
        s.tolist()
    return s


def momentum() -> gc.Tensor:
    w, v = gc.tensor([4.0, 1.0], requires_grad=True), gc.zeros(2)
    for _ in range(STEPS):
        (w**2).sum().backward()
        with gc.no_grad():
            v = 0.9 * v + w.grad
            w -= 0.01 * v
        w.grad = None
    return v


def adam() -> gc.Tensor:
    w, m, v = gc.tensor([4.0, 1.0], requires_grad=True), gc.zeros(2), gc.zeros(2)
    for _ in range(STEPS):
        (w**2).sum().backward()
        with gc.no_grad():
            m = 0.9 * m + 0.1 * w.grad
            v = 0.99 * v + 0.01 * w.grad**2
            w -= 0.01 * m / (v.sqrt() + 1e-8)
        w.grad = None
    return m


def average_of_elements() -> gc.Tensor:
    v, g = gc.zeros(3), gc.tensor([1.0, 2.0, 3.0])
    for _ in range(STEPS):
        v = 0.9 * v + g
        v[0].item()
    return v


def truncated() -> gc.Tensor:
    h, w = gc.zeros(3), gc.ones(3, requires_grad=True)
    for _ in range(STEPS):
        h = h.detach() * 0.5 + w
        h.sum().item()
    return h


def powers() -> gc.Tensor:
    x = gc.tensor([[2.0, 1.0], [1.0, 3.0]])
    for _ in range(STEPS):
        x = (x @ x.T).T
        x = x / x.sum()
        x.tolist()
    return x


def reshaped() -> gc.Tensor:
    p = gc.ones(5) / 5
    for _ in range(STEPS):
        p = gc.softmax(p.reshape(1, 5).reshape(5) * 1.01, 0)
        p.max().item()
    return p


def joined() -> gc.Tensor:
    x = gc.zeros(1)
    for step in range(STEPS):
        x = gc.cat([x[-5:], gc.ones(1) * step])
        x.sum().item()
    return x


def large() -> gc.Tensor:
    x = gc.ones(300, 300)
    for _ in range(STEPS):
        x = x * 0.9 + 1
        x.mean().item()
    return x


LOOPS: list[Callable[[], gc.Tensor]] = [
    counter, momentum, adam, average_of_elements, truncated, powers, reshaped, joined, large,
]  # fmt: skip


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.__name__)
def test_each_step_takes_as_long_as_the_one_before(loop: Callable[[], gc.Tensor], computed: list[int]) -> None:
    last = loop()
    assert max(computed) < 40
    assert len(toposort([last.node])) < 40


def test_a_recurrence_that_is_looked_at(computed: list[int]) -> None:
    x = gc.tensor([0.5, -0.2], requires_grad=True)
    h = x
    for _ in range(STEPS):
        h = (h * 0.9 + x).tanh()
        h.sum().item()
    assert max(computed) < 12
    h.sum().backward()
    wanted, slope = x.detach().numpy(), np.ones(2)
    for _ in range(STEPS):
        wanted = np.tanh(wanted * 0.9 + x.detach().numpy())
        slope = (1 - wanted**2) * (0.9 * slope + 1)
    np.testing.assert_allclose(h.detach().numpy(), wanted, rtol=1e-5)
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), slope, rtol=1e-4)


@pytest.mark.parametrize("with_a_view", [False, True])
def test_what_is_known_still_shares_its_elements(with_a_view: bool) -> None:
    x = gc.ones(3) * 2
    # A tensor with views keeps its node, and is an operand by its values.
    kept = x[1:] if with_a_view else None
    x.tolist()
    for view in (x[0:2], x.reshape(3), x.detach(), x.to(gc.float32), x.contiguous(), x.view_as(x), x.T):
        before: Any = view.tolist()
        x.add_(1)
        assert view.tolist() == [one + 1 for one in before]
    row = x[:1]
    row.tolist()
    row.zero_()
    assert x[0].item() == 0 and (kept is None or kept.tolist() == x.tolist()[1:])


def test_values_of_before_stay() -> None:
    x = gc.ones(2) + 1
    y = x * 3
    x.tolist()
    x.add_(10)
    assert y.tolist() == [6, 6] and (x * 3).tolist() == [36, 36]


def test_large_ones_on_the_way_are_not_kept() -> None:
    x = gc.ones(1000, 100)
    y = x * 2
    z = y + 1
    assert z.sum().item() == 300_000
    assert y.node.value is None and z.node.value is None
