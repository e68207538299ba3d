"""What a plan is: stages, one after the other, of whole operations and of passes in blocks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from gradcli.engine.plan.leaf_views import is_packed
from gradcli.graph.node import CONSTANT, INPUT, RESULT, Node
from gradcli.ops.rewrites.simplifier import Condition

if TYPE_CHECKING:
    from gradcli.engine.plan.passes import Pass


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
    #: Bytes of all that is kept between passes because computing it again would take longer.
    kept: int = 1 << 28

    def frugal(self) -> Sizes:
        """The same where memory is scarce: everything is in blocks, and nothing is kept that need not be."""
        return self._replace(little=0, kept=0)


DEFAULT_SIZES = Sizes()
#: Below so many bytes, asking for the memory that is left would cost more than it tells.
SMALL = 1 << 26
# Elements of the cheapest operations for which NumPy takes as long as to be called.
_CALL = 1 << 10


def work_of(node: Node) -> float:
    """The cost of computing all of a node, in elements of the cheapest operations."""
    if node.op is INPUT or node.op is CONSTANT or node.op.blocking.view:
        return 0.0
    largest = max([node.size, *(child.size for child in node.inputs)])
    return max(node.cost * walked(node), largest)


def walked(node: Node) -> int:
    """Of how many elements the cost is: those of a product, or else the largest operand's."""
    return node.size if node.op.family == "contraction" else max([node.size, *(child.size for child in node.inputs)])


class WholeStep(NamedTuple):
    """An operation on whole arrays; `inputs` and `out` are numbers in the program's list of values."""

    node: Node
    inputs: tuple[int, ...]
    out: int


def whole_step(node: Node, number: Callable[[Node], int]) -> WholeStep:
    """A node as such an operation; `number` gives that of a value."""
    # Operands first: they may get their numbers here.
    inputs = tuple([number(child) for child in node.inputs])
    return WholeStep(node, inputs, number(node))


class Stage(NamedTuple):
    """Whole operations and then passes; what `done` lists is not needed afterwards."""

    whole: list[WholeStep]
    passes: list[Pass]
    done: list[int]


class Surroundings(NamedTuple):
    """How many rows of zeros are before and behind an array; and the values that show it among some of these, by
    number, with the rows that they have before it."""

    before: int
    behind: int
    shown: dict[int, int]

    def size(self, node: Node) -> int:
        """The bytes of the array and of what is around it."""
        return node.nbytes // node.shape[0] * (self.before + node.shape[0] + self.behind)


@dataclass(eq=False, repr=False)
class Program:
    """A plan for computing roots from leaves.

    `values` are the nodes whose arrays are held, by number: the leaves first, then `views` of them, which are made
    before all else and take no memory, nor do those of files; then whatever is kept between stages. `roots` are the
    numbers of the results. `borrowed` maps a number to another one in whose memory it may live.
    """

    leaves: Sequence[Node]
    views: list[WholeStep]
    values: list[Node]
    stages: list[Stage]
    roots: list[int]
    shapes: list[tuple[int, ...]]
    #: The numbers of views of what is there from the start, which may be steps as well where there are no blocks.
    parts: frozenset[int]
    #: What it was planned with.
    sizes: Sizes
    direct: bool = False
    #: Whether leaves are files.
    reads_files: bool = False
    borrowed: dict[int, int] = field(default_factory=dict)
    #: What is made with zeros around it, since later operations show it so.
    surrounded: dict[int, Surroundings] = field(default_factory=dict)
    #: Nodes as they were before the graph was planned over vectors, for whoever describes them.
    origin: dict[Node, Node] = field(default_factory=dict)
    #: What must hold of arrays, by number, for the results to be right; if it does not, `fallback` gives a program that
    #: has no conditions.
    conditions: list[tuple[int, Condition]] | None = None
    fallback: Callable[[], Program] | None = None
    #: What computes the arrays of the roots from those of the leaves, by engine, None where more is needed; for
    #: programs that are only a list of operations.
    functions: dict[str, Callable[[Sequence[Any]], list[Any]] | None] = field(default_factory=dict)
    #: The passes with native steps, by the passes that they were; made when they are first run so.
    native: dict[int, Pass] = field(default_factory=dict)
    #: The passes, as they were, whose machine code is there, and those that have been run.
    compiled: set[int] = field(default_factory=set)
    done: set[int] = field(default_factory=set)
    #: What adds lines up natively, by the number of the result, None for NumPy; made when it is first asked for.
    lines: dict[int, Any] = field(default_factory=dict)
    #: How much memory it needs, by what that depends on.
    needs: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    @property
    def given(self) -> int:
        """How many values are there from the start: leaves, and views of them."""
        return len(self.leaves) + len(self.views)

    @property
    def takes_leaves(self) -> bool:
        """Whether its operations take arrays as they are given. Parts of these are found anew at each run: which memory
        they are in is known by then, and how much of a file is read."""
        return not (self.reads_files or self.views)

    @cached_property
    def passes(self) -> list[Pass]:
        """All passes, in the order in which they run."""
        return [one for stage in self.stages for one in stage.passes]

    @cached_property
    def _following(self) -> dict[int, Pass]:
        return {id(one): following for one, following in itertools.pairwise(self.passes)}

    def following(self, one: Pass) -> Pass | None:
        """The pass after this one, None for the last."""
        return self._following.get(id(one))

    @cached_property
    def largest(self) -> float:
        """What the pass has to compute that has most, in elements of the cheapest operations."""
        return max((one.work for one in self.passes), default=0.0)

    @cached_property
    def calls(self) -> float:
        """What its whole operations take, in calls of NumPy: one each, and others for what there is to compute."""
        steps = [*self.views, *(step for stage in self.stages for step in stage.whole)]
        return len(steps) + sum(work_of(step.node) for step in steps) / _CALL

    def held(self, streamed: frozenset[int]) -> list[Node]:
        """The nodes whose arrays are made and kept for a while, as they were before planning; `streamed` are roots that
        are written piece by piece."""
        steps = [*self.views, *(step for stage in self.stages for step in stage.whole)]
        whole = [step.node for step in steps if not self._is_view(step, streamed)]
        kept = [self.values[write.value] for one in self.passes for write in one.writes]
        summed = [total.node for one in self.passes for total in one.sums]
        return list(dict.fromkeys(self.origin.get(node, node) for node in (*whole, *kept, *summed)))

    def _is_view(self, step: WholeStep, streamed: frozenset[int]) -> bool:
        """Whether a step takes no memory. Results count even so, as what they will be where they are written down, and
        parts of what is there that are brought into row-major order."""
        if not step.node.op.blocking.view or step.node.op is RESULT:
            return False
        shown = step.out not in self.roots or step.out in streamed
        return shown and (step.out not in self.parts or is_packed(step.node))

    def _written(self, number: int) -> int:
        """The bytes of what a pass writes."""
        around, node = self.surrounded.get(number), self.values[number]
        return node.nbytes if around is None else around.size(node)

    def needed_whole(self, streamed: frozenset[int] = frozenset()) -> set[int]:
        """The leaves and views of them, by number, that are needed in one piece; `streamed` are roots that are written
        piece by piece."""
        numbers: set[int] = set(self.roots) - streamed
        for stage in self.stages:
            numbers.update(number for step in stage.whole for number in step.inputs)
            for one in stage.passes:
                numbers.update(number for _, number in one.shared)
                numbers.update(cut.value for cut in one.cuts if cut.buffer < 0)
        return {number for number in numbers if number < self.given}

    def memory(
        self,
        threads: int,
        streamed: frozenset[int] = frozenset(),
        chosen: Callable[[Pass], Pass] = lambda one: one,
        own: Callable[[WholeStep], int] = lambda step: 0,
    ) -> int:
        """The most bytes held at once, beside the leaves: results, what is kept between stages, scratch buffers.

        `chosen` gives a pass as it is run, `own` the bytes of a whole operation beside its result.
        """
        # A view that is a result counts as what it will be where it is written down.
        shown = set(self.roots) - streamed
        held = most = sum(step.node.nbytes for step in self.views if step.out in shown)
        alive: dict[int, int] = {}
        around = {number for one in self.surrounded.values() for number in one.shown}
        for stage in self.stages:
            for step in stage.whole:
                free = step.out in around or self._is_view(step, streamed)
                alive[step.out] = 0 if free else step.node.nbytes
                held += alive[step.out]
                if step.node.op is RESULT:
                    # It is a part of what its operation gave, and may outlive the rest.
                    alive[step.inputs[0]] -= step.node.nbytes
                    held -= step.node.nbytes
                most = max(most, held + own(step))
            for one in map(chosen, stage.passes):
                for write in one.writes:
                    if write.value not in alive and write.value not in self.borrowed and write.value not in streamed:
                        alive[write.value] = self._written(write.value)
                        held += alive[write.value]
                for total in one.sums:
                    alive[total.value] = 2 * total.node.size * 8
                    held += alive[total.value]
                most = max(most, held + one.scratch(threads))
            most = max(most, held)
            for number in stage.done:
                held -= alive.pop(number, 0)
        return most
