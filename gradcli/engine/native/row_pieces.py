"""Rows of a few elements taken apart and put together sixteen bytes at a time, for registers of no more than 32 bytes:
their lanes come into another order within sixteen bytes, by one instruction, and hardly beyond."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gradcli.engine.native.expressions import Expressions
from gradcli.engine.native.loops import address
from gradcli.engine.native.processor import has_wide_vectors
from gradcli.engine.native.shuffles import joined, part_of, shuffled
from gradcli.engine.native.vectors import Vector, element_type

#: The address of an element of a row.
Place = Callable[[int, int], str]

#: Bytes of a piece of a row, and of a register, which has a piece of two rows.
_PIECE, _REGISTER = 16, 32


def by_pieces(v: Expressions, dtype: np.dtype, columns: int) -> bool:
    """Whether so many columns are taken apart and put together by pieces."""
    piece = _PIECE // dtype.itemsize
    return not has_wide_vectors() and 1 < piece <= 4 and piece <= columns and v.lanes >= 2 * piece


def rows_at_once(dtype: np.dtype) -> int:
    """Of so many rows a register has an element each."""
    return _REGISTER // dtype.itemsize


def in_rows(v: Expressions, start: str, dtype: np.dtype, width: int) -> Place:
    """The places of rows that are so many elements wide."""
    return lambda row, column: address(v, start, row * width + column, element_type(dtype))


def apart(v: Expressions, place: Place, dtype: np.dtype, columns: int) -> list[Vector]:
    """The first columns of as many rows as there are lanes."""
    piece, lanes = _PIECE // dtype.itemsize, v.lanes
    parts: list[list[Vector]] = [[] for _ in range(columns)]
    for first in range(0, lanes, 2 * piece):
        found: dict[int, Vector] = {}
        for left in _starts(columns, piece):
            rows = []
            for row in range(first, first + piece):
                places = [place(row, left), place(row + piece, left)]
                with v.narrowed(piece):
                    halves = [v.load(at, dtype) for at in places]
                rows.append(joined(v, halves, piece))
            with v.narrowed(2 * piece):
                for column, part in enumerate(_turned(v, rows), left):
                    # The last piece has some columns of the one before again.
                    found.setdefault(column, part)
        for column, part in found.items():
            parts[column].append(part)
    return [joined(v, pieces, 2 * piece) for pieces in parts]


def together(v: Expressions, place: Place, columns: Sequence[Vector], past: bool = False) -> None:
    """Write such columns to rows, `past` the cache if no piece lies on two lines of it."""
    dtype, lanes = columns[0].dtype, v.lanes
    piece = _PIECE // dtype.itemsize
    lefts = _starts(len(columns), piece)
    for first in range(0, lanes, 2 * piece):
        parts = [part_of(v, column, first, 2 * piece) for column in columns]
        with v.narrowed(2 * piece):
            rows = [_turned(v, parts[left : left + piece]) for left in lefts]
            for row in range(2 * piece):
                for left, found in zip(lefts, rows, strict=True):
                    part = part_of(v, found[row % piece], row // piece * piece, piece)
                    with v.narrowed(piece):
                        v.store(part, place(first + row, left), past)


def fill_lines(dtype: np.dtype, width: int) -> bool:
    """Whether the pieces of rows of so many elements lie on no two lines of the cache, so that they can pass it by."""
    return width * dtype.itemsize % _PIECE == 0


def _starts(columns: int, piece: int) -> list[int]:
    """Where the pieces of a row begin: the last one has some columns of the one before, if they do not fit."""
    return [min(left, columns - piece) for left in range(0, columns, piece)]


def _turned(v: Expressions, rows: list[Vector]) -> list[Vector]:
    """The columns of as many rows as a piece has elements, or rows of columns, in both halves of the registers: pairs
    are interleaved until each element is where it belongs."""
    piece = len(rows)
    half = piece // 2
    orders = [
        [start + k // 2 + k % 2 * 2 * piece for start in (low, low + piece) for k in range(piece)] for low in (0, half)
    ]
    rounds = piece.bit_length() - 1
    for _ in range(rounds):
        rows = [shuffled(v, rows[k], rows[k + half], order) for k in range(half) for order in orders]
    return rows
