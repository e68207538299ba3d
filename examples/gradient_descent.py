"""A training loop as in PyTorch: forward, backward, an untracked update in place, and zeroed gradients."""

import numpy as np

import gradcli as gc

rng = np.random.default_rng(0)
inputs = rng.uniform(-1, 1, size=(64, 1))
targets = np.sin(3 * inputs)

# One hidden layer of eight units.
w1 = gc.tensor(rng.normal(size=(1, 8)), requires_grad=True)
b1 = gc.zeros(8, dtype=gc.float64, requires_grad=True)
w2 = gc.tensor(rng.normal(size=(8, 1)) / 8, requires_grad=True)
b2 = gc.zeros(1, dtype=gc.float64, requires_grad=True)
parameters = [w1, b1, w2, b2]

for step in range(501):
    hidden = gc.tanh(inputs @ w1 + b1)
    loss = gc.mse_loss(hidden @ w2 + b2, targets)
    loss.backward()
    if step % 100 == 0:
        print(f"step {step:3}  loss {loss.item():.4f}")
    with gc.no_grad():
        for p in parameters:
            p -= 0.3 * p.grad
            p.grad.zero_()
