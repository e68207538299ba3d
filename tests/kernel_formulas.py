"""What each block kernel computes, as a plain formula: in the same type for the same bits, or in a wider one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

WIDE = {"float16": np.float64, "float32": np.float64, "float64": np.longdouble}


class Formula(NamedTuple):
    """The function; how many units in the last place results may be off, 0 for the same bits.

    `vanishing` is the size of results, in the type's smallest normal numbers, that may be lost. `scale` gives the size
    of terms that may cancel, and `signed` says that zeros have their signs.
    """

    function: Callable[..., Any]
    ulps: float | Callable[..., Any] = 0.0
    vanishing: float = 0.0
    scale: Callable[..., Any] | None = None
    signed: bool = True


def w(x: Any) -> Any:
    """In the wider type."""
    return x.astype(WIDE[x.dtype.name])


def number(x: Any, value: float) -> Any:
    """A parameter as it is rounded to the type of x, in the wider one."""
    return w(np.asarray(x.dtype.type(value)))


def _round(x: Any, decimals: int) -> Any:
    if decimals == 0 or x.dtype.kind != "f":
        return np.rint(x).astype(x.dtype) if x.dtype.kind == "f" else x
    scale = x.dtype.type(10.0 ** abs(decimals))
    return np.rint(x * scale) / scale if decimals > 0 else np.rint(x / scale) * scale


def _rounded(function: Any) -> Any:
    return lambda x: function(x) if x.dtype.kind == "f" else x


def _floor_divide(x: Any, y: Any) -> Any:
    if x.dtype.kind != "f":
        return x // y
    # Beyond 2**23 NumPy's own quotients in single precision are off by one.
    return np.where(y == 0, np.true_divide(w(x), w(y)), np.floor_divide(w(x), w(y)))


def _div_trunc(x: Any, y: Any) -> Any:
    if x.dtype.kind == "f":
        return np.trunc(np.true_divide(x, y))
    pairs = zip(x.ravel().tolist(), y.ravel().tolist(), strict=True)
    return np.array([abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1) for a, b in pairs], x.dtype).reshape(x.shape)


def _hardtanh(x: Any, min_val: float, max_val: float) -> Any:
    if x.dtype.kind == "f":
        return np.where(x < min_val, x.dtype.type(min_val), np.where(x > max_val, x.dtype.type(max_val), x))
    return np.minimum(np.maximum(x, int(min_val)), min(int(max_val), np.iinfo(x.dtype).max)).astype(x.dtype)


def _maximum(x: Any, y: Any) -> Any:
    return np.where((x >= y) | (x != x), x, y)


def _minimum(x: Any, y: Any) -> Any:
    return np.where((x <= y) | (x != x), x, y)


def _cdf(x: Any) -> Any:
    """By the C library's function, with a correction for the rounding of its argument."""
    exact = -w(x) / np.sqrt(WIDE[x.dtype.name](2))
    argument = exact.astype(np.float64)
    values = np.array([math.erfc(v) for v in argument.ravel().tolist()]).reshape(x.shape).astype(exact.dtype)
    moved = (exact - argument) * np.exp(-(argument.astype(exact.dtype) ** 2)) * 2 / math.sqrt(math.pi)
    return (values - np.where(np.isfinite(argument), moved, 0)) / 2


def _by_c(function: Callable[[float], float]) -> Callable[[Any], Any]:
    """A function of the C library, element by element; it refuses poles and what overflows."""

    def one(value: float) -> float:
        try:
            return function(value)
        except (ValueError, OverflowError):
            return math.inf

    return lambda x: w(np.array([one(v) for v in x.ravel().tolist()]).reshape(x.shape))


# So many steps lead to numbers for which a few terms of the asymptotic series are exact.
_STEPS = 600


def _digamma(x: Any) -> Any:
    value = x.astype(np.longdouble)
    end = value + _STEPS
    result = np.log(end) - 1 / (2 * end) - 1 / (12 * end**2) + 1 / (120 * end**4)
    for k in range(_STEPS):
        result -= 1 / (value + k if k else value)
    return np.where((x < 0) & (x == np.floor(x)), np.nan, result)


def _polygamma(x: Any, n: int) -> Any:
    value = x.astype(np.longdouble)
    end, s = value + _STEPS, n + 1
    total = end ** (1 - s) / n + end**-s / 2 + s * end ** (-s - 1) / 12 - s * (s + 1) * (s + 2) * end ** (-s - 3) / 720
    for k in range(_STEPS):
        total += (value + k) ** -s
    sign = 1 if n % 2 else -1
    pole = np.isneginf(x) & (n > 1) | (x <= 0) & (x == np.floor(x)) & np.isfinite(x)
    undefined = np.isneginf(x) & (n == 1)
    return sign * np.where(undefined, np.nan, np.where(pole, np.inf, total)) * math.factorial(n)


def _reflected(x: Any) -> Any:
    """The size of the terms that cancel beside zeros at negative numbers."""
    turn = np.tan(np.pi * (x - np.rint(x)).astype(np.float64))
    return np.where(x < 0, np.log(np.abs(x.astype(np.float64)) + 1) + np.abs(np.pi / turn) + 1, 0)


def _reflected_powers(x: Any, n: int) -> Any:
    rest = np.abs(x - np.rint(x)).astype(np.float64)
    return np.where(x < 0, math.factorial(n) * rest ** (-n - 1.0), 0)


def _gelu_exponent(x: Any) -> Any:
    return 2 * np.sqrt(2 / WIDE[x.dtype.name](math.pi)) * (w(x) + w(x) ** 3 * 0.044715)


def _gelu(x: Any, approximate: str) -> Any:
    return w(x) * _cdf(x) if approximate == "none" else w(x) / (1 + np.exp(-_gelu_exponent(x)))


def _gelu_ulps(x: Any, approximate: str) -> Any:
    # The exponential blows up the rounding of its argument.
    return 5.5 if approximate == "none" else 5 + np.where(x < 0, np.abs(_gelu_exponent(x)) * 2, 0)


def _log1p_exp(x: Any) -> Any:
    return np.log1p(np.exp(-np.abs(x)))


def _softplus(x: Any, beta: float, threshold: float) -> Any:
    scaled = x * x.dtype.type(beta)
    smooth = (_log1p_exp(w(scaled)) + np.maximum(w(scaled), 0)) / number(x, beta)
    return np.where(scaled > threshold, w(x), smooth)


def _elu(x: Any, alpha: float, scale: float) -> Any:
    below = np.expm1(np.minimum(w(x), 0)) * number(x, alpha * scale)
    return np.where(x > 0, w(x) * number(x, scale), np.where(x == 0, w(x), below))


def _elu_slope(x: Any, low: float, high: float, closed: bool) -> Any:
    below = np.exp(np.fmin(w(x), 0)) * number(x, low)
    return np.where(x <= 0 if closed else x < 0, below, number(x, high))


def _lerp(a: Any, b: Any, t: Any) -> Any:
    return np.where(np.abs(t) < 0.5, a + t * (b - a), b - (b - a) * (1 - t))


def _logaddexp(x: Any, y: Any) -> Any:
    high, low = np.maximum(w(x), w(y)), np.minimum(w(x), w(y))
    return high + np.log1p(np.exp(np.where(high == low, 0, low - high)))


def _logaddexp_ulps(x: Any, y: Any) -> Any:
    # So does this one, where the greater operand is near 0.
    return 2.5 + np.nan_to_num(np.abs(w(x) - w(y)), posinf=0.0)


def _bce_terms(x: Any, y: Any, *extra: Any, reduction: str, weighted: bool, pos_weighted: bool) -> Any:
    # Differences and products of the targets are rounded as they come.
    rest, share = w(1 - y), w(y * extra[-1] if pos_weighted else y)
    above, below = np.maximum(w(x), 0) + _log1p_exp(w(x)), np.maximum(-w(x), 0) + _log1p_exp(w(x))
    weight = w(extra[0]) if weighted else 1
    return rest * above * weight, share * below * weight


def _bce(*arrays: Any, reduction: str, **flags: bool) -> Any:
    a, b = _bce_terms(*arrays, reduction=reduction, **flags)
    return a + b if reduction == "none" else np.mean(a + b)


def _bce_scale(*arrays: Any, **params: Any) -> Any:
    a, b = _bce_terms(*arrays, **params)
    return np.abs(a) + np.abs(b) if params["reduction"] == "none" else np.mean(np.abs(a) + np.abs(b))


def _entropies(x: Any, y: Any) -> tuple[Any, Any]:
    return w(1 - y) * np.maximum(np.log1p(-w(x)), -100), w(y) * np.maximum(np.log(w(x)), -100)


def _mse(x: Any, y: Any, reduction: str) -> Any:
    squares = (x - y) * (x - y)
    return squares if reduction == "none" else np.sum(w(squares))


def _huber(x: Any, y: Any, reduction: str, delta: float) -> Any:
    size, delta = np.abs(w(x - y)), number(x, delta)
    return np.where(size <= delta, size * size / 2, delta * (size - delta / 2))


def _smooth_l1(x: Any, y: Any, reduction: str, beta: float) -> Any:
    size, beta = np.abs(w(x - y)), number(x, beta)
    return np.where(size < beta, size * size / (2 * beta), size - beta / 2)


def _cast(x: Any, dtype: Any) -> Any:
    return x.astype(dtype)


def _zero_where(drop: Callable[..., Any]) -> Any:
    return lambda g, x, **params: np.where(drop(x, **params), g.dtype.type(0), g)


FORMULAS: dict[str, Formula] = {
    "_cast": Formula(_cast),
    "_operand": Formula(_cast),
    "to": Formula(_cast),
    "clone": Formula(lambda x: x),
    "_row_major": Formula(lambda x: x),
    "where": Formula(np.where),
    "_masked_fill_tensor": Formula(np.where),
    "masked_fill": Formula(lambda m, x, value: np.where(m, x.dtype.type(value), x)),
    "maximum": Formula(_maximum, signed=False),
    "minimum": Formula(_minimum, signed=False),
    "clamp_min": Formula(_maximum, signed=False),
    "clamp_max": Formula(_minimum, signed=False),
    "_clamp_min": Formula(_maximum, signed=False),
    "_clamp_max": Formula(_minimum, signed=False),
    "clamp": Formula(lambda x, low, high: _minimum(_maximum(x, low), high), signed=False),
    "rsub": Formula(lambda x, y: y - x),
    "isnan": Formula(lambda x: x != x),
    "isinf": Formula(lambda x: (x == math.inf) | (x == -math.inf)),
    "isfinite": Formula(lambda x: (x > -math.inf) & (x < math.inf)),
    "sign": Formula(lambda x: np.where(x > 0, 1, np.where(x < 0, -1, 0)).astype(x.dtype)),
    "floor": Formula(_rounded(np.floor)),
    "ceil": Formula(_rounded(np.ceil)),
    "trunc": Formula(_rounded(np.trunc)),
    "round": Formula(_round),
    "frac": Formula(lambda x: x - np.trunc(x)),
    "lerp": Formula(_lerp),
    "neg": Formula(lambda x: np.negative(np.ascontiguousarray(x))),
    "relu": Formula(lambda x: np.where(x < 0, x.dtype.type(0), x)),
    "leaky_relu": Formula(lambda x, negative_slope: np.where(x > 0, x, x * x.dtype.type(negative_slope))),
    "hardtanh": Formula(_hardtanh),
    "_threshold": Formula(_zero_where(lambda x: x <= 0)),
    "_hardtanh": Formula(_zero_where(lambda x, low, high: (x <= low) | (x >= high))),
    "_leaky_relu": Formula(lambda g, x, negative_slope: np.where(x > 0, g, g * g.dtype.type(negative_slope))),
    "floor_divide": Formula(_floor_divide, 2),
    "_div_floor": Formula(_floor_divide, 2),
    "_div_trunc": Formula(_div_trunc),
    "remainder": Formula(np.remainder, 1),
    "fmod": Formula(np.fmod),
    "mse_loss": Formula(_mse),
    "huber_loss": Formula(_huber, 2),
    "smooth_l1_loss": Formula(_smooth_l1, 3),
    "binary_cross_entropy_with_logits": Formula(_bce, 5, scale=_bce_scale, signed=False),
    "_cross_entropies": Formula(
        lambda x, y: -sum(_entropies(x, y)), 5, scale=lambda x, y: sum(map(np.abs, _entropies(x, y))), signed=False
    ),
    "_floored": Formula(lambda x, least, variance: np.maximum(x, x.dtype.type(least))),
    "rsqrt": Formula(lambda x: 1 / np.sqrt(w(x)), 1.5),
    "pow": Formula(lambda x, y: np.power(w(x), w(y)) if x.dtype.kind == "f" else np.power(x, y), 2.5),
    "hypot": Formula(lambda x, y: np.hypot(w(x), w(y)), 1.5),
    "xlogy": Formula(lambda x, y: np.where((x == 0) & ~np.isnan(y), 0, w(x) * np.log(w(y))), 2.5),
    "logaddexp": Formula(_logaddexp, _logaddexp_ulps, scale=lambda x, y: np.abs(np.maximum(w(x), w(y))), signed=False),
    "sigmoid": Formula(lambda x: 1 / (1 + np.exp(-w(x))), 4, vanishing=1),
    "logsigmoid": Formula(lambda x: np.minimum(w(x), 0) - _log1p_exp(w(x)), 4, signed=False),
    "silu": Formula(lambda x: w(x) / (1 + np.exp(-w(x))), 4.5, vanishing=200),
    "softplus": Formula(_softplus, 4),
    "mish": Formula(lambda x: w(x) * np.tanh(np.log1p(np.exp(np.minimum(w(x), 700)))), 5, vanishing=1),
    "elu": Formula(_elu, 3),
    "_elu_slope": Formula(_elu_slope, 3.5),
    "erf": Formula(_by_c(math.erf), 3, vanishing=1),
    "erfc": Formula(_by_c(math.erfc), 6, vanishing=2),
    # The C library's is not exact beside 1 and 2, where it is 0.
    "lgamma": Formula(_by_c(math.lgamma), 9, scale=lambda x: np.fmax(_reflected(x), 1), signed=False),
    "digamma": Formula(_digamma, 5, scale=_reflected),
    "polygamma": Formula(_polygamma, 4, scale=_reflected_powers, signed=False),
    **dict.fromkeys(("_normal_cdf", "ndtr"), Formula(_cdf, 5, vanishing=1)),
    "gelu": Formula(_gelu, _gelu_ulps, vanishing=50),
}
