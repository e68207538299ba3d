"""Lanes of vectors in another order, taken out of them, and put together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from gradcli.engine.native.expressions import Expressions
from gradcli.engine.native.vectors import Vector


@lru_cache(maxsize=64)
def order_of(places: tuple[int, ...]) -> str:
    """The places of lanes as an operand."""
    return f"<{len(places)} x i32> <{', '.join([f'i32 {k}' for k in places])}>"


def shuffled(v: Expressions, a: Vector, b: Vector, order: Sequence[int]) -> Vector:
    """The lanes of two vectors, those of the second counted on from those of the first."""
    return v.emit(f"shufflevector {a.typed}, {b.typed}, {order_of(tuple(order))}", a.dtype)


def part_of(v: Expressions, x: Vector, first: int, lanes: int) -> Vector:
    """So many neighbouring lanes."""
    return x if lanes == v.lanes else shuffled(v, x, v.value("poison", x.dtype), range(first, first + lanes))


def in_pieces(v: Expressions, x: Vector, lanes: int) -> list[Vector]:
    """Neighbouring lanes together, so many in each vector."""
    return [part_of(v, x, first, lanes) for first in range(0, v.lanes, lanes)] if lanes < v.lanes else [x]


def joined(v: Expressions, parts: list[Vector], lanes: int) -> Vector:
    """Vectors of so many lanes, which are a power of two of them, one after the other in one."""
    while len(parts) > 1:
        with v.narrowed(lanes):
            parts = [shuffled(v, a, b, range(2 * lanes)) for a, b in zip(parts[::2], parts[1::2], strict=True)]
        lanes *= 2
    return parts[0]
