"""What the elementary functions have in common: formats of floats, polynomials, and pairs of floats.

A pair stands for the sum of both, the second one being what the first was rounded by.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from gradcli.engine.native.expressions import Expressions
from gradcli.engine.native.functions import coefficients
from gradcli.engine.native.vectors import FLOAT32, FLOAT64, Operand, Vector

#: Polynomials of float64 numbers for results that are rounded to float32.
SHORT = 48
Pair = tuple[Vector, Vector]
_NUMBER_BITS = 240
#: So many coefficients of float64 are not added one after the other.
_LONG = 10


class FloatFormat(NamedTuple):
    """A binary floating-point type: its digits, the bias of its exponent, and the integers of its size."""

    dtype: np.dtype
    integer: np.dtype
    digits: int
    bias: int

    @property
    def bits(self) -> int:
        return 8 * self.dtype.itemsize

    @property
    def one(self) -> int:
        """What adds 1 to the exponent, in an integer of the same bits."""
        return 1 << (self.digits - 1)

    @property
    def sign(self) -> int:
        return -(1 << (self.bits - 1))

    @property
    def magic(self) -> float:
        """A number whose last place is 1: what is added to it becomes a whole number, in its lowest bits."""
        return 1.5 * 2.0 ** (self.digits - 1)

    @property
    def magic_bits(self) -> int:
        return int(self.dtype.type(self.magic).view(self.integer))

    @property
    def tiny(self) -> float:
        """The smallest normal number."""
        return 2.0 ** (1 - self.bias)

    @property
    def linear(self) -> float:
        """Below this, x and an odd function `x + c x**3` with |c| <= 1/3 are the same number."""
        return 2.0 ** -(self.digits // 2 + 1)


_FORMATS = {
    FLOAT32: FloatFormat(FLOAT32, np.dtype(np.int32), 24, 127),
    FLOAT64: FloatFormat(FLOAT64, np.dtype(np.int64), 53, 1023),
}


def format_of(x: Vector) -> FloatFormat:
    if x.dtype not in _FORMATS:
        raise TypeError(f"no function of {x.dtype}: cast it to float32 or float64")
    return _FORMATS[x.dtype]


def cast_float(v: Expressions, x: Vector, dtype: np.dtype) -> Vector:
    if x.dtype == dtype:
        return x
    return v.emit(f"{'fpext' if dtype == FLOAT64 else 'fptrunc'} {x.typed} to {v.type(dtype)}", dtype)


# Numbers.


@cache
def split(name: str, *digits: int) -> tuple[float, ...]:
    """A number of `coefficients.NUMBERS` as a sum of floats that have so many digits."""
    return split_integer(coefficients.NUMBERS[name], _NUMBER_BITS, *digits)


def split_integer(value: int, scale: int, *digits: int) -> tuple[float, ...]:
    """`value / 2**scale`, a positive number, as a sum of floats of so many digits, each the nearest."""
    parts = []
    for count in digits:
        drop = max(abs(value).bit_length() - count, 0)
        head = (value + (1 << drop >> 1)) >> drop
        parts.append(float(np.ldexp(float(head), drop - scale)))
        value -= head << drop
    return tuple(parts)


@cache
def coefficients_of(name: str, bits: int) -> tuple[float, ...]:
    """Those of a polynomial, lowest first."""
    return tuple(map(float.fromhex, coefficients.POLYNOMIALS[name, bits].split()))


@cache
def table(name: str, bits: int) -> tuple[float, ...]:
    return tuple(map(float.fromhex, coefficients.TABLES[name, bits].split()))


def horner(v: Expressions, x: Vector, values: Sequence[float]) -> Vector:
    """The polynomial with these coefficients, lowest first."""
    steps = [v.constant(value, x.dtype) for value in values]
    if x.dtype == FLOAT64 and len(steps) >= _LONG:
        # The first coefficients matter most; for the others the processor need not wait for one after the other.
        steps[2:] = [_estrin(v, x, steps[2:])]
    result = steps[-1]
    for step in steps[-2::-1]:
        result = v.fma(result, x, step)
    return result


def _estrin(v: Expressions, x: Vector, steps: list[Vector]) -> Vector:
    """A polynomial by neighbouring coefficients, then by neighbours of these, and so on."""
    while len(steps) > 1:
        pairs = [v.fma(steps[i + 1], x, steps[i]) for i in range(0, len(steps) - 1, 2)]
        steps = pairs + steps[2 * len(pairs) :]
        x = x * x
    return steps[0]


def polynomial(v: Expressions, name: str, x: Vector, bits: int | None = None) -> Vector:
    """One of `coefficients`: that for the size of x, or for so many bits."""
    return horner(v, x, coefficients_of(name, bits or format_of(x).bits))


# Pairs.


def fast_two_sum(a: Operand, b: Operand) -> Pair:
    """`a + b` exactly, where |a| >= |b| or a is 0."""
    high = a + b
    return high, b - (high - a)


def two_sum(a: Operand, b: Operand) -> Pair:
    """`a + b` exactly."""
    high = a + b
    part = high - a
    return high, (a - (high - part)) + (b - part)


def two_product(v: Expressions, a: Operand, b: Operand) -> Pair:
    """`a * b` exactly, unless it underflows."""
    high = a * b
    return high, v.fma(a, b, -high)


def pair_product(v: Expressions, a: Pair, b: Sequence[Operand]) -> Pair:
    """The product of two pairs, of which the second may be of numbers."""
    high, low = two_product(v, a[0], b[0])
    return high, v.fma(a[0], b[1], v.fma(a[1], b[0], low))


def pair_quotient(v: Expressions, a: Pair, b: Pair) -> Pair:
    """The quotient of two pairs, by one division."""
    inverse = 1 / b[0]
    high = a[0] * inverse
    rest = v.fma(-high, b[0], a[0]) + v.fma(-high, b[1], a[1])
    return high, rest * inverse


def pair_sqrt(v: Expressions, a: Pair) -> Pair:
    """The square root of a pair; that of 0 is 0."""
    high = v.sqrt(a[0])
    rest = v.fma(-high, high, a[0]) + a[1]
    return high, rest / v.at_least(high + high, format_of(high).tiny)


# Powers of two.


def round_product(v: Expressions, x: Vector, factor: float) -> tuple[Vector, Vector]:
    """The whole number nearest to `x * factor`, and an integer with it, plus twice the bias, in its low bits.

    Unlike a conversion that is defined for all x; neither result means anything where the product is large.
    """
    form = format_of(x)
    shifted = v.fma(x, factor, form.magic + 2 * form.bias)
    return shifted - (form.magic + 2 * form.bias), v.bits(shifted)


def power_of_two(v: Expressions, n: Vector) -> Vector:
    """`2**n` for an integer n among the normal exponents."""
    form = next(form for form in _FORMATS.values() if form.integer == n.dtype)
    return v.bits((n + form.bias) << (form.digits - 1), form.dtype)


def scale(v: Expressions, y: Vector, n: Vector) -> Vector:
    """`y * 2**n` with n of `round_product`, rounded once: there may be no normal `2**n`, but two factors of it."""
    form = format_of(y)
    half = n >> 1  # what else is in n leaves with the shifts to the left
    first = v.bits(half << (form.digits - 1), form.dtype)
    return (y * first) * v.bits((n - half) << (form.digits - 1), form.dtype)
