"""Elementary functions of the native code: errors against mpmath, special values, the same bits on every processor."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.functions import coefficients
from gradcli.engine.native.processor import host
from gradcli.ops.kernels.gamma import digamma_into, lgamma_into
from tests.native_reference import REFERENCES, exact_values, points, ulps
from tests.native_support import ArrayFunction, other_processors, same_bits

FLOATS = [np.float32, np.float64]
FUNCTIONS = sorted({name for name in vars(VectorBuilder) if not name.startswith("_")} - {"cast"})
EACH = [pytest.param(name, dtype, id=f"{name}-{dtype.__name__}") for name in FUNCTIONS for dtype in FLOATS]
# Those that run long try many more.
COUNT = 1500


def function(name: str, dtype: Any, **options: Any) -> ArrayFunction:
    return ArrayFunction(getattr(VectorBuilder, name), *[dtype] * REFERENCES[name].operands, **options)


def special_operands(name: str, dtype: Any) -> list[np.ndarray]:
    limits = np.finfo(dtype)
    sizes = [0.0, np.inf, np.nan, 1.0, 2.0, 3.0, 0.5, 1.5, limits.max, limits.tiny, limits.smallest_subnormal]
    sizes += [2.0**limits.nmant, 2.0**limits.nmant + 1, 2.0 ** (limits.nmant + 1), 1 - limits.epsneg, 1 + limits.eps]
    values = np.array([*sizes, *(-size for size in sizes)], dtype)
    return [values] if REFERENCES[name].operands == 1 else list(map(np.ravel, np.meshgrid(values, values)))


def test_every_function_is_held_to_something() -> None:
    assert sorted(REFERENCES) == FUNCTIONS


@pytest.mark.parametrize(("name", "dtype"), EACH)
def test_errors(name: str, dtype: Any) -> None:
    operands = points(name, dtype, COUNT)
    errors = ulps(function(name, dtype)(*operands), exact_values(name, operands))
    worst = int(np.argmax(errors))
    assert errors[worst] <= REFERENCES[name].ulps, [x[worst] for x in operands]


@pytest.mark.parametrize(("name", "dtype"), EACH)
def test_special_values(name: str, dtype: Any) -> None:
    """Infinities, NaN and zeros with their signs are C's, where they come from and where they lead to."""
    operands = special_operands(name, dtype)
    got = function(name, dtype)(*operands)
    with np.errstate(all="ignore"):
        wanted = np.asarray(REFERENCES[name].special(*(x.astype(np.float64) for x in operands))).astype(dtype)
    for i, (value, expected) in enumerate(zip(got, wanted, strict=True)):
        place = [x[i] for x in operands]
        assert np.isnan(value) == np.isnan(expected), place
        if np.isinf(expected) or expected == 0:
            assert (value, np.signbit(value)) == (expected, np.signbit(expected)), place
        elif not np.isnan(expected):
            assert abs(value / expected - 1) < 1e-6, place


@pytest.mark.slow
@pytest.mark.parametrize(("name", "dtype"), EACH)
def test_bits_are_the_same_everywhere(name: str, dtype: Any) -> None:
    operands = [
        np.concatenate(pair) for pair in zip(points(name, dtype, 1000), special_operands(name, dtype), strict=True)
    ]
    wanted = function(name, dtype)(*operands)
    for processor, lanes in [(host(), 4), *((other, 16) for other in other_processors())]:
        assert same_bits(function(name, dtype, lanes=lanes, processor=processor)(*operands), wanted), processor
    # Another lane, other neighbours.
    moved = function(name, dtype)(*(np.roll(x, 3)[::-1] for x in operands))
    assert same_bits(np.roll(moved[::-1], -3), wanted)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("name", "kernel"), [("lgamma", lgamma_into), ("digamma", digamma_into)])
def test_gamma_functions_below_zero_are_those_of_numpy(name: str, kernel: Any, dtype: Any) -> None:
    """Next to the poles and away from them; near their zeros the absolute error counts."""
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.uniform(-40, 0, 4000), -rng.integers(0, 30, 500) + rng.normal(0, 1e-3, 500)]).astype(dtype)
    x = x[x != np.rint(x)]
    expected = np.empty_like(x)
    kernel(expected, x)
    terms = 10 + 1 / np.abs(x - np.rint(x)).astype(np.float64)
    wrong = np.abs(function(name, dtype)(x).astype(np.float64) - expected)
    assert (wrong / terms).max() < 8 * np.finfo(dtype).eps


def test_known_results_are_exact() -> None:
    tens = 10.0 ** np.arange(23)
    assert np.array_equal(function("log10", np.float64)(tens), np.arange(23))
    assert np.array_equal(function("log2", np.float64)(2.0 ** np.arange(-1074, 1024)), np.arange(-1074, 1024))
    assert np.array_equal(function("exp2", np.float64)(np.arange(-1074.0, 1024)), 2.0 ** np.arange(-1074, 1024))
    whole = np.arange(-999.0, 1000)
    assert np.array_equal(function("cbrt", np.float64)(whole**3), whole)
    assert np.array_equal(function("pow", np.float64)(whole, np.full(1999, 3.0)), whole**3)
    assert np.array_equal(function("pow", np.float64)(whole**2, np.full(1999, 0.5)), np.abs(whole))
    assert np.array_equal(function("hypot", np.float64)(whole * 3, whole * 4), np.abs(whole) * 5)


def test_a_module_has_functions_of_both_precisions() -> None:
    both = ArrayFunction(lambda v, x, y: v.sin(v.cast(v.log(x), y.dtype)) + v.sin(y) + v.log(y), *FLOATS)
    x = np.array([1e-40, 1, 1e6], np.float32)
    y = np.array([1e300, 2.0, 3.0])
    wanted = np.sin(np.log(x).astype(np.float64)) + np.sin(y) + np.log(y)
    assert np.allclose(both(x, y), wanted, rtol=1e-6)


def test_functions_of_integers_are_refused() -> None:
    v = VectorBuilder(8)
    with pytest.raises(TypeError, match="no function of int32"):
        v.exp(v.value("%n", np.dtype(np.int32)))


@pytest.mark.parametrize(("name", "bits"), [("exp", 32), ("log", 64), ("atan", 64), ("erf", 32), ("erfcx", 64)])
def test_coefficients_are_what_the_script_makes(name: str, bits: int) -> None:
    path = Path(__file__).parents[1] / "benchmarks/native_coefficients.py"
    spec = importlib.util.spec_from_file_location("native_coefficients", path)
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    made, error = script.polynomial(name, bits)
    assert list(map(float.fromhex, coefficients.POLYNOMIALS[name, bits].split())) == made
    assert error < 2.0 ** (-27 if bits == 32 else -56)


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_errors_of_float32_at_millions_of_points(name: str) -> None:
    """Against the function in float64, which is right to nine more digits."""
    operands = points(name, np.float32, 8_000_000, seed=1)
    got = function(name, np.float32)(*operands)
    true = function(name, np.float64)(*(x.astype(np.float64) for x in operands))
    with np.errstate(all="ignore"):
        nearest = true.astype(np.float32)
        unit = np.ldexp(1.0, np.maximum(np.frexp(true)[1] - 1, -126) - 23)
        errors = np.where(np.isfinite(got) & np.isfinite(nearest), np.abs(got - true) / unit, 0)
    assert np.array_equal(np.isfinite(got), np.isfinite(nearest))
    assert errors.max() <= REFERENCES[name].ulps + 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_errors_of_float64_at_many_points(name: str) -> None:
    operands = points(name, np.float64, 50_000, seed=1)
    errors = ulps(function(name, np.float64)(*operands), exact_values(name, operands))
    assert errors.max() <= REFERENCES[name].ulps
