"""What is there from the start: leaves, and the views of them that cost nothing, be they arrays or files."""

from __future__ import annotations

from collections.abc import Iterable

from gradcli.graph.native_forms import NativeView
from gradcli.graph.node import CONSTANT, INPUT, Node
from gradcli.ops.shape import permute


def views_of_leaves(order: Iterable[Node]) -> list[Node]:
    """The nodes that are another look at what is there from the start."""
    found: dict[Node, None] = {}
    for node in order:
        if node.op.blocking.view and not node.op.repeats:
            shown = node.inputs[0]
            if (shown.op is INPUT or shown.op is CONSTANT or shown in found) and _is_free(node):
                found[node] = None
    return list(found)


def _is_free(view: Node) -> bool:
    """Whether a view costs nothing: a reshape may be a copy."""
    op = view.op
    if op.reshapes:
        return is_packed(view.inputs[0])
    # What is read in another order, as `permute` alone does, is better read in blocks.
    return op.same or (isinstance(op.native, NativeView) and op is not permute)


def leaf_of(node: Node) -> Node:
    """The leaf that such a view shows, or the leaf itself."""
    while node.inputs:
        node = node.inputs[0]
    return node


def is_packed(node: Node) -> bool:
    """Whether the elements of a leaf, or of such a view, lie one after the other in row-major order."""
    while node.inputs:
        if isinstance(node.op.native, NativeView) and not _is_stretch(node):
            return False
        node = node.inputs[0]
    data = node.params.get("data", node.params.get("value"))
    flags = getattr(data, "flags", None)
    return bool(node.params.get("packed", True) and (flags is None or flags.c_contiguous))


def _is_stretch(view: Node) -> bool:
    """Whether what is shown are neighbours: all of each dimension behind one of which several places are shown."""
    dims, places = view.op.native.rule(view)
    if [d for d, _, _ in dims] != sorted(d for d, _, _ in dims):
        return False
    shown = {d: (n, step) for (d, _, step), n in zip(dims, view.shape, strict=True)} | {d: (1, 1) for d, _ in places}
    several = False
    for d, length in enumerate(view.inputs[0].shape):
        n, step = shown[d]
        if (several and n != length) or (n > 1 and step != 1):
            return False
        several = several or n > 1
    return True
