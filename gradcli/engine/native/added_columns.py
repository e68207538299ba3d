"""Elements added up at places along the first dimension, where a pass goes along the second one: each column has sums
of its own, and neighbouring columns are neighbours in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from gradcli.engine.native import lane_forms
from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.group import Group
from gradcli.engine.native.lookups import add_each, lane_offsets, place_within
from gradcli.engine.native.loop_steps import Check, LookupTable, LoopStep
from gradcli.engine.native.loops import ask, in_masked_vectors, lead_address, loop, loop_to
from gradcli.engine.native.lowering import DTYPES, Lowering
from gradcli.engine.native.states import States
from gradcli.engine.native.strides import dense
from gradcli.engine.native.transpose import load_under, store_under, stored
from gradcli.engine.native.vectors import FLOAT64, Vector
from gradcli.engine.plan.passes import Step
from gradcli.graph.native_forms import NativeAdded

#: Bytes of what is looked at in no order, which fit into the second-level cache; of few columns they may be more.
_NEAR, _MOST = 1 << 20, 1 << 24
#: So many columns are few, and at most so many are taken at once.
_FEW, _MOST_COLUMNS = 32, 256
#: Memory is asked for so many rows ahead: the next one is too far away for the processor to know by itself.
_AHEAD = 8
_SIZE = FLOAT64.itemsize

#: What is done with a row: its place, the first column, and how many there are.
Walk = Callable[[str, str, str], None]


class ColumnWalk:
    """Goes through some columns at a time, and through the rows of these: `walks` are how many there are each time, and
    what is done with one. `taken` are the bytes that all rows of a column take together."""

    def __init__(self, group: Group, taken: int) -> None:
        ((self.item,),) = [phase.items for phase in group.phases]
        assert self.item.table is not None
        self.group, self.table = group, self.item.table
        self.lanes = group.lanes
        self.states = States(group, self.lanes, [])
        self.v = VectorBuilder(self.lanes, block="columns")
        self.columns = columns_at_once(taken, self.lanes)
        before, self.tail = self.states.marking()
        self.head = [*group.addresses(), *before]

    def walks(self) -> Sequence[tuple[int, Walk]]:
        raise NotImplementedError

    def module(self) -> str:
        """The whole module: `@k(pointers, rows, states)`."""
        v = self.v
        v.declarations["@llvm.umin.i64"] = "declare i64 @llvm.umin.i64(i64, i64)"
        count = v.fresh()
        v.lines.append(f"  {count} = mul i64 %n, {self.group.trail(self.item.out)}")
        with loop_to(v, "0", count, self.columns) as first:
            left, many = v.fresh(), v.fresh()
            v.lines.append(f"  {left} = sub i64 {count}, {first}")
            v.lines.append(f"  {many} = call i64 @llvm.umin.i64(i64 {left}, i64 {self.columns})")
            for rows, walk in self.walks():
                with loop(v, rows, 1) as row:
                    walk(row, first, many)
        body = ["entry:", *self.head, "  br label %columns", "columns:", *v.lines, *self.tail, "  ret void"]
        function = ["define void @k(ptr %p, i64 %n, ptr noalias %s) {", *body, "}"]
        return "\n\n".join([*sorted(filter(None, v.declarations.values())), "\n".join(function)])

    def row(self, slot: int, row: str, first: str, ahead: bool = False) -> str:
        """The address of the first of the columns in a row of an array; one in a row further on may be asked for."""
        v, k, size = self.v, self.group.arrays.index(slot), stored(self.group.dtype(slot)).itemsize
        at = lead_address(v, f"%a{k}", str(size), first)
        if self.group.lead(slot) == 1:
            return at
        at = lead_address(v, at, f"%l{k}", row)
        if ahead:
            ask(v, lead_address(v, at, f"%l{k}", _AHEAD), self.columns * size)
        return at

    def load(self, base: str, at: str, slot: int, mask: Vector | None) -> Vector:
        dtype = self.group.dtype(slot)
        return load_under(self.v, mask, lead_address(self.v, base, str(dtype.itemsize), at), dtype, "zeroinitializer")


class AddedColumns(ColumnWalk):
    """Sums begin in double precision, elements are added row by row, and the sums are written as the result has
    them."""

    def __init__(self, group: Group) -> None:
        ((item,),) = [phase.items for phase in group.phases]
        assert item.table is not None
        super().__init__(group, item.table.length * _SIZE)
        self.head.append(self.states.reserve("%sums", self.table.length * self.columns * _SIZE))

    def walks(self) -> Sequence[tuple[int, Walk]]:
        length = self.table.length
        return (length, self._begin), (self.item.space[0], self._add), (length, self._end)

    def _sums(self, row: str) -> str:
        return lead_address(self.v, "%sums", str(self.columns * _SIZE), row)

    def _begin(self, row: str, first: str, many: str) -> None:
        """The sums of a row are zeros, or what they begin with."""
        v, start = self.v, self.item.start
        base, sums = "" if start < 0 else self.row(start, row, first, ahead=True), self._sums(row)
        for at, mask in in_masked_vectors(v, many):
            value = v.constant(0, FLOAT64)
            if start >= 0:
                value = v.cast(self.load(base, at, start, mask), FLOAT64)
            v.store(value, lead_address(v, sums, str(_SIZE), at))

    def _add(self, row: str, first: str, many: str) -> None:
        """The elements of a row go to their places, those of no column to the first one, as zeros."""
        v, item = self.v, self.item
        (source, _), (places, _) = item.operands[-2:]
        values, theirs = (self.row(slot, row, first, ahead=True) for slot in (source, places))
        for at, mask in in_masked_vectors(v, many):
            place = place_within(v, self.load(theirs, at, places, mask), self.table, v.lanes)
            value = v.cast(self.load(values, at, source, mask), FLOAT64)
            offset = place * (self.columns * _SIZE) + lane_offsets(v, _SIZE)
            add_each(v, lead_address(v, "%sums", str(_SIZE), at), offset, value, v.lanes)

    def _end(self, row: str, first: str, many: str) -> None:
        """Write the sums of a row."""
        v, out = self.v, self.item.out
        base, sums = self.row(out, row, first), self._sums(row)
        for at, mask in in_masked_vectors(v, many):
            value = v.cast(v.load(lead_address(v, sums, str(_SIZE), at), FLOAT64), self.group.dtype(out))
            store_under(v, mask, value, lead_address(v, base, str(value.dtype.itemsize), at))


def columns_at_once(size: int, lanes: int) -> int:
    """Whole vectors of columns that take so many bytes each."""
    columns = max(min(_NEAR // size, _MOST_COLUMNS), min(_FEW, _MOST // size))
    return max(lanes, columns // lanes * lanes)


def columns_added(reader: Lowering, step: Step, form: NativeAdded) -> tuple[LoopStep, list[Check]] | None:
    """The item of a step that adds elements up so, and what has to be looked at for it; None where it does not."""
    node = step.node
    found = form.rule(node)
    if found is None or found[0] != 0:
        return None
    start, source, places = found[1:]
    index, shape = node.inputs[places], node.shape
    alike = node.inputs[source].shape == index.shape and index.shape[1:] == shape[1:]
    if not alike or (start is not None and node.inputs[start].shape != shape) or not (index.size and node.size):
        return None
    numbers = [source, places] if start is None else [start, source, places]
    slots = [reader.source.get(step.inputs[k], step.inputs[k]) for k in numbers]
    space = (index.shape[0], *shape[2:])
    ways = [dense(space)] * 2 if start is None else [(0,) * len(space), *[dense(space)] * 2]
    item = LoopStep(
        step,
        space,
        tuple(zip(slots, ways, strict=True)),
        step.out,
        (0, *dense(shape[2:])),
        lane_forms.first,
        lane_forms.picked(FLOAT64),
        table=LookupTable(math.prod(shape[2:]), shape[0]),
    )
    if not takes_columns(reader, item):
        return None
    check = form.check(node)
    return item, [] if check is None else [Check(slots[numbers.index(check[0])], check[1], node, True)]


def takes_columns(reader: Lowering, item: LoopStep) -> bool:
    """Whether all arrays are cut along their second dimension, and sums of the fewest columns fit the cache."""
    assert item.table is not None
    return are_columns(reader, item, item.table.length * _SIZE)


def are_columns(reader: Lowering, item: LoopStep, size: int) -> bool:
    """Whether all arrays are cut along their second dimension, and so many bytes for each of the fewest columns are not
    too many."""
    slots = [reader.one.slots[slot] for slot in (item.out, *(slot for slot, _ in item.operands))]
    plain = all(axis == 1 and node.dtype in DTYPES for node, axis in slots)
    return plain and size * columns_at_once(size, 8) <= _MOST
