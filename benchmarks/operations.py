"""Operations one by one beside PyTorch: `python benchmarks/operations.py [NAME…]` prints a table of ratios.

A ratio is PyTorch's time divided by that of gradcli, for the value alone and for the value with all gradients: the
best of some rounds, in which both take turns. Above 1 gradcli is ahead.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from engine_measure import Run, Shares, interleave
from record import Record, add_option, summary

import gradcli as gc


class Operation(NamedTuple):
    """An expression of inputs, and PyTorch's function of the same."""

    name: str
    size: str
    expression: str
    inputs: dict[str, np.ndarray]
    theirs: Callable[..., Any]


def operations(dtype: str) -> Iterator[Operation]:
    rng = np.random.default_rng(0)
    for shape, dim in (((4000, 1000), 1), ((4000, 1000), 0), ((10_000_000,), 0), ((400_000, 10), 1)):
        size = f"{' × '.join(map(str, shape))}, dim {dim}"
        x, y = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
        i = rng.integers(0, shape[dim], shape)
        yield Operation("cumsum", size, f"cumsum(x, {dim})", {"x": x}, lambda x, d=dim: x.cumsum(d))
        yield Operation("sort", size, f"sort(x, {dim}).values", {"x": x}, lambda x, d=dim: x.sort(d).values)
        yield Operation("gather", size, f"gather(x, {dim}, i)", {"x": x, "i": i}, lambda x, i, d=dim: x.gather(d, i))
        yield Operation(
            "scatter_add",
            size,
            f"scatter_add(x, {dim}, i, y)",
            {"x": x, "i": i, "y": y},
            lambda x, i, y, d=dim: x.scatter_add(d, i, y),
        )
    table, rows = rng.standard_normal((50_000, 64)).astype(dtype), rng.integers(0, 50_000, 200_000)
    embedding = torch.nn.functional.embedding
    yield Operation("embedding", "200000 of 50000 × 64", "embedding(i, w)", {"i": rows, "w": table}, embedding)
    x = rng.standard_normal(4_000_000).astype(dtype)
    yield Operation("x[x > 0]", "4000000", "x[x > 0]", {"x": x}, lambda x: x[x > 0])
    yield Operation("topk", "4000000, k 100", "topk(x, 100).values", {"x": x}, lambda x: x.topk(100).values)
    yield from of_networks(rng, dtype)


def of_networks(rng: np.random.Generator, dtype: str) -> Iterator[Operation]:
    functional = torch.nn.functional
    for batch, kernel in (((64, 3, 224, 224), (64, 3, 7, 7)), ((32, 64, 28, 28), (64, 64, 3, 3))):
        x, w = (rng.standard_normal(shape).astype(dtype) for shape in (batch, kernel))
        size = " by ".join(" × ".join(map(str, shape)) for shape in (batch, kernel))
        yield Operation("conv2d", size, "conv2d(x, w)", {"x": x, "w": w}, functional.conv2d)
    x = rng.standard_normal((32, 64, 56, 56)).astype(dtype)
    size = "32 × 64 × 56 × 56"
    for expression, theirs in (
        ("max_pool2d(x, 2)", lambda x: functional.max_pool2d(x, 2)),
        ("avg_pool2d(x, 2)", lambda x: functional.avg_pool2d(x, 2)),
        ("interpolate(x, scale_factor=2., mode='bilinear')", lambda x: functional.interpolate(x, None, 2, "bilinear")),
    ):
        yield Operation(expression.split("(")[0], size, expression, {"x": x}, theirs)
    heads = {name: rng.standard_normal((8, 8, 512, 64)).astype(dtype) for name in "qkv"}
    attention = functional.scaled_dot_product_attention
    yield Operation("attention", "8 × 8 × 512 × 64", "scaled_dot_product_attention(q, k, v)", heads, attention)


def _ours(one: Operation) -> tuple[Run, Run]:
    return (
        lambda: gc.evaluate(one.expression, one.inputs, wrt=()).value.detach().numpy(),
        lambda: gc.evaluate(one.expression, one.inputs, grad_output=1).grads,
    )


def _theirs(one: Operation) -> tuple[Run, Run]:
    plain = [torch.from_numpy(array) for array in one.inputs.values()]
    tracked = [x.clone().requires_grad_() if x.is_floating_point() else x for x in plain]
    wanted = [x for x in tracked if x.requires_grad]

    def gradients() -> Any:
        value = one.theirs(*tracked)
        return torch.autograd.grad(value, wanted, torch.ones(()).to(value).expand_as(value))

    return lambda: one.theirs(*plain), gradients


def times(ours: Run, theirs: Run, limit: float, least: int) -> dict[str, dict[str, float]]:
    """Both by turns, warm: many rounds of what is short, since others may be at work."""
    ours()
    theirs()
    found = interleave({"gradcli": ours, "PyTorch": theirs}, sys.maxsize, seconds=limit, least=least)
    return {name: summary(values) for name, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--seconds", type=float, default=1.5, help="for the rounds of each comparison")
    parser.add_argument("--limit", type=float, default=math.inf, help="seconds for all comparisons together")
    add_option(parser)
    given = parser.parse_args()
    # Values and gradients in both dtypes.
    wanted = 4 * sum(not given.names or one.name in given.names for one in operations("float32"))
    record, shares = Record(given.json, wanted), Shares(given.limit, wanted)
    print("| operation | size | value, float32 / float64 | with gradients, float32 / float64 |")
    print("| --- | --- | ---: | ---: |")
    for single, double in zip(operations("float32"), operations("float64"), strict=True):
        if given.names and single.name not in given.names:
            continue
        found = []
        for dtype, one in (("float32", single), ("float64", double)):
            ratios = []
            for what, ours, theirs in zip(("value", "gradients"), _ours(one), _theirs(one), strict=True):
                limit = min(given.seconds, shares.take() - time.perf_counter())
                measured = times(ours, theirs, limit, shares.least)
                about = {"operation": one.name, "size": one.size, "expression": one.expression}
                record.add(measured, **about, dtype=dtype, what=what)
                ratios.append(measured["PyTorch"]["min"] / measured["gradcli"]["min"])
            found.append(ratios)
        cells = [f"{a:.2f} / {b:.2f}" for a, b in zip(*found, strict=True)]
        print(f"| {single.name} | {single.size} | {cells[0]} | {cells[1]} |", flush=True)


if __name__ == "__main__":
    main()
