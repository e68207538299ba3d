"""pow, hypot and cbrt."""

from __future__ import annotations

import math

from gradcli.engine.native.expressions import Expressions
from gradcli.engine.native.functions.exponential import exp_pair, reduce2
from gradcli.engine.native.functions.floats import (
    SHORT,
    Pair,
    cast_float,
    fast_two_sum,
    format_of,
    pair_product,
    pair_quotient,
    pair_sqrt,
    polynomial,
    power_of_two,
    round_product,
    scale,
    split,
    two_product,
    two_sum,
)
from gradcli.engine.native.functions.logarithmic import all_parts, parts, whole_number
from gradcli.engine.native.vectors import FLOAT64, Vector

# Beyond it 2**t is infinite or 0.
_EXPONENTS = 1200.0
_SHORT_EXPONENTS = 160.0
#: Subnormal numbers times 8 to this power are normal.
_SUBNORMAL_THIRDS = 18


def pow(v: Expressions, x: Vector, y: Vector) -> Vector:
    """`2**(y log2 |x|)`, and C's special cases."""
    form = format_of(x)
    size = v.abs(x)
    power = _short_power(v, size, y) if form.bits == 32 else _power(v, size, y)
    power = v.select(size == 1.0, 1.0, power)
    whole, half = v.rint(y), y * 0.5
    odd = (whole == y) & (v.rint(half) != half)
    power = v.select(odd, v.copysign(power, x), power)
    power = v.select((x < 0) & (size < math.inf) & (whole != y), math.nan, power)
    return v.select((y == 0) | (x == 1.0), 1.0, power)


def _short_power(v: Expressions, x: Vector, y: Vector) -> Vector:
    """`x**y` of float32, in float64 to 2**-34."""
    wide, exponent = cast_float(v, x, FLOAT64), cast_float(v, y, FLOAT64)
    m, k = parts(v, wide)
    f = m - 1.0
    logarithm = v.fma(f, polynomial(v, "log2", f, SHORT), whole_number(v, k, m))
    product = v.clamp(exponent * _logarithm_of_any(v, wide, logarithm), -_SHORT_EXPONENTS, _SHORT_EXPONENTS)
    whole, n = round_product(v, product, 1.0)
    power = polynomial(v, "exp2", product - whole, SHORT)
    form = format_of(power)
    scaled = v.bits(v.bits(power) + ((n - 2 * form.bias) << (form.digits - 1)), FLOAT64)
    return cast_float(v, v.select(v.isnan(product), product, scaled), x.dtype)


def _power(v: Expressions, x: Vector, y: Vector) -> Vector:
    """`x**y` in float64 for x >= 0, but for 1 to infinite powers."""
    m, k = all_parts(v, x)
    high, low = _log2_pair(v, m, k)
    product, error = two_product(v, y, _logarithm_of_any(v, x, high))
    error = v.fma(y, low, error)
    error = v.select(v.abs(product) < _EXPONENTS, error, 0.0)
    reduced = reduce2(v, v.clamp(product, -_EXPONENTS, _EXPONENTS), error)
    head, tail = exp_pair(v, reduced)
    return scale(v, head + tail, reduced.n)


def _logarithm_of_any(v: Expressions, x: Vector, usual: Vector) -> Vector:
    """What the logarithm of x >= 0 is where it is not the usual one: at 0, inf and NaN."""
    return v.select((x > 0) & (x < math.inf), usual, v.select(x == 0, -math.inf, x))


def _log2_pair(v: Expressions, m: Vector, k: Vector) -> Pair:
    """`log2(m) + k` to 2**-65 of it: `2 s (1 + s**2/3 + s**4 p(s**2)) / log 2` with `s = (m - 1)/(m + 1)`."""
    s = pair_quotient(v, (m - 1.0, v.constant(0.0, m.dtype)), two_sum(m, 1.0))
    square = pair_product(v, s, s)
    third, rest = split("third", 53, 53)
    head, tail = fast_two_sum(v.constant(third, m.dtype), square[0] * polynomial(v, "atanh", square[0]))
    bend = pair_product(v, s, pair_product(v, square, (head, tail + rest)))
    high, low = fast_two_sum(s[0], bend[0])
    high, low = pair_product(v, (high, low + (s[1] + bend[1])), split("two_over_log2", 53, 53))
    total, error = fast_two_sum(whole_number(v, k, m), high)
    return fast_two_sum(total, error + low)


def hypot(v: Expressions, x: Vector, y: Vector) -> Vector:
    """`sqrt(x**2 + y**2)`."""
    infinite = (v.abs(x) == math.inf) | (v.abs(y) == math.inf)
    if format_of(x).bits == 32:
        a, b = cast_float(v, x, FLOAT64), cast_float(v, y, FLOAT64)
        result = cast_float(v, v.sqrt(a * a + b * b), x.dtype)
    else:
        result = _hypot(v, v.maximum(v.abs(x), v.abs(y)), v.minimum(v.abs(x), v.abs(y)))
    return v.select(infinite, math.inf, result)


def _hypot(v: Expressions, larger: Vector, smaller: Vector) -> Vector:
    """In float64, scaled so that no square overflows or loses digits that matter."""
    huge, little = larger > 2.0**500, larger < 2.0**-450
    down, up = v.constant(2.0**-600, FLOAT64), v.constant(2.0**600, FLOAT64)
    factor = v.select(huge, down, v.select(little, up, 1.0))
    a, b = two_product(v, larger * factor, larger * factor), two_product(v, smaller * factor, smaller * factor)
    total, error = fast_two_sum(a[0], b[0])
    root, rest = pair_sqrt(v, (total, error + (a[1] + b[1])))
    return (root + rest) * v.select(huge, up, v.select(little, down, 1.0))


def cbrt(v: Expressions, x: Vector) -> Vector:
    """The cube root of m in [1, 8), from one over it, times a power of two."""
    form = format_of(x)
    size = v.abs(x)
    small = size < form.tiny
    bits = v.bits(v.select(small, size * 8.0**_SUBNORMAL_THIRDS, size))
    # The exponent in thirds, counted from one that is three times a whole number.
    extra = -form.bias % 3
    exponent = (bits >> (form.digits - 1)) + extra
    third = (exponent * 43691) >> 17
    m = v.bits((bits & (form.one - 1)) | ((exponent - third * 3 + form.bias) << (form.digits - 1)), form.dtype)
    guess = polynomial(v, "rcbrt", m)
    error = v.fma(-m * guess, guess * guess, 1.0)
    inverse = v.fma(guess * error, v.fma(error, v.fma(error, 14 / 81, 2 / 9), 1 / 3), guess)
    square = inverse * inverse
    root = m * square
    product, low = two_product(v, root, root)
    rest = v.fma(-product, root, m) - low * root
    root = v.fma(rest * square, 1 / 3, root)
    shift = third - (form.bias + extra) // 3 - v.select(small, v.constant(_SUBNORMAL_THIRDS, form.integer), 0)
    result = v.copysign(root * power_of_two(v, shift), x)
    return v.select((size > 0) & (size < math.inf), result, x)
