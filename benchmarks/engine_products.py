"""Workloads where products of matrices rule: a small network, attention, mixtures, everything with everything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from engine_cases import logistic, logistic_tape
from engine_measure import Options
from engine_peers import Workload

Array = np.ndarray


def network(words: Any, X: Any, A: Any, B: Any, Y: Any) -> Any:
    return words.mean((words.relu(X @ A) @ B - Y) ** 2)


def network_tape(X: Array, A: Array, B: Array, Y: Array) -> tuple[Any, ...]:
    inner = X @ A
    hidden = np.maximum(inner, 0)
    rest = hidden @ B - Y
    g = rest * X.dtype.type(2 / rest.size)
    return np.mean(rest**2), X.T @ ((g @ B.T) * (inner > 0)), hidden.T @ g


def attention(words: Any, q: Any, k: Any, v: Any, w: Any) -> Any:
    return words.sum((words.softmax(q @ words.mT(k) / 8, -1) @ v) * w)


def attention_tape(q: Array, k: Array, v: Array, w: Array) -> tuple[Any, ...]:
    scores = q @ np.swapaxes(k, -1, -2) / 8
    p = np.exp(scores - scores.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    g = w @ np.swapaxes(v, -1, -2)
    g = p * (g - np.sum(g * p, -1, keepdims=True)) / 8
    return np.sum((p @ v) * w), g @ k, np.swapaxes(g, -1, -2) @ q, np.swapaxes(p, -1, -2) @ w


def mixture(words: Any, X: Any, mu: Any, b: Any) -> Any:
    return words.sum(words.logsumexp(-0.5 * ((X[:, None, :] - mu) ** 2).sum(2) + b, 1))


def mixture_tape(X: Array, mu: Array, b: Array) -> tuple[Any, ...]:
    d = X[:, None, :] - mu
    z = -0.5 * np.sum(d * d, 2) + b
    high = z.max(1, keepdims=True)
    e = np.exp(z - high)
    powers = e.sum(1, keepdims=True)
    p = e / powers
    pulled = p[:, :, None] * d
    return np.sum(high + np.log(powers)), -pulled.sum(1), pulled.sum(0), p.sum(0)


def pairs(words: Any, x: Any) -> Any:
    return words.mean(words.exp(x @ words.mT(x)))


def pairs_tape(x: Array) -> tuple[Any, ...]:
    e = np.exp(x @ x.T)
    return np.mean(e), (e + e.T) @ x / x.dtype.type(e.size)


def products(options: Options, dtype: Any) -> Iterator[Workload]:
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> Array:
        return rng.standard_normal(shape, np.float64).astype(dtype)

    rows, few, points = options.size(1_000_000), options.size(2_000_000), options.size(10_000)
    heads = max(1, int(64 * options.scale))
    inputs = {"X": normal(rows, 64), "A": normal(64, 32) / 8, "B": normal(32, 4) / 6, "Y": normal(rows, 4)}
    expression = "mean((relu(X@A)@B - Y)**2)"
    yield Workload(f"64-32-4 units, {rows}", expression, inputs, ("A", "B"), network, network_tape)
    inputs = {name: normal(heads, 128, 64) for name in "qkvw"}
    expression = "sum((softmax(q@k.mT/8, -1)@v)*w)"
    yield Workload(f"attention, {heads} × 128 × 64", expression, inputs, ("q", "k", "v"), attention, attention_tape)
    inputs = {"X": normal(points, 32), "mu": normal(25, 32), "b": normal(25)}
    expression = "sum(logsumexp(-0.5*sum((X[:, None, :] - mu)**2, 2) + b, 1))"
    yield Workload(f"mixture of 25, {points} × 32", expression, inputs, ("X", "mu", "b"), mixture, mixture_tape)
    inputs = {"X": normal(few, 20), "y": np.sign(normal(few)), "w": normal(20) / 4}
    expression = "mean(log1p(exp(-y*(X@w))))"
    yield Workload(f"logistic, {few} × 20", expression, inputs, ("w",), logistic, logistic_tape)
    inputs = {"x": normal(points // 2, 32) / 8}
    yield Workload(f"all pairs, {points // 2} × 32", "mean(exp(x@x.T))", inputs, ("x",), pairs, pairs_tape)
