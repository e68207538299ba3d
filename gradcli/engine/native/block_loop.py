"""The native steps of a pass on one block after the other in one call: between two calls a thread has to wait for
Python, which another one may be using."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from gradcli.engine.native.call import Bound, loaded

#: What is said of all steps, and of each: its function, the table of addresses, the memory of states and the bytes of
#: one block's, and the addresses that move on, each a place in the table and the bytes of a block's rows.
_HEAD, _STEP = 2, 6
#: `@k(steps, blocks)`: all steps of a block, and then those of the next one.
LOOP = f"""\
define void @k(ptr %calls, i64 %blocks, ptr %unused) {{
entry:
  %steps = load i64, ptr %calls
  %rows.p = getelementptr i64, ptr %calls, i64 1
  %rows = load i64, ptr %rows.p
  br label %block
block:
  %b = phi i64 [0, %entry], [%b.next, %done]
  br label %step
step:
  %j = phi i64 [0, %block], [%j.next, %moved]
  %first = mul i64 %j, {_STEP}
  %here = getelementptr i64, ptr %calls, i64 %first
  %p0 = getelementptr i64, ptr %here, i64 {_HEAD}
  %function = load ptr, ptr %p0
  %p1 = getelementptr i64, ptr %here, i64 {_HEAD + 1}
  %table = load ptr, ptr %p1
  %p2 = getelementptr i64, ptr %here, i64 {_HEAD + 2}
  %states = load ptr, ptr %p2
  %p3 = getelementptr i64, ptr %here, i64 {_HEAD + 3}
  %size = load i64, ptr %p3
  %p4 = getelementptr i64, ptr %here, i64 {_HEAD + 4}
  %moving = load i64, ptr %p4
  %p5 = getelementptr i64, ptr %here, i64 {_HEAD + 5}
  %where = load ptr, ptr %p5
  %offset = mul i64 %b, %size
  %state = getelementptr i8, ptr %states, i64 %offset
  call void %function(ptr %table, i64 %rows, ptr %state)
  br label %move
move:
  %m = phi i64 [0, %step], [%m.next, %moves]
  %more = icmp ult i64 %m, %moving
  br i1 %more, label %moves, label %moved
moves:
  %w0 = getelementptr [2 x i64], ptr %where, i64 %m
  %place = load i64, ptr %w0
  %w1 = getelementptr i64, ptr %w0, i64 1
  %bytes = load i64, ptr %w1
  %address.p = getelementptr i64, ptr %table, i64 %place
  %address = load i64, ptr %address.p
  %following = add i64 %address, %bytes
  store i64 %following, ptr %address.p
  %m.next = add i64 %m, 1
  br label %move
moved:
  %j.next = add i64 %j, 1
  %another = icmp ult i64 %j.next, %steps
  br i1 %another, label %step, label %done
done:
  %b.next = add i64 %b, 1
  %again = icmp ult i64 %b.next, %blocks
  br i1 %again, label %block, label %end
end:
  ret void
}}
"""


class BlockLoop:
    """The steps of a pass, all of them native and given nothing but addresses, on blocks of so many rows."""

    def __init__(self, bounds: Sequence[Bound], rows: int) -> None:
        self.bounds = bounds
        self.rows = rows
        self.code, self.function = loaded(LOOP)
        self.held: list[Any] = []
        steps = [value for bound in bounds for value in self._step(bound)]
        self.calls = (ctypes.c_int64 * (_HEAD + len(steps)))(len(bounds), rows, *steps)

    def _step(self, bound: Bound) -> list[int]:
        moves = [value for k, _, size in bound.moving for value in (k, size * self.rows)]
        where = (ctypes.c_int64 * max(1, len(moves)))(*moves)
        self.held.append(where)
        function = ctypes.cast(bound.function, ctypes.c_void_p).value or 0  # type: ignore[arg-type]
        return [function, bound.address, bound.state, bound.stride, len(moves) // 2, ctypes.addressof(where)]

    def run(self, begin: int, blocks: int) -> list[list[Any]]:
        """Compute so many blocks, each of which is whole; gives the partial results of the sums of each."""
        for bound in self.bounds:
            bound.move(begin)
        self.function(ctypes.addressof(self.calls), blocks, 0)
        return [self._partials(begin + block * self.rows, block) for block in range(blocks)]

    def _partials(self, begin: int, block: int) -> list[Any]:
        found: list[Any] = []
        for bound in self.bounds:
            found += bound.partials(begin, self.rows, found, block)
        return found
