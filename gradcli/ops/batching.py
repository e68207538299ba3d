"""Many tensors at once: what becomes of an operation when an operand is a batch, a tensor for each index of a seed.

A Jacobian is a vector-Jacobian product for every unit vector. The batch of all unit vectors is pushed through the
graph of one product, so that the graph is walked once and each operation runs once, whatever the number of seeds.

Most of what such batches hold is zeros: the unit vectors of n elements have n*n, and behind an elementwise operation
that is still so. A batch therefore says where its zeros are instead of holding them. Its dimension `d` is tied to a
dimension of the seed if only elements with the same index along both are not zero. An elementwise function is then
gone through once, and the diagonal is put into its matrix at the very end. Likewise, factors that all members share
are multiplied with each other before they meet the members.

Each row of the registry says in `batching` how its operation treats a batch; one that says nothing is applied to the
members one after the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from gradcli.graph.infer import broadcast_shapes
from gradcli.graph.node import (
    CONSTANT,
    RESULT,
    Batched,
    Node,
    Operands,
    SeveralResults,
    Ties,
    constant,
    make,
    part_of,
    toposort,
)
from gradcli.graph.op import OPS, Batching, Params, Shape
from gradcli.ops.blocking import aligned


def batch(roots: Iterable[Node], given: Mapping[Node, Batched]) -> dict[Node, Batched]:
    """The batches that nodes become when those in `given` do; a node that depends on none of them has no entry."""
    found = dict(given)
    for node in toposort(roots, stop=given.__contains__):
        # Where results have operations of their own, these are applied.
        done = part_of(node.inputs[0], node.params["index"]) or node if node.op is RESULT else node
        operands = tuple([found.get(child) for child in done.inputs])
        if node in found or node.op.part is not None or all(f is None for f in operands):
            continue
        how = done.op.batching
        if how is None or not how.scales:
            operands = _all_scaled(operands)
        result = how.rule(done, operands) if how is not None else None
        found[node] = _one_by_one(done, operands) if result is None else result
    return found


def unit_vectors(shape: Shape, ones: Node) -> Batched:
    """The batch of the unit vectors of a shape, of which `ones` has the shape and dtype."""
    ties = tuple(d if n > 1 else None for d, n in enumerate(shape))
    return Batched(_view(ones, (1,) * len(shape) + shape), ties)


def dense(batched: Batched, seed: Shape) -> Node:
    """All members of a batch whose seed has the given shape, zeros included."""
    return _expanded(_untied(_scaled(batched)).node, (*seed, *batched.own))


def _expanded(x: Node, shape: Shape) -> Node:
    return x if x.shape == shape else make(OPS["expand"], (x,), {"shape": shape})


def _untied(batched: Batched, dims: Iterable[int] | None = None) -> Batched:
    """The batch with its zeros written out, along some dimensions or all."""
    node, ties, lead = batched.node, list(batched.ties), batched.lead
    for d in range(len(ties)) if dims is None else dims:
        seed = ties[d]
        if seed is None:
            continue
        axis = lead + d
        rest = [k for k in range(node.ndim) if k not in (seed, axis)]
        flat = _view(_permute(node, (*rest, axis, seed)), (*(node.shape[k] for k in rest), node.shape[axis]))
        shape = (*node.shape[:seed], node.shape[axis], *node.shape[seed + 1 :])
        node = make(OPS["diag_embed"], (flat,), {"shape": shape, "offset": 0, "dim1": seed, "dim2": axis})
        ties[d] = None
    return Batched(node, tuple(ties))


def _scaled(batched: Batched) -> Batched:
    """The batch with its members multiplied by what they share."""
    scale = batched.scale
    return batched if scale is None else Batched(make(OPS["mul"], (batched.node, scale)), batched.ties)


# Rules for elementwise operations -------------------------------------------------------------------------------------


def _place_by_place(node: Node, operands: Operands) -> Batched:
    return _applied(node, [f and _untied(f) for f in operands], (None,) * node.ndim)


def sums(*positions: int) -> Batching:
    """Elementwise operations that are linear in the operands at these positions together, such as a sum."""

    def rule(node: Node, operands: Operands) -> Batched:
        batches = {k for k, f in enumerate(operands) if f is not None}
        fits = batches <= set(positions) and all(k in batches or _is_zero(node.inputs[k]) for k in positions)
        return _linear_by_place(node, operands) if fits else _place_by_place(node, _all_scaled(operands))

    return Batching(rule, scales=True)


def products(*positions: int) -> Batching:
    """Elementwise operations that are linear in each of the operands at these positions, such as a product."""

    def rule(node: Node, operands: Operands) -> Batched:
        batches = [k for k, f in enumerate(operands) if f is not None]
        if len(batches) == 1 and batches[0] in positions:
            return _linear_by_place(node, operands)
        fits = all(k in positions for k in batches)
        return (_tied_alike if fits else _place_by_place)(node, _all_scaled(operands))

    return Batching(rule, scales=True)


def _linear_by_place(node: Node, operands: Operands) -> Batched:
    """An elementwise operation that is linear in all its batches together."""
    present = [f for f in operands if f is not None]
    first = present[0]
    alike = all(f.node is first.node and f.ties == first.ties for f in present)
    if alike and first.own == node.shape and first.node.dtype == node.dtype and first.node.size > node.size:
        # What it does to members that are all multiples of the same, it does to the factors.
        one = constant(np.ones((), node.dtype))
        factors = [x if f is None else f.scale or one for x, f in zip(node.inputs, operands, strict=True)]
        return Batched(first.node, first.ties, make(node.op, tuple(factors), node.params))
    return _tied_alike(node, _all_scaled(operands))


def _all_scaled(operands: Operands) -> Operands:
    return tuple([f and _scaled(f) for f in operands])


def _tied_alike(node: Node, operands: Operands) -> Batched:
    """An elementwise operation that keeps zeros, with the ties that all its batches share."""
    present = [(None,) * (node.ndim - len(f.ties)) + f.ties for f in operands if f is not None]
    kept = tuple(first if all(t[d] == first for t in present) else None for d, first in enumerate(present[0]))
    cut: list[Batched | None] = []
    for f in operands:
        if f is not None:
            shift = node.ndim - len(f.ties)
            f = _untied(f, [d for d, t in enumerate(f.ties) if t is not None and kept[d + shift] is None])
        cut.append(f)
    return _applied(node, cut, kept)


def _applied(node: Node, operands: Sequence[Batched | None], ties: Ties) -> Batched:
    parts = [node.inputs[k] if f is None else _padded(f, node.ndim).node for k, f in enumerate(operands)]
    return Batched(make(node.op, tuple(parts), node.params), ties)


def _padded(batched: Batched, ndim: int) -> Batched:
    """A batch whose members have at least so many dimensions, new ones of length 1 in front."""
    missing = max(0, ndim - len(batched.ties))
    shape = (*batched.node.shape[: batched.lead], *(1,) * missing, *batched.own)
    return Batched(_view(batched.node, shape), (None,) * missing + batched.ties)


def _is_zero(node: Node) -> bool:
    return not node.params["value"].any() if node.op is CONSTANT else _is_filled(node, 0)


# Rules for operations that move and add elements ----------------------------------------------------------------------


def _linear(node: Node, operands: Operands) -> Batched | None:
    """Operations that are linear in their first operand, whose other operands are no batches, and whose parameters
    count dimensions as those of the tensor: `shape`, `dim`, `dims`, `dim1`, `dim2`, `repeats`.

    A tie outlives the operation where a dimension of the result follows the tied one: a slice of the result along the
    one needs that slice of the operand along the other only, so that zeros there make zeros here.
    """
    batched = operands[0]
    params = node.params
    if batched is None or any(f is not None for f in operands[1:]) or params.get("dims", ()) is None:
        return None
    if not batched.ties and "dim" in params:
        # The dimension of a 0-dim tensor is none at all.
        return None
    batched, ties = _followed(node, batched)
    if node.op.blocking.follow is aligned or "repeats" in params:
        batched = _padded(batched, node.ndim)
    lead, seed = batched.lead, batched.node.shape[: batched.lead]
    changed: Params = dict(params)
    for name in params.keys() & {"dim", "dims", "dim1", "dim2"}:
        value = params[name]
        changed[name] = tuple([lead + d for d in value]) if isinstance(value, tuple) else lead + value
    for name, front in (("shape", seed), ("repeats", (1,) * lead)):
        if name in params:
            changed[name] = (*front, *params[name])
    return Batched(make(node.op, (batched.node, *node.inputs[1:]), changed), ties)


def _followed(node: Node, batched: Batched) -> tuple[Batched, Ties]:
    """The batch with those ties written out that do not reach the result, and the ties of the result."""
    ties: list[int | None] = [None] * node.ndim
    reached = set()
    for d in range(node.ndim):
        dims = node.op.blocking.follow(node, d)
        source = dims[0] if dims else None
        # A reduction that keeps its dimensions follows them too, but not place by place.
        if source is not None and batched.ties[source] is not None and batched.own[source] == node.shape[d]:
            ties[d] = batched.ties[source]
            reached.add(source)
    return _untied(batched, [d for d in range(len(batched.ties)) if d not in reached]), tuple(ties)


def _along(node: Node, operands: Operands) -> Batched | None:
    """Operations along `dim` that are linear in their first operand; the others broadcast against it."""
    if all(f is None for f in operands[1:]):
        return _linear(node, operands)
    whole, seed = _whole(operands)
    batches = [f and _padded(f, node.ndim) for f in whole]
    parts = [x if f is None else f.node for x, f in zip(node.inputs, batches, strict=True)]
    parts[0] = _expanded(parts[0], (*seed, *node.shape))
    params = {**node.params, "dim": len(seed) + node.params["dim"]}
    return Batched(make(node.op, tuple(parts), params), (None,) * node.ndim)


def _permuted(node: Node, operands: Operands) -> Batched | None:
    """The dimensions in another order."""
    batched, dims = operands[0], node.params["dims"]
    assert batched is not None
    order = (*range(batched.lead), *(batched.lead + d for d in dims))
    permuted = make(node.op, (batched.node,), {**node.params, "dims": order})
    return Batched(permuted, tuple([batched.ties[d] for d in dims]))


def _summed(node: Node, operands: Operands) -> Batched | None:
    """Sums. The sum over a tied dimension has one term for each index of the seed: it is no sum at all."""
    batched = operands[0]
    assert batched is not None
    x, ties, lead = batched.node, list(batched.ties), batched.lead
    for d in node.params["dim"]:
        seed = ties[d]
        if seed is not None:
            x, ties[d] = _swap(x, seed, lead + d), None
    left = tuple([lead + d for d in node.params["dim"] if x.shape[lead + d] != 1])
    if left:
        x = make(node.op, (x,), {**node.params, "dim": left, "keepdim": True, "axis_given": True})
    if not node.params["keepdim"]:
        ties = [t for d, t in enumerate(ties) if d not in node.params["dim"]]
    return Batched(_view(x, (*x.shape[:lead], *node.shape)), tuple(ties))


def _joined(node: Node, operands: Operands) -> Batched:
    """Tensors joined along `dim`."""
    whole, seed = _whole(operands)
    pairs = zip(node.inputs, whole, strict=True)
    parts = [_expanded(child if f is None else f.node, (*seed, *child.shape)) for child, f in pairs]
    params = {**node.params, "dim": len(seed) + node.params["dim"]}
    return Batched(make(node.op, tuple(parts), params), (None,) * node.ndim)


def _indexed(node: Node, operands: Operands) -> Batched | None:
    """Indexing by lists. Lists at dimensions that are not neighbours put theirs in front, where the seed's are."""
    dims = node.params["dims"]
    return _linear(node, operands) if dims == tuple(range(dims[0], dims[0] + len(dims))) else None


# Rules for products and linear systems --------------------------------------------------------------------------------


def _matrix_product(node: Node, operands: Operands) -> Batched | None:
    """Products of matrices, of batches of them, and of matrices and vectors."""
    (a, b), (left, right) = node.inputs, operands
    if right is not None:
        if left is not None:
            return None
        factor, batched = a, right
        if b.ndim == 1:
            batched = Batched(_view(batched.node, (*batched.node.shape, 1)), (*batched.ties, None))
        if a.ndim == 1:
            factor = _view(a, (1, a.shape[0]))
        result = _contracted(factor, batched)
        return _dropped(result, -1 if b.ndim == 1 else None, -2 if a.ndim == 1 else None)
    assert left is not None
    # The other way round: (A B)^T is B^T A^T.
    factor = _view(b, (1, b.shape[0])) if b.ndim == 1 else _flip(b)
    if a.ndim == 1:
        batched = Batched(_view(left.node, (*left.node.shape, 1)), (*left.ties, None))
    else:
        batched = Batched(_flip(left.node), (*left.ties[:-2], left.ties[-1], left.ties[-2]))
    result = _contracted(factor, batched)
    if b.ndim == 1:
        return _dropped(result, -1 if a.ndim == 1 else None, -2)
    if a.ndim == 1:
        return _dropped(result, -1, None)
    return Batched(_flip(result.node), (*result.ties[:-2], result.ties[-1], result.ties[-2]))


def _contracted(factor: Node, batched: Batched) -> Batched:
    """`factor @ member` for every member: matrices, or batches of them on both sides."""
    lead, ties, x = batched.lead, batched.ties, batched.node
    seed, (*batch_shape, inner, columns) = x.shape[:lead], batched.own
    rows, tie = factor.shape[-2], ties[-2]
    result = (*ties[:-2], None, ties[-1])
    if tie is not None:
        # One term for each index of the seed: column s of the factor times row s of the member.
        x = _swap(x, tie, x.ndim - 2)
        spread = [inner if k == tie else 1 for k in range(lead)]
        turned = _permute(factor, (factor.ndim - 1, *range(factor.ndim - 1)))
        column = _view(turned, (*spread, *batch_shape, rows, 1))
        plain = columns == 1 and _is_filled(x, 1)
        return Batched(column if plain else make(OPS["mul"], (column, x)), result)
    n = len(batch_shape)
    turned = _permute(x, (*range(lead, lead + n), *range(lead), x.ndim - 1, x.ndim - 2))
    stacked = _view(turned, (*batch_shape, math.prod(seed) * columns, inner))
    product = make(OPS["bmm" if batch_shape else "mm"], (stacked, _flip(factor)))
    spread_out = _view(product, (*batch_shape, *seed, columns, rows))
    back = (*range(n, n + lead), *range(n), n + lead + 1, n + lead)
    return Batched(_permute(spread_out, back), result)


def _dropped(batched: Batched, *dims: int | None) -> Batched:
    """The batch without some of its own dimensions, counted from the right, which have length 1."""
    places = {len(batched.ties) + d for d in dims if d is not None}
    ties = tuple([t for d, t in enumerate(batched.ties) if d not in places])
    own = [n for d, n in enumerate(batched.own) if d not in places]
    return Batched(_view(batched.node, (*batched.node.shape[: batched.lead], *own)), ties)


def _solution(node: Node, operands: Operands) -> Batched | None:
    """Linear systems with one matrix: all right-hand sides are solved for together."""
    a, batched = node.inputs[0], operands[1]
    if operands[0] is not None or batched is None or a.ndim != 2 or len(batched.ties) > 2:
        return None
    lead, left = batched.lead, node.params["left"]
    batched = _untied(batched, [0 if left else 1])
    x = _view(batched.node, (*batched.node.shape, 1)) if node.params["vector"] else batched.node
    # The columns of all members side by side; X A = B is A^T X^T = B^T.
    columns = _permute(x if left else _flip(x), (x.ndim - 2, *range(lead), x.ndim - 1))
    sides = _view(columns, (a.shape[0], columns.size // max(1, a.shape[0])))
    found = make(node.op, (a if left else _flip(a), sides), {"vector": False, "left": True})
    back = _permute(_view(found, columns.shape), (*range(1, lead + 1), 0, lead + 1))
    back = back if left else _flip(back)
    return Batched(_view(back, (*back.shape[:lead], *node.shape)), batched.ties)


# One by one -----------------------------------------------------------------------------------------------------------


def _whole(operands: Operands) -> tuple[list[Batched | None], Shape]:
    """The batches with all zeros written out, and the shape of their seed."""
    whole = [f and _untied(f) for f in operands]
    return whole, broadcast_shapes([f.node.shape[: f.lead] for f in whole if f is not None])


def _one_by_one(node: Node, operands: Operands) -> Batched:
    """Any operation: its kernel runs for each member."""
    whole, seed = _whole(operands)
    parts = []
    for child, f in zip(node.inputs, whole, strict=True):
        full = child if f is None else _expanded(f.node, (*seed, *child.shape))
        parts.append(full if f is None else _view(full, (math.prod(seed), *child.shape)))
    batched = tuple([f is not None for f in whole])
    params = {"op": node.op, "params": node.params, "batched": batched, "seed": seed}
    if isinstance(node, SeveralResults):
        # Its results find theirs among those of this one.
        op = replace(OPS["_each"], results=node.op.results)
        return Batched(make(op, tuple(parts), {**params, "forms": node.forms}), ())
    result = make(OPS["_each"], tuple(parts), {**params, "forms": ((node.shape, node.dtype),)})
    return Batched(result, (None,) * node.ndim)


def _is_filled(node: Node, value: int) -> bool:
    return node.op.name == "_filled" and bool(node.params["value"] == value)


def _view(x: Node, shape: Shape) -> Node:
    if x.op.name == "_filled":
        return make(x.op, (), {**x.params, "shape": tuple(shape)})
    return x if x.shape == tuple(shape) else make(OPS["view"], (x,), {"shape": tuple(shape)})


def _permute(x: Node, dims: Sequence[int]) -> Node:
    if tuple(dims) == tuple(range(x.ndim)):
        return x
    if x.op.name == "_filled":
        return _view(x, tuple([x.shape[d] for d in dims]))
    return make(OPS["permute"], (x,), {"dims": tuple(dims), "name": "PermuteBackward0"})


def _swap(x: Node, a: int, b: int) -> Node:
    dims = list(range(x.ndim))
    dims[a], dims[b] = dims[b], dims[a]
    return _permute(x, dims)


def _flip(x: Node) -> Node:
    return _swap(x, x.ndim - 2, x.ndim - 1)


#: Elementwise operations that are not linear.
BY_PLACE = Batching(_place_by_place)
ALONG = Batching(_along)
LINEAR = Batching(_linear)
PERMUTED = Batching(_permuted)
SUMMED = Batching(_summed)
JOINED = Batching(_joined)
INDEXED = Batching(_indexed)
MATRIX_PRODUCT = Batching(_matrix_product)
SOLUTION = Batching(_solution)
