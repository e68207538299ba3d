"""Sums of products of a kernel and what its windows hold, as native functions: no window is laid out.

Where an array lies in memory with as much room between its lines as windows need (see `window_planes`), the element of
each window that one number of the kernel meets is as far from the window's first one for all of them. So a vector of
neighbouring results is a sum over a list of places: an element of the kernel times the vector that begins there.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.loops import address, in_masked_vectors, lead_address, loop_to
from gradcli.engine.native.shuffles import shuffled
from gradcli.engine.native.transpose import load_under, store_under, transposed
from gradcli.engine.native.vectors import FLOAT64, INT64, Vector, element_type

#: What the functions are given: addresses, and numbers behind them. `terms` are offsets in bytes, for sums two for each
#: product: of the windows' elements, and of the kernel's number. There are so many `rows` of results, `line` bytes
#: apart where they are made; numbers of the kernel are `row` bytes apart for them. From group to group it is so many
#: bytes in each array. Then `many` lines of a row, of so many elements (`width`), are copied from `shown`, a place
#: where they are made, to the result, whose channels and elements are so many bytes apart: `lines` has two offsets for
#: each, of where it is made and of where it goes.
SUMS = (
    ("x", "w", "terms", "made", "lines", "out", "shown"),
    ("count", "groups", "vectors", "rows", "row", "line", "x_group", "w_group", "many", "width", "channel", "step"),
)
#: Here `terms` has the offset of each place of a window; what is at so many `vectors` of places is multiplied by rows
#: of `g` and added to `out`, in double precision. `turned` is memory for these rows as columns.
PRODUCTS = (
    ("x", "g", "terms", "out", "turned"),
    ("count", "groups", "vectors", "rows", "row", "line", "x_group", "g_group", "out_group"),
)
#: Here `terms` has two offsets for each line, in the array that is read and in the one that is written.
LINES = (("x", "out", "terms"), ("many", "channels", "width", "x_channel", "out_channel", "x_step", "out_step"))
#: Pairs of a row and a place of a window whose products are added up at once.
AT_ONCE = 16
#: The same of places alone, where rows are many: as many as a vector has lanes in double precision.
PLACES = 8
#: So many products are added up one after the other; a longer sum is one of such pieces, whose rounding is small.
_IN_A_PIECE = 1 << 9


def lanes_of(dtype: np.dtype) -> int:
    """The elements of a vector."""
    return 64 // dtype.itemsize


class _WindowFunction:
    """The beginning of a function, and variables in its registers."""

    def __init__(self, dtype: np.dtype, names: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
        self.dtype, self.size, self.kind = dtype, dtype.itemsize, element_type(dtype)
        self.v = VectorBuilder(lanes_of(dtype))
        self.head: list[str] = []
        for k, name in enumerate((*names[0], *names[1])):
            kind = "ptr" if name in names[0] else "i64"
            self.head += [f"  %q{name} = getelementptr i64, ptr %p, i64 {k}", f"  %{name} = load {kind}, ptr %q{name}"]

    def variables(self, rows: int, columns: int) -> list[list[str]]:
        """Names of vectors."""
        names = [[self.v.fresh() for _ in range(columns)] for _ in range(rows)]
        self.head += [f"  {name} = alloca {self.v.type(self.dtype)}, align 64" for line in names for name in line]
        return names

    def clear(self, names: list[list[str]]) -> None:
        for name in (name for line in names for name in line):
            self.v.store(self.v.constant(0, self.dtype), name)

    def number(self, text: str) -> str:
        name = self.v.fresh()
        self.v.lines.append(f"  {name} = {text}")
        return name

    def least(self, a: str, b: str) -> str:
        self.v.declarations["@llvm.smin.i64"] = "declare i64 @llvm.smin.i64(i64, i64)"
        return self.number(f"call i64 @llvm.smin.i64(i64 {a}, i64 {b})")

    def piece(self, start: str, stop: str) -> str:
        """Where the piece of a long sum ends that begins here."""
        return self.least(self.number(f"add i64 {start}, {_IN_A_PIECE}"), stop)

    def offset(self, k: str, step: int = 1, more: int = 0, table: str = "%terms") -> str:
        """What a list of places has for one of them."""
        at = address(self.v, table, self.number(f"add i64 {self.number(f'mul i64 {k}, {step}')}, {more}"), "i64")
        return self.number(f"load i64, ptr {at}")

    def copy(self, source: str, target: str) -> None:
        """Copy an element."""
        value = self.number(f"load {self.kind}, ptr {source}, align {self.size}")
        self.v.lines.append(f"  store {self.kind} {value}, ptr {target}, align {self.size}")

    def add_products(self, tile: list[list[str]], places: list[str], found: list[Vector]) -> None:
        """Add the products of numbers, at these addresses, and vectors."""
        v = self.v
        for place, line in zip(places, tile, strict=True):
            factor = v.spread(self.number(f"load {self.kind}, ptr {place}, align {self.size}"), self.dtype)
            for name, vector in zip(line, found, strict=True):
                v.store(v.fma(factor, vector, v.load(name, self.dtype)), name)

    def module(self) -> str:
        """The whole module: `@k(arguments, n, s)`, of which the last two are nothing."""
        function = ["define void @k(ptr %p, i64 %n, ptr %s) {", "entry:", *self.head, *self.v.lines, "  ret void", "}"]
        return "\n\n".join([*sorted(filter(None, self.v.declarations.values())), "\n".join(function)])


@lru_cache(maxsize=256)
def sums(dtype: np.dtype, rows: int, vectors: int, apart: int) -> str:
    """The module of a function that makes so many rows of results, so many vectors of them at once. `apart` is 1
    where the elements of a line of the result are neighbours, or 0."""
    f = _WindowFunction(dtype, SUMS)
    v, size = f.v, f.size
    tile = f.variables(rows, vectors)
    last = f.number(f"sub i64 %rows, {rows}")
    with loop_to(v, "0", "%groups", 1) as group:
        x, w = (lead_address(v, f"%{a}", f"%{a}_group", group) for a in ("x", "w"))
        first = f.number(f"mul i64 {group}, %rows")
        with loop_to(v, "0", "%rows", rows) as begin:
            # The last rows may be some of those before: to compute these twice is less than other code.
            row = f.least(begin, last)
            here = lead_address(v, w, "%row", row)
            numbers = [lead_address(v, here, "%row", k) for k in range(rows)]
            with loop_to(v, "0", "%vectors", vectors) as at:
                windows, results = lead_address(v, x, "64", at), lead_address(v, "%made", "64", at)
                lines = [lead_address(v, results, "%line", k) for k in range(rows)]
                with loop_to(v, "0", "%count", _IN_A_PIECE) as some:
                    f.clear(tile)
                    with loop_to(v, some, f.piece(some, "%count"), 1) as k:
                        part = address(v, windows, f.offset(k, 2))
                        found = [v.load(address(v, part, 64 * j), dtype) for j in range(vectors)]
                        by = f.offset(k, 2, 1)
                        f.add_products(tile, [address(v, base, by) for base in numbers], found)
                    _put(f, tile, lines, some)
            channel = f.number(f"add i64 {first}, {row}")
            with loop_to(v, "0", str(rows), 1) as k:
                target = lead_address(v, "%out", "%channel", f.number(f"add i64 {channel}, {k}"))
                _copy_lines(f, lead_address(v, "%shown", "%line", k), target, "%lines", apart, str(size), "%step")
    return f.module()


def _put(f: _WindowFunction, tile: list[list[str]], lines: list[str], first: str) -> None:
    """Write a piece of the sums, or add it to those before."""
    v = f.v
    label = f"put{v.fresh()[2:]}"
    v.lines.append(f"  br i1 {f.number(f'icmp eq i64 {first}, 0')}, label %{label}.first, label %{label}.more")
    for which in ("first", "more"):
        v.start(f"{label}.{which}")
        with v.scope():
            for base, line in zip(lines, tile, strict=True):
                for j, name in enumerate(line):
                    at, value = address(v, base, 64 * j), v.load(name, f.dtype)
                    v.store(value if which == "first" else v.load(at, f.dtype) + value, at)
        v.lines.append(f"  br label %{label}.end")
    v.start(f"{label}.end")


@lru_cache(maxsize=64)
def products(dtype: np.dtype, rows: int) -> str:
    """The module of a function that multiplies so many rows by vectors at so many places that there are `AT_ONCE` pairs
    of them, as many as a vector has lanes, or twice as many: the sums of their lanes are one or two vectors."""
    f, places = _WindowFunction(dtype, PRODUCTS), AT_ONCE // rows
    v = f.v
    tile = f.variables(rows, places)
    with loop_to(v, "0", "%groups", 1) as group:
        x, g, out = (lead_address(v, f"%{a}", f"%{a}_group", group) for a in ("x", "g", "out"))
        with (
            loop_to(v, "0", "%vectors", _IN_A_PIECE) as start,
            loop_to(v, "0", "%rows", rows) as row,
            loop_to(v, "0", "%count", places) as place,
        ):
            here, there = lead_address(v, g, "%row", row), lead_address(v, out, "%line", row)
            lines = [lead_address(v, here, "%row", k) for k in range(rows)]
            windows = [address(v, x, f.offset(place, 1, k)) for k in range(places)]
            target = address(v, there, place, "double")
            f.clear(tile)
            with loop_to(v, start, f.piece(start, "%vectors"), 1) as at:
                by = f.number(f"mul i64 {at}, 64")
                found = [v.load(address(v, base, by), dtype) for base in windows]
                for base, names in zip(lines, tile, strict=True):
                    factor = v.load(address(v, base, by), dtype)
                    for name, vector in zip(names, found, strict=True):
                        v.store(v.fma(factor, vector, v.load(name, dtype)), name)
            total = _across(v, [v.load(name, dtype) for line in tile for name in line])
            for k in range(rows):
                _add_row(v, total, k * places, places, lead_address(v, target, "%line", k))
    return f.module()


@lru_cache(maxsize=64)
def outer_products(dtype: np.dtype, vectors: int) -> str:
    """The module of a function that does the same for many rows, whose columns are vectors: so many of these are
    multiplied by the elements at `PLACES` places at once."""
    f = _WindowFunction(dtype, PRODUCTS)
    v, size = f.v, f.size
    tile = f.variables(PLACES, vectors)
    column, count = f.number(f"mul i64 %rows, {size}"), f.number(f"mul i64 %vectors, {v.lanes}")
    with loop_to(v, "0", "%groups", 1) as group:
        x, g, out = (lead_address(v, f"%{a}", f"%{a}_group", group) for a in ("x", "g", "out"))
        _turn(f, g, column)
        with (
            loop_to(v, "0", count, _IN_A_PIECE) as start,
            loop_to(v, "0", "%rows", vectors * v.lanes) as row,
            loop_to(v, "0", "%count", PLACES) as place,
        ):
            here, target = lead_address(v, "%turned", str(size), row), lead_address(v, out, "%line", row)
            windows = [address(v, x, f.offset(place, 1, k)) for k in range(PLACES)]
            f.clear(tile)
            with loop_to(v, start, f.piece(start, count), 1) as at:
                line = lead_address(v, here, column, at)
                found = [v.load(address(v, line, 64 * j), dtype) for j in range(vectors)]
                by = f.number(f"mul i64 {at}, {size}")
                f.add_products(tile, [address(v, base, by) for base in windows], found)
            target = address(v, target, place, "double")
            for j in range(vectors):
                _add_turned(v, [v.load(line[j], dtype) for line in tile], lead_address(v, target, "%line", j * v.lanes))
    return f.module()


def _turn(f: _WindowFunction, g: str, column: str) -> None:
    """Rows as columns."""
    v = f.v
    with loop_to(v, "0", "%rows", v.lanes) as row, loop_to(v, "0", "%vectors", 1) as at:
        here = lead_address(v, lead_address(v, g, "%row", row), "64", at)
        there = lead_address(v, "%turned", column, f.number(f"mul i64 {at}, {v.lanes}"))
        square = [v.load(lead_address(v, here, "%row", k), f.dtype) for k in range(v.lanes)]
        for k, vector in enumerate(transposed(v, square)):
            v.store(vector, lead_address(v, lead_address(v, there, column, k), str(f.size), row))


def _add_turned(v: VectorBuilder, columns: list[Vector], target: str) -> None:
    """Add columns of sums to those in memory, where they are `PLACES` elements of rows."""
    nothing = v.value("poison", columns[0].dtype)
    for start in range(0, v.lanes, PLACES):
        order = list(range(start, start + PLACES))
        parts = [shuffled(v, vector, nothing, order) for vector in columns]
        with v.narrowed(PLACES):
            square = [v.cast(v.value(part.name, part.dtype), FLOAT64) for part in parts]
            for k, vector in enumerate(transposed(v, square)):
                at = lead_address(v, target, "%line", start + k)
                v.store(v.load(at, FLOAT64) + vector, at)


def _across(v: VectorBuilder, parts: list[Vector]) -> list[Vector]:
    """The sums of the lanes of vectors, side by side in one vector, or in several."""
    half = v.lanes // 2
    while half:
        low = [k if not k & half else v.lanes + k - half for k in range(v.lanes)]
        high = [k + half if not k & half else v.lanes + k for k in range(v.lanes)]
        group = 2 * half
        found = []
        for start in range(0, len(parts), group):
            some = parts[start : start + group]
            pairs = zip(some[:half], some[half:], strict=True)
            found += [shuffled(v, a, b, low) + shuffled(v, a, b, high) for a, b in pairs]
        parts, half = found, half // 2
    return parts


def _add_row(v: VectorBuilder, totals: list[Vector], first: int, count: int, place: str) -> None:
    """Add so many sums, from the first one on, to those in memory."""
    some = min(count, v.lanes)
    for start in range(first, first + count, some):
        vector, at = totals[start // v.lanes], address(v, place, start - first, "double")
        order = list(range(start % v.lanes, start % v.lanes + some))
        part = shuffled(v, vector, v.value("poison", vector.dtype), order)
        with v.narrowed(some):
            part = v.value(part.name, vector.dtype)
            v.store(v.load(at, FLOAT64) + v.cast(part, FLOAT64), at)


@lru_cache(maxsize=64)
def copied(dtype: np.dtype, apart: int) -> str:
    """The module of a function that copies lines, channel by channel. `apart` is 1 where the elements of each are
    neighbours in both arrays, 2 where they are every other one of the first array, or 0."""
    f = _WindowFunction(dtype, LINES)
    with loop_to(f.v, "0", "%channels", 1) as channel:
        x, out = (lead_address(f.v, f"%{a}", f"%{a}_channel", channel) for a in ("x", "out"))
        _copy_lines(f, x, out, "%terms", apart, "%x_step", "%out_step")
    return f.module()


def _copy_lines(f: _WindowFunction, x: str, out: str, table: str, apart: int, x_step: str, out_step: str) -> None:
    """Copy the lines of a channel."""
    v, size = f.v, str(f.size)
    with loop_to(v, "0", "%many", 1) as line:
        source, target = (address(v, base, f.offset(line, 2, k, table)) for k, base in enumerate((x, out)))
        if apart == 1:
            for at, mask in in_masked_vectors(v, "%width"):
                here, there = (lead_address(v, base, size, at) for base in (source, target))
                store_under(v, mask, load_under(v, mask, here, f.dtype), there)
            return
        start = _every_other(f, source, target) if apart == 2 else "0"
        _one_by_one(f, (source, x_step), (target, out_step), start)


def _every_other(f: _WindowFunction, source: str, target: str) -> str:
    """Copy every other element, as long as there are more behind those of a vector; gives how many that were."""
    v = f.v
    # Nothing is read behind the last one.
    whole = f.number(f"and i64 {f.number('sub i64 %width, 1')}, {-v.lanes}")
    with loop_to(v, "0", whole, v.lanes) as at:
        here = lead_address(v, source, str(2 * f.size), at)
        low, high = v.load(here, f.dtype), v.load(address(v, here, 64), f.dtype)
        even = shuffled(v, low, high, list(range(0, 2 * v.lanes, 2)))
        v.store(even, lead_address(v, target, str(f.size), at))
    return whole


def _one_by_one(f: _WindowFunction, source: tuple[str, str], target: tuple[str, str], start: str) -> None:
    """Copy elements, from one on, that are so many bytes apart: address by address."""
    v = f.v
    lanes = v.value(f"<{', '.join(f'i64 {k}' for k in range(v.lanes))}>", INT64)
    with loop_to(v, start, "%width", v.lanes) as at:
        every = lanes < v.spread(f.number(f"sub i64 %width, {at}"), INT64)
        here, there = (_addresses(v, lead_address(v, base, step, at), lanes, step) for base, step in (source, target))
        x = v.assign(v.gathering(here, every.typed, f.dtype), f.dtype)
        v.lines.append(f"  {v.scattering(x, there, every.typed)}")


def _addresses(v: VectorBuilder, base: str, lanes: Vector, step: str) -> str:
    """Addresses from one on, so many bytes apart, of which the number or its name is given."""
    offsets = lanes * (v.spread(step, INT64) if step[0] == "%" else int(step))
    return v.assign(f"getelementptr i8, ptr {base}, {offsets.typed}", INT64).name
