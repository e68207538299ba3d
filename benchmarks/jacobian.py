"""Jacobians and Hessians beside JAX: warm times, interleaved, as ratios; the results are compared too.

    python benchmarks/jacobian.py

JAX's functions are compiled beforehand. gradcli builds and plans its graph in each call, as its users do.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import gradcli as gc
from benchmarks.engine_measure import interleave

REPEAT = 9

Case = tuple[str, Callable[[], Any], Callable[[], Any]]


def _tanh_layer(rng: np.random.Generator, n: int) -> Case:
    w, x = rng.standard_normal((n, n)).astype(np.float32) / n**0.5, rng.standard_normal(n).astype(np.float32)
    theirs = jax.jit(jax.jacrev(lambda v: jnp.tanh(w @ v)))
    own, point = gc.tensor(w), gc.tensor(x)
    return (
        f"Jacobian of tanh(W@x), {n} x {n}",
        lambda: gc.jacobian(lambda v: (own @ v).tanh(), point),
        lambda: theirs(x),
    )


def _two_layers(rng: np.random.Generator, n: int, hidden: int) -> Case:
    a, b = (rng.standard_normal(s).astype(np.float32) / n**0.5 for s in ((n, hidden), (hidden, n)))
    x = rng.standard_normal(n).astype(np.float32)
    theirs = jax.jit(jax.jacrev(lambda v: jnp.tanh(a @ jnp.tanh(b @ v))))
    one, two, point = gc.tensor(a), gc.tensor(b), gc.tensor(x)
    return (
        f"Jacobian of tanh(A@tanh(B@x)), {n} - {hidden} - {n}",
        lambda: gc.jacobian(lambda v: (one @ (two @ v).tanh()).tanh(), point),
        lambda: theirs(x),
    )


def _elementwise(rng: np.random.Generator, n: int) -> Case:
    x = rng.standard_normal(n).astype(np.float32)
    theirs = jax.jit(jax.jacrev(lambda v: jnp.sin(v) * jnp.exp(v)))
    point = gc.tensor(x)
    return (
        f"Jacobian of sin(x)*exp(x), {n:,} elements",
        lambda: gc.jacobian(lambda v: v.sin() * v.exp(), point),
        lambda: theirs(x),
    )


def _logistic(rng: np.random.Generator, rows: int, n: int) -> Case:
    x = rng.standard_normal((rows, n)).astype(np.float32)
    y = np.sign(rng.standard_normal(rows)).astype(np.float32)
    w = (rng.standard_normal(n) / n).astype(np.float32)
    theirs = jax.jit(jax.hessian(lambda v: jnp.mean(jnp.log1p(jnp.exp(-y * (x @ v))))))
    data, labels, point = gc.tensor(x), gc.tensor(y), gc.tensor(w)
    return (
        f"Hessian of a logistic loss, {n} parameters, {rows} rows",
        lambda: gc.hessian(lambda v: (-labels * (data @ v)).exp().log1p().mean(), point),
        lambda: theirs(w),
    )


def _matrix(rng: np.random.Generator, n: int) -> Case:
    a = (rng.standard_normal((n, n)) / n + np.eye(n)).astype(np.float32)
    theirs = jax.jit(jax.jacrev(lambda m: jnp.linalg.inv(m) @ m.T))
    point = gc.tensor(a)
    return (
        f"Jacobian of inv(A)@A.T, {n} x {n}",
        lambda: gc.jacobian(lambda m: gc.inv(m) @ m.T, point),
        lambda: theirs(a),
    )


def _rows(rng: np.random.Generator, rows: int, n: int) -> Case:
    x = rng.standard_normal((rows, n)).astype(np.float32)
    theirs = jax.jit(jax.jacrev(lambda m: jax.nn.softmax(m, 1)))
    point = gc.tensor(x)
    return (
        f"Jacobian of softmax(x, 1), {rows} x {n}",
        lambda: gc.jacobian(lambda m: m.softmax(1), point),
        lambda: theirs(x),
    )


def main() -> None:
    rng = np.random.default_rng(0)
    cases = [
        _tanh_layer(rng, 1000),
        _two_layers(rng, 1000, 500),
        _elementwise(rng, 3000),
        _rows(rng, 200, 10),
        _matrix(rng, 30),
        _logistic(rng, 2000, 300),
    ]
    print(f"{'':52} {'gradcli':>10} {'JAX':>10} {'ratio':>7}")
    for name, own, theirs in cases:
        ours, expected = np.asarray(own()), np.asarray(theirs())
        np.testing.assert_allclose(ours, expected, rtol=2e-3, atol=2e-4 * np.abs(expected).max())
        times = interleave({"own": own, "theirs": lambda run=theirs: run().block_until_ready()}, REPEAT)
        ratio = statistics.median(a / b for a, b in zip(times["own"], times["theirs"], strict=True))
        a, b = (statistics.median(times[k]) for k in ("own", "theirs"))
        print(f"{name:52} {a * 1e3:8.2f}ms {b * 1e3:8.2f}ms {ratio:7.2f}")


if __name__ == "__main__":
    main()
