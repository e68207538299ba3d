"""A product of matrices of which each row of a block has its own: tiles of a result are added up in registers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.expressions import LINE
from gradcli.engine.native.group import Group
from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.loops import address_of, lead_address, loop, loop_to, loops, tiles
from gradcli.engine.native.lowering import Lowering
from gradcli.engine.native.processor import vectors_for_results
from gradcli.engine.native.products import PanelProducts, PanelRows
from gradcli.engine.native.row_pieces import by_pieces, in_rows, rows_at_once
from gradcli.engine.native.states import States
from gradcli.engine.native.strides import Shape, dense
from gradcli.engine.native.transpose import columns_of
from gradcli.engine.native.vectors import FLOAT32, FLOAT64
from gradcli.engine.plan.passes import Step
from gradcli.graph.native_forms import NativeView

#: Bytes of the largest matrix: what does not fit in the cache is left to the BLAS, which brings it there in pieces.
_LARGEST = 1 << 20
#: So many rows of the first matrix at most are taken as columns: each of them lies on lines of the cache of its own.
_MOST_LINES = 128


class Roles(NamedTuple):
    """The dimensions of a product's space: its rows, its columns, what is summed over, and those of a batch."""

    rows: int
    columns: int
    inner: int
    batch: tuple[int, ...]


class SeparateProducts:
    """Goes through the matrices of a row one after the other. Each number of a result is one sum in the order of the
    inner dimension, so its bits do not depend on the tiles, which the last ones overlap instead of being smaller."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.lanes = group.lanes
        self.states = States(group, self.lanes, [])
        self.v = VectorBuilder(self.lanes, block="matrices")
        self.head = group.addresses()

    def module(self) -> str:
        """The whole module: `@k(pointers, rows, states)`."""
        v, (item,) = self.v, self.group.phases[0].items
        roles = roles_of(item)
        assert roles is not None
        with loop_to(v, "0", "%n", 1) as row, loops(v, [item.space[dim] for dim in roles.batch]) as indices:
            self._matrix(item, roles, row, indices)
        body = ["entry:", *self.head, "  br label %matrices", "matrices:", *v.lines, "  ret void"]
        function = ["define void @k(ptr %p, i64 %n, ptr noalias %s) {", *body, "}"]
        return "\n\n".join([*sorted(filter(None, v.declarations.values())), "\n".join(function)])

    def _base(self, slot: int, strides: Shape, roles: Roles, row: str, indices: Sequence[str]) -> str:
        """Where a matrix begins."""
        v, size = self.v, self.group.dtype(slot).itemsize
        base = f"%a{self.group.arrays.index(slot)}"
        if slot not in self.group.shared:
            base = lead_address(v, base, str(self.group.width(slot) * size), row)
        return address_of(v, base, indices, [strides[dim] for dim in roles.batch], size)

    def _matrix(self, item: LoopStep, roles: Roles, row: str, indices: list[str]) -> None:
        (x, left), (y, right) = item.operands
        dtype, inner = item.step.node.dtype, item.space[roles.inner]
        rows, columns = item.space[roles.rows], item.space[roles.columns]

        def matrix(slot: int, strides: Shape, first: int, second: int) -> PanelRows:
            base = self._base(slot, strides, roles, row, indices)
            return PanelRows(base, strides[first], item.space[second], dtype, False, along=strides[second])

        a = matrix(x, left, roles.rows, roles.inner)
        b = matrix(y, right, roles.inner, roles.columns)
        out = matrix(item.out, item.strides, roles.rows, roles.columns)
        products = PanelProducts(self.v, self.head, vectors_for_results())
        beside, count = _tile(rows, columns, self.lanes, products.registers)
        wide = min(beside * self.lanes, columns)
        valid = [min(self.lanes, wide - k) for k in range(0, wide, self.lanes)]
        packed = PanelRows("%beside", beside * self.lanes, wide, dtype, True)
        if b.along != 1:
            self.head.append(self.states.reserve("%beside", inner * packed.step * dtype.itemsize))
        with tiles(self.v, columns, wide) as begin:
            panel = b._replace(base=b.at(self.v, 0, begin))
            if b.along != 1:
                self._pack(panel, packed, inner)
                panel = packed
            target = out._replace(base=out.at(self.v, 0, begin))
            with tiles(self.v, rows, count) as first:
                products.some_rows(a, panel, target, first, 0, valid, count)

    def _pack(self, b: PanelRows, packed: PanelRows, inner: int) -> None:
        """Transpose so many columns, which are rows in memory, squares of them in registers."""
        v, wide = self.v, min(inner, self.lanes)
        count = rows_at_once(b.dtype) if by_pieces(v, b.dtype, wide) else self.lanes
        with loop(v, packed.step, count) as column, tiles(v, inner, wide) as k, v.narrowed(count):
            target = packed._replace(base=packed.at(v, k, column))
            rows = in_rows(v, b.at(v, k, column), b.dtype, b.along)
            for j, line in enumerate(columns_of(v, rows, b.dtype, wide)):
                v.store(line, target.at(v, j))


def _tile(rows: int, columns: int, lanes: int, registers: int) -> tuple[int, int]:
    """Vectors beside each other and rows of a tile: those that have the least to do, what overlaps included."""

    def cost(tile: tuple[int, int]) -> int:
        beside, count = tile
        return -(-columns // (beside * lanes)) * -(-rows // count) * (beside * count + beside + count)

    most = max(1, columns // lanes)
    return min(((beside, min(rows, registers // beside)) for beside in range(1, min(4, most, registers) + 1)), key=cost)


# What is taken --------------------------------------------------------------------------------------------------------


def roles_of(item: LoopStep) -> Roles | None:
    """What the dimensions of a product of matrices are; None of one with a vector."""
    (_, left), (_, right) = item.operands
    found: dict[tuple[bool, bool, bool], list[int]] = {}
    for dim, steps in enumerate(zip(left, right, item.strides, strict=True)):
        found.setdefault((steps[0] != 0, steps[1] != 0, steps[2] != 0), []).append(dim)
    rows, columns = found.pop((True, False, True), []), found.pop((False, True, True), [])
    inner, batch = found.pop((True, True, False), []), found.pop((True, True, True), [])
    if found or any(len(dims) != 1 for dims in (rows, columns, inner)):
        return None
    return Roles(rows[0], columns[0], inner[0], tuple(batch))


def separate(reader: Lowering, step: Step) -> LoopStep | None:
    """The item of a step that is such a product, of what views show in their place; None of any other."""
    item = reader.read(step)
    if item is None or len(item) != 1 or not item[0].is_product or len(item[0].operands) != 2:
        return None
    operands = tuple([_shown(reader, slot, strides, item[0].space) for slot, strides in item[0].operands])
    found = replace(item[0], operands=operands)
    return found if takes(reader, found) else None


def takes(reader: Lowering, item: LoopStep) -> bool:
    """Whether such a product is computed here."""
    slots = [*(slot for slot, _ in item.operands), item.out]
    nodes = [reader.one.slots[slot][0] for slot in slots if slot >= 0]
    if {node.dtype for node in nodes} not in ({FLOAT32}, {FLOAT64}) or len(nodes) < 3 or item.shifts:
        return False
    roles = roles_of(item)
    if roles is None or any(reader.shared(slot) or reader.leading(slot) > 1 for slot in slots):
        return False
    sides = sorted(item.space[dim] for dim in (roles.rows, roles.columns, roles.inner))
    size, lanes = nodes[0].dtype.itemsize, LINE // nodes[0].dtype.itemsize
    if sides[-1] * sides[-2] * size > _LARGEST:
        return False
    if item.operands[0][1][roles.inner] != 1 and item.space[roles.inner] > _MOST_LINES:
        return False
    (_, right), columns = item.operands[1], roles.columns
    return item.strides[columns] == 1 and (
        right[columns] == 1 or (right[roles.inner] == 1 and item.space[columns] >= lanes)
    )


def _shown(reader: Lowering, slot: int, strides: Shape, space: Shape) -> tuple[int, Shape]:
    """An operand, or what it is a view of."""
    step = next((s for s in reader.one.steps if isinstance(s, Step) and s.out == slot), None)
    if step is None or not step.node.op.blocking.view or not isinstance(step.node.op.native, NativeView):
        return slot, strides
    view = reader.plain_item(step)
    if view is None or any(view.shifts):
        return slot, strides
    ((source, steps),) = view.operands
    shown = {(own, length): step for own, length, step in zip(dense(view.space), view.space, steps, strict=True)}
    there = [shown.get(place) if place[0] else 0 for place in zip(strides, space, strict=True)]
    if None in there:
        return slot, strides
    return reader.source.get(source, source), tuple([step for step in there if step is not None])
