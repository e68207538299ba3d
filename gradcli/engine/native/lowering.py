"""What a step of a pass does, in terms of loops: a row's native form over the places of a block."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from gradcli.engine.native import lane_forms, lookups
from gradcli.engine.native.loop_steps import Check, LoopStep, beside_axis, rest_of, squeezed
from gradcli.engine.native.parted import parted
from gradcli.engine.native.strides import Shape, broadcast, dense, kept
from gradcli.engine.plan.passes import CALL, Pass, Step, Sum
from gradcli.graph.native_forms import (
    NativeAdded,
    NativeChecked,
    NativeLookup,
    NativeParts,
    NativePlaces,
    NativeRunning,
    NativeScatter,
    NativeSteps,
    NativeView,
)
from gradcli.graph.node import RESULT, Node, toposort
from gradcli.ops.blocking import aligned

#: What an elementary function costs, in walks over a block, and how many of these are many.
COSTLY, _DEEP = 4.0, 6

#: The element types that native code computes with; float16 and bfloat16 are only stored.
DTYPES = frozenset(map(np.dtype, ("f4", "f8", "i1", "i2", "i4", "i8", "u1", "?")))


class Lowering:
    """Reads the steps of one pass. `source` tells of the places that show another one's elements, in the same order.

    `shows_views` says whether what a step is written with may end in a view, `takes_spans` whether there are loops for
    items with spans.
    """

    shows_views = False
    takes_spans = True

    def __init__(self, one: Pass) -> None:
        self.one = one._replace(slots=list(one.slots))
        self.source: dict[int, int] = {}
        #: Steps with several results, each of which is computed where it is asked for, by the place of the step's own.
        self.apart: dict[int, Step] = {}
        #: What has to be looked at for the items that are made.
        self.checks: list[Check] = []
        self._largest: dict[Any, tuple[Any, int]] = {}
        self._known: dict[int, tuple[list[LoopStep] | None, list[Check]]] = {}

    @cached_property
    def deep(self) -> bool:
        """Whether so many elementary functions are computed of single elements that a processor, which looks ahead some
        hundred instructions, waits for one result after the other and does not reach the next vector."""
        costly = sum(step.node.cost >= COSTLY for step in self.one.steps if isinstance(step, Step))
        return costly >= _DEEP and all(math.prod(self.rest(slot)) == 1 for slot in range(len(self.one.slots)))

    def begin(self) -> None:
        """Read the steps anew."""
        self.apart, self.checks = {}, []

    def rest(self, slot: int) -> Shape:
        """The lengths of what a row has of a value; those of the whole for what all blocks share."""
        return rest_of(self.one, slot)

    def shared(self, slot: int) -> bool:
        """Whether all blocks see the same value."""
        return self.one.slots[slot][1] < 0

    def places(self, slot: int) -> int:
        """How many places a row has of a value that has rows."""
        return 0 if self.shared(slot) else math.prod(self.rest(slot))

    def largest(self, measure: Callable[[Lowering, int], Any], least: Any) -> Any:
        """The largest of what `measure` finds for the values that there are until now; each is measured once."""
        found, known = self._largest.get(measure, (least, 0))
        new = range(known, len(self.one.slots))
        found = max([found, *(measure(self, slot) for slot in new)])
        self._largest[measure] = found, new.stop
        return found

    def leading(self, slot: int) -> int:
        """How many of a row's places stand before the blocked dimension, which lies between them and the others."""
        node, axis = self.one.slots[slot]
        return math.prod(node.shape[: max(axis, 0)])

    def read(self, step: Step | Sum) -> list[LoopStep] | None:
        """A step of the pass as items, or None where it has no native form; the same ones each time that the steps are
        read, unless it asks for what is computed apart."""
        if not self.apart.keys().isdisjoint(step.inputs):
            return self.items(step)
        if id(step) not in self._known:
            others, self.checks = self.checks, []
            items = self.items(step)
            self._known[id(step)], self.checks = (items, self.checks), others
        items, checks = self._known[id(step)]
        self.checks += checks
        return items

    def items(self, step: Step | Sum) -> list[LoopStep] | None:
        """The same of any step."""
        native = step.node.op.native
        native = native.steps if isinstance(native, NativeScatter) else native
        if isinstance(step, Step) and isinstance(native, NativeSteps):
            return self.written(step, native.rule(step.node))
        item = self.item(step)
        return None if item is None else [item]

    def written(self, step: Step, root: Node | None) -> list[LoopStep] | None:
        """The items of the graph that a step is written with; what they hand on has places of its own."""
        if root is None or (root.op.blocking.view and not self.shows_views):
            return None
        places = dict(zip(step.node.inputs, step.inputs, strict=True))
        axes = self.axes_within(root, step, set(places))
        if axes is None:
            return None
        items: list[LoopStep] = []
        for node in toposort([root], stop=set(places).__contains__):
            if node in places:
                continue
            places[node] = step.out
            if node.span is None:
                # An error in it is one of the operation that was written.
                node.span = step.node.span
            if node is not root:
                places[node] = len(self.one.slots)
                self.one.slots.append((node, axes.get(node, 0)))
            inner = Step(CALL, node, None, tuple([places[child] for child in node.inputs]), places[node], node.params)
            if node.inputs and self.is_view(inner):
                continue
            found = [_constant(inner)] if node.weak else self.items(inner)
            if found is None:
                return None
            items += found
        return items

    def axes_within(self, root: Node, step: Step, leaves: set[Node]) -> dict[Node, int] | None:
        """The blocked dimension of each node that a step is written with; None where one cannot be cut so."""
        axes = {root: self.one.slots[step.out][1]}
        for node in reversed(toposort([root], stop=leaves.__contains__)):
            if node in leaves or node not in axes or not node.inputs:
                continue
            wanted = node.op.blocking.follow(node, axes[node])
            if wanted is None:
                return None
            for child, dim in zip(node.inputs, wanted, strict=True):
                if dim is not None and axes.setdefault(child, dim) != dim:
                    return None
        own = zip(step.node.inputs, step.inputs, strict=True)
        return axes if all(axes.get(child, -1) in (-1, self.one.slots[slot][1]) for child, slot in own) else None

    def item(self, step: Step | Sum) -> LoopStep | None:
        """The same of a single item."""
        item = self.plain_item(step)
        if item is None or not math.prod(item.space) or self._looks_at_nothing(item):
            return None
        return squeezed(self._resolved(item))

    def _looks_at_nothing(self, item: LoopStep) -> bool:
        """Whether places would be out of range, whichever they are: of that NumPy complains."""
        if item.table is not None and not item.table.length:
            return True
        return not all(self.one.slots[slot][0].size for slot, _ in item.operands)

    def _resolved(self, item: LoopStep) -> LoopStep:
        """The same, with what views show in their place."""
        if all(slot not in self.source for slot, _ in item.operands):
            return item
        operands = tuple([(self.source.get(slot, slot), strides) for slot, strides in item.operands])
        return replace(item, operands=operands)

    def plain_item(self, step: Step | Sum) -> LoopStep | None:
        node = step.node
        slots = (*step.inputs, *((step.out,) if isinstance(step, Step) else ()))
        if any(self.one.slots[slot][0].dtype not in DTYPES for slot in slots):
            return None
        if isinstance(step, Step) and (made := self.of_kind(step, node.op.native)) is not None:
            return made
        if node.op.native is not None and node.op.family == "contraction":
            return self.contraction(step)
        if isinstance(step, Sum):
            if isinstance(node.op.native, NativeScatter):
                return self._checked(lookups.scattered(self.one, step, node.op.native), node.op.native)
            return self._sum(step)
        if node.op.family == "reduction" or any(slot in self.apart for slot in step.inputs):
            return self._reduction(step)
        if node.op.native is not None and (node.op.blocking.follow is aligned or not node.inputs):
            return self._map(step, node.op.native, step.params)
        return None

    def is_view(self, step: Step | Sum) -> bool:
        """Whether a step only shows its operand's elements in their order; from then on its place stands for that."""
        if isinstance(step, Sum) or not step.node.op.blocking.view or step.node.op is RESULT:
            return False
        (slot,) = step.inputs[:1]
        if self.shared(slot) or self.shared(step.out) or step.node.inputs[0].op.results:
            return False
        here, there = self.rest(step.out), self.rest(slot)
        if math.prod(here) != math.prod(there) or not self._in_order(step, slot):
            return False
        self.source[step.out] = self.source.get(slot, slot)
        return True

    def _in_order(self, step: Step, slot: int) -> bool:
        node, op = step.node, step.node.op
        axis = self.one.slots[step.out][1]
        if op.reshapes or op.same or op.repeats:
            # Between two places of the memory that is shown there may be rows of the block.
            lead = self.leading(self.source.get(slot, slot))
            return self.leading(slot) == self.leading(step.out) and _has_border(self.rest(step.out), lead)
        # A permutation: the dimensions beside the blocked one keep their order.
        found = [op.blocking.follow(node, dim) for dim in range(node.ndim) if dim != axis]
        places = [one[0] for one in found if one is not None]
        return len(places) == len(found) and None not in places and places == sorted(places, key=lambda k: k or 0)

    def _map(self, step: Step, native: Any, params: dict[str, Any]) -> LoopStep:
        space = self.rest(step.out)
        operands = tuple([(slot, self._along(slot, step.out)) for slot in step.inputs])
        return LoopStep(step, space, operands, step.out, dense(space), lane_forms.of_row(native, step.node, params))

    def of_kind(self, step: Step, native: Any) -> LoopStep | None:
        """The item of a row that has one of the classes for its native form."""
        if isinstance(native, NativePlaces):
            return self._placed(step, native)
        if isinstance(native, NativeChecked):
            return self._checked(self._map(step, native.form, step.params), native)
        if isinstance(native, NativeView):
            return self._viewed(step, native)
        if isinstance(native, NativeParts):
            return parted(self, step, native)
        if isinstance(native, NativeLookup):
            return parted(self, step, native.parts) or self._checked(lookups.looked_up(self.one, step, native), native)
        if isinstance(native, NativeAdded):
            return self._checked(lookups.added(self.one, step, native), native)
        return self._running(step, native) if isinstance(native, NativeRunning) else None

    def _viewed(self, step: Step, native: NativeView) -> LoopStep | None:
        (slot,) = step.inputs[:1]
        dims, fixed = native.rule(step.node)
        axis, here = self.one.slots[slot][1], self.one.slots[step.out][1]
        if any(rows != (axis, 0, 1) for rows in dims[here : here + 1]):
            return None
        dims = dims[:here] + dims[here + 1 :]
        own, space = dense(self.rest(slot)), self.rest(step.out)
        starts = [*[(dim, start) for dim, start, _ in dims], *fixed]
        shift = sum(own[beside_axis(dim, axis)] * start for dim, start in starts)
        strides = tuple([own[beside_axis(dim, axis)] * by for dim, _, by in dims])
        return LoopStep(step, space, ((slot, strides),), step.out, dense(space), lane_forms.first, shifts=(shift,))

    def _running(self, step: Step, native: NativeRunning) -> LoopStep | None:
        (slot,) = step.inputs
        axis, dim = self.one.slots[slot][1], step.node.params["dim"]
        if dim == axis or not step.node.ndim:
            return None
        space, reduced = self.rest(slot), (beside_axis(dim, axis),)
        item = LoopStep(step, space, ((slot, dense(space)),), step.out, dense(space), lane_forms.first, native.lanes)
        return replace(item, reduced=reduced, running=True, from_end=native.from_end)

    def _placed(self, step: Step, native: NativePlaces) -> LoopStep | None:
        dim, length = native.dim(step.node)
        axis = self.one.slots[step.out][1]
        if native.picks:
            axis += axis >= dim
        if dim == axis:
            return None
        rest = self.rest(step.out)
        at = min(beside_axis(dim, axis), len(rest))
        space = (*rest[:at], length, *rest[at:]) if native.picks else rest
        lacking = (*space[:at], 1, *space[at + 1 :])

        def strides(number: int, slot: int) -> Shape:
            own = self.rest(slot)
            if self.lies_along(step.node, number, slot):
                return tuple([int(k == at) for k in range(len(space))])
            return broadcast(own if len(own) == len(space) else lacking, space)

        operands = tuple([(slot, strides(number, slot)) for number, slot in enumerate(step.inputs)])
        form = lane_forms.of_row(native.form, step.node, step.params)
        if not native.picks:
            return self._checked(LoopStep(step, space, operands, step.out, dense(space), form, along=at), native)
        lanes, reduced = lane_forms.picked(step.node.dtype), (at,)
        item = LoopStep(step, space, operands, step.out, kept(space, reduced), form, lanes, reduced, at)
        return self._checked(item, native)

    def lies_along(self, node: Node, number: int, slot: int) -> bool:
        """Whether an operand is a vector along the dimension whose places are looked at."""
        return self.shared(slot)

    def _checked(self, item: LoopStep | None, native: Any) -> LoopStep | None:
        """The item, noting what has to be looked at for it."""
        if item is not None and (found := native.check(item.step.node)) is not None:
            number, function = found
            slot, node = self.source.get(item.step.inputs[number], item.step.inputs[number]), item.step.node
            if all(known.slot != slot or known.node.params != node.params for known in self.checks):
                self.checks.append(Check(slot, function, node, item.table is not None))
        return item

    def _along(self, slot: int, out: int) -> Shape:
        """The strides of a value along the rows of another one that it is broadcast to."""
        shape, (node, axis) = self.one.slots[slot][0].shape, self.one.slots[out]
        # What all rows share is 1 long along them.
        shape = (1,) * (node.ndim - len(shape)) + shape
        return broadcast(shape[:axis] + shape[axis + 1 :], self.rest(out))

    def _reduction(self, step: Step) -> LoopStep | None:
        source = self.apart.get(step.inputs[0], step)
        accumulate, slot = source.node.op.blocking.accumulate, source.inputs[0]
        axis = self.one.slots[slot][1]
        lanes = None if accumulate is None else accumulate.lanes_for(step.node)
        if lanes is None or axis < 0:
            return None
        space = self.rest(slot)
        reduced = tuple([beside_axis(dim, axis) for dim in source.node.params["dim"]])
        strides = kept(space, reduced)
        return LoopStep(step, space, ((slot, dense(space)),), step.out, strides, lane_forms.first, lanes, reduced)

    def _sum(self, step: Sum) -> LoopStep | None:
        lanes, slot = step.accumulate.lanes_for(step.node), step.inputs[0]
        if lanes is None or any(map(self.shared, step.inputs)):
            return None
        space, axis = self.rest(slot), self.one.slots[slot][1]
        reduced = tuple([beside_axis(dim, axis) for dim in step.node.params["dim"] if dim != axis])
        form = lane_forms.product if step.params.get("fused") else lane_forms.first
        operands = tuple([(slot, self._along(slot, step.inputs[0])) for slot in step.inputs])
        return LoopStep(step, space, operands, -1, kept(space, reduced), form, lanes, reduced)

    def contraction(self, step: Step | Sum) -> LoopStep | None:
        """A product: every dimension of an operand is one of the result's, or the one that is summed over."""
        dims = step.node.op.native
        axes = [self.one.slots[slot][1] for slot in step.inputs]
        inner = step.node.inputs[0].shape[-1]
        lengths = (*step.node.shape, inner)
        blocked = {of[axis] for of, axis in zip(dims, axes, strict=True) if axis >= 0}
        if len(blocked) != 1 or (isinstance(step, Sum) != (blocked == {-1})):
            return None
        (rows,) = blocked
        if any(rows in of and axis < 0 for of, axis in zip(dims, axes, strict=True)):
            return None
        order = [dim for dim in (*range(step.node.ndim), -1) if dim != rows]
        space = tuple([lengths[dim] for dim in order])
        operands = []
        for slot, of in zip(step.inputs, dims, strict=True):
            own = [dim for dim in of if dim != rows]
            steps = dict(zip(own, dense(tuple([lengths[dim] for dim in own])), strict=True))
            operands.append((slot, tuple([steps.get(dim, 0) for dim in order])))
        accumulate = step.node.op.blocking.accumulate
        lanes = None if accumulate is None else accumulate.lanes_for(step.node)
        if lanes is None:
            return None
        reduced = () if rows == -1 else (len(order) - 1,)
        out = -1 if isinstance(step, Sum) else step.out
        return LoopStep(step, space, tuple(operands), out, kept(space, reduced), lane_forms.product, lanes, reduced)


def _has_border(rest: Shape, lead: int) -> bool:
    """Whether the places of a row that stand before the blocked dimension are so many steps along whole dimensions."""
    return any(math.prod(rest[:k]) == lead for k in range(len(rest) + 1))


def _constant(step: Step) -> LoopStep:
    number, dtype = step.node.params["value"].item(), step.node.dtype
    return LoopStep(step, (), (), step.out, (), lambda v: v.constant(number, dtype))
