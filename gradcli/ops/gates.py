"""More activation functions: piecewise ones, shrinking ones, gated and learned ones."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_node, as_number, axis_of
from gradcli.graph.node import Node, fitted, make
from gradcli.graph.op import Blocking, Op, Params, Shape
from gradcli.language.kinds import BOOLEAN
from gradcli.ops.activation import sigmoid
from gradcli.ops.batching import products
from gradcli.ops.blocking import except_along
from gradcli.ops.elementwise import exp, logical_and, logical_or, tanh, where
from gradcli.ops.family import apply, call, composite, elementwise, float_node, floating, primitive
from gradcli.ops.kernels import nn
from gradcli.ops.kernels.one_text import both
from gradcli.ops.notation import spelling
from gradcli.ops.shape import cat, narrow, reshape


def _hard_sigmoid(v: Any, x: Any) -> Any:
    return v.at_most(v.at_least(x + 3, 0), 6) / 6


hardsigmoid = elementwise(
    "hardsigmoid", dtype="float", torch="nn.functional.hardsigmoid", tame=True, batching=products(0),
    doc="`relu6(input + 3)/6`; the gradient at the corners is 0.",
    vjp=lambda g, out, x: (where(logical_and(x > -3, x < 3), g / 6, 0),), **both(_hard_sigmoid),
)
hardswish = elementwise(
    "hardswish", dtype="float", torch="nn.functional.hardswish", tame=True, doc="`input*relu6(input + 3)/6`.",
    vjp=lambda g, out, x: (where(x <= -3, 0, where(x < 3, g * (x / 3 + 0.5), g)),),
    **both(lambda v, x: x * _hard_sigmoid(v, x)),
)


def _celu(input: Any, alpha: Any) -> Node:
    number = as_number(alpha, "alpha")
    if number == 0:
        raise GradcliError("alpha cannot be 0", argument="alpha")
    return apply(celu, input, alpha=number)


def _celu_vjp(g: Node, out: Node, x: Node, alpha: float) -> tuple[Node]:
    below = x < 0
    return (g * where(below, exp(where(below, x, 0) / alpha), 1.0),)


celu: Op = elementwise(
    "celu", args="input, alpha=1.0", dtype="float", torch="nn.functional.celu", build=_celu, vjp=_celu_vjp, tame=True,
    doc="The input where positive, `alpha*(exp(input/alpha) - 1)` elsewhere.",
    textbook=lambda g, out, x, alpha: (g * where(x > 0, 1.0, exp(x / alpha)),),
    **both(lambda v, x, alpha: v.select(x > 0, x, v.expm1(v.select(x > 0, x * 0, x) / alpha) * alpha)),
)

# Shrinking ------------------------------------------------------------------------------------------------------------


def _shrinking(name: str) -> Any:
    def build(input: Any, lambd: Any) -> Node:
        bound = as_number(lambd, "lambd")
        if name == "softshrink" and not bound >= 0:
            raise GradcliError(f"lambd must not be negative, got {bound:g}", argument="lambd")
        return apply({"softshrink": softshrink, "hardshrink": hardshrink}[name], input, lambd=bound)

    return build


def _shrink_vjp(g: Node, out: Node, x: Node, lambd: float) -> tuple[Node]:
    return (where(logical_and(x >= -lambd, x <= lambd), 0, g),)


softshrink: Op = elementwise(
    "softshrink", args="input, lambd: number=0.5", dtype="float", torch="nn.functional.softshrink", tame=True,
    doc="The input moved towards 0 by `lambd`, and 0 where it is smaller.", build=_shrinking("softshrink"),
    vjp=_shrink_vjp, parity="odd",
    textbook=lambda g, out, x, lambd: (where(logical_or(x > lambd, x < -lambd), g, 0),),
    **both(lambda v, x, lambd: v.select(x > lambd, x - lambd, v.select(x < -lambd, x + lambd, x * 0))),
)
hardshrink: Op = elementwise(
    "hardshrink", args="input, lambd: number=0.5", dtype="float", torch="nn.functional.hardshrink", tame=True,
    doc="The input, and 0 where it is no larger than `lambd`.", build=_shrinking("hardshrink"), vjp=_shrink_vjp,
    textbook=lambda g, out, x, lambd: (where(logical_or(x > lambd, x < -lambd), g, 0),), parity="odd",
    **both(lambda v, x, lambd: v.select((x >= -lambd) & (x <= lambd), 0, x)),
)
tanhshrink = composite(
    "tanhshrink", lambda input: floating(input) - tanh(floating(input)), family="elementwise",
    torch="nn.functional.tanhshrink", doc="`input - tanh(input)`.",
)


def _threshold(input: Any, threshold_: Any, value: Any) -> Node:
    x, bound, number = as_node(input), as_number(threshold_, "threshold"), as_number(value, "value")
    if x.dtype.kind in "iu":
        # No integer lies between a bound and the whole number below it; below all of them there is nothing to replace.
        limits = np.iinfo(x.dtype)
        if not bound >= limits.min:
            return x
        bound, number = math.floor(min(bound, limits.max)), fitted(number, x.dtype).item()
    return apply(threshold, x, threshold=bound, value=number)


threshold: Op = elementwise(
    "threshold", args="input, threshold: number, value: number", dtype="number", torch="nn.functional.threshold",
    build=_threshold, doc="The input where it is greater than the threshold, `value` elsewhere.", tame=True,
    vjp=lambda g, out, x, threshold, value: (where(x <= threshold, 0, g),),
    textbook=lambda g, out, x, threshold, value: (where(x > threshold, g, 0),),
    example=("threshold(input, 0.1, 2)", "input:0"),
    **both(lambda v, x, threshold, value: v.select(x <= threshold, value, x)),
)

# With weights ---------------------------------------------------------------------------------------------------------

def _prelu_text(w: Any, c: Any) -> Any:
    """Weights of one dimension are those of the channels; others are written without the word for that."""
    f, (x, weight) = w.forms, c.args
    if all(len(shape) < 2 for shape in c.shapes[1:]):
        return spelling.usual(w, c)
    return f.call("where", [f.binary(">", x, f.number(0), BOOLEAN), x, f.binary("*", weight, x)])


_prelu_kernel = elementwise(
    "_prelu", args="input, weight", dtype="float", grad_fn="PreluKernelBackward0", tame=True,
    doc="The input where positive, the weight times it elsewhere.", text=_prelu_text,
    # As in PyTorch the slope at 0 is the weight, and does not change with it.
    vjp=lambda g, out, x, w: (where(x > 0, g, g * where(x < 0, w, call("detach", w))), where(x >= 0, 0, g * x)),
    **both(lambda v, x, w: v.select(x > 0, x, x * w)),
)


def _prelu(input: Any, weight: Any) -> Node:
    x, w = float_node(input, "prelu"), float_node(weight, "prelu")
    channels = x.shape[1] if x.ndim > 1 else 1
    if w.ndim > 1 or w.size not in (1, channels):
        raise SizeError("prelu() takes one weight, or one for each of {} channels, got shape {}", channels, w.shape)
    if w.dtype != x.dtype:
        raise GradcliError(f"prelu() needs input and weight of one dtype, got {x.dtype} and {w.dtype}")
    shape = (1, w.size, *(1,) * (x.ndim - 2)) if x.ndim > 1 else (1,) * x.ndim
    # PyTorch shows a view even of a weight that has this shape.
    return apply(_prelu_kernel, x, w if w.shape == shape else reshape(w, shape))


prelu = composite(
    "prelu", _prelu, args="input, weight", family="activation", torch="prelu",
    example="input:2 weight:0",
    doc="The input where positive, a weight times it elsewhere: one, or one for each channel, which is dimension 1.",
)


def _rrelu(input: Any, lower: Any, upper: Any) -> Node:
    low, high = as_number(lower, "lower"), as_number(upper, "upper")
    if not low <= high:
        raise GradcliError(f"lower {low:g} is greater than upper {high:g}", argument="lower")
    return apply(rrelu, floating(input), slope=(low + high) / 2)


rrelu: Op = elementwise(
    "rrelu", args="input, lower: number=0.125, upper: number=0.3333333333333333", dtype="float",
    torch="nn.functional.rrelu", build=_rrelu, grad_fn="RreluWithNoiseBackward0", tame=True,
    doc="leaky_relu with the mean of two slopes; PyTorch's training with random slopes is not supported.",
    vjp=lambda g, out, x, slope: (g * where(x > 0, 1.0, slope),),
    **both(lambda v, x, slope: v.select(x > 0, x, x * slope)),
)

# Along a dimension ----------------------------------------------------------------------------------------------------


def _halves(x: Any, dim: int) -> tuple[Any, Any]:
    first, second = np.split(x, 2, dim)
    return first, second


def _glu_kernel(x: Any, dim: int) -> Any:
    first, second = _halves(x, dim)
    gate = np.empty_like(second)
    nn.sigmoid(gate, second)
    return first * gate


def _glu(input: Any, dim: Any) -> Node:
    x = floating(input)
    axis = axis_of(x, dim, "glu")
    if x.shape[axis] % 2:
        raise SizeError("glu() halves dimension {} of shape {}: its length must be even", axis, x.shape, argument="dim")
    return make(glu, (x,), {"dim": axis})


def _glu_infer(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    x, dim = inputs[0], params["dim"]
    return (*x.shape[:dim], x.shape[dim] // 2, *x.shape[dim + 1 :]), x.dtype


def _lower_glu(node: Node) -> Node:
    x, dim = node.inputs[0], node.params["dim"]
    half = node.shape[dim]
    return narrow(x, dim, 0, half) * sigmoid(narrow(x, dim, half, 2 * half))


def _glu_vjp(g: Node, out: Node, x: Node, dim: int) -> tuple[Node]:
    half = g.shape[dim]
    first, s = narrow(x, dim, 0, half), sigmoid(narrow(x, dim, half, 2 * half))
    return (cat([g * s, g * (first * (s * (1 - s)))], dim),)


glu: Op = primitive(
    "glu", _glu_kernel, _glu_infer, family="activation", args="input, dim=-1", build=_glu, vjp=_glu_vjp, tame=True,
    doc="The first half along a dimension times the sigmoid of the second.",
    blocking=Blocking(except_along, lower=_lower_glu), example=("glu(input, 0)", "input:4x"),
    formula=lambda c, s: c.call(s),
)
