"""Many tensors at once: what becomes of an operation when an operand is a batch, a tensor for each index of a seed.

A Jacobian is a vector-Jacobian product for every unit vector. The batch of all unit vectors is pushed through the
graph of one product, so that the graph is walked once and each operation runs once, whatever the number of seeds.

Most of what such batches hold is zeros: the unit vectors of n elements have n*n, and behind an elementwise operation
that is still so. A batch therefore says where its zeros are instead of holding them. Its dimension `d` is tied to a
dimension of the seed if only elements with the same index along both are not zero. An elementwise function is then
gone through once, and the diagonal is put into its matrix at the very end. Likewise, factors that all members share
are multiplied with each other before they meet the members.

Each row of the registry says in `batching` how its operation treats a batch. One that says nothing is applied to all
members at once where its `blocking` says that it can be cut along dimensions in front of its own: the seed becomes
these. Others are applied to the members one after the other. `lifting` does all this.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar

import numpy as np

from gradcli.errors import GradcliError
from gradcli.graph.infer import broadcast_shapes, cast
from gradcli.graph.node import CONSTANT, Batched, Forms, Node, Operands, SeveralResults, Ties, constant, make
from gradcli.graph.op import OPS, Batching, Params, Shape
from gradcli.ops.blocking import aligned

#: Whether factors that all members share are gathered in a `scale`: only where members are vectors that a derivative is
#: multiplied with. Of values that is not the same: infinity times 0 is not 0.
SHARING: ContextVar[bool] = ContextVar("gradcli_sharing", default=True)


def unit_vectors(shape: Shape, ones: Node) -> Batched:
    """The batch of the unit vectors of a shape, of which `ones` has the shape and dtype."""
    ties = tuple(d if n > 1 else None for d, n in enumerate(shape))
    return Batched(viewed(ones, (1,) * len(shape) + shape), ties)


def dense(batched: Batched, seed: Shape) -> Node:
    """All members of a batch whose seed has the given shape, zeros included."""
    return expanded(untied(_scaled(batched)).node, (*seed, *batched.own))


def expanded(x: Node, shape: Shape) -> Node:
    return x if x.shape == shape else make(OPS["expand"], (x,), {"shape": shape})


def untied(batched: Batched, dims: Iterable[int] | None = None) -> Batched:
    """The batch with its zeros written out, along some dimensions or all."""
    node, ties, lead = batched.node, list(batched.ties), batched.lead
    for d in range(len(ties)) if dims is None else dims:
        seed = ties[d]
        if seed is None:
            continue
        axis = lead + d
        rest = [k for k in range(node.ndim) if k not in (seed, axis)]
        flat = viewed(reordered(node, (*rest, axis, seed)), (*(node.shape[k] for k in rest), node.shape[axis]))
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
    return _applied(node, [f and untied(f) for f in operands], (None,) * node.ndim)


def sums(*positions: int) -> Batching:
    """Elementwise operations that are linear in the operands at these positions together, such as a sum."""

    def rule(node: Node, operands: Operands) -> Batched:
        batches = {k for k, f in enumerate(operands) if f is not None}
        fits = batches <= set(positions) and all(k in batches or _is_zero(node.inputs[k]) for k in positions)
        return _linear_by_place(node, operands) if fits else _place_by_place(node, all_scaled(operands))

    return Batching(rule, scales=True)


def products(*positions: int) -> Batching:
    """Elementwise operations that are linear in each of the operands at these positions, such as a product."""

    def rule(node: Node, operands: Operands) -> Batched:
        batches = [k for k, f in enumerate(operands) if f is not None]
        if len(batches) == 1 and batches[0] in positions:
            return _linear_by_place(node, operands)
        fits = all(k in positions for k in batches)
        return (_tied_alike if fits else _place_by_place)(node, all_scaled(operands))

    return Batching(rule, scales=True)


def _linear_by_place(node: Node, operands: Operands) -> Batched:
    """An elementwise operation that is linear in all its batches together."""
    present = [f for f in operands if f is not None]
    first = present[0]
    alike = SHARING.get() and all(f.node is first.node and f.ties == first.ties for f in present)
    if alike and first.own == node.shape and first.node.dtype == node.dtype and first.node.size > node.size:
        # What it does to members that are all multiples of the same, it does to the factors.
        one = constant(np.ones((), node.dtype))
        factors = [x if f is None else f.scale or one for x, f in zip(node.inputs, operands, strict=True)]
        return Batched(first.node, first.ties, make(node.op, tuple(factors), node.params))
    return _tied_alike(node, all_scaled(operands))


def all_scaled(operands: Operands) -> Operands:
    return tuple([f and _scaled(f) for f in operands])


def _tied_alike(node: Node, operands: Operands) -> Batched:
    """An elementwise operation that keeps zeros, with the ties that all its batches share."""
    present = [(None,) * (node.ndim - len(f.ties)) + f.ties for f in operands if f is not None]
    kept = tuple(first if all(t[d] == first for t in present) else None for d, first in enumerate(present[0]))
    cut: list[Batched | None] = []
    for f in operands:
        if f is not None:
            shift = node.ndim - len(f.ties)
            f = untied(f, [d for d, t in enumerate(f.ties) if t is not None and kept[d + shift] is None])
        cut.append(f)
    return _applied(node, cut, kept)


def _applied(node: Node, operands: Sequence[Batched | None], ties: Ties) -> Batched:
    parts = [node.inputs[k] if f is None else _padded(f, node.ndim).node for k, f in enumerate(operands)]
    return Batched(make(node.op, tuple(parts), node.params), ties)


def _padded(batched: Batched, ndim: int) -> Batched:
    """A batch whose members have at least so many dimensions, new ones of length 1 in front."""
    missing = max(0, ndim - len(batched.ties))
    shape = (*batched.node.shape[: batched.lead], *(1,) * missing, *batched.own)
    return Batched(viewed(batched.node, shape), (None,) * missing + batched.ties)


def _is_zero(node: Node) -> bool:
    return not node.params["value"].any() if node.op is CONSTANT else is_filled(node, 0)


# Rules for operations that move and add elements ----------------------------------------------------------------------


def linear(node: Node, operands: Operands) -> Batched | None:
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
    changed = _shifted(params, batched.node.shape[: batched.lead])
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
    return untied(batched, [d for d in range(len(batched.ties)) if d not in reached]), tuple(ties)


def _along(node: Node, operands: Operands) -> Batched | None:
    """Operations along `dim` that are linear in their first operand; the others broadcast against it."""
    if all(f is None for f in operands[1:]):
        return linear(node, operands)
    whole, seed = written_out(operands)
    batches = [f and _padded(f, node.ndim) for f in whole]
    parts = [x if f is None else f.node for x, f in zip(node.inputs, batches, strict=True)]
    parts[0] = expanded(parts[0], (*seed, *node.shape))
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
            x, ties[d] = swapped(x, seed, lead + d), None
    left = tuple([lead + d for d in node.params["dim"] if x.shape[lead + d] != 1])
    if len(left) == len(node.params["dim"]) > 0 and batched.ties == (None,) * len(batched.ties):
        return Batched(make(node.op, (x,), {**node.params, "dim": left, "axis_given": True}), (None,) * node.ndim)
    if left:
        x = make(node.op, (x,), {**node.params, "dim": left, "keepdim": True, "axis_given": True})
    if not node.params["keepdim"]:
        ties = [t for d, t in enumerate(ties) if d not in node.params["dim"]]
    # Where there is nothing to add, a sum of integers is one of int64 all the same.
    return Batched(cast(viewed(x, (*x.shape[:lead], *node.shape)), node.dtype), tuple(ties))


def _joined(node: Node, operands: Operands) -> Batched:
    """Tensors joined along `dim`."""
    whole, seed = written_out(operands)
    pairs = zip(node.inputs, whole, strict=True)
    parts = [expanded(child if f is None else f.node, (*seed, *child.shape)) for child, f in pairs]
    params = {**node.params, "dim": len(seed) + node.params["dim"]}
    return Batched(make(node.op, tuple(parts), params), (None,) * node.ndim)


# Rules for all that can be cut ----------------------------------------------------------------------------------------


def in_front(node: Node, operands: Operands) -> Batched | None:
    """With the seed in front of the dimensions of all operands, those that are shared as they are or as often."""
    if not node.inputs[0].ndim and isinstance(node.params.get("dim"), int):
        # The dimension of a 0-dim tensor is none at all.
        return None
    full, seed = written_out(operands)
    pairs = list(zip(node.inputs, full, strict=True))
    shared = [x if f is None else expanded(f.node, (*seed, *x.shape)) for x, f in pairs]
    spread = [expanded(y, (*seed, *x.shape)) if x.ndim else y for (x, _), y in zip(pairs, shared, strict=True)]
    forms = tuple([((*seed, *shape), dtype) for shape, dtype in _forms(node)])
    for parts in (shared, spread):
        result = _made(node, parts, _shifted(node.params, seed))
        if result is not None and _forms(result) == forms and _apart(result, node, parts, len(seed)):
            return Batched(result, (None,) * node.ndim)
    return None


def _merged(node: Node, operands: Operands) -> Batched | None:
    """With the seed merged into the first dimension, which is that of a batch already."""
    follows = node.op.blocking.follow(node, 0) if node.ndim else None
    if follows is None or any(f is not None and place != 0 for f, place in zip(operands, follows, strict=True)):
        return None
    full, seed = written_out(operands)
    count, parts = math.prod(seed), []
    for x, f, place in zip(node.inputs, full, follows, strict=True):
        every = expanded(x if f is None else f.node, (*seed, *x.shape)) if place == 0 else x
        parts.append(viewed(every, (count * x.shape[0], *x.shape[1:])) if place == 0 else x)
    params = dict(node.params)
    if "shape" in params:
        params["shape"] = (count * params["shape"][0], *params["shape"][1:])
    result = make(node.op, tuple(parts), params)
    return Batched(viewed(result, (*seed, *node.shape)), (None,) * node.ndim)


def _made(node: Node, parts: Sequence[Node], params: Params) -> Node | None:
    try:
        return make(node.op, tuple(parts), params)
    except GradcliError:
        return None


def _apart(result: Node, node: Node, parts: Sequence[Node], lead: int) -> bool:
    """Whether a result can be cut along dimensions in front, together with each operand that has them."""
    more = [x.ndim > child.ndim for x, child in zip(parts, node.inputs, strict=True)]
    return all(node.op.blocking.follow(result, k) == tuple([k if m else None for m in more]) for k in range(lead))


def _shifted(params: Params, seed: Shape) -> Params:
    """Parameters that count dimensions, or list the lengths of the result, for dimensions in front."""
    lead, changed = len(seed), dict(params)
    for name in params.keys() & {"dim", "dims", "dim1", "dim2"}:
        value = params[name]
        if isinstance(value, tuple):
            changed[name] = tuple([lead + d for d in value])
        elif isinstance(value, int) and name != "dims":
            changed[name] = lead + value
    for name, front in (("shape", seed), ("repeats", (1,) * lead)):
        if name in params:
            changed[name] = (*front, *params[name])
    return changed


def _forms(node: Node) -> Forms:
    return node.forms if isinstance(node, SeveralResults) else ((node.shape, node.dtype),)


def _of_classes(node: Node, operands: Operands) -> Batched | None:
    """Operations on a dimension of classes, the second one of a batch and the only one of a single tensor."""
    alone = len(node.params.get("shape", node.inputs[0].shape)) == 1
    return in_front(node, operands) if alone else _merged(node, operands)


def written(steps: Callable[[Node], Node | None]) -> Batching:
    """An operation for which those are applied that `steps(node)` writes it with, if it gives any."""
    return Batching(lambda node, operands: None, steps=steps)


# What rules are written with ------------------------------------------------------------------------------------------


def written_out(operands: Operands) -> tuple[list[Batched | None], Shape]:
    """The batches with all zeros written out, and the shape of their seed."""
    whole = [f and untied(f) for f in operands]
    return whole, broadcast_shapes([f.node.shape[: f.lead] for f in whole if f is not None])


def is_filled(node: Node, value: int) -> bool:
    return node.op.name == "_filled" and bool(node.params["value"] == value)


def viewed(x: Node, shape: Shape) -> Node:
    if x.op.name == "_filled":
        return make(x.op, (), {**x.params, "shape": tuple(shape)})
    return x if x.shape == tuple(shape) else make(OPS["view"], (x,), {"shape": tuple(shape)})


def reordered(x: Node, dims: Sequence[int]) -> Node:
    if tuple(dims) == tuple(range(x.ndim)):
        return x
    if x.op.name == "_filled":
        return viewed(x, tuple([x.shape[d] for d in dims]))
    return make(OPS["permute"], (x,), {"dims": tuple(dims), "name": "PermuteBackward0"})


def swapped(x: Node, a: int, b: int) -> Node:
    dims = list(range(x.ndim))
    dims[a], dims[b] = dims[b], dims[a]
    return reordered(x, dims)


def flipped(x: Node) -> Node:
    return swapped(x, x.ndim - 2, x.ndim - 1)


#: Elementwise operations that are not linear.
BY_PLACE = Batching(_place_by_place)
ALONG = Batching(_along)
LINEAR = Batching(linear)
PERMUTED = Batching(_permuted)
SUMMED = Batching(_summed)
JOINED = Batching(_joined)
#: Operations whose first dimension is that of a batch.
MERGED = Batching(_merged, front=False)
CLASSES = Batching(_of_classes, front=False)
