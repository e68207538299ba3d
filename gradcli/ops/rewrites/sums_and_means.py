"""Sums and means: factors taken out of them, sums of deviations from a mean had from the moments that give it.

And of other reductions, that two of them are one.
"""

from __future__ import annotations

import math
from functools import partial, reduce

from gradcli.graph.node import RESULT, Node
from gradcli.graph.op import Op, Params
from gradcli.ops.rewrites.matrix_products import summed_product
from gradcli.ops.rewrites.simplifier import (
    MODERATE,
    NORMAL,
    ORDINARY,
    Builder,
    Condition,
    are_few,
    is_large,
    is_small,
    number_of,
    split,
    unreshaped,
)

# Longer products are left alone.
_MOST_FACTORS = 8


def total(s: Builder, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    """`sum(c*x)` is `c*sum(x)`, where this can neither overflow earlier nor turn the sign of a zero."""
    x = inputs[0]
    if x.op.name == "permute":
        dims = x.params["dims"]
        left = [dims[d] for d in range(x.ndim) if d not in params["dim"]]
        if left == sorted(left):
            return s.build(op, x.inputs, {**params, "dim": tuple(sorted(dims[d] for d in params["dim"]))})
    if x.op.reshapes and len(params["dim"]) == x.ndim and x.inputs[0].ndim:
        # All elements, in whatever order.
        return s.build(op, x.inputs, {**params, "dim": tuple(range(x.inputs[0].ndim))})
    if x.op.family == "contraction" and x.ndim > 1 and x.size:
        return summed_product(s, op, x, params)
    if x.op.name == "expand":
        return _of_equals(s, op, x, params)
    if x.op.name not in ("mul", "div", "neg", "sub") or not x.size or x.dtype.kind != "f":
        return None
    out = about_mean(s, op, x, params) or hoisted(s, op, x, params)
    if out is not None or x.op.name != "mul":
        return out
    factor, rest = split(x)
    if factor is None or not 1 <= abs(factor) <= ORDINARY[1] or rest.shape != x.shape:
        return None
    result = s.build(op, (rest,), params)
    result = s.call("mul", result, s.number(factor, result))
    # A sum has no negative zero.
    return result if factor > 0 else s.call("add", result, s.number(0.0, result))


def _of_equals(s: Builder, op: Op, x: Node, params: Params) -> Node | None:
    """A sum or mean along dimensions in which all elements are the same: how many there are is known."""
    y = x.inputs[0]
    lead = x.ndim - y.ndim
    equal = [d for d in params["dim"] if d < lead or y.shape[d - lead] == 1]
    count = math.prod(x.shape[d] for d in equal)
    if not is_large(x) or not are_few(1, count) or count > ORDINARY[1] or x.dtype.kind != "f":
        return None
    once, shape = y, tuple(1 if d in equal else n for d, n in enumerate(x.shape))
    if lead:
        once = s.call("view", y, shape=(*(1,) * lead, *y.shape))
    result = s.build(op, (once if once.shape == shape else s.call("expand", once, shape=shape),), params)
    return result if op.name == "mean" else s.call("mul", result, s.number(count, result))


def hoisted(s: Builder, op: Op, x: Node, params: Params) -> Node | None:
    """A sum or mean of a product, with the factors taken out that are the same for many of its terms."""
    if s.conditions is None or not is_large(x) or x.dtype.kind != "f":
        return None
    found = _factors(x)
    if found is None:
        return None
    number, above, below = found
    small = [(f, False) for f in above if is_small(f, x.size)] + [(f, True) for f in below if is_small(f, x.size)]
    numerators = [f for f in above if not is_small(f, x.size)]
    denominators = [f for f in below if not is_small(f, x.size)]
    if not numerators or (not small and number == 1) or not 1 / MODERATE <= abs(number) <= MODERATE:
        return None
    dims = tuple(d for d in params["dim"] if all(_length(f, x, d) == 1 for f, _ in small))
    rest = tuple(d for d in params["dim"] if d not in dims)
    if not are_few(1, math.prod(x.shape[d] for d in dims)):
        return None
    times = partial(s.call, "mul")
    product = reduce(times, numerators)
    if denominators:
        product = s.call("div", product, reduce(times, denominators))
    if product.shape != x.shape or product is x:
        return None
    bound = NORMAL if product in (*numerators,) else MODERATE
    s.conditions.extend(Condition(f, bound) for f, _ in small)
    total = s.build(op, (product,), {**params, "dim": dims, "keepdim": False})
    s.conditions.append(Condition(total, 0.0))
    result = _scaled_by(s, total, small, number, x.ndim, dims)
    if rest:
        left = [d for d in range(x.ndim) if d not in dims]
        result = s.build(op, (result,), {**params, "dim": tuple(left.index(d) for d in rest), "keepdim": False})
    return result


def _scaled_by(
    s: Builder, total: Node, small: list[tuple[Node, bool]], number: float, ndim: int, dims: tuple[int, ...]
) -> Node:
    """What was summed over `dims`, times the factors that were taken out; a pair says whether one divides."""
    result = total
    for factor, divides in small:
        aligned = (1,) * (ndim - factor.ndim) + factor.shape
        shape = tuple(n for d, n in enumerate(aligned) if d not in dims)
        result = s.call("div" if divides else "mul", result, s.call("view", factor, shape=shape))
    if number != 1:
        result = s.call("mul", result, s.number(number, result))
    # A sum has no negative zero.
    return s.call("add", result, s.number(0.0, result))


def about_mean(s: Builder, op: Op, x: Node, params: Params) -> Node | None:
    """A sum of deviations from the mean of the same numbers, or of their squares, by the moments that give the mean."""
    squares = x.op.name == "mul" and x.inputs[0] is x.inputs[1]
    deviation = x.inputs[0] if squares else x
    if s.conditions is None or op.name != "sum" or deviation.op.name != "sub" or not is_large(x):
        return None
    data, point = deviation.inputs
    mean = unreshaped(point)
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
    moments = s.call("_moments", data, dim=dims, keepdim=False)
    own, spread = (s.build(RESULT, (moments,), {"index": k}) for k in range(2))
    s.conditions += [Condition(own, 0.0), Condition(spread, 0.0)]
    count = math.prod(x.shape[d] for d in dims)
    return s.call("_about", own, mean, *([spread] if squares else []), count=count)


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
        value = number_of(node)
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


def extreme_of_chosen(s: Builder, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    """`amax(where(c, a, x))` is `where(c, a, amax(x))` where neither `c` nor `a` vary along what is taken in."""
    (node,) = inputs
    if node.op.name != "where" or not params["dim"] or not node.size:
        return None
    chosen, one, x = node.inputs
    if x.shape != node.shape or any(_length(same, node, dim) != 1 for same in (chosen, one) for dim in params["dim"]):
        return None
    result = s.call("where", chosen, one, s.build(op, (x,), {**params, "keepdim": True}))
    shape = [n for dim, n in enumerate(result.shape) if dim not in params["dim"]]
    return result if params["keepdim"] else s.call("view", result, shape=tuple(shape))


def place_of_extreme(s: Builder, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    """Of argmax, the place that max finds along a dimension: who asks for both gets them of one search."""
    if not params["axis_given"] or not inputs[0].ndim:
        return None
    both = s.call(op.name.replace("arg", "_"), *inputs, dim=params["dim"], keepdim=False)
    return s.build(RESULT, (both,), {"index": 1})
