"""Changes of shape in place: a tensor shows another view of its elements from then on, as in `x.t_()`."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.autodiff.vjp import backward_name
from gradcli.errors import GradcliError
from gradcli.graph.node import INPUT, Node, make
from gradcli.graph.op import OPS
from gradcli.tensors.changes import lean_on, refuse_leaf
from gradcli.tensors.elements import leaf_in_place_of
from gradcli.tensors.modes import is_grad_enabled
from gradcli.tensors.views import MOVING, ViewPlace, place_of, seen_again, show, watching

# PyTorch counts the backward functions of a name: the three of squeeze() come before those of squeeze_().
_BEFORE = {"Squeeze": 3}


def show_view(tensor: Any, view: Node) -> None:
    """Let a tensor show a view of what it shows, made of its node in one step; all others show what they did."""
    with MOVING:
        _show_view(tensor, view)


def _show_view(tensor: Any, view: Node) -> None:
    old = tensor.node
    place = place_of(old)
    refuse_leaf(tensor, place)
    if old.requires_grad and old.op is not INPUT and not is_grad_enabled():
        raise GradcliError(
            "the shape of a tracked result cannot be changed in place without tracking: its gradient would be wrong",
            hint="make another tensor, as in y = x.t()",
        )
    if place.origin is old:
        _replace(tensor, view)
    elif old.requires_grad:
        show(tensor, make(OPS["_again"], (view, old), {"name": _name(view)}))
    else:
        base = old.inputs[0]
        merged = _merged(base, old, view) if place.path[-1:] == [old] else None
        show(tensor, view if merged is None else make(OPS["_alias"], (base,)) if merged is base else merged)
    if old.value is not None:
        tensor.node.value = _viewed(old.value, view)


def _viewed(array: np.ndarray, view: Node) -> np.ndarray:
    """What is seen of an array in the way of a view."""
    assert view.op.kernel is not None
    seen: np.ndarray = view.op.kernel(array, **view.params)
    return seen


def _name(view: Node) -> str:
    """What PyTorch calls the backward function of a view that is taken in place."""
    word, number = backward_name(view).split("Backward")
    return f"{word}Backward{int(number) + _BEFORE.get(word, 1)}"


def _replace(tensor: Any, view: Node) -> None:
    """Let what all others show elements of be the view itself: what they show of it leads back through its opposite."""
    # Rows are imported by those who need them.
    from gradcli.ops.one_step import one_step

    old, above = tensor.node, tensor.above
    if old.op is INPUT and old.requires_grad:
        new = leaf_in_place_of(view, _viewed(tensor.value(), view), requires_grad=True)
    elif old.requires_grad:
        new = one_step(_name(view), view, old)
    else:
        new = make(OPS["_apart"], (view,))
    new.strides = view.strides
    assert view.op.put is not None
    # Made of the new node by a step of its own, even where it changes nothing.
    back = view.op.put(view, old, new)
    watchers = [other for other in watching(old) if other is not tensor]
    show(tensor, new)
    if above is not None:
        step = make(view.op, (above.of(above.origin),), view.params)
        lean_on(tensor, ViewPlace(above.origin, [*above.path, step]))
    moved: dict[Node, Node] = {}
    for other in watchers:
        if (place := place_of(other.node)).origin is old:
            show(other, seen_again(*_led_back(place, back, new), moved, new))
        if other.above is not None and other.above.origin is old:
            rest, start = _led_back(other.above, back, new)
            steps = [start] if start is not new else []
            lean_on(other, ViewPlace(new, steps + rest.moved_to(start, moved).path))


def _led_back(place: ViewPlace, back: Node, new: Node) -> tuple[ViewPlace, Node]:
    """A place, and a node to start from: what the new node shows, led back to what the place began with.

    A change of shape that undoes another one leaves nothing: a loop of them must not make the way longer and longer.
    """
    merged = _merged(new, back, place.path[0]) if place.path else None
    return (place, back) if merged is None else (ViewPlace(place.origin, place.path[1:]), merged)


def _merged(base: Node, first: Node, second: Node) -> Node | None:
    """What two views, one after the other, show of a node in one step, itself perhaps; None if it takes two."""
    if first.op.reshapes and second.op.reshapes:
        merged: Node = base if second.shape == base.shape else OPS["reshape"](base, second.shape)
        return merged
    if first.op is second.op is OPS["permute"]:
        dims = tuple(first.params["dims"][dim] for dim in second.params["dims"])
        return base if dims == tuple(range(len(dims))) else make(second.op, (base,), {**second.params, "dims": dims})
    return None
