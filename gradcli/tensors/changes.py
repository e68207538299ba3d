"""Changes in place: what may be changed, and which tensors see it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import numpy as np

from gradcli.engine.execute.run import is_known
from gradcli.errors import GradcliError
from gradcli.graph.dtypes import CATEGORY
from gradcli.graph.infer import cast
from gradcli.graph.node import INPUT, Node, make, toposort
from gradcli.graph.op import OPS
from gradcli.tensors.elements import Elements, compute_values, keep, leaf_in_place_of, value_leaf, values_of
from gradcli.tensors.modes import is_grad_enabled
from gradcli.tensors.views import MOVING, ViewPlace, origin_of, place_of, seen_again, show, start_from, watch, watching

# Changes in place of a tensor whose values are not known.
_MANY = 16
# Families of operations that give a value for any values, but where a row says so; elementwise ones do for floats.
_SAFE = frozenset({"leaf", "shape", "index", "diagonal", "create", "reduction", "activation", "contraction"})


def change(tensor: Any, new: Node, operands: tuple[Node, ...]) -> None:
    """Let a tensor, and all that show elements of it, take over the values of `new`, which is made of `operands`;
    graphs built earlier keep the old ones."""
    _check_form(tensor.node, new)
    _compute_risky(new, operands)
    with MOVING:
        _change(tensor, new, operands)


def _change(tensor: Any, new: Node, operands: tuple[Node, ...]) -> None:
    place = place_of(tensor.node)
    origin, tracking = place.origin, is_grad_enabled()
    sharing = [t for t in (origin.shown_by(), *watching(origin)) if t is not None]
    is_leaf = origin.op is INPUT and origin.requires_grad
    refuse_leaf(tensor, place)
    is_tracked = origin.requires_grad and any(t.requires_grad and origin_of(t.node) is origin for t in sharing)
    if is_tracked and tracking and place.is_detached and not is_leaf:
        raise GradcliError(
            "the data of a tracked result cannot be changed in place: gradients through it would be wrong",
            hint="compute a new tensor, or use x.detach().clone()",
        )
    node = _own(cast(new, tensor.dtype), tensor.node)
    if node.requires_grad and not tracking:
        node = OPS["detach"](node)
    if all(t is tensor for t in sharing) and origin is not tensor.node:
        show(tensor, _with_values(tensor.node, node) if tensor.requires_grad and not tracking else node)
        return
    # What is detached takes a gradient with it, those that it shares its elements with do not.
    leaves = place.is_detached and node.requires_grad
    values = OPS["detach"](node) if leaves else node
    whole = values if origin is tensor.node else _whole(place, values, operands if values.requires_grad else ())
    if origin.requires_grad and (is_leaf or (is_tracked and not tracking)):
        whole = _with_values(origin, whole)
    _spread(origin, whole)
    if leaves:
        _track(tensor, node, operands, sharing)


def _compute_risky(new: Node, operands: tuple[Node, ...]) -> None:
    """Compute the values of a change that may be refused, as those of a singular matrix are: nothing is changed then.

    Others wait until they are needed. What the tensor was before the change is not asked for, nor what is tracked.
    """
    before = {operands[0], *(node for node in operands if node.requires_grad)}

    def is_there(node: Node) -> bool:
        return node.value is not None or node in before

    if any(map(_is_risky, toposort([new], stop=is_there))):
        # Rows of each() have no values.
        leaves = (node for node in toposort([new], stop=is_known) if node.op is INPUT)
        if all(map(is_known, leaves)):
            keep(new, values_of([new])[0])


def _is_risky(node: Node) -> bool:
    op = node.op
    if node.value is not None or op.kernel is None or isinstance(op.kernel, np.ufunc):
        return False
    return op.refuses or not (op.family in _SAFE or (op.family == "elementwise" and node.is_floating))


def refuse_leaf(tensor: Any, place: ViewPlace) -> None:
    """Refuse a change of a leaf, or of a view of one, whose gradient it would be lost to."""
    is_leaf = place.origin.op is INPUT and place.origin.requires_grad
    if is_leaf and is_grad_enabled() and not place.is_detached:
        what = "a leaf" if tensor.is_leaf else "a view of a leaf"
        raise GradcliError(
            f"{what} that requires grad cannot be changed in place while operations are tracked",
            hint="update it within `with gc.no_grad():`",
        )


def _track(tensor: Any, node: Node, operands: tuple[Node, ...], sharing: list[Any]) -> None:
    """Let a detached tensor, and what is a view of it, take over a gradient with its values."""
    place = place_of(tensor.node)
    top = place.detached
    first = next((t for t in sharing if (rest := place_of(t.node).beyond(top)) is not None and not rest.path), None)
    if first is None:
        first, top = tensor, place
    parts = [(t, rest) for t in sharing if t is not first and (rest := place_of(t.node).beyond(top)) is not None]
    if first is not tensor:
        node = _whole(ViewPlace(first.node, place.path[len(top.path) :]), node, operands)
    show(first, node)
    lean_on(first, top)
    for view, rest in parts:
        show(view, seen_again(rest, node))


def _check_form(old: Node, new: Node) -> None:
    if new.shape != old.shape:
        raise GradcliError(f"a tensor of shape {old.shape} cannot take values of shape {new.shape} in place")
    if CATEGORY[new.dtype.kind] > CATEGORY[old.dtype.kind]:
        hint = "write it out, as in x = x / 2, or convert it first, as in x.float()"
        raise GradcliError(f"a tensor of {old.dtype} cannot take values of {new.dtype} in place", hint=hint)


def _own(node: Node, old: Node) -> Node:
    """A node that shows elements of no other tensor, in the layout of the old one: what is copied does not change with
    the copy."""
    if place_of(node).origin is node and node.shown_by() is None and node.strides == old.strides:
        return node
    own = make(OPS["_apart"], (node,))
    own.strides = old.strides
    return own


def _whole(place: ViewPlace, new: Node, operands: tuple[Node, ...]) -> Node:
    """All elements, with new ones in the place of a view."""
    # Rows are imported by those who need them.
    from gradcli.ops.one_step import one_step

    return _own(one_step("CopySlices", place.replaced(new), place.origin, *operands[1:]), place.origin)


def _with_values(node: Node, values: Node) -> Node:
    """A tracked node with other values: a leaf, or a result whose gradient is what it was."""
    if node.op is INPUT:
        return leaf_in_place_of(node, values_of([values])[0], requires_grad=True)
    return make(OPS["_overwritten"], (OPS["detach"](values), node))


def _spread(origin: Node, new: Node, apart: Any = None) -> None:
    """Let all tensors that show elements of `origin` show those of `new`; of `apart` that has been seen to."""
    owner, watchers = origin.shown_by(), watching(origin)
    views = [(tensor, place) for tensor in watchers if (place := place_of(tensor.node)).origin is origin]
    above, moved = None if owner is None else owner.above, dict[Node, Node]()
    if owner is not None:
        show(owner, new)
    for tensor, place in views:
        if tensor is not owner:
            show(tensor, seen_again(place, new, moved))
    for tensor in watchers:
        if tensor.above is not None and tensor.above.origin is origin:
            place = tensor.above.moved_to(new)
            if tensor is not apart:
                _spread(tensor.node, _with_values(tensor.node, place.of(new)), apart=tensor)
            lean_on(tensor, place)
    if above is not None and owner is not apart:
        lean_on(owner, above)
        whole = above.replaced(OPS["detach"](new))
        _spread(above.origin, _with_values(above.origin, whole) if above.origin.requires_grad else whole, apart=owner)


def lean_on(tensor: Any, place: ViewPlace) -> None:
    """Let a tensor that is no view share the elements of another place."""
    tensor.above = place
    watch(place.origin, tensor)


def follow(old: Node, new: Node) -> None:
    """Let the views of a leaf be views of the data of another one."""
    _spread(old, OPS["detach"](new) if new.requires_grad else new)


def settle(tensor: Any) -> None:
    """Compute what a tensor shows elements of, if that was changed and is not tracked, and start from its values.

    A loop that reads what it has written would go through all changes again and again.
    """
    origin = origin_of(tensor.node)
    owner = origin.shown_by()
    if owner is None or not owner.changes or origin.requires_grad or origin.op is INPUT:
        return
    compute_values([owner])
    if origin.value is not None:
        start_from(owner, origin, value_leaf(origin))
        owner.changes = 0


def settle_many(tensor: Any, operands: Iterable[Any] = ()) -> None:
    """The same for what has been changed many times: others may read it in each of them, as a momentum is read.

    The operands of the change may have been made of what it was, as in x[x > 0] *= 2: their values are enough, too.
    """
    owner = origin_of(tensor.node).shown_by()
    if owner is not None and owner.changes > _MANY:
        # What goes wrong goes wrong again for whoever needs the values.
        with suppress(GradcliError):
            settle(owner)
            for operand in operands:
                node = operand.node if isinstance(operand, Elements) else None
                if node is not None and node.inputs and not node.requires_grad and origin_of(node) is node:
                    compute_values([operand])
                    if node.value is not None:
                        start_from(operand, node, value_leaf(node))
        owner.changes = 0
