"""Modified Bessel functions of the first kind, of whole orders, on NumPy.

Near 0 they are their power series, whose terms all have one sign; far from it Hankel's asymptotic series
(Abramowitz and Stegun, 9.6.10 and 9.7.1), which the border makes exact to the last digit. All of them are computed
times exp(-abs(x)).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.ops.kernels.inplace import in_double

_BORDER = 25.0
_TERMS = 75


def _border(n: int) -> float:
    """From here on the asymptotic series of this order has terms small enough."""
    return max(_BORDER, float(n * n))


def _near(size: Any, n: int) -> Any:
    """The power series by Horner's rule: each term is the one before times (x/2)**2/(k*(k + n))."""
    quarter = np.square(size / 2)
    result = np.ones_like(size)
    for k in range(_TERMS + 3 * n * n, 0, -1):
        result *= quarter / (k * (k + n))
        result += 1
    return result * np.power(size / 2, n) / math.factorial(n) * np.exp(-size)


def _far(size: Any, n: int) -> Any:
    result = np.ones_like(size)
    for k in range(30, 0, -1):
        result *= ((2 * k - 1) ** 2 - 4 * n * n) / (8 * k) / size
        result += 1
    return result / np.sqrt(2 * math.pi * size)


def _scaled(x: Any, n: int) -> Any:
    size = np.absolute(x)
    near = size < _border(n)
    result = np.empty_like(x)
    result[near] = _near(size[near], n)
    far = ~near
    result[far] = _far(size[far], n)
    return np.where(x < 0, -result, result) if n % 2 else result


def _bessel_i(x: Any, n: int, scaled: bool) -> Any:
    result = _scaled(x, n)
    if scaled:
        return result
    # In two steps: the exponential overflows before the function does.
    half = np.exp(np.absolute(x) / 2)
    return result * half * half


#: I_n(x), or exp(-abs(x))*I_n(x) where it is scaled, as a block kernel.
bessel_i_into = in_double(_bessel_i)
