"""The six cases of the benchmark: expressions, inputs, the same in the peers' words, and op by op in NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import engine_blocked as blocked
import numpy as np
from engine_measure import Options
from engine_peers import Workload

Array = np.ndarray

CASES = "abcdef"


def headline(words: Any, x: Any) -> Any:
    return words.mean(2 * (3 * x + 7) ** 2)


def headline_tape(x: Array) -> tuple[Any, ...]:
    u = 3 * x + 7
    value = np.mean(2 * u**2)
    g = np.full_like(x, 1 / x.size)
    return value, g * 2 * (2 * u) * 3


def gates(words: Any, x: Any, y: Any) -> Any:
    return words.sum(words.sigmoid(x) * words.tanh(y))


def gates_tape(x: Array, y: Array) -> tuple[Any, ...]:
    s, t = 1 / (1 + np.exp(-x)), np.tanh(y)
    return np.sum(s * t), t * (s * (1 - s)), s * (1 - t**2)


def logistic(words: Any, X: Any, y: Any, w: Any) -> Any:
    return words.mean(words.log1p(words.exp(-y * (X @ w))))


def logistic_tape(X: Array, y: Array, w: Array) -> tuple[Any, ...]:
    e = np.exp(-y * (X @ w))
    g = np.full_like(e, 1 / e.size) / (1 + e) * e * -y
    return np.mean(np.log1p(e)), X.T @ g


def cross_entropy(words: Any, Z: Any, T: Any) -> Any:
    return words.mean(words.logsumexp(Z, 1) - words.sum(Z * T, 1))


def cross_entropy_tape(Z: Array, T: Array) -> tuple[Any, ...]:
    high = np.max(Z, 1, keepdims=True)
    e = np.exp(Z - high)
    powers = np.sum(e, 1, keepdims=True)
    value = np.mean((high + np.log(powers))[:, 0] - np.sum(Z * T, 1))
    return value, e / powers * (1 / len(Z)) - T * (1 / len(Z))


def normalized(words: Any, x: Any) -> Any:
    return words.sum(x / words.sum(words.exp(x)))


def normalized_tape(x: Array) -> tuple[Any, ...]:
    e = np.exp(x)
    powers = np.sum(e)
    quotient = x / powers
    return np.sum(quotient), 1 / powers + np.sum(-quotient / powers) * e


def standardized(words: Any, X: Any) -> Any:
    return words.sum(((X - words.mean(X, axis=0)) / words.std(X)) ** 2)


def standardized_tape(X: Array) -> tuple[Any, ...]:
    d = X - np.mean(X, 0)
    std = np.std(X, 0, ddof=1)
    z = d / std
    g = 2 * z / std
    g_std = np.sum(-2 * z * z / std, 0)
    return np.sum(z**2), g - np.mean(g, 0) + g_std / std / (len(X) - 1) * d


def cases(options: Options, dtype: Any) -> Iterator[Workload]:
    """The cases, one after the other: each holds up to half a gigabyte of inputs."""
    rng = np.random.default_rng(0)
    keys = options.only

    def normal(*shape: int) -> Array:
        return rng.standard_normal(shape, np.float64).astype(dtype)

    n, rows, few = options.size(20_000_000), options.size(2_000_000), options.size(1_000_000)
    if "a" in keys:
        yield Workload("(a)", "mean(2*(3*x+7)**2)", {"x": normal(n)}, ("x",), headline, headline_tape, blocked.headline)
    if "b" in keys:
        inputs = {"x": normal(n), "y": normal(n)}
        yield Workload("(b)", "sum(sigmoid(x)*tanh(y))", inputs, ("x", "y"), gates, gates_tape, blocked.gates)
    if "c" in keys:
        inputs = {"X": normal(rows, 20), "y": np.sign(normal(rows)), "w": normal(20) / 4}
        expression = "mean(log1p(exp(-y*(X@w))))"
        yield Workload("(c)", expression, inputs, ("w",), logistic, logistic_tape, blocked.logistic)
    if "d" in keys:
        inputs = {"Z": normal(few, 10), "T": np.eye(10, dtype=dtype)[rng.integers(0, 10, few)]}
        expression = "mean(logsumexp(Z, 1) - sum(Z*T, 1))"
        yield Workload("(d)", expression, inputs, ("Z",), cross_entropy, cross_entropy_tape, blocked.cross_entropy)
    if "e" in keys:
        yield Workload(
            "(e)", "sum(x/sum(exp(x)))", {"x": normal(n) + 1}, ("x",), normalized, normalized_tape, blocked.normalized
        )
    if "f" in keys:
        inputs = {"X": normal(few, 20) * 3 + 5}
        expression = "sum(((X - mean(X, 0))/std(X, 0))**2)"
        # Its true gradient is zero: terms of 2*z/std cancel.
        yield Workload(
            "(f)", expression, inputs, ("X",), standardized, standardized_tape, blocked.standardized, terms=2 / 3
        )
