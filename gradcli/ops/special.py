"""Error functions, and the logarithm of the gamma function with its derivatives."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.arguments import as_int
from gradcli.graph.node import Node
from gradcli.graph.op import Op
from gradcli.ops.elementwise import exp
from gradcli.ops.family import apply, composite, elementwise, floating
from gradcli.ops.kernels.erf import erf_into, erfc_into
from gradcli.ops.kernels.gamma import digamma_into, lgamma_into, polygamma_into
from gradcli.ops.notation import numpy_sources

TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)


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
    "erf", into=erf_into, dtype="float", doc="Error function.",
    vjp=lambda g, out, x: (g * (exp(-(x * x)) * TWO_OVER_ROOT_PI),), tame=True, parity="odd", source=numpy_sources.ERF,
)
erfc = elementwise(
    "erfc", into=erfc_into, dtype="float", doc="Complementary error function, `1 - erf(input)`.",
    vjp=lambda g, out, x: (g * (exp(-(x * x)) * -TWO_OVER_ROOT_PI),), source=numpy_sources.ERFC,
)
lgamma = elementwise(
    "lgamma", into=lgamma_into, dtype="float", domain=(0.5, 3.0),
    words=("gammaln", "loggamma"),
    doc="Logarithm of the absolute value of the gamma function.", vjp=lambda g, out, x: (g * digamma(x),),
    latex=r"\log\Gamma", source=numpy_sources.LGAMMA,
)
digamma: Op = elementwise(
    "digamma", into=digamma_into, dtype="float", domain=(0.5, 3.0), words=("psi",), doc="Derivative of lgamma.",
    vjp=lambda g, out, x: (g * polygamma(1, x),), latex=r"\psi",
)
polygamma: Op = elementwise(
    "polygamma", into=polygamma_into, args="n, input", dtype="float", build=_polygamma, domain=(0.5, 3.0),
    doc="The n-th derivative of digamma.", vjp=lambda g, out, x, n: (g * polygamma(n + 1, x),),
    example=("polygamma(1, input)", "input:0"), method="_polygamma",
)
polygamma_method = composite(
    "_polygamma", lambda input, n: _polygamma(n, input), args="input, n", family="elementwise", domain=(0.5, 3.0),
    torch="Tensor.polygamma", doc="The n-th derivative of digamma.", example=("_polygamma(input, 1)", "input:0"),
)
