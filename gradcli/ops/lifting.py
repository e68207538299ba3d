"""From graphs for one tensor to graphs for many at once: each operation becomes what its row says, see `batching`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from gradcli.graph.native_forms import NativeSteps
from gradcli.graph.node import INPUT, RESULT, Batched, Node, Operands, SeveralResults, make, part_of, toposort
from gradcli.graph.op import OPS, Shape
from gradcli.machine.limits import having
from gradcli.ops.batching import SHARING, all_scaled, dense, expanded, in_front, viewed, written_out


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
            operands = all_scaled(operands)
        result = how.rule(done, operands) if how is not None else None
        found[node] = result or _without_rule(done, operands)
    return found


def _without_rule(node: Node, operands: Operands) -> Batched:
    """An operation whose row says nothing of batches, or nothing of such ones."""
    how = node.op.batching
    result = in_front(node, operands) if how is None or how.front else None
    if result is not None:
        return result
    given = {x: f for x, f in zip(node.inputs, operands, strict=True) if f is not None}
    steps = None if isinstance(node, SeveralResults) else _steps(node)
    return (steps and batch([steps], given).get(steps)) or _one_by_one(node, operands)


def _steps(node: Node) -> Node | None:
    """An operation written with others, if it can be."""
    how, lower, native = node.op.batching, node.op.blocking.lower, node.op.native
    steps: Node | None = how.steps(node) if how is not None and how.steps is not None else None
    if steps is None and lower is not None:
        steps = lower(node)
    return native.rule(node) if steps is None and isinstance(native, NativeSteps) else steps


def _one_by_one(node: Node, operands: Operands) -> Batched:
    """Any operation: its kernel runs for each member."""
    whole, seed = written_out(operands)
    parts = []
    for child, f in zip(node.inputs, whole, strict=True):
        full = child if f is None else expanded(f.node, (*seed, *child.shape))
        parts.append(full if f is None else viewed(full, (math.prod(seed), *child.shape)))
    batched = tuple([f is not None for f in whole])
    params = {"op": node.op, "params": node.params, "batched": batched, "seed": seed}
    op = OPS["_each"]
    if node.op.vjp is None:
        # What has no derivative for one has none for all.
        op = replace(op, vjp=None)
    if isinstance(node, SeveralResults):
        # Its results find theirs among those of this one.
        op = replace(op, results=node.op.results)
        return Batched(make(op, tuple(parts), {**params, "forms": node.forms}), ())
    result = make(op, tuple(parts), {**params, "forms": ((node.shape, node.dtype),)})
    return Batched(result, (None,) * node.ndim)


def row_of(stacked: Node, tracked: bool) -> Node:
    """A stand-in for one row of a tensor, whichever that is."""
    return Node(INPUT, (), {"data": None, "name": None, "row": True}, stacked.shape[1:], stacked.dtype, tracked)


def rows_of(stacked: Node) -> Batched:
    """All rows of a tensor, for which a stand-in is there."""
    return Batched(stacked, (None,) * (stacked.ndim - 1))


def over_rows(results: Sequence[Node], given: dict[Node, Batched], seed: Shape) -> list[Node]:
    """What results for one row become for all, whose dimensions come in front: `given` has the rows of each stand-in.

    What becomes of further nodes is added to it, so that they need not be lifted again.
    """
    with having(SHARING, False):
        found = batch(results, given)
    given.update(found)
    alike = (1,) * len(seed)
    return [dense(found.get(r) or Batched(viewed(r, (*alike, *r.shape)), (None,) * r.ndim), seed) for r in results]
