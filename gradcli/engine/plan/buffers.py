"""Where the values of a block lie: in scratch buffers, or in the memory of results that are written later."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

# So many results, the next ones to be written, are asked for room.
_MOST_LENDERS = 16

BufferForm = tuple[tuple[int, ...], np.dtype]


class Buffers:
    """Scratch buffers, taken and given back by the slots of values; `sizes` are their bytes for a row."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self._free: list[int] = []
        self._of: dict[int, int] = {}

    def __contains__(self, slot: int) -> bool:
        return slot in self._of

    def take(self, slot: int, need: int) -> int:
        """The smallest free buffer that has so many bytes for a row, or a new one."""
        fits = [buffer for buffer in self._free if self.sizes[buffer] >= need]
        if fits:
            buffer = min(fits, key=lambda b: self.sizes[b])
            self._free.remove(buffer)
        else:
            buffer = len(self.sizes)
            self.sizes.append(need)
        self._of[slot] = buffer
        return buffer

    def pass_on(self, slot: int, other: int) -> int:
        """The buffer of one slot, for another one from now on."""
        buffer = self._of[other] = self._of.pop(slot)
        return buffer

    def release(self, slot: int) -> None:
        """Nobody looks at the slot any more."""
        if slot in self._of:
            self._free.append(self._of.pop(slot))


class Lender(NamedTuple):
    """A result that is written in place, `value` by number, at place `end` of the order of a pass.

    From place `begin` on nobody needs what may be there from an earlier pass. `over` says that the step that writes it
    can write over its own operands.
    """

    value: int
    begin: int
    end: int
    over: bool


class Loans:
    """The memory of results, lent to other values of their form until they are written themselves."""

    def __init__(self, lenders: dict[BufferForm, list[Lender]]) -> None:
        """`lenders` come in the order in which they are written."""
        self._lenders = lenders
        self._lent: dict[int, int] = {}

    def ask(self, form: BufferForm, slot: int, at: int, end: int, over: bool, ending: Iterable[int]) -> int:
        """The result, by number, that takes in a value from place `at` of the order to `end`; -1 for none.

        `over` says that the value can be written over what its step looks at, such as the slots that end there.
        """
        lenders = self._lenders.get(form, [])
        while lenders and lenders[0].end <= at:
            lenders.pop(0)
        taken = set(self._lent.values())
        if over:
            taken -= {self._lent[k] for k in ending if k in self._lent}
        for lender in lenders[:_MOST_LENDERS]:
            early = lender.begin < at or (lender.begin == at and over)
            late = end < lender.end or (end == lender.end and lender.over)
            if early and late and lender.value not in taken:
                self._lent = {k: value for k, value in self._lent.items() if value != lender.value}
                self._lent[slot] = lender.value
                return lender.value
        return -1

    def release(self, slot: int) -> None:
        """Nobody looks at the slot any more."""
        self._lent.pop(slot, None)
