"""Sums of float32 numbers are as accurate as sums in float64 that are rounded once, whatever the numbers are."""

from __future__ import annotations

import math

import numpy as np
import pytest

import gradcli as gc

# Operation by operation, as for little data, squares are rounded before they are added up.
pytestmark = pytest.mark.usefixtures("in_blocks")

COUNT = 300_003

# Inputs that are hard in different ways; the regular ones are rounded in the same direction again and again.
HARD = {
    "tenths": lambda rng: np.full(COUNT, 0.1),
    "thirds": lambda rng: np.full(COUNT, 1 / 3),
    "almost two": lambda rng: np.full(COUNT, 1.9999999),
    "largest odd": lambda rng: np.full(COUNT, 16777213.0),
    "one and a bit": lambda rng: 1 + 2.0**-23 * rng.integers(0, 4, COUNT),
    "large offset": lambda rng: 1e4 + rng.uniform(0, 1, COUNT),
    "ramp": lambda rng: np.arange(COUNT) / COUNT + 1e-3,
    "uniform": lambda rng: rng.uniform(0, 1, COUNT),
    "many sizes": lambda rng: np.exp(rng.normal(0, 6, COUNT).clip(-30, 30)) * rng.choice([-1, 1], COUNT),
    "cancelling": lambda rng: np.r_[(half := rng.normal(0, 1e6, COUNT // 2)), rng.permutation(-half), 1.5],
    "one huge among tiny": lambda rng: np.r_[np.full(COUNT - 2, 2.0**-24), 1.0, 2.0**-3],
}


def hard(name: str) -> np.ndarray:
    return HARD[name](np.random.default_rng(5)).astype(np.float32)


def value(expression: str, **inputs: np.ndarray) -> float:
    return float(gc.evaluate(expression, inputs, wrt=()).value.item())


def rounded_once(got: float, exact: float, terms: float) -> bool:
    """Within half a unit of the last place of float32, and what float64 loses among terms of this total size."""
    return abs(got - exact) <= 0.5 * float(np.spacing(np.float32(abs(exact)))) * (1 + 1e-6) + 1e-12 * terms


@pytest.mark.parametrize("name", HARD)
def test_sums(name: str) -> None:
    x = hard(name)
    wide = x.astype(np.float64)
    exact, size = math.fsum(wide), float(np.sum(np.abs(wide)))
    assert rounded_once(value("sum(x)", x=x), exact, size)
    assert rounded_once(value("mean(x)", x=x), exact / len(x), size / len(x))
    # What is never negative is no exception.
    assert rounded_once(value("sum(abs(x))", x=x), math.fsum(np.abs(wide)), size)
    positive = np.maximum(wide, 0)
    assert rounded_once(value("mean(relu(x))", x=x), math.fsum(positive) / len(x), size / len(x))
    roots = np.sqrt(np.abs(x)).astype(np.float64)
    assert rounded_once(value("sum(sqrt(abs(x)))", x=x), math.fsum(roots), float(np.sum(roots)))


@pytest.mark.parametrize("name", HARD)
def test_products(name: str) -> None:
    x = hard(name)
    y = np.random.default_rng(9).permutation(x)
    wide, other = x.astype(np.float64), y.astype(np.float64)
    # The product of two float32 numbers is a float64 number: nothing is lost here.
    squares, size = math.fsum(wide * wide), float(np.sum(wide * wide))
    assert rounded_once(value("sum(x*x)", x=x), squares, size)
    assert rounded_once(value("mean(x**2)", x=x), squares / len(x), size / len(x))
    assert rounded_once(value("norm(x)", x=x), math.sqrt(squares), math.sqrt(size))
    products = wide * other
    assert rounded_once(value("dot(x, y)", x=x, y=y), math.fsum(products), float(np.sum(np.abs(products))))
    assert rounded_once(value("x @ x", x=x), squares, size)


@pytest.mark.parametrize("name", HARD)
def test_variances(name: str) -> None:
    x = hard(name)
    wide = x.astype(np.float64)
    mean = math.fsum(wide) / len(x)
    # What is lost of the mean is lost in every deviation, by its square.
    exact = (math.fsum((wide - mean) ** 2) - math.fsum(wide - mean) ** 2 / len(x)) / (len(x) - 1)
    lost = (abs(mean) * 1e-13) ** 2 + 1e-12 * exact
    assert abs(value("var(x)", x=x) - exact) <= 0.5 * float(np.spacing(np.float32(exact))) + lost
    lost = math.sqrt(exact + lost) - math.sqrt(exact)
    assert abs(value("std(x)", x=x) - math.sqrt(exact)) <= 0.5 * float(np.spacing(np.float32(math.sqrt(exact)))) + lost


@pytest.mark.parametrize("name", HARD)
def test_deviations_from_the_mean(name: str) -> None:
    x = hard(name)
    wide, mean = x.astype(np.float64), value("mean(x)", x=x)
    size = float(np.sum(np.abs(wide)))
    assert rounded_once(value("sum(x - mean(x))", x=x), math.fsum([*wide, *[-mean] * len(x)]), size)
    squares = (wide - mean) ** 2
    assert rounded_once(value("sum((x - mean(x))**2)", x=x), math.fsum(squares), float(np.sum(squares)))


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_deviations_from_a_mean_that_is_no_number(bad: float) -> None:
    x = hard("uniform")
    x[12_345] = bad
    assert math.isnan(value("sum((x - mean(x))**2)", x=x)) and math.isnan(value("sum(x - mean(x))", x=x))


def test_sums_along_either_dimension() -> None:
    rng = np.random.default_rng(2)
    for shape in ((60_000, 20), (20, 60_000), (1_100, 1_000)):
        x = (np.full(shape, 0.1) + rng.integers(0, 2, shape) * 1e4).astype(np.float32)
        wide = x.astype(np.float64)
        for dim in (0, 1):
            got = gc.evaluate(f"sum(x, {dim})", {"x": x}, wrt=()).value.numpy()
            exact = np.array([math.fsum(row) for row in (wide.T if dim == 0 else wide)])
            assert np.all(np.abs(got - exact) <= 0.5 * np.spacing(got) * (1 + 1e-6) + 1e-12 * np.abs(exact))


def test_what_fits_into_the_result_does_not_overflow_on_the_way() -> None:
    x = np.full(COUNT, 1e38, np.float32)
    for expression in ("mean(x)", "mean(abs(x))", "mean(relu(x))", "mean(x/2 + x/2)"):
        assert value(expression, x=x) == float(np.float32(1e38)), expression
    x = np.full(COUNT, 1e19, np.float32)
    assert value("mean(x*x)", x=x) == pytest.approx(1e38, rel=1e-6)
    assert value("norm(x)", x=x) == pytest.approx(1e19 * math.sqrt(COUNT), rel=1e-6)


@pytest.mark.parametrize("name", HARD)
def test_little_to_compute(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums and dot products are as accurate without blocks."""
    monkeypatch.undo()
    x = hard(name)
    y = np.random.default_rng(9).permutation(x)
    wide, other = x.astype(np.float64), y.astype(np.float64)
    size, products = float(np.sum(np.abs(wide))), wide * other
    assert rounded_once(value("sum(x)", x=x), math.fsum(wide), size)
    assert rounded_once(value("mean(x)", x=x), math.fsum(wide) / len(x), size / len(x))
    assert rounded_once(value("dot(x, y)", x=x, y=y), math.fsum(products), float(np.sum(np.abs(products))))


def test_five_million() -> None:
    x = np.full(5_000_000, 0.1, np.float32)
    exact = float(np.float32(0.1))
    assert value("sum(x)", x=x) == np.float32(exact * 5e6) and value("mean(abs(x))", x=x) == np.float32(exact)
    assert value("mean(x*x)", x=x) == np.float32(exact * exact)
