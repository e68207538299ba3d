"""What a pass over the data in blocks is: its steps, what it reads, sums up and writes."""

from __future__ import annotations

from typing import Any, NamedTuple

from gradcli.graph.native_forms import NativeKernel
from gradcli.graph.node import Node
from gradcli.graph.op import Accumulate

#: How a step gets its result: a ufunc writes into a buffer, so does a block kernel (`into`), others make an array or
#: a view of their own.
UFUNC, INTO, CALL = range(3)
#: Groups for each thread whose sums may wait for those of others.
GROUPS_WAITING = 2
# A thread that has less than this to compute takes longer to start than it saves.
_WORTH_A_THREAD = 1 << 21


class Step(NamedTuple):
    """One operation on a block. `inputs` and `out` are places in the block's list of values.

    `buffer` is the scratch buffer for the result, -1 when it goes to the output number `target` (in place of
    scratch) or is made by the kernel. A result that is needed only until the output number `lent` is written may lie
    in the same piece of that output. `tile` says that rows are laid side by side: see `engine/execute/pass_frame.py`.
    """

    kind: int
    node: Node
    kernel: Any
    inputs: tuple[int, ...]
    out: int
    params: dict[str, Any]
    buffer: int = -1
    target: int = -1
    lent: int = -1
    tile: int = 0


class Cut(NamedTuple):
    """An array that each block sees a piece of: `value` in the program's list, cut along `axis`.

    `buffer` is the scratch buffer that it is read into from a `file`, or brought into another layout; -1 for a view.
    With `gaps`, or in another order, it lies in memory.
    """

    value: int
    axis: int
    slot: int
    buffer: int = -1
    file: bool = False
    gaps: bool = False


class Sum(NamedTuple):
    """A reduction over the blocked dimension: its operands in a block, and the number of its result.

    `like` is the place among the pass's sums of another one with the same state, -1 for none.
    """

    node: Node
    accumulate: Accumulate
    inputs: tuple[int, ...]
    params: dict[str, Any]
    value: int
    like: int = -1


#: The kinds of steps that are not native.
PLAIN = (Step, Sum, Cut)


def may_call_native(step: Any) -> bool:
    """Whether the operation of a step that is not native itself has a kernel that calls native functions."""
    return isinstance(step, Step | Sum) and isinstance(step.node.op.native, NativeKernel)


def has_native_kernel(step: Step | Sum) -> bool:
    """Whether such a kernel has taken the place of the operation's own."""
    if not may_call_native(step):
        return False
    if isinstance(step, Step):
        return step.kernel is not step.node.op.into
    return step.accumulate is not step.node.op.blocking.accumulate


class Write(NamedTuple):
    """A result that a block adds its piece to: `value` in the program's list, from `slot` in the block's, and whether
    it may be `streamed` to a file, so that there is no array of it."""

    slot: int
    value: int
    axis: int
    copied: bool
    streamed: bool


class Pass(NamedTuple):
    """One walk over a dimension in blocks.

    `buffers` are the bytes that each scratch buffer has for a row, `loose` those that kernels take on their own. `work`
    is what there is to compute, in elements of the cheapest operations. `steps` are of the kinds Step, Sum and Cut;
    where some are native instead, it is `fused`, and these have `own` bytes in each thread.
    """

    length: int
    rows: int
    cuts: list[Cut]
    shared: list[tuple[int, int]]
    steps: list[Any]
    sums: list[Sum]
    writes: list[Write]
    buffers: list[int]
    slots: list[tuple[Node, int]]
    transposed: bool
    loose: int
    work: float
    fused: bool = False
    own: int = 0

    @property
    def read(self) -> int:
        """Bytes read from arrays that are not scratch."""
        return sum(self.slots[cut.slot][0].nbytes for cut in self.cuts)

    @property
    def written(self) -> int:
        """Bytes written to arrays that are not scratch."""
        return sum(self.slots[write.slot][0].nbytes for write in self.writes)

    @property
    def traffic(self) -> int:
        return self.read + self.written

    def threads(self, most: int) -> int:
        """How many threads are worth starting, up to so many."""
        return max(1, min(most, int(self.work) // _WORTH_A_THREAD))

    @property
    def wholly_native(self) -> bool:
        """Whether all steps are native."""
        return self.fused and not any(isinstance(step, PLAIN) for step in self.steps)

    @property
    def thread_bytes(self) -> int:
        """Bytes of memory that a thread takes for its blocks, beside the sums."""
        return (sum(self.buffers) + self.loose) * self.rows + self.own

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return -(-self.length // self.rows)

    def scratch(self, threads: int) -> int:
        """Bytes of memory that the blocks of so many threads take."""
        # A thread has the sums of its group and those of a block, and the sums of a few groups wait for others.
        sums = (2 + GROUPS_WAITING) * 8 * sum(total.node.size for total in self.sums) if self.blocks > 1 else 0
        return (self.thread_bytes + sums) * min(threads, self.blocks)
