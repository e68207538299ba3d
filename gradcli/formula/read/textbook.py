"""Graphs with derivative rules for people: where a rule guards single points or avoids overflow, the textbook's.

The rules of `gradcli.ops` choose a value where a function has a kink or a pole and never divide by zero. A formula to
read leaves that out, so it may be undefined (nan) at such points: a norm at 0, a product with a zero in it. Where the
derivative exists all the same, as that of a product, there are rules without the quotient: longer, for when the short
formula turns out to break.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gradcli.graph.node import Node, toposort, with_inputs
from gradcli.graph.op import Op
from gradcli.ops.linalg import logarithm_of_determinant


def readable(roots: Sequence[Node], whole: bool = False) -> list[Node]:
    """The graphs with rules for people, with `whole` the longer ones; inputs stay as they are."""
    readable_ops: dict[Op, Op] = {}
    done: dict[Node, Node] = {}
    for node in toposort(roots):
        if not node.inputs:
            done[node] = node
            continue
        inputs = tuple([done[child] for child in node.inputs])
        found = logarithm_of_determinant(node, inputs)
        if found is None:
            op = node.op
            rule = (whole and op.textbook_whole) or op.textbook
            if rule is not None:
                op = readable_ops.setdefault(op, replace(op, vjp=rule))
            found = with_inputs(node, inputs, op)
        done[node] = found
    return [done[root] for root in roots]
