"""The builder that passes are written with: expressions of vectors, and the functions of them, each a line here."""

from __future__ import annotations

from collections.abc import Callable

from gradcli.engine.native import casts
from gradcli.engine.native.expressions import Expressions
from gradcli.engine.native.functions import (
    error_function,
    exponential,
    gamma_function,
    hyperbolic,
    inverse_trigonometric,
    logarithmic,
    powers,
    trigonometric,
)
from gradcli.engine.native.vectors import Operand, Vector


def _callable(function: Callable[..., Vector]) -> Callable[..., Vector]:
    """The same, called where the builder calls functions."""

    def method(v: Expressions, *operands: Operand) -> Vector:
        called = v.calls and all(isinstance(x, Vector) for x in operands)
        return v.called(function, *operands) if called else function(v, *operands)

    return method


class VectorBuilder(Expressions):
    """`v.exp(x)`: each function takes the builder and vectors, and has the precision of these."""

    cast = casts.cast

    exp = _callable(exponential.exp)
    exp2 = _callable(exponential.exp2)
    expm1 = _callable(exponential.expm1)
    sigmoid = _callable(exponential.sigmoid)
    log = _callable(logarithmic.log)
    log2 = _callable(logarithmic.log2)
    log10 = _callable(logarithmic.log10)
    log1p = _callable(logarithmic.log1p)
    softplus = _callable(logarithmic.softplus)
    sin = _callable(trigonometric.sin)
    cos = _callable(trigonometric.cos)
    tan = _callable(trigonometric.tan)
    asin = _callable(inverse_trigonometric.asin)
    acos = _callable(inverse_trigonometric.acos)
    atan = _callable(inverse_trigonometric.atan)
    atan2 = _callable(inverse_trigonometric.atan2)
    sinh = _callable(hyperbolic.sinh)
    cosh = _callable(hyperbolic.cosh)
    tanh = _callable(hyperbolic.tanh)
    asinh = _callable(hyperbolic.asinh)
    acosh = _callable(hyperbolic.acosh)
    atanh = _callable(hyperbolic.atanh)
    erf = _callable(error_function.erf)
    erfc = _callable(error_function.erfc)
    lgamma = _callable(gamma_function.lgamma)
    digamma = _callable(gamma_function.digamma)
    pow = _callable(powers.pow)
    hypot = _callable(powers.hypot)
    cbrt = _callable(powers.cbrt)
