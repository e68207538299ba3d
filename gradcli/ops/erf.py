"""The normal distribution function on NumPy, for gelu, which must not need SciPy.

W. J. Cody, Rational Chebyshev approximations for the error function, Mathematics of Computation 23 (1969).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

# Numerators and denominators by falling power, for |x| up to 0.46875, up to 4 and beyond.
_NEAR = (
    (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3),
)
_MIDDLE = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1, 2.98635138197400131e2,
     8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
     3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3),
)  # fmt: skip
_FAR = (
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
     1.60837851487422766e-2, 6.58749161529837803e-4),
    (1.0, 2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1, 6.05183413124413191e-2,
     2.33520497626869185e-3),
)  # fmt: skip


# The steps of a formula are taken on so many elements at a time: they stay in the cache.
_BLOCK = 1 << 13


def _ratio(table: tuple[tuple[float, ...], tuple[float, ...]], x: Any) -> Any:
    numerator, denominator = (_polynomial(coefficients, x) for coefficients in table)
    return np.divide(numerator, denominator, out=numerator)


def _polynomial(coefficients: tuple[float, ...], x: Any) -> Any:
    value = x * coefficients[0]
    for coefficient in coefficients[1:-1]:
        value += coefficient
        value *= x
    value += coefficients[-1]
    return value


def _gauss(x: Any) -> Any:
    """exp(-x*x/2): the square of x rounded to sixteenths is exact, so that its rounding is not blown up."""
    coarse = np.rint(x * 16) * (1 / 16)
    return np.exp(-0.5 * coarse * coarse) * np.exp(-0.5 * (x - coarse) * (x + coarse))


def _near(x: Any) -> Any:
    z = x * math.sqrt(0.5)
    return 0.5 + 0.5 * (z * _ratio(_NEAR, z * z))


def _middle(x: Any) -> Any:
    tail = 0.5 * _ratio(_MIDDLE, np.abs(x) * math.sqrt(0.5)) * _gauss(x)
    return np.where(x > 0, 1 - tail, tail)


def _far(x: Any) -> Any:
    # Beyond 40 the result is 0 or 1; the bound keeps infinity out of the formula.
    x = np.clip(x, -40.0, 40.0)
    inverse = 2 / (x * x)
    tail = (1 / math.sqrt(math.pi) - _ratio(_FAR, inverse) * inverse) / np.abs(x) * (math.sqrt(0.5) * _gauss(x))
    return np.where(x > 0, 1 - tail, tail)


# Where the error function's argument, x/sqrt(2), passes 0.46875 and 4.
_RANGES = (
    (_near, -1.0, 0.46875 * math.sqrt(2)), (_middle, 0.46875 * math.sqrt(2), 4 * math.sqrt(2)),
    (_far, 4 * math.sqrt(2), math.inf),
)  # fmt: skip


def _by_range(x: Any) -> Any:
    """The distribution function of a vector, each element by the formula of its range."""
    size = np.abs(x)
    # NaN is in no range and stays.
    result = x.copy()
    for formula, low, high in _RANGES:
        places = np.flatnonzero((size > low) & (size <= high))
        if len(places) == len(x):
            return formula(x)
        if len(places):
            result[places] = formula(x[places])
    return result


def normal_cdf(x: Any) -> Any:
    """The probability that a standard normal number is at most x, in the dtype of x.

    >>> float(normal_cdf(np.array(1.0)))
    0.841344746068543
    """
    flat = np.ravel(x)
    result = np.empty_like(flat)
    for start in range(0, len(flat), _BLOCK):
        result[start : start + _BLOCK] = _by_range(flat[start : start + _BLOCK].astype(np.float64))
    return result.reshape(np.shape(x))
