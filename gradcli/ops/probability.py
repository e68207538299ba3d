"""The normal distribution and its quantiles, entropy, log-odds, and the multivariate gamma function."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from gradcli.errors import GradcliError
from gradcli.graph.arguments import as_int, as_number
from gradcli.graph.node import Node
from gradcli.graph.op import Op
from gradcli.ops.elementwise import BINARY, eq, exp, log, log1p, logical_and, where
from gradcli.ops.family import apply, elementwise, floating, weak_aware
from gradcli.ops.formulas import arithmetic
from gradcli.ops.kernels import native, normal
from gradcli.ops.kernels.erf import normal_cdf_into
from gradcli.ops.kernels.gamma import lgamma_into
from gradcli.ops.kernels.inplace import whole
from gradcli.ops.kernels.one_text import both
from gradcli.ops.loss import _plus, _times
from gradcli.ops.special import TWO_OVER_ROOT_PI, digamma, erf

if TYPE_CHECKING:
    from gradcli.ops.formulas.interface import Application, TermMaker, Value

_lgamma = whole(lgamma_into)
_scaled_integral = whole(normal.erfcx_into)
_HIGHEST_DIMENSION = 1000

# The normal distribution ----------------------------------------------------------------------------------------------

_repeated: Op = elementwise(
    "_erfcx", _scaled_integral, args="input, n=1", dtype="float", cost=300.0, grad_fn="SpecialErfcxBackward0",
    doc="exp(input**2) times a repeated integral of erfc.",
    formula=arithmetic.none("repeated integrals of erfc have no name in formulas"),
    vjp=lambda g, out, x, n: (g * (apply(_repeated, x, n=n + 1) * (-2 * (n + 1))),),
)
erfcx = elementwise(
    "erfcx", lambda x: _scaled_integral(x, n=0), dtype="float", torch="special.erfcx", cost=30.0,
    grad_fn="SpecialErfcxBackward0", doc="`exp(input**2)*erfc(input)`, without overflow for large numbers.",
    vjp=lambda g, out, x: (g * (apply(_repeated, x, n=1) * -2),),
    textbook=lambda g, out, x: (g * (2 * x * out - TWO_OVER_ROOT_PI),),
)


def _ndtr_grad_fn(node: Node) -> tuple[str, tuple[Node, ...]]:
    """PyTorch's steps, `(1 + erf(x/sqrt(2)))/2`, which give no small numbers: here they are for show."""
    return "MulBackward1", (apply(_plus, erf(apply(_times, node.inputs[0], math.sqrt(0.5))), 1.0),)


ndtr = elementwise(
    "ndtr", into=normal_cdf_into, dtype="float", torch="special.ndtr", grad_fn=_ndtr_grad_fn, tame=True,
    doc="The probability that a standard normal number is at most the input.", formula=arithmetic.normal_cdf,
    vjp=lambda g, out, x: (g * (exp(x * x * -0.5) * math.sqrt(0.5 / math.pi)),), native=native.normal_cdf, cost=20.0,
)


def _hazard(x: Node) -> Node:
    return math.sqrt(2 / math.pi) / erfcx(x * -math.sqrt(0.5))


def _log_ndtr_vjp(g: Node, out: Node, x: Node) -> tuple[Node]:
    """Above 0 without erfcx, which overflows there."""
    low, high = x < 0, where(x < 0, 0.0, x)
    above = exp(high * high * -0.5 - where(low, 0.0, out)) * math.sqrt(0.5 / math.pi)
    return (g * where(low, _hazard(where(low, x, 0.0)), above),)


log_ndtr = elementwise(
    "log_ndtr", whole(normal.log_ndtr_into), dtype="float", torch="special.log_ndtr", cost=60.0,
    grad_fn="SpecialLogNdtrBackward0", doc="The logarithm of ndtr, exact also where that is next to 0 or 1.",
    vjp=_log_ndtr_vjp, textbook=lambda g, out, x: (g * _hazard(x),), tame=True,
)
ndtri = elementwise(
    "ndtri", whole(normal.ndtri_into), dtype="float", torch="special.ndtri", domain=(0.1, 0.9), cost=60.0,
    grad_fn="SpecialNdtriBackward0", doc="The inverse of ndtr.",
    vjp=lambda g, out, x: (g * (exp(out * out * 0.5) * math.sqrt(2 * math.pi)),),
)
erfinv = elementwise(
    "erfinv", whole(normal.erfinv_into), dtype="float", domain=(-0.8, 0.8), doc="The inverse of erf.", cost=60.0,
    vjp=lambda g, out, x: (g * (exp(out * out) / TWO_OVER_ROOT_PI),), parity="odd",
)

# Logarithms -----------------------------------------------------------------------------------------------------------


def _entropy(v: Any, x: Any) -> Any:
    return v.select(x > 0, -x * v.log(x), v.select(x == 0, 0, v.select(v.isnan(x), x, -math.inf)))


entr = elementwise(
    "entr", dtype="float", torch="special.entr", grad_fn="SpecialEntrBackward0", domain=(0.5, 2.0),
    doc="`-input*log(input)`, 0 at 0 and -inf below.", vjp=lambda g, out, x: (-g * (log(x) + 1),), **both(_entropy),
)


xlog1py: Op = elementwise(
    "xlog1py", args=BINARY, dtype="float", torch="special.xlog1py",
    grad_fn=weak_aware("SpecialXlog1PyBackward0", "SpecialXlog1PyBackward2", first="SpecialXlog1PyBackward1"),
    doc="`input*log(1 + other)`, and 0 where the input is 0.", domain=((-2.0, 2.0), (-0.5, 2.0)),
    vjp=lambda g, out, x, y: (where(logical_and(eq(x, 0), y <= -1), 0, xlog1py(g, y)), g * (x / (y + 1))),
    textbook=lambda g, out, x, y: (g * log1p(y), g * (x / (y + 1))),
    **both(lambda v, x, y: v.select((x == 0) & (y == y), 0, x * v.log1p(y))),
)


def _log_odds(v: Any, x: Any, eps: float | None) -> Any:
    if eps is not None:
        x = v.select(x < eps, eps, v.select(x > 1 - eps, 1 - eps, x))
    # Beside 1/2 from the distance to it, which is exact.
    centred = (x - 0.5) * 2
    return v.select(v.abs(centred) <= 0.5, v.atanh(centred) * 2, v.log(x / (1 - x)))


def _logit_vjp(g: Node, out: Node, x: Node, eps: float | None) -> tuple[Node]:
    low = 0.0 if eps is None else eps
    inside = logical_and(x >= low, x <= 1 - low)
    # Away from where the quotient counts it stays finite, for derivatives of higher order.
    safe = where(inside, x, 0.5)
    return (where(inside, g / (safe * (1 - safe)), math.nan if eps is None else 0.0),)


logit: Op = elementwise(
    "logit", args="input, eps: number=None", dtype="float",
    build=lambda input, eps: apply(logit, floating(input), eps=None if eps is None else as_number(eps, "eps")),
    vjp=_logit_vjp, domain=(0.1, 0.9),
    doc="`log(input/(1 - input))`, of the input held between eps and 1 - eps where that is given.",
    textbook=lambda g, out, x, eps: (g / (x * (1 - x)),) if eps is None else _logit_vjp(g, out, x, eps),
    **both(_log_odds),
)

# The multivariate gamma function --------------------------------------------------------------------------------------


def _constant(p: int) -> float:
    return p * (p - 1) / 4 * math.log(math.pi)


def _mvlgamma(input: Any, p: Any) -> Node:
    dimension = as_int(p, "p")
    if not 1 <= dimension <= _HIGHEST_DIMENSION:
        message = f"mvlgamma() is of 1 to {_HIGHEST_DIMENSION} dimensions, got {dimension}"
        raise GradcliError(message, argument="p")
    return apply(mvlgamma, floating(input), p=dimension)


def _mvlgamma_kernel(x: Any, p: int) -> Any:
    return sum((_lgamma(x - x.dtype.type(k / 2)) for k in range(p)), x.dtype.type(_constant(p)))


def _mvlgamma_vjp(g: Node, out: Node, x: Node, p: int) -> tuple[Node]:
    total = digamma(x)
    for k in range(1, p):
        total = total + digamma(x - k / 2)
    return (g * total,)


def _mvlgamma_formula(c: TermMaker, s: Application) -> Value:
    (x,) = s.inputs
    labels, one = c.fresh(x.rank), c.number(1)
    gammas = [(1, c.fn("lgamma", c.add((1, x.at(labels)), (-k / 2, one)))) for k in range(s.params["p"])]
    return c.closed(c.add(*gammas, (_constant(s.params["p"]), one)), x.named(labels))


mvlgamma: Op = elementwise(
    "mvlgamma", _mvlgamma_kernel, args="input, p: int", dtype="float", build=_mvlgamma, vjp=_mvlgamma_vjp,
    aliases=("multigammaln",), doc="The logarithm of the gamma function of matrices with p rows.", domain=(2.5, 4.0),
    formula=_mvlgamma_formula, cost=lambda node: 60.0 * node.params["p"], example=("mvlgamma(input, 2)", "input:0"),
)
