"""What an objective computes of its data alone is computed once, not at every step."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gradcli.engine.plan.planner import substitute
from gradcli.engine.plan.program import DEFAULT_SIZES
from gradcli.evaluation.compiled import Compiled
from gradcli.evaluation.request import Request, leaf_of
from gradcli.evaluation.values import InputSpec
from gradcli.graph.node import INPUT, Node, toposort


def computed_once(request: Request, roots: Sequence[Node], held: Mapping[str, Any]) -> tuple[Request, list[Node]]:
    """The same roots over further leaves, which the request given back has the data of; `held` are inputs by name.

    Large tensors are left as they are: to compute them again takes no longer than to read them, and less memory.
    """
    found = _found(roots, {request.leaves[name] for name in held})
    if not found:
        return request, list(roots)
    compiled = Compiled(request, request.files(held), roots=found)
    compiled.hold(held)
    leaves = {}
    given = dict(request.given)
    for node, array in zip(found, compiled.run({}), strict=True):
        leaves[node] = leaf_of(InputSpec.of("", array), False)
        given[leaves[node]] = array
    return replace(request, given=given), substitute(roots, leaves)


def _found(roots: Sequence[Node], held: Container[Node]) -> list[Node]:
    """The nodes to compute: small ones of data that is held, as far up as they go."""
    order = toposort(roots)
    constant, of_data, able = set[Node](), set[Node](), set[Node]()
    for node in order:
        if not node.inputs:
            if node in held or node.op is not INPUT:
                constant.add(node)
            if node in held:
                of_data.add(node)
            continue
        if constant.issuperset(node.inputs):
            constant.add(node)
            if not of_data.isdisjoint(node.inputs):
                of_data.add(node)
                if node.size <= DEFAULT_SIZES.small and not node.op.blocking.view and not node.op.results:
                    able.add(node)
    used = set(roots).union(*(node.inputs for node in order if node not in able))
    return [node for node in order if node in able and node in used]
