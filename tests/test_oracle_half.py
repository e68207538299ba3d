"""Every case in float16: never further from float64 than PyTorch is and one unit of the last place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradcli.autodiff.vjp import vjp
from gradcli.engine.execute.run import execute
from gradcli.graph.node import constant
from gradcli.tensors.tensor import Tensor
from tests.cases import Case, all_cases, detached_cases
from tests.gradients import build
from tests.half import doubles, halves, units_off, weights
from tests.oracle import torch
from tests.test_oracle import BINARY, ONCE, SPECIAL, WITHOUT_DERIVATIVE, elementwise_names
from tests.test_oracle_nn import ACTIVATIONS, EXTREME, EXTREME_LOSSES, INPUTS, MIXED, NORMS, REDUCED, ROWS
from tests.torch_side import chain, evaluate, tensors

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore:index_reduce"),
    pytest.mark.filterwarnings("ignore:Using a target size"),
    pytest.mark.filterwarnings("ignore:`nn.functional.upsample"),
]

# One unit in the last place, and the digits of float32.
BOUND = 1.0 + 1e-3
CASES = [*all_cases(), *detached_cases()]
# PyTorch shows how it converts float16 within these, or how it copies piece by piece.
OTHER_STEPS = ("rms_norm", "scaled_dot_product", "circular")
# Several operations here, each of which rounds, where PyTorch has one; the units that may come to.
SEVERAL = {
    "batch_norm": 1.0,
    "instance_norm": 2.0,
    "multi_head": 2.0,
    "grid_sample": 3.0,
    "addcdiv": 1.0,
    "multi_margin": 1.0,
}


def _theirs(expression: str, arrays: dict[str, np.ndarray], orders: int) -> dict[str, Any]:
    """PyTorch's value and gradients, by what they are."""
    inputs = tensors(arrays)
    results = {"value": evaluate(expression, inputs)}
    if any(mark in expression for mark in WITHOUT_DERIVATIVE):
        return results
    names = [n for n, t in inputs.items() if t.requires_grad]
    live = [("value", results["value"])]
    for order in range(1, orders + 1):
        live = [(n, t) for n, t in live if t.requires_grad]
        if not live:
            break
        vectors = [torch.tensor(weights(tuple(t.shape), k)).to(t.dtype) for k, (_, t) in enumerate(live)]
        found = torch.autograd.grad(
            [t for _, t in live], [inputs[n] for n in names], vectors, allow_unused=True, create_graph=True
        )
        live = [(f"{n}, order {order}", g) for n, g in zip(names, found, strict=True) if g is not None]
        results.update(live)
    return results


def _ours(expression: str, arrays: dict[str, np.ndarray], orders: int) -> tuple[dict[str, np.ndarray], Tensor]:
    node, leaves = build(expression, arrays)
    results = {"value": node}
    names = [n for n, leaf in leaves.items() if leaf.requires_grad]
    live = [("value", node)]
    for order in range(1, orders + 1):
        live = [(n, x) for n, x in live if x.requires_grad]
        vectors = [constant(weights(x.shape, k).astype(x.dtype)) for k, (_, x) in enumerate(live)]
        found = vjp([x for _, x in live], vectors, [leaves[n] for n in names])
        live = [(f"{n}, order {order}", found[leaves[n]]) for n in names if leaves[n] in found]
        results.update(live)
    return dict(zip(results, execute(list(results.values())), strict=True)), Tensor(node)


def _compare(
    expression: str, arrays: dict[str, np.ndarray], orders: int = 1, each: bool = False, untracked: str = ""
) -> None:
    """Both sides in float16 against PyTorch in float64, element by element if `each`."""
    arrays = halves(arrays)
    exact = _theirs(expression, doubles(arrays), orders)
    try:
        theirs = _theirs(expression, arrays, orders)
    except RuntimeError:
        # PyTorch has no float16 here.
        theirs = {}
    ours, value = _ours(expression, arrays, orders)
    if theirs and not any(mark in expression for mark in (*WITHOUT_DERIVATIVE, *OTHER_STEPS)):
        assert chain(value.grad_fn) == chain(theirs["value"].grad_fn)
    for what, right in exact.items():
        if untracked and what.startswith(untracked):
            continue
        truth = right.detach().numpy(force=True)
        got = ours.get(what)
        if got is None:
            # What PyTorch calls zero has no entry here.
            assert not np.any(truth), what
            continue
        near = theirs[what].detach().numpy(force=True) if what in theirs else None
        assert near is None or got.dtype == near.dtype, what
        for place in [slice(k, k + 1) for k in range(truth.size)] if each else [slice(None)]:
            true = truth.reshape(-1)[place]
            off = units_off(got.reshape(-1)[place], true)
            more = sum(units for mark, units in SEVERAL.items() if mark in expression)
            allowed = BOUND + more + (0.0 if near is None else units_off(near.reshape(-1)[place], true))
            where = {n: a.reshape(-1)[place] for n, a in arrays.items()} if each else ""
            assert off <= allowed, f"{what}: {off} units, {allowed} are allowed {where}"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_cases(case: Case) -> None:
    _compare(case.expression, case.arrays(), orders=1 if any(mark in case.expression for mark in ONCE) else 2)


@pytest.mark.parametrize("expression", [*REDUCED, *NORMS, *MIXED])
def test_losses(expression: str) -> None:
    _compare(expression, INPUTS)


@pytest.mark.parametrize("name", elementwise_names())
def test_special_values(name: str) -> None:
    _compare(f"{name}(x)", {"x": np.array(SPECIAL)}, each=True)


@pytest.mark.parametrize("expression", ACTIVATIONS)
def test_extreme_values(expression: str) -> None:
    # softsign is several operations, whose roundings add up where its slope is small.
    _compare(expression, {"x": np.array(EXTREME)}, each=expression != "softsign(x)")


@pytest.mark.parametrize("expression", BINARY)
def test_special_pairs(expression: str) -> None:
    x, y = (a.ravel() for a in np.meshgrid(np.array(SPECIAL), np.array(SPECIAL)))
    _compare(expression, {"x": x, "y": y}, each=True)


@pytest.mark.parametrize("row", ROWS, ids=str)
@pytest.mark.parametrize("expression", EXTREME_LOSSES)
def test_losses_of_extreme_values(expression: str, row: list[float]) -> None:
    z = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    _compare(expression, {"x": np.array([row, [0.0, 1.0, 2.0]]), "t": np.array([1, 2]), "z": z}, untracked="z")
