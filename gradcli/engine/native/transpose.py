"""Rows of a few elements in memory, their columns as vectors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gradcli.engine.native.expressions import LINE, Expressions, alignment
from gradcli.engine.native.loops import address, loop, tiles
from gradcli.engine.native.processor import has_wide_vectors
from gradcli.engine.native.row_pieces import Place, apart, by_pieces, fill_lines, in_rows, rows_at_once, together
from gradcli.engine.native.shuffles import order_of, shuffled
from gradcli.engine.native.vectors import BOOL, Vector, element_type

UINT8 = np.dtype(np.uint8)


def stored(dtype: np.dtype) -> np.dtype:
    """What elements of a type are in memory: a boolean is a byte."""
    return UINT8 if dtype.kind == "b" else dtype


def spread_from(v: Expressions, pointer: str, dtype: np.dtype) -> Vector:
    """The element at a pointer, in all lanes."""
    kept, name = stored(dtype), v.fresh()
    v.lines.append(f"  {name} = load {element_type(kept)}, ptr {pointer}, align {kept.itemsize}")
    value = v.spread(name, kept)
    return value != 0 if dtype.kind == "b" else value


def pack(v: Expressions, base: str, row: str, dtype: np.dtype, width: int) -> list[Vector]:
    """The columns of the next rows, of so many elements each: a vector a column."""
    kind = element_type(stored(dtype))
    if width == 1:
        pointer = address(v, base, row, kind)
        return [v.load(pointer, dtype)]
    first = _times(v, row, width)
    start = address(v, base, first, kind)
    if by_pieces(v, stored(dtype), width):
        columns = apart(v, in_rows(v, start, stored(dtype), width), stored(dtype), width)
    elif width <= v.lanes and _is_interleaved(v, stored(dtype), width):
        columns = _interleaved(v, start, stored(dtype), width)
    else:
        columns = []
        for left in range(0, width, v.lanes):
            columns += _square(v, start, stored(dtype), width, left)
    return [column != 0 for column in columns] if dtype.kind == "b" else columns


def unpack(v: Expressions, base: str, row: str, columns: list[Vector], past: bool = False) -> None:
    """Write the columns of rows back, past the cache if they are few and it is wanted."""
    width = len(columns)
    dtype = columns[0].dtype
    if dtype.kind == "b":
        columns = [v.emit(f"zext {x.typed} to <{v.lanes} x i8>", UINT8) for x in columns]
        dtype = UINT8
    kind = element_type(dtype)
    if width == 1:
        v.store(columns[0], address(v, base, row, kind), past)
        return
    start = address(v, base, _times(v, row, width), kind)
    # Whole rows of large elements can pass the cache by where their pieces could not.
    whole = past and not fill_lines(dtype, width) and dtype.itemsize == 8 and width <= _SHORT
    if by_pieces(v, dtype, width) and not whole:
        together(v, in_rows(v, start, dtype, width), columns, past and fill_lines(dtype, width))
        return
    if _is_interleaved(v, dtype, width):
        _interleave(v, start, columns, past)
        return
    for left in range(0, width, v.lanes):
        _store_square(v, start, columns, left)


#: Rows of so few elements are put together by picking lanes of whole vectors; taken apart so, if there are more lanes.
NARROW = 16
#: These in any case: others in squares, if they are not picked.
_SHORT = 7
#: Squares of rows of so few are written out.
_WRITTEN_OUT = 24
#: A column is picked lane by lane out of no more vectors than so many.
_MOST_PICKED = 5


def _times(v: Expressions, row: str, width: int) -> str:
    name = v.fresh()
    v.lines.append(f"  {name} = mul i64 {row}, {width}")
    return name


def _interleaved(v: Expressions, start: str, dtype: np.dtype, width: int) -> list[Vector]:
    count, kind = v.lanes * width, element_type(dtype)
    if _by_registers(v, dtype, width):
        return _apart(v, [v.load(address(v, start, k * v.lanes, kind), dtype) for k in range(width)])
    whole = v.fresh()
    v.lines.append(f"  {whole} = load <{count} x {kind}>, ptr {start}, align {dtype.itemsize}")
    columns = []
    for column in range(width):
        order = ", ".join(f"i32 {k * width + column}" for k in range(v.lanes))
        text = f"shufflevector <{count} x {kind}> {whole}, <{count} x {kind}> poison, <{v.lanes} x i32> <{order}>"
        columns.append(v.assign(text, dtype))
    return columns


def _interleave(v: Expressions, start: str, columns: list[Vector], past: bool) -> None:
    """Join the columns pairwise to one long vector, bring it into the order of the rows, and store that."""
    width, dtype = len(columns), columns[0].dtype
    kind = element_type(dtype)
    if _by_registers(v, dtype, width):
        for k, piece in enumerate(_together(v, columns)):
            v.store(piece, address(v, start, k * v.lanes, kind), past)
        return
    names, length = [x.name for x in columns], v.lanes
    while len(names) > 1:
        if len(names) % 2:
            names.append("poison")
        order = ", ".join(f"i32 {k}" for k in range(2 * length))
        joined = []
        for a, b in zip(names[::2], names[1::2], strict=True):
            name = v.fresh()
            one = f"<{length} x {kind}>"
            v.lines.append(f"  {name} = shufflevector {one} {a}, {one} {b}, <{2 * length} x i32> <{order}>")
            joined.append(name)
        names, length = joined, 2 * length
    count = v.lanes * width
    order = ", ".join(f"i32 {(k % width) * v.lanes + k // width}" for k in range(count))
    name = v.fresh()
    one = f"<{length} x {kind}>"
    v.lines.append(f"  {name} = shufflevector {one} {names[0]}, {one} poison, <{count} x i32> <{order}>")
    v.lines.append(f"  store <{count} x {kind}> {name}, ptr {start}, {alignment(dtype, count, past)}")


def _is_interleaved(v: Expressions, dtype: np.dtype, width: int) -> bool:
    """Whether rows are taken apart and put together as a whole, not in squares."""
    return width <= (_SHORT if _in_registers(v, dtype) else NARROW) or _by_registers(v, dtype, width)


def _by_registers(v: Expressions, dtype: np.dtype, width: int) -> bool:
    """Whether lanes are picked two vectors at a time, for rows that can be halved until little is left: of one long
    vector LLVM makes longer code, and takes long to find it."""
    odd = width // (width & -width)
    return _in_registers(v, dtype) and width <= NARROW and odd < width and odd <= _MOST_PICKED


def _in_registers(v: Expressions, dtype: np.dtype) -> bool:
    """Whether vectors are registers whose lanes one instruction brings into any order."""
    return has_wide_vectors() and v.lanes * dtype.itemsize == LINE


def _apart(v: Expressions, pieces: list[Vector]) -> list[Vector]:
    """The columns of rows that follow each other in as many vectors: first even and odd columns, as long as it goes."""
    width, lanes = len(pieces), v.lanes
    if width == 1:
        return pieces
    columns = [pieces[0]] * width
    if width % 2 == 0:
        for odd in (0, 1):
            order = list(range(odd, 2 * lanes, 2))
            halves = [shuffled(v, a, b, order) for a, b in zip(pieces[::2], pieces[1::2], strict=True)]
            columns[odd::2] = _apart(v, halves)
        return columns
    return [_picked(v, pieces, [divmod(k * width + column, lanes) for k in range(lanes)]) for column in range(width)]


def _together(v: Expressions, columns: list[Vector]) -> list[Vector]:
    """The vectors that such columns are taken from."""
    width, lanes = len(columns), v.lanes
    if width == 1:
        return columns
    if width % 2 == 0:
        halves = zip(_together(v, columns[::2]), _together(v, columns[1::2]), strict=True)
        orders = [[k // 2 + k % 2 * lanes for k in range(first, first + lanes)] for first in (0, lanes)]
        return [shuffled(v, a, b, order) for a, b in halves for order in orders]
    places = [divmod(k, width) for k in range(width * lanes)]
    return [
        _picked(v, columns, [(column, row) for row, column in places[start : start + lanes]])
        for start in range(0, width * lanes, lanes)
    ]


def _picked(v: Expressions, vectors: list[Vector], places: list[tuple[int, int]]) -> Vector:
    """A vector of lanes of others: which vector each is from, and which of its lanes it is."""
    used = sorted({number for number, _ in places})
    found = vectors[used[0]]
    order = [lane if number == used[0] else 0 for number, lane in places]
    for one in used[1:]:
        order = [v.lanes + lane if number == one else old for old, (number, lane) in zip(order, places, strict=True)]
        found = shuffled(v, found, vectors[one], order)
        order = list(range(v.lanes))
    return found


def pack_to(v: Expressions, base: str, row: str, dtype: np.dtype, width: int, kept: str, rows: int) -> None:
    """The columns of the next rows, written to memory one vector after the other, squares of so many rows in loops."""
    element = stored(dtype)
    kind, size = element_type(element), v.lanes * element.itemsize
    pieces = by_pieces(v, element, width)
    if not pieces and _is_written_out(v, width, rows):
        for k, column in enumerate(pack(v, base, row, element, width)):
            v.store(column, address(v, kept, k * size))
        return
    start = address(v, base, _times(v, row, width), kind)

    def square(first: str, left: str, columns: int) -> None:
        corner = address(v, address(v, start, _times(v, first, width), kind), left, kind)
        target = address(v, address(v, kept, first, kind), left, f"[{size} x i8]")
        for k, column in enumerate(columns_of(v, in_rows(v, corner, element, width), element, columns)):
            v.store(column, address(v, target, k, f"[{size} x i8]"))

    _in_squares(v, element, width, rows, square)


def unpack_from(
    v: Expressions, base: str, row: str, dtype: np.dtype, width: int, kept: str, rows: int, past: bool
) -> None:
    """Write back the columns of rows that lie in memory so."""
    element = stored(dtype)
    kind, size = element_type(element), v.lanes * element.itemsize
    pieces = by_pieces(v, element, width)
    if not pieces and _is_written_out(v, width, rows):
        unpack(v, base, row, [v.load(address(v, kept, k * size), element) for k in range(width)], past)
        return
    start = address(v, base, _times(v, row, width), kind)

    def square(first: str, left: str, columns: int) -> None:
        source = address(v, address(v, kept, first, kind), left, f"[{size} x i8]")
        found = [v.load(address(v, source, k, f"[{size} x i8]"), element) for k in range(columns)]
        corner = address(v, address(v, start, _times(v, first, width), kind), left, kind)
        write_columns(v, in_rows(v, corner, element, width), found, pieces and past and fill_lines(element, width))

    _in_squares(v, element, width, rows, square)


def _is_written_out(v: Expressions, width: int, rows: int) -> bool:
    """Whether one square after the other is less work than a loop over squares, of which two do some columns twice."""
    return width <= _WRITTEN_OUT and rows == v.lanes


def _in_squares(
    v: Expressions, dtype: np.dtype, width: int, rows: int, square: Callable[[str, str, int], None]
) -> None:
    """`square(first, left, columns)` for all rows of a vector and all columns of a row, in squares of so many; by
    pieces, which are no squares, few columns at once."""
    columns = min(width, rows)
    if by_pieces(v, dtype, width):
        rows = rows_at_once(dtype)
        columns = width if width <= _WRITTEN_OUT else rows
    with loop(v, v.lanes, rows) as first, v.narrowed(rows), tiles(v, width, columns) as left:
        square(first, left, columns)


def columns_of(v: Expressions, place: Place, dtype: np.dtype, columns: int) -> list[Vector]:
    """The first columns, no more than lanes, of as many rows as there are lanes."""
    if by_pieces(v, dtype, columns):
        return apart(v, place, dtype, columns)
    return transposed(v, [first_load(v, place(row, 0), dtype, columns) for row in range(v.lanes)])[:columns]


def write_columns(v: Expressions, place: Place, columns: list[Vector], past: bool = False) -> None:
    """Write such columns to as many rows as there are lanes."""
    dtype, count = columns[0].dtype, len(columns)
    if by_pieces(v, dtype, count):
        together(v, place, columns, past)
        return
    for row, line in enumerate(transposed(v, [*columns, *[Vector(v, "poison", dtype)] * (v.lanes - count)])):
        first_store(v, line, place(row, 0), count, past)


def _square(v: Expressions, start: str, dtype: np.dtype, width: int, left: int) -> list[Vector]:
    """Up to so many columns as there are lanes: a square of that many rows, transposed."""
    columns, kind, places = min(v.lanes, width - left), element_type(dtype), range(left, v.lanes * width, width)
    if _is_whole(columns):
        rows = [first_load(v, address(v, start, first, kind), dtype, columns) for first in places]
        return transposed(v, rows)[:columns]
    last, rows = v.lanes * (width - 1), []
    for first in places:
        # What lies behind the columns is the next row's; of the last rows, which have none, vectors begin earlier.
        rows.append(v.load(address(v, start, min(first, last), kind), dtype))
        if first > last:
            order = [min(lane + first - last, v.lanes - 1) for lane in range(v.lanes)]
            rows[-1] = shuffled(v, rows[-1], rows[-1], order)
    return transposed(v, rows)[:columns]


def _store_square(v: Expressions, start: str, columns: list[Vector], left: int) -> None:
    width, dtype = len(columns), columns[0].dtype
    part = columns[left : left + v.lanes]
    rows = transposed(v, [*part, *[Vector(v, "poison", dtype)] * (v.lanes - len(part))])
    for k, row in enumerate(rows):
        first = k * width + left
        # Where there is one square, what is written behind a row is written anew by the next ones.
        over = width < v.lanes and not _is_whole(width) and first + v.lanes <= v.lanes * width
        first_store(v, row, address(v, start, first, element_type(dtype)), v.lanes if over else len(part))


def _is_whole(columns: int) -> bool:
    """Whether one vector has so many elements and no others."""
    return not columns & (columns - 1)


def first_lanes(v: Expressions, count: int) -> Vector:
    """A mask that is true in the first lanes."""
    return v.value(f"<{', '.join('i1 ' + ('true' if k < count else 'false') for k in range(v.lanes))}>", BOOL)


def first_load(v: Expressions, pointer: str, dtype: np.dtype, count: int, rest: str = "poison") -> Vector:
    """The first elements from a pointer on; nothing beyond them is touched, and the lanes beyond hold the `rest`."""
    if count == v.lanes:
        return v.load(pointer, dtype)
    kind, size = element_type(dtype), dtype.itemsize
    if count == 1:
        one = v.fresh()
        v.lines.append(f"  {one} = load {kind}, ptr {pointer}, align {size}")
        return v.assign(f"insertelement {v.type(dtype)} {rest}, {kind} {one}, i32 0", dtype)
    found, (half, starts) = [], _halves(count)
    for start in starts:
        found.append(v.fresh())
        v.lines.append(f"  {found[-1]} = load <{half} x {kind}>, ptr {address(v, pointer, start * size)}, align {size}")
    joined, part = v.fresh(), f"<{half} x {kind}>"
    order = [*range(half), *range(3 * half - count, 2 * half), *[0] * (2 * half - count)]
    v.lines.append(f"  {joined} = shufflevector {part} {found[0]}, {part} {found[-1]}, {order_of(tuple(order))}")
    order = [*range(count), *[2 * half] * (v.lanes - count)]
    part = f"<{2 * half} x {kind}>"
    return v.assign(f"shufflevector {part} {joined}, {part} {rest}, {order_of(tuple(order))}", dtype)


def _halves(count: int) -> tuple[int, list[int]]:
    """How long a vector is, and where it begins, once or twice, to have so many elements and no others.

    A mask would do as well, but processors wait longer for memory that they look at under a mask.
    """
    half = 1 << count.bit_length() - 1
    return half, [0] if half == count else [0, count - half]


def load_under(v: Expressions, mask: Vector | None, pointer: str, dtype: np.dtype, rest: str = "poison") -> Vector:
    """The elements from a pointer on in the lanes of a mask, or in all of them."""
    if mask is None:
        return v.load(pointer, dtype)
    kind, name = v.type(dtype), f"@llvm.masked.load.{v.mangled(dtype)}.p0"
    v.declarations[name] = f"declare {kind} {name}(ptr, i32, <{v.lanes} x i1>, {kind})"
    return v.assign(f"call {kind} {name}(ptr {pointer}, i32 {dtype.itemsize}, {mask.typed}, {kind} {rest})", dtype)


def first_store(v: Expressions, x: Vector, pointer: str, count: int, past: bool = False) -> None:
    """Write the first elements, and nothing beyond them."""
    if count == v.lanes:
        v.store(x, pointer, past)
        return
    kind, size, (half, starts) = element_type(x.dtype), x.dtype.itemsize, _halves(count)
    for start in starts:
        name, at = v.fresh(), address(v, pointer, start * size)
        if half == 1:
            v.lines.append(f"  {name} = extractelement {x.typed}, i32 0")
            v.lines.append(f"  store {kind} {name}, ptr {at}, align {size}")
            continue
        order = order_of(tuple(range(start, start + half)))
        v.lines.append(f"  {name} = shufflevector {x.typed}, {x.type} poison, {order}")
        v.lines.append(f"  store <{half} x {kind}> {name}, ptr {at}, align {size}")


def store_under(v: Expressions, mask: Vector | None, x: Vector, pointer: str) -> None:
    """Write the lanes of a mask, or all of them."""
    if x.dtype.kind == "b":
        x = v.emit(f"zext {x.typed} to <{v.lanes} x i8>", UINT8)
    if mask is None:
        v.store(x, pointer)
        return
    name = f"@llvm.masked.store.{v.mangled(x.dtype)}.p0"
    v.declarations[name] = f"declare void {name}({x.type}, ptr, i32, <{v.lanes} x i1>)"
    v.lines.append(f"  call void {name}({x.typed}, ptr {pointer}, i32 {x.dtype.itemsize}, {mask.typed})")


def transposed(v: Expressions, rows: list[Vector]) -> list[Vector]:
    """A square of vectors, rows as columns: in each round pairs of vectors exchange halves, quarters and so on."""
    size = len(rows)
    half = size // 2
    while half:
        swapped = list(rows)
        low = [k if not k & half else size + k - half for k in range(size)]
        high = [k + half if not k & half else size + k for k in range(size)]
        for k in range(size):
            if not k & half:
                swapped[k] = shuffled(v, rows[k], rows[k + half], low)
                swapped[k + half] = shuffled(v, rows[k], rows[k + half], high)
        rows, half = swapped, half // 2
    return rows
