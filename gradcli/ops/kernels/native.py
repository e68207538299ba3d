"""Native forms of rows that take more than one step, in the same steps as their block kernels.

Each takes `v`, the builder of vector expressions, and vectors of one type. What cannot be had for the given dtype or
parameters raises NotImplementedError: the step is NumPy's then.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.ops.kernels.erf import TAILS
from gradcli.ops.kernels.nn import GELU_CUBE, GELU_SLOPE

Vector = Any


def named(name: str) -> Callable[..., Vector]:
    """The builder's function of this name."""
    return lambda v, *vectors: getattr(v, name)(*vectors)


def rounded(name: str) -> Callable[..., Vector]:
    """The same, of floats; integers and booleans stay as they are."""
    return lambda v, x: getattr(v, name)(x) if x.dtype.kind == "f" else x


def of_float(test: Callable[[Any, Vector], Vector], otherwise: bool) -> Callable[..., Vector]:
    """A test of floats, with the same answer for all integers."""
    return lambda v, x: test(v, x) if x.dtype.kind == "f" else v.constant(otherwise, np.dtype(bool))


def total(v: Any, x: Vector, y: Vector) -> Vector:
    return x | y if x.dtype.kind == "b" else x + y


def product(v: Any, x: Vector, y: Vector) -> Vector:
    return x & y if x.dtype.kind == "b" else x * y


def round_half_even(v: Any, x: Vector, decimals: int) -> Vector:
    if x.dtype.kind != "f":
        return x
    if decimals == 0:
        return v.rint(x)
    scale = 10.0 ** abs(decimals)
    return v.rint(x * scale) / scale if decimals > 0 else v.rint(x / scale) * scale


def sign(v: Any, x: Vector) -> Vector:
    if x.dtype.kind == "b":
        return x
    return v.cast(x > 0, x.dtype) - v.cast(x < 0, x.dtype)


def lerp(v: Any, a: Vector, b: Vector, w: Vector) -> Vector:
    far = b - a
    return v.select(v.abs(w) < 0.5, far * w + a, b - far * (1 - w))


def xlogy(v: Any, x: Vector, y: Vector) -> Vector:
    return v.select((x == 0) & (y == y), 0, x * v.log(y))


def logaddexp(v: Any, x: Vector, y: Vector) -> Vector:
    apart = x - y
    return v.log1p(v.exp(-v.abs(v.select(v.isnan(apart), 0, apart)))) + v.maximum(x, y)


# Selection. Of equal operands a tensor's is taken before a number, so that its zeros keep their sign. -----------------


def at_least(v: Any, x: Vector, low: Vector) -> Vector:
    return v.at_least(x, low) if _is_number(low) else v.maximum(x, low)


def at_most(v: Any, x: Vector, high: Vector) -> Vector:
    return v.at_most(x, high) if _is_number(high) else v.minimum(x, high)


def clamp(v: Any, x: Vector, low: Vector, high: Vector) -> Vector:
    return at_most(v, at_least(v, x, low), high)


def floored(v: Any, x: Vector, least: float, variance: bool) -> Vector:
    if variance:
        # The kernel refuses negative ones, and native code raises no errors.
        raise NotImplementedError
    return at_least(v, x, v.constant(least, x.dtype))


def _is_number(bound: Vector) -> bool:
    return bound.number is not None and not math.isnan(bound.number)


def masked_fill(v: Any, mask: Vector, x: Vector, value: float) -> Vector:
    return v.select(mask, x.dtype.type(value).item(), x)


# Quotients. Of integers only by numbers other than 0: for anything else the kernel has a message. ---------------------


def _refuse_unknown(x: Vector, y: Vector) -> None:
    if x.dtype.kind != "f" and not y.number:
        raise NotImplementedError


def floor_divide(v: Any, x: Vector, y: Vector) -> Vector:
    """Of floats what is left of x, and how often y goes into the rest: as Python does it."""
    _refuse_unknown(x, y)
    if x.dtype.kind != "f":
        return x // y
    rest = v.fmod(x, y)
    quotient = (x - rest) / y
    quotient = v.select((rest != 0) & ((rest < 0) ^ (y < 0)), quotient - 1, quotient)
    whole = v.floor(quotient)
    whole = v.select(quotient - whole > 0.5, whole + 1, whole)
    whole = v.select(quotient == 0, v.copysign(0.0, x / y), whole)
    return v.select(y == 0, x / y, whole)


def trunc_divide(v: Any, x: Vector, y: Vector) -> Vector:
    _refuse_unknown(x, y)
    if x.dtype.kind == "f":
        return v.trunc(x / y)
    down = x // y
    return v.select((down < 0) & (down * y != x), down + 1, down) if x.dtype.kind == "i" else down


def remainder(v: Any, x: Vector, y: Vector) -> Vector:
    _refuse_unknown(x, y)
    return x % y


def fmod(v: Any, x: Vector, y: Vector) -> Vector:
    _refuse_unknown(x, y)
    return v.fmod(x, y)


# Powers ---------------------------------------------------------------------------------------------------------------


def power(v: Any, x: Vector, y: Vector) -> Vector:
    if x.dtype.kind != "f":
        return _integer_power(v, x, y.number)
    short = None if y.number is None else _SHORT.get(y.number)
    return v.pow(x, y) if short is None else short(v, x)


def _integer_power(v: Any, x: Vector, exponent: int | None) -> Vector:
    """By squaring; the kernel refuses negative exponents."""
    if exponent is None or exponent < 0:
        raise NotImplementedError
    result = v.constant(1, x.dtype)
    while exponent:
        if exponent & 1:
            result = result * x
        x, exponent = x * x, exponent >> 1
    return result


def inverse_root(v: Any, x: Vector) -> Vector:
    return 1.0 / v.sqrt(x)


def _at_minus_infinity(v: Any, x: Vector, power: Vector, value: float) -> Vector:
    return v.select(x == -math.inf, value, power)


#: As in `kernels.power`.
_SHORT: dict[float, Callable[[Any, Vector], Vector]] = {
    0.0: lambda v, x: v.constant(1.0, x.dtype),
    1.0: lambda v, x: x,
    2.0: lambda v, x: x * x,
    3.0: lambda v, x: x * x * x,
    4.0: lambda v, x: (x * x) * (x * x),
    -1.0: lambda v, x: 1.0 / x,
    -2.0: lambda v, x: 1.0 / (x * x),
    -3.0: lambda v, x: 1.0 / (x * x) / x,
    0.5: lambda v, x: v.sqrt(x),
    -0.5: inverse_root,
    1.5: lambda v, x: _at_minus_infinity(v, x, v.sqrt(x) * x, math.inf),
    -1.5: lambda v, x: _at_minus_infinity(v, x, inverse_root(v, x) / x, 0.0),
}


# Activation functions -------------------------------------------------------------------------------------------------


def log_sigmoid(v: Any, x: Vector) -> Vector:
    return 0 - v.softplus(-x)


def silu(v: Any, x: Vector) -> Vector:
    return x / (v.exp(-x) + 1)


def softplus(v: Any, x: Vector, beta: float, threshold: float) -> Vector:
    scaled = x if beta == 1 else x * beta
    curve = v.softplus(scaled)
    return v.select(scaled > threshold, x, curve if beta == 1 else curve / beta)


def mish(v: Any, x: Vector) -> Vector:
    powers = v.exp(v.at_most(x, 20))
    factor = (powers + 2) * powers
    return factor / (factor + 2) * x


def relu(v: Any, x: Vector) -> Vector:
    return v.at_least(x, 0)


def threshold(v: Any, g: Vector, x: Vector) -> Vector:
    return v.select(x <= 0, 0, g)


def window(v: Any, g: Vector, x: Vector, low: float, high: float) -> Vector:
    return v.select((x <= low) | (x >= high), 0, g)


def leak(v: Any, g: Vector, x: Vector, negative_slope: float) -> Vector:
    return v.select(x > 0, g, g * negative_slope)


def leaky_relu(v: Any, x: Vector, negative_slope: float) -> Vector:
    return leak(v, x, x, negative_slope)


def hardtanh(v: Any, x: Vector, min_val: float, max_val: float) -> Vector:
    if x.dtype.kind == "f":
        low, high = (v.constant(bound, x.dtype) for bound in (min_val, max_val))
    else:
        limits = np.iinfo(x.dtype)
        low, high = (v.constant(int(min(max(b, limits.min), limits.max)), x.dtype) for b in (min_val, max_val))
    return clamp(v, x, low, high)


def elu(v: Any, x: Vector, alpha: float, scale: float) -> Vector:
    return v.select(x > 0, x * scale, v.expm1(v.at_most(x, 0)) * (alpha * scale))


def elu_slope(v: Any, x: Vector, low: float, high: float, closed: bool) -> Vector:
    return v.select(x <= 0 if closed else x < 0, v.exp(v.at_most(x, 0)) * low, high)


def normal_cdf(v: Any, x: Vector) -> Vector:
    """The tail beyond the size, `exp(-a*a/2)*k/(a + b + P(a)/Q(a))`: see `kernels.erf`."""
    table = TAILS[x.dtype.itemsize]
    a = v.at_most(v.abs(x), table.last)
    p, q = v.constant(table.p[0], x.dtype), a + table.q[0]
    for upper, lower in zip(table.p[1:], table.q[1:], strict=True):
        p, q = v.fma(p, a, upper), v.fma(q, a, lower)
    # The exponential would blow up the rounding error of the square. It is that of the density, of any size: both are 0
    # where it is too large.
    error = v.fma(a, a, -(a * a))
    tail = table.k / (p / q + table.b + a) * v.exp(x * x * -0.5)
    tail = v.fma(error * -0.5, tail, tail)
    return v.select(x > 0, 1 - tail, tail)


def gelu(v: Any, x: Vector, approximate: str) -> Vector:
    if approximate == "none":
        return normal_cdf(v, x) * x
    return x / (v.exp((x * x * (-2 * GELU_SLOPE * GELU_CUBE) + -2 * GELU_SLOPE) * x) + 1)


# Losses of each element -----------------------------------------------------------------------------------------------


def huber(v: Any, d: Vector, delta: float) -> Vector:
    if math.isinf(delta):
        return d * (d * 0.5)
    size = v.abs(d)
    half = v.at_most(size, delta) * 0.5
    return (size - half) * (half * 2)


def smooth_l1(v: Any, d: Vector, beta: float) -> Vector:
    size = v.abs(d)
    half = v.at_most(size, beta) * 0.5
    return (size - half) * (half / (d.dtype.type(beta) * d.dtype.type(0.5)).item())


def binary_cross_entropy(v: Any, x: Vector, y: Vector, weight: Vector | None, positive: Vector | None) -> Vector:
    tail = v.log1p(v.exp(-v.abs(x)))
    positive_part = (v.at_least(-x, 0) + tail) * (y if positive is None else y * positive)
    losses = (v.at_least(x, 0) + tail) * (1 - y) + positive_part
    return losses if weight is None else losses * weight


def cross_entropies(v: Any, x: Vector, y: Vector) -> Vector:
    """Of probabilities; the kernel refuses other numbers."""
    return -((1 - y) * v.at_least(v.log1p(-x), -100) + y * v.at_least(v.log(x), -100))
