"""Products of matrices: summed before they are multiplied, equal rows or columns multiplied once."""

from __future__ import annotations

from gradcli.graph.node import Node
from gradcli.graph.op import OPS, Op, Params, Shape
from gradcli.ops.rewrites.simplifier import Builder, Condition, is_large, is_small, number_of, unreshaped


def summed_product(s: Builder, op: Op, x: Node, params: Params) -> Node | None:
    """A sum or mean over the rows or columns of a matrix product: the operands are summed before they are multiplied.

    `sum(A @ B)` is `sum(A, 0) @ sum(B, 1)`, which holds no matrix of the size of the product.
    """
    if s.conditions is None or not is_large(x) or x.dtype.kind != "f":
        return None
    row, column = x.ndim - 2, x.ndim - 1
    over = [d in params["dim"] for d in (row, column)]
    # What is not summed is looked at for infinities through the result, which must be there as a whole.
    if not any(over) or any(is_large(i) and not summed for i, summed in zip(x.inputs, over, strict=True)):
        return None
    operands = list(x.inputs)
    for k, dim in ((0, row), (1, column)):
        if over[k]:
            kept = {**params, "dim": (dim,), "keepdim": True, "axis_given": True}
            operands[k] = s.build(op, (operands[k],), kept, _with_one(operands[k].shape, dim))
            # An infinity in the operand would not have met the same numbers.
            s.conditions.append(Condition(unreshaped(operands[k]), 0.0))
    result = s.build(x.op, tuple(operands), {})
    left = tuple(n for d, n in enumerate(result.shape) if d < row or not over[d - row])
    result = s.call("view", result, shape=left)
    rest = tuple(d for d in params["dim"] if d < row)
    if rest:
        result = s.build(op, (result,), {**params, "dim": rest, "keepdim": False})
    s.conditions.append(Condition(unreshaped(result), 0.0))
    return result


def product_of_equals(s: Builder, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    """A product with a matrix whose rows or whose columns are all the same, such as the gradient of a sum.

    Of equal rows one is multiplied; where the numbers that would meet in a sum are all the same, those of the other
    operand are summed first.
    """
    for k in (0, 1):
        x, other = inputs[k], inputs[1 - k]
        base = x.inputs[0] if x.op.repeats else None
        if base is None or not is_large(x) or x.dtype.kind != "f":
            continue
        shape = (1,) * (x.ndim - base.ndim) + base.shape
        same = [shape[d] < x.shape[d] for d in (x.ndim - 2, x.ndim - 1)]
        inner, outer = (1, 0) if k == 0 else (0, 1)
        result = None
        if same[inner]:
            result = _summed_first(s, base, shape, other, x.ndim - 2 + outer)
        elif same[outer]:
            one = s.call("view", base, shape=shape)
            one = s.call("expand", one, shape=_with_one(x.shape, x.ndim - 2 + outer))
            result = s.build(op, (one, other) if k == 0 else (other, one), params)
        if result is not None:
            whole = list(other.shape)
            whole[x.ndim - 2 + outer] = x.shape[x.ndim - 2 + outer]
            return s.call("expand", result, shape=tuple(whole))
    return None


def _summed_first(s: Builder, base: Node, shape: Shape, other: Node, dim: int) -> Node | None:
    """`sum(g*b)` over `dim` of `other`, as `g*sum(b)`, for factors that are the same all along it."""
    if s.conditions is None or not is_small(base, other.size):
        return None
    params = {"dim": (dim,), "keepdim": True, "axis_given": True}
    total = s.build(OPS["sum"], (other,), params, _with_one(other.shape, dim))
    s.conditions.append(Condition(unreshaped(total), 0.0))
    if number_of(base) is None:
        s.conditions.append(Condition(base, 0.0))
    product = s.call("mul", total, s.call("view", base, shape=shape))
    # A sum of products that are all -0 begins with 0.
    return s.call("add", product, s.number(0.0, product))


def _with_one(shape: Shape, dim: int) -> Shape:
    return (*shape[:dim], 1, *shape[dim + 1 :])
