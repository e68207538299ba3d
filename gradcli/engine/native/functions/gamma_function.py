"""lgamma and digamma, in double precision: the polynomials, recurrences and series of `ops/kernels/gamma.py`."""

from __future__ import annotations

import math

from gradcli.engine.native.expressions import Expressions
from gradcli.engine.native.functions.floats import cast_float, horner
from gradcli.engine.native.functions.logarithmic import log
from gradcli.engine.native.functions.trigonometric import sin, tan
from gradcli.engine.native.vectors import FLOAT64, Vector
from gradcli.ops.kernels.gamma import (
    ASYMPTOTIC,
    ASYMPTOTIC_FROM,
    DIGAMMA,
    DIGAMMA_ZERO,
    LGAMMA,
    STIRLING,
    STIRLING_FROM,
)

#: From here on down there is a reflection.
_REFLECTED = -0.5


def lgamma(v: Expressions, x: Vector) -> Vector:
    wide = cast_float(v, x, FLOAT64)
    usual = _lgamma_above(v, v.select(wide <= _REFLECTED, 1.0, wide))
    return cast_float(v, v.rarely(wide <= _REFLECTED, usual, "lgamma_below", _lgamma_below, wide), x.dtype)


def _lgamma_above(v: Expressions, x: Vector) -> Vector:
    """Beyond -1/2, with one logarithm: of x, or of what leads from there to 1 or 2."""
    large, whole = x >= STIRLING_FROM, v.rint(x)
    factors = v.constant(1.0, FLOAT64)
    for k in range(1, int(STIRLING_FROM) - 1):
        factors = factors * v.select(whole >= k + 2, x - k, 1.0)
    divided = v.select(whole >= 1, x, v.abs(x) * (x + 1))
    logarithm = log(v, v.select(large, x, v.select(whole >= 2, factors, divided)))
    step = x - whole
    near = v.fma(horner(v, step, LGAMMA[::-1]), step, v.select(whole >= 2, logarithm, -logarithm))
    inverse = 1 / x
    rest = v.fma(horner(v, inverse * inverse, STIRLING[::-1]), inverse, 0.5 * math.log(2 * math.pi))
    far = v.select(x == math.inf, x, (x - 0.5) * logarithm - x + rest)
    return v.select(large, far, near)


def _lgamma_below(v: Expressions, x: Vector) -> Vector:
    turn = math.pi * (x - v.rint(x))
    reflected = log(v, math.pi / v.abs(sin(v, turn))) - log(v, -x) - _lgamma_above(v, -x)
    return v.select((turn == 0) | (x == -math.inf), math.inf, reflected)


def digamma(v: Expressions, x: Vector) -> Vector:
    wide = cast_float(v, x, FLOAT64)
    usual = _digamma_above(v, v.select(wide <= _REFLECTED, 1.0, wide))
    return cast_float(v, v.rarely(wide <= _REFLECTED, usual, "digamma_below", _digamma_below, wide), x.dtype)


def _digamma_above(v: Expressions, x: Vector) -> Vector:
    """Beyond -1/2: near its zero, where reciprocals lead to, or by the asymptotic series."""
    large, steps = x >= ASYMPTOTIC_FROM, v.floor(x) - 1
    total = v.constant(0.0, FLOAT64)
    for k in range(int(ASYMPTOTIC_FROM) - 1, 0, -1):
        total = total + v.select(steps >= k, 1 / (x - k), 0.0)
    inverse = 1 / x
    below = v.select(x >= 0, -inverse, -1 / (x + 1) - inverse)
    there = v.select(x >= 1, x - steps, v.select(x >= 0, x + 1, x + 2))
    zero, rest = DIGAMMA_ZERO
    near = horner(v, there - 1.5, DIGAMMA[::-1]) * ((there - zero) - rest) + v.select(x >= 1, total, below)
    square = inverse * inverse
    logarithm = log(v, v.select(large, x, 1.0))
    return v.select(large, logarithm - 0.5 * inverse - horner(v, square, ASYMPTOTIC[::-1]) * square, near)


def _digamma_below(v: Expressions, x: Vector) -> Vector:
    turn = math.pi * (x - v.rint(x))
    reflected = _digamma_above(v, -x) - 1 / x - math.pi / tan(v, turn)
    return v.select(turn == 0, math.nan, reflected)
