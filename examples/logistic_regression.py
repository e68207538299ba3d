"""Logistic regression on .npy files: the loss is one expression, whose gradient is used for gradient descent.

`log1p(exp(-m))` is the textbook form of the loss; `softplus(-m)` is the same, and overflows for no m.
"""

import tempfile
from pathlib import Path

import numpy as np

import gradcli as gc

LOSS = """
margin = y*(X@w)
mean(log1p(exp(-margin))) + 0.01*sum(w**2)
"""

rng = np.random.default_rng(0)
with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    X = rng.normal(size=(500, 2))
    np.save(folder / "X.npy", X)
    np.save(folder / "y.npy", np.where(X @ [1.0, -2.0] + 0.3 * rng.normal(size=500) > 0, 1.0, -1.0))

    data = {"X": np.load(folder / "X.npy"), "y": np.load(folder / "y.npy")}
    w = np.zeros(2)
    for step in range(26):
        result = gc.evaluate(LOSS, {**data, "w": w}, wrt="w")
        if step % 5 == 0:
            print(f"step {step:2}  loss {result.value:.4f}  gradient {np.linalg.norm(result.grads['w'].numpy()):.4f}")
        w = w - 2.0 * result.grads["w"].numpy()

    right = np.mean(np.sign(data["X"] @ w) == data["y"])
    print(f"{right:.0%} of the points are classified correctly")

    # For large margins, the textbook form overflows and the safe form does not.
    far = {"m": np.array([-1000.0, 0.0, 1000.0], np.float32)}
    print(gc.evaluate("log1p(exp(-m))", far).value.detach())
    print(gc.evaluate("softplus(-m)", far).value.detach())
