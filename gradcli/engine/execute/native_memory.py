"""Where the arrays of a small request lie that native functions compute: in memory that is kept, or where they are."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from gradcli.engine.execute.closure import caller
from gradcli.engine.native.call import loaded
from gradcli.engine.native.choice import MOST_KEPT
from gradcli.engine.native.processor import MachineCode
from gradcli.engine.native.whole import NativePart, WholeRequest
from gradcli.engine.plan.program import Program, WholeStep, work_of
from gradcli.machine.limits import MEMORY_LIMIT

# Bytes of a line of the cache, which arrays begin with.
_LINE = 64
# Arrays of fewer bytes are sooner copied than looked up.
_LARGE = 1 << 16
# Bytes of a page of the machine's memory, all of which is there or nothing: functions read beyond the end of an array,
# which changes nothing.
_PAGE = 4096
# Memory of fewer bytes is kept by each request that was ever run; of larger ones there would soon be gigabytes.
_LITTLE = 1 << 18

_ONCE: list[Any] = [None, ctypes.c_void_p, ctypes.c_void_p]
_MANY: list[Any] = [None, *[ctypes.c_void_p] * 3, *[ctypes.c_int64] * 3]
# A short call takes less time than to give up the interpreter's lock and get it back: one with arrays of fewer bytes,
# and with less to compute, in elements of the cheapest operations. Pairs of little may be much.
_SHORT, _QUICK = 1 << 16, 1 << 17


class _Functions(NamedTuple):
    """The functions of a module, and what keeps them in memory."""

    once: Callable[[int, int], None]
    many: Callable[[int, int, int, int, int, int], None]
    code: MachineCode


@lru_cache(maxsize=512)
def _functions(text: str, short: bool) -> _Functions:
    code, _ = loaded(text)
    once = ctypes.PYFUNCTYPE(*_ONCE) if short else ctypes.CFUNCTYPE(*_ONCE)
    return _Functions(once(code.address("k")), ctypes.CFUNCTYPE(*_MANY)(code.address("many")), code)


class NativeCall(NamedTuple):
    """A native part: its functions, the table that they read, and its number among such parts."""

    functions: _Functions
    table: Any
    number: int
    part: NativePart


class ArrayLayout:
    """Where the arrays of a request lie in memory, and what is called in turn.

    `large` are arrays that are read or written where they are, with the places in tables that say where: the number of
    the table, and that in it. Of these `apart` are results.
    """

    def __init__(self, program: Program, request: WholeRequest, fixed: Mapping[int, Any]) -> None:
        self.program, self.nodes, self.source = program, request.nodes, request.source
        #: The first byte of each array, by number, and how many there are in all.
        self.starts: dict[int, int] = {}
        self.bytes = _LINE
        #: Bytes beyond the end of an array that functions read, and write, at most.
        self.padding = 0
        self.made: set[int] = set()
        self.large: dict[int, list[tuple[int, int]]] = {}
        self.apart: set[int] = set()
        self.calls: list[NativeCall | tuple[WholeStep, Callable[..., Any]]] = []
        #: What is the same at every run.
        self.fixed = dict(fixed)
        given = set(range(program.given)) - self.fixed.keys()
        wanted = {self.source.get(root, root) for root in program.roots}
        natives = 0
        for part in request.parts:
            if isinstance(part, WholeStep):
                if part.inputs or part.node.op.draws:
                    self.calls.append((part, caller(part, part.out in program.parts)))
                    given.add(part.out)
                else:
                    self.fixed[part.out] = caller(part, False)()
            elif part.group is not None:
                assert part.function is not None
                self.padding = max(self.padding, part.function.padding)
                self.made.update(part.group.outs)
                self._place(part, natives, given, wanted.intersection(part.group.outs))
                self.calls.append(self._call(part, natives))
                natives += 1

    def _place(self, part: NativePart, number: int, given: set[int], results: set[int]) -> None:
        assert part.group is not None and part.function is not None
        for index, slot in enumerate(part.function.arrays):
            size = part.group.width(slot) * part.group.dtype(slot).itemsize
            if slot in self.large or (size >= _LARGE and slot in given | results):
                self.large.setdefault(slot, []).append((number, index))
                if slot in results:
                    self.apart.add(slot)
            if slot not in self.starts and slot not in self.apart:
                self.starts[slot] = self.bytes
                self.bytes += -(-(size + part.function.padding) // _LINE) * _LINE

    def _call(self, part: NativePart, number: int) -> NativeCall:
        assert part.function is not None
        starts = [self.starts.get(slot, 0) for slot in part.function.arrays]
        table = np.array([*starts, *part.function.numbers], np.int64)
        short = part.function.bytes < _SHORT and sum(work_of(step.node) for step in part.covers) < _QUICK
        return NativeCall(_functions(part.text, short), table, number, part)


class KeptMemory:
    """Memory of a layout for one run at a time: what functions read and write, and the tables that say where it is.

    `inputs` are arrays in it by number, to be filled with leaves; `results` are arrays to copy, each with its number
    and shape, and None where it is none of this memory.
    """

    def __init__(self, layout: ArrayLayout) -> None:
        self.layout, self.data = layout, _zeros(layout.bytes)
        self.address: int = self.data.ctypes.data
        self._tables = [call.table.copy() for call in layout.calls if isinstance(call, NativeCall)]
        self.tables: list[int] = [table.ctypes.data for table in self._tables]
        starts = ((number, layout.nodes[number], start) for number, start in layout.starts.items())
        self.views: dict[int, Any] = {n: np.ndarray(node.shape, node.dtype, self.data, at) for n, node, at in starts}
        for k in self.views.keys() & layout.fixed.keys():
            self.views[k][...] = layout.fixed[k]
        given = layout.program.given
        self.inputs = [(k, view) for k, view in self.views.items() if k < given and k not in layout.fixed]
        self.results: list[tuple[Any, int, tuple[int, ...]]] = []
        for root, shape in zip(layout.program.roots, layout.program.shapes, strict=True):
            number = layout.source.get(root, root)
            view = self.views[number].reshape(shape) if number in layout.made - layout.apart else None
            self.results.append((view, number, shape))

    def show(self, number: int, view: Any, array: Any) -> None:
        """Let functions read an array: where it is, if it is large and that is possible, or else a copy of it."""
        if number not in self.layout.large:
            view[...] = array
        elif _is_readable(array, view, self.layout.padding):
            self._point(number, array.ctypes.data - self.address)
        else:
            view[...] = array
            self._point(number, self.layout.starts[number])

    def fresh(self) -> Iterator[tuple[int, Any]]:
        """New arrays for large results, by number, which functions will write."""
        for number in self.layout.apart:
            node = self.layout.nodes[number]
            array = np.empty(node.size + self.layout.padding // node.dtype.itemsize, node.dtype)
            self._point(number, array.ctypes.data - self.address)
            yield number, array[: node.size].reshape(node.shape)

    def _point(self, number: int, place: int) -> None:
        for table, index in self.layout.large[number]:
            self._tables[table][index] = place


class _Latest(threading.local):
    """Memory of the large requests that a thread did last, in order: `MOST_KEPT` bytes in all, or one's alone."""

    def __init__(self) -> None:
        self.kept: dict[ArrayLayout, KeptMemory] = {}

    def take(self, layout: ArrayLayout) -> KeptMemory | None:
        return self.kept.pop(layout, None)

    def keep(self, memory: KeptMemory) -> None:
        kept = self.kept
        kept[memory.layout] = memory
        # What others keep is counted by none that asks whether a limit leaves room for it.
        most = MOST_KEPT if MEMORY_LIMIT.get() is None else 0
        while len(kept) > 1 and sum(layout.bytes for layout in kept) > most:
            del kept[next(iter(kept))]


_LATEST = _Latest()


class MemoryStore:
    """The memory of a layout that nobody uses just now."""

    def __init__(self, layout: ArrayLayout) -> None:
        self._layout = layout
        self._free: list[KeptMemory] = []

    def take(self) -> KeptMemory:
        """Memory that nobody else uses until it is given back: there may be several runs at once."""
        if self._layout.bytes > _LITTLE:
            return _LATEST.take(self._layout) or KeptMemory(self._layout)
        try:
            # Another thread may take the last one that is free just now.
            return self._free.pop()
        except IndexError:
            return KeptMemory(self._layout)

    def give_back(self, memory: KeptMemory) -> None:
        """Keep memory for the next run, of this thread if it is large."""
        if self._layout.bytes > _LITTLE:
            _LATEST.keep(memory)
        else:
            self._free.append(memory)


def _zeros(size: int) -> Any:
    """Zeros that begin with a line of the cache; pages that nobody looks at are never made."""
    memory = np.zeros(size + _LINE, np.uint8)
    start = -memory.ctypes.data % _LINE
    return memory[start : start + size]


def _is_readable(array: Any, like: Any, beyond: int) -> bool:
    """Whether functions can read an array where it is, and so many bytes beyond its end."""
    if not isinstance(array, np.ndarray) or array.dtype != like.dtype or array.shape != like.shape:
        return False
    flags = array.flags
    if not (flags.c_contiguous and flags.aligned):
        return False
    last: int = array.ctypes.data + array.nbytes - 1
    return last % _PAGE + beyond < _PAGE
