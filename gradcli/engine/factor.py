"""Small factors taken out of large products and sums, on the condition that they turn out to be ordinary numbers.

`sum(x/s)` is `sum(x)/s`, and `(x/s)/s` is `x/(s*s)`, as long as nothing is infinite, vanishes or overflows. Whether
that holds is known as soon as `s` is, long before the large tensor is gone through: each such step notes a condition,
and a program whose conditions fail is given up for one without these steps.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol

from gradcli.graph.node import CONSTANT, Node
from gradcli.graph.op import OPS, Op, Params, Shape

# A factor is small if the product has so many times as many elements, and if there are no more than so many at all.
_FEW = 16
_SMALL = 1 << 16
# Longer products are left alone.
_MOST_FACTORS = 8

# Sizes within which a factor may be moved out of a sum of products: these neither vanish nor overflow for it.
_MODERATE = 2.0**60
# Sizes within which two factors may be made into one.
_NORMAL = 2.0**100


class Condition(NamedTuple):
    """What must hold of all elements of a node: to lie between 1/bound and bound in size, or to be finite for 0."""

    node: Node
    bound: float


class Builder(Protocol):
    """What the rules need of the simplifier."""

    conditions: list[Condition] | None

    def build(self, op: Op, inputs: tuple[Node, ...], params: Params, shape: Shape | None = None) -> Node: ...
    def call(self, name: str, *inputs: Node) -> Node: ...
    def number(self, value: float, like: Node) -> Node: ...


def is_small(factor: Node, size: int) -> bool:
    """Whether a factor of a product of `size` elements costs next to nothing."""
    return factor.size <= _SMALL and 0 < factor.size * _FEW <= size


def scaled(s: Builder, name: str, x: Node, t: Node) -> Node | None:
    """`x*t` or `x/t` for a small `t`, where `x` has a small factor already: the two become one."""
    if s.conditions is None or x.op.name not in ("mul", "div") or x.size <= _SMALL:
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
            s.conditions.append(Condition(node, _NORMAL))
        elif node.size != 1 or not 1 / _MODERATE <= abs(float(node.params["value"].reshape(()))) <= _MODERATE:
            return None
    divides = x.op.name == "div"
    factor = (
        s.call("mul", own, t) if divides == (name == "div") else s.call("div", *((t, own) if divides else (own, t)))
    )
    s.conditions.append(Condition(factor, _NORMAL))
    return s.call("div" if divides and name == "div" else "mul", rest, factor)


def hoisted(s: Builder, op: Op, x: Node, params: Params) -> Node | None:
    """A sum or mean of a product, with the factors taken out that are the same for many of its terms."""
    if s.conditions is None or x.size <= _SMALL or x.dtype.kind != "f":
        return None
    found = _factors(x)
    if found is None:
        return None
    number, above, below = found
    small = [(f, False) for f in above if is_small(f, x.size)] + [(f, True) for f in below if is_small(f, x.size)]
    numerators = [f for f in above if not is_small(f, x.size)]
    denominators = [f for f in below if not is_small(f, x.size)]
    if not numerators or (not small and number == 1) or not 1 / _MODERATE <= abs(number) <= _MODERATE:
        return None
    dims = tuple(d for d in params["dim"] if all(_length(f, x, d) == 1 for f, _ in small))
    rest = tuple(d for d in params["dim"] if d not in dims)
    if math.prod(x.shape[d] for d in dims) < _FEW:
        return None
    product = _product(s, numerators)
    if denominators:
        product = s.call("div", product, _product(s, denominators))
    if product.shape != x.shape or product is x:
        return None
    bound = _NORMAL if product in (*numerators,) else _MODERATE
    s.conditions.extend(Condition(f, bound) for f, _ in small)
    total = s.build(op, (product,), {**params, "dim": dims, "keepdim": False})
    s.conditions.append(Condition(total, 0.0))
    result = total
    for factor, divides in small:
        aligned = (1,) * (x.ndim - factor.ndim) + factor.shape
        shape = tuple(n for d, n in enumerate(aligned) if d not in dims)
        result = s.call("div" if divides else "mul", result, s.build(OPS["view"], (factor,), {"shape": shape}))
    if number != 1:
        result = s.call("mul", result, s.number(number, result))
    # A sum has no negative zero.
    result = s.call("add", result, s.number(0.0, result))
    if rest:
        left = [d for d in range(x.ndim) if d not in dims]
        result = s.build(op, (result,), {**params, "dim": tuple(left.index(d) for d in rest), "keepdim": False})
    return result


def summed_product(s: Builder, op: Op, x: Node, params: Params) -> Node | None:
    """A sum or mean over the rows or columns of a matrix product: the operands are summed before they are multiplied.

    `sum(A @ B)` is `sum(A, 0) @ sum(B, 1)`, which holds no matrix of the size of the product.
    """
    if s.conditions is None or x.size <= _SMALL or x.dtype.kind != "f":
        return None
    row, column = x.ndim - 2, x.ndim - 1
    over = [d in params["dim"] for d in (row, column)]
    # What is not summed is looked at for infinities through the result, which must be there as a whole.
    if not any(over) or any(i.size > _SMALL and not summed for i, summed in zip(x.inputs, over, strict=True)):
        return None
    operands = list(x.inputs)
    for k, dim in ((0, row), (1, column)):
        if over[k]:
            kept = {**params, "dim": (dim,), "keepdim": True, "axis_given": True}
            operands[k] = s.build(op, (operands[k],), kept, _with_one(operands[k].shape, dim))
            # An infinity in the operand would not have met the same numbers.
            s.conditions.append(Condition(_kept_array(operands[k]), 0.0))
    result = s.build(x.op, tuple(operands), {})
    left = tuple(n for d, n in enumerate(result.shape) if d < row or not over[d - row])
    result = s.build(OPS["view"], (result,), {"shape": left})
    rest = tuple(d for d in params["dim"] if d < row)
    if rest:
        result = s.build(op, (result,), {**params, "dim": rest, "keepdim": False})
    s.conditions.append(Condition(_kept_array(result), 0.0))
    return result


def product_of_equals(s: Builder, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    """A product with a matrix whose rows or whose columns are all the same, such as the gradient of a sum.

    Of equal rows one is multiplied; where the numbers that would meet in a sum are all the same, those of the other
    operand are summed first.
    """
    for k in (0, 1):
        x, other = inputs[k], inputs[1 - k]
        base = x.inputs[0] if x.op.name == "expand" else None
        if base is None or x.size <= _SMALL or x.dtype.kind != "f":
            continue
        shape = (1,) * (x.ndim - base.ndim) + base.shape
        same = [shape[d] < x.shape[d] for d in (x.ndim - 2, x.ndim - 1)]
        inner, outer = (1, 0) if k == 0 else (0, 1)
        result = None
        if same[inner]:
            result = _summed_first(s, base, shape, other, x.ndim - 2 + outer)
        elif same[outer]:
            one = s.build(OPS["view"], (base,), {"shape": shape})
            one = s.build(OPS["expand"], (one,), {"shape": _with_one(x.shape, x.ndim - 2 + outer)})
            result = s.build(op, (one, other) if k == 0 else (other, one), params)
        if result is not None:
            whole = list(other.shape)
            whole[x.ndim - 2 + outer] = x.shape[x.ndim - 2 + outer]
            return s.build(OPS["expand"], (result,), {"shape": tuple(whole)})
    return None


def _summed_first(s: Builder, base: Node, shape: Shape, other: Node, dim: int) -> Node | None:
    """`sum(g*b)` over `dim` of `other`, as `g*sum(b)`, for factors that are the same all along it."""
    if s.conditions is None or not is_small(base, other.size):
        return None
    params = {"dim": (dim,), "keepdim": True, "axis_given": True}
    total = s.build(OPS["sum"], (other,), params, _with_one(other.shape, dim))
    s.conditions.append(Condition(_kept_array(total), 0.0))
    if _value(base) is None:
        s.conditions.append(Condition(base, 0.0))
    return s.call("mul", total, s.build(OPS["view"], (base,), {"shape": shape}))


def _with_one(shape: Shape, dim: int) -> Shape:
    return (*shape[:dim], 1, *shape[dim + 1 :])


def _kept_array(node: Node) -> Node:
    """What a view shows: that is what is held."""
    while node.op.name == "view":
        node = node.inputs[0]
    return node


def about_mean(s: Builder, op: Op, x: Node, params: Params) -> Node | None:
    """A sum of deviations from the mean of the same numbers, or of their squares, by the moments that give the mean."""
    squares = x.op.name == "mul" and x.inputs[0] is x.inputs[1]
    deviation = x.inputs[0] if squares else x
    if s.conditions is None or op.name != "sum" or deviation.op.name != "sub" or x.size <= _SMALL:
        return None
    data, point = deviation.inputs
    mean = point
    while mean.op.name in ("view", "unsqueeze", "squeeze"):
        mean = mean.inputs[0]
    dims = params["dim"]
    aligned = (1,) * (x.ndim - point.ndim) + point.shape
    if (
        mean.op.name != "mean"
        or mean.inputs[0] is not data
        or mean.params["dim"] != dims
        or x.dtype != mean.dtype
        or aligned != tuple(1 if d in dims else n for d, n in enumerate(x.shape))
        or not is_small(mean, x.size)
    ):
        return None
    moments = s.build(OPS["_moments"], (data,), {"dim": dims, "keepdim": False})
    s.conditions.append(Condition(moments, 0.0))
    count = math.prod(x.shape[d] for d in dims)
    return s.build(OPS["_about"], (moments, mean), {"count": count, "power": 2 if squares else 1})


def _product(s: Builder, factors: list[Node]) -> Node:
    product = factors[0]
    for factor in factors[1:]:
        product = s.call("mul", product, factor)
    return product


def _length(factor: Node, x: Node, dim: int) -> int:
    """The length of a factor along a dimension of the product."""
    d = dim - x.ndim + factor.ndim
    return factor.shape[d] if d >= 0 else 1


def _factors(x: Node) -> tuple[float, list[Node], list[Node]] | None:
    """A product as a number and its factors above and below the fraction bar; None where it is none, or too long."""
    number = 1.0
    above: list[Node] = []
    below: list[Node] = []
    stack: list[tuple[Node, bool]] = [(x, False)]
    steps = 0
    while stack:
        node, under = stack.pop()
        value = _value(node)
        if value is not None:
            if not value:
                return None
            number = number / value if under else number * value
        elif node.shape == x.shape and node.op.name in ("mul", "div", "neg") and steps < _MOST_FACTORS:
            steps += 1
            if node.op.name == "neg":
                number = -number
                stack.append((node.inputs[0], under))
            else:
                stack.append((node.inputs[1], under != (node.op.name == "div")))
                stack.append((node.inputs[0], under))
        else:
            (below if under else above).append(node)
    return (number, above, below) if steps else None


def _value(node: Node) -> float | None:
    if node.op is CONSTANT and node.params["value"].size == 1:
        return float(node.params["value"].reshape(()))
    return None


def holds(condition: Condition, array: Any) -> bool:
    """Whether a condition holds of the array of its node."""
    import numpy as np

    if not condition.bound:
        return bool(np.isfinite(array).all())
    size = np.abs(array)
    return bool(((size >= 1 / condition.bound) & (size <= condition.bound)).all())
