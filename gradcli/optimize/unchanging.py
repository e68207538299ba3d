"""The data of an objective: what is made of it alone is computed once, not at every step."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradcli.engine.plan.leaf_views import views_of_leaves
from gradcli.engine.plan.planner import substitute
from gradcli.engine.plan.program import DEFAULT_SIZES
from gradcli.evaluation.compiled import Compiled
from gradcli.evaluation.request import Request, leaf_of
from gradcli.evaluation.values import InputSpec
from gradcli.graph.node import INPUT, Node, toposort
from gradcli.machine.limits import MEMORY_LIMIT

# So many bytes of results are kept at most, and no more than this part of the memory that may be used.
_MOST, _SHARE = 1 << 26, 8


def computed_once(request: Request, roots: Sequence[Node], held: dict[str, Any]) -> tuple[Request, list[Node]]:
    """The same roots over further leaves, which the request given back has the data of; `held` are inputs by name.

    Large tensors are left as they are: to compute them again takes no longer than to read them, and less memory.
    """
    limit = MEMORY_LIMIT.get()
    left = _MOST if limit is None else min(_MOST, limit // _SHARE)
    found = []
    for node in _found(roots, {request.leaves[name] for name in held}):
        if node.nbytes <= left:
            found.append(node)
            left -= node.nbytes
    if not found:
        return request, list(roots)
    compiled = Compiled(request, request.files(held), roots=found)
    hold(compiled, held)
    leaves = {}
    given = dict(request.given)
    for node, array in zip(found, compiled.run({}), strict=True):
        leaves[node] = leaf_of(InputSpec.of("", array), False)
        given[leaves[node]] = array
    return replace(request, given=given), substitute(roots, leaves)


def hold(compiled: Compiled, held: dict[str, Any]) -> None:
    """Use this data at every run; what is needed whole is read from its file now, and takes the place of that."""
    needed = compiled.program.needed_whole()
    whole = {leaf for k, leaf in enumerate(compiled.program.leaves) if k in needed}
    for name, array in held.items():
        if compiled.request.leaves[name] in whole and not isinstance(array, np.ndarray):
            held[name] = array.load()
    compiled.hold(held)


def _found(roots: Sequence[Node], held: Container[Node]) -> list[Node]:
    """The nodes to compute: small ones of data that is held, as far up as they go, and parts of that, which may lie in
    files or apart in memory."""
    order = toposort(roots)
    parts = set(views_of_leaves(order))
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
                small = node.size <= DEFAULT_SIZES.small and not node.op.blocking.view and not node.op.results
                if small or node in parts:
                    able.add(node)
    used = set(roots).union(*(node.inputs for node in order if node not in able))
    return [node for node in order if node in able and node in used]
