"""Ten more workloads: selections, short and long rows, moments, losses, a network, attention, a chain, a mixture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from engine_measure import Options
from engine_peers import Workload
from engine_workloads import chain_expression, chain_formula

Array = np.ndarray

MORE = "ghijklmnop"


def selected(words: Any, x: Any, y: Any) -> Any:
    return words.sum(words.where(x > 0, x * words.exp(-x), words.sin(x) / 2) * y)


def distances(words: Any, X: Any, c: Any) -> Any:
    return words.sum(words.sqrt(words.sum((X - c) ** 2, 1) + 0.01))


def spread(words: Any, x: Any, y: Any) -> Any:
    return words.var(x * y) + words.mean(words.abs(x - y))


def network(words: Any, X: Any, A: Any, B: Any, Y: Any) -> Any:
    return words.mean((words.relu(X @ A) @ B - Y) ** 2)


def gelu(words: Any, x: Any) -> Any:
    return words.sum(words.gelu(x))


def normalized_rows(words: Any, X: Any, w: Any, b: Any) -> Any:
    return words.sum(words.layer_norm(X, w, b) ** 2)


def attention(words: Any, Q: Any, K: Any, V: Any) -> Any:
    return words.sum((words.softmax(Q @ words.mT(K) / 8, -1) @ V) ** 2)


def huber(words: Any, x: Any, y: Any) -> Any:
    size = words.abs(x - y)
    return words.mean(words.where(size < 1, size * size / 2, size - 0.5))


def mixture(words: Any, X: Any, m: Any) -> Any:
    return -words.mean(words.logsumexp(-0.5 * words.sum((X[:, None] - m) ** 2, 2), 1))


def more(options: Options, dtype: Any) -> Iterator[Workload]:
    """One after the other, as the six cases."""
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> Array:
        return rng.standard_normal(shape, np.float64).astype(dtype)

    n, rows = options.size(20_000_000), options.size(1_000_000)
    keys = options.only
    if "g" in keys:
        expression = "sum(where(x > 0, x*exp(-x), sin(x)/2)*y)"
        yield Workload("(g)", expression, {"x": normal(n), "y": normal(n)}, ("x", "y"), selected)
    if "h" in keys:
        expression = "sum(sqrt(sum((X - c)**2, 1) + 0.01))"
        yield Workload("(h)", expression, {"X": normal(4 * rows, 3), "c": normal(3)}, ("X", "c"), distances)
    if "i" in keys:
        expression = "var(x*y) + mean(abs(x - y))"
        yield Workload("(i)", expression, {"x": normal(n), "y": normal(n)}, ("x", "y"), spread)
    if "j" in keys:
        inputs = {"X": normal(rows, 64), "A": normal(64, 32) / 8, "B": normal(32, 4) / 6, "Y": normal(rows, 4)}
        yield Workload("(j)", "mean((relu(X@A)@B - Y)**2)", inputs, ("A", "B"), network)
    if "k" in keys:
        yield Workload("(k)", "sum(gelu(x))", {"x": normal(n)}, ("x",), gelu)
    if "l" in keys:
        inputs = {"X": normal(rows // 5, 256), "w": normal(256), "b": normal(256)}
        yield Workload("(l)", "sum(layer_norm(X, (256,), w, b)**2)", inputs, ("X", "w", "b"), normalized_rows)
    if "m" in keys:
        inputs = {name: normal(64, 128, 64) for name in "QKV"}
        yield Workload("(m)", "sum((softmax(Q@K.mT/8, -1)@V)**2)", inputs, ("Q", "K", "V"), attention)
    if "n" in keys:
        yield Workload("(n)", "huber_loss(x, y)", {"x": normal(n), "y": normal(n)}, ("x", "y"), huber)
    if "o" in keys:
        yield Workload("(o)", chain_expression(), {"x": normal(2 * rows)}, ("x",), chain_formula)
    if "p" in keys:
        inputs = {"X": normal(10_000, 32), "m": normal(25, 32)}
        expression = "-mean(logsumexp(-0.5*sum((X.unsqueeze(1) - m)**2, 2), 1))"
        yield Workload("(p)", expression, inputs, ("m",), mixture)
