"""Special functions from SciPy, an extra that is imported when one of them is computed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.arguments import as_int
from gradcli.errors import GradcliError
from gradcli.node import Node, Op
from gradcli.ops.elementwise import exp
from gradcli.ops.family import apply, elementwise, floating

TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)


def _scipy(name: str, function: str) -> Any:
    """A kernel that calls a function of scipy.special."""

    def kernel(x: Any) -> Any:
        result: Any = getattr(_special(function), name)(x)
        return result.astype(x.dtype)

    return kernel


def _special(function: str) -> Any:
    try:
        import scipy.special  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        raise GradcliError(
            f"{function}() needs SciPy, which is not installed", hint="pip install 'gradcli[special]'"
        ) from None
    return scipy.special


def _lgamma_kernel(x: Any) -> Any:
    # SciPy has -inf at -inf; PyTorch and the C library have inf.
    return np.where(np.isinf(x), np.abs(x), _scipy("gammaln", "lgamma")(x))


def _polygamma_kernel(x: Any, n: int) -> Any:
    wide = x.astype(np.float64)
    result: Any = _special("polygamma").polygamma(n, np.where(wide < 0, 1 - wide, wide) if n == 1 else wide)
    if n == 1:
        # The reflection formula: SciPy's own covers positive numbers only.
        result = np.where(wide < 0, (np.pi / np.sin(np.pi * wide)) ** 2 - result, result)
    elif np.any(wide < 0):
        result = np.where(wide < 0, _polygamma_of_negative(np.minimum(wide, 0), n), result)
    return result.astype(x.dtype)


def _polygamma_of_negative(x: Any, n: int) -> Any:
    """Hurwitz's zeta function continued: its terms below zero are those of two other ones with positive arguments."""
    zeta = _special("polygamma").zeta
    above, below = x - np.floor(x), np.ceil(x) - x
    total = zeta(n + 1, above) - (-1) ** n * (zeta(n + 1, below) - zeta(n + 1, 1 - x))
    # At the poles themselves PyTorch has plain infinity.
    return (-1) ** (n + 1) * math.factorial(n) * np.where(above == 0, np.inf, total)


# Its value at 1 is about n!, infinite even in float64 from here on.
_HIGHEST_ORDER = 170


def _polygamma(n: Any, input: Any) -> Node:
    order = as_int(n, "n")
    if order < 0:
        raise GradcliError(f"polygamma() needs an order of 0 or more, got {order}", argument="n")
    if order > _HIGHEST_ORDER:
        raise GradcliError(f"polygamma() goes up to order {_HIGHEST_ORDER}, got {order}", argument="n")
    return digamma(input) if order == 0 else apply(polygamma, floating(input), n=order)


erf = elementwise(
    "erf", _scipy("erf", "erf"), dtype="float", grad_fn="ErfBackward0", doc="Error function. Needs SciPy.",
    vjp=lambda g, out, x: (g * (exp(-(x * x)) * TWO_OVER_ROOT_PI),),
)  # fmt: skip
erfc = elementwise(
    "erfc", _scipy("erfc", "erfc"), dtype="float", grad_fn="ErfcBackward0",
    doc="Complementary error function, `1 - erf(input)`. Needs SciPy.",
    vjp=lambda g, out, x: (g * (exp(-(x * x)) * -TWO_OVER_ROOT_PI),),
)  # fmt: skip
lgamma = elementwise(
    "lgamma", _lgamma_kernel, dtype="float", grad_fn="LgammaBackward0", domain=(0.5, 3.0),
    doc="Logarithm of the absolute value of the gamma function. Needs SciPy.",
    vjp=lambda g, out, x: (g * digamma(x),),
)  # fmt: skip
digamma: Op = elementwise(
    "digamma", _scipy("psi", "digamma"), dtype="float", grad_fn="DigammaBackward0", domain=(0.5, 3.0),
    doc="Derivative of lgamma. Needs SciPy.", vjp=lambda g, out, x: (g * polygamma(1, x),),
)  # fmt: skip
polygamma: Op = elementwise(
    "polygamma", _polygamma_kernel, args="n, input", build=_polygamma, grad_fn="PolygammaBackward0", domain=(0.5, 3.0),
    doc="The n-th derivative of digamma. Needs SciPy.", vjp=lambda g, out, x, n: (g * polygamma(n + 1, x),),
)  # fmt: skip
