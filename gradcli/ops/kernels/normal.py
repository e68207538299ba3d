"""The scaled complementary error function with its derivatives, and quantiles of the normal distribution, on NumPy.

exp(x*x) times the n-th repeated integral of erfc, w(n), has w(n)' = -2*(n + 1)*w(n + 1), so that one function gives all
derivatives of erfcx = w(0). Its recurrence 2*n*w(n) = w(n - 2) - 2*x*w(n - 1) is taken forward for small and negative
x, and as a continued fraction for others (Abramowitz and Stegun, 7.2.5; Gautschi, SIAM Review 9, 1967).

The quantiles are those of Wichura, Algorithm AS 241: The Percentage Points of the Normal Distribution, Applied
Statistics 37 (1988), whose relative error is about 1e-16.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.ops.kernels.erf import erfc_of_size_scaled, normal_cdf
from gradcli.ops.kernels.inplace import in_double, numbers

_ROOT_PI = math.sqrt(math.pi)
# From here on the continued fraction has converged after so many steps.
_FRACTION, _STEPS = 1.0, 110


def _erfcx(x: Any) -> Any:
    size = np.absolute(x)
    result = erfc_of_size_scaled(size)
    negative = x < 0
    if np.any(negative):
        # The square and what it was rounded by.
        z = np.where(negative, size, 0)
        high = (z * 134217729.0) - (z * 134217729.0 - z)
        square = z * z
        error = ((high * high - square) + 2 * high * (z - high)) + (z - high) * (z - high)
        power = np.where(z > 30, np.inf, np.exp(square) * (1 + np.where(z > 30, 0, error)))
        result = np.where(negative, 2 * power - result, result)
    return result


def _repeated(x: Any, n: int) -> Any:
    if n == 0:
        return _erfcx(x)
    far = x >= _FRACTION
    before, last = np.full_like(x, 2 / _ROOT_PI), _erfcx(x)
    forward = last
    for k in range(1, n + 1):
        before, forward = forward, (before - 2 * x * forward) / (2 * k)
    if not np.any(far):
        return forward
    z = np.where(far, x, _FRACTION)
    ratio, product = np.zeros_like(z), np.ones_like(z)
    for k in range(n + _STEPS, 0, -1):
        ratio = 0.5 / (z + (k + 1) * ratio)
        if k <= n:
            product = product * ratio
    return np.where(far, last * product, forward)


#: exp(x*x) times the n-th repeated integral of erfc, as a block kernel; erfcx for n = 0.
erfcx_into = in_double(_repeated)


def _log_ndtr(x: Any) -> Any:
    z = x * math.sqrt(0.5)
    below = x < -1
    far = np.log(_erfcx(np.where(below, -z, 1)) / 2) - np.square(np.where(below, x, 0)) / 2
    return np.where(below, far, np.log1p(-normal_cdf(np.where(below, 0, -x))))


#: The logarithm of the normal distribution function, as a block kernel.
log_ndtr_into = in_double(_log_ndtr)

# Quantiles ------------------------------------------------------------------------------------------------------------

_CENTRE = (
    numbers("""
        2509.0809287301226727 33430.575583588128105 67265.770927008700853 45921.953931549871457 13731.693765509461125
        1971.5909503065514427 133.14166789178437745 3.387132872796366608
    """),
    numbers("""
        5226.495278852854561 28729.085735721942674 39307.89580009271061 21213.794301586595867 5394.1960214247511077
        687.1870074920579083 42.313330701600911252 1.0
    """),
)
_MIDDLE = (
    numbers("""
        7.7454501427834140764e-4 0.0227238449892691845833 0.24178072517745061177 1.27045825245236838258
        3.64784832476320460504 5.7694972214606914055 4.6303378461565452959 1.42343711074968357734
    """),
    numbers("""
        1.05075007164441684324e-9 5.475938084995344946e-4 0.0151986665636164571966 0.14810397642748007459
        0.68976733498510000455 1.6763848301838038494 2.05319162663775882187 1.0
    """),
)
_TAIL = (
    numbers("""
        2.01033439929228813265e-7 2.71155556874348757815e-5 0.0012426609473880784386 0.026532189526576123093
        0.29656057182850489123 1.7848265399172913358 5.4637849111641143699 6.6579046435011037772
    """),
    numbers("""
        2.04426310338993978564e-15 1.4215117583164458887e-7 1.8463183175100546818e-5 7.868691311456132591e-4
        0.0148753612908506148525 0.13692988092273580531 0.59983220655588793769 1.0
    """),
)


def _ratio(tables: tuple[tuple[float, ...], tuple[float, ...]], r: Any) -> Any:
    above, below = (np.polyval(np.array(table), r) for table in tables)
    return above / below


def _quantile(q: Any, tail: Any) -> Any:
    """The normal quantile at 0.5 + q, where `tail` is the probability beyond it."""
    near = np.absolute(q) <= 0.425
    central = q * _ratio(_CENTRE, 0.180625 - np.where(near, q, 0) ** 2)
    r = np.sqrt(-np.log(np.where(near, 0.5, tail)))
    middle = r <= 5
    outer = np.where(middle, _ratio(_MIDDLE, np.where(middle, r, 5) - 1.6), _ratio(_TAIL, np.where(middle, 5, r) - 5))
    outer = np.where(np.isinf(r), np.inf, outer)
    return np.where(near, central, np.copysign(outer, q))


def _ndtri(p: Any) -> Any:
    return _quantile(p - 0.5, np.where(p > 0.5, 1 - p, p))


def _erfinv(y: Any) -> Any:
    return _quantile(y / 2, (1 - np.absolute(y)) / 2) / math.sqrt(2)


#: Their block kernels.
ndtri_into, erfinv_into = in_double(_ndtri), in_double(_erfinv)
