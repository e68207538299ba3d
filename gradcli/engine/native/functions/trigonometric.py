"""sin, cos and tan: `x = n pi/2 + r` with `|r| <= pi/4` as a pair, then polynomials of r.

Near numbers are reduced with pi/2 in three floats; those from 2**17 or 2**40 on, out of line, with as many digits of
2/pi as they ask for (Payne and Hanek's idea).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache

from gradcli.engine.native.expressions import Expressions
from gradcli.engine.native.functions import coefficients
from gradcli.engine.native.functions.floats import (
    Pair,
    cast_float,
    fast_two_sum,
    format_of,
    pair_quotient,
    polynomial,
    round_product,
    split,
    split_integer,
    two_sum,
)
from gradcli.engine.native.vectors import FLOAT64, Vector

_FAR = {24: 2.0**17, 53: 2.0**40}
_SCALE = 1400
#: What makes the result of r, a pair, and the number of the quadrant.
Finish = Callable[[Expressions, Pair, Vector], Vector]


def sin(v: Expressions, x: Vector) -> Vector:
    # -0 would lose its sign, and subnormals their digits.
    return v.select(v.abs(x) < format_of(x).linear, x, _reduced(v, x, _sin, "far_turned", _far_turned, 0))


def cos(v: Expressions, x: Vector) -> Vector:
    return _reduced(v, x, _cos, "far_turned", _far_turned, 1)


def tan(v: Expressions, x: Vector) -> Vector:
    return v.select(v.abs(x) < format_of(x).linear, x, _reduced(v, x, _tan, "far_tan", _far_tan))


def _reduced(
    v: Expressions, x: Vector, finish: Finish, name: str, far: Callable[..., Vector], *quarters: int
) -> Vector:
    digits = format_of(x).digits
    whole, n = round_product(v, x, split("two_over_pi", digits)[0])
    first, second, third = split("half_pi", digits, digits, digits)
    near = v.fma(-whole, first, x)  # exact, and so is what the next subtraction loses
    product = whole * second
    high = near - product
    low = v.fma(whole, -third, ((near - high) - product) - v.fma(whole, second, -product))
    usual = finish(v, (high, low), n + 2)  # twice the bias is 2 less than a multiple of 4
    more = [v.constant(quarter, format_of(x).integer) for quarter in quarters]
    return v.rarely(v.abs(x) >= _FAR[digits], usual, name, far, x, *more)


def _sin_of(v: Expressions, r: Pair) -> Pair:
    """The sine of r, head and tail."""
    square = r[0] * r[0]
    cosine = 1 - square * 0.5
    return r[0], v.fma(square * r[0], polynomial(v, "sin", square), r[1] * cosine)


def _cos_of(v: Expressions, r: Pair) -> Pair:
    square = r[0] * r[0]
    half = square * 0.5
    head = 1 - half
    return head, ((1 - head) - half) + v.fma(square * square, polynomial(v, "cos", square), -(r[0] * r[1]))


def _turned(v: Expressions, r: Pair, quadrant: Vector) -> Vector:
    """The sine of `quadrant * pi/2 + r`."""
    form = format_of(r[0])
    (sine, s_low), (cosine, c_low) = _sin_of(v, r), _cos_of(v, r)
    result = v.select((quadrant & 1) == 0, sine + s_low, cosine + c_low)
    return v.bits(v.bits(result) ^ ((quadrant << (form.bits - 2)) & form.sign), form.dtype)


def _sin(v: Expressions, r: Pair, quadrant: Vector) -> Vector:
    return _turned(v, r, quadrant)


def _cos(v: Expressions, r: Pair, quadrant: Vector) -> Vector:
    return _turned(v, r, quadrant + 1)


def _tan(v: Expressions, r: Pair, quadrant: Vector) -> Vector:
    """Sine over cosine, or minus cosine over sine."""
    sine, cosine = fast_two_sum(*_sin_of(v, r)), fast_two_sum(*_cos_of(v, r))
    even = (quadrant & 1) == 0
    above = (v.select(even, sine[0], -cosine[0]), v.select(even, sine[1], -cosine[1]))
    below = (v.select(even, cosine[0], sine[0]), v.select(even, cosine[1], sine[1]))
    high, low = pair_quotient(v, above, below)
    return high + low


# Far from zero.


@cache
def _two_over_pi() -> tuple[tuple[float, ...], ...]:
    """`2**(8j - 1075) * 2/pi` modulo 4 for all j, in four floats; a tuple for each of the four."""
    digits = int("".join(coefficients.TWO_OVER_PI), 16)
    rows = []
    for j in range(256):
        shift = 8 * j - 1075
        value = digits << shift if shift > 0 else digits
        scale = _SCALE - min(shift, 0)
        rows.append(split_integer(value & ((4 << scale) - 1), scale, 53, 53, 53, 53))
    return tuple(zip(*rows, strict=True))


def _far_reduced(v: Expressions, x: Vector, finish: Finish) -> Vector:
    """For `|x|`, with the sign of the product: `x = m 2**8j` with a whole number m, times `2**8j 2/pi` modulo 4."""
    wide = cast_float(v, v.abs(x), FLOAT64)
    bits = v.bits(wide)
    exponent = bits >> 52
    m = v.bits((bits & (2**52 - 1)) | (((exponent & 7) + 1075) << 52), FLOAT64)
    factors = [
        v.lookup(f"two_over_pi_{i}", part, (exponent >> 3) & 255, FLOAT64) for i, part in enumerate(_two_over_pi())
    ]
    high = [m * factor for factor in factors]
    low = [v.fma(m, factor, -product) for factor, product in zip(factors, high, strict=True)]
    turns, r = _fraction(v, high, low)
    first, second = split("half_pi", 53, 53)
    angle = r[0] * first
    rest = v.fma(r[0], first, -angle) + v.fma(r[0], second, r[1] * first)
    quadrant = v.bits(turns + format_of(wide).magic)
    if x.dtype == FLOAT64:
        return finish(v, (angle, rest), quadrant)
    short = cast_float(v, angle, x.dtype)
    rest = cast_float(v, (angle - cast_float(v, short, FLOAT64)) + rest, x.dtype)
    integer = format_of(x).integer
    return finish(v, (short, rest), v.emit(f"trunc {quadrant.typed} to {v.type(integer)}", integer))


def _fraction(v: Expressions, high: Sequence[Vector], low: Sequence[Vector]) -> tuple[Vector, Pair]:
    """The whole quarters of a turn in the sum of all, as far as they matter, and what is left as a pair."""
    values = [high[0] - v.rint(high[0] * 0.25) * 4.0, low[0], high[1]]
    turns = v.constant(0.0, FLOAT64)
    for i, value in enumerate(values):
        whole = v.rint(value)
        turns, values[i] = turns + whole, value - whole
    total, first = two_sum(values[0], values[1])
    total, second = two_sum(total, values[2])
    whole = v.rint(total)
    turns, total = turns + whole, total - whole
    product, third = two_sum(low[1], high[2])
    total, fourth = two_sum(total, first + second)
    total, fifth = two_sum(total, product)
    return turns, fast_two_sum(total, ((fourth + fifth) + third) + (low[2] + high[3]))


def _far_turned(v: Expressions, x: Vector, quarter: Vector) -> Vector:
    """The sine where `quarter` is 0, the cosine where it is 1: the same function for both."""
    result = _far_reduced(v, x, lambda v, r, quadrant: _turned(v, r, quadrant + quarter))
    return v.select(v.abs(x) < math.inf, v.select(quarter == 0, v.copysign(1.0, x), 1.0) * result, x - x)


def _far_tan(v: Expressions, x: Vector) -> Vector:
    return v.select(v.abs(x) < math.inf, v.copysign(1.0, x) * _far_reduced(v, x, _tan), x - x)
