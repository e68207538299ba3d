"""Lines added up at places along the first dimension of a whole array, as a native function.

It is called for a range of places and for some of the terms at a time, and takes those that belong there, in their
order: who does which range, how many ranges there are, and how many terms come at once changes no bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.expressions import LINE
from gradcli.engine.native.loops import address, ask, in_masked_vectors, in_vectors, lead_address, loop_to
from gradcli.engine.native.transpose import first_load, first_store, load_under, spread_from, store_under
from gradcli.engine.native.vectors import BOOL, FLOAT64, INT64, Vector, element_type
from gradcli.graph.native_forms import NativeAdded, NativeScatter
from gradcli.graph.node import Node

#: What the function is given: addresses and numbers by name, in this order. `step` are the bytes from each term to the
#: next, `first` is the first place of the range, `wrap` what is added to negative ones; so many sums are `begun` before
#: the terms and `ended` after them. It writes down how many terms it has taken.
ARGUMENTS = ("places", "terms", "start", "out", "step", "count", "first", "wrap", "begun", "ended", "taken")
_ADDRESSES = 4
#: So many terms are looked at before those that belong to the range are added, as noted in so many bytes.
_NOTED = 1 << 10
_NOTES = _NOTED * 8
#: Notes that are looked at ahead of time: memory is asked for what they are about.
_AHEAD = 8
#: So many bytes of them: after these the processor knows by itself what comes.
_ASKED = 1 << 9
#: Bytes of sums of a range, which fit into the second-level cache.
_RANGE = 1 << 20
#: For lines of one element, so many bytes of sums are one range: whoever does another one looks at all terms anyhow.
_ONE_RANGE = 1 << 21
#: Places are numbered in 32 bits.
_MOST_PLACES = 1 << 31
#: As many bytes of terms does the function go through at once: only between two calls does Ctrl-C count.
_AT_ONCE = 1 << 26


@dataclass(frozen=True)
class AddedLines:
    """An operation that adds lines of so many elements up: `start` (or None), `terms` and `places` are the numbers of
    its operands, `sums` is the dtype that is added in, `wraps` says that negative places count from the end, `check`
    complains about places."""

    node: Node
    start: int | None
    terms: int
    places: int
    width: int
    sums: np.dtype
    wraps: bool
    check: Callable[[Any], Any] | None

    def ranges(self, threads: int) -> int:
        """How many there are: more take less memory each, and all terms are looked at for every one."""
        length, size = self.node.shape[0], self.node.size * self.sums.itemsize
        if self.width == 1:
            return min(threads, -(-size // _ONE_RANGE))
        most = min(length, 4 + self.width // 8)
        return max(1, min(most, max(2 * threads, -(-size // _RANGE))))

    def length(self, threads: int) -> int:
        """Places in a range."""
        return -(-self.node.shape[0] // self.ranges(threads))

    def memory(self, threads: int) -> int:
        """Bytes that each of so many threads needs: sums that are rounded in the end are apart from the result."""
        sums = 0 if self.node.dtype == self.sums else self.length(threads) * self.width * self.sums.itemsize
        return _NOTES + _AHEAD * 8 + sums + 2 * LINE

    @property
    def together(self) -> int:
        """Terms that one call goes through."""
        return max(_NOTED, _AT_ONCE // (self.width * self.node.dtype.itemsize))

    @cached_property
    def text(self) -> str:
        """The module of the function."""
        return _Writer(self, alike=False).module()

    @cached_property
    def text_of_alike(self) -> str:
        """The module of a function for terms that are all the first one."""
        return _Writer(self, alike=True).module()


def added_lines(node: Node) -> AddedLines | None:
    """What adds lines up as this operation does; None of others."""
    form = node.op.native
    if not isinstance(form, NativeAdded | NativeScatter) or node.dtype.kind != "f" or not node.size:
        return None
    found = _operands(node, form)
    if found is None or node.shape[0] >= _MOST_PLACES:
        return None
    start, terms, places = found
    count, width = node.inputs[places].size, math.prod(node.shape[1:])
    if not count or node.inputs[terms].size != count * width:
        return None
    check, wraps = form.check(node), isinstance(form, NativeScatter)
    sums = node.dtype if wraps else FLOAT64
    return AddedLines(node, start, terms, places, width, sums, wraps, None if check is None else check[1])


def _operands(node: Node, form: NativeAdded | NativeScatter) -> tuple[int | None, int, int] | None:
    """The numbers of what the sums begin with, of the terms and of their places, if these are in the first dimension
    and whole lines go there."""
    if isinstance(form, NativeScatter):
        along = form.rule(node)
        return (None, 0, 1) if along is not None and along[0][0] == -1 else None
    found = form.rule(node)
    return found[1:] if found is not None and found[0] == 0 and node.inputs[found[3]].ndim == 1 else None


class _Writer:
    """Writes the function down: sums begin, terms are added, sums are rounded where the result is less precise than
    these."""

    def __init__(self, lines: AddedLines, alike: bool) -> None:
        self.node, self.width, self.alike = lines.node, lines.width, alike
        self.dtype, self.sums = lines.node.dtype, lines.sums
        self.index = lines.node.inputs[lines.places].dtype
        self.begins = lines.start is not None
        self.lanes = min(8, 1 << self.width.bit_length() - 1) if self.width > 1 else 8
        self.v = VectorBuilder(self.lanes)
        self.kind = element_type(self.sums)
        self.table = "%out" if self.dtype == self.sums else "%sums"

    def module(self) -> str:
        """The whole module: `@k(arguments, places, memory)`."""
        v = self.v
        for k, name in enumerate(ARGUMENTS[:-1]):
            kind = "ptr" if k < _ADDRESSES else "i64"
            v.lines += [f"  %q{name} = getelementptr i64, ptr %p, i64 {k}", f"  %{name} = load {kind}, ptr %q{name}"]
        v.lines.append(f"  %sums = getelementptr i8, ptr %s, i64 {_NOTES + _AHEAD * 8 + LINE}")
        self._along("%begun", self._begin)
        taken = self._elements() if self.width == 1 else self._lines()
        if self.dtype != self.sums:
            self._along("%ended", self._end)
        place = address(v, "%p", len(ARGUMENTS) - 1, "i64")
        body = [*v.lines, f"  store i64 {taken}, ptr {place}", "  ret void"]
        function = ["define void @k(ptr %p, i64 %n, ptr %s) {", "entry:", *body, "}"]
        return "\n\n".join([*sorted(filter(None, v.declarations.values())), "\n".join(function)])

    def _number(self, text: str) -> str:
        name = self.v.fresh()
        self.v.lines.append(f"  {name} = {text}")
        return name

    # The sums ---------------------------------------------------------------------------------------------------------

    def _along(self, count: str, each: Callable[[str, Vector | None], None]) -> None:
        """Something with so many neighbours, a vector at a time."""
        for at, mask in in_masked_vectors(self.v, count):
            each(at, mask)

    def _order(self) -> Vector:
        return self.v.value(f"<{', '.join(f'i64 {k}' for k in range(self.lanes))}>", INT64)

    def _begin(self, at: str, mask: Vector | None) -> None:
        v, kind = self.v, element_type(self.dtype)
        value = v.constant(0, self.sums)
        if self.begins:
            value = v.cast(load_under(v, mask, address(v, "%start", at, kind), self.dtype), self.sums)
        store_under(v, mask, value, address(v, self.table, at, self.kind))

    def _end(self, at: str, mask: Vector | None) -> None:
        v, kind = self.v, element_type(self.dtype)
        value = load_under(v, mask, address(v, self.table, at, self.kind), self.sums)
        store_under(v, mask, v.cast(value, self.dtype), address(v, "%out", at, kind))

    # Lines ------------------------------------------------------------------------------------------------------------

    def _lines(self) -> str:
        """Look for the terms of the range among some, and add their lines."""
        v = self.v
        v.lines += ["  %taken.p = alloca i64, align 8", "  store i64 0, ptr %taken.p"]
        v.lines += ["  %noted.p = alloca i64, align 8"]
        v.declarations["@llvm.umin.i64"] = "declare i64 @llvm.umin.i64(i64, i64)"
        with loop_to(v, "0", "%count", _NOTED) as start:
            rest = self._number(f"sub i64 %count, {start}")
            many = self._number(f"call i64 @llvm.umin.i64(i64 {rest}, i64 {_NOTED})")
            v.lines.append("  store i64 0, ptr %noted.p")
            places = address(v, "%places", start, element_type(self.index))
            with loop_to(v, "0", many, 1) as k:
                self._note(places, k)
            noted = self._number("load i64, ptr %noted.p")
            before = self._number("load i64, ptr %taken.p")
            v.lines.append(f"  store i64 {self._number(f'add i64 {before}, {noted}')}, ptr %taken.p")
            terms = lead_address(v, "%terms", "%step", start)
            with loop_to(v, "0", noted, 1) as k:
                self._add_line(terms, k)
        return self._number("load i64, ptr %taken.p")

    def _note(self, places: str, k: str) -> None:
        """Note a term and its place; the next note is written over it unless it belongs to the range."""
        kind = element_type(self.index)
        place = self._number(f"load {kind}, ptr {address(self.v, places, k, kind)}")
        if self.index != INT64:
            place = self._number(f"sext {kind} {place} to i64")
        wrapped = self._number(f"add i64 {place}, %wrap")
        negative = self._number(f"icmp slt i64 {place}, 0")
        place = self._number(f"select i1 {negative}, i64 {wrapped}, i64 {place}")
        place = self._number(f"sub i64 {place}, %first")
        inside = self._number(f"icmp ult i64 {place}, %n")
        noted = self._number("load i64, ptr %noted.p")
        note = self._number(f"or i64 {self._number(f'shl i64 {place}, 32')}, {k}")
        self.v.lines.append(f"  store i64 {note}, ptr {address(self.v, '%s', noted, 'i64')}")
        more = self._number(f"add i64 {noted}, {self._number(f'zext i1 {inside} to i64')}")
        self.v.lines.append(f"  store i64 {more}, ptr %noted.p")

    def _add_line(self, terms: str, k: str) -> None:
        """Add the line of a note."""
        v, size, kind = self.v, self.dtype.itemsize, element_type(self.dtype)
        coming = self._number(f"load i64, ptr {address(v, address(v, '%s', k, 'i64'), 8 * _AHEAD)}")
        soon = lead_address(v, terms, "%step", self._number(f"and i64 {coming}, {_NOTED - 1}"))
        ask(v, soon, min(self.width * size, _ASKED))
        note = self._number(f"load i64, ptr {address(v, '%s', k, 'i64')}")
        line = lead_address(v, terms, "%step", self._number(f"and i64 {note}, {2**32 - 1}"))
        width = str(self.sums.itemsize * self.width)
        sums = lead_address(v, self.table, width, self._number(f"lshr i64 {note}, 32"))
        for index, valid in in_vectors(v, self.width):
            value = v.cast(first_load(v, address(v, line, index, kind), self.dtype, valid), self.sums)
            at = address(v, sums, index, self.kind)
            first_store(v, first_load(v, at, self.sums, valid) + value, at, valid)

    # Single elements --------------------------------------------------------------------------------------------------

    def _elements(self) -> str:
        """Add one term after the other: those of other ranges to numbers that nobody looks at, which is faster than to
        guess each time which one it is."""
        v = self.v
        v.lines += [
            f"  %taken.p = alloca {v.type(INT64)}, align {LINE}",
            f"  %table.n = ptrtoint ptr {self.table} to i64",
            "  %idle.n = ptrtoint ptr %s to i64",
        ]
        v.store(v.constant(0, INT64), "%taken.p")
        v.store(v.constant(0, self.sums), "%s")
        self._along("%count", self._add_elements)
        v.declarations["@llvm.vector.reduce.add"] = "declare i64 @llvm.vector.reduce.add.v8i64(<8 x i64>)"
        return self._number(f"call i64 @llvm.vector.reduce.add.v8i64({v.load('%taken.p', INT64).typed})")

    def _add_elements(self, at: str, mask: Vector | None) -> None:
        v, kind = self.v, element_type(self.dtype)
        place = v.cast(load_under(v, mask, address(v, "%places", at, element_type(self.index)), self.index), INT64)
        place = v.settled(place)
        place = v.select(place < 0, place + v.spread("%wrap", INT64), place) - v.spread("%first", INT64)
        inside = v.emit(f"icmp ult {place.typed}, {v.spread('%n', INT64).name}", BOOL)
        inside = inside if mask is None else inside & mask
        v.store(v.load("%taken.p", INT64) + v.cast(inside, INT64), "%taken.p")
        if self.alike:
            value = spread_from(v, "%terms", self.dtype)
        else:
            value = load_under(v, mask, address(v, "%terms", at, kind), self.dtype)
        value, size = v.cast(v.settled(value), self.sums), self.sums.itemsize
        idle = v.spread("%idle.n", INT64) + self._order() * size
        where = v.select(inside, v.spread("%table.n", INT64) + place * size, idle)
        for k in range(self.lanes):
            number, one = (self._number(f"extractelement {vector.typed}, i32 {k}") for vector in (where, value))
            pointer = self._number(f"inttoptr i64 {number} to ptr")
            before = self._number(f"load {self.kind}, ptr {pointer}, align {size}")
            after = self._number(f"fadd {self.kind} {before}, {one}")
            v.lines.append(f"  store {self.kind} {after}, ptr {pointer}, align {size}")
