"""Functions over rows against torch.func.vmap, and gradients for each row against vmap of its grad and jacrev."""

# Cases are laid out by hand, and matrices have the letters that books give them.
# fmt: off
# ruff: noqa: N803

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
