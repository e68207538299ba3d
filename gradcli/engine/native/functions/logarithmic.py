"""log, log2, log10, log1p and softplus: `x = m 2**k` with m in [sqrt(1/2), sqrt(2)), `log m` by a polynomial."""

from __future__ import annotations

import math

import numpy as np

from gradcli.engine.native.expressions import Expressions
from gradcli.engine.native.functions.exponential import exp_pair, reduce
from gradcli.engine.native.functions.floats import (
    Pair,
    fast_two_sum,
    format_of,
    pair_product,
    polynomial,
    power_of_two,
    scale,
    split,
    two_product,
    two_sum,
)
from gradcli.engine.native.vectors import Vector


def parts(v: Expressions, x: Vector) -> tuple[Vector, Vector]:
    """m, and the integer k, of a positive normal number."""
    form = format_of(x)
    lowest = int(form.dtype.type(math.sqrt(0.5)).view(form.integer))
    k = (v.bits(x) - lowest) >> (form.digits - 1)
    return v.bits(v.bits(x) - (k << (form.digits - 1)), form.dtype), k


def whole_number(v: Expressions, k: Vector, like: Vector) -> Vector:
    """A small integer as a float, by the same instructions on every processor."""
    form = format_of(like)
    return v.bits(k + form.magic_bits, form.dtype) - form.magic


def all_parts(v: Expressions, x: Vector) -> tuple[Vector, Vector]:
    """As `parts`, of subnormal numbers too."""
    form = format_of(x)
    small, shift = x < form.tiny, form.digits + 1
    m, k = parts(v, v.select(small, x * 2.0**shift, x))
    return m, k - v.select(small, v.constant(shift, form.integer), 0)


def _log_pair(v: Expressions, f: Vector, k: Vector, extra: Vector | None = None) -> Pair:
    """`log(1 + f) + extra + k log 2`."""
    digits = format_of(f).digits
    # k times the first part is exact.
    log2, rest = split("log2", digits - (8 if digits == 24 else 11), digits)
    whole = whole_number(v, k, f)
    high, error = fast_two_sum(whole * log2, f)
    low = v.fma(whole, rest, v.fma(f * f, polynomial(v, "log", f), error))
    return high, low if extra is None else low + extra


def log_of_pair(
    v: Expressions, high: Vector, low: Vector, double: Vector | None = None, lowest: Vector | None = None
) -> Pair:
    """The logarithm of `high + low + lowest`, normal numbers; of twice that where the mask `double` says so."""
    m, k = parts(v, high)
    power = power_of_two(v, 1 - k)  # 2**-k alone may be subnormal
    f, error = fast_two_sum(m - 1.0, (low * 0.5) * power)
    if lowest is not None:
        error = v.fma(lowest * 0.5, power, error)
    if double is not None:
        k = v.select(double, k + 1, k)
    return _log_pair(v, f, k, v.fma(-f, error, error))


def log(v: Expressions, x: Vector) -> Vector:
    m, k = parts(v, x)
    high, low = _log_pair(v, m - 1.0, k)
    return v.rarely(_odd(v, x), high + low, "odd_log", _odd_log, x)


def _odd(v: Expressions, x: Vector) -> Vector:
    """Whether it is anything but a positive normal number."""
    form = format_of(x)
    unsigned = v.value((v.bits(x) - form.one).name, np.dtype(f"u{form.dtype.itemsize}"))
    return unsigned >= (2 * form.bias) * form.one


def _edges(v: Expressions, x: Vector, y: Vector, pole: float) -> Vector:
    """-inf at the pole, NaN below it; inf and NaN stay."""
    below = v.select(x < pole, math.nan, x)
    y = v.select(x < math.inf, y, x)
    return v.select(x > pole, y, v.select(x == pole, -math.inf, below))


def _odd_log(v: Expressions, x: Vector) -> Vector:
    m, k = all_parts(v, x)
    high, low = _log_pair(v, m - 1.0, k)
    return _edges(v, x, high + low, 0.0)


def log2(v: Expressions, x: Vector) -> Vector:
    return v.rarely(_odd(v, x), log2_of_parts(v, *parts(v, x)), "odd_log2", _odd_log2, x)


def _odd_log2(v: Expressions, x: Vector) -> Vector:
    return _edges(v, x, log2_of_parts(v, *all_parts(v, x)), 0.0)


def log2_of_parts(v: Expressions, m: Vector, k: Vector) -> Vector:
    """`log2(m) + k`."""
    digits = format_of(m).digits
    high, low = pair_product(v, _cubic_pair(v, m - 1.0), split("one_over_log2", digits, digits))
    high, error = fast_two_sum(whole_number(v, k, m), high)
    return high + (error + low)


def log10(v: Expressions, x: Vector) -> Vector:
    return v.rarely(_odd(v, x), _log10(v, *parts(v, x)), "odd_log10", _odd_log10, x)


def _odd_log10(v: Expressions, x: Vector) -> Vector:
    return _edges(v, x, _log10(v, *all_parts(v, x)), 0.0)


def _log10(v: Expressions, m: Vector, k: Vector) -> Vector:
    digits = format_of(m).digits
    high, low = pair_product(v, _cubic_pair(v, m - 1.0), split("one_over_log10", digits, digits))
    log2, rest = split("log10_of_2", digits - (8 if digits == 24 else 11), digits)
    whole = whole_number(v, k, m)
    high, error = fast_two_sum(whole * log2, high)
    return high + (error + v.fma(whole, rest, low))


def _cubic_pair(v: Expressions, f: Vector) -> Pair:
    """`log(1 + f)` with the square exact, for what is multiplied afterwards."""
    square, error = two_product(v, f, f)
    high, low = fast_two_sum(f, square * -0.5)
    return high, v.fma(square * f, polynomial(v, "log_cubic", f), v.fma(error, -0.5, low))


def log1p(v: Expressions, x: Vector) -> Vector:
    above, error = two_sum(x, 1.0)
    high, low = log_of_pair(v, above, error)
    y = v.select(v.abs(x) < 0.25 ** format_of(x).digits, x, high + low)  # keeps -0 and subnormals
    return v.rarely(_odd(v, above), y, "odd_log1p", _odd_log1p, x)


def _odd_log1p(v: Expressions, x: Vector) -> Vector:
    # Above -1 only what is no number: every other sum with 1 is a normal number.
    return _edges(v, x, x, -1.0)


def softplus(v: Expressions, x: Vector) -> Vector:
    """`log(1 + e**x)`, as `max(x, 0) + log(1 + e**-|x|)`."""
    form = format_of(x)
    reduced = reduce(v, -v.at_most(v.abs(x), 110.0 if form.bits == 32 else 750.0), "expm1")
    high, low = exp_pair(v, reduced)
    rounded = high + low
    power, error = scale(v, rounded, reduced.n), scale(v, (high - rounded) + low, reduced.n)
    above, rest = fast_two_sum(v.constant(1.0, x.dtype), power)
    high, low = log_of_pair(v, above, rest, lowest=error)
    vanishing = power < 0.25**form.digits
    high, low = v.select(vanishing, power, high), v.select(vanishing, 0.0, low)
    positive = v.at_least(x, 0.0)
    total, error = two_sum(positive, high)
    return v.select(positive < math.inf, total + (error + low), positive)
