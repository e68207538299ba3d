"""The cardinal sine and its derivatives on NumPy.

With u = pi*x, the n-th derivative of sin(u)/u is the integral of t**n*cos(u*t + n*pi/2) over t from 0 to 1. For small u
that is computed by Gauss' rule, which loses nothing; for large u by the recurrence u*f(n) = sin(u + n*pi/2) - n*f(n-1).
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from gradcli.ops.kernels.inplace import in_double

# From so large a u on there is the recurrence, or from the order on.
_LARGE = 8.0


@cache
def _rule(n: int) -> tuple[Any, Any]:
    """Places between 0 and 1, and weights times their n-th powers."""
    places, weights = np.polynomial.legendre.leggauss(24 + n)
    places = (places + 1) / 2
    return places, weights / 2 * places**n


def _turned(u: Any, n: int) -> Any:
    """sin(u + n*pi/2)."""
    wave = np.cos(u) if n % 2 else np.sin(u)
    return -wave if n % 4 > 1 else wave


def _near(u: Any, n: int) -> Any:
    result = np.zeros_like(u)
    for place, weight in zip(*_rule(n), strict=True):
        result += weight * _turned(u * place, n + 1)
    return result


def _far(u: Any, n: int) -> Any:
    result = np.sin(u) / u
    for k in range(1, n + 1):
        result = (_turned(u, k) - k * result) / u
    return result


def _sinc(x: Any, n: int) -> Any:
    u = math.pi * x
    if n == 0:
        return np.where(u == 0, 1.0, np.sin(u) / np.where(u == 0, 1.0, u))
    size = np.absolute(u)
    result = np.empty_like(u)
    near = size < max(_LARGE, n)
    result[near] = _near(u[near], n)
    result[~near] = _far(u[~near], n)
    return result * math.pi**n


#: The n-th derivative of sin(pi*x)/(pi*x), as a block kernel.
sinc_into = in_double(_sinc)
