"""The builder that passes are written with: expressions of vectors, and the functions of them, each a line here."""

from __future__ import annotations

from gradcli.engine.native import casts
from gradcli.engine.native.expressions import Expressions
from gradcli.engine.native.functions import (
    error_function,
    exponential,
    hyperbolic,
    inverse_trigonometric,
    logarithmic,
    powers,
    trigonometric,
)


class VectorBuilder(Expressions):
    """`v.exp(x)`: each function takes the builder and vectors, and has the precision of these."""

    cast = casts.cast

    exp = exponential.exp
    exp2 = exponential.exp2
    expm1 = exponential.expm1
    sigmoid = exponential.sigmoid
    log = logarithmic.log
    log2 = logarithmic.log2
    log10 = logarithmic.log10
    log1p = logarithmic.log1p
    softplus = logarithmic.softplus
    sin = trigonometric.sin
    cos = trigonometric.cos
    tan = trigonometric.tan
    asin = inverse_trigonometric.asin
    acos = inverse_trigonometric.acos
    atan = inverse_trigonometric.atan
    atan2 = inverse_trigonometric.atan2
    sinh = hyperbolic.sinh
    cosh = hyperbolic.cosh
    tanh = hyperbolic.tanh
    asinh = hyperbolic.asinh
    acosh = hyperbolic.acosh
    atanh = hyperbolic.atanh
    erf = error_function.erf
    erfc = error_function.erfc
    pow = powers.pow
    hypot = powers.hypot
    cbrt = powers.cbrt
