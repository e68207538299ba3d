"""Which results of operations with several nobody looks at: those that can leave one out are told so."""

from __future__ import annotations

from collections.abc import Iterable

from gradcli.graph.node import RESULT, Node


def wanted_results(order: Iterable[Node]) -> dict[Node, tuple[bool, ...]]:
    """For each operation that may leave results out and has some that no node of a graph is: which ones are wanted."""
    found: dict[Node, set[int]] = {}
    for node in order:
        if node.op is RESULT and node.inputs[0].op.skips:
            found.setdefault(node.inputs[0], set()).add(node.params["index"])
    return {
        node: tuple([k in used for k in range(len(node.op.results))])
        for node, used in found.items()
        if len(used) < len(node.op.results)
    }
