"""Tools of block kernels, the functions `into(out, *arrays, **params)` that write a kernel's result into an array.

An engine calls them on blocks that fit the cache; `whole` makes the plain kernel of one, so that both give the same
bits. On signs or masks that come at random, `np.where` and its kin take ten times as long as arithmetic does, because
the processor guesses each branch: here elements are chosen by their bits, which is exact for every value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gradcli.graph.infer import broadcast_shapes

Into = Callable[..., None]

# Elements that whole arrays are cut into: a few operands of so many fit the cache.
_BLOCK = 1 << 16
# The same for functions that take many steps with arrays of their own.
_PIECE = 1 << 13
# Below this many bytes alignment does not matter.
_SMALL = 1 << 15
_LINE = 64
_INTEGERS = {n: np.dtype(f"i{n}") for n in (1, 2, 4, 8)}


def whole(into: Into) -> Callable[..., Any]:
    """The plain kernel of a block kernel, whose result has the common shape and the last operand's dtype."""

    def kernel(*arrays: Any, **params: Any) -> Any:
        out = _result(arrays)
        if out.size <= 2 * _BLOCK:
            into(out, *arrays, **params)
            return out
        for block, *parts in pieces(_BLOCK, out, *arrays):
            into(block, *parts, **params)
        return out

    return kernel


def _result(arrays: tuple[Any, ...]) -> Any:
    last = arrays[-1]
    shape = last.shape if len(arrays) == 1 else broadcast_shapes([a.shape for a in arrays])
    for a in arrays:
        if a.shape == shape:
            # In the layout of the operand, so that they can be walked through together.
            return np.empty_like(a, last.dtype)
    return np.empty(shape, last.dtype)


def pieces(size: int, out: Any, *arrays: Any) -> Iterator[tuple[Any, ...]]:
    """`out` and its operands in runs of `size` elements; in one piece where their layouts differ."""
    flat = flattened((out, *arrays)) if out.size > 2 * size else None
    if flat is None:
        yield out, *arrays
        return
    for start in range(0, out.size, size):
        yield tuple(a[start : start + size] if a.ndim else a for a in flat)


def flattened(arrays: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Arrays of one shape and layout as vectors, and scalars as they are; None for others."""
    out = arrays[0]
    for order in ("C", "F"):
        flag = f"{order}_CONTIGUOUS"
        if all(not a.ndim or (a.shape == out.shape and a.flags[flag]) for a in arrays):
            return tuple(a.reshape(-1, order=order) if a.ndim else a for a in arrays)
    return None


def aligned(size: int) -> Any:
    """Bytes that begin with a cache line: vector instructions across two lines take twice as long."""
    memory = np.empty(size + _LINE, np.uint8)
    start = -memory.ctypes.data % _LINE
    return memory[start : start + size]


def scratch(out: Any) -> Any:
    """An uninitialized array of the shape, dtype and layout of `out`."""
    return scratches(out, 1)[0]


def scratches(out: Any, count: int) -> list[Any]:
    """So many of them."""
    if not (out.flags.c_contiguous or out.flags.f_contiguous):
        return [np.empty_like(out) for _ in range(count)]
    order: Any = "C" if out.flags.c_contiguous else "F"
    return [row.reshape(out.shape, order=order) for row in rows(out.size, out.dtype, count)]


def rows(size: int, dtype: np.dtype, count: int) -> Any:
    """An uninitialized matrix with rows of so many elements, each of which begins a cache line.

    NumPy's own arrays are not aligned so, and simple operations on them take up to three times as long. The rows are
    one array because the C library keeps one large piece of memory when it is freed, but gives several back.
    """
    length = -(-size * dtype.itemsize // _LINE) * _LINE
    memory = np.empty(count * length + _LINE, np.uint8)
    start = -memory.ctypes.data % _LINE if length > _SMALL else 0
    return np.ndarray((count, length // dtype.itemsize), dtype, memory, start)[:, :size]


def in_double(function: Callable[..., Any]) -> Into:
    """The block kernel of a function of one vector in double precision, whose results are rounded once."""

    def run(out: Any, x: Any, **params: Any) -> None:
        for block, part in pieces(_PIECE, out, x):
            wide = np.broadcast_to(part, block.shape).astype(np.float64).reshape(-1)
            np.copyto(block, function(wide, **params).reshape(block.shape), casting="same_kind")

    return run


def numbers(text: str) -> tuple[float, ...]:
    """The coefficients that a text lists."""
    return tuple(map(float, text.split()))


# Choosing by bits -----------------------------------------------------------------------------------------------------


def bits(x: Any) -> Any:
    """The same memory as integers."""
    return x.view(_INTEGERS[x.dtype.itemsize])


def sign_bit(dtype: np.dtype) -> Any:
    """The integer that has the sign's bit only."""
    return np.iinfo(_INTEGERS[dtype.itemsize]).min


def select(out: Any, condition: Any, yes: Any, no: Any) -> None:
    """`yes` where the condition holds, else `no`, whatever they are; `out` may be `yes` but not `no`."""
    if not condition.ndim:
        np.copyto(out, yes if condition else no)
        return
    # All bits where the condition holds, none elsewhere.
    chosen = np.negative(condition.view(np.int8))
    target, yes, no = bits(out), bits(yes), bits(no)
    if not no.ndim and not no:
        np.bitwise_and(yes, chosen, out=target)
    elif not yes.ndim and not yes:
        np.bitwise_and(no, np.invert(chosen, out=chosen), out=target)
    else:
        np.bitwise_xor(yes, no, out=target)
        np.bitwise_and(target, chosen, out=target)
        np.bitwise_xor(target, no, out=target)


def clear(out: Any, values: Any, drop: Any) -> None:
    """The values with 0 where `drop` holds, whatever they are there; `out` may be the values."""
    if not drop.ndim:
        np.copyto(out, values.dtype.type(0) if drop else values)
        return
    kept = np.subtract(drop.view(np.int8), np.int8(1))
    np.bitwise_and(bits(values), kept, out=bits(out))


def negative_size(out: Any, x: Any) -> None:
    """`-abs(x)` of floats: the sign's bit set."""
    np.bitwise_or(bits(x), sign_bit(x.dtype), out=bits(out))


def take_sign(out: Any, x: Any) -> None:
    """The sign of x for elements of `out` that have none or the same."""
    sign = np.bitwise_and(bits(x), sign_bit(x.dtype))
    target = bits(out)
    np.bitwise_or(target, sign, out=target)


def repair(out: Any, wrong: Any, function: Callable[..., Any], *arrays: Any) -> None:
    """Compute the elements where `wrong` holds anew, with a slower function."""
    places = np.nonzero(wrong) if wrong.ndim else wrong
    out[places] = function(*(np.broadcast_to(a, out.shape)[places] for a in arrays))
