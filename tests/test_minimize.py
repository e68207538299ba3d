"""`gradcli.minimize`: known minima by every method, batches, what is refused, runs that go on to the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.optimize.methods import METHODS

ROSENBROCK = "(1 - x)**2 + 100*(y - x**2)**2"
START = {"x": np.float64(-1.2), "y": np.float64(1.0)}
OWN = [name for name, method in METHODS.items() if not method.scipy]
SCIPY = [name for name, method in METHODS.items() if method.scipy]


def _logistic() -> tuple[str, dict[str, Any]]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((100, 5))
    y = (x @ [1, 2, -1, 0, 0.5] + rng.standard_normal(100) > 0).astype(float)
    loss = "mean(softplus(X@w + b) - y*(X@w + b)) + 0.01*sum(w**2)"
    return loss, {"X": x, "y": y, "w": np.zeros(5), "b": np.zeros(())}


@pytest.mark.parametrize("method", ["lbfgs", *SCIPY])
def test_rosenbrock(method: str) -> None:
    found = gc.minimize(ROSENBROCK, START, ["x", "y"], method=method, tol=1e-12)
    assert found.converged, found.reason
    assert [found.parameters[name].item() for name in "xy"] == pytest.approx([1, 1], abs=1e-6)


@pytest.mark.parametrize("method", OWN)
def test_logistic_regression(method: str) -> None:
    """Every method of gradcli's own ends where L-BFGS does; those that end slowly have come near."""
    loss, data = _logistic()
    best = gc.minimize(loss, data, ["w", "b"], tol=1e-12)
    more: dict[str, Any] = {} if method == "lbfgs" else {"lr": 0.05, "steps": 4000}
    if method == "adamw":
        more["weight_decay"] = 0.0
    if method in ("sgd", "adagrad"):
        more["lr"] = 0.5
    found = gc.minimize(loss, data, ["w", "b"], method=method, **more)
    # The steps of RMSprop keep their length, those of Adam grow again where gradients have been small for long.
    atol = 0.1 if method == "rmsprop" else 1e-2
    np.testing.assert_allclose(found.parameters["w"].numpy(), best.parameters["w"].numpy(), atol=atol)
    assert found.value.item() >= best.value.item() - 1e-14
