"""A group as a native function, some rows at a time through each phase: where rows are multiplied by matrices."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from gradcli.engine.native.along_rows import takes_rows
from gradcli.engine.native.columns_across import ColumnsAcross
from gradcli.engine.native.group import Group
from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.loops import address, address_of, loop, loop_to
from gradcli.engine.native.lowering import Lowering
from gradcli.engine.native.phases import Phase
from gradcli.engine.native.processor import vectors_for_results
from gradcli.engine.native.products import PanelProducts, PanelRows
from gradcli.engine.native.states import count_of, places_from, with_one_more
from gradcli.engine.native.transpose import load_under, spread_from, store_under, stored
from gradcli.engine.native.vectors import FLOAT32, FLOAT64, INT64, Vector, element_type

#: Rows of a panel: what is made of them stays in the cache. Where they are long, there are fewer; their number follows
#: from lengths and types alone, since sums of products are in the precision of the operands within a panel.
_ROWS, _FEWEST = 128, 16
_BYTES = 1 << 18
#: Shorter rows are better off across the lanes.
_NARROW = 12


class Panels(ColumnsAcross):
    """Goes through each phase for all rows of a panel. What one phase makes and another one uses is kept for so many
    rows, a row in whole vectors; what is one number a row is a vector of rows, and is computed so."""

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        self.v.block = "begin"
        self.products = PanelProducts(self.v, self.head, vectors_for_results())
        #: What rows are in memory, and matrices that all share, with whole vectors in each row.
        self.kept: dict[int, PanelRows] = {}
        self.packed: dict[ProductOperand, PanelRows] = {}
        self.totals: dict[int, PanelRows] = {}
        #: Rows of a panel, and the one that is gone through just now.
        self.rows = _ROWS
        self.row = "0"

    def module(self) -> str:
        """The whole module: `@k(pointers, rows, states)`."""
        v = self.v
        self._prepare()
        self._start_sums()
        with loop_to(v, "0", "%n", self.rows) as first:
            left, more = v.fresh(), v.fresh()
            v.lines += [
                f"  {left} = sub i64 %n, {first}",
                f"  {more} = icmp ugt i64 {left}, {self.rows}",
                f"  %rows = select i1 {more}, i64 {self.rows}, i64 {left}",
                f"  %first = add i64 {first}, 0",
            ]
            self._begin_panel()
            for phase in self.group.phases:
                self._panel(phase)
        for number, item in enumerate(self.group.sums):
            if item.out < 0 and item.is_product:
                self._write_total(number, item)
        body = v.lines
        function = [
            "define void @k(ptr %p, i64 %n, ptr noalias %s) {",
            "entry:",
            *self.head,
            "  br label %begin",
            "begin:",
            *body,
            *self._finish(v.block),
            "  ret void",
            "}",
        ]
        return "\n\n".join([*sorted(filter(None, v.declarations.values())), "\n".join(function)])

    # Memory -----------------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Memory for what is kept of a panel, for the matrices in whole vectors, and for sums of products."""
        group = self.group
        for k, slot in enumerate(group.inputs):
            if slot in group.shared:
                self.base[slot] = f"%a{k}"
                if group.width(slot) == 1:
                    with self._in_head():
                        self.same[slot] = spread_from(self.v, f"%a{k}", group.dtype(slot))
        made = {item.out: phase for phase in group.phases for item in phase.items if item.out >= 0}
        kept: dict[int, PanelRows] = {}
        for phase in group.phases:
            for item in phase.items:
                for slot, _ in item.operands:
                    alone = made.get(slot) is phase and not item.is_product
                    if slot in made and slot not in group.outs and not alone:
                        width = group.width(slot)
                        step = 1 if width == 1 else self._padded(width)
                        kept[slot] = PanelRows(f"%kept{slot}", step, width, stored(group.dtype(slot)), True)
                if item.is_product:
                    self._prepare_product(item)
        row = sum(matrix.step * matrix.dtype.itemsize for matrix in kept.values())
        while self.rows > _FEWEST and self.rows * row > _BYTES:
            self.rows //= 2
        self.kept |= kept
        for matrix in kept.values():
            self.head.append(self.states.reserve(matrix.base, self.rows * matrix.step * matrix.dtype.itemsize))

    def _prepare_product(self, item: LoopStep) -> None:
        a, b = self._factors(item)
        if item.out >= 0:
            if b not in self.packed:
                self.packed[b] = self._pack(b)
            return
        number = self.group.sums.index(item)
        step = self._padded(b.width)
        self.totals[number] = PanelRows(f"%total{number}", step, b.width, FLOAT64, True)
        size = a.width * step * 8
        self.head.append(self.states.reserve(f"%total{number}", size))
        self._clear(f"%total{number}", size)

    def _clear(self, name: str, size: int) -> None:
        self.v.declarations["@llvm.memset"] = "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)"
        self.v.lines.append(f"  call void @llvm.memset.p0.i64(ptr {name}, i8 0, i64 {size}, i1 false)")

    def _pack(self, b: ProductOperand) -> PanelRows:
        """A shared matrix with the sum's dimension first, a row in whole vectors; a vector is one row."""
        v, dtype = self.v, self.group.dtype(b.slot)
        matrix = PanelRows(f"%packed{b.slot}.{b.along}", self._padded(b.width), b.width, dtype, True)
        size = b.height * matrix.step * dtype.itemsize
        self.head.append(self.states.reserve(matrix.base, size))
        self._clear(matrix.base, size)
        kind, value = element_type(dtype), v.fresh()
        with loop(v, b.height, 1) as k, loop(v, b.width, 1) as n:
            source = address_of(v, self.base[b.slot], [k, n], [b.along, b.step], dtype.itemsize)
            v.lines.append(f"  {value} = load {kind}, ptr {source}, align {dtype.itemsize}")
            target = matrix.at(v, k, n)
            v.lines.append(f"  store {kind} {value}, ptr {target}, align {dtype.itemsize}")
        return matrix

    def _begin_panel(self) -> None:
        """Where the panel's rows lie in the arrays."""
        group, v = self.group, self.v
        for k, slot in enumerate(group.arrays):
            if slot in group.shared:
                continue
            dtype, width = stored(group.dtype(slot)), group.width(slot)
            v.lines += [
                f"  %o{k} = mul i64 %first, {width * dtype.itemsize}",
                f"  %r{k} = getelementptr i8, ptr %a{k}, i64 %o{k}",
            ]
            self.kept[slot] = PanelRows(f"%r{k}", width, width, dtype, False)

    # Phases -----------------------------------------------------------------------------------------------------------

    def _panel(self, phase: Phase) -> None:
        plain = Phase(phase.space, phase.reduced, [item for item in phase.items if not item.is_product])
        if plain.items and not plain.space:
            self._numbers(plain.items)
        elif plain.items:
            with loop_to(self.v, "0", "%rows", 1) as row:
                self._at_row(plain.items, row)
                self._phase(plain)
        for item in phase.items:
            if item.is_product:
                self._product(item)

    def _product(self, item: LoopStep) -> None:
        a, b = self._factors(item)
        left = self._rows_of(item, a)
        if item.out < 0:
            self.products.over_rows(left, self._rows_of(item, b), self.totals[self.group.sums.index(item)], "%rows")
        elif len(item.space) == 2:
            self.products.of_rows(left, self.packed[b], self.kept[item.out], "%rows")
        else:
            self._with_vector(left, self.packed[b], item)

    def _rows_of(self, item: LoopStep, factor: ProductOperand) -> PanelRows:
        """An operand, whose rows of the next panel are asked for by the last product that goes through them once."""
        users = [
            other
            for phase in self.group.phases
            for other in phase.items
            if other.is_product and factor.slot in self._once(other)
        ]
        ahead = self.rows if users[-1:] == [item] and factor.slot in self.group.inputs else 0
        return self.kept[factor.slot]._replace(ahead=ahead)

    def _once(self, item: LoopStep) -> list[int]:
        a, b = self._factors(item)
        return [a.slot] if item.out >= 0 else [b.slot] if a.width == 1 and b.width <= 4 * self.lanes else []

    def _with_vector(self, left: PanelRows, vector: PanelRows, item: LoopStep) -> None:
        """One number a row; where it goes to an array, by way of whole vectors."""
        target, v = self.kept[item.out], self.v
        spare = f"%spare{item.out}"
        self.head.append(self.states.reserve(spare, self.lanes * left.step * left.dtype.itemsize))
        if target.padded:
            self.products.with_vector(left, vector, target, "%rows", spare)
            return
        name = f"%dots{item.out}"
        own = PanelRows(name, 1, 1, target.dtype, True)
        self.head.append(self.states.reserve(name, self.rows * target.dtype.itemsize))
        self.products.with_vector(left, vector, own, "%rows", spare)
        with loop_to(v, "0", "%rows", self.lanes) as row:
            store_under(v, self._valid(row), v.load(own.at(v, row), own.dtype), target.at(v, row))

    # One number a row -------------------------------------------------------------------------------------------------

    def _valid(self, row: str) -> Vector:
        """Which lanes are rows of the panel."""
        return places_from(self.v, row) < self.v.spread("%rows", INT64)

    def _numbers(self, items: Sequence[LoopStep]) -> None:
        """Values of which a row has one, a vector of rows at a time."""
        v = self.v
        with loop_to(v, "0", "%rows", self.lanes) as row:
            mask, here = self._valid(row), dict(self.same)
            for item in items:
                for slot, _ in item.operands:
                    if slot not in here:
                        matrix = self.kept[slot]
                        value = load_under(v, None if matrix.padded else mask, matrix.at(v, row), matrix.dtype)
                        here[slot] = value != 0 if self.group.dtype(slot).kind == "b" else value
                assert item.form is not None
                value = item.form(v, *[here[slot] for slot, _ in item.operands])
                if item.lanes is not None and item.out < 0:
                    self._sum_numbers(item, value, mask, row)
                    continue
                if item.lanes is not None:
                    state = with_one_more(v, item, item.lanes.start(v, value.dtype), value, v.constant(0, INT64))
                    value = item.lanes.result(v, item.lanes.settle(v, state), count_of(item), item.step.node)
                here[item.out] = value
                if item.out in self.kept:
                    matrix = self.kept[item.out]
                    store_under(v, None if matrix.padded else mask, value, matrix.at(v, row))

    def _sum_numbers(self, item: LoopStep, value: Vector, mask: Vector, row: str) -> None:
        v, number = self.v, self.group.sums.index(item)
        dtypes = self.states.parts[number]
        names = [f"%sum{number}.{part}" for part in range(len(dtypes))]
        before = [v.load(name, dtype) for name, dtype in zip(names, dtypes, strict=True)]
        assert item.lanes is not None
        after = with_one_more(v, item, before, value, self._rows_from(row) if item.lanes.indexed else None)
        for name, new, old in zip(names, after, before, strict=True):
            v.store(v.select(mask, new, old), name)

    def _rows_from(self, row: str) -> Vector:
        return places_from(self.v, row) + self.v.spread("%first", INT64)

    # Several of them --------------------------------------------------------------------------------------------------

    def _at_row(self, items: Sequence[LoopStep], row: str) -> None:
        """Where what is used of a row lies."""
        made = {item.out for item in items}
        self.row = row
        for slot in dict.fromkeys([slot for item in items for slot, _ in item.operands] + sorted(made)):
            if slot in self.group.shared or slot < 0:
                continue
            self.same.pop(slot, None)
            self.base.pop(slot, None)
            if slot in self.kept:
                self.base[slot] = self.kept[slot].at(self.v, row)
                if slot not in made and self.group.width(slot) == 1:
                    self.same[slot] = spread_from(self.v, self.base[slot], self.group.dtype(slot))

    def _phase(self, phase: Phase) -> None:
        super()._phase(phase)
        # They are those of this row alone.
        for item in phase.items:
            for slot in (item.out, *(slot for slot, _ in item.operands)):
                if slot not in self.group.shared:
                    self.same.pop(slot, None)

    # Sums over the rows -----------------------------------------------------------------------------------------------

    def _start(self, number: int, item: LoopStep) -> None:
        if number not in self.totals:
            super()._start(number, item)

    def _settle(self, number: int, item: LoopStep) -> None:
        if number not in self.totals:
            super()._settle(number, item)

    def _write_total(self, number: int, item: LoopStep) -> None:
        """A sum of products, from whole vectors to where it belongs."""
        v, total = self.v, self.totals[number]
        a, b = self._factors(item)
        states = address(v, "%s", self.states.place(number, 0, 0))
        value = v.fresh()
        with loop(v, a.width, 1) as m, loop(v, b.width, 1) as n:
            source = total.at(v, m, n)
            v.lines.append(f"  {value} = load double, ptr {source}, align 8")
            target = address_of(v, states, [m, n], [a.step, b.step], 8)
            v.lines.append(f"  store double {value}, ptr {target}, align 8")

    def _index(self, item: LoopStep, indices: list[str]) -> Vector:
        if item.out < 0:
            return self.v.spread(self.row, INT64) + self.v.spread("%first", INT64)
        return super()._index(item, indices)

    def _factors(self, item: LoopStep) -> tuple[ProductOperand, ProductOperand]:
        return factors(self.group.shared.__contains__, item, self.lanes)


# What is taken --------------------------------------------------------------------------------------------------------


class ProductOperand(NamedTuple):
    """An operand of a product: `width` columns with `step` elements between them, in what is given out where rows are
    summed up, and `height` rows, `along` elements from each to the next, of a matrix that all rows share."""

    slot: int
    width: int
    step: int
    height: int = 1
    along: int = 0


def factors(shared: Callable[[int], bool], item: LoopStep, lanes: int) -> tuple[ProductOperand, ProductOperand]:
    """The two operands: that whose elements are taken one by one, and that which is taken in vectors."""
    (x, first), (y, second) = item.operands
    if item.out >= 0:
        (own, _), (other, steps) = (item.operands[::-1]) if shared(x) else item.operands
        inner = item.space[-1]
        if len(item.space) == 1:
            return ProductOperand(own, inner, 1), ProductOperand(other, inner, steps[0])
        return ProductOperand(own, inner, 1), ProductOperand(other, item.space[0], steps[0], inner, steps[1])
    pair = []
    for slot, steps in ((x, first), (y, second)):
        dim = next((dim for dim, step in enumerate(steps) if step), -1)
        width, step = (item.space[dim], item.strides[dim]) if dim >= 0 else (1, 0)
        pair.append(ProductOperand(slot, width, step))
    a, b = pair
    return (a, b) if a.width * -(-b.width // lanes) <= b.width * -(-a.width // lanes) else (b, a)


def takes(reader: Lowering, item: LoopStep) -> bool:
    """Whether an item can be computed for the rows of a panel: a product that is not too large, or rows without any
    dimensions but one."""
    slots = [slot for slot, _ in item.operands] + ([item.out] if item.out >= 0 else [])
    own = [slot for slot in slots if not reader.shared(slot)]
    if item.table is not None or any(reader.leading(slot) > 1 for slot in own) or len(item.space) > 2:
        return False
    if item.is_product:
        return _takes_product(reader, item)
    if len(item.space) > 1 or not takes_rows(reader, item):
        return False
    return bool(item.space) or (item.along < 0 and all(math.prod(reader.rest(slot)) == 1 for slot in slots))


def _takes_product(reader: Lowering, item: LoopStep) -> bool:
    dtypes = {reader.one.slots[slot][0].dtype for slot, _ in item.operands} | {item.step.node.dtype}
    if dtypes not in ({FLOAT32}, {FLOAT64}) or item.is_large_product or item.shifts:
        return False
    (x, first), (y, second) = item.operands
    own = [(slot, steps) for slot, steps in item.operands if not reader.shared(slot)]
    if item.out >= 0:
        last = (0,) * (len(item.space) - 1) + (1,)
        return len(own) == 1 and own[0][1] == last and math.prod(reader.rest(own[0][0])) == item.space[-1]
    apart = not any(a and b for a, b in zip(first, second, strict=True))
    return (
        len(own) == 2
        and apart
        and all(sum(steps) <= 1 for _, steps in own)
        and all(
            math.prod(reader.rest(slot)) == math.prod(n for n, step in zip(item.space, steps, strict=True) if step)
            for slot, steps in own
        )
    )


def worth_it(items: Iterable[LoopStep]) -> bool:
    """Whether there is a product of rows that are not better off across the lanes."""
    return any(item.is_product and max(item.space) >= _NARROW for item in items)
