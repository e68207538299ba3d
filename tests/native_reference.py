"""What the native functions are held to: mpmath's values, hard points, errors in units of the last place."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np

Array = np.ndarray


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


def _gamma(function: Callable[[Any], Any]) -> Callable[[float], float]:
    """lgamma or digamma of any float: there are poles at 0 and at the negative whole numbers."""

    def at(x: float) -> float:
        if x == 0:
            return math.inf if function is mp.loggamma else math.copysign(math.inf, -x)
        if x < 0 and (math.isinf(x) or x == int(x)):
            return math.inf if function is mp.loggamma else math.nan
        return float(mp.re(function(mp.mpf(x))))

    return at


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
    "sin": Reference(mp.sin, np.sin, -100, 100),
    "cos": Reference(mp.cos, np.cos, -100, 100),
    "tan": Reference(mp.tan, np.tan, -100, 100),
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
    # Near their zeros below 0 the error is that of the terms.
    "lgamma": Reference(mp.loggamma, _vectorized(_gamma(mp.loggamma)), 0, 12, 6, domain=np.abs),
    "digamma": Reference(mp.digamma, _vectorized(_gamma(mp.digamma)), 0, 12, 4, domain=np.abs),
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
        y = _mixed(wanted, limits, count, rng, second=True)
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


def _mixed(wanted: Reference, limits: Any, count: int, rng: Any, second: bool = False) -> Array:
    """As many points of each kind, by turns; those of a second operand meet all kinds of the first."""
    low, high = max(wanted.low, 1.4 * (limits.minexp - limits.nmant)), min(wanted.high, limits.maxexp * 1.0)
    rows = -(-count // 25)
    each = 5 * rows

    def signs() -> Array:
        return rng.choice([-1.0, 1.0], each)

    def numbers(least: int, end: int) -> Array:
        return np.ldexp((1 + rng.random(each)) * signs(), rng.integers(least, end, each))

    kinds = [
        numbers(limits.minexp - limits.nmant, limits.maxexp),
        numbers(-30, 8),
        signs() * (1 + rng.normal(0, 1, each) * 2.0 ** rng.integers(-limits.nmant - 1, -3, each)),
        np.rint(numbers(0, limits.nmant)) * (np.pi / 2),
        rng.uniform(low, high, each),
    ]
    mixed = np.stack([kind.reshape(rows, 5) for kind in kinds], 1 if second else 2)
    return mixed.reshape(-1)[:count]


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
    with mp.workprec(200), np.errstate(all="ignore"):
        # The exact value as a sum of two numbers, the second of which is what the first one lacks.
        wide = np.array([float(true) for true in exact])
        rest = np.array([float(true - high) for true, high in zip(exact, wide.tolist(), strict=True)])
        nearest, value = wide.astype(got.dtype), got.astype(np.float64)
        mantissa, exponents = np.frexp(np.abs(wide))
        # At a power of two the unit is that below it, unless the exact value is above.
        exponents -= (mantissa == 0.5) & (np.sign(wide) * rest <= 0)
        unit = np.ldexp(1.0, np.maximum(exponents - 1, limits.minexp) - limits.nmant)
        errors = np.abs((value - wide) - rest) / unit
        for i in np.flatnonzero((np.abs(wide) < 2.0**-900) & np.isfinite(value)):
            # Numbers of so little size have no room for what they lack.
            exponent = max(mp.frexp(exact[i])[1] - 1 if exact[i] else limits.minexp, limits.minexp) - limits.nmant
            errors[i] = abs(mp.ldexp(mp.mpf(value[i]) - exact[i], -int(exponent)))
    same = (value == nearest) | (np.isnan(value) & np.isnan(nearest))
    return np.where(np.isfinite(value) & np.isfinite(nearest), errors, np.where(same, 0, np.inf))
