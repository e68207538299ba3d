"""The normal distribution function and the error functions on NumPy, which has none.

For a = abs(x), the tail beyond a is exp(-a*a/2)*R(a) with a smooth R, erfcx(a/sqrt(2))/2. It is computed as
k/(a + b + P(a)/Q(a)), from 0 to where the tail is no longer a number; in this form the errors of the polynomials fade
as a grows. Their coefficients were found by Remez' algorithm with 50 digits, for the least relative error of R: 5.9e-9
in single precision, 5.2e-17 in double.

The error functions are the same tail, of x*sqrt(2): only the exponential needs x itself. Near 0, erf is a polynomial.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from gradcli.ops.kernels.inplace import bits, flattened, in_double, numbers, pieces, rows


class _Tail(NamedTuple):
    """Coefficients of P and Q by falling powers; Q's first one, 1, is left out.

    Beyond `last` the tail is 0. `mask` keeps half of a number's digits: the square of what is kept is exact.
    """

    k: float
    b: float
    p: tuple[float, ...]
    q: tuple[float, ...]
    last: float
    mask: int


TAILS = {
    4: _Tail(
        0.398946915196682,
        0.0007401725684703142,
        numbers("0.978689202236443 10.035497385014883 40.74730507166075 96.85647617140103"),
        numbers("9.87230273733501 44.52204107671233 106.50156966544674 121.50289443717237"),
        14.5,
        ~0xFFF,
    ),
    8: _Tail(
        0.3989422804002472,
        -6.95205485246171e-10,
        numbers("""
            1.0000000750802265 26.886254752675157 351.9494657193074 2897.719282879432 16352.405625844205
            64884.385251076455 178226.4608184366 315137.9294915897 287987.64974035835
        """),
        numbers("""
            26.88625774007053 353.9493410971603 2951.4951636847236 17050.233918041027 70519.65529916798
            208846.6519178839 428806.469847724 559349.1142426515 360938.99247843813
        """),
        39.0,
        ~0x7FFFFFF,
    ),
}
# erf(x)/x by falling powers of x*x, below the bound; the least relative error there is 1.8e-17.
_NEAR = 0.5
_ERF = numbers("""
    1.3214378238338438e-08 -1.6273138761686977e-07 1.6459034327218912e-06 -1.4925586560096415e-05 0.00012055332131175981
    -0.0008548327016159163 0.005223977625403192 -0.026866170645130034 0.11283791670955123 -0.37612638903183754
    1.1283791670955126
""")
# Beyond it, erfc is 0 and erf is 1.
_LAST = 28.0
# The steps are taken on so many bytes at a time, so that all their arrays stay in the cache; in smaller pieces threads
# would wait for each other between the steps.
_BLOCK_BYTES = 3 << 16


def _ratio(out: Any, a: Any, both: Any, table: _Tail) -> None:
    """R into `out`; P and Q are computed together, in the two rows of `both`."""
    both[0] = table.p[0]
    np.add(a, table.q[0], out=both[1])
    pairs = np.array([table.p[1:], table.q[1:]], out.dtype)
    for k in range(pairs.shape[1]):
        np.multiply(both, a, out=both)
        np.add(both, pairs[:, k : k + 1], out=both)
    np.divide(both[0], both[1], out=out)
    np.add(out, table.b, out=out)
    np.add(out, a, out=out)
    np.divide(table.k, out, out=out)


def erfc_of_size_scaled(size: Any) -> Any:
    """exp(size**2)*erfc(size) of numbers that are not negative."""
    a = size * math.sqrt(2)
    near = a <= TAILS[8].last
    result = np.empty_like(size)
    _ratio(result, np.where(near, a, 0), np.empty((2, *size.shape)), TAILS[8])
    # Beyond the table the first steps of the continued fraction are exact.
    far = np.where(near, 1, a)
    fraction = far
    for k in range(12, 0, -1):
        fraction = far + k / fraction
    return np.where(near, 2 * result, math.sqrt(2 / math.pi) / fraction)


def _erfc_of_size(size: Any) -> Any:
    """erfc of numbers that are not negative."""
    table = TAILS[8]
    size = np.minimum(size, _LAST)
    result = np.empty_like(size)
    _ratio(result, np.minimum(size * math.sqrt(2), table.last), np.empty((2, *size.shape)), table)
    # As in `_tail`, the rounding error of the square is computed.
    square = np.square(size)
    high = np.bitwise_and(bits(size), table.mask).view(size.dtype)
    error = (size - high) * (size + high) + (np.square(high) - square)
    result *= 2 * np.exp(-square)
    result -= result * error
    return result


def _erfc(x: Any) -> Any:
    size = np.absolute(x)
    far = _erfc_of_size(size)
    # From erf, so that it is 1 at 0.
    return np.where(size < _NEAR, 1 - _near_zero(x), np.where(x < 0, 2 - far, far))


def _erf(x: Any) -> Any:
    size = np.absolute(x)
    return np.where(size < _NEAR, _near_zero(x), np.copysign(1 - _erfc_of_size(size), x))


def _near_zero(x: Any) -> Any:
    """erf below the bound."""
    return np.polyval(_ERF, np.square(np.clip(x, -_NEAR, _NEAR))) * x


#: Their block kernels.
erf_into, erfc_into = in_double(_erf), in_double(_erfc)


def _tail(out: Any, a: Any, scratch: Any, table: _Tail) -> None:
    """The probability beyond a, which is not negative and is overwritten."""
    _ratio(out, a, scratch[:2], table)
    square, high, error = scratch
    # The exponential would blow up the rounding error of the square, so that is computed, from halves of the digits:
    # a*a = h*h + (a - h)*(a + h).
    np.square(a, out=square)
    np.bitwise_and(bits(a), table.mask, out=bits(high))
    np.subtract(a, high, out=error)
    np.add(a, high, out=a)
    np.multiply(error, a, out=error)
    np.square(high, out=high)
    np.subtract(high, square, out=high)
    np.add(error, high, out=error)
    np.multiply(square, -0.5, out=square)
    np.exp(square, out=square)
    np.multiply(out, square, out=out)
    np.multiply(error, -0.5, out=error)
    np.multiply(error, out, out=error)
    np.add(out, error, out=out)


def _cdf(out: Any, x: Any) -> None:
    """The function of a vector."""
    table = TAILS[out.dtype.itemsize]
    scratch = rows(out.size, out.dtype, 4)
    size = scratch[3]
    np.absolute(x, out=size)
    if not size.size or not np.maximum.reduce(size) <= table.last:
        np.clip(size, 0, table.last, out=size)
    _tail(out, size, scratch[:3], table)
    # 0 + tail below 0, 1 - tail above.
    np.subtract(out, np.greater(x, 0), out=out)
    np.absolute(out, out=out)


def normal_cdf_into(out: Any, x: Any) -> None:
    """`normal_cdf` of single or double precision, written into an array of the same shape and dtype."""
    for block, part in pieces(_BLOCK_BYTES // out.dtype.itemsize, out, x):
        vectors = flattened((block, part)) if block.ndim else None
        if vectors is not None:
            _cdf(*vectors)
        else:
            result = np.empty(block.size, block.dtype)
            _cdf(result, np.broadcast_to(part, block.shape).reshape(-1))
            block[...] = result.reshape(block.shape)


def normal_cdf(x: Any) -> Any:
    """The probability that a standard normal number is at most x, in the dtype of x.

    >>> round(float(normal_cdf(np.array(1.0))), 12)
    0.841344746069
    """
    out = np.empty_like(x)
    normal_cdf_into(out, x)
    return out
