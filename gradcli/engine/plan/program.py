"""What a plan is: stages, one after the other, of whole operations and of passes in blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gradcli.graph.node import RESULT, Node
from gradcli.graph.op import Accumulate
from gradcli.ops.rewrites.simplifier import Condition

#: How a step gets its result: a ufunc writes into a buffer, so does a block kernel (`into`), others make an array or
#: a view of their own.
UFUNC, INTO, CALL = range(3)


class Sizes(NamedTuple):
    """What counts as small, and how large blocks are; results depend on it in their last bits."""

    #: Tensors of up to so many elements are computed whole: handing out blocks would cost more than it gains.
    small: int = 1 << 16
    #: Bytes of one operand in a block: a handful of them fit into the second-level cache.
    block_bytes: int = 1 << 19
    #: Blocks of fewer elements than this would keep threads waiting for each other.
    least: int = 1 << 15
    #: Rows of a matrix that is multiplied: fewer at a time would be slow.
    matrix_rows: int = 256
    #: Elements of one operand in the blocks of large arrays: threads that work on smaller ones spend their time waking
    #: each other up.
    elements: int = 1 << 18
    #: So much work is done operation by operation: it is over before threads and blocks have begun.
    little: int = 1 << 22


DEFAULT_SIZES = Sizes()
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
    """

    value: int
    axis: int
    slot: int
    buffer: int = -1
    file: bool = False


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


class Write(NamedTuple):
    """A result that a block adds its piece to: `value` in the program's list, from `slot` in the block's."""

    slot: int
    value: int
    axis: int
    copied: bool


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
    def row_bytes(self) -> int:
        """Bytes of memory that a thread takes for each row of its block."""
        return sum(self.buffers) + self.loose

    @property
    def thread_bytes(self) -> int:
        """Bytes of memory that a thread takes for its blocks, beside the sums."""
        return self.row_bytes * self.rows + self.own

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return -(-self.length // self.rows)

    def scratch(self, threads: int) -> int:
        """Bytes of memory that the blocks of so many threads take."""
        # A thread has the sums of its group and those of a block, and the sums of a few groups wait for others.
        sums = 3 * 8 * sum(total.node.size for total in self.sums) if self.blocks > 1 else 0
        return (self.thread_bytes + sums) * min(threads, self.blocks)


class WholeStep(NamedTuple):
    """An operation on whole arrays; `inputs` and `out` are numbers in the program's list of values."""

    node: Node
    inputs: tuple[int, ...]
    out: int


class Stage(NamedTuple):
    """Whole operations and then passes; what `done` lists is not needed afterwards."""

    whole: list[WholeStep]
    passes: list[Pass]
    done: list[int]


@dataclass(eq=False, repr=False)
class Program:
    """A plan for computing roots from leaves.

    `values` are the nodes whose arrays are held, by number: the leaves first, then whatever is kept between stages.
    `roots` are the numbers of the results. `borrowed` maps a number to another one in whose memory it may live.
    """

    leaves: Sequence[Node]
    values: list[Node]
    stages: list[Stage]
    roots: list[int]
    shapes: list[tuple[int, ...]]
    borrowed: dict[int, int]
    direct: bool
    #: Nodes as they were before the graph was planned over vectors, for whoever describes them.
    origin: dict[Node, Node]
    #: What must hold of arrays, by number, for the results to be right; if it does not, `fallback` gives a program that
    #: has no conditions.
    conditions: list[tuple[int, Condition]] | None = None
    fallback: Callable[[], Program] | None = None
    #: What computes the arrays of the roots from those of the leaves, by engine, None where more is needed; for
    #: programs that are only a list of operations.
    functions: dict[str, Callable[[Sequence[Any]], list[Any]] | None] = field(default_factory=dict)
    #: The passes with native steps, by the passes that they were; made when they are first run so.
    native: dict[int, Pass] = field(default_factory=dict)

    def held(self) -> list[Node]:
        """The nodes whose arrays are made and kept for a while, as they were before planning."""
        whole = [step.node for stage in self.stages for step in stage.whole if not self._is_view(step)]
        passes = [one for stage in self.stages for one in stage.passes]
        kept = [self.values[write.value] for one in passes for write in one.writes]
        summed = [total.node for one in passes for total in one.sums]
        return list(dict.fromkeys(self.origin.get(node, node) for node in (*whole, *kept, *summed)))

    def _is_view(self, step: WholeStep) -> bool:
        """Whether a step takes no memory. Results count even so, as what they will be where they are written down."""
        return step.node.op.blocking.view and step.node.op is not RESULT and step.out not in self.roots

    def whole_leaves(self) -> set[int]:
        """The leaves, by number, that are needed in one piece."""
        numbers: set[int] = set(self.roots)
        for stage in self.stages:
            numbers.update(number for step in stage.whole for number in step.inputs)
            for one in stage.passes:
                numbers.update(number for _, number in one.shared)
                numbers.update(cut.value for cut in one.cuts if cut.buffer < 0)
        return {number for number in numbers if number < len(self.leaves)}

    def memory(
        self, threads: int, streamed: frozenset[int] = frozenset(), chosen: Callable[[Pass], Pass] = lambda one: one
    ) -> int:
        """The most bytes held at once, beside the leaves: results, what is kept between stages, scratch buffers.

        `chosen` gives a pass as it is run.
        """
        held = most = 0
        alive: dict[int, int] = {}
        for stage in self.stages:
            for step in stage.whole:
                alive[step.out] = 0 if self._is_view(step) else step.node.nbytes
                held += alive[step.out]
                if step.node.op is RESULT:
                    # It is a part of what its operation gave, and may outlive the rest.
                    alive[step.inputs[0]] -= step.node.nbytes
                    held -= step.node.nbytes
            for one in map(chosen, stage.passes):
                for write in one.writes:
                    if write.value not in alive and write.value not in self.borrowed and write.value not in streamed:
                        alive[write.value] = self.values[write.value].nbytes
                        held += alive[write.value]
                for total in one.sums:
                    alive[total.value] = 2 * total.node.size * 8
                    held += alive[total.value]
                most = max(most, held + one.scratch(threads))
            most = max(most, held)
            for number in stage.done:
                held -= alive.pop(number, 0)
        return most
