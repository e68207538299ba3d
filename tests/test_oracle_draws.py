"""Random numbers against PyTorch's for the same seed, in every dtype, below and above the lengths where it changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli as gc
from tests.oracle import torch

pytestmark = pytest.mark.oracle
COUNTS = [0, 1, 2, 15, 16, 17, 40, 1000, 33001]
FLOATS = ["float16", "float32", "float64"]


def agree(ours: Any, theirs: Any) -> None:
    """The same numbers of both, and the same ones after them."""
    for seed in (0, 9):
        gc.manual_seed(seed)
        torch.manual_seed(seed)
        found, expected = ours(), theirs()
        np.testing.assert_array_equal(found.detach().numpy(), expected.detach().numpy())
        assert str(found.dtype) == str(expected.dtype).removeprefix("torch.")
        np.testing.assert_array_equal(gc.randn(3).numpy(), torch.randn(3).numpy())


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_numbers_drawn_in_place(dtype: str, count: int) -> None:
    kind = getattr(torch, dtype)
    p = np.random.default_rng(0).random(count).astype(dtype)
    for low, high in ((-1.3, 2.6), (0, 1), (1, 1.0000001), (2, 2)):
        agree(
            lambda low=low, high=high: gc.zeros(count, dtype=dtype).uniform_(low, high),
            lambda low=low, high=high: torch.zeros(count, dtype=kind).uniform_(low, high),
        )
        agree(
            lambda low=low, high=high: gc.zeros(count, dtype=dtype).normal_(low, high),
            lambda low=low, high=high: torch.zeros(count, dtype=kind).normal_(low, high),
        )
    for mean, deviation in ((float("inf"), 1), (0, float("inf")), (0, 1e38)):
        agree(
            lambda mean=mean, deviation=deviation: gc.zeros(count, dtype=dtype).normal_(mean, deviation),
            lambda mean=mean, deviation=deviation: torch.zeros(count, dtype=kind).normal_(mean, deviation),
        )
    agree(lambda: gc.zeros(count).bernoulli_(0.3), lambda: torch.zeros(count).bernoulli_(0.3))
    agree(
        lambda: gc.zeros(count, dtype=dtype).bernoulli_(gc.tensor(p)),
        lambda: torch.zeros(count, dtype=kind).bernoulli_(torch.tensor(p)),
    )
    agree(lambda: gc.bernoulli(gc.tensor(p)), lambda: torch.bernoulli(torch.tensor(p)))
    for bounds in ((5,), (), (3, 9), (-7, None)):
        agree(
            lambda bounds=bounds: gc.zeros(count, dtype=dtype).random_(*bounds),
            lambda bounds=bounds: torch.zeros(count, dtype=kind).random_(*bounds),
        )


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("dtype", [*FLOATS, "int64", "int32", "int16", "int8", "uint8", "bool"])
def test_distributions_drawn_in_place(dtype: str, count: int) -> None:
    kind = getattr(torch, dtype)
    calls: list[tuple[Any, ...]] = [("random_",), ("random_", 0, None)]
    if dtype not in ("bool", "uint8"):
        calls += [("random_", -100, None), ("random_", -100, 100)]
    if dtype == "int64":
        calls += [("random_", -(2**63), None)]
    if dtype != "bool":
        calls += [("geometric_", 0.3), ("geometric_", 0.001)]
    if dtype in FLOATS:
        calls += [("exponential_",), ("exponential_", 0.3), ("exponential_", float("inf"))]
        calls += [("cauchy_",), ("cauchy_", -3, 2.7), ("log_normal_",), ("log_normal_", 0.3, 2.7)]
        calls += [("cauchy_", 0, 1e308), ("log_normal_", 5, 1000)]
    for name, *terms in calls:
        agree(
            lambda name=name, terms=terms: getattr(gc.zeros(count, dtype=dtype), name)(*terms),
            lambda name=name, terms=terms: getattr(torch.zeros(count, dtype=kind), name)(*terms),
        )


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_normal_numbers_of_tensors(dtype: str, count: int) -> None:
    p = np.random.default_rng(0).random(count).astype(dtype)
    x, t = gc.tensor(p), torch.tensor(p)
    agree(lambda: gc.normal(x, 2.6), lambda: torch.normal(t, 2.6))
    agree(lambda: gc.normal(-1.3, x), lambda: torch.normal(-1.3, t))
    agree(lambda: gc.normal(x, x), lambda: torch.normal(t, t))
    agree(
        lambda: gc.normal(-1.3, 2.6, (count,), dtype=dtype),
        lambda: torch.normal(-1.3, 2.6, (count,), dtype=getattr(torch, dtype)),
    )


@pytest.mark.parametrize("dtype", [*FLOATS, "int8", "int16", "int32", "int64", "uint8", "bool"])
def test_all_numbers_that_a_dtype_counts(dtype: str) -> None:
    agree(
        lambda: gc.zeros(5, 3, dtype=dtype).T.random_(),
        lambda: torch.zeros(5, 3, dtype=getattr(torch, dtype)).T.random_(),
    )


@pytest.mark.filterwarnings("ignore:.*out of bounds")
@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [
        (0, 2**25, "float32"),
        (-(2**25), 2**25, "float32"),
        (2**24 + 1, 2**24 + 8, "float32"),
        (0, 2**29, "float32"),
        (-(2**40), 2**40, "float32"),
        (0, 2**54, "float64"),
        (0, 5000, "float16"),
        (2047, 2060, "float16"),
        (-3000, 3001, "float16"),
    ],
)
def test_ends_beyond_what_a_dtype_holds_exactly(low: int, high: int, dtype: str) -> None:
    kind = getattr(torch, dtype)
    agree(lambda: gc.randint(low, high, (40,), dtype=dtype), lambda: torch.randint(low, high, (40,), dtype=kind))
    agree(lambda: gc.zeros(40, dtype=dtype).random_(low, high), lambda: torch.zeros(40, dtype=kind).random_(low, high))


@pytest.mark.parametrize("count", COUNTS)
def test_whole_numbers_and_orders(count: int) -> None:
    for low, high, dtype in (
        (0, 10, "int64"), (-5, 7, "int32"), (0, 256, "uint8"), (0, 2**28 - 1, "int64"), (0, 2**28, "float64"),
        (-(2**63), 2**63 - 1, "int64"), (0, 2, "bool"), (0, 2048, "float16"), (0, 2**24, "float32"),
    ):  # fmt: skip
        kind = getattr(torch, dtype)
        agree(
            lambda low=low, high=high, dtype=dtype: gc.randint(low, high, (count,), dtype=dtype),
            lambda low=low, high=high, kind=kind: torch.randint(low, high, (count,), dtype=kind),
        )
    for dtype in ("int64", "float32", "int32"):
        agree(
            lambda dtype=dtype: gc.randperm(count, dtype=dtype),
            lambda dtype=dtype: torch.randperm(count, dtype=getattr(torch, dtype)),
        )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(2, 2, 2), (5, 4, 3)])
def test_tensors_that_are_not_contiguous(shape: tuple[int, ...], dtype: str) -> None:
    p = np.random.default_rng(0).random(shape).astype(dtype)
    x, t = gc.tensor(p).permute(2, 0, 1), torch.tensor(p).permute(2, 0, 1)
    agree(lambda: gc.rand_like(x), lambda: torch.rand_like(t))
    agree(lambda: gc.randn_like(x), lambda: torch.randn_like(t))
    agree(lambda: gc.randint_like(x, 90), lambda: torch.randint_like(t, 90))
    agree(lambda: gc.normal(x, 1.0), lambda: torch.normal(t, 1.0))
    agree(lambda: gc.normal(0.0, x), lambda: torch.normal(0.0, t))
    agree(lambda: gc.normal(x, x), lambda: torch.normal(t, t))
    agree(lambda: gc.bernoulli(x), lambda: torch.bernoulli(t))
    agree(lambda: gc.bernoulli(x, 0.3), lambda: torch.bernoulli(t, 0.3))
    agree(lambda: x.clone().normal_(1, 2), lambda: t.clone().normal_(1, 2))
    agree(lambda: x.clone().uniform_(1, 2), lambda: t.clone().uniform_(1, 2))
    agree(lambda: x.clone().bernoulli_(0.3), lambda: t.clone().bernoulli_(0.3))
    agree(lambda: x.clone().exponential_(2), lambda: t.clone().exponential_(2))
    agree(lambda: x.clone().log_normal_(), lambda: t.clone().log_normal_())
    agree(lambda: x.clone().random_(), lambda: t.clone().random_())
    agree(lambda: x.clone().bernoulli_(x), lambda: t.clone().bernoulli_(t))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(1,), (7,), (3, 5), (200,), (2, 3000), (0, 4)])
def test_indices_by_weight(shape: tuple[int, ...], dtype: str) -> None:
    p = np.random.default_rng(0).random(shape).astype(dtype)
    p.reshape(-1)[1:2] = 0
    x, t = gc.tensor(p), torch.tensor(p)
    for count in (1, 2, 5, 150):
        # Of equal keys, which many are in half precision, the first is taken first.
        if count < shape[-1] and (count < 150 or dtype != "float16"):
            agree(lambda count=count: gc.multinomial(x, count), lambda count=count: torch.multinomial(t, count))
        agree(lambda count=count: x.multinomial(count, True), lambda count=count: t.multinomial(count, True))
    if len(shape) == 2 and len(p) > 1:
        agree(lambda: gc.multinomial(x.T, 1), lambda: torch.multinomial(t.T, 1))
        agree(lambda: gc.multinomial(x.T.contiguous().T, 3), lambda: torch.multinomial(t.T.contiguous().T, 3))
        agree(lambda: gc.multinomial(x.T, 9, True), lambda: torch.multinomial(t.T, 9, True))
