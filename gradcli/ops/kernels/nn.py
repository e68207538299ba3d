"""Block kernels of the activation functions, of the gradients of piecewise linear ones, and of losses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.ops.kernels.erf import normal_cdf_into
from gradcli.ops.kernels.inplace import clear, negative_size, scratch, scratches, select

# Hendrycks and Gimpel, Gaussian Error Linear Units (2016), the approximation with tanh.
GELU_SLOPE = math.sqrt(2 / math.pi)
GELU_CUBE = 0.044715


def sigmoid(out: Any, x: Any) -> None:
    """`1/(1 + exp(-x))`; where the exponential overflows the result is 0, as it is in PyTorch."""
    np.negative(x, out=out)
    np.exp(out, out=out)
    np.add(out, 1, out=out)
    np.reciprocal(out, out=out)


def log1p_exp_of_negative_size(out: Any, x: Any) -> None:
    """`log(1 + exp(-abs(x)))`."""
    negative_size(out, x)
    np.exp(out, out=out)
    np.log1p(out, out=out)


def log_sigmoid(out: Any, x: Any) -> None:
    """`log(sigmoid(x))`, without overflow."""
    tail = scratch(out)
    log1p_exp_of_negative_size(tail, x)
    np.clip(x, -np.inf, 0, out=out)
    np.subtract(out, tail, out=out)


def silu(out: Any, x: Any) -> None:
    """`x*sigmoid(x)`."""
    np.negative(x, out=out)
    np.exp(out, out=out)
    np.add(out, 1, out=out)
    np.divide(x, out, out=out)


def softplus(out: Any, x: Any, beta: float, threshold: float) -> None:
    """`log(1 + exp(beta*x))/beta`, and x itself above threshold/beta."""
    scaled = x
    if beta != 1:
        scaled = np.multiply(x, x.dtype.type(beta), out=scratch(out))
    above = np.greater(scaled, threshold)
    np.exp(scaled, out=out)
    np.log1p(out, out=out)
    if beta != 1:
        np.divide(out, x.dtype.type(beta), out=out)
    if np.any(above):
        select(out, np.logical_not(above), out, x)


def mish(out: Any, x: Any) -> None:
    """`x*tanh(softplus(x))` by the double argument's formula: with e = exp(x), `x*n/(n + 2)` where n = e*(e + 2)."""
    powers = scratch(out)
    # Beyond 20 the quotient is 1, even in double precision.
    np.clip(x, -np.inf, 20, out=powers)
    np.exp(powers, out=powers)
    np.add(powers, 2, out=out)
    np.multiply(out, powers, out=out)
    np.add(out, 2, out=powers)
    np.divide(out, powers, out=out)
    np.multiply(out, x, out=out)


# Piecewise linear -----------------------------------------------------------------------------------------------------


def relu(out: Any, x: Any) -> None:
    """The input, but not below 0, with the input's own zeros."""
    if out.dtype.kind == "f":
        np.clip(x, 0, np.inf, out=out)
    else:
        np.maximum(x, x.dtype.type(0), out=out)


def threshold(out: Any, g: Any, x: Any) -> None:
    """The gradient where the input is above 0 or NaN."""
    clear(out, g, np.less_equal(x, 0))


def window(out: Any, g: Any, x: Any, low: float, high: float) -> None:
    """The gradient where the input lies between two bounds or is NaN."""
    drop = np.less_equal(x, low)
    drop |= np.greater_equal(x, high)
    clear(out, g, drop)


def _factor(out: Any, condition: Any, yes: float, no: float) -> None:
    """One of two numbers for each element."""
    select(out, condition, np.asarray(out.dtype.type(yes)), np.asarray(out.dtype.type(no)))


def leak(out: Any, g: Any, x: Any, negative_slope: float) -> None:
    """The gradient where the input is positive, negative_slope times it elsewhere."""
    _factor(out, np.greater(x, 0), 1.0, negative_slope)
    np.multiply(g, out, out=out)


def leaky_relu(out: Any, x: Any, negative_slope: float) -> None:
    """The input where positive, `negative_slope*input` elsewhere."""
    if 0 < x.dtype.type(negative_slope) <= 1:
        np.multiply(x, x.dtype.type(negative_slope), out=out)
        np.maximum(out, x, out=out)
    else:
        leak(out, x, x, negative_slope)


def hardtanh(out: Any, x: Any, min_val: float, max_val: float) -> None:
    """The input held between two numbers."""
    if x.dtype.kind != "f":
        # Bounds of integers are cut to integers, and to what the type can hold.
        limits = np.iinfo(x.dtype)
        low, high = (int(min(max(bound, limits.min), limits.max)) for bound in (min_val, max_val))
        np.clip(x, low, high, out=out)
    else:
        np.clip(x, x.dtype.type(min_val), x.dtype.type(max_val), out=out)


# Exponential linear ---------------------------------------------------------------------------------------------------


def elu(out: Any, x: Any, alpha: float, scale: float) -> None:
    """`scale*x` where positive, `scale*alpha*(exp(x) - 1)` elsewhere."""
    # Held at 0, where the exponential could overflow.
    np.clip(x, -np.inf, 0, out=out)
    np.expm1(out, out=out)
    if alpha == scale == 1:
        # The exponential lies above its tangent.
        np.maximum(out, x, out=out)
        return
    np.multiply(out, x.dtype.type(alpha * scale), out=out)
    above = np.multiply(x, x.dtype.type(scale), out=scratch(out))
    select(out, np.logical_not(np.greater(x, 0)), out, above)


def elu_slope(out: Any, x: Any, low: float, high: float, closed: bool) -> None:
    """`low*exp(x)` below 0, and at 0 if closed; `high` elsewhere and for NaN."""
    np.clip(x, -np.inf, 0, out=out)
    np.exp(out, out=out)
    np.multiply(out, x.dtype.type(low), out=out)
    below = np.less_equal(x, 0) if closed else np.less(x, 0)
    select(out, below, out, np.asarray(x.dtype.type(high)))


# GELU -----------------------------------------------------------------------------------------------------------------


def gelu(out: Any, x: Any, approximate: str) -> None:
    """The input times its standard normal distribution function, or an approximation with tanh."""
    if approximate == "none":
        normal_cdf_into(out, x)
        np.multiply(out, x, out=out)
        return
    # (1 + tanh(u))/2 is the sigmoid function of 2u, which keeps its digits far below 0.
    np.square(x, out=out)
    np.multiply(out, -2 * GELU_SLOPE * GELU_CUBE, out=out)
    np.add(out, -2 * GELU_SLOPE, out=out)
    np.multiply(out, x, out=out)
    np.exp(out, out=out)
    np.add(out, 1, out=out)
    np.divide(x, out, out=out)


def huber(out: Any, d: Any, delta: float) -> None:
    """`d*d/2` up to delta, `delta*(abs(d) - delta/2)` beyond: with c, the size held at delta, `c*(abs(d) - c/2)`."""
    half = scratch(out)
    if math.isinf(delta):
        np.multiply(d, np.multiply(d, 0.5, out=half), out=out)
        return
    np.absolute(d, out=out)
    np.clip(out, 0, delta, out=half)
    np.multiply(half, 0.5, out=half)
    np.subtract(out, half, out=out)
    np.multiply(half, 2, out=half)
    np.multiply(out, half, out=out)


def smooth_l1(out: Any, d: Any, beta: float) -> None:
    """The Huber loss divided by beta: `(c/beta)*(abs(d) - c/2)`."""
    half = scratch(out)
    np.absolute(d, out=out)
    np.clip(out, 0, beta, out=half)
    np.multiply(half, 0.5, out=half)
    np.subtract(out, half, out=out)
    np.divide(half, d.dtype.type(beta) * d.dtype.type(0.5), out=half)
    np.multiply(out, half, out=out)


def binary_cross_entropy(out: Any, x: Any, y: Any, weight: Any, positive: Any) -> None:
    """Minus the logarithms of both chances, log(1 + exp(x)) and log(1 + exp(-x)), by the target; None for no weight."""
    tail, other = scratches(out, 2)
    log1p_exp_of_negative_size(tail, x)
    # The greater of x and 0, and of -x and 0, plus the tail: their sum cancels nothing.
    np.clip(x, 0, np.inf, out=out)
    np.add(out, tail, out=out)
    np.multiply(out, np.subtract(1, y, out=other), out=out)
    np.negative(x, out=other)
    np.clip(other, 0, np.inf, out=other)
    np.add(other, tail, out=other)
    np.multiply(other, y if positive is None else np.multiply(y, positive, out=tail), out=other)
    np.add(out, other, out=out)
    if weight is not None:
        np.multiply(out, weight, out=out)
