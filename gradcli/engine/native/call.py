"""Native steps bound to the arrays of a pass, and called block by block."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from gradcli.engine.native.expressions import LINE, PAST
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


class Bound:
    """A native step on the arrays of a pass: `place(slot)` gives one, and whether it is cut for each block, or None for
    those that the steps before it make."""

    def __init__(self, step: NativeStep, place: Callable[[int], tuple[Any, bool] | None]) -> None:
        self.step = step
        slots = (*step.inputs, *step.outs)
        # Addresses, and behind them the bytes between leading places.
        self.pointers = np.zeros(max(1, 2 * len(slots)), np.int64)
        self.bases = np.zeros_like(self.pointers)
        self.strides = np.zeros_like(self.pointers)
        self.leads = [step.group.lead(slot) for slot in slots]
        self.made: list[tuple[int, int]] = []
        self.held: list[Any] = []
        for k, slot in enumerate(slots):
            found = place(slot)
            if found is None:
                self.made.append((k, slot))
                continue
            array, moves = found
            self.held.append(array)
            self.bases[k] = array.ctypes.data
            self.bases[len(slots) + k] = array.nbytes // self.leads[k]
            if moves:
                self.strides[k] = step.group.trail(slot) * array.itemsize
        past = [k for k, slot in enumerate(slots) if slot in step.group.past]
        on_lines = all(self.strides[k] and self.bases[k] % LINE == 0 for k in past)
        self.code, self.function = loaded(step.text if on_lines else step.text.replace(PAST, "align 1"))
        self.memory = aligned(max(1, step.states.bytes))
        self.address, self.state = self.pointers.ctypes.data, self.memory.ctypes.data
        self.marks = np.ndarray(int(step.states.marks >= 0), np.int64, self.memory, max(0, step.states.marks))
        self.marks[:] = 0
        self.readers = [self._reader(number) for number in range(len(step.group.sums))]

    def _reader(self, number: int) -> Callable[[int, int], tuple[Any, ...]]:
        states, item = self.step.states, self.step.group.sums[number]
        size, node = states.sizes[number], item.step.node
        views = [
            np.ndarray(size, dtype, self.memory, states.place(number, part, 0), (states.step(number, part),))
            for part, dtype in enumerate(states.parts[number])
        ]
        places = count_of(item)
        assert item.lanes is not None
        partial = item.lanes.partial
        return lambda begin, rows: partial(
            [view.copy().reshape(node.shape) for view in views], rows * places, node, begin
        )

    def run(self, begin: int, end: int, local: list[Any], before: list[Any]) -> list[Any]:
        """Compute a block; gives the partial results of its sums, where `before` are those of the steps before."""
        np.multiply(self.strides, begin, out=self.pointers)
        self.pointers += self.bases
        kept = []
        for k, slot in self.made:
            array = np.ascontiguousarray(local[slot])
            kept.append(array)
            self.pointers[k] = array.ctypes.data
            self.pointers[len(self.leads) + k] = array.nbytes // self.leads[k]
        self.function(self.address, end - begin, self.state)
        marked = self.marks.any()
        for check in self.step.checks:
            if marked or not check.marks:
                look(check, local[check.slot], [covered.node for covered in self.step.covers])
        self.marks[:] = 0
        rows = end - begin
        partials: list[Any] = []
        number = 0
        for item in self.step.sums:
            if item.like >= 0:
                partials.append((before + partials)[item.like])
            else:
                partials.append(self.readers[number](begin, rows))
                number += 1
        return partials
