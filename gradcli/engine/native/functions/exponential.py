"""exp, exp2, expm1 and sigmoid: `x = n log 2 + r` with `|r| <= log(2)/2`, and `e**r` by a polynomial."""

from __future__ import annotations

from typing import NamedTuple

from gradcli.engine.native.expressions import Expressions
from gradcli.engine.native.functions.floats import (
    Pair,
    fast_two_sum,
    format_of,
    polynomial,
    round_product,
    scale,
    split,
)
from gradcli.engine.native.vectors import Vector


class Reduced(NamedTuple):
    """`x = n log 2 + high + low`, n as of `round_product`; `e**r = 1 + r + r**2 q` with r the sum rounded."""

    n: Vector
    high: Vector
    low: Vector
    r: Vector
    q: Vector


# Beyond these, by the digits of the format, e**x is infinite or 0, and e**-x no normal number; 2**x likewise.
_EXP_LIMITS = {24: (-110.0, 89.0), 53: (-750.0, 710.0)}
_NORMAL = {24: 87.0, 53: 708.0}
_EXP2_LIMITS = {24: (-152.0, 129.0), 53: (-1077.0, 1025.0)}


def reduce(v: Expressions, x: Vector, name: str = "exp") -> Reduced:
    """By a polynomial for exp, or for expm1, whose errors count more."""
    digits = format_of(x).digits
    whole, n = round_product(v, x, split("one_over_log2", digits)[0])
    log2, rest = split("log2", digits, digits)
    high = v.fma(-whole, log2, x)  # exact: x and the product agree in their first digits
    r = v.fma(-whole, rest, high)
    return Reduced(n, high, whole * -rest, r, polynomial(v, name, r))


def exp_pair(v: Expressions, reduced: Reduced, error: Vector | None = None) -> Pair:
    """`e**(x + error)` over `2**n`."""
    one = v.constant(1.0, reduced.r.dtype)
    high, low = fast_two_sum(one, reduced.high)
    tail = v.fma(reduced.r * reduced.r, reduced.q, reduced.low)
    return high, low + (tail if error is None else v.fma(error, high + tail, tail))


def exp(v: Expressions, x: Vector) -> Vector:
    reduced = reduce(v, v.clamp(x, *_EXP_LIMITS[format_of(x).digits]))
    tail = v.fma(reduced.r * reduced.r, reduced.q, reduced.low)
    # Not 1 + (r + r**2 q), whose error reaches 1.01.
    return scale(v, (reduced.high + tail) + 1.0, reduced.n)


def exp2(v: Expressions, x: Vector) -> Vector:
    x = v.clamp(x, *_EXP2_LIMITS[format_of(x).digits])
    reduced = reduce2(v, x)
    tail = v.fma(reduced.r * reduced.r, reduced.q, reduced.low)
    return scale(v, (reduced.high + tail) + 1.0, reduced.n)


def reduce2(v: Expressions, x: Vector, error: Vector | None = None) -> Reduced:
    """As `reduce`, of `(x + error) log 2`."""
    digits = format_of(x).digits
    whole, n = round_product(v, x, 1.0)
    log2, rest = split("log2", digits, digits)
    part = x - whole
    high = part * log2
    low = v.fma(part, log2, -high) + part * rest
    if error is not None:
        low = v.fma(error, log2, low)
    r = high + low
    return Reduced(n, high, low, r, polynomial(v, "exp", r))


def _half_expm1(v: Expressions, x: Vector) -> Pair:
    """`(e**x - 1)/2`, which overflows later."""
    n, high, low, r, q = reduce(v, x, "expm1")
    form = format_of(r)
    power = v.bits((n - (form.bias + 1)) << (form.digits - 1), form.dtype)
    less = power - 0.5
    result = v.fma(power, high, less)
    # The last term matters where e**x has digits beyond those of 1.
    error = v.fma(power, high, -(result - less)) + ((power - less) - 0.5)
    if form.bits == 64:
        low = v.fma((high - r) + low, r, low)  # what rounding r took from r**2 q
    return result, v.fma(power, v.fma(r * r, q, low), error)


def expm1(v: Expressions, x: Vector) -> Vector:
    form = format_of(x)
    lowest = -20.0 if form.bits == 32 else -40.0
    high, low = _half_expm1(v, v.clamp(x, lowest, _EXP_LIMITS[form.digits][1]))
    return v.select(v.abs(x) < 2.0**-form.digits, x, (high + low) * 2)


def sigmoid(v: Expressions, x: Vector) -> Vector:
    """`1 / (1 + e**-x)`, as `e**-|x|` or 1 over `1 + e**-|x|`."""
    form = format_of(x)
    size, negative = v.abs(x), x < 0
    reduced = reduce(v, -v.at_most(size, -_EXP_LIMITS[form.digits][0]))
    tail = v.fma(reduced.r * reduced.r, reduced.q, reduced.low)
    high, low = fast_two_sum(v.constant(1.0, x.dtype), reduced.high + tail)
    # Where it is no normal number it does not matter beside 1.
    power = v.bits((reduced.n - form.bias) << (form.digits - 1), form.dtype)
    power = v.select(size < _NORMAL[form.digits], power, 0.0)
    below, rest = fast_two_sum(v.constant(1.0, x.dtype), high * power)
    rest = v.fma(low, power, rest)
    above, error = v.select(negative, high, 1.0), v.select(negative, low, 0.0)
    inverse = 1 / below
    result = above * inverse
    remainder = v.fma(-result, below, above) + v.fma(-result, rest, error)
    result = v.fma(remainder, inverse, result)
    return v.select(negative, scale(v, result, reduced.n), result)
