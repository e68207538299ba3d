"""What the steps of a whole request do, in terms of loops: its arrays have no blocked dimension, but all of theirs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from gradcli.engine.native import lane_forms
from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.lowering import COSTLY, DTYPES, Lowering
from gradcli.engine.native.parted import parted
from gradcli.engine.native.strides import broadcast, dense, kept
from gradcli.engine.plan.passes import CALL, Pass, Step, Sum
from gradcli.engine.plan.program import Program, WholeStep
from gradcli.graph.native_forms import NativeAdded, NativeLookup, NativeRunning
from gradcli.graph.node import RESULT, Node, toposort

# In place of the blocked dimension: beyond any that an array has.
_NO_DIMENSION = 1000
# Multiplications of one product: for more, BLAS is called, which knows how to go through larger matrices.
_LARGEST_PRODUCT = 1 << 15
# Elementary functions that are too much code to be written wherever they are needed.
_DEEP = 24


class WholeLowering(Lowering):
    """Reads the operations of a program that computes one after the other: their places are the program's numbers."""

    shows_views = True
    takes_spans = False

    def __init__(self, program: Program) -> None:
        slots = [(node, _NO_DIMENSION) for node in program.values]
        super().__init__(Pass(1, 1, [], [], [], [], [], [], slots, False, 0, 0.0))
        self._costly = sum(step.node.cost >= COSTLY for stage in program.stages for step in stage.whole)

    @cached_property
    def deep(self) -> bool:
        """Whether there are so many elementary functions that each is written once, and called."""
        return self._costly >= _DEEP

    def forms(self, whole: WholeStep) -> Iterator[list[LoopStep]]:
        """An operation as items: in one way or another, none for a view of its operand in its order."""
        node = whole.node
        step = Step(CALL, node, None, whole.inputs, whole.out, node.params)
        if self.is_view(step):
            yield []
            return
        items = self.items(step)
        if items is not None and node.op.results:
            # Each of its results is computed where it is asked for.
            self.apart[step.out] = step
            yield []
            return
        if items is not None:
            yield items
        if node.op.blocking.lower is not None:
            items = self.written(step, node.op.blocking.lower(node))
            if items is not None:
                yield items

    def forget(self, number: int) -> None:
        """Undo what a form has noted: an operation that NumPy computes shows nothing that only functions know."""
        self.source.pop(number, None)
        self.apart.pop(number, None)
        self.checks = []

    def leading(self, slot: int) -> int:
        return 1

    def axes_within(self, root: Node, step: Step, leaves: set[Node]) -> dict[Node, int] | None:
        return dict.fromkeys(toposort([root], stop=leaves.__contains__), _NO_DIMENSION)

    def of_kind(self, step: Step, native: Any) -> LoopStep | None:
        if isinstance(native, NativeLookup):
            return parted(self, step, native.parts)
        if isinstance(native, NativeAdded) or (isinstance(native, NativeRunning) and native.from_end):
            return None
        return super().of_kind(step, native)

    def lies_along(self, node: Node, number: int, slot: int) -> bool:
        follow = node.op.blocking.follow
        found = [follow(node, dim) for dim in range(node.ndim)]
        return bool(found) and all(one is not None and one[number] is None for one in found)

    def is_view(self, step: Step | Sum) -> bool:
        node, op = step.node, step.node.op
        if isinstance(step, Sum) or not op.blocking.view or op is RESULT or node.inputs[0].op.results:
            return False
        if not (op.reshapes or op.same or op.repeats) or math.prod(node.shape) != math.prod(node.inputs[0].shape):
            return False
        self.source[step.out] = self.source.get(step.inputs[0], step.inputs[0])
        return True

    def plain_item(self, step: Step | Sum) -> LoopStep | None:
        node = step.node
        if node.op.repeats and isinstance(step, Step) and node.dtype in DTYPES:
            (slot,), space = step.inputs[:1], self.rest(step.out)
            return LoopStep(
                step, space, ((slot, broadcast(self.rest(slot), space)),), step.out, dense(space), lane_forms.first
            )
        return super().plain_item(step)

    def contraction(self, step: Step | Sum) -> LoopStep | None:
        node: Any = step.node
        accumulate = node.op.blocking.accumulate
        lanes = None if accumulate is None else accumulate.lanes_for(node)
        if lanes is None or not isinstance(step, Step):
            return None
        space = (*node.shape, node.inputs[0].shape[-1])
        if math.prod(space) > _LARGEST_PRODUCT:
            return None
        order = (*range(node.ndim), -1)
        operands = []
        for slot, of in zip(step.inputs, node.op.native, strict=True):
            steps = dict(zip(of, dense(self.rest(slot)), strict=True))
            operands.append((slot, tuple([steps.get(dim, 0) for dim in order])))
        reduced = (node.ndim,)
        return LoopStep(
            step, space, tuple(operands), step.out, kept(space, reduced), lane_forms.product, lanes, reduced
        )
