"""From the nodes of a pass to the steps on one block: places for values, scratch buffers, kernels."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from gradcli.engine.plan.block_sizes import MOST_TILES, block_length, block_rows, is_transposed
from gradcli.engine.plan.buffers import BufferForm, Buffers, Lender, Loans
from gradcli.engine.plan.leaf_views import is_packed, leaf_of
from gradcli.engine.plan.pass_nodes import PassNodes
from gradcli.engine.plan.passes import CALL, INTO, UFUNC, Cut, Pass, Step, Sum, Write
from gradcli.engine.plan.program import Sizes, work_of
from gradcli.engine.plan.schedule import Schedule
from gradcli.graph.node import Node
from gradcli.ops.accumulators import MEAN, SUM
from gradcli.ops.moments import MEAN_OF_MOMENTS, MOMENTS, STD, VAR

# Rows are laid side by side until they are this long.
_LONG_ROW = 1024

Key = tuple[Node, int | None]


class PassBuilder:
    """Builds one pass. `number` gives the number of a kept array in the program, making one where there is none."""

    def __init__(self, schedule: Schedule, nodes: PassNodes, number: Any, sizes: Sizes) -> None:
        self.schedule = schedule
        self.nodes = nodes
        self.number = number
        self.files = schedule.files
        self.at_hand = schedule.at_hand
        self.inside = set(nodes.blocks)
        self.slots: list[tuple[Node, int]] = []
        self.place: dict[Key, int] = {}
        self.cuts: list[Cut] = []
        self.shared: list[tuple[int, int]] = []
        self.steps: list[Step | Sum | Cut] = []
        self.buffers = Buffers()
        self.loans = Loans({})
        self.fused: set[Node] = set()
        self.ends: dict[int, list[Key]] = {}
        self.order = schedule.in_order(self.inside.union(nodes.reductions))
        self.length = block_length(schedule, nodes)
        self.rows = block_rows(schedule, self.order, self.inside, self.length, sizes)
        self.transposed = is_transposed(schedule, self.order, self.inside, self.length, self.rows)

    def build(self) -> Pass:
        sums: list[Sum] = []
        writes: list[Write] = []
        last = self._last_uses()
        targets = {node: self.number(node) for node in self.nodes.filled}
        self.loans = Loans(self._lenders(last))
        # What a reduction needs is computed right before it, as far as the order allows.
        for at, node in enumerate(self.order):
            if node in self.inside:
                if node not in self.fused:
                    self._add_step(node, targets.get(node), last, at)
            else:
                # Right here: the buffers of its operands may take other values next.
                sums.append(self._shared_state(self._sum(node), sums))
                self.steps.append(sums[-1])
            for slot in self._ending(at):
                self.buffers.release(slot)
                self.loans.release(slot)
        for node, value in targets.items():
            slot = self.place[node, self.schedule.axes[node][1]]
            step = next((s for s in self.steps if isinstance(s, Step) and s.out == slot), None)
            direct = step is not None and step.target == value
            streamed = node in self.schedule.streamed
            writes.append(Write(slot, value, self.schedule.axes[node][1], not direct, streamed))
        return Pass(
            self.length,
            self.rows,
            self.cuts,
            self.shared,
            self.steps,
            sums,
            writes,
            self.buffers.sizes,
            self.slots,
            self.transposed,
            self._loose(sums),
            sum(map(work_of, self.order)),
        )

    def _loose(self, sums: list[Sum]) -> int:
        """Bytes of a row that are held beside the buffers: what kernels make, what has gaps and is added up by NumPy,
        and rows that several parts of a file are read with, which are twice as wide at most."""
        made = [s.node for s in self.steps if isinstance(s, Step) and s.kind == CALL and not s.node.op.blocking.view]
        gaps = {cut.slot for cut in self.cuts if cut.axis and cut.buffer < 0}
        copied = {slot for item in sums for slot in item.inputs if slot in gaps}
        read = [self.slots[cut.slot][0] for cut in self.cuts if cut.file]
        parts = Counter(map(leaf_of, read))
        shared = [node for node in read if parts[leaf_of(node)] > 1]
        held = [*made, *(self.slots[slot][0] for slot in copied), *shared, *shared]
        return sum(node.nbytes // self.length for node in held)

    # Values -----------------------------------------------------------------------------------------------------------

    def _slot(self, node: Node, axis: int | None) -> int:
        slot = len(self.slots)
        self.slots.append((node, -1 if axis is None else axis))
        self.place[node, axis] = slot
        return slot

    def operand(self, node: Node, child: Node, wanted: int | None) -> int:
        """The place of an operand among the block's values."""
        known = self.place.get((child, wanted))
        if known is not None:
            return known
        slot = self._slot(child, wanted)
        value = self.number(child)
        if wanted is None:
            self.shared.append((slot, value))
            return slot
        buffer = -1
        wide = self.transposed and child.size > self.length
        # Memory is read in the order that a file is: NumPy's last bits depend on it.
        gaps = child in self.at_hand and child not in self.files and not is_packed(child)
        if child in self.files or wide or gaps:
            buffer = self.buffers.take(slot, self._row_bytes(child))
        cut = Cut(value, wanted, slot, buffer, child in self.files, gaps)
        self.cuts.append(cut)
        if buffer >= 0:
            # Right before it is needed: until then the buffer holds other values.
            self.steps.append(cut)
        return slot

    def _operands(self, node: Node) -> tuple[int, ...]:
        found = zip(node.inputs, self.schedule.dims[node], strict=True)
        return tuple([self.operand(node, child, wanted) for child, wanted in found])

    # Buffers ----------------------------------------------------------------------------------------------------------

    def _last_uses(self) -> dict[Key, int]:
        """The last step that looks at each value, views counting as looks at what they show."""
        last: dict[Key, int] = {}
        order = self.order
        self._fuse()
        base: dict[Node, Node] = {}
        for at, node in enumerate(order):
            source = node.inputs[0] if node.inputs and node.inputs[0] in self.fused else node
            for key in zip(source.inputs, self.schedule.dims[source], strict=True):
                last[key] = at
            if node.op.blocking.view and node in self.inside:
                base[node] = node.inputs[0]
        for node in reversed(order):
            if node in base:
                own = last.get((node, self.schedule.axes[node][1]), -1)
                child, wanted = node.inputs[0], self.schedule.dims[node][0]
                last[child, wanted] = max(last.get((child, wanted), -1), own)
        for node in self.nodes.filled:
            # Until the end of the block: what is written may be a view of it.
            last[node, self.schedule.axes[node][1]] = len(order)
            while node in base:
                node = node.inputs[0]
                for wanted in range(-1, node.ndim):
                    key = node, None if wanted < 0 else wanted
                    if key in last:
                        last[key] = len(order)
        self.ends = {}
        for key, at in last.items():
            self.ends.setdefault(at, []).append(key)
        return last

    def _ending(self, at: int) -> list[int]:
        """The slots that nobody looks at after this step."""
        return [self.place[key] for key in self.ends.get(at, ()) if key in self.place]

    def _lenders(self, last: dict[Key, int]) -> dict[BufferForm, list[Lender]]:
        """The results that are written in place, by form: until then, other values of that form can lie there."""
        lenders: dict[BufferForm, list[Lender]] = {}
        if self.transposed:
            return lenders
        # Arrays that were kept may live in the memory of a result of their form: see `gradcli.engine.plan.assemble`.
        kept: dict[BufferForm, int] = {}
        for (child, axis), end in last.items():
            if axis == 0 and child not in self.inside and child in self.schedule.kept:
                form = child.shape, child.dtype
                kept[form] = max(kept.get(form, -1), end)
        filled = set(self.nodes.filled)
        for at, node in enumerate(self.order):
            if node not in filled or node in self.schedule.streamed or self.schedule.axes[node][1] != 0:
                continue
            kind = self._kernel(node)[1]
            if kind != CALL:
                form = node.shape, node.dtype
                lender = Lender(self.number(node), kept.get(form, -1), at, kind == UFUNC)
                lenders.setdefault(form, []).append(lender)
        return lenders

    # Steps ------------------------------------------------------------------------------------------------------------

    def _fuse(self) -> None:
        """Products that only a full sum looks at become part of it, as a dot product."""
        users = Counter(child for node in self.order for child in node.inputs)
        for node in self.order:
            product = node.inputs[0] if node.inputs else None
            if (
                node not in self.inside
                and node.op.blocking.accumulate in (SUM, MEAN)
                and product in self.inside
                and product is not None
                and product.op.powers == (1, 1)
                and users[product] == 1
                and product not in self.schedule.stored
                and product.inputs[0].shape == product.inputs[1].shape
                and len(node.params["dim"]) == product.ndim
                and product.dtype.kind == "f"
                and (product.inputs[0] is product.inputs[1] or product.dtype.itemsize == 8)
            ):
                self.fused.add(product)

    def _sum(self, node: Node) -> Sum:
        accumulate = node.op.blocking.accumulate
        assert accumulate is not None
        product = node.inputs[0]
        if product in self.fused:
            return Sum(node, accumulate, self._operands(product), {**node.params, "fused": True}, self.number(node))
        return Sum(node, accumulate, self._operands(node), node.params, self.number(node))

    def _shared_state(self, item: Sum, sums: list[Sum]) -> Sum:
        """A variance that comes after the mean of the same numbers has that mean's state, and the other way round."""
        moments = (VAR, STD, MOMENTS, MEAN_OF_MOMENTS)
        for k, other in enumerate(sums):
            same = other.inputs == item.inputs and other.node.params.get("dim") == item.node.params.get("dim")
            if not same or other.like >= 0:
                continue
            if other.accumulate in moments and item.accumulate in (*moments, MEAN):
                accumulate = MEAN_OF_MOMENTS if item.accumulate is MEAN else item.accumulate
                return item._replace(accumulate=accumulate, like=k)
            if other.accumulate is MEAN and item.accumulate in moments:
                changed = other._replace(accumulate=MEAN_OF_MOMENTS)
                self.steps[self.steps.index(other)] = changed
                sums[k] = changed
                return item._replace(like=k)
        return item

    def _add_step(self, node: Node, target: int | None, last: dict[Key, int], at: int) -> None:
        axis = self.schedule.axes[node][1]
        inputs = self._operands(node)
        kernel, kind = self._kernel(node)
        tile = self._tile(node, inputs) if kind != CALL else 0
        into = -1 if target is None or kind == CALL or self.transposed or node in self.schedule.streamed else target
        reused = self._reusable(node, inputs, last, at) if kind == UFUNC else None
        slot = self._slot(node, axis)
        buffer = lent = -1
        if kind != CALL and into < 0:
            if axis == 0:
                # A ufunc reads each place before it writes it, and NumPy looks out for operands that overlap otherwise.
                form, end, over = (node.shape, node.dtype), last.get((node, axis), at), kind == UFUNC
                lent = self.loans.ask(form, slot, at, end, over, self._ending(at))
            if lent < 0:
                row = self._row_bytes(node)
                buffer = self.buffers.take(slot, row) if reused is None else self.buffers.pass_on(reused, slot)
        self.steps.append(Step(kind, node, kernel, inputs, slot, node.params, buffer, into, lent, tile))

    def _row_bytes(self, node: Node) -> int:
        return max(1, node.nbytes // self.length)

    def _kernel(self, node: Node) -> tuple[Any, int]:
        op = node.op
        if op.into is not None:
            return op.into, INTO
        if isinstance(op.kernel, np.ufunc) and op.family == "elementwise":
            return op.kernel, UFUNC
        return op.kernel, CALL

    def _reusable(self, node: Node, inputs: tuple[int, ...], last: dict[Key, int], at: int) -> int | None:
        """An operand whose buffer can take the result, because nobody looks at it any more."""
        for child, wanted, slot in zip(node.inputs, self.schedule.dims[node], inputs, strict=True):
            if slot not in self.buffers or child.dtype != node.dtype or child.shape != node.shape:
                continue
            if last[child, wanted] <= at:
                return slot
        return None

    def _tile(self, node: Node, inputs: tuple[int, ...]) -> int:
        """How many rows are laid side by side where a row is broadcast over a block, 0 for no such thing.

        NumPy goes through short rows one by one; side by side they are long ones.
        """
        if self.transposed or self.schedule.axes[node][1] != 0 or node.op.family != "elementwise" or node.ndim < 2:
            return 0
        width = node.size // self.length
        row = False
        for child in node.inputs:
            if child.size == 1 or child.shape == node.shape:
                continue
            lead = node.ndim - child.ndim
            if child.shape[max(0, 1 - lead) :] != node.shape[1:] or (lead == 0 and child.shape[0] != 1):
                return 0
            row = True
        if not row or not 1 < width < _LONG_ROW:
            return 0
        tile = 1
        while tile * width < _LONG_ROW and tile < MOST_TILES:
            tile *= 2
        return tile if self.rows % tile == 0 else 0
