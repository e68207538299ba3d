"""More workloads: a long chain, a multilayer perceptron, inverses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from engine_measure import Options
from engine_peers import Workload

Array = np.ndarray

#: Of four operations each.
LINKS = 50


def chain_formula(words: Any, x: Any) -> Any:
    t = x
    for _ in range(LINKS):
        t = words.tanh(1.1 * words.sin(t) + 0.2)
    return words.mean(t)


def chain_tape(x: Array) -> tuple[Any, ...]:
    links = []
    t = x
    for _ in range(LINKS):
        result = np.tanh(1.1 * np.sin(t) + 0.2)
        links.append((t, result))
        t = result
    g = np.full_like(x, 1 / x.size)
    for before, result in reversed(links):
        g = g * (1 - result**2) * 1.1 * np.cos(before)
    return np.mean(t), g


def chain_expression() -> str:
    return "t = x; " + "t = tanh(1.1*sin(t) + 0.2); " * LINKS + "mean(t)"


def chain(options: Options) -> Iterator[Workload]:
    """200 elementwise operations, one on top of the other."""
    x = np.random.default_rng(0).standard_normal(options.size(2_000_000))
    name = f"{4 * LINKS} operations, {x.size / 1e6:g} M"
    for dtype in (np.float32, np.float64):
        yield Workload(name, chain_expression(), {"x": x.astype(dtype)}, ("x",), chain_formula, chain_tape)


def perceptron_formula(words: Any, X: Any, A: Any, B: Any, C: Any) -> Any:
    return words.mean((words.relu(words.tanh(X @ A) @ B) @ C) ** 2)


def perceptron_tape(X: Array, A: Array, B: Array, C: Array) -> tuple[Any, ...]:
    first = np.tanh(X @ A)
    inner = first @ B
    second = np.maximum(inner, 0)
    out = second @ C
    g = out * X.dtype.type(2 / out.size)
    g_inner = (g @ C.T) * (inner > 0)
    g_first = (g_inner @ B.T) * (1 - first**2)
    return np.mean(out**2), X.T @ g_first, first.T @ g_inner, second.T @ g


def perceptron(options: Options) -> Iterator[Workload]:
    """Three matrix products at batch 64 Ki × 256 with tanh and relu between, gradients of the weights."""
    rng = np.random.default_rng(0)
    arrays = {"X": rng.standard_normal((max(256, int(65_536 * options.scale)), 256))}
    arrays |= {name: rng.standard_normal((256, 256)) / 16 for name in "ABC"}
    expression = "mean((relu(tanh(X@A)@B)@C)**2)"
    name = f"three layers, {len(arrays['X'])} × 256"
    for dtype in (np.float32, np.float64):
        inputs = {name: array.astype(dtype) for name, array in arrays.items()}
        yield Workload(name, expression, inputs, ("A", "B", "C"), perceptron_formula, perceptron_tape)


def inverse_formula(words: Any, A: Any, B: Any) -> Any:
    return words.sum(words.inv(A) * B)


def inverse_tape(A: Array, B: Array) -> tuple[Any, ...]:
    inverse = np.linalg.inv(A)
    transposed = np.swapaxes(inverse, -1, -2)
    return np.sum(inverse * B), -(transposed @ B @ transposed)


def inverses(options: Options) -> Iterator[Workload]:
    """The inverse of one large matrix, and of many small ones."""
    rng = np.random.default_rng(0)
    n, many = int(1000 * options.scale ** (1 / 3)), max(1, int(10_000 * options.scale))
    for name, shape in ((f"inv, {n} × {n}", (n, n)), (f"inv, {many} of 16 × 16", (many, 16, 16))):
        # Far from singular, so that float32 says the same as float64.
        A = rng.standard_normal(shape) / shape[-1] ** 0.5 + 3 * np.eye(shape[-1])  # noqa: N806
        B = rng.standard_normal(shape)  # noqa: N806
        for dtype in (np.float32, np.float64):
            inputs = {"A": A.astype(dtype), "B": B.astype(dtype)}
            yield Workload(name, "sum(inv(A)*B)", inputs, ("A",), inverse_formula, inverse_tape)
