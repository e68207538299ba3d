"""Block kernels of losses, element by element; functions of a difference may write over it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.ops.kernels.activation_kernels import log1p_exp_of_negative_size
from gradcli.ops.kernels.inplace import scratch, scratches


def square(out: Any, d: Any) -> None:
    np.square(d, out=out)


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
