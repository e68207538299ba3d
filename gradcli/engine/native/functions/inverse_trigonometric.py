"""asin, acos, atan and atan2: polynomials on a short range, and what leads to it."""

from __future__ import annotations

import math

from gradcli.engine.native.expressions import Expressions
from gradcli.engine.native.functions.floats import (
    Pair,
    cast_float,
    fast_two_sum,
    format_of,
    pair_sqrt,
    polynomial,
    split,
)
from gradcli.engine.native.vectors import FLOAT64, Vector


def _asin_parts(v: Expressions, x: Vector) -> tuple[Vector, Vector, Vector, Vector]:
    """Whether |x| > 1/2, and the arc sine of |x|, or else of `sqrt((1 - |x|)/2)`, as two numbers and a small one."""
    size = v.abs(x)
    large = size > 0.5
    half = (1 - size) * 0.5
    root, error = pair_sqrt(v, (half, v.constant(0.0, x.dtype)))
    start, square = v.select(large, root, size), v.select(large, half, size * size)
    rest = start * square * polynomial(v, "asin", square)
    return large, start, v.select(large, error, 0.0), rest


def asin(v: Expressions, x: Vector) -> Vector:
    """`pi/2 - 2 asin(sqrt((1 - |x|)/2))` for large |x|."""
    large, start, error, rest = _asin_parts(v, x)
    right, right_rest = split("half_pi", *[format_of(x).digits] * 2)
    high, low = fast_two_sum(v.constant(right, x.dtype), start * -2)
    above = high + (low + (right_rest - 2 * (error + rest)))
    return v.copysign(v.select(large, above, start + rest), x)


def acos(v: Expressions, x: Vector) -> Vector:
    """`pi/2 - asin(x)` for small |x|, otherwise `2 asin(sqrt((1 - |x|)/2))` or pi less that."""
    large, start, error, rest = _asin_parts(v, x)
    digits = format_of(x).digits
    right, right_rest = split("half_pi", digits, digits)
    straight, straight_rest = split("pi", digits, digits)
    negative = x < 0
    twice, rest_twice = start * 2, (error + rest) * 2
    near_one = twice + rest_twice
    high, low = fast_two_sum(v.constant(straight, x.dtype), -twice)
    near_minus_one = high + (low + (straight_rest - rest_twice))
    high, low = fast_two_sum(v.constant(right, x.dtype), -v.copysign(start, x))
    between = high + (low + (right_rest - v.copysign(rest, x)))
    return v.select(large, v.select(negative, near_minus_one, near_one), between)


# atan(a/b) is the arc tangent of c and that of (a - c b)/(b + c a): c, and where its range begins.
_CENTRES = ((0.5, 0.4375, "atan_half"), (1.0, 0.6875, "atan_one"), (1.5, 1.1875, "atan_three_halves"))
_STEEP = 2.4375


def _atan_pair(v: Expressions, a: Vector, b: Vector, short: bool = False, exact: bool = False) -> Pair:
    """The arc tangent of `a/b` for `a, b >= 0`, not both 0; `short` is enough for float32, `exact` where b is 1."""
    digits = format_of(a).digits
    steep = a >= _STEEP * b
    centre, high, low = (v.constant(0.0, a.dtype) for _ in range(3))
    for number, start, name in _CENTRES:
        above = a >= start * b
        angle, rest = split(name, digits, digits)
        centre, high, low = (v.select(above, *each) for each in ((number, centre), (angle, high), (rest, low)))
    angle, rest = split("half_pi", digits, digits)
    high, low = v.select(steep, angle, high), v.select(steep, rest, low)
    above = v.select(steep, -b, v.fma(-centre, b, a))
    below = v.select(steep, a, v.fma(centre, a, b))
    quotient = above / below
    square = quotient * quotient
    tail = polynomial(v, "atan", square, 32 if short else None)
    if short:
        return high + quotient, quotient * square * tail
    if not exact:
        # Matters where the quotient is nearly all of the result; infinities leave no error to correct.
        error = v.fma(-quotient, below, above) / below
        low = low + v.select(v.abs(error) < 1.0, error, 0.0)
    high, error = fast_two_sum(high, quotient)
    return high, error + v.fma(quotient * square, tail, low)


def atan(v: Expressions, x: Vector) -> Vector:
    high, low = _atan_pair(v, v.abs(x), v.constant(1.0, x.dtype), exact=True)
    return v.select(v.abs(x) < format_of(x).linear, x, v.copysign(high + low, x))


def atan2(v: Expressions, y: Vector, x: Vector) -> Vector:
    """The angle of the point (x, y); of float32 in float64, where nothing overflows."""
    dtype, short = x.dtype, format_of(x).bits == 32
    y, x = cast_float(v, y, FLOAT64), cast_float(v, x, FLOAT64)
    a, b = v.abs(y), v.abs(x)
    # An infinity points along its axis, two of them between both.
    infinite = (a == math.inf) | (b == math.inf)
    a, b = (v.select(infinite, v.select(each == math.inf, v.constant(1.0, FLOAT64), 0.0), each) for each in (a, b))
    larger = v.maximum(a, b)
    nothing = larger == 0
    if not short:
        # Sums of very large numbers overflow, and products of very small ones lose digits.
        little = v.select(larger < 2.0**-900, v.constant(2.0**150, FLOAT64), 1.0)
        factor = v.select(larger > 2.0**1000, 2.0**-100, little)
        a, b = a * factor, b * factor
    high, low = _atan_pair(v, a, v.select(nothing, 1.0, b), short)
    straight, rest = split("pi", 53, 53)
    left, error = fast_two_sum(v.constant(straight, FLOAT64), -high)
    total = v.select(v.bits(x) < 0, left + (error + (rest - low)), high + low)
    total = v.select(v.isnan(x) | v.isnan(y), math.nan, total)
    return cast_float(v, v.copysign(total, y), dtype)
