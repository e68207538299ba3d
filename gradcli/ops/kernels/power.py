"""Powers: products and roots for the usual exponents, and NumPy's function where it is fast.

NumPy's takes 15 to 70 ns for a negative base against 2 to 4 for a positive one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.ops.kernels.inplace import bits, sign_bit, take_sign


def power(out: Any, x: Any, y: Any) -> None:
    """`x ** y`."""
    if out.dtype.kind in "iub":
        if y.dtype.kind == "i" and np.any(y < 0):
            raise GradcliError("integers to negative powers are not integers", hint="use a float base, as in x.float()")
        np.power(x, y, out=out)
    elif not y.ndim:
        exponent = float(y)
        short = _SHORT.get(exponent)
        if short is not None:
            short(out, x)
        elif np.isfinite(exponent) and np.any(np.signbit(x)):
            _of_sizes(out, x, y, exponent)
        else:
            np.power(x, y, out=out)
    elif np.any(np.signbit(x)) and np.array_equal(np.floor(y), y):
        _to_whole_numbers(out, x, y)
    else:
        np.power(x, y, out=out)


def _of_sizes(out: Any, x: Any, y: Any, exponent: float) -> None:
    """Powers of numbers some of which are negative: those of their sizes with a sign, or NaN."""
    np.absolute(x, out=out)
    np.power(out, y, out=out)
    if exponent % 2 == 1:
        take_sign(out, x)
    elif exponent % 1:
        # All bits set are a NaN. The power of minus infinity is that of infinity.
        undefined = np.less(x, 0)
        undefined &= np.isfinite(x)
        target = bits(out)
        np.bitwise_or(target, np.negative(undefined.view(np.int8)), out=target)


def _to_whole_numbers(out: Any, x: Any, y: Any) -> None:
    np.power(np.absolute(x), y, out=out)
    half = np.multiply(y, 0.5)
    odd = np.not_equal(half, np.floor(half))
    sign = np.bitwise_and(bits(x), sign_bit(x.dtype))
    target = bits(out)
    np.bitwise_or(target, np.bitwise_and(sign, np.negative(odd.view(np.int8))), out=target)


def _cube(out: Any, x: Any) -> None:
    np.square(x, out=out)
    np.multiply(out, x, out=out)


def _fourth(out: Any, x: Any) -> None:
    np.square(x, out=out)
    np.square(out, out=out)


def _inverse_square(out: Any, x: Any) -> None:
    np.square(x, out=out)
    np.reciprocal(out, out=out)


def _inverse_cube(out: Any, x: Any) -> None:
    # In this order nothing overflows before the result does.
    _inverse_square(out, x)
    np.divide(out, x, out=out)


def inverse_root(out: Any, x: Any) -> None:
    """`1/sqrt(x)`."""
    np.sqrt(x, out=out)
    np.reciprocal(out, out=out)


def _three_halves(out: Any, x: Any) -> None:
    np.sqrt(x, out=out)
    np.multiply(out, x, out=out)
    _at_minus_infinity(out, x, np.inf)


def _inverse_three_halves(out: Any, x: Any) -> None:
    inverse_root(out, x)
    np.divide(out, x, out=out)
    _at_minus_infinity(out, x, 0.0)


def _at_minus_infinity(out: Any, x: Any, value: float) -> None:
    """The one negative base whose power is defined, but not by the root."""
    places = np.equal(x, -np.inf)
    if np.any(places):
        np.copyto(out, value, where=places)


#: What PyTorch computes for these exponents too, and half-way ones.
_SHORT: dict[float, Callable[[Any, Any], Any]] = {
    0.0: lambda out, x: out.fill(1),
    1.0: np.copyto,
    2.0: lambda out, x: np.square(x, out=out),
    3.0: _cube,
    4.0: _fourth,
    -1.0: lambda out, x: np.reciprocal(x, out=out),
    -2.0: _inverse_square,
    -3.0: _inverse_cube,
    0.5: lambda out, x: np.sqrt(x, out=out),
    -0.5: inverse_root,
    1.5: _three_halves,
    -1.5: _inverse_three_halves,
}
