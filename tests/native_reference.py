"""What the native functions are held to: mpmath's values, hard points, errors in units of the last place."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np

Array = np.ndarray
#: Enough for the sine of the largest float64.
_BITS = 1300


class Reference(NamedTuple):
    """A function: its exact value, NumPy's function with C's special values, where it is neither 0 nor infinite nor
    constant, the allowed error, and how many bits it takes to compute it."""

    exact: Callable[..., Any]
    special: Callable[..., Any]
    low: float = -math.inf
    high: float = math.inf
    ulps: float = 1.0
    bits: int = 200
    operands: int = 1
    #: Points of the domain made of others.
    domain: Callable[[Array], Array] = lambda x: x


def _erfc(x: Any) -> Any:
    return mp.mpf(0) if x > 40 else mp.mpf(2) if x < -40 else mp.erfc(x)


def _softplus(x: Any) -> Any:
    return max(x, 0) + mp.log1p(mp.exp(-abs(x)))


def _within_one(x: Array) -> Array:
    return np.where(np.abs(x) > 1, 1 / x, x)


def _vectorized(function: Callable[[float], float]) -> Callable[[Array], Array]:
    return lambda x: np.array([function(value) for value in x.tolist()])


REFERENCES = {
    "exp": Reference(mp.exp, np.exp, -746, 710),
    "exp2": Reference(lambda x: mp.mpf(2) ** x, np.exp2, -1075, 1024),
    "expm1": Reference(mp.expm1, np.expm1, -40, 710),
    "sigmoid": Reference(lambda x: 1 / (1 + mp.exp(-x)), lambda x: 1 / (1 + np.exp(-x)), -746, 40),
    "log": Reference(mp.log, np.log, 0, 8, domain=np.abs),
    "log2": Reference(lambda x: mp.log(x) / mp.log(2), np.log2, 0, 8, domain=np.abs),
    "log10": Reference(lambda x: mp.log(x) / mp.log(10), np.log10, 0, 8, domain=np.abs),
    "log1p": Reference(mp.log1p, np.log1p, -1, 8, domain=lambda x: np.where(x < -1, -1 / x, x)),
    "softplus": Reference(_softplus, lambda x: np.logaddexp(x, 0), -746, 40),
    "sin": Reference(mp.sin, np.sin, -100, 100, bits=_BITS),
    "cos": Reference(mp.cos, np.cos, -100, 100, bits=_BITS),
    "tan": Reference(mp.tan, np.tan, -100, 100, bits=_BITS),
    "asin": Reference(mp.asin, np.arcsin, -1, 1, domain=_within_one),
    "acos": Reference(mp.acos, np.arccos, -1, 1, domain=_within_one),
    "atan": Reference(mp.atan, np.arctan, -8, 8),
    "atan2": Reference(mp.atan2, np.arctan2, -8, 8, operands=2),
    "sinh": Reference(mp.sinh, np.sinh, -711, 711, 2),
    "cosh": Reference(mp.cosh, np.cosh, -711, 711, 2),
    "tanh": Reference(mp.tanh, np.tanh, -20, 20),
    "asinh": Reference(mp.asinh, np.arcsinh, -8, 8, 2),
    "acosh": Reference(mp.acosh, np.arccosh, 1, 8, 2, domain=lambda x: np.maximum(np.abs(x), 1 + 1 / (1 + x * x))),
    "atanh": Reference(mp.atanh, np.arctanh, -1, 1, 2, domain=_within_one),
    "erf": Reference(mp.erf, _vectorized(math.erf), -6.1, 6.1),
    "erfc": Reference(_erfc, _vectorized(math.erfc), -6, 27.5),
    "pow": Reference(mp.power, np.power, -1100, 1100, 2, operands=2),
    "hypot": Reference(mp.hypot, np.hypot, -8, 8, operands=2),
    "cbrt": Reference(lambda x: mp.sign(x) * mp.cbrt(abs(x)), np.cbrt, -8, 8),
}


def points(name: str, dtype: Any, count: int, seed: int = 0) -> list[Array]:
    """Operands of every exponent, of ordinary size, uniform where something happens, and next to 1 and k pi/2."""
    wanted, rng = REFERENCES[name], np.random.default_rng(seed)
    limits = np.finfo(dtype)
    with np.errstate(all="ignore"):
        x = wanted.domain(_mixed(wanted, limits, count, rng)).astype(dtype)
        if wanted.operands == 1:
            return [x]
        y = _mixed(wanted, limits, count, rng)
        third = np.arange(count) % 3
        if name == "pow":
            # Results of every size, and whole powers of negative numbers too.
            logarithm = np.log2(np.abs(x.astype(np.float64)))
            y = np.where(third == 0, rng.uniform(limits.minexp - limits.nmant, limits.maxexp, count) / logarithm, y)
            y = np.where(third == 1, np.rint(np.fmod(y, 300)), y)
            x = np.where(third == 1, x, np.abs(x))
        else:
            y = np.where(third == 0, x * rng.uniform(-4, 4, count), y)
        x, y = x.astype(dtype), y.astype(dtype)
        finite = np.isfinite(x) & np.isfinite(y)
        return [x[finite], y[finite]]


def _mixed(wanted: Reference, limits: Any, count: int, rng: Any) -> Array:
    low, high = max(wanted.low, 1.4 * (limits.minexp - limits.nmant)), min(wanted.high, limits.maxexp * 1.0)
    signs, ones = rng.choice([-1, 1], count), 1 + rng.random(count)
    kinds = [
        np.ldexp(ones, rng.integers(limits.minexp - limits.nmant, limits.maxexp, count)) * signs,
        np.ldexp(ones, rng.integers(-30, 8, count)) * signs,
        signs * (1 + rng.normal(0, 1, count) * 2.0 ** rng.integers(-limits.nmant - 1, -3, count)),
        np.rint(np.ldexp(ones, rng.integers(0, limits.nmant, count))) * (np.pi / 2) * signs,
        rng.uniform(low, high, count),
    ]
    return np.choose(rng.integers(0, len(kinds), count), kinds)


def exact_values(name: str, operands: list[Array]) -> list[Any]:
    """mpmath's; NaN where there is no real number."""
    wanted = REFERENCES[name]
    values = []
    with mp.workprec(wanted.bits):
        for each in zip(*(x.tolist() for x in operands), strict=True):
            try:
                value = wanted.exact(*map(mp.mpf, each))
            except (ZeroDivisionError, ValueError):
                value = mp.nan
            values.append(value if isinstance(value, mp.mpf) else mp.nan)
    return values


def ulps(got: Array, exact: list[Any]) -> Array:
    """Errors in units of the last place of the exact value."""
    limits = np.finfo(got.dtype)
    errors = np.zeros(len(got))
    with mp.workprec(200), np.errstate(over="ignore"):
        for i, (value, true) in enumerate(zip(got.tolist(), exact, strict=True)):
            nearest = float(got.dtype.type(float(true)))
            if not math.isfinite(value) or not math.isfinite(nearest):
                errors[i] = 0 if value == nearest or (value != value and nearest != nearest) else math.inf
            else:
                exponent = max(mp.frexp(true)[1] - 1 if true else limits.minexp, limits.minexp) - limits.nmant
                errors[i] = abs(mp.ldexp(mp.mpf(value) - true, -int(exponent)))
    return errors
