"""Quotients rounded down or to zero, and remainders: NumPy's, many times faster.

NumPy takes the exact remainder of each element in a loop, about 18 ns; the functions here divide, round, and take the
remainder x - q*y with products that are exact: the divisor is split into two parts of half the digits. What that
cannot decide (large quotients, infinities, a quotient that was rounded up to an integer) is left to NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.ops.kernels.inplace import bits, repair, scratch, scratches, take_sign

# By the size of the type: what keeps the upper half of a number's digits, and the quotients whose products with
# either half are exact.
_HALVES = {4: (~0xFFF, 2.0**12), 8: (~0x7FFFFFF, 2.0**26)}
# More doubtful elements than one in so many are worth a second look at all of them.
_FEW = 16


def refuse_zero(y: Any) -> None:
    if y.dtype.kind != "f" and not np.all(y):
        raise GradcliError("integer division by zero", hint="use / for a floating-point quotient")


def floor_divide(out: Any, x: Any, y: Any) -> None:
    """`x // y`, of floats by zero as the plain quotient."""
    if out.dtype.kind != "f":
        refuse_zero(y)
        np.floor_divide(x, y, out=out)
        return
    quotient = scratch(out)
    np.true_divide(x, y, out=quotient)
    np.floor(quotient, out=out)
    # Rounding never passes an integer: a quotient that is none has the right one below it.
    doubtful = np.equal(quotient, out)
    count = np.count_nonzero(doubtful)
    if count > out.size // _FEW:
        doubtful &= ~_correct_floor(out, x, y, quotient)
        count = np.count_nonzero(doubtful)
    if count:
        repair(out, doubtful, lambda x, y: np.where(y == 0, np.true_divide(x, y), np.floor_divide(x, y)), x, y)


def _correct_floor(out: Any, x: Any, y: Any, rest: Any) -> Any:
    """Take 1 off the quotients in `out` that are too large; true where they are certain."""
    limit = _residue(rest, x, y, out, *_halves_of(y, out))
    certain = np.isfinite(rest)
    certain &= np.less(np.absolute(out), limit)
    beyond = _beyond(rest, y)
    beyond &= certain
    if np.any(beyond):
        np.subtract(out, beyond, out=out)
    return certain


def remainder(out: Any, x: Any, y: Any) -> None:
    """`x % y` with the sign of y."""
    _remainder(out, x, y, np.floor, y, np.remainder)


def fmod(out: Any, x: Any, y: Any) -> None:
    """The remainder with the sign of x."""
    _remainder(out, x, y, np.trunc, x, np.fmod)


def _remainder(out: Any, x: Any, y: Any, rounded: Any, signed: Any, slow: Any) -> None:
    """x - q*y, q being the rounded quotient, with the sign of `signed`; `slow` is NumPy's function."""
    refuse_zero(y)
    if out.dtype.kind != "f":
        slow(x, y, out=out)
        return
    if y.ndim:
        quotient, high, low = scratches(out, 3)
    else:
        (quotient,), high, low = scratches(out, 1), None, None
    np.true_divide(x, y, out=quotient)
    rounded(quotient, out=quotient)
    limit = _residue(out, x, y, quotient, *_halves_of(y, out, high, low))
    certain = np.less(np.absolute(quotient, out=quotient), limit)
    certain &= np.isfinite(out)
    certain &= np.logical_not(_beyond(out, signed))
    if np.any(np.equal(out, 0)):
        take_sign(out, signed)
    if not np.all(certain):
        repair(out, np.logical_not(certain), slow, x, y)


def _halves_of(y: Any, out: Any, high: Any = None, low: Any = None) -> tuple[Any, Any]:
    """The upper and the lower half of the digits of y, and in arrays like `out` unless y is a number or broadcast."""
    if y.shape != out.shape:
        high = low = None
    high = np.bitwise_and(bits(y), _HALVES[y.dtype.itemsize][0], out=None if high is None else bits(high)).view(y.dtype)
    return high, np.subtract(y, high, out=low)


def _residue(out: Any, x: Any, y: Any, quotient: Any, high: Any, low: Any) -> float:
    """x - quotient*y, rounded once where the quotient is below the limit, which is returned; `low` is overwritten."""
    np.multiply(quotient, high, out=out)
    np.subtract(x, out, out=out)
    if low.shape == out.shape and low.ndim:
        np.subtract(out, np.multiply(quotient, low, out=low), out=out)
    elif low.ndim or low:
        np.subtract(out, np.multiply(quotient, low), out=out)
    return _HALVES[out.dtype.itemsize][1]


def _beyond(rest: Any, signed: Any) -> Any:
    """Where a remainder has the wrong sign: its quotient was rounded up to an integer."""
    if not signed.ndim:
        return np.greater(rest, 0) if np.signbit(signed) else np.less(rest, 0)
    differ = np.not_equal(np.signbit(rest), np.signbit(signed))
    differ &= np.not_equal(rest, 0)
    return differ


def trunc_divide(out: Any, x: Any, y: Any) -> None:
    """The quotient rounded to zero."""
    if out.dtype.kind == "f":
        np.true_divide(x, y, out=out)
        np.trunc(out, out=out)
        return
    refuse_zero(y)
    np.floor_divide(x, y, out=out)
    np.add(out, (out < 0) & (out * y != x), out=out)
