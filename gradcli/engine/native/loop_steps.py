"""A step of a pass as an item of loops over the places of a row, and what has to be looked at beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from gradcli.engine.native.strides import Shape
from gradcli.engine.native.vectors import INT64
from gradcli.engine.plan.passes import Pass, Step, Sum
from gradcli.graph.native_forms import Lanes
from gradcli.graph.node import Node

#: Elements of a matrix that all rows are multiplied by, or that is a sum over them.
_LARGEST = 1 << 14


class LookupTable(NamedTuple):
    """How many elements of the first operand, or of the result of a sum, lie between two places that the last operand
    tells, and how many places there are."""

    step: int
    length: int


@dataclass(eq=False)
class LoopStep:
    """A step over a space: each row of the block has one, of the lengths `space`.

    `operands` are places among the block's values, each with the elements between neighbours along every dimension of
    the space; `out` is the place of the result (-1 for a sum over the rows) and `strides` the same for it. `reduced`
    are the dimensions that the result lacks. `form` computes a value from those of the operands, `lanes` takes it in.
    It is told the places along a dimension, after the operands, where `along` is one (-1: none). `shifts` are the
    elements that operands begin at, if not at the first. With `spans` each operand is there from one place to another
    alone, and elsewhere there are zeros. A `running` reduction gives what it has after each place, or from each place
    on (`from_end`).
    With a `table` the first operand is one, or the result, and the last operand tells the place in it: the result is a
    sum over the rows, or has `lanes` and is made anew for each row, from zeros or from the first of three operands.
    """

    step: Step | Sum
    space: Shape
    operands: tuple[tuple[int, Shape], ...]
    out: int
    strides: Shape
    form: Callable[..., Any] | None
    lanes: Lanes | None = None
    reduced: tuple[int, ...] = ()
    along: int = -1
    shifts: tuple[int, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()
    running: bool = False
    from_end: bool = False
    table: LookupTable | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it is a sum or product of its operands as they lie there: it takes less to be computed again than to
        be kept."""
        if not isinstance(self.step, Step) or self.lanes is not None or self.along >= 0 or self.shifts:
            return False
        op = self.step.node.op
        return bool(op.signs) or min(op.powers or (0,)) > 0

    @property
    def is_product(self) -> bool:
        """Whether it is a product of matrices, or of one with a vector."""
        return self.step.node.op.family == "contraction" and bool(self.space)

    @property
    def is_large_product(self) -> bool:
        """Whether it is a product with a matrix that a BLAS, which brings it into another layout first, computes many
        times as fast as any loop here."""
        return self.is_product and len(self.space) > 1 and math.prod(self.space) > _LARGEST

    @property
    def looks_up(self) -> bool:
        """Whether its first operand is a table."""
        return self.table is not None and self.out >= 0 and self.lanes is None

    @property
    def adds(self) -> bool:
        """Whether its result is a table for each row."""
        return self.table is not None and self.out >= 0 and self.lanes is not None

    @property
    def start(self) -> int:
        """The place of what such a table begins with, -1 for zeros."""
        return self.operands[0][0] if self.adds and len(self.operands) > 2 else -1

    @property
    def whole(self) -> int:
        """The place of an operand of which a loop does not take one element after the other, -1 without one."""
        return self.operands[0][0] if self.looks_up else self.start

    @property
    def scatters(self) -> bool:
        """Whether its result is a table of sums."""
        return self.table is not None and self.out < 0

    @property
    def reads(self) -> Sequence[tuple[int, Shape, int]]:
        """Place, strides and first element of each operand."""
        shifts = self.shifts or (0,) * len(self.operands)
        return [(slot, strides, shift) for (slot, strides), shift in zip(self.operands, shifts, strict=True)]


class Check(NamedTuple):
    """A function of the array at a place, which raises what the kernel of `node` would; there is nothing to raise
    without a mark, if native code `marks` odd places."""

    slot: int
    function: Callable[[Any], Any]
    node: Node
    marks: bool


def beside_axis(dim: int, axis: int) -> int:
    """The place of a dimension among those beside the blocked one."""
    return dim - (dim > axis)


def rest_of(one: Pass, slot: int) -> Shape:
    """The lengths of what a row has of a value; those of the whole for what all blocks share."""
    node, axis = one.slots[slot]
    return node.shape if axis < 0 else node.shape[:axis] + node.shape[axis + 1 :]


def squeezed(item: LoopStep) -> LoopStep:
    """The same, without the dimensions that are 1 long."""
    stay = [dim for dim, length in enumerate(item.space) if length != 1]
    if len(stay) == len(item.space):
        return item

    def of(values: Shape) -> Shape:
        return tuple([values[dim] for dim in stay])

    operands = tuple([(slot, of(strides)) for slot, strides in item.operands])
    reduced = tuple([stay.index(dim) for dim in item.reduced if dim in stay])
    if item.along >= 0 and item.along not in stay:
        # Its only place.
        form = item.form
        assert form is not None
        item = replace(item, form=lambda v, *values: form(v, *values, v.constant(0, INT64)), along=-1)
    elif item.along >= 0:
        item = replace(item, along=stay.index(item.along))
    return replace(item, space=of(item.space), operands=operands, strides=of(item.strides), reduced=reduced)
