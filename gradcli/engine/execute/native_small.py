"""Programs of small operations as native functions, run again and again on memory that is kept."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Container, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from gradcli.engine.execute.closure import Compute, Computing, caller
from gradcli.engine.native.call import loaded, look
from gradcli.engine.native.processor import MachineCode
from gradcli.engine.native.whole import NativePart, WholeRequest, whole_request
from gradcli.engine.plan.program import Program, WholeStep
from gradcli.errors import GradcliError, WorkError
from gradcli.graph.node import Node
from gradcli.ops.kernels.inplace import aligned

# Bytes of a line of the cache, which arrays begin with.
_LINE = 64
# A call takes less time than to give up the interpreter's lock and get it back.
_ONCE = ctypes.PYFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
_MANY = ctypes.PYFUNCTYPE(None, *[ctypes.c_void_p] * 3, *[ctypes.c_int64] * 3)


class _Functions(NamedTuple):
    """The functions of a module, and what keeps them in memory."""

    once: Callable[[int, int], None]
    many: Callable[[int, int, int, int, int, int], None]
    code: MachineCode


@lru_cache(maxsize=512)
def _functions(text: str) -> _Functions:
    code, _ = loaded(text)
    return _Functions(_ONCE(code.address("k")), _MANY(code.address("many")), code)


class _Call(NamedTuple):
    """A native part: its functions, the table that they read, and what holds that."""

    functions: _Functions
    table: int
    part: NativePart
    held: Any


class _Memory(NamedTuple):
    """Memory for one run at a time: where it is, the arrays in it by number, inputs to fill with leaves, and results
    to copy, each with its number and shape, and None where it is none of this memory."""

    data: Any
    address: int
    views: dict[int, Any]
    inputs: list[tuple[int, Any]]
    results: list[tuple[Any, int, tuple[int, ...]]]


class _Layout:
    """Where the arrays of a request lie in memory, and what is called in turn."""

    def __init__(self, program: Program, request: WholeRequest, fixed: Mapping[int, Any]) -> None:
        self.program, self.nodes, self.source = program, request.nodes, request.source
        #: The first byte of each array, by number, and how many there are in all.
        self.starts: dict[int, int] = {}
        self.bytes = _LINE
        self.made: set[int] = set()
        self.calls: list[_Call | tuple[WholeStep, Callable[..., Any]]] = []
        #: What is the same at every run.
        self.fixed = dict(fixed)
        for part in request.parts:
            if isinstance(part, WholeStep):
                if part.inputs or part.node.op.draws:
                    self.calls.append((part, caller(part)))
                else:
                    self.fixed[part.out] = caller(part)()
            elif part.group is not None:
                self._place(part)
                self.calls.append(self._call(part))

    def _place(self, part: NativePart) -> None:
        assert part.group is not None and part.function is not None
        self.made.update(part.group.outs)
        for slot in part.function.arrays:
            if slot not in self.starts:
                self.starts[slot] = self.bytes
                size = part.group.width(slot) * part.group.dtype(slot).itemsize + part.function.padding
                self.bytes += -(-size // _LINE) * _LINE

    def _call(self, part: NativePart) -> _Call:
        assert part.function is not None
        starts = [self.starts[slot] for slot in part.function.arrays]
        table = np.array([*starts, *part.function.numbers], np.int64)
        return _Call(_functions(part.text), table.ctypes.data, part, table)

    def memory(self) -> _Memory:
        """Memory of its own; what is fixed is there already."""
        program, data = self.program, aligned(self.bytes)
        data[:] = 0
        starts = ((number, self.nodes[number], start) for number, start in self.starts.items())
        views = {number: np.ndarray(node.shape, node.dtype, data, start) for number, node, start in starts}
        for k in views.keys() & self.fixed.keys():
            views[k][...] = self.fixed[k]
        inputs = [(k, view) for k, view in views.items() if k < len(program.leaves) and k not in self.fixed]
        results = []
        for root, shape in zip(program.roots, program.shapes, strict=True):
            number = self.source.get(root, root)
            results.append((views[number].reshape(shape) if number in self.made else None, number, shape))
        return _Memory(data, data.ctypes.data, views, inputs, results)


def natively(program: Program, fixed: Mapping[int, Any]) -> Computing | None:
    """What computes the arrays of the roots from those of the leaves, or None where NumPy computes it all.

    `fixed` has those of leaves, by number, that are the same at every run.
    """
    request = whole_request(program)
    if request is None:
        return None
    layout = _Layout(program, request, fixed)
    first = layout.calls[0]
    plain = all(request.source.get(root, root) in layout.made for root in program.roots)
    if plain and len(layout.calls) == 1 and isinstance(first, _Call) and not first.part.checks:
        return _alone(layout, first)
    return Computing(_in_turn(layout))


def _alone(layout: _Layout, call: _Call) -> Computing:
    """What runs a single function that makes all results."""
    free: list[_Memory] = []
    function, table = call.functions.once, call.table

    def compute(leaves: Sequence[Any]) -> list[Any]:
        # Each run takes memory of its own: there may be several at once.
        memory = free.pop() if free else layout.memory()
        for k, view in memory.inputs:
            view[...] = leaves[k]
        function(memory.address, table)
        results = [array.copy() for array, _, _ in memory.results]
        free.append(memory)
        return results

    def many(leaves: Sequence[Any], count: int) -> list[Any]:
        memory = free.pop() if free else layout.memory()
        inputs = [(view, np.ascontiguousarray(leaves[k], view.dtype)) for k, view in memory.inputs]
        outs = [(view, np.empty((count, *shape), view.dtype)) for view, _, shape in memory.results]
        # Of each array, where it is, and of each piece how long it is, and where it belongs in memory.
        moves = [(a.ctypes.data, v.nbytes, v.ctypes.data - memory.address) for v, a in (*inputs, *outs)]
        table_of_moves = np.array(moves, np.int64)
        sizes = len(inputs), len(outs), count
        call.functions.many(memory.address, table, table_of_moves.ctypes.data, *sizes)
        free.append(memory)
        return [array for _, array in outs]

    return Computing(compute, many)


def _in_turn(layout: _Layout) -> Compute:
    """What runs functions and operations of NumPy."""
    free: list[_Memory] = []
    source, nodes = layout.source, layout.nodes

    def compute(leaves: Sequence[Any]) -> list[Any]:
        memory = free.pop() if free else layout.memory()
        for k, view in memory.inputs:
            view[...] = leaves[k]
        arrays: dict[int, Any] = {**dict(enumerate(leaves)), **layout.fixed}

        def array(number: int) -> Any:
            found = arrays[source.get(number, number)]
            return found if number not in source else found.reshape(nodes[number].shape)

        for call in layout.calls:
            if isinstance(call, _Call):
                call.functions.once(memory.address, call.table)
                assert call.part.group is not None
                arrays.update((slot, memory.views[slot]) for slot in call.part.group.outs)
                for check in call.part.checks:
                    look(check, array(check.slot), [covered.node for covered in call.part.covers])
                continue
            step, function = call
            made = arrays[step.out] = _called(step.node, function, [array(k) for k in step.inputs])
            if step.out in memory.views:
                memory.views[step.out][...] = made
        results = _results(memory, arrays, layout.fixed)
        free.append(memory)
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


def _results(memory: _Memory, arrays: dict[int, Any], fixed: Container[int]) -> list[Any]:
    found = []
    for array, number, shape in memory.results:
        result = arrays[number] if array is None else array
        if array is not None or number in fixed or np.may_share_memory(result, memory.data):
            # It will be used again.
            result = result.copy()
        found.append(result if result.shape == shape else result.reshape(shape))
    return found
