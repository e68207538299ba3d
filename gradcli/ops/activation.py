"""Activation functions, safe where exponentials overflow, and softmax."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.graph.arguments import as_choice, as_node, as_number, normalize_axis
from gradcli.graph.node import Node, make
from gradcli.graph.op import OPS, Blocking, Op
from gradcli.ops.batching import products
from gradcli.ops.blocking import except_along
from gradcli.ops.elementwise import abs_, exp, log, logical_and, tanh, to, where
from gradcli.ops.family import apply, call, composite, elementwise, floating, primitive, to_dtype
from gradcli.ops.formulas import arithmetic
from gradcli.ops.kernels import native
from gradcli.ops.kernels import nn as kernels
from gradcli.ops.kernels.erf import normal_cdf_into
from gradcli.ops.kernels.nn import GELU_CUBE, GELU_SLOPE
from gradcli.ops.notation import numpy_sources, spelling, typeset
from gradcli.ops.reduce import amax, sum_

# Klambauer et al., Self-Normalizing Neural Networks (2017).
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


def _gate(name: str, into: Any, form: Any, args: str) -> Op:
    """A gradient let through or not by where the input lies; the input's own derivative is zero, not None."""
    op: Op = elementwise(
        name, into=into, args=args, batching=products(0), native=form,
        grad_fn=f"{name[1:].title().replace('_', '')}BackwardBackward0",
        doc="The gradient of a piecewise linear function.",
        vjp=lambda h, out, g, x, **params: (apply(op, h, x, **params), call("zeros_like", h)),
    )
    return op


threshold = _gate("_threshold", kernels.threshold, native.threshold, "gradient, input")
leak = _gate("_leaky_relu", kernels.leak, native.leak, "gradient, input, negative_slope=0.01")
window = _gate("_hardtanh", kernels.window, native.window, "gradient, input, low=-1.0, high=1.0")


sigmoid = elementwise(
    "sigmoid", dtype="float", doc="`1/(1 + exp(-input))`.", into=kernels.sigmoid, aliases=("expit",),
    words=("logistic",), vjp=lambda g, out, x: (g * (out * (1 - out)),), latex=r"\sigma", letter="s", tame=True,
    source=numpy_sources.SIGMOID,
)
logsigmoid = elementwise(
    "logsigmoid", dtype="float", grad_fn="LogSigmoidBackward0", into=kernels.log_sigmoid,
    torch="nn.functional.logsigmoid", doc="`log(sigmoid(input))` without overflow.",
    vjp=lambda g, out, x: (g * sigmoid(-x),), tame=True, source=numpy_sources.LOG_SIGMOID,
    native=native.log_sigmoid,
)
relu = elementwise(
    "relu", into=kernels.relu, dtype="number", doc="`max(input, 0)`; the gradient at 0 is 0.",
    vjp=lambda g, out, x: (threshold(g, out),), textbook=lambda g, out, x: (where(x > 0, g, 0),), tame=True,
    source=numpy_sources.RELU, cost=1.0, native=native.relu,
)
leaky_relu: Op = elementwise(
    "leaky_relu", into=kernels.leaky_relu, dtype="float", args="input, negative_slope=0.01",
    torch="nn.functional.leaky_relu",
    build=lambda input, slope: apply(leaky_relu, input, negative_slope=as_number(slope, "negative_slope")),
    doc="The input where positive, `negative_slope*input` elsewhere.",
    vjp=lambda g, out, x, negative_slope: (leak(g, x, negative_slope),),
    textbook=lambda g, out, x, negative_slope: (g * where(x > 0, 1.0, negative_slope),), tame=True,
    source=numpy_sources.LEAKY_RELU, native=native.leaky_relu,
)


elu_slope: Op = elementwise(
    "_elu_slope", args="input, low=1.0, high=0.0, closed=False", dtype="float", into=kernels.elu_slope,
    grad_fn="EluBackwardBackward0", doc="A multiple of the exponential below 0, a constant above.",
    vjp=lambda g, out, x, low, high, closed: (g * apply(elu_slope, x, low=low, high=0.0, closed=False),),
    native=native.elu_slope,
)


def _elu_text(writer: Any, call: Any) -> Any:
    """selu by its name."""
    if (call.params["alpha"], call.params["scale"]) == (SELU_ALPHA, SELU_SCALE):
        return writer.forms.call("selu", call.args)
    return spelling.usual(writer, call)


elu: Op = elementwise(
    "elu", args="input, alpha=1.0", dtype="float", into=kernels.elu, torch="nn.functional.elu",
    vjp=lambda g, out, x, alpha, scale: (g * apply(elu_slope, x, low=alpha * scale, high=scale, closed=True),),
    build=lambda input, alpha: apply(elu, input, alpha=as_number(alpha, "alpha"), scale=1.0),
    doc="The input where positive, `alpha*(exp(input) - 1)` elsewhere.",
    textbook=lambda g, out, x, alpha, scale: (g * where(x > 0, scale, alpha * scale * exp(x)),), text=_elu_text,
    tame=True, source=numpy_sources.ELU, native=native.elu,
)
selu = composite(
    "selu", lambda input: apply(elu, input, alpha=SELU_ALPHA, scale=SELU_SCALE), family="elementwise",
    torch="nn.functional.selu", source=numpy_sources.SELU,
    doc="elu with the constants that preserve mean and variance.",
)


def _hardtanh(input: Any, low: Any, high: Any) -> Node:
    x, bounds = as_node(input), (as_number(low, "min_val"), as_number(high, "max_val"))
    if x.dtype.kind != "f" and any(map(math.isnan, bounds)):
        raise GradcliError(f"hardtanh() of {x.dtype} cannot have NaN as a bound", hint="convert it, as in x.float()")
    if bounds[0] > bounds[1]:
        raise GradcliError(f"min_val {bounds[0]:g} is greater than max_val {bounds[1]:g}", argument="min_val")
    if x.dtype.kind == "u" and bounds[0] < 0:
        raise GradcliError(f"hardtanh() of {x.dtype} cannot have a negative min_val", argument="min_val")
    return apply(hardtanh, x, min_val=bounds[0], max_val=bounds[1])


hardtanh = elementwise(
    "hardtanh", into=kernels.hardtanh, dtype="number", args="input, min_val=-1.0, max_val=1.0", build=_hardtanh,
    torch="nn.functional.hardtanh", doc="The input clamped between two numbers; the gradient at them is 0.",
    vjp=lambda g, out, x, min_val, max_val: (window(g, x, min_val, max_val),),
    textbook=lambda g, out, x, min_val, max_val: (where(logical_and(x > min_val, x < max_val), g, 0),), tame=True,
    source=numpy_sources.HARDTANH, native=native.hardtanh,
)
relu6 = composite(
    "relu6", lambda input: _hardtanh(input, 0.0, 6.0), family="elementwise",
    torch="nn.functional.relu6", doc="The input clamped between 0 and 6.",
)


def _silu_vjp(g: Node, out: Node, x: Node) -> tuple[Node]:
    s = sigmoid(x)
    return (g * (s * (1 + x * (1 - s))),)


silu = elementwise(
    "silu", into=kernels.silu, dtype="float", torch="nn.functional.silu", words=("swish",),
    doc="`input * sigmoid(input)`.", vjp=_silu_vjp, tame=True, source=numpy_sources.SILU, native=native.silu,
)


def _softplus_vjp(g: Node, out: Node, x: Node, beta: float, threshold: float) -> tuple[Node]:
    scaled = x * beta
    # At the threshold itself the slope is that of the curve, and PyTorch takes it for constant.
    return (where(scaled > threshold, g, g * sigmoid(where(scaled >= threshold, threshold, scaled))),)


def _softplus_textbook(g: Node, out: Node, x: Node, beta: float, threshold: float) -> tuple[Node]:
    slope = g * sigmoid(x * beta)
    # Beyond the usual threshold the sigmoid is 1 to nine digits.
    return (slope if threshold >= 20 else where(x * beta > threshold, g, slope),)


softplus: Op = elementwise(
    "softplus", args="input, beta=1.0, threshold=20.0", dtype="float",
    build=lambda input, beta, threshold: (
        apply(softplus, input, beta=as_number(beta, "beta"), threshold=as_number(threshold, "threshold"))
    ),
    into=kernels.softplus, torch="nn.functional.softplus", vjp=_softplus_vjp,
    doc="`log(1 + exp(beta*input))/beta`, and the input itself above threshold/beta.", textbook=_softplus_textbook,
    tame=True, source=numpy_sources.SOFTPLUS, native=native.softplus,
)
softsign = composite(
    "softsign", lambda input: floating(input) / (abs_(floating(input)) + 1), family="elementwise",
    torch="nn.functional.softsign", doc="`input/(1 + abs(input))`.",
)


def _mish_vjp(g: Node, out: Node, x: Node) -> tuple[Node]:
    t = tanh(softplus(x))
    return (g * (t + x * sigmoid(x) * (1 - t * t)),)


mish = elementwise(
    "mish", into=kernels.mish, dtype="float", torch="nn.functional.mish", doc="`input * tanh(softplus(input))`.",
    vjp=_mish_vjp, source=numpy_sources.MISH, native=native.mish,
)

# GELU -----------------------------------------------------------------------------------------------------------------

cdf = elementwise(
    "_normal_cdf", dtype="float", grad_fn="NormalCdfBackward0", into=normal_cdf_into,
    doc="The standard normal distribution function.",
    vjp=lambda g, out, x: (g * (exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))),), formula=arithmetic.normal_cdf,
    native=native.normal_cdf,
)


def _gelu_vjp(g: Node, out: Node, x: Node, approximate: str) -> tuple[Node]:
    if approximate == "none":
        return (g * (cdf(x) + x * exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))),)
    t = tanh(GELU_SLOPE * (x + GELU_CUBE * x**3))
    slope = GELU_SLOPE * (1 + 3 * GELU_CUBE * x**2)
    return (g * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * slope),)


gelu: Op = elementwise(
    "gelu", args="input, *, approximate='none'", dtype="float",
    build=lambda input, approximate: (
        apply(gelu, input, approximate=as_choice(approximate, "approximate", ("none", "tanh")))
    ),
    into=kernels.gelu, torch="nn.functional.gelu", vjp=_gelu_vjp,
    doc="The input times its standard normal distribution function, or an approximation with tanh.", tame=True,
    source=numpy_sources.GELU, native=native.gelu,
)

# Softmax --------------------------------------------------------------------------------------------------------------


def _along(op_name: str) -> Any:
    def build(input: Any, dim: Any, dtype: Any) -> Node:
        target = to_dtype(dtype)
        if target is not None and target.kind != "f":
            raise GradcliError(f"{op_name}() computes in floating-point numbers, not in {target}", argument="dtype")
        x = floating(input) if target is None else to(as_node(input), target)
        return make(OPS[op_name], (x,), {"dim": normalize_axis(dim, x.ndim)})

    return build


def _softmax_kernel(x: Any, dim: int, log: bool = False) -> Any:
    if not x.ndim or not x.size:
        return np.where(np.isfinite(x), x.dtype.type(not log), x.dtype.type(np.nan))
    # Less the maximum, so that no exponential overflows.
    shifted = x - np.maximum.reduce(x, axis=dim, keepdims=True)
    powers = np.exp(shifted, out=None if log else shifted)
    total = np.add.reduce(powers, axis=dim, keepdims=True, dtype=np.float64)
    return shifted - np.log(total).astype(x.dtype) if log else powers / total.astype(x.dtype)


def _lower_softmax(node: Node) -> Node | None:
    """The steps of the kernel as operations."""
    x, dim = node.inputs[0], node.params["dim"]
    if not x.size or not x.ndim:
        return None
    shifted = x - amax(x, dim, True)
    powers = exp(shifted)
    total = sum_(powers, dim, True)
    return powers / total if node.op is softmax else shifted - log(total)


def _total(x: Node, dim: int) -> Node:
    return sum_(x, dim, True) if x.ndim else x


def _softmax_vjp(g: Node, out: Node, x: Node, dim: int) -> tuple[Node]:
    pull = g * out
    return (pull - out * _total(pull, dim),)


softmax = primitive(
    "softmax", _softmax_kernel, family="activation", args="input, dim, dtype=None", build=_along("softmax"),
    torch="softmax", vjp=_softmax_vjp, words=("softargmax",),
    doc="`exp(input)` divided by its sum along a dimension, without overflow.",
    blocking=Blocking(except_along, lower=_lower_softmax), formula=arithmetic.call_or_number(1), text=spelling.real,
    latex=typeset.along, letter="p", tame=True, example=("softmax(input, 0)", "input:1"), source=numpy_sources.SOFTMAX,
)
log_softmax = primitive(
    "log_softmax", partial(_softmax_kernel, log=True), family="activation", args="input, dim, dtype=None",
    build=_along("log_softmax"), torch="log_softmax", vjp=lambda g, out, x, dim: (g - exp(out) * _total(g, dim),),
    doc="The logarithm of softmax, without overflow.", blocking=Blocking(except_along, lower=_lower_softmax),
    formula=arithmetic.call_or_number(0), text=spelling.real, latex=typeset.along,
    example=("log_softmax(input, 0)", "input:1"), source=numpy_sources.LOG_SOFTMAX,
)
