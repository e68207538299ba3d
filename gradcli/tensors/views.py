"""Tensors that show the same elements: views of a tensor, and its data. A change of one in place is a change of all.

Nothing in a graph changes: the tensor that is whole gets another node, and each view of it the same steps from there.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any, NamedTuple

from gradcli.errors import SizeError
from gradcli.graph.infer import cast
from gradcli.graph.node import INPUT, RESULT, Node, make
from gradcli.graph.op import OPS

#: Held by the thread that lets tensors show other nodes: two that did so at once would tear views from what they show.
MOVING = threading.RLock()


class ViewPlace(NamedTuple):
    """What a tensor shows: the node of all elements, and the views that lead from it to the tensor's own."""

    origin: Node
    path: list[Node]

    @property
    def is_detached(self) -> bool:
        """Whether no gradient flows from it to the origin."""
        return any(view.op.vjp is None for view in self.path)

    @property
    def detached(self) -> ViewPlace:
        """What is shown as far as no gradient flows back from there."""
        last = max(number for number, view in enumerate(self.path) if view.op.vjp is None)
        return ViewPlace(self.origin, self.path[: last + 1])

    def of(self, origin: Node, moved: dict[Node, Node] | None = None) -> Node:
        """What is shown of another origin, as `moved_to` has it."""
        place = self.moved_to(origin, moved)
        return place.path[-1] if place.path else origin

    def moved_to(self, origin: Node, moved: dict[Node, Node] | None = None) -> ViewPlace:
        """The same place, of another origin; `moved` has the views of the old one that are there already."""
        known, path = {} if moved is None else moved, []
        for view in self.path:
            if view not in known:
                known[view] = make(view.op, (origin, *view.inputs[1:]), view.params)
            origin = known[view]
            path.append(origin)
        return ViewPlace(path[0].inputs[0] if path else origin, path)

    def beyond(self, other: ViewPlace) -> ViewPlace | None:
        """What is left of the way from another place on; None where it does not lead through it."""
        first, rest = self.path[: len(other.path)], self.path[len(other.path) :]
        # What is detached twice is tracked apart.
        alike = (a is b or (a.op.vjp is not None and _are_alike(a, b)) for a, b in zip(first, other.path, strict=False))
        through = len(first) == len(other.path) and all(alike)
        return ViewPlace(self.origin, rest) if through else None

    def replaced(self, new: Node) -> Node:
        """The origin with other elements at this place."""
        for view in reversed(self.path):
            assert view.op.put is not None
            new = view.op.put(view, view.inputs[0], new)
        return new


def place_of(node: Node) -> ViewPlace:
    """What a node shows of another one, as far as PyTorch has both in the same memory."""
    path = []
    while (view := _view(node)) is not None:
        # Steps that change neither elements nor tracking are none.
        if not view.op.same or view.op.vjp is None:
            path.append(view)
        node = view.inputs[0]
    return ViewPlace(node, path[::-1])


def origin_of(node: Node) -> Node:
    """What a node shows elements of, itself perhaps."""
    while (view := _view(node)) is not None:
        node = view.inputs[0]
    return node


def _view(node: Node) -> Node | None:
    """The node as a view of its first operand, None where it is none."""
    several = node.inputs[0] if node.op is RESULT else node
    if not _shares(several):
        return None
    if several is node:
        return node
    assert several.op.part is not None
    part: Node = several.op.part(several, node.params["index"])
    return part


def _shares(node: Node) -> bool:
    shares = node.op.shares
    return shares(node) if callable(shares) else shares


def same_place(a: Node, b: Node) -> bool:
    """Whether two nodes show the same elements."""
    first, second = place_of(a), place_of(b)
    steps = [[view for view in place.path if not view.op.same] for place in (first, second)]
    return first.origin is second.origin and len(steps[0]) == len(steps[1]) and all(map(_are_alike, *steps))


def _are_alike(a: Node, b: Node) -> bool:
    # Which place it is may be known to an operand alone, as in x[i].
    known = a.op is b.op and a.params == b.params and len(a.inputs) == len(b.inputs)
    return known and all(i is j for i, j in zip(a.inputs[1:], b.inputs[1:], strict=True))


def show(tensor: Any, node: Node) -> None:
    """Let a tensor show another node from now on."""
    if node.op is INPUT and tensor.node.op is INPUT:
        node.hooks = tensor.node.hooks
    tensor.node, tensor.above = node, None
    tensor.changes += 1
    node.tensor = weakref.ref(tensor)
    join(tensor)


def join(tensor: Any) -> None:
    """Write a tensor down with what it shows elements of, if it does."""
    origin = origin_of(tensor.node)
    if origin is not tensor.node:
        watch(origin, tensor)
        _keep_up(tensor)


def watch(origin: Node, tensor: Any) -> None:
    """Write a tensor down that has to know of changes of a node's elements."""
    with MOVING:
        if origin.views is None:
            origin.views = []
        count = len(origin.views)
        if count and not count & (count - 1):
            # Looked through where it has doubled, so that a thousand of them do not take a million steps.
            origin.views[:] = [ref for ref in origin.views if ref() is not None]
        origin.views.append(weakref.ref(tensor))


def watching(origin: Node) -> list[Any]:
    """The live tensors that were written down with a node, each once."""
    return list(dict.fromkeys(tensor for ref in origin.views or () if (tensor := ref()) is not None))


def start_from(tensor: Any, node: Node, leaf: Node) -> None:
    """Let a tensor that shows a node show a leaf of the same values instead, and what is a view of it one of that."""
    with MOVING:
        if tensor.node is not node:
            return
        leaf.tensor = node.tensor
        # A view that another thread makes of the node either sees this, or is among those that are told.
        node.now = tensor.node = leaf
        for other in watching(origin_of(node)):
            _keep_up(other)


def _keep_up(tensor: Any) -> None:
    """Let a tensor show what its node shows of others that have started from their values."""
    node = _now(tensor.node)
    if node is not tensor.node:
        with MOVING:
            node = _now(tensor.node)
            if node is not tensor.node:
                node.tensor = weakref.ref(tensor)
                tensor.node = node
                watch(origin_of(node), tensor)
    above = tensor.above
    if above is not None and above.origin.now is not None:
        with MOVING:
            if tensor.above is above:
                origin, path = above.origin.now, [_now(view) for view in above.path]
                tensor.above = ViewPlace(origin, path)
                watch(origin, tensor)


def _now(node: Node) -> Node:
    """What a node shows, of what there is instead of its operands now."""
    steps, start = [], node
    while start.now is None:
        view = _view(start)
        if view is None:
            return node
        steps.append((start, view))
        start = view.inputs[0]
    new = start.now
    for old, view in reversed(steps):
        new = make(view.op, (new, *view.inputs[1:]), view.params)
        new.value = old.value
        old.now = new
    return new


def seen_again(place: ViewPlace, origin: Node, moved: dict[Node, Node] | None = None, base: Node | None = None) -> Node:
    """A view of an origin that was changed in place, as `moved_to` has it; shown as one of `base`, if that is given."""
    node = place.of(origin, moved)
    if node.requires_grad:
        return make(OPS["_again"], (node, origin if base is None else base), {"name": "AsStridedBackward0"})
    # Each tensor has a node of its own.
    return make(OPS["_alias"], (node,)) if node is origin or node.shown_by() is not None else node


def assigned(x: Node, chosen: Node, value: Node) -> Node:
    """`x` with a value in place of what `chosen` takes of it, as in x[index] = value."""
    # Rows are imported by those who need them.
    from gradcli.ops.one_step import one_step

    steps, node = [], chosen
    while node is not x:
        assert node.op.put is not None
        steps.append(node)
        node = node.inputs[0]
    if all(_shares(step) and step.shape == step.inputs[0].shape for step in steps):
        return copied(x, value)
    new = _spread_over(chosen, value)
    for step in steps:
        assert step.op.put is not None
        new = step.op.put(step, step.inputs[0], new)
    return one_step("CopySlices", new, x, value) if _shares(steps[0]) or len(steps) > 1 else new


def copied(x: Node, value: Node) -> Node:
    """A value in place of all of `x`."""
    from gradcli.ops.one_step import one_step

    name = "CopyBackwards" if value.ndim else "FillBackward3"
    return one_step(name, _spread_over(x, value), x, value, flat=True)


def _spread_over(chosen: Node, value: Node) -> Node:
    """A value in the shape and dtype of the place that it is for; lengths of 1 in front do not matter."""
    shape = value.shape
    while len(shape) > chosen.ndim and shape[0] == 1:
        shape = shape[1:]
    fits = len(shape) <= chosen.ndim and all(
        own in (1, length) for own, length in zip(shape[::-1], chosen.shape[::-1], strict=False)
    )
    if not fits:
        raise SizeError("a value of shape {} does not fit a place of shape {}", value.shape, chosen.shape)
    # A number has no dtype of its own until it is spread.
    node = cast(value, chosen.dtype) if value.weak else value
    node = node if shape == node.shape else OPS["reshape"](node, shape)
    return cast(node if shape == chosen.shape else OPS["expand"](node, chosen.shape), chosen.dtype)
