"""The steps of a pass bound to the buffers of one thread: a block after another goes through them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcli.engine.plan.passes import CALL, PLAIN, UFUNC, Cut, Pass, Step, Sum
from gradcli.errors import GradcliError
from gradcli.graph.node import Node
from gradcli.ops.accumulators import dot_wide

if TYPE_CHECKING:
    from gradcli.engine.native.block_loop import BlockLoop

# Bytes of a matrix that are brought into another layout at once.
_STRIP = 1 << 16


class PassFrame:
    """The steps on blocks of so many rows, bound to their buffers.

    While one thread is between two operations, no other one can begin its next: what can be prepared is prepared
    here, so that only a few instructions are left for each step of each block. Up to so many blocks are computed
    `together`, where all steps are native and nobody looks at a block in between.
    """

    __slots__ = (
        "one",
        "values",
        "sinks",
        "rows",
        "together",
        "local",
        "slices",
        "calls",
        "tiles",
        "direct",
        "readers",
        "loop",
    )

    def __init__(
        self, one: Pass, values: list[Any], sinks: dict[int, Any], scratch: list[Any], rows: int, together: int = 1
    ) -> None:
        self.one = one
        self.together = together
        self.values = values
        self.sinks = sinks
        self.rows = rows
        #: The values of a block: what is the same for all blocks is here from the start.
        self.local: list[Any] = [None] * len(one.slots)
        for slot, number in one.shared:
            self.local[slot] = values[number]
        #: Arrays to cut for each block, and results to cut where it is written: (slot, array, dimensions before).
        self.slices: list[tuple[int, Any, tuple[slice, ...]]] = [
            (c.slot, values[c.value], (slice(None),) * c.axis) for c in one.cuts if c.buffer < 0
        ]
        self.tiles: list[tuple[int, int, int]] = []
        for cut in one.cuts:
            if cut.buffer >= 0:
                self.local[cut.slot] = self._view(scratch, cut.slot, cut.buffer)
        self.direct: set[int] = set()
        self.readers = self._readers()
        for step in one.steps:
            if not isinstance(step, PLAIN):
                self._place_results(step, scratch)
            elif isinstance(step, Step) and step.buffer >= 0:
                self.local[step.out] = self._view(scratch, step.out, step.buffer)
            elif isinstance(step, Step) and (step.target >= 0 or step.lent >= 0):
                axis = one.slots[step.out][1]
                array = values[step.target if step.target >= 0 else step.lent]
                self.slices.append((step.out, array, (slice(None),) * axis))
        self.calls = [self._bound(step) for step in one.steps]
        if one.wholly_native:
            # It is given addresses: arrays are cut for those who look at them.
            looked = {check.slot for step in one.steps for check in step.checks}
            self.slices = [item for item in self.slices if item[0] in looked or not item[1].flags.c_contiguous]
        self.loop = self._loop() if together > 1 else None

    def _loop(self) -> BlockLoop | None:
        """All steps on one block after the other, if they are native and need nothing but addresses."""
        copied = any(write.copied and write.slot not in self.direct for write in self.one.writes)
        if copied or self.slices or not self.one.wholly_native:
            return None
        from gradcli.engine.native.block_loop import BlockLoop

        return BlockLoop([function.__self__ for function, _, _ in self.calls], self.rows)

    def _view(self, scratch: list[Any], slot: int, buffer: int) -> Any:
        node, axis = self.one.slots[slot]
        return _shaped(scratch[buffer], node, axis, self.rows, self.one.transposed)

    def _place_results(self, step: Any, scratch: list[Any]) -> None:
        """Where a native step writes: into the results themselves, or into buffers."""
        for slot, buffer in zip(step.outs, step.buffers, strict=True):
            if buffer >= 0:
                self.local[slot] = self._view(scratch, slot, buffer)
                continue
            write = next(write for write in self.one.writes if write.slot == slot)
            self.direct.add(slot)
            self.slices.append((slot, self.values[write.value], (slice(None),) * write.axis))

    def _array(self, slot: int) -> tuple[Any, bool] | None:
        """The array of a place, and whether it is cut for each block; None where a step makes it."""
        for other, array, _ in self.slices:
            if other == slot:
                return (array, True) if array.flags.c_contiguous else None
        array = self.local[slot]
        return None if array is None else (np.ascontiguousarray(array), False)

    def _bound(self, step: Any) -> tuple[Any, Any, int]:
        """A step as (function, what picks its arguments, where the result goes: -1 nowhere, -2 to -4 to the sums)."""
        if not isinstance(step, PLAIN):
            from gradcli.engine.native.call import Bound

            return Bound(step, self._array, self.together).run, None, -4
        if isinstance(step, Cut):
            return self._reader(step), None, -1
        if isinstance(step, Sum) and step.like >= 0:
            return itemgetter(step.like), None, -3
        if isinstance(step, Sum):
            return self._summer(step), _picker(step.inputs), -2
        if step.kind == CALL:
            return self._caller(step), _picker(step.inputs), step.out
        inputs, out = self._tiled(step) if step.tile else (step.inputs, step.out)
        kernel, params = step.kernel, step.params
        if step.kind == UFUNC:
            # For these two NumPy wants the place of the result by name.
            named = kernel in (np.maximum, np.minimum)
            function = (lambda *arrays: kernel(*arrays[:-1], out=arrays[-1])) if named else kernel
            return function, _picker((*inputs, out)), -1
        return (partial(kernel, **params) if params else kernel), _picker((out, *inputs)), -1

    def _reader(self, cut: Cut) -> Any:
        array, view, lead = self.values[cut.value], self.local[cut.slot], (slice(None),) * cut.axis
        if isinstance(array, np.ndarray):
            return lambda begin, end: _copy_rows(view, array[(*lead, slice(begin, end))])
        read = self.readers[cut.slot]
        return lambda begin, end: read(begin, end, view)

    def _readers(self) -> dict[int, Any]:
        """What reads each file, those that are parts of one together."""
        cuts = [cut for cut in self.one.cuts if cut.buffer >= 0 and not isinstance(self.values[cut.value], np.ndarray)]
        files = [(self.values[cut.value], cut.axis) for cut in cuts]
        return dict(zip([cut.slot for cut in cuts], files[0][0].readers(files), strict=True)) if files else {}

    def _summer(self, item: Sum) -> Any:
        part, params = item.accumulate.partial, item.params
        if params.get("fused"):
            shape = item.node.shape
            return lambda begin, *arrays: (np.asarray(_dot(*map(_in_order, arrays))).reshape(shape),)
        return lambda begin, *arrays: part([_in_order(array) for array in arrays], params, begin)

    def _caller(self, step: Step) -> Any:
        node, params, kernel = step.node, step.params, step.kernel
        if "shape" in params:
            axis, shape = self.one.slots[step.out][1], params["shape"]
            params = {**params, "shape": (*shape[:axis], self.rows, *shape[axis + 1 :])}
        if node.op.blocking.view:
            return lambda *arrays: kernel(*arrays, **params)

        def own(result: Any, arrays: Sequence[Any]) -> Any:
            result = np.asarray(result)
            # The operand's memory will be used again.
            return result.copy() if any(np.may_share_memory(result, array) for array in arrays) else result

        if node.op.results:
            return lambda *arrays: tuple([r if r is None else own(r, arrays) for r in kernel(*arrays, **params)])
        return lambda *arrays: own(kernel(*arrays, **params), arrays)

    def _tiled(self, step: Step) -> tuple[tuple[int, ...], int]:
        """Places of operands and result with `tile` rows side by side in one; the plain ones where rows do not fit."""
        if self.rows % step.tile or not self._can_tile(step):
            return step.inputs, step.out
        size = self.one.slots[step.out][0].size // self.one.length
        width = size * step.tile
        places = []
        for slot in (*step.inputs, step.out):
            array = self.local[slot]
            node = self.one.slots[slot][0]
            self.local.append(None)
            places.append(len(self.local) - 1)
            if node.size == 1:
                self.local[-1] = array.reshape(())
            elif self.one.slots[slot][1] < 0:
                self.local[-1] = np.tile(array.reshape(-1), step.tile)
            elif array is not None:
                self.local[-1] = array.reshape(-1, width)
            else:
                self.tiles.append((len(self.local) - 1, slot, width))
        return tuple(places[:-1]), places[-1]

    def _can_tile(self, step: Step) -> bool:
        """Whether every operand lies in memory row after row."""
        arrays = {slot: array for slot, array, _ in self.slices}
        made = {s.out for s in self.one.steps if isinstance(s, Step) and s.kind == CALL}
        places = {*step.inputs, step.out}
        return made.isdisjoint(places) and all(arrays[k].flags.c_contiguous for k in places & arrays.keys())

    def run(self, begin: int, end: int) -> list[Any]:
        """Compute a block; gives the partial results of its reductions."""
        local = self.local.copy()
        rows = slice(begin, end)
        for slot, array, lead in self.slices:
            local[slot] = array[(*lead, rows)] if lead else array[rows]
        for place, slot, width in self.tiles:
            local[place] = local[slot].reshape(-1, width)
        partials = []
        at = 0
        try:
            for function, pick, out in self.calls:
                if out == -1:
                    if pick is None:
                        function(begin, end)
                    else:
                        function(*pick(local))
                elif out == -2:
                    partials.append(function(begin, *pick(local)))
                elif out == -3:
                    partials.append(function(partials))
                elif out == -4:
                    partials += function(begin, end, local, partials)
                else:
                    local[out] = function(*pick(local))
                at += 1
        except GradcliError as error:
            step = self.one.steps[at]
            if error.span is None and isinstance(step, Step | Sum):
                error.span = step.node.span
            raise
        for write in self.one.writes:
            if write.copied and write.slot not in self.direct:
                self._write(write.value, write.axis, begin, end, local[write.slot])
        return partials

    def _write(self, number: int, axis: int, begin: int, end: int, piece: Any) -> None:
        sink = self.sinks.get(number)
        if sink is not None:
            sink.write(axis, begin, piece)
        else:
            np.copyto(self.values[number][(slice(None),) * axis + (slice(begin, end),)], piece)


def _copy_rows(target: Any, piece: Any) -> None:
    """Copy a matrix into another layout, so few rows at a time that the cache has them for all columns."""
    step = max(1, _STRIP // max(1, piece[:1].nbytes))
    for start in range(0, len(piece), step):
        np.copyto(target[start : start + step], piece[start : start + step])


def _in_order(array: Any) -> Any:
    """A block as it comes from a file, in a piece: one that is cut along an inner dimension has gaps in memory, and
    NumPy would add it up in another order. What is repeated is so wherever it comes from."""
    return array if array.flags.forc or 0 in array.strides else array.copy()


def _picker(places: tuple[int, ...]) -> Any:
    """What takes the arguments of a step out of the values of a block, as a tuple."""
    if len(places) == 1:
        place = places[0]
        return lambda local: (local[place],)
    return itemgetter(*places) if places else lambda local: ()


def _dot(a: Any, b: Any) -> Any:
    same = (a.flags.c_contiguous and b.flags.c_contiguous) or (a.flags.f_contiguous and b.flags.f_contiguous)
    return dot_wide(a, b) if same else np.add.reduce(a * b, axis=None, dtype=np.float64)


def _shaped(memory: Any, node: Node, axis: int, rows: int, transposed: bool) -> Any:
    shape = (*node.shape[:axis], rows, *node.shape[axis + 1 :]) if axis >= 0 else node.shape
    count = math.prod(shape)
    flat = memory[: count * node.dtype.itemsize].view(node.dtype)
    if transposed and axis == 0:
        return np.moveaxis(flat.reshape((*shape[1:], rows)), -1, 0)
    return flat.reshape(shape)
