"""Programs of small operations as native functions, run again and again on memory that is kept."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

import numpy as np

from gradcli.engine.execute.closure import Compute, Computing
from gradcli.engine.execute.native_memory import ArrayLayout, KeptMemory, MemoryStore, NativeCall
from gradcli.engine.native.call import look
from gradcli.engine.native.whole import whole_request
from gradcli.engine.plan.program import Program
from gradcli.errors import GradcliError, WorkError
from gradcli.graph.node import Node


def natively(program: Program, fixed: Mapping[int, Any]) -> Computing | None:
    """What computes the arrays of the roots from those of the leaves, or None where NumPy computes it all.

    `fixed` has those of leaves, by number, that are the same at every run.
    """
    request = whole_request(program)
    if request is None:
        return None
    layout = ArrayLayout(program, request, fixed)
    first = layout.calls[0]
    plain = all(request.source.get(root, root) in layout.made for root in program.roots)
    alone = plain and len(layout.calls) == 1 and not layout.large
    if alone and isinstance(first, NativeCall) and not first.part.checks:
        return _alone(layout, first)
    return Computing(_in_turn(layout))


def _alone(layout: ArrayLayout, call: NativeCall) -> Computing:
    """What runs a single function that makes all results."""
    store = MemoryStore(layout)
    function, table = call.functions.once, call.table.ctypes.data

    def compute(leaves: Sequence[Any]) -> list[Any]:
        memory = store.take()
        for k, view in memory.inputs:
            view[...] = leaves[k]
        function(memory.address, table)
        results = [array.copy() for array, _, _ in memory.results]
        store.give_back(memory)
        return results

    def many(leaves: Sequence[Any], count: int) -> list[Any]:
        memory = store.take()
        inputs = [(view, np.ascontiguousarray(leaves[k], view.dtype)) for k, view in memory.inputs]
        outs = [(view, np.empty((count, *shape), view.dtype)) for view, _, shape in memory.results]
        # Of each array, where it is, and of each piece how long it is, and where it belongs in memory.
        moves = [(a.ctypes.data, v.nbytes, v.ctypes.data - memory.address) for v, a in (*inputs, *outs)]
        table_of_moves = np.array(moves, np.int64)
        sizes = len(inputs), len(outs), count
        call.functions.many(memory.address, table, table_of_moves.ctypes.data, *sizes)
        store.give_back(memory)
        return [array for _, array in outs]

    return Computing(compute, many)


def _in_turn(layout: ArrayLayout) -> Compute:
    """What runs functions and operations of NumPy."""
    store = MemoryStore(layout)
    source, nodes = layout.source, layout.nodes

    def compute(leaves: Sequence[Any]) -> list[Any]:
        memory = store.take()
        for k, view in memory.inputs:
            memory.show(k, view, leaves[k])
        # Those that functions write are there before they do.
        arrays = {**memory.views, **dict(enumerate(leaves)), **layout.fixed, **dict(memory.fresh())}

        def array(number: int) -> Any:
            found = arrays[source.get(number, number)]
            return found if number not in source else found.reshape(nodes[number].shape)

        for call in layout.calls:
            if isinstance(call, NativeCall):
                call.functions.once(memory.address, memory.tables[call.number])
                for check in call.part.checks:
                    look(check, array(check.slot), [covered.node for covered in call.part.covers])
                continue
            step, function = call
            made = arrays[step.out] = _called(step.node, function, [array(k) for k in step.inputs])
            if step.out in memory.views:
                memory.show(step.out, memory.views[step.out], made)
        results = _results(memory, arrays, layout.fixed)
        store.give_back(memory)
        return results

    return compute


def _called(node: Node, function: Callable[..., Any], inputs: list[Any]) -> Any:
    try:
        return function(*inputs)
    except GradcliError as error:
        if error.span is None:
            error.span = node.span
        raise
    except MemoryError:
        raise WorkError("not enough memory for this", span=node.span) from None


def _results(memory: KeptMemory, arrays: dict[int, Any], fixed: Container[int]) -> list[Any]:
    found = []
    for array, number, shape in memory.results:
        result = arrays[number] if array is None else array
        if array is not None or number in fixed or np.may_share_memory(result, memory.data):
            # It will be used again.
            result = result.copy()
        found.append(result if result.shape == shape else result.reshape(shape))
    return found
