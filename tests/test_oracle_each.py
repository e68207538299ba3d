"""Functions over rows against torch.func.vmap, and gradients for each row against vmap of its grad and jacrev."""

# Cases are laid out by hand, and matrices have the letters that books give them.
# fmt: off
# ruff: noqa: N803, N806

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from tests.oracle import torch

pytestmark = pytest.mark.oracle
RNG = np.random.default_rng(8)
X, Y, W, B = RNG.normal(size=(5, 4)), RNG.normal(size=(5, 3)), RNG.normal(size=(3, 4)), RNG.normal(size=3)
A = RNG.normal(size=(5, 3, 3)) + 3 * np.eye(3)
K, IMAGES = RNG.normal(size=(2, 1, 3, 3)), RNG.normal(size=(5, 1, 6, 6))

#: The function of a row, the arguments that are mapped, those that are shared, and the same in PyTorch.
CASES: list[tuple[str, dict[str, Any], dict[str, Any], Callable[..., Any]]] = [
    ("tanh(W@x + b)*y", {"x": X, "y": Y}, {"W": W, "b": B}, lambda x, y, W, b: torch.tanh(W @ x + b) * y),
    ("logsumexp(W@x, 0) - (W@x)[i]", {"x": X, "i": np.array([0, 2, 1, 1, 0])}, {"W": W},
     lambda x, i, W: torch.nn.functional.cross_entropy((W @ x)[None], i[None])),
    ("cross_entropy(W@x, i)", {"x": X, "i": np.array([0, 2, 1, 1, 0])}, {"W": W},
     lambda x, i, W: torch.nn.functional.cross_entropy(W @ x, i)),
    ("solve(A, y)@y + logdet(A@A.T)", {"A": A, "y": Y}, {},
     lambda A, y: torch.linalg.solve(A, y) @ y + torch.logdet(A @ A.T)),
    ("softmax(x, 0).cumsum(0)*sort(x).values", {"x": X}, {},
     lambda x: torch.softmax(x, 0).cumsum(0) * torch.sort(x).values),
    ("W.T@(y/sqrt(1 + y@y)) + x.std()", {"x": X, "y": Y}, {"W": W},
     lambda x, y, W: W.T @ (y / torch.sqrt(1 + y @ y)) + x.std()),
    ("relu(conv2d(x[None], K)).mean()", {"x": IMAGES}, {"K": K},
     lambda x, K: torch.relu(torch.nn.functional.conv2d(x[None], K)).mean()),
    ("einsum('ij,jk->ik', A, A)[i]", {"A": A, "i": np.array([0, 2, 1, 1, 0])}, {},
     lambda A, i: torch.gather(torch.einsum("ij,jk->ik", A, A), 0, i.expand(1, 3))[0]),
]


@pytest.mark.parametrize(("text", "mapped", "shared", "theirs"), CASES, ids=[case[0] for case in CASES])
def test_values_and_gradients_are_those_of_vmap(
    text: str, mapped: dict[str, Any], shared: dict[str, Any], theirs: Callable[..., Any]
) -> None:
    leaves = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in (*mapped.values(), *shared.values())]
    expected = torch.func.vmap(theirs, (*(0 for _ in mapped), *(None for _ in shared)))(*leaves)
    (expected**2).sum().backward()
    names = ", ".join(mapped)
    source = f"f({names}) = {text}; each(f, {names})"
    np.testing.assert_allclose(gc.evaluate(source, {**mapped, **shared}, wrt=()).value, expected.detach(), rtol=1e-10)
    found = gc.evaluate(f"f({names}) = {text}; sum(each(f, {names})**2)", {**mapped, **shared})
    for name, leaf in zip((*mapped, *shared), leaves, strict=True):
        if leaf.grad is not None:
            np.testing.assert_allclose(found.grads[name], leaf.grad, rtol=1e-8, atol=1e-11, err_msg=name)


PROJECTION = """
w = p[0:3]; t = p[3:6]; f = p[6]; k1 = p[7]; k2 = p[8]; u = p[9:11]; X = p[11:14]; weight = p[14]
theta = sqrt(sum(w*w))
axis = w/theta
q = X*cos(theta) + linalg_cross(axis, X)*sin(theta) + axis*(axis@X)*(1 - cos(theta)) + t
d = q[:2]/q[2]
r = sum(d*d)
weight*(f*(1 + k1*r + k2*r*r)*d + u - seen)
"""


def projection(p: Any, seen: Any) -> Any:
    w, t, f, k1, k2, u, X, weight = p[0:3], p[3:6], p[6], p[7], p[8], p[9:11], p[11:14], p[14]
    theta = torch.sqrt((w * w).sum())
    axis = w / theta
    q = X * torch.cos(theta) + torch.linalg.cross(axis, X) * torch.sin(theta)
    q = q + axis * (axis @ X) * (1 - torch.cos(theta)) + t
    d = q[:2] / q[2]
    r = (d * d).sum()
    return weight * (f * (1 + k1 * r + k2 * r * r) * d + u - seen)


def test_jacobians_of_bundle_adjustment_row_by_row() -> None:
    p, seen = RNG.normal(size=(50, 15)) + 5 * np.eye(15)[5], RNG.normal(size=(50, 2))
    expected = torch.func.vmap(torch.func.jacrev(projection))(torch.tensor(p), torch.tensor(seen))
    found = gc.evaluate(PROJECTION, {"p": p, "seen": seen}, wrt="p", per_row=("p", "seen"))
    np.testing.assert_allclose(found.derivatives["p.jacobian"], expected, rtol=1e-9, atol=1e-10)


def test_gradients_of_a_network_example_by_example() -> None:
    w1, b1, w2 = RNG.normal(size=(6, 4)), RNG.normal(size=6), RNG.normal(size=(3, 6))
    classes = np.array([0, 2, 1, 1, 0])

    def loss(w1: Any, b1: Any, w2: Any, x: Any, t: Any) -> Any:
        return torch.nn.functional.cross_entropy(w2 @ torch.tanh(w1 @ x + b1), t)

    each = torch.func.vmap(torch.func.grad(loss, (0, 1, 2)), (None, None, None, 0, 0))
    expected = each(*map(torch.tensor, (w1, b1, w2, X, classes)))
    inputs = {"w1": w1, "b1": b1, "w2": w2, "x": X, "t": classes}
    found = gc.evaluate("cross_entropy(w2@tanh(w1@x + b1), t)", inputs, wrt=("w1", "b1", "w2"), per_row=("x", "t"))
    for name, gradient in zip(("w1", "b1", "w2"), expected, strict=True):
        np.testing.assert_allclose(found.grads[name], gradient, rtol=1e-9, atol=1e-12)
