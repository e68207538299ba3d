"""Every case against what PyTorch said of it when `recorded.json` was written; in CI PyTorch confirms the file."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from gradcli.autodiff.vjp import backward_function, shown, vjp
from gradcli.engine.execute.run import execute
from gradcli.graph.node import Node, constant
from tests.cases import OTHER_CHAIN, Case, all_cases, detached_cases
from tests.gradients import build, weighted
from tests.record import RECORDED

CASES = [*all_cases(), *detached_cases()]
FIGURES = json.loads(RECORDED.read_text())["cases"]
# PyTorch has no derivative for these and says so in place of a name.
WITHOUT_DERIVATIVE = ("floor_divide", "//")


def _chain(node: Node | None) -> Any:
    if node is None:
        return None
    name, edges = backward_function(node)
    return [name, *(_chain(edge) for edge, _ in edges)]


def test_every_case_is_recorded() -> None:
    assert {str(case) for case in CASES} == set(FIGURES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_as_recorded(case: Case) -> None:
    entry = FIGURES[str(case)]
    value, leaves = build(case.expression, case.arrays())
    got = execute([value])[0]
    assert str(got.dtype) == entry["dtype"] and list(got.shape) == entry["shape"]
    tolerance = (
        {"rtol": 2e-3} if got.dtype == np.float16 else {"rtol": 1e-6} if got.dtype == np.float32 else {"rtol": 1e-9}
    )
    np.testing.assert_allclose(got.astype(np.float64).reshape(-1), entry["value"], atol=1e-11, **tolerance)
    if any(mark in case.expression for mark in WITHOUT_DERIVATIVE):
        return
    root, _ = shown(value)
    if case not in OTHER_CHAIN:
        assert (None if root is None or not value.inputs else _chain(root)) == entry["chain"]
    if "grads" in entry:
        found = vjp([weighted(value, 1)], [constant(np.ones(()))], list(leaves.values()))
        for name, expected in entry["grads"].items():
            if expected is None:
                continue
            gradient = execute([found[leaves[name]]])[0]
            np.testing.assert_allclose(gradient.reshape(-1), expected, atol=1e-11, **tolerance)


@pytest.mark.oracle
def test_the_recorded_figures_are_what_pytorch_says() -> None:
    import warnings

    from tests.record import record

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fresh = json.loads(json.dumps(record()))["cases"]
    assert set(fresh) == set(FIGURES)
    for name, entry in fresh.items():
        assert entry["chain"] == FIGURES[name]["chain"], name
        np.testing.assert_allclose(entry["value"], FIGURES[name]["value"], rtol=1e-9, atol=1e-11, err_msg=name)
