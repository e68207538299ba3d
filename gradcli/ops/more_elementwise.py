"""More elementwise rows: signs, units, powers of 2, extremes that pass over NaN, fused products, bits, sinc."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.graph.arguments import as_flag, as_node, as_number
from gradcli.graph.dtypes import BOOL, FLOAT64, is_half
from gradcli.graph.infer import cast, promote
from gradcli.graph.node import Node, constant, make_results
from gradcli.graph.op import OPS, Op
from gradcli.ops.batching import products, sums
from gradcli.ops.blocking import ALIGNED
from gradcli.ops.elementwise import (
    BINARY,
    LN2,
    cos,
    eq,
    ge,
    isfinite,
    isnan,
    le,
    logical_or,
    ne,
    pow_,
    sign,
    sin,
    to,
    where,
    zero_vjp,
)
from gradcli.ops.family import apply, call, composite, elementwise, floating, primitive, weak_aware
from gradcli.ops.formulas import arithmetic
from gradcli.ops.kernels import native
from gradcli.ops.kernels.inplace import whole
from gradcli.ops.kernels.one_text import both
from gradcli.ops.kernels.sinc import sinc_into

# The tensor itself ----------------------------------------------------------------------------------------------------


def _positive(input: Any) -> Node:
    x = as_node(input)
    if x.dtype == BOOL:
        raise GradcliError("positive() is not defined for booleans", hint="convert them first, as in x.float()")
    return x


def _itself(name: str, doc: str, *aliases: str) -> Op:
    return composite(name, as_node, family="elementwise", doc=doc, aliases=aliases)


positive = composite("positive", _positive, family="elementwise", doc="The input, `+input`.")
conj = _itself("conj", "The conjugate: the tensor itself, as there are only real numbers.", "conj_physical")
resolve_conj = _itself("resolve_conj", "The tensor itself; in PyTorch, a conjugate that is written out.")

# Signs ----------------------------------------------------------------------------------------------------------------

sgn = elementwise(
    "sgn", doc="-1, 0 or 1 by the sign of the input.", vjp=zero_vjp, tame=True, cost=1.0, parity="odd",
    formula=arithmetic.function_named("sign"), **both(native.sign),
)
copysign = elementwise(
    "copysign", args=BINARY, dtype="float", grad_fn=weak_aware("CopysignBackward0", "CopysignBackward1"), tame=True,
    doc="The magnitude of `input` with the sign of `other`; the gradient at 0 is 0.",
    vjp=lambda g, out, x, y: (g * (sign(x) * sign(out)), call("zeros_like", g)),
    **both(lambda v, x, y: v.copysign(x, y)),
)
angle = elementwise(
    "angle", dtype="float", doc="The angle of a number: 0, and pi for a negative one.", vjp=zero_vjp, tame=True,
    **both(lambda v, x: v.select(v.isnan(x), x, v.cast(x < 0, x.dtype) * math.pi)),
)
heaviside = elementwise(
    "heaviside", args="input, values", doc="0 below 0, 1 above, `values` at 0.", tame=True,
    vjp=lambda g, out, x, values: (call("zeros_like", g), where(eq(x, 0), g, 0)),
    **both(lambda v, x, y: v.select(x == 0, y, v.cast(x > 0, x.dtype))), words=("unitstep", "step"),
)


def _has_sign(v: Any, x: Any) -> Any:
    if x.dtype.kind == "f":
        # Of -0 too, and of NaN.
        return v.copysign(1.0, x) < 0
    return x < 0 if x.dtype.kind == "i" else x != x


def _is_infinity(number: float) -> dict[str, Any]:
    return both(lambda v, x: x == number if x.dtype.kind == "f" else x != x)


signbit = elementwise(
    "signbit", dtype="bool", doc="True where the sign bit is set: for negative numbers, and -0.", **both(_has_sign),
)
isposinf = elementwise("isposinf", dtype="bool", doc="True where the input is inf.", **_is_infinity(math.inf))
isneginf = elementwise("isneginf", dtype="bool", doc="True where the input is -inf.", **_is_infinity(-math.inf))

# Units and powers of 2 ------------------------------------------------------------------------------------------------


def _scaling(name: str, factor: float, doc: str, **row: Any) -> Op:
    return elementwise(
        name, dtype="float", doc=doc, vjp=lambda g, out, x: (g * factor,), batching=sums(0), tame=True, parity="odd",
        formula=arithmetic.multiple(factor), **both(lambda v, x: x * factor), **row,
    )


deg2rad = _scaling("deg2rad", math.pi / 180, "Degrees as radians.", words=("radians",))
rad2deg = _scaling("rad2deg", 180 / math.pi, "Radians as degrees.", words=("degrees",))


def _float_power(input: Any, exponent: Any) -> Node:
    x, y = as_node(input), as_node(exponent)
    base, power = (cast(n, FLOAT64) if n.weak else to(n, FLOAT64) for n in (x, y))
    return pow_(base, power)


float_power = composite(
    "float_power", _float_power, args="input, exponent", family="elementwise", doc="A power in float64.",
)


def _ldexp(v: Any, x: Any, y: Any) -> Any:
    # In two steps, as the power itself may overflow or vanish where the result does neither; the first one is finite,
    # so that the second has the sign of the exponent.
    half = v.at_most(v.at_least(v.floor(y * 0.5), -2048), 2048)
    return x * v.exp2(half) * v.exp2(y - half)


ldexp: Op = elementwise(
    "ldexp", args=BINARY, dtype="float", doc="`input * 2**other`.", batching=products(0),
    vjp=lambda g, out, x, y: (apply(ldexp, g, y), g * (out * LN2)), **both(_ldexp),
)


frexp: Op = primitive(
    "frexp", lambda x: tuple(np.asarray(part) for part in np.frexp(x)),
    lambda inputs, params: ((inputs[0].shape, inputs[0].dtype), (inputs[0].shape, np.dtype(np.int32))),
    family="elementwise", results=("mantissa", "exponent"), blocking=ALIGNED,
    doc="The mantissa, at least 1/2 and below 1, and the exponent.",
    build=lambda input: make_results(frexp, (floating(input),)), example=("frexp(input).mantissa", "input:0"),
    vjp=lambda g, out, x: (apply(ldexp, g.mantissa, -to(out.exponent, x.dtype)),), numpy="frexp",
    formula=arithmetic.none("frexp() has no formula", "give its results as inputs"),
)


def _logaddexp2(v: Any, x: Any, y: Any) -> Any:
    apart = x - y
    return v.log1p(v.exp2(-v.abs(v.select(v.isnan(apart), 0, apart)))) * (1 / LN2) + v.maximum(x, y)


logaddexp2 = elementwise(
    "logaddexp2", args=BINARY, dtype="float", doc="`log2(2**input + 2**other)` without overflow.", commutative=True,
    vjp=lambda g, out, x, y: (g * call("sigmoid", (x - y) * LN2), g * call("sigmoid", (y - x) * LN2)),
    **both(_logaddexp2),
)

# Of two numbers -------------------------------------------------------------------------------------------------------


def _first_unless(better: Op) -> Any:
    """The gradient goes to the first of two equal operands, and past NaN."""

    def vjp(g: Node, out: Node, x: Node, y: Node) -> tuple[Node, Node]:
        first = logical_or(better(x, y), isnan(y))
        return where(first, g, 0), where(first, 0, g)

    return vjp


fmax = elementwise(
    "fmax", args=BINARY, doc="The greater of two, ignoring NaN; of equal elements the first.",
    vjp=_first_unless(ge), tame=True, numpy="fmax",
    textbook=lambda g, out, x, y: (where(x > y, g, 0), where(y > x, g, 0)),
    **both(lambda v, x, y: v.select((x >= y) | v.isnan(y), x, y)),
)
fmin = elementwise(
    "fmin", args=BINARY, doc="The smaller of two, ignoring NaN; of equal elements the first.",
    vjp=_first_unless(le), tame=True, numpy="fmin",
    textbook=lambda g, out, x, y: (where(x < y, g, 0), where(y < x, g, 0)),
    **both(lambda v, x, y: v.select((x <= y) | v.isnan(y), x, y)),
)


def _next_vjp(g: Node, out: Node, x: Node, y: Node) -> tuple[Node, Node]:
    return where(ne(x, y), g, 0), call("zeros_like", g)


def _next(input: Any, other: Any) -> Node:
    x, y = as_node(input), as_node(other)
    return apply(_next_half if is_half(promote((x, y))) else nextafter, x, y)


nextafter = elementwise(
    "nextafter", np.nextafter, args=BINARY, dtype="float", build=_next, vjp=_next_vjp,
    doc="The next number after `input` towards `other`.",
)
_next_half = elementwise(
    "_next_half", lambda x, y: np.nextafter(x.astype(np.float16), y.astype(np.float16)).astype(x.dtype), args=BINARY,
    dtype="float", grad_fn="NextafterBackward0", vjp=_next_vjp,
    doc="The next number of float16, whatever the numbers are computed in.",
)


def _nan_to_num(input: Any, nan: Any, posinf: Any, neginf: Any) -> Node:
    x = as_node(input)
    if x.dtype.kind != "f":
        return apply(nan_to_num, x, nan=0.0, posinf=0.0, neginf=0.0)
    limits = np.finfo(x.dtype)
    found = (
        float(usual) if value is None else as_number(value, name)
        for value, usual, name in ((nan, 0, "nan"), (posinf, limits.max, "posinf"), (neginf, limits.min, "neginf"))
    )
    return apply(nan_to_num, x, **dict(zip(("nan", "posinf", "neginf"), found, strict=True)))


def _numbers_only(v: Any, x: Any, nan: float, posinf: float, neginf: float) -> Any:
    if x.dtype.kind != "f":
        return x
    finite = v.select(x == math.inf, posinf, v.select(x == -math.inf, neginf, x))
    return v.select(v.isnan(x), nan, finite)


nan_to_num: Op = elementwise(
    "nan_to_num", args="input, nan: number=None, posinf: number=None, neginf: number=None", build=_nan_to_num,
    doc="NaN replaced by 0 or another number, infinities by the largest numbers of the dtype or others.", tame=True,
    vjp=lambda g, out, x, **numbers: (where(isfinite(x), g, 0),), **both(_numbers_only),
)


def _close(v: Any, x: Any, y: Any, rtol: float, atol: float, equal_nan: bool) -> Any:
    same = x == y
    if x.dtype.kind == "b":
        return same
    if x.dtype.kind == "f" and equal_nan:
        same = same | (v.isnan(x) & v.isnan(y))
    apart, y = (n if n.dtype.kind == "f" else v.cast(n, FLOAT64) for n in (x - y, y))
    apart = v.abs(apart)
    return same | ((apart < math.inf) & (apart <= v.abs(y * rtol) + atol))


def _isclose(input: Any, other: Any, rtol: Any, atol: Any, equal_nan: Any) -> Node:
    bounds = {"rtol": as_number(rtol, "rtol"), "atol": as_number(atol, "atol")}
    for name, bound in bounds.items():
        if not bound >= 0:
            raise GradcliError(f"{name} must not be negative, got {bound:g}", argument=name)
    return apply(isclose, input, other, **bounds, equal_nan=as_flag(equal_nan, "equal_nan"))


_TOLERANCES = "input, other, rtol=1e-5, atol=1e-8, equal_nan=False"
isclose: Op = elementwise(
    "isclose", args=_TOLERANCES, dtype="bool", doc="True where `abs(input - other) <= atol + rtol*abs(other)`.",
    build=_isclose, **both(_close),
)
allclose = composite(
    "allclose", lambda *arguments: call("all", _isclose(*arguments)), args=_TOLERANCES, family="elementwise",
    doc="Whether isclose is true everywhere.",
)


def _equal(input: Any, other: Any) -> Node:
    x, y = as_node(input), as_node(other)
    return call("all", eq(x, y)) if x.shape == y.shape else constant(np.asarray(False))


equal = composite(
    "equal", _equal, args=BINARY, family="elementwise",
    doc="Whether two tensors have the same shape and the same elements.",
)

# Fused products -------------------------------------------------------------------------------------------------------


def _fused(op_name: str) -> Any:
    def build(input: Any, tensor1: Any, tensor2: Any, value: Any) -> Node:
        op = {"addcmul": addcmul, "addcdiv": addcdiv}[op_name]
        number = value if isinstance(value, int) and abs(value) < 2**63 else as_number(value, "value")
        return apply(op, input, tensor1, tensor2, value=number)

    return build


addcmul: Op = elementwise(
    "addcmul", args="input, tensor1, tensor2, *, value: number=1", dtype="number", build=_fused("addcmul"),
    doc="`input + value*tensor1*tensor2`.", formula=arithmetic.plus_product(1),
    vjp=lambda g, out, a, x, y, value: (g, g * (y * value), g * (x * value)),
    **both(lambda v, a, x, y, value: a + x * value * y),
)
addcdiv: Op = elementwise(
    "addcdiv", args="input, tensor1, tensor2, *, value: number=1", dtype="float", build=_fused("addcdiv"),
    doc="`input + value*tensor1/tensor2`.", formula=arithmetic.plus_product(-1),
    domain=((-2.0, 2.0), (-2.0, 2.0), (0.5, 2.0)),
    vjp=lambda g, out, a, x, y, value: (g, g * (value / y), -g * (value * (x / y) / y)),
    **both(lambda v, a, x, y, value: a + x * value / y),
)

# Bits -----------------------------------------------------------------------------------------------------------------

bitwise_xor = elementwise(
    "bitwise_xor", np.bitwise_xor, args=BINARY, dtype="integral", commutative=True, symbol="^", tame=True,
    doc="Exclusive or, `input ^ other`; bitwise for integers.", native=lambda v, x, y: x ^ y,
    words=("bitxor", "xor"),
)


def _of_integers(name: str) -> Any:
    def build(input: Any, other: Any) -> Node:
        dtypes = [as_node(n).dtype for n in (input, other)]
        floats = [dtype for dtype in dtypes if dtype.kind == "f"]
        if floats:
            hint = "convert whole numbers, as in x.long()"
            raise GradcliError(f"{name}() is defined for integers, not for {floats[0]}", hint=hint)
        if BOOL in dtypes:
            raise GradcliError(f"{name}() is defined for integers, not for booleans")
        return apply(OPS[name], input, other)

    return build


left_shift: Op = elementwise(
    "bitwise_left_shift", np.left_shift, args=BINARY, dtype="integral", build=_of_integers("bitwise_left_shift"),
    symbol="<<", tame=True, doc="The bits shifted left by `other`, `input << other`.", native=lambda v, x, y: x << y,
)
right_shift: Op = elementwise(
    "bitwise_right_shift", np.right_shift, args=BINARY, dtype="integral", build=_of_integers("bitwise_right_shift"),
    symbol=">>", tame=True, doc="The bits shifted right by `other`, `input >> other`.",
    native=lambda v, x, y: x >> y,
)
gcd: Op = elementwise(
    "gcd", np.gcd, args=BINARY, dtype="integral", build=_of_integers("gcd"), commutative=True,
    doc="The greatest common divisor of two integers.",
)
lcm: Op = elementwise(
    "lcm", np.lcm, args=BINARY, dtype="integral", build=_of_integers("lcm"), commutative=True,
    doc="The least common multiple of two integers.",
)

# The cardinal sine ----------------------------------------------------------------------------------------------------

_sinc_slope: Op = elementwise(
    "_sinc_slope", whole(sinc_into), args="input, n=1", dtype="float", grad_fn="SincBackward0", tame=True,
    doc="A derivative of sinc.", formula=arithmetic.none("the higher derivatives of sinc() have no short formula"),
    vjp=lambda g, out, x, n: (g * apply(_sinc_slope, x, n=n + 1),),
)
sinc = elementwise(
    "sinc", lambda x: whole(sinc_into)(x, n=0), dtype="float", doc="`sin(pi*input)/(pi*input)`, and 1 at 0.", tame=True,
    vjp=lambda g, out, x: (g * apply(_sinc_slope, x, n=1),), parity="even",
    textbook=lambda g, out, x: (g * (cos(x * math.pi) / x - sin(x * math.pi) / (math.pi * x * x)),), numpy="sinc",
)
