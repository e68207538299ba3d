"""`a*b + c` rounded once, as the processor's fused multiply-add does it, to the last bit."""

from __future__ import annotations

import numpy as np

# What splits a number of 53 bits into two halves, whose products are exact (Dekker 1971).
_HALVES = 2.0**27 + 1


def fused(a: np.ndarray, b: float, c: float) -> np.ndarray:
    """`a*b + c` for an array of single or double precision, and numbers of its type."""
    if a.dtype == np.float32:
        # The product of two such numbers is exact in double precision.
        return _finite(_rounded_to_odd(*_exact_sum(a.astype(np.float64) * b, c)).astype(np.float32), a, b, c)
    high, low = _exact_product(a, b)
    # Boldo and Melquiond: the sum of three is rounded right if that of the two small ones is rounded to odd.
    top, rest = _exact_sum(low, c)
    value, below = _exact_sum(high, top)
    return _finite(value + _rounded_to_odd(*_exact_sum(rest, below)), a, b, c)


def _finite(value: np.ndarray, a: np.ndarray, b: float, c: float) -> np.ndarray:
    """The value where no part of it has overflowed; what is infinite, or near it, has nothing to round."""
    return value if np.isfinite(value).all() else np.where(np.isfinite(value), value, a * b + c)


def _exact_product(a: np.ndarray, b: float) -> tuple[np.ndarray, np.ndarray]:
    high = a * b
    a_high, b_high = _front(a), _front(b)
    a_low, b_low = a - a_high, b - b_high
    return high, ((a_high * b_high - high) + a_high * b_low + a_low * b_high) + a_low * b_low


def _front(x: np.ndarray | float) -> np.ndarray | float:
    large = x * _HALVES
    return large - (large - x)


def _exact_sum(a: np.ndarray, b: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _rounded_to_odd(total: np.ndarray, error: np.ndarray) -> np.ndarray:
    """A sum that, where it is not exact, has the neighbour with an odd last bit, so that a second rounding is right."""
    bits = np.ascontiguousarray(total).view(np.int64)
    step = np.where((error > 0) == (total > 0), 1, -1)
    return np.where((error != 0) & (bits & 1 == 0), bits + step, bits).view(np.float64)
