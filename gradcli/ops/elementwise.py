"""Elementwise rows: conversions, arithmetic, comparisons, powers and logarithms, rounding, selection, trigonometry."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, quoted
from gradcli.graph import layout
from gradcli.graph.arguments import as_choice, as_flag, as_int, as_node, as_number, kind_of
from gradcli.graph.dtypes import BOOL
from gradcli.graph.infer import cast, promote
from gradcli.graph.node import Node, make
from gradcli.graph.op import Blocking, GradFn, Op, Params, Shape
from gradcli.ops.batching import products, sums
from gradcli.ops.blocking import ALIGNED, aligned
from gradcli.ops.family import apply, call, composite, elementwise, primitive, to_dtype, weak_aware
from gradcli.ops.formulas import arithmetic
from gradcli.ops.kernels import division, native, pointwise
from gradcli.ops.kernels.inplace import select
from gradcli.ops.kernels.power import inverse_root, power
from gradcli.ops.notation import numpy_sources, spelling, typeset
from gradcli.ops.rewrites import numbers, shapes

LN2 = math.log(2.0)
LN10 = math.log(10.0)
BINARY = "input, other"
POSITIVE = (0.5, 2.0)
# What PyTorch calls devices.
_DEVICE = r"(cpu|cuda|mps|xpu|meta)(:\d+)?"


def zero_vjp(g: Node, out: Node, *inputs: Node, **params: Any) -> tuple[Node | None, ...]:
    """The rule of functions that are flat almost everywhere: zeros, not None, as in PyTorch."""
    return tuple(call("zeros_like", g) for _ in inputs)


# Conversions and copies -----------------------------------------------------------------------------------------------


def _cast_infer(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    return inputs[0].shape, params["dtype"]


def _converted(input: Any, dtype: Any, copied: bool = False, memory_format: Any = None) -> Node:
    node, target = as_node(input), to_dtype(dtype) or as_node(input).dtype
    wanted = as_choice("preserve_format" if memory_format is None else memory_format, "memory_format", layout.FORMATS)
    known = ("preserve_format", layout.format_of(node.shape, node.strides))
    if not copied and target == node.dtype and wanted in known:
        return node
    result = make(to, (node,), {"dtype": target})
    result.strides = layout.in_format(wanted, node.shape, node.strides)
    return result


def _to(
    input: Any, kind: tuple[Any, ...], dtype: Any, device: Any, other: Any, non_blocking: Any, copy: Any,
    memory_format: Any,
) -> Node:
    """PyTorch's three forms: a dtype, a device and a dtype, or a tensor whose dtype is taken; each with flags after."""
    rest, named = list(kind), dtype is not None or other is not None
    if rest and isinstance(rest[0], Node | np.ndarray):
        other = rest.pop(0)
    elif rest and isinstance(rest[0], str) and re.fullmatch(_DEVICE, rest[0]):
        device, named = rest.pop(0), named and bool(rest) and not isinstance(rest[0], bool)
        dtype = rest.pop(0) if rest and not isinstance(rest[0], bool) else dtype
    elif rest:
        dtype = rest.pop(0)
    if kind and named:
        raise GradcliError("to() got its dtype twice", argument="dtype")
    flags = [as_flag(value, name) for value, name in zip(rest, ("non_blocking", "copy"), strict=False)]
    if len(rest) > len(flags) or (dtype is other is device is memory_format is None and not copy):
        raise GradcliError("to() takes a dtype, a device or a tensor", hint="for example, to(x, float64)")
    if device not in (None, "cpu", "cpu:0"):
        shown = quoted(device) if isinstance(device, str) else kind_of(device)
        raise GradcliError(f"gradcli computes on the CPU: there is no device {shown}", argument="device")
    copied = copy or flags[1:] == [True]
    try:
        return _converted(input, dtype if other is None else as_node(other).dtype, copied, memory_format)
    except GradcliError as error:
        error.argument = "kind" if kind and error.argument == "dtype" else error.argument
        raise


def _keep_layout(inputs: tuple[Node, ...], params: Params, shape: Shape) -> Shape | None:
    return inputs[0].strides


def _implicit(name: str, doc: str, within: bool = False) -> Op:
    """Promotion inserts these: PyTorch converts inside the operation, so they show no step of their own."""
    return primitive(
        name, pointwise.converted, _cast_infer, family="elementwise", args="input, dtype", doc=doc,
        layout=_keep_layout, vjp=lambda g, out, x, dtype: (cast(g, x.dtype),), batching=sums(0), blocking=ALIGNED,
        into=pointwise.convert, formula=arithmetic.function_named("to"), recast=True, within=within,
        simplify=shapes.cast, cost=1.0, native=lambda v, x, dtype: v.cast(x, dtype), text=spelling.conversion,
    )


cast_ = _implicit("_cast", "Implicit conversion between dtypes.")
operand_ = _implicit("_operand", "What an operation takes for float16, though it computes in float32.", within=True)
to = primitive(
    "to", pointwise.converted, _cast_infer, family="elementwise", build=_to,
    args="input, *kind=(), dtype=None, device=None, other: operand=None, non_blocking=False, copy=False, "
    "memory_format=None",
    doc="The tensor in another dtype, such as float64, or in that of another tensor; the only device is 'cpu'.",
    torch="Tensor.to", grad_fn="ToCopyBackward0",
    layout=_keep_layout, vjp=lambda g, out, x, dtype: (cast(g, x.dtype),), batching=sums(0), blocking=ALIGNED,
    into=pointwise.convert, recast=True, formula=arithmetic.function_named("to"), text=spelling.conversion,
    latex=typeset.first, tame=True, example=("input.to(float16)", "input:0"), numpy=".astype", simplify=shapes.cast,
    cost=1.0, native=lambda v, x, dtype: v.cast(x, dtype), words=("astype", "cast", "typecast"),
)


def _conversion(name: str, dtype: str) -> Op:
    return composite(
        name, lambda input, memory_format: _converted(input, dtype, memory_format=memory_format), family="elementwise",
        args="input, *, memory_format=None", torch=f"Tensor.{name}", doc=f"The tensor as {dtype}.",
    )


type_as = composite(
    "type_as", lambda input, other: call("to", input, dtype=as_node(other).dtype), args="input, other",
    family="elementwise", torch="Tensor.type_as", doc="The tensor in the dtype of another.",
    example=("type_as(input, other)", "input:0 other:0"),
)
float_ = _conversion("float", "float32")
double = _conversion("double", "float64")
half = _conversion("half", "float16")
long = _conversion("long", "int64")
int_ = _conversion("int", "int32")
short = _conversion("short", "int16")
byte = _conversion("byte", "uint8")
char = _conversion("char", "int8")
bool_ = composite(
    "bool", lambda input: call("ne", input, 0), family="elementwise", torch="Tensor.bool",
    doc="The tensor as booleans: true where it is not zero.",
)
clone = elementwise(
    "clone", np.copy, doc="A copy of the tensor.", vjp=lambda g, out, x: (g,), into=np.copyto, batching=sums(0),
    same=True, native=lambda v, x: x,
)
row_major = primitive(
    "_row_major", lambda x: np.asarray(x, order="C"), family="elementwise", grad_fn="CloneBackward0",
    doc="A copy in row-major order.", vjp=lambda g, out, x: (g,), batching=sums(0), blocking=ALIGNED,
    into=np.copyto, same=True, native=lambda v, x: x,
)
def _contiguous(input: Any, memory_format: Any) -> Node:
    node = as_node(input)
    strides = layout.in_format(as_choice(memory_format, "memory_format", layout.FORMATS), node.shape, node.strides)
    if strides == node.strides:
        return node
    result = row_major(node)
    result.strides = strides
    return result


contiguous = composite(
    "contiguous", _contiguous, args="input, *, memory_format='contiguous_format'", family="elementwise",
    torch="Tensor.contiguous", doc="The tensor in row-major order: itself when it already is.",
)
detach = elementwise(
    "detach", lambda x: x, doc="The same values, no longer tracked: no gradient flows through.", aliases=("no_grad",),
    batching=sums(0), blocking=Blocking(aligned, view=True), same=True, tame=True, native=lambda v, x: x,
    words=("stopgradient", "stopgrad"), shares=True, put=lambda node, x, new: new, layout=_keep_layout,
)

# Arithmetic -----------------------------------------------------------------------------------------------------------


def _times(value: Any, alpha: Any, other: Any) -> Any:
    """alpha times a value that another is added to, in the dtype that both have then."""
    if isinstance(alpha, bool | int | float):
        if alpha == 1:
            return value
        node = as_node(value)
        if node.weak:
            # A number it stays.
            number = node.params["number"]
            whole = isinstance(number, int) and isinstance(alpha, int)
            return number * alpha if whole else as_number(number, "other") * as_number(alpha, "alpha")
        common = promote((node, as_node(other)))
        return apply(scaled, cast(node, common), bool(alpha) if common == BOOL else alpha)
    raise GradcliError(f"alpha must be a number, got {kind_of(alpha)}", argument="alpha")


def _refuse_booleans(*nodes: Node) -> None:
    if any(n.dtype == BOOL and not n.weak for n in nodes):
        raise GradcliError("subtraction is not defined for booleans", hint="convert them first, as in x.float()")


def _sub(input: Any, other: Any, alpha: Any) -> Node:
    a, b = as_node(input), as_node(_times(other, alpha, input))
    _refuse_booleans(a, b)
    # PyTorch has an operation of its own for a number minus a tensor.
    return apply(rsub, b, a) if a.weak and not b.weak else apply(sub, a, b)


def _rsub(input: Any, other: Any, alpha: Any) -> Node:
    a, b = as_node(_times(input, alpha, other)), as_node(other)
    _refuse_booleans(a, b)
    return apply(rsub, a, b)


def _div(input: Any, other: Any, rounding_mode: str | None) -> Node:
    a, b = as_node(input), as_node(other)
    if rounding_mode is not None:
        rounded = {"floor": div_floor, "trunc": div_trunc}
        return apply(rounded[as_choice(rounding_mode, "rounding_mode", tuple(rounded))], a, b)
    # PyTorch's order of operations for `2 / x`: its rounding and its chain differ from a division's.
    return reciprocal(b) * a if a.weak and not b.weak else apply(div, a, b)


def _commuted(name: str) -> GradFn:
    """`2 + x` is recorded by PyTorch as `x + 2`: the tensor's edge comes first."""
    return lambda node: (name, node.inputs[::-1] if node.inputs[0].weak and not node.inputs[1].weak else node.inputs)


# The factor of add(alpha=) and sub(alpha=), which PyTorch multiplies with inside the operation.
scaled = elementwise(
    "_scaled", np.multiply, args=BINARY, doc="Product inside an operation.", batching=products(0, 1),
    vjp=lambda g, out, x, y: (g * y, None), powers=(1, 1), commutative=True, within=True, simplify=numbers.product,
    cost=1.0, native=native.product,
)
add: Op = elementwise(
    "add", np.add, args="input, other, *, alpha=1",
    build=lambda input, other, alpha: apply(add, input, _times(other, alpha, input)), grad_fn=_commuted("AddBackward0"),
    doc="Sum, `input + alpha*other`.", batching=sums(0, 1), vjp=lambda g, out, x, y: (g, g), signs=(1, 1),
    commutative=True, symbol="+", simplify=numbers.total, cost=1.0, native=native.total, words=("plus",),
)
sub = elementwise(
    "sub", np.subtract, args="input, other, *, alpha=1", dtype="number", build=_sub,
    doc="Difference, `input - alpha*other`.", aliases=("subtract",), batching=sums(0, 1),
    vjp=lambda g, out, x, y: (g, -g), signs=(1, -1), symbol="-", simplify=numbers.difference, cost=1.0,
    native=lambda v, x, y: x - y, words=("minus",),
)
rsub = elementwise(
    "rsub", args="input, other, *, alpha=1", dtype="number", build=_rsub, doc="Difference, `other - alpha*input`.",
    batching=sums(0, 1), signs=(-1, 1),
    into=lambda out, x, y: np.subtract(y, x, out=out), grad_fn=weak_aware("RsubBackward0", "RsubBackward1"),
    vjp=lambda g, out, x, y: (-g, g), native=lambda v, x, y: y - x,
    simplify=lambda s, op, inputs, params: s.call("sub", *inputs[::-1]),
)
mul = elementwise(
    "mul", np.multiply, args=BINARY, grad_fn=_commuted("MulBackward0"), doc="Product, `input * other`.",
    aliases=("multiply",), batching=products(0, 1), vjp=lambda g, out, x, y: (g * y, g * x), powers=(1, 1),
    commutative=True, symbol="*", simplify=numbers.product, cost=1.0, native=native.product, words=("times",),
)
div = elementwise(
    "div", np.true_divide, args="input, other, *, rounding_mode=None", dtype="float", build=_div, batching=products(0),
    doc="Quotient, `input / other`.", aliases=("divide", "true_divide"), domain=((-2.0, 2.0), POSITIVE),
    vjp=lambda g, out, x, y: (g / y, -g * ((x / y) / y)), powers=(1, -1), symbol="/", simplify=numbers.quotient,
    cost=1.0, native=lambda v, x, y: x / y, words=("rdivide",),
)
floor_divide = elementwise(
    "floor_divide", args=BINARY, dtype="number", domain=((-2.0, 2.0), POSITIVE), into=division.floor_divide,
    vjp=zero_vjp, grad_fn=weak_aware("FloorDivideBackward0", "FloorDivideBackward0"),
    doc="Quotient rounded down, `input // other`.", symbol="//", native=native.floor_divide,
    words=("floordiv", "idivide", "quotient"),
)
div_floor = elementwise(
    "_div_floor", args=BINARY, dtype="number", grad_fn="DivBackward2", into=division.floor_divide,
    doc="div rounding down.", vjp=zero_vjp, formula=arithmetic.function_named("floor_divide"),
    native=native.floor_divide,
)
div_trunc = elementwise(
    "_div_trunc", args=BINARY, dtype="number", grad_fn="DivBackward2",
    into=division.trunc_divide, doc="div rounding towards zero.", vjp=zero_vjp, native=native.trunc_divide,
)
remainder = elementwise(
    "remainder", into=division.remainder, args=BINARY, dtype="number",
    words=("mod", "modulo"), doc="Remainder with the sign of the divisor, `input % other`.",
    grad_fn=weak_aware("RemainderBackward1", "RemainderBackward0"), domain=((-2.0, 2.0), (0.6, 0.9)),
    vjp=lambda g, out, x, y: (g, -g * floor_divide(x, y)), symbol="%", native=native.remainder,
)
fmod = elementwise(
    "fmod", args=BINARY, dtype="number", doc="Remainder with the sign of the dividend.", into=division.fmod,
    grad_fn=weak_aware("FmodBackward1", "FmodBackward0"), domain=((-2.0, 2.0), (0.6, 0.9)),
    vjp=lambda g, out, x, y: (g, -g * trunc(x / y)), numpy="fmod", native=native.fmod, words=("rem",),
)
neg = elementwise(
    "neg", np.negative, dtype="number", doc="Negation, `-input`.", aliases=("negative",), batching=sums(0),
    into=pointwise.negate,
    vjp=lambda g, out, x: (-g,), signs=(-1,), symbol="-", simplify=numbers.negation, cost=1.0, native=lambda v, x: -x,
)
abs_ = elementwise(
    "abs", np.absolute, dtype="number", doc="Absolute value; the gradient at 0 is 0.", aliases=("absolute",),
    words=("fabs", "magnitude"), vjp=lambda g, out, x: (g * sign(x),), tame=True, numpy="abs", cost=1.0,
    latex=typeset.between(r"\left\lvert ", r" \right\rvert"),
)
sign: Op = elementwise(
    "sign", into=pointwise.sign, doc="-1, 0 or 1 by the sign of the input.", vjp=zero_vjp, tame=True, numpy="sign",
    cost=1.0, native=native.sign, words=("signum",),
)
lerp = elementwise(
    "lerp", into=pointwise.lerp, args="input, end: tensor, weight", dtype="float",
    doc="Linear interpolation, `input + weight*(end - input)`.",
    grad_fn=weak_aware("LerpBackward1", "LerpBackward0", position=2),
    vjp=lambda g, out, a, b, w: (g * (1 - w), g * w, g * (b - a)), source=numpy_sources.LERP, native=native.lerp,
    words=("mix",),
)
xlogy: Op = elementwise(
    "xlogy", args=BINARY, dtype="float", into=pointwise.xlogy, doc="`input * log(other)`, and 0 where the input is 0.",
    grad_fn=weak_aware("XlogyBackward0", "XlogyBackward2", first="XlogyBackward1"), domain=POSITIVE,
    vjp=lambda g, out, x, y: (where(logical_and(eq(x, 0), y <= 0), 0, xlogy(g, y)), g * (x / y)),
    textbook=lambda g, out, x, y: (g * log(y), g * (x / y)), latex=typeset.times_logarithm, source=numpy_sources.XLOGY,
    native=native.xlogy,
)
hypot = elementwise(
    "hypot", into=pointwise.hypot, args=BINARY, dtype="float", vjp=lambda g, out, x, y: (g * (x / out), g * (y / out)),
    doc="Hypotenuse, `sqrt(input**2 + other**2)`, without overflow.", commutative=True, numpy="hypot",
)

# Comparisons and logic ------------------------------------------------------------------------------------------------


def _comparison(name: str, kernel: Any, symbol: str, *aliases: str, **row: Any) -> Op:
    return elementwise(
        name, kernel, args=BINARY, dtype="bool", doc=f"True where `input {symbol} other`.", aliases=aliases, cost=1.0,
        commutative=symbol in ("==", "!="), symbol=symbol, **row,
    )


eq: Op = _comparison(
    "eq", np.equal, "==", opposite="ne", native=lambda v, x, y: x == y,
)
ne = _comparison(
    "ne", np.not_equal, "!=", "not_equal", opposite="eq", native=lambda v, x, y: x != y,
)
lt = _comparison(
    "lt", np.less, "<", "less", opposite="ge", mirrored="gt", native=lambda v, x, y: x < y,
)
le = _comparison(
    "le", np.less_equal, "<=", "less_equal", opposite="gt", mirrored="ge", native=lambda v, x, y: x <= y,
)
gt = _comparison(
    "gt", np.greater, ">", "greater", opposite="le", mirrored="lt", native=lambda v, x, y: x > y,
)
ge = _comparison(
    "ge", np.greater_equal, ">=", "greater_equal", opposite="lt", mirrored="le", native=lambda v, x, y: x >= y,
)
bitwise_and = elementwise(
    "bitwise_and", np.bitwise_and, args=BINARY, dtype="integral",
    doc="Logical and, `input & other`; bitwise for integers.",
    commutative=True, symbol="&", tame=True, native=lambda v, x, y: x & y, words=("bitand",),
)
bitwise_or = elementwise(
    "bitwise_or", np.bitwise_or, args=BINARY, dtype="integral",
    doc="Logical or, `input | other`; bitwise for integers.",
    commutative=True, symbol="|", tame=True, native=lambda v, x, y: x | y, words=("bitor",),
)
bitwise_not = elementwise(
    "bitwise_not", np.invert, dtype="integral",
    doc="Logical not, `~input`; bitwise for integers.", symbol="~", tame=True,
    native=lambda v, x: ~x,
)
logical_and: Op = elementwise(
    "logical_and", np.logical_and, args=BINARY, dtype="logical", doc="True where both are nonzero.", commutative=True,
    text=spelling.connective("&"), cost=1.0, native=lambda v, x, y: x & y,
)
logical_or = elementwise(
    "logical_or", np.logical_or, args=BINARY, dtype="logical", doc="True where one is not zero.", commutative=True,
    text=spelling.connective("|"), cost=1.0, native=lambda v, x, y: x | y,
)
logical_xor = elementwise(
    "logical_xor", np.logical_xor, args=BINARY, dtype="logical", doc="True where exactly one is nonzero.",
    commutative=True, native=lambda v, x, y: x ^ y,
)
logical_not = elementwise(
    "logical_not", np.logical_not, dtype="logical", doc="True where the input is zero.", text=spelling.connective("~"),
    cost=1.0, native=lambda v, x: ~x, words=("not",),
)
isnan = elementwise(
    "isnan", np.isnan, into=pointwise.answered(np.isnan), dtype="bool",
    doc="True where the input is not a number.",
    native=native.of_float(lambda v, x: v.isnan(x), False),
)
isinf = elementwise(
    "isinf", np.isinf, into=pointwise.answered(np.isinf), dtype="bool",
    doc="True where the input is infinite.",
    native=native.of_float(lambda v, x: v.abs(x) == math.inf, False),
)
isfinite = elementwise(
    "isfinite", np.isfinite, into=pointwise.answered(np.isfinite), dtype="bool",
    doc="True where the input is neither infinite nor NaN.",
    native=native.of_float(lambda v, x: v.abs(x) < math.inf, True),
)

# Powers, exponentials, logarithms -------------------------------------------------------------------------------------


def _unary(
    name: str, kernel: Any, doc: str, vjp: Any, domain: Any = (-2.0, 2.0), alias: str | None = None, **row: Any
) -> Op:
    aliases = (alias,) if alias else ()
    return elementwise(name, kernel, dtype="float", doc=doc, vjp=vjp, domain=domain, aliases=aliases, **row)


def _pow_vjp(g: Node, out: Node, x: Node, y: Node) -> tuple[Node | None, Node | None]:
    if y.weak:
        p = y.params["number"]
        if p == 0:
            return call("zeros_like", g), None
        return (g if p == 1 else g * (p * x) if p == 2 else g * (p * x ** (p - 1))), None
    # What stands for 0**-1 times 0, and for the logarithm of 0, has to be finite for higher derivatives too.
    flat = logical_and(eq(y, 0), logical_not(x > 0))
    dx = where(flat, 0, g * (y * x ** where(flat, 0, y - 1)))
    dy = g * (out * log(where(logical_and(eq(x, 0), y >= 0), 1, x)))
    return dx, dy


def _pow_textbook(g: Node, out: Node, x: Node, y: Node) -> tuple[Node | None, Node | None]:
    if y.weak:
        p = y.params["number"]
        return (g * 0 if p == 0 else g * (p * x ** (p - 1))), None
    return g * (y * x ** (y - 1)), g * (out * log(x))


def _pow_whole(g: Node, out: Node, x: Node, y: Node) -> tuple[Node | None, Node | None]:
    """A power of 0 does not change with its exponent: with that it vanishes faster than the logarithm grows."""
    if y.weak:
        return _pow_textbook(g, out, x, y)
    slopes = replace(
        xlogy, textbook=None, vjp=lambda g, out, x, y: (g * log(where(eq(y, 0), 1, y)), g * (x / y)),
    )
    return g * (y * x ** (y - 1)), g * make(slopes, (out, x))


pow_ = elementwise(
    "pow", into=power, args="input, exponent", dtype="number", doc="Power, `input ** exponent`.", words=("power",),
    grad_fn=weak_aware("PowBackward1", "PowBackward0", first="PowBackward2"), domain=(POSITIVE, (-2.0, 2.0)),
    vjp=_pow_vjp, formula=arithmetic.power, textbook=_pow_textbook, textbook_whole=_pow_whole, symbol="**",
    simplify=numbers.square, numpy="power", native=native.power,
)
square = composite(
    "square", lambda input: pow_(input, 2), family="elementwise", words=("pow2", "sqr"),
    doc="Square, `input ** 2`."
)
sqrt = elementwise(
    "sqrt", np.sqrt, dtype="float", doc="Square root.", domain=POSITIVE, vjp=lambda g, out, x: (g / (2 * out),),
    formula=arithmetic.power_of(0.5), latex=typeset.between(r"\sqrt{", "}"), cost=1.0,
)
rsqrt = elementwise(
    "rsqrt", into=inverse_root, dtype="float", domain=POSITIVE, doc="Reciprocal square root, `1/sqrt(input)`.",
    vjp=lambda g, out, x: (-0.5 * g * out**3,), formula=arithmetic.power_of(-0.5), native=native.inverse_root,
    words=("invsqrt",),
)
reciprocal = elementwise(
    "reciprocal", np.reciprocal, dtype="float", doc="Reciprocal, `1/input`.", domain=POSITIVE,
    vjp=lambda g, out, x: (-g * (out * out),), powers=(-1,), cost=1.0, native=lambda v, x: 1.0 / x,
)
exp = elementwise(
    "exp", np.exp, dtype="float", doc="Exponential.", vjp=lambda g, out, x: (g * out,), latex=typeset.exponential,
    letter="E", simplify=numbers.softmax,
)
exp2 = _unary("exp2", np.exp2, "Power of 2.", lambda g, out, x: (g * out * LN2,))
expm1 = elementwise(
    "expm1", np.expm1, dtype="float", doc="`exp(input) - 1`, exact near 0.", vjp=lambda g, out, x: (g * (out + 1),),
    latex=typeset.exponential_less_one,
)
log: Op = _unary(
    "log", np.log, "Natural logarithm.", lambda g, out, x: (g / x,), POSITIVE, latex=r"\log", words=("ln", "loge"),
)
log2 = _unary(
    "log2", np.log2, "Logarithm to base 2.", lambda g, out, x: (g / (x * LN2),), POSITIVE, latex=r"\log_{2}",
)
log10 = _unary(
    "log10", np.log10, "Logarithm to base 10.", lambda g, out, x: (g / (x * LN10),), POSITIVE,
    words=("lg",), latex=r"\log_{10}",
)
log1p = _unary(
    "log1p", np.log1p, "`log(1 + input)`, exact near 0.", lambda g, out, x: (g / (x + 1),), (-0.5, 2.0),
    latex=typeset.logarithm_of_one_and,
)
logaddexp = elementwise(
    "logaddexp", into=pointwise.logaddexp, args=BINARY, dtype="float",
    doc="`log(exp(input) + exp(other))` without overflow.",
    vjp=lambda g, out, x, y: (g * call("sigmoid", x - y), g * call("sigmoid", y - x)), commutative=True,
    numpy="logaddexp", native=native.logaddexp,
)

# Rounding -------------------------------------------------------------------------------------------------------------


def _round(input: Any, decimals: Any) -> Node:
    if not -300 <= as_int(decimals, "decimals") <= 300:
        raise GradcliError(f"decimals must lie between -300 and 300, got {decimals}", argument="decimals")
    x = as_node(input)
    if decimals and not x.is_floating:
        hint = "convert it first, as in x.double(), or write np.round(x, decimals)"
        raise GradcliError("round() of integers takes no decimals", hint=hint, argument="decimals")
    return apply(round_, x, decimals=decimals)


def _rounding(name: str, ufunc: Any, doc: str, *aliases: str, **row: Any) -> Op:
    into = pointwise.unary(ufunc)
    return elementwise(
        name, into=into, doc=doc, vjp=zero_vjp, aliases=aliases, tame=True, numpy=name, native=native.rounded(name),
        **row,
    )


floor = _rounding("floor", np.floor, "Round down.", latex=typeset.between(r"\left\lfloor ", r" \right\rfloor"))
ceil = _rounding("ceil", np.ceil, "Round up.", latex=typeset.between(r"\left\lceil ", r" \right\rceil"))
trunc: Op = _rounding("trunc", np.trunc, "Round towards zero.", "fix")
round_ = elementwise(
    "round", args="input, *, decimals=0", build=_round, vjp=zero_vjp, into=pointwise.round_half_even,
    grad_fn=lambda node: (f"RoundBackward{int(node.params['decimals'] != 0)}", node.inputs),
    words=("around", "rint"), doc="Round to the nearest, halves to even, with so many decimals.", tame=True,
    numpy="round",
    native=native.round_half_even,
)
frac = elementwise(
    "frac", dtype="float", doc="Fractional part.", into=pointwise.fraction, vjp=lambda g, out, x: (g,),
    source=numpy_sources.FRAC, native=lambda v, x: x - v.trunc(x),
)

# Selection ------------------------------------------------------------------------------------------------------------


def _clamp(input: Any, min: Any, max: Any) -> Node:
    if min is None and max is None:
        raise GradcliError("clamp() needs min or max", hint="for example, clamp(x, 0, 1)")
    if min is None:
        return apply(bounded_above, input, max)
    return apply(bounded_below, input, min) if max is None else apply(clamp, input, min, max)


def _clamp_grad_fn(low: int | None, high: int | None) -> Any:
    """Numbers as bounds have no edges; a missing bound among tensors still has an empty one."""

    def grad_fn(node: Node) -> tuple[str, tuple[Node | None, ...]]:
        bounds = [node.inputs[k] if k is not None else None for k in (low, high)]
        if all(b is None or b.weak for b in bounds):
            return "ClampBackward1", node.inputs[:1]
        return "ClampBackward0", (node.inputs[0], *bounds)

    return grad_fn


def _clamp_vjp(g: Node, out: Node, x: Node, low: Node, high: Node) -> tuple[Node, Node, Node]:
    inside = logical_and(x >= low, x <= high)
    return (
        where(inside, g, 0),
        where(logical_and(low < high, x < low), g, 0),
        where(logical_or(x > high, high < low), g, 0),
    )


def _share_ties(better: Op) -> Any:
    """Of two equal operands each gets half of the gradient."""

    def vjp(g: Node, out: Node, x: Node, y: Node) -> tuple[Node, Node]:
        tie = eq(x, y)
        return where(tie, g / 2, where(better(y, x), 0, g)), where(tie, g / 2, where(better(x, y), 0, g))

    return vjp


where: Op = elementwise(
    "where", into=select, args="condition, input, other", dtype="select", batching=sums(1, 2),
    words=("ifelse", "iif", "if", "switch"),
    doc="`input` where the condition holds, else `other`.", grad_fn=lambda node: ("WhereBackward0", node.inputs[1:]),
    vjp=lambda g, out, c, x, y: (None, where(c, g, 0), where(c, 0, g)), text=spelling.where, latex=typeset.cases,
    tame=True, example="condition:0:bool input:0 other:0", numpy="where", cost=1.0,
    native=lambda v, mask, x, y: v.select(mask, x, y), method="_where",
)
def _where_method(input: Any, condition: Any, other: Any) -> Node:
    chosen = as_node(condition)
    if chosen.dtype != BOOL:
        hint = "compare, as in x.where(x > 0, y), or write where(condition, x, y)"
        raise GradcliError(f"x.where(condition, y) needs booleans, not {chosen.dtype}", hint=hint, argument="condition")
    return where(chosen, input, other)


where_method = composite(
    "_where", _where_method, args="input, condition, other", family="elementwise", torch="Tensor.where",
    doc="The tensor where the condition holds, else `other`.", example="input:0 condition:0:bool other:0",
)
def _the_greater(greater: Op, halved: bool = False) -> Any:
    """The gradient goes to the greater operand; between two that vary, half of it at ties: (1 + sign(x - y))/2.

    The half matters where both have the same slope there, so that the greater one is smooth.
    """

    def rule(g: Node, out: Node, x: Node, y: Node) -> tuple[Node, Node]:
        if not halved and not (x.requires_grad and y.requires_grad):
            return where(greater(x, y), g, 0), where(greater(y, x), g, 0)
        side = sign(x - y if greater is gt else y - x)
        return g * ((1 + side) / 2), g * ((1 - side) / 2)

    return rule


maximum = elementwise(
    "maximum", args=BINARY, vjp=_share_ties(gt), into=pointwise.at_least,
    doc="The greater of two, NaN if either is; equal elements get half of the gradient each.",
    textbook=_the_greater(gt), textbook_whole=_the_greater(gt, halved=True), commutative=True,
    latex=typeset.of_all(r"\max"), tame=True, numpy="maximum", cost=1.0, native=native.at_least,
)
minimum = elementwise(
    "minimum", args=BINARY, vjp=_share_ties(lt), into=pointwise.at_most,
    doc="The smaller of two, NaN if either is; equal elements get half of the gradient each.",
    textbook=_the_greater(lt), textbook_whole=_the_greater(lt, halved=True), commutative=True,
    latex=typeset.of_all(r"\min"), tame=True, numpy="minimum", cost=1.0, native=native.at_most,
)
clamp = elementwise(
    "clamp", into=pointwise.clamp, args="input, min=None, max=None", grad_fn=_clamp_grad_fn(1, 2), build=_clamp,
    doc="The input clamped between two bounds, either of which may be left out.", aliases=("clip",), vjp=_clamp_vjp,
    latex=typeset.of_all(), tame=True, cost=1.0, source=numpy_sources.CLAMP,
    example="input:0 min:0 max:0", native=native.clamp, words=("clipbyvalue",),
)


def _one_bound(bound: str, grad_fn: GradFn, inside: Any, source: str, **row: Any) -> tuple[Op, Op]:
    """clamp with one bound, and the function of its own that PyTorch has for it: they differ in their chains."""

    def vjp(g: Node, out: Node, x: Node, bound: Node) -> tuple[Node, Node]:
        return where(inside(x, bound), g, 0), where(inside(x, bound), 0, g)

    own, backward = f"clamp_{bound}", f"Clamp{bound.title()}Backward"
    row = {**row, "args": f"input, {bound}", "vjp": vjp}
    weak = weak_aware(f"{backward}1", f"{backward}0")
    return (
        elementwise(f"_{own}", grad_fn=grad_fn, **row),
        elementwise(own, grad_fn=weak, latex=typeset.of_all(), tame=True, source=source, **row),
    )


bounded_below, clamp_min = _one_bound(
    "min", _clamp_grad_fn(1, None), ge, numpy_sources.CLAMP_MIN, into=pointwise.at_least, native=native.at_least,
    doc="The input clamped from below.",
)
bounded_above, clamp_max = _one_bound(
    "max", _clamp_grad_fn(None, 1), le, numpy_sources.CLAMP_MAX, into=pointwise.at_most, native=native.at_most,
    doc="The input clamped from above.",
)

# Trigonometric and hyperbolic -----------------------------------------------------------------------------------------

sin = _unary(
    "sin", np.sin, "Sine.", lambda g, out, x: (g * cos(x),), latex=r"\sin", tame=True, parity="odd",
)
cos: Op = _unary(
    "cos", np.cos, "Cosine.", lambda g, out, x: (-g * sin(x),), latex=r"\cos", tame=True, parity="even",
)
tan = _unary(
    "tan", np.tan, "Tangent.", lambda g, out, x: (g * (1 + out**2),), (-1.2, 1.2), latex=r"\tan", parity="odd",
    words=("tg",),
)
asin = _unary(
    "asin", np.arcsin, "Inverse sine.", lambda g, out, x: (g * rsqrt(1 - x**2),), (-0.8, 0.8), "arcsin",
    latex=r"\arcsin", parity="odd",
)
acos = _unary(
    "acos", np.arccos, "Inverse cosine.", lambda g, out, x: (-g * rsqrt(1 - x**2),), (-0.8, 0.8), "arccos",
    latex=r"\arccos",
)
atan = _unary(
    "atan", np.arctan, "Inverse tangent.", lambda g, out, x: (g / (x**2 + 1),), alias="arctan", latex=r"\arctan",
    tame=True, parity="odd", words=("arctg",),
)
sinh = _unary(
    "sinh", np.sinh, "Hyperbolic sine.", lambda g, out, x: (g * cosh(x),), latex=r"\sinh", parity="odd",
)
cosh: Op = _unary(
    "cosh", np.cosh, "Hyperbolic cosine.", lambda g, out, x: (g * sinh(x),), latex=r"\cosh", parity="even",
)
tanh = _unary(
    "tanh", np.tanh, "Hyperbolic tangent.", lambda g, out, x: (g * (1 - out**2),), latex=r"\tanh", tame=True,
    parity="odd",
)
asinh = _unary(
    "asinh", np.arcsinh, "Inverse hyperbolic sine.", lambda g, out, x: (g * rsqrt(x**2 + 1),), alias="arcsinh",
    parity="odd",
)
acosh = _unary(
    "acosh", np.arccosh, "Inverse hyperbolic cosine.", lambda g, out, x: (g * rsqrt(x**2 - 1),), (1.2, 3.0), "arccosh",
)
atanh = _unary(
    "atanh", np.arctanh, "Inverse hyperbolic tangent.", lambda g, out, x: (g / (1 - x**2),), (-0.8, 0.8), "arctanh",
    parity="odd",
)


def _atan2_vjp(g: Node, out: Node, y: Node, x: Node) -> tuple[Node, Node]:
    square = y * y + x * x
    # At the origin the angle has no slope; PyTorch takes 0 for it. The gradient stays outside of the quotient, whose
    # derivative there, 0/0, is no business of what the gradient is made of.
    scaled = g * where(eq(square, 0), 0, 1 / square)
    return scaled * x, -scaled * y


def _atan2_textbook(g: Node, out: Node, y: Node, x: Node) -> tuple[Node, Node]:
    square = y * y + x * x
    return g * x / square, -g * y / square


atan2 = elementwise(
    "atan2", np.arctan2, args=BINARY, dtype="float", vjp=_atan2_vjp, aliases=("arctan2",),
    doc="Angle of the point (other, input).", textbook=_atan2_textbook,
)
