"""Elements at lists of indices where the elements or the lists are batches: see `gradcli.ops.batching`.

Where the lists are, those of all members become one, and so do the members where both are: a further list for each
dimension of the seed says which one each place is of.
"""

from __future__ import annotations

from gradcli.graph.dtypes import INT64
from gradcli.graph.infer import broadcast_shapes
from gradcli.graph.node import Batched, Node, Operands, make
from gradcli.graph.op import OPS, Batching, Shape
from gradcli.ops.batching import expanded, linear, reordered, viewed, written_out


def _indexed(node: Node, operands: Operands) -> Batched | None:
    """The elements of the first operand at lists of indices, or zeros with the elements added there."""
    if all(f is None for f in operands[1:]) and _neighbours(node.params["dims"]):
        return linear(node, operands)
    (first, *lists), seed = written_out(operands)
    lead, adding, dims = len(seed), "shape" in node.params, node.params["dims"]
    width = len(broadcast_shapes([x.shape for x in node.inputs[1:]]))
    places = [x if f is None else _padded(f, seed, width) for x, f in zip(node.inputs[1:], lists, strict=True)]
    apart = any(f is not None for f in lists)
    # Where the elements, or the sums, are those of all members, each place is looked up among those of its own.
    several = adding or first is not None
    at = tuple([d + lead for d in dims]) if several else dims
    if several and apart:
        at, places = (*range(lead), *at), [*(_count(seed, k, width) for k in range(lead)), *places]
    order = _order(dims, at, lead, apart, width, lead + (node.inputs[0].ndim if adding else node.ndim))
    params = {**node.params, "dims": at}
    if not adding:
        x = node.inputs[0] if first is None else expanded(first.node, (*seed, *first.own))
        return Batched(reordered(make(node.op, (x, *places), params), order), (None,) * node.ndim)
    values = expanded(node.inputs[0] if first is None else first.node, (*seed, *node.inputs[0].shape))
    moved = reordered(values, sorted(range(values.ndim), key=order.__getitem__))
    return Batched(make(node.op, (moved, *places), {**params, "shape": (*seed, *node.shape)}), (None,) * node.ndim)


def _order(dims: Shape, at: Shape, lead: int, apart: bool, width: int, ndim: int) -> list[int]:
    """Where the dimensions of the seed, and then those of one member, are among those of elements that were looked up.

    The lists have `width` dimensions, behind those of the seed where they are `apart` for each member.
    """
    before = picked_place(at)
    looked = [*range(before, before + width + lead * apart)]
    others = [d for d in range(ndim) if d not in looked]
    front, places, rest = (looked[:lead], looked[lead:], others) if apart else (others[:lead], looked, others[lead:])
    own = picked_place(dims)
    return [*front, *rest[:own], *places, *rest[own:]]


def picked_place(dims: Shape) -> int:
    """Where the dimensions of lists stand: in place if theirs are neighbours, else in front, as in NumPy."""
    return dims[0] if _neighbours(dims) else 0


def _neighbours(dims: Shape) -> bool:
    return dims == tuple(range(dims[0], dims[0] + len(dims)))


def _padded(batched: Batched, seed: Shape, ndim: int) -> Node:
    """The lists of all members, each with so many dimensions."""
    full = expanded(batched.node, (*seed, *batched.own))
    return viewed(full, (*seed, *(1,) * (ndim - len(batched.own)), *batched.own))


def _count(seed: Shape, dim: int, ndim: int) -> Node:
    """Which place along a dimension of the seed each member has."""
    count = make(OPS["arange"], (), {"shape": (seed[dim],), "start": 0, "step": 1, "dtype": INT64})
    return viewed(count, (*(n if k == dim else 1 for k, n in enumerate(seed)), *(1,) * ndim))


INDEXED = Batching(_indexed)
