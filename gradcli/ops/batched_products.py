"""Products of matrices and linear systems where an operand is a batch: see `gradcli.ops.batching`."""

from __future__ import annotations

import math

from gradcli.graph.infer import cast
from gradcli.graph.node import Batched, Node, Operands, make
from gradcli.graph.op import OPS, Batching
from gradcli.ops.batching import expanded, flipped, is_filled, reordered, swapped, untied, viewed, written_out

# Products of matrices and so short vectors take longer to call, one by one, than all of them to multiply out.
_SHORT = 32


def _matrix_product(node: Node, operands: Operands) -> Batched | None:
    """Products of matrices, of batches of them, and of matrices and vectors."""
    (a, b), (left, right) = node.inputs, operands
    if left is not None and right is not None:
        return _both(node, operands)
    lines = _lines(node, left, right)
    if lines is not None:
        return lines
    if right is not None:
        factor, batched = a, right
        if b.ndim == 1:
            batched = Batched(viewed(batched.node, (*batched.node.shape, 1)), (*batched.ties, None))
        if a.ndim == 1:
            factor = viewed(a, (1, a.shape[0]))
        result = _contracted(factor, batched)
        return _dropped(result, -1 if b.ndim == 1 else None, -2 if a.ndim == 1 else None)
    assert left is not None
    # The other way round: (A B)^T is B^T A^T.
    factor = viewed(b, (1, b.shape[0])) if b.ndim == 1 else flipped(b)
    if a.ndim == 1:
        batched = Batched(viewed(left.node, (*left.node.shape, 1)), (*left.ties, None))
    else:
        batched = Batched(flipped(left.node), (*left.ties[:-2], left.ties[-1], left.ties[-2]))
    result = _contracted(factor, batched)
    if b.ndim == 1:
        return _dropped(result, -1 if a.ndim == 1 else None, -2)
    if a.ndim == 1:
        return _dropped(result, -1, None)
    return Batched(flipped(result.node), (*result.ties[:-2], result.ties[-1], result.ties[-2]))


def _lines(node: Node, left: Batched | None, right: Batched | None) -> Batched | None:
    """The rows of all members as those of one matrix, where each meets the other operand by itself."""
    (a, b), batched = node.inputs, left or right
    assert batched is not None
    if a.ndim > 2 or (right is not None and b.ndim > 1) or any(tie is not None for tie in batched.ties):
        return None
    factor = b if left is not None else flipped(a) if a.ndim == 2 else a
    x = batched.node
    lines = viewed(x, (math.prod(x.shape[:-1]), x.shape[-1]))
    product = make(OPS["mm" if factor.ndim == 2 else "mv"], (lines, factor))
    return Batched(viewed(product, (*x.shape[:-1], *factor.shape[1:])), (None,) * node.ndim)


def _both(node: Node, operands: Operands) -> Batched:
    """Products of which both operands are batches, member with member."""
    (left, right), seed = written_out(operands)
    assert left is not None and right is not None
    a, b = (expanded(f.node, (*seed, *f.own)) for f in (left, right))
    none, inner = (None,) * node.ndim, right.own[-1]
    if len(right.own) == 1 and (len(left.own) == 1 or inner <= _SHORT):
        terms = make(OPS["mul"], (a, viewed(b, (*seed, *(1,) * (len(left.own) - 1), inner))))
        along = {"dim": (terms.ndim - 1,), "keepdim": False, "axis_given": True}
        return Batched(cast(make(OPS["sum"], (terms,), along), node.dtype), none)
    count = math.prod((*seed, *left.own[:-2]))
    rows = viewed(a, (count, left.own[-2] if len(left.own) > 1 else 1, left.own[-1]))
    columns = viewed(b, (count, right.own[-2], right.own[-1]) if len(right.own) > 1 else (count, right.own[-1], 1))
    return Batched(viewed(make(OPS["bmm"], (rows, columns)), (*seed, *node.shape)), none)


def _contracted(factor: Node, batched: Batched) -> Batched:
    """`factor @ member` for every member: matrices, or batches of them on both sides."""
    lead, ties, x = batched.lead, batched.ties, batched.node
    seed, (*batch_shape, inner, columns) = x.shape[:lead], batched.own
    rows, tie = factor.shape[-2], ties[-2]
    result = (*ties[:-2], None, ties[-1])
    if tie is not None:
        # One term for each index of the seed: column s of the factor times row s of the member.
        x = swapped(x, tie, x.ndim - 2)
        spread = [inner if k == tie else 1 for k in range(lead)]
        turned = reordered(factor, (factor.ndim - 1, *range(factor.ndim - 1)))
        column = viewed(turned, (*spread, *batch_shape, rows, 1))
        plain = columns == 1 and is_filled(x, 1)
        return Batched(column if plain else make(OPS["mul"], (column, x)), result)
    n = len(batch_shape)
    turned = reordered(x, (*range(lead, lead + n), *range(lead), x.ndim - 1, x.ndim - 2))
    stacked = viewed(turned, (*batch_shape, math.prod(seed) * columns, inner))
    product = make(OPS["bmm" if batch_shape else "mm"], (stacked, flipped(factor)))
    spread_out = viewed(product, (*batch_shape, *seed, columns, rows))
    back = (*range(n, n + lead), *range(n), n + lead + 1, n + lead)
    return Batched(reordered(spread_out, back), result)


def _dropped(batched: Batched, *dims: int | None) -> Batched:
    """The batch without some of its own dimensions, counted from the right, which have length 1."""
    places = {len(batched.ties) + d for d in dims if d is not None}
    ties = tuple([t for d, t in enumerate(batched.ties) if d not in places])
    own = [n for d, n in enumerate(batched.own) if d not in places]
    return Batched(viewed(batched.node, (*batched.node.shape[: batched.lead], *own)), ties)


def _solution(node: Node, operands: Operands) -> Batched | None:
    """Linear systems with one matrix: all right-hand sides are solved for together."""
    a, batched = node.inputs[0], operands[1]
    if operands[0] is not None or batched is None or a.ndim != 2 or len(batched.ties) > 2:
        return None
    lead, left = batched.lead, node.params["left"]
    batched = untied(batched, [0 if left else 1])
    x = viewed(batched.node, (*batched.node.shape, 1)) if node.params["vector"] else batched.node
    # The columns of all members side by side; X A = B is A^T X^T = B^T.
    columns = reordered(x if left else flipped(x), (x.ndim - 2, *range(lead), x.ndim - 1))
    sides = viewed(columns, (a.shape[0], columns.size // max(1, a.shape[0])))
    found = make(node.op, (a if left else flipped(a), sides), {"vector": False, "left": True})
    back = reordered(viewed(found, columns.shape), (*range(1, lead + 1), 0, lead + 1))
    back = back if left else flipped(back)
    return Batched(viewed(back, (*back.shape[:lead], *node.shape)), batched.ties)


MATRIX_PRODUCT = Batching(_matrix_product)
SOLUTION = Batching(_solution)
