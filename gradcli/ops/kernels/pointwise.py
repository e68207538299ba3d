"""Block kernels of elementwise rows that are more than a function of NumPy: rounding, selection, logarithms of sums."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.graph.dtypes import is_half
from gradcli.ops.kernels.inplace import Into, clear, negative_size, pieces, repair, scratch, select

# Elements that are converted at once: they fit the cache.
_BLOCK = 1 << 16
# Fewer are converted before it is known whether that would be slow.
_FEW = 1 << 6


def negate(out: Any, x: Any) -> None:
    """The elements with the other sign."""
    if x.flags.c_contiguous or out.flags.c_contiguous:
        np.negative(x, out=out)
    else:
        # From columns to columns NumPy 2.4 steps through its operand wrongly, at strides of 16 and 64 bytes for one.
        out[...] = np.negative(x)


def answered(test: np.ufunc) -> Into:
    """A test of NumPy's as a block kernel: NumPy 2.4 writes only some of its answers to a column."""

    def into(out: Any, x: Any) -> None:
        if out.flags.c_contiguous:
            test(x, out=out)
        else:
            out[...] = test(x)

    return into


def convert(out: Any, x: Any, dtype: Any) -> None:
    """The elements in the dtype of `out`."""
    if is_half(out.dtype) and x.dtype.itemsize > 2 and x.dtype.kind == "f":
        x = _fit_for_half(x)
    np.copyto(out, x, casting="unsafe")


def converted(x: Any, dtype: Any) -> Any:
    """The elements in another dtype, as an array of its own."""
    if not is_half(dtype) or x.size <= _FEW:
        return x.astype(dtype)
    out = np.empty_like(x, dtype)
    for block, part in pieces(_BLOCK, out, x):
        convert(block, part, dtype)
    return out


# The smallest normal number of float16, and where its infinity begins.
_HALF_TINY, _HALF_INFINITY = 2.0**-14, 65520.0


def _fit_for_half(x: Any) -> Any:
    """Numbers that NumPy rounds to the same float16 numbers, a hundred times faster.

    For each one that overflows, or is rounded below the normal numbers, NumPy sets a flag of the processor.
    """
    size = np.absolute(x)
    small, large = np.less(size, _HALF_TINY), np.greater_equal(size, _HALF_INFINITY)
    if np.any(small):
        # To this sum a unit in the last place is what it is to small float16 numbers.
        shift = x.dtype.type(1.5 * 2.0 ** (np.finfo(x.dtype).nmant - 24))
        x = np.where(small, np.copysign((x + shift) - shift, x), x)
    return np.where(large, np.copysign(x.dtype.type(np.inf), x), x) if np.any(large) else x


def unary(ufunc: Any) -> Into:
    """A function of floats that leaves integers as they are; NumPy would make them floats."""

    def run(out: Any, x: Any) -> None:
        if out.dtype.kind == "f":
            ufunc(x, out=out)
        else:
            np.copyto(out, x)

    return run


def sign(out: Any, x: Any) -> None:
    """-1, 0 or 1; 0 for NaN."""
    if out.dtype.kind == "f":
        positive, negative = np.greater(x, 0).view(np.int8), np.less(x, 0).view(np.int8)
        np.copyto(out, np.subtract(positive, negative))
    elif out.dtype.kind == "b":
        np.copyto(out, x)
    else:
        np.sign(x, out=out)


def round_half_even(out: Any, x: Any, decimals: int) -> None:
    if out.dtype.kind != "f":
        np.copyto(out, x)
        return
    if decimals == 0:
        np.rint(x, out=out)
        return
    # PyTorch's order: for many digits the other one would round 10**decimals first.
    scale = x.dtype.type(10.0 ** abs(decimals))
    first, last = (np.multiply, np.divide) if decimals > 0 else (np.divide, np.multiply)
    first(x, scale, out=out)
    np.rint(out, out=out)
    last(out, scale, out=out)


def fraction(out: Any, x: Any) -> None:
    np.trunc(x, out=out)
    np.subtract(x, out, out=out)


def lerp(out: Any, a: Any, b: Any, w: Any) -> None:
    """`a + w*(b - a)`, in two forms so that the ends are met exactly."""
    near = np.less(np.absolute(w), 0.5)
    far = np.subtract(b, a, out=scratch(out) if w.ndim or not near else out)
    if w.ndim or near:
        np.multiply(far, w, out=out)
        np.add(out, a, out=out)
    if w.ndim or not near:
        np.multiply(far, np.subtract(1, w), out=far)
        np.subtract(b, far, out=far if w.ndim else out)
    if w.ndim:
        select(out, near, out, far)


def xlogy(out: Any, x: Any, y: Any) -> None:
    """`x*log(y)`, and 0 where x is 0 but y is not NaN."""
    # A logarithm of a broadcast operand is taken once.
    logs = np.log(y) if y.size < out.size else np.log(y, out=out)
    np.multiply(x, logs, out=out)
    zero = np.equal(x, 0)
    if np.any(zero):
        clear(out, out, np.logical_and(zero, np.equal(y, y)))


def logaddexp(out: Any, x: Any, y: Any) -> None:
    """`log(exp(x) + exp(y))` from the greater one and the distance."""
    np.subtract(x, y, out=out)
    # Equal infinities have no distance but are no different.
    apart = np.isnan(out)
    if np.any(apart):
        np.copyto(out, 0, where=apart)
    negative_size(out, out)
    np.exp(out, out=out)
    np.log1p(out, out=out)
    np.add(out, np.maximum(x, y, out=scratch(out)), out=out)


# Sums of squares between these bounds are exact enough: below, squares lose digits, above, they overflow.
_SQUARES = {4: (2.0**-100, 2.0**127), 8: (2.0**-960, 2.0**1023)}


def hypot(out: Any, x: Any, y: Any) -> None:
    """`sqrt(x*x + y*y)` without overflow."""
    np.square(x, out=out)
    np.add(out, np.square(y, out=scratch(out)) if y.ndim else np.square(y), out=out)
    low, high = _SQUARES[out.dtype.itemsize]
    safe = np.greater(out, low)
    safe &= np.less(out, high)
    np.sqrt(out, out=out)
    if not np.all(safe):
        repair(out, np.logical_not(safe), np.hypot, x, y)


# Selection ------------------------------------------------------------------------------------------------------------


def masked_fill(out: Any, mask: Any, x: Any, value: float) -> None:
    select(out, mask, np.asarray(x.dtype.type(value)), x)


def clamp(out: Any, x: Any, low: Any, high: Any) -> None:
    """The greater of x and `low`, and the smaller of that and `high`."""
    if low.ndim or high.ndim or out.dtype.kind != "f":
        at_least(out, x, low)
        at_most(out, out, high)
    else:
        np.clip(x, low, high, out=out)


# NumPy's maximum and minimum take four times as long with a number as `clip` does.


def at_least(out: Any, x: Any, low: Any) -> None:
    """The greater of two."""
    if out.dtype.kind != "f" or (x.ndim and low.ndim):
        np.maximum(x, low, out=out)
    elif x.ndim:
        np.clip(x, low, np.inf, out=out)
    else:
        np.clip(low, x, np.inf, out=out)


def at_most(out: Any, x: Any, high: Any) -> None:
    """The smaller of two."""
    if out.dtype.kind != "f" or (x.ndim and high.ndim):
        np.minimum(x, high, out=out)
    elif x.ndim:
        np.clip(x, -np.inf, high, out=out)
    else:
        np.clip(high, -np.inf, x, out=out)
