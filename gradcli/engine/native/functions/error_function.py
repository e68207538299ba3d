"""erf and erfc."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from gradcli.engine.native.expressions import Expressions
from gradcli.engine.native.functions.coefficients import ERFCX_SHIFT
from gradcli.engine.native.functions.exponential import exp_pair, reduce
from gradcli.engine.native.functions.floats import (
    SHORT,
    Pair,
    cast_float,
    coefficients_of,
    fast_two_sum,
    format_of,
    horner,
    pair_product,
    pair_quotient,
    polynomial,
    round_product,
    scale,
    split,
    table,
    two_product,
    two_sum,
)
from gradcli.engine.native.vectors import FLOAT64, Vector

_TAYLOR = 7


def erf(v: Expressions, x: Vector) -> Vector:
    """`x + x p(x**2)` where it is small; above, 1 less another polynomial, or a step from a table of erfc."""
    size = v.abs(x)
    small = v.fma(size, polynomial(v, "erf", size * size), size)
    if format_of(x).bits == 32:
        limit, large = 1.0, 1 - polynomial(v, "erfc", v.at_most(size, 4.0) - 2.25)  # exact: not a scaled argument
    else:
        limit, large = 0.875, 1 - _erfc_from_table(v, v.at_most(size, 6.0))
    return v.copysign(v.select(size < limit, small, large), x)


def _erfc_from_table(v: Expressions, x: Vector) -> Vector:
    """`erfc(c + t)` by Taylor's series, c the multiple of 1/64 next to x."""
    form = format_of(x)
    shifted = v.fma(x, 64.0, form.magic)
    centre = (shifted - form.magic) * (1 / 64)
    t = x - centre
    index = v.bits(shifted) & 511  # a NaN's is inside the table too
    start, slope = (v.lookup(name, table(name, 64), index, FLOAT64) for name in ("erfc_at", "erf_slope"))
    square, total = centre * centre, v.constant(0.0, x.dtype)
    for k, values in reversed(list(enumerate(_slopes()))):
        part = horner(v, square, values)
        total = v.fma(total, t, part * centre if k % 2 else part)
    return v.fma(-(slope * t), total, start)


@cache
def _slopes() -> Sequence[tuple[float, ...]]:
    """`exp(-2cs - s**2)` is the sum of `s**k P_k(c)`; of each P_k, over k + 1, the coefficients that are not 0."""
    terms = [[1.0], [0.0, -2.0]]
    for k in range(1, _TAYLOR - 1):
        last, before = terms[k], terms[k - 1]
        terms.append([-2 * ((last[j - 1] if j else 0) + (before[j] if j < k else 0)) / (k + 1) for j in range(k + 2)])
    return [tuple(value / (k + 1) for value in term[k % 2 :: 2]) for k, term in enumerate(terms)]


def erfc(v: Expressions, x: Vector) -> Vector:
    """`1 - erf(x)` near 0; for larger x, `exp(-x**2)` times a polynomial of `(x - k)/(x + k)` over `1 + 2x`."""
    if format_of(x).bits == 32:
        return cast_float(v, _short_erfc(v, cast_float(v, x, FLOAT64)), x.dtype)
    size = v.at_most(v.abs(x), 28.0)
    square, square_error = two_product(v, size, size)
    near = 1 - x
    rest = ((1 - near) - x) - x * polynomial(v, "erf", square)
    reduced = reduce(v, -square)
    high, low = _scaled_erfc(v, size, exp_pair(v, reduced, -square_error))
    right = scale(v, high + low, reduced.n)
    total, error = fast_two_sum(v.constant(2.0, FLOAT64), -right)
    left = total + (error - scale(v, (high - (high + low)) + low, reduced.n))
    return v.select(size < 0.5, near + rest, v.select(x < 0, left, right))


def _short_erfc(v: Expressions, x: Vector) -> Vector:
    """Of float32 in float64, to 2**-29."""
    size = v.at_most(v.abs(x), 10.5)
    square = size * size
    near = 1 - v.fma(x, polynomial(v, "erf", square, 32), x)
    whole, n = round_product(v, square, -split("one_over_log2", 53)[0])
    power = polynomial(v, "exp2", v.fma(square, -split("one_over_log2", 53)[0], -whole), SHORT)
    form = format_of(x)
    power = power * v.bits((n - form.bias) << (form.digits - 1), FLOAT64)
    below = size + size + 1
    inverse = 1 / ((size + ERFCX_SHIFT) * below)
    values = polynomial(v, "erfcx_short", (size - ERFCX_SHIFT) * below * inverse, SHORT)
    right = power * values * ((size + ERFCX_SHIFT) * inverse)
    return v.select(size < 0.5, near, v.select(x < 0, 2 - right, right))


def _scaled_erfc(v: Expressions, x: Vector, power: Pair) -> Pair:
    """`power * exp(x**2) * erfc(x)`."""
    shift = v.constant(ERFCX_SHIFT, x.dtype)
    t, error = pair_quotient(v, two_sum(x, -shift), two_sum(x, shift))
    first, rest, second, *others = coefficients_of("erfcx", 64)
    slope = fast_two_sum(v.constant(second, x.dtype), t * horner(v, t, others))
    bend = pair_product(v, (t, error), slope)
    high, low = fast_two_sum(v.constant(first, x.dtype), bend[0])
    values = (high, low + (bend[1] + rest))
    below = fast_two_sum(x + x, v.constant(1.0, x.dtype))
    return pair_quotient(v, pair_product(v, power, values), below)
