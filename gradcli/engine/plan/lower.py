"""Operations written with simpler ones, where these can be cut into blocks and share work with others."""

from __future__ import annotations

from collections.abc import Sequence

from gradcli.engine.simplify import simplify
from gradcli.graph.node import Node, toposort, with_inputs


def lower(roots: Sequence[Node], small: int) -> list[Node] | None:
    """The roots with large operations written in simpler ones, which can be cut and share work; None without any."""
    replaced: dict[Node, Node] = {}
    for node in toposort(roots):
        rule = node.op.blocking.lower
        if rule is not None and max((i.size for i in node.inputs), default=0) > small:
            new = rule(node)
            if new is not None:
                operands = set(node.inputs)
                for step in toposort([new], stop=operands.__contains__):
                    # An error in it is one of the operation that was written.
                    if step not in operands and step.span is None:
                        step.span = node.span
                replaced[node] = new
    return simplify(substitute(roots, replaced)) if replaced else None


def substitute(roots: Sequence[Node], replaced: dict[Node, Node]) -> list[Node]:
    """The graphs of `roots` with some nodes replaced."""
    done: dict[Node, Node] = {}
    for node in toposort(roots):
        if node in replaced:
            # Its own operands may have been replaced as well.
            new = replaced.pop(node)
            done[node] = substitute([new], {k: done[k] for k in node.inputs if done.get(k, k) is not k})[0]
        elif all(done.get(i, i) is i for i in node.inputs):
            done[node] = node
        else:
            done[node] = with_inputs(node, tuple(done.get(i, i) for i in node.inputs))
    return [done[root] for root in roots]
