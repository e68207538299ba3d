"""Native steps bound to the arrays of a pass, and called block by block."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from gradcli.engine.native.expressions import LINE, anywhere
from gradcli.engine.native.loop_steps import Check
from gradcli.engine.native.processor import MachineCode, compiler_version, host, object_code
from gradcli.engine.native.states import count_of
from gradcli.engine.native.step import NativeStep
from gradcli.errors import GradcliError
from gradcli.graph.node import Node
from gradcli.machine.own_cache import keep_newest, read_cached, write_cached
from gradcli.ops.kernels.inplace import aligned

try:
    # hashlib loads OpenSSL first, which takes as long as to load the code.
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

_SIGNATURE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p)
_MOST_LOADED = 512
# Files of machine code that are kept, and the largest one, in bytes.
_MOST_KEPT = 2000
_LONGEST = 1 << 24
# Part of their names: raise it when the meaning of what is kept changes.
_FORMAT = 5


@lru_cache(maxsize=_MOST_LOADED)
def loaded(text: str) -> tuple[MachineCode, Callable[[int, int, int], None]]:
    """The function of a module, and what keeps it in memory; machine code is kept from run to run."""
    key = "|".join((str(_FORMAT), *host(), compiler_version(), text)).encode()
    name = f"native-{blake2b(key, digest_size=32).hexdigest()}.o"
    kept = _checked(read_cached(name, _LONGEST), key)
    made = object_code(text) if kept is None else kept
    code = MachineCode(made)
    if kept is None:
        write_cached(name, _digest(key, made) + made)
        keep_newest("native-", _MOST_KEPT)
    return code, _SIGNATURE(code.address("k"))


def _digest(key: bytes, code: bytes) -> bytes:
    return blake2b(key + code, digest_size=32).digest()


def _checked(kept: bytes | None, key: bytes) -> bytes | None:
    """The machine code in what was kept, None where it is not whole or of something else: LLVM would not survive it."""
    if kept is None or kept[:32] != _digest(key, kept[32:]):
        return None
    return kept[32:]


def look(check: Check, array: Any, covered: Sequence[Node]) -> None:
    """Look at what a kernel would look at, among those of these nodes that are computed natively."""
    try:
        check.function(array)
    except GradcliError as error:
        if error.span is None:
            # A step that another one was lowered to has no place in the source of its own.
            error.span = next((node.span for node in (check.node, *covered) if node.span is not None), None)
        raise


def stride_of(step: NativeStep) -> int:
    """Bytes that the states of a block take in a row of such."""
    return -(-step.states.bytes // LINE) * LINE


class Bound:
    """A native step on the arrays of a pass: `place(slot)` gives one, and whether it is cut for each block, or None for
    those that the steps before it make. There is memory for the states of so many `blocks`."""

    def __init__(self, step: NativeStep, place: Callable[[int], tuple[Any, bool] | None], blocks: int = 1) -> None:
        self.step = step
        group, slots = step.group, (*step.inputs, *step.outs)
        # Addresses, and behind them the bytes between leading places.
        self.table = (ctypes.c_int64 * max(1, 2 * len(slots)))()
        #: Of each array that is cut, its place in the table, where it begins, and the bytes of a row.
        self.moving: list[tuple[int, int, int]] = []
        self.made: list[tuple[int, int]] = []
        self.held: list[Any] = []
        aligned_cuts = set()
        for k, slot in enumerate(slots):
            found = place(slot)
            if found is None:
                self.made.append((k, slot))
                continue
            array, moves = found
            start = self._set(k, slot, array)
            self.held.append(array)
            if moves:
                self.moving.append((k, start, group.trail(slot) * array.itemsize))
                if start % LINE == 0:
                    aligned_cuts.add(slot)
        text = step.text if group.past <= aligned_cuts else anywhere(step.text)
        self.code, self.function = loaded(text)
        #: Bytes from the states of a block to those of the next one.
        self.stride = stride_of(step)
        self.blocks = blocks
        self.memory = aligned(self.stride * blocks) if self.stride else None
        self.address = ctypes.addressof(self.table)
        self.state: int = 0 if self.memory is None else self.memory.ctypes.data
        self.marks = None if step.states.marks < 0 else ctypes.c_int64.from_address(self.state + step.states.marks)
        if self.marks is not None:
            self.marks.value = 0
        readers = map(self._reader, range(len(group.sums)))
        #: The sums in their order: the place of another one with the same state, or what reads the state.
        self.sums = [item.like if item.like >= 0 else next(readers) for item in step.sums]

    def _set(self, k: int, slot: int, array: Any) -> int:
        """Write down where an array is."""
        start: int = array.ctypes.data
        self.table[k] = start
        self.table[len(self.table) // 2 + k] = array.nbytes // self.step.group.lead(slot)
        return start

    def _reader(self, number: int) -> Callable[[int, int, int], tuple[Any, ...]]:
        states, item = self.step.states, self.step.group.sums[number]
        size, node = (self.blocks, states.sizes[number]), item.step.node
        steps = [(self.stride, states.step(number, k)) for k in range(len(states.parts[number]))]
        places = [states.place(number, k, 0) for k in range(len(steps))]
        memory = zip(states.parts[number], [self.memory] * len(steps), places, steps, strict=True)
        views = [np.ndarray(size, *where).reshape((self.blocks, *node.shape)) for where in memory]
        count = count_of(item)
        assert item.lanes is not None
        partial = item.lanes.partial

        def read(begin: int, rows: int, block: int) -> tuple[Any, ...]:
            return partial([view[block, ...].copy() for view in views], rows * count, node, begin)

        return read

    def move(self, begin: int) -> None:
        """Write down where the rows from here on are, of what is cut."""
        for k, start, size in self.moving:
            self.table[k] = start + begin * size

    def partials(self, begin: int, rows: int, before: list[Any], block: int = 0) -> list[Any]:
        """The partial results of the sums of a block, by its states; `before` are those of the steps before."""
        found: list[Any] = []
        for item in self.sums:
            found.append((before + found)[item] if isinstance(item, int) else item(begin, rows, block))
        return found

    def run(self, begin: int, end: int, local: list[Any], before: list[Any]) -> list[Any]:
        """Compute a block; gives the partial results of its sums, where `before` are those of the steps before."""
        rows, kept = end - begin, []
        self.move(begin)
        for k, slot in self.made:
            kept.append(np.ascontiguousarray(local[slot]))
            self._set(k, slot, kept[-1])
        self.function(self.address, rows, self.state)
        if self.step.checks:
            marked = self.marks is not None and self.marks.value
            for check in self.step.checks:
                if marked or not check.marks:
                    look(check, local[check.slot], [covered.node for covered in self.step.covers])
        if self.marks is not None:
            self.marks.value = 0
        return self.partials(begin, rows, before)
