"""Products of matrices of a few rows at a time: each number of the result is in a register until it is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.loops import address, ask, lead_address, loop, loop_to
from gradcli.engine.native.shuffles import in_pieces, shuffled
from gradcli.engine.native.transpose import first_load, first_store
from gradcli.engine.native.vectors import FLOAT64, Vector, element_type

#: Vectors of a result at once, whose columns are neighbours.
_BESIDE = 4
#: Sums that are added to in turn, so that none waits for its own last sum; a power of two.
_AT_ONCE = 8
#: Products that are added up one after the other. A longer sum is one of such pieces: that keeps its rounding small.
_IN_A_PIECE = 256


class PanelRows(NamedTuple):
    """Rows in memory: the name of the first one's address, the elements from one row to the next, and how many there
    are to each. `padded` says that vectors may be read and written beyond these, `ahead` how many rows further on the
    memory is asked for what will be read soon (0: not at all), `along` how many elements there are from one column to
    the next."""

    base: str
    step: int
    width: int
    dtype: np.dtype
    padded: bool
    ahead: int = 0
    along: int = 1

    def at(self, v: VectorBuilder, row: str | int, column: str | int = 0) -> str:
        """The address of an element."""
        size = self.dtype.itemsize
        base = self.base
        for place, step in ((row, self.step), (column, self.along)):
            if isinstance(place, int):
                base = address(v, base, place * step * size) if place else base
            elif place != "0":
                base = lead_address(v, base, str(step * size), place)
        return base

    def load(self, v: VectorBuilder, row: str | int, column: str | int, valid: int) -> Vector:
        return first_load(v, self.at(v, row, column), self.dtype, v.lanes if self.padded else valid)

    def ask(self, v: VectorBuilder, row: str | int, count: int) -> None:
        """Ask for so many rows that will be wanted after these."""
        size = self.step * self.dtype.itemsize
        if self.ahead:
            ask(v, address(v, self.at(v, row), self.ahead * size), count * size)


class Tile(NamedTuple):
    """The registers that hold a piece of a result: so many rows of so many vectors."""

    names: list[list[str]]
    dtype: np.dtype

    def load(self, v: VectorBuilder) -> list[list[Vector]]:
        return [[v.load(name, self.dtype) for name in row] for row in self.names]


class PanelProducts:
    """Writes products with a builder; `head` is the beginning of its function, `registers` says how many vectors of
    this length the processor has for a result. Not a bit depends on that."""

    def __init__(self, v: VectorBuilder, head: list[str], registers: int) -> None:
        self.v = v
        self.head = head
        self.registers = registers
        self.made: dict[tuple[int, int, np.dtype], Tile] = {}

    def _tile(self, rows: int, vectors: int, dtype: np.dtype) -> Tile:
        """Such a piece, all 0."""
        v, key = self.v, (rows, vectors, dtype)
        if key not in self.made:
            names = [[v.fresh() for _ in range(vectors)] for _ in range(rows)]
            self.head += [f"  {name} = alloca {v.type(dtype)}, align 64" for row in names for name in row]
            self.made[key] = Tile(names, dtype)
        for name in [name for row in self.made[key].names for name in row]:
            v.store(v.constant(0, dtype), name)
        return self.made[key]

    def _columns(self, count: int) -> Iterator[tuple[str | int, list[int]]]:
        """The columns of a row a few vectors at a time: where they begin, and how many elements are in each."""
        v = self.v
        wide = _BESIDE * v.lanes
        if count >= 2 * wide:
            with loop(v, count // wide * wide, wide) as begin:
                yield begin, [v.lanes] * _BESIDE
        else:
            for start in range(0, count // wide * wide, wide):
                yield start, [v.lanes] * _BESIDE
        rest = count % wide
        if rest:
            yield count - rest, [min(v.lanes, rest - k) for k in range(0, rest, v.lanes)]

    def _add(self, tile: Tile, scalars: list[str], row: list[Vector]) -> None:
        """Add the product of a column of numbers, at these addresses, and a row."""
        v = self.v
        for names, pointer in zip(tile.names, scalars, strict=True):
            one = v.fresh()
            v.lines.append(f"  {one} = load {element_type(tile.dtype)}, ptr {pointer}, align {tile.dtype.itemsize}")
            factor = v.spread(one, tile.dtype)
            for name, vector in zip(names, row, strict=True):
                v.store(v.fma(factor, vector, v.load(name, tile.dtype)), name)

    def of_rows(self, a: PanelRows, b: PanelRows, out: PanelRows, rows: str) -> None:
        """`out = a @ b` for so many rows."""
        v = self.v
        for begin, valid in self._columns(out.width):
            many = max(1, self.registers // len(valid))
            whole, rest = v.fresh(), v.fresh()
            v.lines.append(f"  {rest} = urem i64 {rows}, {many}")
            v.lines.append(f"  {whole} = sub i64 {rows}, {rest}")
            for start, stop, count in (("0", whole, many), (whole, rows, 1)) if many > 1 else (("0", rows, 1),):
                with loop_to(v, start, stop, count) as row:
                    if begin == 0:
                        a.ask(v, row, count)
                    self.some_rows(a, b, out, row, begin, valid, count)

    def some_rows(
        self, a: PanelRows, b: PanelRows, out: PanelRows, row: str, begin: str | int, valid: list[int], count: int
    ) -> None:
        """So many rows of `out`, from a place in it on: a first piece of each sum, to which the others are added."""
        v = self.v
        left, target = a._replace(base=a.at(v, row)), out._replace(base=out.at(v, row, begin))
        right = b._replace(base=b.at(v, 0, begin))
        rest = max(0, a.width - 1) // _IN_A_PIECE * _IN_A_PIECE
        piece = left._replace(width=a.width - rest)
        self._store(self._piece(piece, right, valid, count), target, valid)
        if rest:
            left = left._replace(base=left.at(v, 0, piece.width), width=_IN_A_PIECE)
            right = right._replace(base=right.at(v, piece.width))
            with loop(v, rest, _IN_A_PIECE) as inner:
                piece = left._replace(base=left.at(v, 0, inner))
                sums = self._piece(piece, right._replace(base=right.at(v, inner)), valid, count)
                totals = self._load(target, valid, count)
                pairs = [zip(one, other, strict=True) for one, other in zip(totals, sums, strict=True)]
                self._store([[x + y for x, y in pair] for pair in pairs], target, valid)

    def _piece(self, left: PanelRows, right: PanelRows, valid: list[int], count: int) -> list[list[Vector]]:
        """The products of so many rows of `left` with a few columns of `right`."""
        v = self.v
        tile = self._tile(count, len(valid), left.dtype)
        # Two turns in one: half as many addresses are reckoned out.
        whole = left.width // 2 * 2
        if whole:
            with loop(v, whole, 2) as inner:
                here, above = left._replace(base=left.at(v, 0, inner)), right._replace(base=right.at(v, inner))
                for turn in range(2):
                    self._one_turn(tile, here, above, turn, valid)
        if left.width > whole:
            self._one_turn(tile, left, right, whole, valid)
        return tile.load(v)

    def _load(self, source: PanelRows, valid: list[int], count: int) -> list[list[Vector]]:
        places = [(k * self.v.lanes, some) for k, some in enumerate(valid)]
        return [[source.load(self.v, row, place, some) for place, some in places] for row in range(count)]

    def _store(self, values: list[list[Vector]], target: PanelRows, valid: list[int]) -> None:
        v = self.v
        for row, line in enumerate(values):
            for k, (vector, some) in enumerate(zip(line, valid, strict=True)):
                first_store(v, vector, target.at(v, row, k * v.lanes), v.lanes if target.padded else some)

    def _one_turn(self, tile: Tile, left: PanelRows, right: PanelRows, inner: int, valid: list[int]) -> None:
        """Add the products of a column of `left` and a row of `right`."""
        v = self.v
        vectors = [right.load(v, inner, k * v.lanes, some) for k, some in enumerate(valid)]
        self._add(tile, [left.at(v, r, inner) for r in range(len(tile.names))], vectors)

    def over_rows(self, a: PanelRows, b: PanelRows, sums: PanelRows, rows: str) -> None:
        """`sums += a.T @ b`, where these are padded and in double precision."""
        v = self.v
        for begin, valid in self._columns(b.width):
            many = max(1, min(self.registers // len(valid), a.width))
            whole = a.width // many * many
            if whole:
                with loop(v, whole, many) as first:
                    self._some_sums(a, b, sums, rows, (first, many), (begin, valid))
            if a.width > whole:
                self._some_sums(a, b, sums, rows, (whole, a.width - whole), (begin, valid))

    def _some_sums(
        self,
        a: PanelRows,
        b: PanelRows,
        sums: PanelRows,
        rows: str,
        places: tuple[str | int, int],
        columns: tuple[str | int, list[int]],
    ) -> None:
        v, (first, count), (begin, valid) = self.v, places, columns
        # A sum waits for itself: where there are few of them, whatever the processor, rows take turns.
        chains = 1
        while 2 * chains * a.width * -(-b.width // v.lanes) <= _AT_ONCE:
            chains *= 2
        tile = self._tile(chains * count, len(valid), a.dtype)
        parts = [Tile(tile.names[k * count : (k + 1) * count], a.dtype) for k in range(chains)]
        left, right = a._replace(base=a.at(v, 0, first)), b._replace(base=b.at(v, 0, begin))
        whole, rest = v.fresh(), v.fresh()
        v.lines += [f"  {rest} = urem i64 {rows}, {chains}", f"  {whole} = sub i64 {rows}, {rest}"]
        turns = (("0", whole, parts), (whole, rows, parts[:1])) if chains > 1 else (("0", rows, parts),)
        for start, stop, some in turns:
            with loop_to(v, start, stop, len(some)) as row:
                b.ask(v, row, len(some))
                above, here = left.at(v, row), right._replace(base=right.at(v, row))
                for k, part in enumerate(some):
                    vectors = [here.load(v, k, j * v.lanes, many) for j, many in enumerate(valid)]
                    scalars = [address(v, above, (k * a.step + m) * a.dtype.itemsize) for m in range(count)]
                    self._add(part, scalars, vectors)
        while chains > 1:
            chains //= 2
            for low, high in zip(parts[:chains], parts[chains:], strict=False):
                for names, others in zip(low.names, high.names, strict=True):
                    for name, other in zip(names, others, strict=True):
                        v.store(v.load(name, a.dtype) + v.load(other, a.dtype), name)
        tile = parts[0]
        target = sums._replace(base=sums.at(v, first, begin))
        for m, line in enumerate(tile.load(v)):
            for k, vector in enumerate(line):
                place = target.at(v, m, k * v.lanes)
                v.store(v.load(place, FLOAT64) + v.cast(vector, FLOAT64), place)

    def with_vector(self, a: PanelRows, b: PanelRows, out: PanelRows, rows: str, spare: str) -> None:
        """`out = a @ b` where `b` is one vector, a row in memory with zeros up to a whole number of vectors, and `out`
        has room for whole vectors of rows. The last few rows are read from a copy at `spare`, which has room for as
        many as there are lanes."""
        v = self.v
        rest, whole, size = v.fresh(), v.fresh(), v.fresh()
        v.declarations["@llvm.memcpy"] = "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)"
        v.lines += [
            f"  {rest} = and i64 {rows}, {v.lanes - 1}",
            f"  {whole} = sub i64 {rows}, {rest}",
            f"  {size} = mul i64 {rest}, {a.step * a.dtype.itemsize}",
        ]
        left = a.at(v, whole)
        v.lines.append(f"  call void @llvm.memcpy.p0.p0.i64(ptr {spare}, ptr {left}, i64 {size}, i1 false)")
        with loop_to(v, "0", rows, v.lanes) as row:
            a.ask(v, row, v.lanes)
            there, inside, first = a.at(v, row), v.fresh(), v.fresh()
            v.lines.append(f"  {inside} = icmp ult i64 {row}, {whole}")
            v.lines.append(f"  {first} = select i1 {inside}, ptr {there}, ptr {spare}")
            here, target = a._replace(base=first), out.at(v, row)
            if self.registers >= v.lanes:
                v.store(self._joined(self._dots(here, b, v.lanes)), target)
            else:
                with loop(v, v.lanes, 1) as lane:
                    (sums,) = self._dots(here._replace(base=here.at(v, lane)), b, 1)
                    self._store_sum(sums, address(v, target, lane, element_type(a.dtype)))

    def _dots(self, a: PanelRows, b: PanelRows, count: int) -> list[Vector]:
        """The products of so many rows with a vector: the sum of all lanes of each."""
        v = self.v
        tile = self._tile(count, 1, a.dtype)
        lines = [a._replace(base=a.at(v, k)) for k in range(count)]
        whole = a.width // v.lanes * v.lanes

        def add(begin: str | int, valid: int) -> None:
            factor = b.load(v, 0, begin, valid)
            for (name,), line in zip(tile.names, lines, strict=True):
                part = first_load(v, line.at(v, 0, begin), a.dtype, valid, "zeroinitializer")
                v.store(v.fma(part, factor, v.load(name, a.dtype)), name)

        if whole:
            with loop(v, whole, v.lanes) as begin:
                add(begin, v.lanes)
        if a.width > whole:
            add(whole, a.width - whole)
        return [line[0] for line in tile.load(v)]

    def _joined(self, parts: list[Vector]) -> Vector:
        """The sums of all lanes of as many vectors as there are lanes, one a lane: halves are added to halves."""
        v, half = self.v, self.v.lanes // 2
        while half:
            low = [k if not k & half else v.lanes + k - half for k in range(v.lanes)]
            high = [k + half if not k & half else v.lanes + k for k in range(v.lanes)]
            pairs = zip(parts[:half], parts[half:], strict=True)
            parts = [shuffled(v, x, y, low) + shuffled(v, x, y, high) for x, y in pairs]
            half //= 2
        return parts[0]

    def _store_sum(self, total: Vector, place: str) -> None:
        """Write the sum of all lanes, added up in the same order."""
        v, lanes = self.v, self.v.lanes
        while lanes > 2:
            with v.narrowed(lanes):
                halves = in_pieces(v, total, lanes // 2)
            lanes //= 2
            with v.narrowed(lanes):
                total = halves[0] + halves[1]
        with v.narrowed(2):
            first_store(v, total + shuffled(v, total, total, (1, 0)), place, 1)
