"""Shape and dtype inference: broadcasting, promotion and conversion by PyTorch's rules."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.dtypes import CATEGORY, is_half, is_wider
from gradcli.graph.node import INPUT, Node, make, weak_constant
from gradcli.graph.op import OPS, Shape


def broadcast_shapes(shapes: Iterable[Shape]) -> Shape:
    """The common shape by NumPy's rule: aligned at the right, a length of 1 stretches.

    >>> broadcast_shapes([(2, 1, 3), (4, 1)])
    (2, 4, 3)
    """
    shapes = list(shapes)
    first = shapes[0]
    if all(s == first or not s for s in shapes[1:]):
        return first
    result: list[int] = []
    for shape in shapes:
        if len(shape) > len(result):
            result = [1] * (len(shape) - len(result)) + result
        for k in range(1, len(shape) + 1):
            if shape[-k] != 1 and result[-k] != shape[-k]:
                if result[-k] != 1:
                    named = list(dict.fromkeys(shapes))
                    listed = " and ".join(["{}"] * len(named))
                    text = f"shapes {listed} do not fit: {{}} against {{}} in dimension {{}}"
                    hint = "lengths must be equal or 1, aligned at the right"
                    unequal = (result[-k], shape[-k])
                    raise SizeError(text, *named, *unequal, -k, hint=hint, unequal=unequal)
                result[-k] = shape[-k]
    return tuple(result)


def promote(nodes: Iterable[Node]) -> np.dtype:
    """PyTorch's result type: dimensioned tensors over 0-dim ones over Python numbers, unless the category is lower."""
    ranks: list[np.dtype | None] = [None, None, None]
    for node in nodes:
        rank = 2 if node.weak else 0 if node.shape else 1
        known = ranks[rank]
        ranks[rank] = node.dtype if known is None else promote_pair(known, node.dtype)
    result: np.dtype | None = None
    for dtype in ranks:
        if dtype is None:
            continue
        if result is None or CATEGORY[dtype.kind] > CATEGORY[result.kind]:
            result = dtype if result is None or dtype.kind == "f" or result.kind == "b" else promote_pair(result, dtype)
    assert result is not None
    return result


def promote_pair(a: np.dtype, b: np.dtype) -> np.dtype:
    """PyTorch's result type of two dtypes."""
    if a is b or a == b:
        return a
    if (a.kind == "f") != (b.kind == "f"):
        return a if a.kind == "f" else b
    result = np.promote_types(a, b)
    if result.kind == "f" and a.kind != "f":
        raise GradcliError(f"{a} and {b} have no common integer type", hint="convert one of them, as in x.long()")
    return result


def cast(node: Node, dtype: np.dtype) -> Node:
    """`node` in another dtype: a Python number is simply written anew, a tensor gets a conversion node."""
    if node.dtype == dtype:
        return node
    if node.weak:
        if node.op is INPUT:
            # A number that is known later.
            return Node(INPUT, (), node.params, (), dtype, False, weak=True)
        return weak_constant(node.params["number"], dtype)
    if node.op is OPS["_cast"] and node.inputs[0].dtype == dtype and is_wider(node.dtype, dtype):
        # It was only widened.
        return node.inputs[0]
    return make(OPS["_cast"], (node,), {"dtype": dtype})


def operand(node: Node, dtype: np.dtype) -> Node:
    """`node` in the dtype that an operation promotes it to.

    To float16 that is only said of it: operations compute in float32, and take what it was before.
    """
    if is_half(dtype) and node.dtype != dtype and not node.weak:
        return make(OPS["_operand"], (node,), {"dtype": dtype})
    return cast(node, dtype)


def in_one_dtype(*nodes: Node) -> list[Node]:
    """Operands in their common dtype."""
    dtype = promote(nodes)
    return [cast(n, dtype) for n in nodes]


def sum_to(g: Node, shape: Shape) -> Node:
    """`g` summed over the dimensions in which `shape` was broadcast: the one place where broadcasting is undone."""
    if g.shape == shape:
        return g
    lead = g.ndim - len(shape)
    if lead < 0:
        return OPS["expand"](g, shape)
    stretched = [k + lead for k, n in enumerate(shape) if n == 1 and g.shape[k + lead] != 1]
    dims = [*range(lead), *stretched]
    if dims:
        g = OPS["sum"](g, dims, True)
    if g.shape[lead:] != shape:
        return OPS["expand"](OPS["reshape"](g, g.shape[lead:]), shape)
    return OPS["reshape"](g, shape) if lead else g
