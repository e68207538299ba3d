"""The elements between neighbours along each dimension of an array, or of a space that it is seen along."""

from __future__ import annotations

from collections.abc import Sequence

Shape = tuple[int, ...]


def dense(shape: Shape) -> Shape:
    """The strides, in elements, of an array in row-major order."""
    strides, step = [], 1
    for length in reversed(shape):
        strides.append(step)
        step *= length
    return tuple(reversed(strides))


def broadcast(shape: Shape, space: Shape) -> Shape:
    """The strides of such an array along a space that it is broadcast to."""
    lead = len(space) - len(shape)
    own = zip(shape, dense(shape), strict=True)
    return (0,) * lead + tuple([0 if length == 1 else step for length, step in own])


def kept(space: Shape, reduced: Sequence[int]) -> Shape:
    """The strides of what remains of a space without some of its dimensions."""
    rest = tuple([1 if dim in reduced else length for dim, length in enumerate(space)])
    return tuple([0 if dim in reduced else step for dim, step in enumerate(dense(rest))])
