"""The logarithm of the gamma function and its derivatives on NumPy, which has none.

Each function is a polynomial on one interval, found by Chebyshev interpolation with 45 digits for relative errors of
at most 1e-16; recurrences lead there from small numbers, reflections from negative ones, and large numbers have the
asymptotic series. No step subtracts what is nearly equal, except near the zeros of lgamma and polygamma at negative
numbers, where the absolute error is that of the terms. All functions take vectors in double precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.ops.kernels.inplace import in_double, numbers

#: lgamma(2 + u)/u for abs(u) <= 0.5, by falling powers.
LGAMMA = numbers("""
    -3.086001406472997e-08 6.472569840064724e-08 -9.55815719602702e-08 2.0193835401136915e-07 -4.5081694013872984e-07
    9.584207048594987e-07 -2.0389077455473625e-06 4.374223481082048e-06 -9.43952620920429e-06 2.0507291996563825e-05
    -4.492623381973997e-05 9.94575066878814e-05 -0.0002231547585882527 0.0005096695250241955 -0.0011927539116998497
    0.0028905103307344045 -0.007385551028674025 0.02058080842778463 -0.06735230105319809 0.3224670334241132
    0.42278433509846713
""")
#: x times what Stirling's formula lacks, for x >= 8, by falling powers of 1/x**2.
STIRLING = numbers("""
    0.11001554697563673 -0.027742741357277903 0.006383322059276921 -0.001917287055870562 0.000841749570829054
    -0.0005952380914267929 0.0007936507936450394 -0.0027777777777777744 0.08333333333333333
""")
STIRLING_FROM = 8.0
#: digamma(1.5 + u) over the distance from its zero, for abs(u) <= 0.5, and the zero in two parts.
DIGAMMA = numbers("""
    0.00011881232908510335 -0.0001782188548855923 9.653646261410062e-05 -0.00014480643368061614 0.00032395945401345196
    -0.00048595039220036254 0.0006909255761282986 -0.0010364584817312839 0.0015633696313653504 -0.0023454947397380833
    0.003518106563802472 -0.005279937255532708 0.007927021796868154 -0.011908220105959716 0.017907248317313294
    -0.026975796659787055 0.040760833940846085 -0.06192213327548831 0.09498872445289039 -0.14840492305388092
    0.24054248424078697 -0.4236274212814606 0.9510558760318328
""")
DIGAMMA_ZERO = 1.4616321449683622, 9.549995429965697e-17
#: x**2 times (log(x) - 1/(2*x) - digamma(x)), for x >= 10, by falling powers of 1/x**2.
ASYMPTOTIC = numbers("""
    2.1278197483476555 -0.42734636313797986 0.08317912371290355 -0.021091909125959957 0.007575754551180884
    -0.004166666660841315 0.003968253968248328 -0.008333333333333331 0.08333333333333333
""")
ASYMPTOTIC_FROM = 10.0
# B(2k)/(2k)!, of Euler and Maclaurin's formula for the sum of powers beyond the first terms.
_BERNOULLI = (
    1 / 12,
    -1 / 720,
    1 / 30240,
    -1 / 1209600,
    1 / 47900160,
    -691 / 1307674368000,
    1 / 74724249600,
    -3617 / 10670622842880000,
    43867 / 5109094217170944000,
    -174611 / 802857662698291200000,
)
_TERMS = 10


def _by_case(x: Any, *cases: tuple[Any, Callable[[Any], Any]]) -> Any:
    """Each element by the function of the first case that holds for it; NaN where none does."""
    result = np.full_like(x, np.nan)
    left = np.ones(x.shape, np.bool_)
    for condition, function in cases:
        places = condition & left
        left &= ~condition
        if places.any():
            result[places] = function(x[places])
    return result


def _fraction_of_turn(x: Any) -> Any:
    """pi times the distance from the nearest whole number."""
    return np.pi * (x - np.rint(x))


# Logarithm of the gamma function --------------------------------------------------------------------------------------


def _lgamma_large(x: Any) -> Any:
    inverse = 1 / x
    rest = np.polyval(STIRLING, inverse * inverse) * inverse + 0.5 * math.log(2 * math.pi)
    return np.where(np.isinf(x), np.inf, (x - 0.5) * np.log(x) - x + rest)


def _lgamma_middle(x: Any) -> Any:
    """From 1.5 to 8: the logarithm of the factors that lead down to 2."""
    steps = np.rint(x) - 2
    product = np.ones_like(x)
    for k in range(1, int(STIRLING_FROM) - 1):
        product *= np.where(k <= steps, x - k, 1)
    step = (x - steps) - 2
    return np.polyval(LGAMMA, step) * step + np.log(product)


def _lgamma_small(x: Any) -> Any:
    """From 0.5 to 1.5; exact near the zero at 1."""
    step = x - 1
    return np.polyval(LGAMMA, step) * step - np.log(x)


def _lgamma_negative(x: Any) -> Any:
    turn = _fraction_of_turn(x)
    return np.where(turn == 0, np.inf, np.log(np.pi / np.absolute(np.sin(turn))) - np.log(-x) - _lgamma(-x))


def _lgamma(x: Any) -> Any:
    return _by_case(
        x,
        (x >= STIRLING_FROM, _lgamma_large),
        (x >= 1.5, _lgamma_middle),
        (x >= 0.5, _lgamma_small),
        (x > -0.5, lambda x: _lgamma_small(x + 1) - np.log(np.absolute(x))),
        (np.isinf(x), np.absolute),
        (x <= -0.5, _lgamma_negative),
    )


# Its derivative -------------------------------------------------------------------------------------------------------


def _digamma_large(x: Any) -> Any:
    inverse = 1 / x
    square = inverse * inverse
    return np.log(x) - 0.5 * inverse - np.polyval(ASYMPTOTIC, square) * square


def _digamma_middle(x: Any) -> Any:
    """From 1 to 10: the reciprocals that lead down to below 2."""
    steps = np.floor(x) - 1
    total = np.zeros_like(x)
    for k in range(int(ASYMPTOTIC_FROM) - 1, 0, -1):
        total += np.where(k <= steps, 1 / (x - k), 0)
    x = x - steps
    zero, rest = DIGAMMA_ZERO
    return np.polyval(DIGAMMA, x - 1.5) * ((x - zero) - rest) + total


def _digamma_negative(x: Any) -> Any:
    # At the integers there is a pole on either side of which the sign differs.
    turn = _fraction_of_turn(x)
    return np.where(turn == 0, np.nan, _digamma(-x) - 1 / x - np.pi / np.tan(turn))


def _digamma(x: Any) -> Any:
    return _by_case(
        x,
        (x >= ASYMPTOTIC_FROM, _digamma_large),
        (x >= 1, _digamma_middle),
        (x >= 0, lambda x: _digamma_middle(x + 1) - 1 / x),
        (x > -0.5, lambda x: _digamma_middle(x + 2) - 1 / (x + 1) - 1 / x),
        (np.isfinite(x), _digamma_negative),
    )


# The derivatives beyond -----------------------------------------------------------------------------------------------


def _scaled_power(x: Any, rest: Any, scale: Any, s: int) -> Any:
    """`((x + rest)/2**scale)**-s`; the rest is what rounding left out of x."""
    return np.ldexp(x, -scale) ** -s * (1 - s * (rest / x))


def _zeta(s: int, x: Any, factor: int = 1) -> Any:
    """`factor` times Hurwitz's zeta function, the sum of all (x + k)**-s, for positive x."""
    # Powers of numbers between 1 and 2: neither they nor the factor overflow before the result does.
    scale = np.frexp(x)[1] - 1
    total = np.zeros_like(x)
    for k in range(_TERMS - 1, -1, -1):
        term = x + k
        total += _scaled_power(term, x - (term - k) if k else 0, scale, s)
    end = x + _TERMS
    inverse, square = 1 / end, 1 / (end * end)
    series = np.zeros_like(x)
    for k in range(len(_BERNOULLI), 0, -1):
        series = series * square + _BERNOULLI[k - 1] * math.prod(range(s, s + 2 * k - 1))
    last = _scaled_power(end, x - (end - _TERMS), scale, s)
    total += last * (series * inverse + 0.5)
    bits = factor.bit_length()
    # Beyond all steps what is left is an integral, x/(s - 1) of them.
    total += last * (end / (s - 1))
    power = np.clip(bits - s * scale.astype(np.int64), -(1 << 20), 1 << 20).astype(np.int32)
    result = np.ldexp(total * (factor / (1 << bits)), power)
    return np.where(np.isinf(x), 0.0, result)


def _polygamma(x: Any, n: int) -> Any:
    factor, sign = math.factorial(n), -1 if n % 2 == 0 else 1

    def negative(x: Any) -> Any:
        """The terms below zero are those of two other sums with positive arguments; opposite ones cancel exactly."""
        above, below = x - np.floor(x), np.ceil(x) - x
        total = (sign * _zeta(n + 1, above) + _zeta(n + 1, below)) * float(factor) - _zeta(n + 1, 1 - x, factor)
        return np.where(above == 0, sign * np.inf, total)

    pole = sign * np.inf
    return _by_case(
        x,
        (x > 0, lambda x: sign * _zeta(n + 1, x, factor)),
        (x == 0, lambda x: np.full_like(x, pole)),
        (np.isfinite(x), negative),
        (np.isinf(x), lambda x: np.full_like(x, pole if n > 1 else np.nan)),
    )


#: Their block kernels.
lgamma_into, digamma_into, polygamma_into = in_double(_lgamma), in_double(_digamma), in_double(_polygamma)
