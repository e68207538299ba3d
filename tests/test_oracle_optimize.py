"""Steps of gradcli's own methods beside `torch.optim`'s, each from the same state: differences do not add up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.optimize.methods import METHODS, chosen
from gradcli.optimize.point import Point
from tests.oracle import torch

pytestmark = pytest.mark.oracle

STEPS, SIZE = 12, 40
#: PyTorch's classes, and their names of what is remembered.
THEIRS: dict[str, tuple[Any, dict[str, str]]] = {
    "sgd": (torch.optim.SGD, {}),
    "momentum": (torch.optim.SGD, {"velocity": "momentum_buffer"}),
    "adam": (torch.optim.Adam, {"mean": "exp_avg", "square": "exp_avg_sq"}),
    "adamw": (torch.optim.AdamW, {"mean": "exp_avg", "square": "exp_avg_sq"}),
    "rmsprop": (torch.optim.RMSprop, {"square": "square_avg", "velocity": "momentum_buffer"}),
    "adagrad": (torch.optim.Adagrad, {"square": "sum"}),
}
GIVEN: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in THEIRS),
    *((name, {"lr": 0.1}) for name in THEIRS),
    *((name, {"weight_decay": 0.05}) for name in THEIRS),
    ("momentum", {"momentum": 0.5}),
    ("adam", {"betas": (0.3, 0.9), "eps": 1e-3}),
    ("adamw", {"betas": (0.5, 0.99)}),
    ("rmsprop", {"momentum": 0.9, "alpha": 0.5}),
    ("adagrad", {"eps": 1e-2}),
]


def _units(ours: np.ndarray, theirs: np.ndarray, *terms: np.ndarray) -> float:
    """How far apart two arrays are, in units of the last place of the largest term that went into each element."""
    scale = np.max(np.abs([theirs, *terms]), axis=0).astype(theirs.dtype)
    return float((np.abs(ours - theirs) / np.spacing(scale)).max())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "given"), GIVEN, ids=str)
def test_a_step_is_pytorchs_to_two_units_of_the_last_place(name: str, given: dict[str, Any], dtype: str) -> None:
    """PyTorch rounds once where it fuses a product and a sum, so the terms of a sum that cancels decide."""
    method, options = chosen(name, given)
    cls, names = THEIRS[name]
    arguments = {option: value for option, value in options.items() if option not in ("steps", "tol")}
    rng = np.random.default_rng(7)
    theirs = torch.tensor(rng.standard_normal(SIZE).astype(dtype), requires_grad=True)
    optimizer = cls([theirs], **arguments, foreach=False)
    assert method.start is not None
    for step in range(STEPS):
        gradient = (rng.standard_normal(SIZE) * 10.0 ** rng.integers(-3, 3, SIZE)).astype(dtype)
        before = {ours: _kept(optimizer, theirs, key, dtype) for ours, key in names.items()}
        start = theirs.detach().numpy().copy()
        point = Point(start.copy(), 0.0, gradient)
        stepper = method.start(options, point, 0.0)
        stepper.resume({"steps": step, **before})
        stepper.step(point, lambda vector: (0.0, vector))
        theirs.grad = torch.tensor(gradient)
        optimizer.step()
        decay = 0 if name == "adamw" else options["weight_decay"]
        terms, followed = np.abs(gradient) + decay * np.abs(start), gradient + decay * start
        for ours, key in names.items():
            if ours == "velocity" and not options["momentum"]:
                continue
            kept = _kept(optimizer, theirs, key, dtype)
            added = kept - options["momentum"] * before[ours] if len(names) == 2 and ours == "velocity" else terms
            assert _units(stepper.state()[ours], kept, before[ours], terms**2 if ours == "square" else added) <= 2
            if ours != "square":
                terms, followed = np.abs(before[ours]) + np.abs(added), kept
        after = theirs.detach().numpy()
        assert _units(point.vector, after, start, (after - start) * terms / followed) <= 2


def _kept(optimizer: Any, parameter: Any, key: str, dtype: str) -> np.ndarray:
    """What PyTorch remembers under a name; zeros where it has not begun."""
    found = optimizer.state[parameter].get(key) if parameter in optimizer.state else None
    return np.zeros(SIZE, dtype) if found is None else found.numpy().copy()


@pytest.mark.parametrize("name", THEIRS)
def test_defaults_are_pytorchs(name: str) -> None:
    cls, _ = THEIRS[name]
    defaults = cls([torch.zeros(1, requires_grad=True)]).defaults
    for option, value in METHODS[name].options.items():
        if option not in ("steps", "tol") and (name, option) != ("momentum", "momentum"):
            assert defaults[option] == value


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 8, 13])
def test_lbfgs_goes_where_pytorchs_goes(steps: int) -> None:
    start = np.array([-1.2, 1.0, 0.3, 2.0])
    x = torch.tensor(start, requires_grad=True)
    optimizer = torch.optim.LBFGS([x], max_iter=steps, max_eval=1000, line_search_fn="strong_wolfe")

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    found = gc.minimize("sum(100*(x[1:] - x[:-1]**2)**2 + (1 - x[:-1])**2)", {"x": start}, "x", max_iter=steps)
    np.testing.assert_allclose(found.parameters["x"].numpy(), x.detach().numpy(), rtol=1e-7)
    assert found.evaluations == optimizer.state[x]["func_evals"]
