"""sinh, cosh, tanh and their inverses, by exponentials and logarithms that are pairs."""

from __future__ import annotations

import math

from gradcli.engine.native.expressions import Expressions
from gradcli.engine.native.functions.coefficients import SINH_POLYNOMIAL, TANH_POLYNOMIAL
from gradcli.engine.native.functions.exponential import reduce
from gradcli.engine.native.functions.floats import (
    fast_two_sum,
    format_of,
    pair_quotient,
    pair_sqrt,
    polynomial,
    two_product,
    two_sum,
)
from gradcli.engine.native.functions.logarithmic import log_of_pair
from gradcli.engine.native.vectors import Vector

# Beyond the first, e**-2x is nothing beside 1; beyond the second, e**x/2 is infinite. By the digits of the format.
_ONE_SIDED = {24: 10.0, 53: 20.0}
_LIMIT = {24: 89.5, 53: 710.5}


def tanh(v: Expressions, x: Vector) -> Vector:
    """A polynomial near 0, otherwise `1 - 2/(e**2|x| + 1)`."""
    form = format_of(x)
    size, square = v.abs(x), x * x
    small = v.fma(x * square, polynomial(v, "tanh", square), x)
    reduced = reduce(v, v.at_most(size, _ONE_SIDED[form.digits]) * 2)
    tail = v.fma(reduced.r * reduced.r, reduced.q, reduced.low)
    power = v.bits((reduced.n - form.bias) << (form.digits - 1), form.dtype)
    large = 1 - 2 / v.fma(reduced.high + tail, power, power + 1)
    return v.select(size < TANH_POLYNOMIAL, v.copysign(small, x), v.copysign(large, x))


def sinh(v: Expressions, x: Vector) -> Vector:
    """A polynomial near 0, otherwise `(e**|x| - e**-|x|)/2`."""
    size, square = v.abs(x), x * x
    small = v.fma(x * square, polynomial(v, "sinh", square), x)
    large = _half_sum(v, size, -1.0)
    return v.select(size < SINH_POLYNOMIAL, v.copysign(small, x), v.copysign(large, x))


def cosh(v: Expressions, x: Vector) -> Vector:
    """`(e**|x| + e**-|x|)/2`."""
    return _half_sum(v, v.abs(x), 1.0)


def _half_sum(v: Expressions, x: Vector, sign: float) -> Vector:
    """`(e**x + sign e**-x)/2`, as twice a quarter, which is finite where the half may not be."""
    form = format_of(x)
    reduced = reduce(v, v.at_most(x, _LIMIT[form.digits]))
    tail = reduced.high + v.fma(reduced.r * reduced.r, reduced.q, reduced.low)
    quarter = v.bits((reduced.n - (form.bias + 2)) << (form.digits - 1), form.dtype)
    total, rest = fast_two_sum(quarter, sign / 16 / v.fma(tail, quarter, quarter))
    return (total + v.fma(tail, quarter, rest)) * 2


def asinh(v: Expressions, x: Vector) -> Vector:
    """`log(|x| + sqrt(x**2 + 1))`."""
    size = v.abs(x)
    square, error = two_product(v, size, size)
    square, rest = two_sum(square, 1.0)
    root, low = pair_sqrt(v, (square, rest + error))
    result = _log_of_sum(v, root, size, low, size)
    return v.select(size < format_of(x).linear, x, v.copysign(result, x))


def acosh(v: Expressions, x: Vector) -> Vector:
    """`log(x + sqrt(x**2 - 1))`."""
    square, error = two_product(v, x, x)
    square, rest = fast_two_sum(square, -1.0)
    root, low = pair_sqrt(v, (square, rest + error))
    result = _log_of_sum(v, x, root, low, x)
    return v.select(x >= 1.0, result, math.nan)


def _log_of_sum(v: Expressions, a: Vector, b: Vector, low: Vector, x: Vector) -> Vector:
    """`log(a + b + low)` with a >= b, for positive x; `log(2x)` where x is large."""
    large = x > 2.0 ** (format_of(x).digits // 2 + 2)
    high, error = fast_two_sum(a, b)
    high, low = log_of_pair(v, v.select(large, x, high), v.select(large, 0.0, error + low), large)
    return v.select(x < math.inf, high + low, x)


def atanh(v: Expressions, x: Vector) -> Vector:
    """`log(1 + 2x/(1 - x))/2`."""
    size = v.abs(x)
    below, rest = fast_two_sum(v.constant(1.0, x.dtype), -size)
    quotient, low = pair_quotient(v, (size + size, v.constant(0.0, x.dtype)), (below, rest))
    above, error = two_sum(quotient, 1.0)
    high, low = log_of_pair(v, above, error + low)
    result = v.select(size == 1.0, math.inf, (high + low) * 0.5)
    result = v.select(size > 1.0, math.nan, result)
    return v.select(size < format_of(x).linear, x, v.copysign(result, x))
