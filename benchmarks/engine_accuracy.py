"""Errors of float32 reductions against `math.fsum`, beside a float64 accumulation rounded once and PyTorch's."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Iterator

import numpy as np
from engine_measure import Options, print_table

import gradcli as gc

Array = np.ndarray
#: The reductions of an array, by name.
Reduce = Callable[[Array], dict[str, float]]


def _distributions(n: int) -> Iterator[tuple[str, Array]]:
    rng = np.random.default_rng(0)
    yield "uniform", rng.random(n, np.float32)
    yield "normal", rng.standard_normal(n, np.float32)
    yield "lognormal, sigma 4", np.exp(4 * rng.standard_normal(n, np.float32))
    yield "0.1, the same everywhere", np.full(n, 0.1, np.float32)
    # Pairs of large numbers of opposite sign, far apart, and small ones that are left.
    large = rng.standard_normal(n // 2, np.float32) * np.float32(1e6)
    rest = rng.random(n - 2 * (n // 2), np.float32)
    cancelling = np.concatenate([large, -large, rest]) + rng.random(n, np.float32)
    yield "cancelling pairs", cancelling


def _exact(x: Array) -> dict[str, float]:
    """The three reductions without error: products of float32 numbers are exact in float64."""
    wide = x.astype(np.float64)
    total = math.fsum(wide)
    return {"sum(x)": total, "mean(x)": total / x.size, "sum(x**2)": math.fsum(wide * wide)}


def _rounded_once(x: Array) -> dict[str, float]:
    wide = x.astype(np.float64)
    total = np.add.reduce(wide)
    values = {"sum(x)": total, "mean(x)": total / x.size, "sum(x**2)": np.add.reduce(wide * wide)}
    return {name: float(np.float32(value)) for name, value in values.items()}


def _gradcli(x: Array) -> dict[str, float]:
    return {name: gc.evaluate(name, {"x": x}, wrt=()).value.item() for name in ("sum(x)", "mean(x)", "sum(x**2)")}


def _torch(x: Array) -> dict[str, float]:
    import torch

    t = torch.from_numpy(x)
    return {"sum(x)": t.sum().item(), "mean(x)": t.mean().item(), "sum(x**2)": (t**2).sum().item()}


def print_accuracy(options: Options) -> None:
    """A table of relative errors; gradcli is to be at least as accurate as the float64 accumulation."""
    kinds: dict[str, Reduce] = {"gradcli": _gradcli, "float64, rounded once": _rounded_once}
    if importlib.util.find_spec("torch") is not None:
        kinds["PyTorch"] = _torch
    else:
        print("PyTorch is left out: torch not installed")
    n = options.size(5_000_000)
    rows = []
    for name, x in _distributions(n):
        exact = _exact(x)
        found = {kind: compute(x) for kind, compute in kinds.items()}
        for reduction, value in exact.items():
            errors = [abs(found[kind][reduction] - value) / abs(value) for kind in kinds]
            rows.append([f"{reduction}, {name}", *(f"{error:.1e}" for error in errors)])
    print_table([f"{n / 1e6:g} M numbers", *kinds], rows)
