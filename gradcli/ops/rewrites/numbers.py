"""Sums, products, quotients and powers: numbers merged, signs moved to where they cost nothing."""

from __future__ import annotations

import math

import numpy as np

from gradcli.graph.native_forms import NativeParts
from gradcli.graph.node import CONSTANT, Node
from gradcli.graph.op import Op, Params
from gradcli.ops.rewrites.simplifier import (
    MODERATE,
    NORMAL,
    ORDINARY,
    Builder,
    Condition,
    are_few,
    is_large,
    is_ordinary,
    is_small,
    number_of,
    split,
    unreshaped,
)

# Numbers of this size may change places with other factors.
_MOVABLE = (1.0, 2.0**10)


def negation(s: Builder, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    x = inputs[0]
    if x.op is op:
        return x.inputs[0]
    if x.op.name == "mul":
        factor, rest = split(x)
        # The sign of a NaN apart, -(c*x) and (-c)*x are the same bits.
        return None if factor is None else s.call("mul", rest, s.number(-factor, x))
    return None


def product(s: Builder, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    for k in (1, 0):
        x, factor = inputs[1 - k], number_of(inputs[k])
        if factor is None or x.op is CONSTANT:
            continue
        if factor == 1 and x.dtype == inputs[k].dtype:
            return x
        if x.op.name == "neg" and factor != 0:
            return s.call("mul", x.inputs[0], s.number(-factor, x))
        merged = _merge(s, x, factor) or scaled(s, "mul", x, inputs[k])
        return merged if merged is not None else s.call("mul", x, inputs[k]) if op.name != "mul" else None
    if op.name != "mul":
        return s.call("mul", *inputs)
    return _float_up(s, "mul", inputs) or scaled(s, "mul", *inputs) or scaled(s, "mul", *inputs[::-1])


def _float_up(s: Builder, name: str, inputs: tuple[Node, ...]) -> Node | None:
    """`(c*x)*y` as `c*(x*y)`, `(c*x)/y` as `c*(x/y)`: numbers meet at the top, and below equal parts are found."""
    for k in (0, 1) if name == "mul" else (0,):
        x = inputs[k]
        if x.op.name != "mul" or is_small(x, inputs[1 - k].size):
            continue
        factor, rest = split(x)
        if factor is not None and _MOVABLE[0] <= abs(factor) <= _MOVABLE[1]:
            inner = s.call(name, *(rest if i == k else other for i, other in enumerate(inputs)))
            return s.call("mul", inner, s.number(factor, x))
        if name == "mul" and factor is not None and ORDINARY[0] <= abs(factor) <= 1:
            other = inputs[1 - k]
            if are_few(other.size, rest.size):
                # A number times a row costs nothing next to a number times a matrix.
                return s.call("mul", rest, s.call("mul", other, s.number(factor, x)))
    return None


def _merge(s: Builder, x: Node, factor: float) -> Node | None:
    """`factor * x` where `x` is itself a product with, or a quotient by, a number."""
    if not is_ordinary(factor):
        return None
    if x.op.name == "mul":
        inner, rest = split(x)
        if inner is not None and is_ordinary(inner) and is_ordinary(inner * factor):
            return s.call("mul", rest, s.number(inner * factor, x))
    if x.op.name == "div":
        divisor = number_of(x.inputs[1])
        if divisor and is_ordinary(divisor) and is_ordinary(factor / divisor):
            return s.call("mul", x.inputs[0], s.number(factor / divisor, x))
        dividend = number_of(x.inputs[0])
        if dividend and is_ordinary(dividend) and is_ordinary(dividend * factor):
            return s.call("div", s.number(dividend * factor, x), x.inputs[1])
    return None


def quotient(s: Builder, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    x, divisor = inputs[0], number_of(inputs[1])
    if divisor is None or x.op is CONSTANT or x.dtype != inputs[1].dtype:
        if op.name != "div":
            return s.call("div", *inputs)
        return _float_up(s, "div", inputs) or scaled(s, "div", *inputs)
    if divisor == 1:
        return x
    exact = math.isfinite(divisor) and divisor != 0 and math.frexp(divisor)[0] in (0.5, -0.5) and is_ordinary(divisor)
    if exact:
        return s.call("mul", x, s.number(1 / divisor, x))
    if x.op.name == "mul" and is_ordinary(divisor):
        inner, rest = split(x)
        if inner is not None and is_ordinary(inner) and is_ordinary(inner / divisor):
            return s.call("mul", rest, s.number(inner / divisor, x))
    return s.call("div", *inputs) if op.name != "div" else None


def total(s: Builder, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    a, b = inputs
    if b.op.name == "neg" and b.dtype.kind == "f":
        return s.call("sub", a, b.inputs[0])
    if a.op.name == "neg" and a.dtype.kind == "f":
        return s.call("sub", b, a.inputs[0])
    return s.call("add", a, b) if op.name != "add" else _moved_together(s, op, a, b)


def _moved_together(s: Builder, op: Op, a: Node, b: Node) -> Node | None:
    """`f(x) + f(y)` as `f(x + y)`, where f puts elements somewhere, with zeros elsewhere: the bits are the same."""
    native = a.op.native
    if a.op is not b.op or not isinstance(native, NativeParts) or len(a.inputs) != 1 or a.dtype != b.dtype:
        return None
    (x,), (y,) = a.inputs, b.inputs
    if x.shape != y.shape or a.params != b.params or a.shape != b.shape or native.spans(a) is None:
        return None
    # Of operands that are stretched the sum is as well: it is not left as small as it can be computed.
    return s.build(a.op, (s.build(op, (x, y), {}, x.shape),), a.params)


def difference(s: Builder, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    a, b = inputs
    if b.op.name == "neg" and b.dtype.kind == "f":
        return s.call("add", a, b.inputs[0])
    if (together := _moved_together(s, op, a, b)) is not None:
        return together
    # x - 0 keeps the sign of a zero, x + 0 does not.
    zero = number_of(b)
    if zero == 0 and math.copysign(1.0, zero) > 0 and a.dtype == b.dtype:
        return a
    return None


def square(s: Builder, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    # The kernel computes a square in the same way.
    x, exponent = inputs[0], number_of(inputs[1])
    if exponent == 2 and x.dtype.kind == "f" and inputs[1].ndim == 0:
        return s.call("mul", x, x)
    return None


def softmax(s: Builder, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    """`exp(x - logsumexp(x))` is a softmax; its steps are shared with those of the logsumexp."""
    x = inputs[0]
    if x.op.name != "sub":
        return None
    data, kept = x.inputs
    total = unreshaped(kept)
    if total.op.name != "logsumexp" or total.inputs[0] is not data or not data.size:
        return None
    dim = total.params["dim"]
    if kept.shape != tuple(1 if k in dim else n for k, n in enumerate(data.shape)):
        return None
    lowered = total.op.blocking.lower
    return None if lowered is None else _softmax_steps(s, data, dim)


def _softmax_steps(s: Builder, x: Node, dim: tuple[int, ...]) -> Node:
    """As in `lower` of logsumexp, so that equal steps are found to be equal."""
    over = {"dim": dim, "keepdim": True, "axis_given": True}
    largest = float(np.finfo(x.dtype).max)
    high = s.call("amax", x, **over)
    shift = s.call("clamp", high, s.number(-largest, x), s.number(largest, x))
    powers = s.call("exp", s.call("sub", x, shift))
    return s.call("div", powers, s.call("sum", powers, **over))


def scaled(s: Builder, name: str, x: Node, t: Node) -> Node | None:
    """`x*t` or `x/t` for a small `t`, where `x` has a small factor already: the two become one."""
    if s.conditions is None or x.op.name not in ("mul", "div") or not is_large(x):
        return None
    if x.dtype != t.dtype or not is_small(t, x.size):
        return None
    rest, own = x.inputs
    if x.op.name == "mul" and is_small(rest, x.size):
        rest, own = own, rest
    if not is_small(own, x.size) or rest.shape != x.shape or own.op is CONSTANT:
        return None
    for node in (own, t):
        if node.op is not CONSTANT:
            s.conditions.append(Condition(node, NORMAL))
        elif node.size != 1 or not 1 / MODERATE <= abs(float(node.params["value"].reshape(()))) <= MODERATE:
            return None
    divides = x.op.name == "div"
    factor = (
        s.call("mul", own, t) if divides == (name == "div") else s.call("div", *((t, own) if divides else (own, t)))
    )
    s.conditions.append(Condition(factor, NORMAL))
    return s.call("div" if divides and name == "div" else "mul", rest, factor)
