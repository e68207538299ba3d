"""Minimizing beside PyTorch and scikit-learn: warm times, interleaved, as ratios; where they end is compared first.

    python benchmarks/minimize.py [ROWS]

Logistic regression by L-BFGS, from zeros until no element of the gradient is larger than 1e-5, and 10,000 steps of Adam
on two small problems, beside the loop that PyTorch's tutorials show. scikit-learn is left out where it is missing.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

import gradcli as gc
from benchmarks.engine_measure import interleave

REPEAT = 5
TOLERANCE = 1e-5
STEPS = 10_000

Contenders = dict[str, Callable[[], np.ndarray]]


def _labelled(rng: np.random.Generator, rows: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    x = rng.standard_normal((rows, n)).astype(np.float32)
    noise = rng.logistic(size=rows).astype(np.float32)
    return x, (x @ np.linspace(-1, 1, n, dtype=np.float32) + noise > 0).astype(np.float32)


def _regression(rows: int, n: int = 20) -> Contenders:
    """Logistic regression to convergence."""
    x, y = _labelled(np.random.default_rng(0), rows, n)
    loss = "z = X@w + b; mean(softplus(z) - y*z)"
    data = {"X": x, "y": y, "w": np.zeros(n, np.float32), "b": np.zeros((), np.float32)}
    both = [torch.tensor(x), torch.tensor(y)]

    def own() -> np.ndarray:
        found = gc.minimize(loss, data, ["w", "b"], tol=TOLERANCE)
        assert found.converged
        return found.parameters["w"].numpy()

    def pytorch() -> np.ndarray:
        w, b = torch.zeros(n, requires_grad=True), torch.zeros((), requires_grad=True)
        given = {"max_iter": 1000, "tolerance_grad": TOLERANCE, "tolerance_change": 0.0}
        optimizer = torch.optim.LBFGS([w, b], line_search_fn="strong_wolfe", **given)

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            z = both[0] @ w + b
            value = torch.nn.functional.binary_cross_entropy_with_logits(z, both[1])
            value.backward()
            return value

        optimizer.step(closure)
        return w.detach().numpy()

    return {"gradcli": own, "PyTorch": pytorch} | _scikit_learn(x, y)


def _scikit_learn(x: np.ndarray, y: np.ndarray) -> Contenders:
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        print("scikit-learn is not installed: it is left out")
        return {}
    model = LogisticRegression(C=np.inf, tol=TOLERANCE, max_iter=1000)
    return {"scikit-learn": lambda: model.fit(x, y).coef_[0]}


def _small_regression() -> Contenders:
    """Adam on a logistic regression of 100 rows."""
    x, y = _labelled(np.random.default_rng(1), 100, 5)
    data = {"X": x, "y": y, "w": np.zeros(5, np.float32), "b": np.zeros((), np.float32)}
    tx, ty = torch.tensor(x), torch.tensor(y)

    def loss(w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        z = tx @ w + b
        return (torch.nn.functional.softplus(z) - ty * z).mean()

    return _adam("z = X@w + b; mean(softplus(z) - y*z)", data, ["w", "b"], loss)


def _line() -> Contenders:
    """Adam on a line through 50 points."""
    rng = np.random.default_rng(2)
    x = np.linspace(0, 1, 50, dtype=np.float32)
    y = 2 * x + 1 + rng.standard_normal(50).astype(np.float32) / 10
    data = {"x": x, "y": y, "a": np.zeros((), np.float32), "b": np.zeros((), np.float32)}
    tx, ty = torch.tensor(x), torch.tensor(y)
    return _adam("mean((a*x + b - y)**2)", data, ["a", "b"], lambda a, b: ((a * tx + b - ty) ** 2).mean())


def _adam(expression: str, data: dict[str, Any], wrt: list[str], loss: Callable[..., torch.Tensor]) -> Contenders:
    def own() -> np.ndarray:
        found = gc.minimize(expression, data, wrt, method="adam", steps=STEPS)
        return np.concatenate([found.parameters[name].numpy().reshape(-1) for name in wrt])

    def pytorch() -> np.ndarray:
        parameters = [torch.tensor(data[name], requires_grad=True) for name in wrt]
        optimizer = torch.optim.Adam(parameters)
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss(*parameters).backward()
            optimizer.step()
        return np.concatenate([parameter.detach().numpy().reshape(-1) for parameter in parameters])

    return {"gradcli": own, "PyTorch": pytorch}


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000
    cases = {
        f"L-BFGS, logistic regression {rows:,} x 20": _regression(rows),
        "10,000 steps of Adam, 100 x 5": _small_regression(),
        "10,000 steps of Adam, a line": _line(),
    }
    for title, contenders in cases.items():
        results = {name: run() for name, run in contenders.items()}
        for found in results.values():
            np.testing.assert_allclose(found, results["gradcli"], atol=2e-3)
        times = interleave(contenders, REPEAT)
        print(f"{title}: gradcli {statistics.median(times['gradcli']):.2f} s")
        for name in list(contenders)[1:]:
            ratio = statistics.median(a / b for a, b in zip(times["gradcli"], times[name], strict=True))
            print(f"    {name} {statistics.median(times[name]):.2f} s: gradcli takes {ratio:.2f} of its time")


if __name__ == "__main__":
    main()
