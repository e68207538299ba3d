"""Memory for what passes write: aligned, that of arrays which nobody needs any more, or among zeros."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.engine.plan.program import Program, Surroundings
from gradcli.errors import WorkError
from gradcli.graph.native_forms import NativeParts
from gradcli.graph.node import Node
from gradcli.machine.limits import MEMORY_LIMIT, show_bytes
from gradcli.ops.kernels.inplace import aligned

# Bytes of an array that is not left to the C library, which keeps the memory of smaller ones by itself; of a few
# larger ones it gives what it has back to the system each time, and the system clears it anew.
_LARGE = 1 << 20
#: Bytes of a line of the cache: native code writes whole ones.
_LINE = 64


def new_array(program: Program, number: int, values: list[Any]) -> Any:
    """Memory for an array that a pass fills, or that of a result which is written over it later."""
    lender = program.borrowed.get(number)
    if lender is not None:
        if values[lender] is None:
            values[lender] = new_array(program, lender, values)
        return values[lender]
    node, around = program.values[number], program.surrounded.get(number)
    try:
        if around is not None:
            return _among_zeros(program, node, around, values)
        return new_memory(node.nbytes).view(node.dtype).reshape(node.shape)
    except MemoryError:
        raise no_memory(node) from None


def _among_zeros(program: Program, node: Node, around: Surroundings, values: list[Any]) -> Any:
    """Memory for an array, with zeros around it; the values that show some of these are there from now on."""
    rows, row = node.shape[0], node.nbytes // node.shape[0]
    first, size = around.before, around.size(node)
    memory = new_memory(size + _LINE)
    start = -first * row % _LINE
    whole = memory[start : start + size].view(node.dtype).reshape(-1, *node.shape[1:])
    whole[:first] = 0
    whole[first + rows :] = 0
    for out, before in around.shown.items():
        values[out] = whole[first - before :][: program.values[out].shape[0]]
    return whole[first : first + rows]


def put_together(node: Node) -> Callable[..., Any] | None:
    """A kernel for a large array that has stretches of its operands beside each other, in such memory; None for what is
    no such operation, or small."""
    native = node.op.native
    found = native.spans(node) if isinstance(native, NativeParts) and node.nbytes >= _LARGE else None
    if found is None:
        return None
    dim, spans = found

    def kernel(*inputs: Any, **params: Any) -> Any:
        result = new_memory(node.nbytes).view(node.dtype).reshape(node.shape)
        rows, end = np.moveaxis(result, dim, 0), 0
        for start, stop, number, first in spans:
            rows[end:start] = 0
            rows[start:stop] = np.moveaxis(inputs[number], dim, 0)[first : first + stop - start]
            end = stop
        rows[end:] = 0
        return result

    return kernel


def new_memory(size: int) -> Any:
    """So many bytes; large arrays live where others were that nobody needs any more, unless memory is limited."""
    found = None
    if size >= _LARGE and MEMORY_LIMIT.get() is None:
        from gradcli.machine.kept_memory import lent

        found = lent(size)
    return aligned(size) if found is None else np.asarray(found)


def no_memory(node: Node) -> WorkError:
    """There is not enough for the array of a node."""
    from gradcli.engine.execute.bounds import describe

    return WorkError(f"not enough memory for {describe(node)} ({show_bytes(node.nbytes)})", span=node.span)
