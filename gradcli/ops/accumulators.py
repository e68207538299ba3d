"""What blocks contribute to reductions: sums in float64 whatever the dtype, norms, extremes, products of matrices.

A float32 sum is as accurate as one accumulated in float64 and rounded once: what is added up in float32, if only in
short pieces, is rounded in the same direction again and again where data is regular.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.graph.native_forms import Lanes
from gradcli.graph.node import Node
from gradcli.graph.op import Accumulate
from gradcli.ops.kernels import native
from gradcli.ops.kernels.inplace import aligned

State = tuple[Any, ...]

# So many elements are converted at a time: the float64 copy stays in the cache.
CHUNK = 1 << 17
# Up to this length NumPy's loop over a short last dimension costs more than a product with a vector of ones.
_NARROW = 64
# From this length on a call of `einsum` is worth its while.
_LONG = 1 << 10
# So many rows are laid side by side where columns are added up: long rows are faster, up to some length.
FOLD = 64
_LONG_ROW = 1 << 13
_F64 = np.dtype(np.float64)


def sum_wide(x: Any, axes: tuple[int, ...], keepdims: bool = False) -> Any:
    """The sum over `axes` in float64 (int64 for integers and booleans)."""
    if x.dtype.kind == "f" and x.size >= _NARROW and x.ndim:
        if len(axes) == x.ndim and (x.flags.c_contiguous or x.flags.f_contiguous):
            total = _total(x.reshape(-1, order="A"))
            return np.full((1,) * x.ndim, total) if keepdims else np.asarray(total)
        if x.flags.c_contiguous:
            if axes == tuple(range(len(axes))):
                rest = x.shape[len(axes) :]
                total = _over_rows(x.reshape(-1, math.prod(rest)))
                return total.reshape((1,) * len(axes) + rest if keepdims else rest)
            if axes == (x.ndim - 1,) and x.shape[-1] <= _NARROW:
                return _over_columns(x, keepdims)
    add: Any = np.add
    return add.reduce(x, axis=axes, keepdims=keepdims, dtype=wide_dtype(x.dtype))


def _total(flat: Any) -> Any:
    """The sum of a vector. `einsum` converts float32 numbers as it goes, and faster than `add` does."""
    if flat.dtype == np.float64 or len(flat) < _LONG:
        return np.add.reduce(flat, dtype=np.float64)
    return np.einsum("i->", flat, dtype=np.float64)


def _over_rows(matrix: Any) -> Any:
    """The sum of the rows of a matrix, short ones being laid side by side."""
    rows, columns = matrix.shape
    if columns > CHUNK // 8:
        # Few long rows are added up as they are.
        return np.add.reduce(matrix, axis=0, dtype=np.float64)
    total = np.zeros(columns)
    fold = FOLD if columns * FOLD <= _LONG_ROW and rows >= FOLD else 1
    whole = rows // fold * fold
    for part, many in ((matrix[:whole], fold), (matrix[whole:], 1)):
        if len(part):
            total += _add_up(part.reshape(-1, columns * many)).reshape(many, columns).sum(0)
    return total


def _add_up(matrix: Any) -> Any:
    """The sum of the rows."""
    if matrix.dtype == np.float64:
        return np.ones(len(matrix)) @ matrix
    return np.add.reduce(matrix, axis=0, dtype=np.float64)


def _over_columns(x: Any, keepdims: bool) -> Any:
    """The sum over a short last dimension."""
    columns = x.shape[-1]
    matrix = x.reshape(-1, columns)
    ones = np.ones(columns)
    total = np.empty(len(matrix))
    step = max(1, CHUNK // columns)
    for start in range(0, len(matrix), step):
        piece = matrix[start : start + step]
        np.matmul(piece.astype(np.float64, copy=False), ones, out=total[start : start + step])
    return total.reshape((*x.shape[:-1], 1) if keepdims else x.shape[:-1])


def dot_wide(a: Any, b: Any) -> Any:
    """The sum of the products of all elements of two arrays of one shape and layout, in float64."""
    x, y = a.reshape(-1, order="A"), b.reshape(-1, order="A")
    if x.dtype == np.float64:
        return np.dot(x, y)
    left = aligned(8 * min(len(x), CHUNK)).view(np.float64)
    # A second one would push the first out of the cache, and squares need none.
    right = left if a is b else aligned(8 * min(len(x), CHUNK)).view(np.float64)
    total = 0.0
    for start in range(0, len(x), CHUNK):
        piece = x[start : start + CHUNK]
        some, others = left[: len(piece)], right[: len(piece)]
        np.copyto(some, piece)
        if a is not b:
            np.copyto(others, y[start : start + CHUNK])
        total += np.dot(some, others)
    return total


def _add(a: State, b: State) -> State:
    return tuple(np.add(x, y) for x, y in zip(a, b, strict=True))


def _sum_partial(arrays: list[Any], params: dict[str, Any], start: int) -> State:
    return (sum_wide(arrays[0], params["dim"], params["keepdim"]),)


def count_of(node: Node) -> int:
    """How many elements one result takes in."""
    shape = node.inputs[0].shape
    return math.prod(shape[d] for d in node.params["dim"])


def unsigned_zero(total: Any) -> Any:
    """A sum as it is, except that zero has no sign: sums begin with 0, as in PyTorch."""
    return total + 0.0 if total.dtype.kind == "f" else total


_BYTE = np.dtype(np.uint8)


def wide_dtype(dtype: Any) -> np.dtype:
    return np.dtype(np.float64 if dtype.kind == "f" else np.int64)


SUM_LANES = Lanes(
    start=lambda v, dtype: [v.constant(0, wide_dtype(dtype))],
    add=lambda v, state, x: [state[0] + v.cast(x, state[0].dtype)],
    merge=lambda v, a, b: [x + y for x, y in zip(a, b, strict=True)],
    result=lambda v, state, count, node: v.cast(state[0], node.dtype),
)
_COUNT_LANES = SUM_LANES._replace(
    start=lambda v, dtype: [v.constant(0, np.dtype(np.int64))],
    add=lambda v, state, x: [state[0] + v.cast(x != 0, state[0].dtype)],
)

SUM = Accumulate(
    _sum_partial, _add, lambda state, node: np.asarray(unsigned_zero(state[0])).astype(node.dtype), SUM_LANES
)
MEAN = Accumulate(
    _sum_partial,
    _add,
    lambda state, node: np.asarray(np.true_divide(unsigned_zero(state[0]), count_of(node))).astype(node.dtype),
    SUM_LANES._replace(
        result=lambda v, state, count, node: v.cast(v.cast(state[0], np.dtype(np.float64)) / count, node.dtype)
    ),
)
COUNT = Accumulate(
    lambda arrays, params, start: (
        np.add.reduce(arrays[0] != 0, axis=params["dim"], keepdims=params["keepdim"], dtype=np.int64),
    ),
    _add,
    lambda state, node: np.asarray(state[0]),
    _COUNT_LANES,
)


def by_ufunc(reduce: Any, wide: Any = None, lanes: Lanes | None = None) -> Accumulate:
    """Reductions by an operation that may be applied in any order, such as a maximum."""

    def partial(arrays: list[Any], params: dict[str, Any], start: int) -> State:
        dtype = None if wide is None else wide(arrays[0].dtype)
        return (reduce.reduce(arrays[0], axis=params["dim"], keepdims=params["keepdim"], dtype=dtype),)

    return Accumulate(
        partial, lambda a, b: (reduce(a[0], b[0]),), lambda state, node: np.asarray(state[0]).astype(node.dtype), lanes
    )


def lanes_of(
    start: Callable[[Any, Any], Any], join: Callable[[Any, Any, Any], Any], of: Callable[[Any, Any], Any] | None = None
) -> Lanes:
    """The native form where elements, or what `of(v, x)` makes of them, are joined like states.

    `start(v, dtype)` is what any of them wins against.
    """
    return Lanes(
        start=lambda v, dtype: [start(v, dtype)],
        add=lambda v, state, x: [join(v, state[0], v.cast(of(v, x) if of else x, state[0].dtype))],
        merge=lambda v, a, b: [join(v, a[0], b[0])],
        result=lambda v, state, count, node: v.cast(state[0], node.dtype),
    )


PRODUCT_LANES = lanes_of(lambda v, dtype: v.constant(1, wide_dtype(dtype)), lambda v, a, b: a * b)
ALL_LANES = lanes_of(lambda v, dtype: v.constant(1, _BYTE), lambda v, a, b: a & b, lambda v, x: x != 0)
ANY_LANES = lanes_of(lambda v, dtype: v.constant(0, _BYTE), lambda v, a, b: a | b, lambda v, x: x != 0)


def lowest(v: Any, dtype: Any) -> Any:
    """What no element is below."""
    if dtype.kind == "b":
        return v.constant(0, _BYTE)
    return v.constant(-math.inf if dtype.kind == "f" else np.iinfo(dtype).min, dtype)


def highest(v: Any, dtype: Any) -> Any:
    """What no element is above."""
    if dtype.kind == "b":
        return v.constant(1, _BYTE)
    return v.constant(math.inf if dtype.kind == "f" else np.iinfo(dtype).max, dtype)


MAXIMUM = by_ufunc(np.maximum, lanes=lanes_of(lowest, lambda v, a, b: v.maximum(a, b)))
MINIMUM = by_ufunc(np.minimum, lanes=lanes_of(highest, lambda v, a, b: v.minimum(a, b)))


def norm_terms(x: Any, p: float) -> Any:
    """What a norm is the sum of, or the extreme."""
    size = np.abs(x).astype(np.float64)
    if p == 0:
        return np.not_equal(size, 0).astype(np.float64)
    if p == 2:
        size *= size
    return size if p in (1, 2) or math.isinf(p) else size**p


def norm_of(total: Any, p: float) -> Any:
    """The norm whose terms come to this."""
    return np.sqrt(total) if p == 2 else total if p in (0, 1) or math.isinf(p) else total ** (1 / p)


def _powers(arrays: list[Any], params: dict[str, Any], start: int) -> State:
    terms, p, dim, keepdim = norm_terms(arrays[0], params["p"]), params["p"], params["dim"], params["keepdim"]
    if math.isinf(p):
        return (np.maximum if p > 0 else np.minimum).reduce(terms, axis=dim, keepdims=keepdim), p
    return sum_wide(terms, dim, keepdim), p


def _merge_powers(a: State, b: State) -> State:
    combine = np.add if not math.isinf(a[1]) else np.maximum if a[1] > 0 else np.minimum
    return combine(a[0], b[0]), a[1]


def _norm_lanes(node: Node) -> Lanes:
    p = node.params["p"]

    def add(v: Any, state: list[Any], x: Any) -> list[Any]:
        size = v.abs(v.cast(x, _F64))
        if math.isinf(p):
            return join(v, state, [size])
        if p == 0:
            return [state[0] + v.cast(size != 0, _F64)]
        return [v.fma(size, size, state[0]) if p == 2 else state[0] + native.power(v, size, v.constant(p, _F64))]

    def join(v: Any, a: list[Any], b: list[Any]) -> list[Any]:
        return [v.maximum(a[0], b[0]) if p == math.inf else v.minimum(a[0], b[0]) if p == -math.inf else a[0] + b[0]]

    def result(v: Any, state: list[Any], count: int, node: Node) -> Any:
        whole = p in (0, 1) or math.isinf(p)
        return v.cast(state[0] if whole else native.power(v, state[0], v.constant(1 / p, _F64)), node.dtype)

    return Lanes(
        start=lambda v, dtype: [v.constant(math.inf if p == -math.inf else 0.0, _F64)],
        add=add,
        merge=join,
        result=result,
        partial=lambda parts, count, node, start: (parts[0], p),
    )


NORM = Accumulate(
    _powers, _merge_powers, lambda state, node: np.asarray(norm_of(*state)).astype(node.dtype), _norm_lanes
)


def first_extreme(extreme: Any, arg: Any) -> Accumulate:
    """The index of the largest or smallest element along one dimension, the first of equal ones; NaN goes first."""

    def partial(arrays: list[Any], params: dict[str, Any], start: int) -> State:
        x, dim = arrays[0], params["dim"][0]
        index = arg(x, axis=dim, keepdims=True)
        return np.take_along_axis(x, index, dim), index + start

    lanes = _place_lanes(extreme, lambda parts, node, start: (parts[0], parts[1] + start))
    return Accumulate(partial, _first_of(extreme), lambda state, node: state[1].reshape(node.shape), lanes)


def extreme_and_place(extreme: Any, kernel: Any) -> Accumulate:
    """The same, both results of the kernel being kept."""

    def partial(arrays: list[Any], params: dict[str, Any], start: int) -> State:
        wanted = params.get("wanted", (True, True))
        values, index = kernel(arrays[0], params["dim"], True, (True, wanted[1]))
        return values, None if index is None or not wanted[1] else index + start

    def finish(state: State, node: Any) -> State:
        return tuple([part if part is None else part.reshape(node.shape) for part in state])

    def settled(parts: list[Any], node: Node, start: int) -> State:
        wanted = node.params.get("wanted", (True, True))
        return parts[0].astype(node.inputs[0].dtype), parts[1] + start if wanted[1] else None

    def lanes(node: Node) -> Lanes:
        part = node.params.get("index", 0)
        return _place_lanes(extreme, settled)._replace(
            result=lambda v, state, count, node: v.cast(state[part], node.dtype)
        )

    return Accumulate(partial, _first_of(extreme), finish, lanes)


def _place_lanes(extreme: Any, partial: Callable[[list[Any], Node, int], State]) -> Lanes:
    """The native form of both: the extreme so far and its place, which is -1 as long as there is none."""

    def join(v: Any, a: list[Any], b: list[Any]) -> list[Any]:
        (x, i), (y, k) = a, b
        better, same = y > x if extreme is np.maximum else y < x, x == y
        if x.dtype.kind == "f":
            better, same = better | (v.isnan(y) & ~v.isnan(x)), same | (v.isnan(x) & v.isnan(y))
        better = (i < 0) | ((better | (same & (k < i))) & (k >= 0))
        return [v.select(better, y, x), v.select(better, k, i)]

    bound = lowest if extreme is np.maximum else highest
    return Lanes(
        start=lambda v, dtype: [bound(v, dtype), v.constant(-1, np.dtype(np.int64))],
        add=lambda v, state, x, index: join(v, state, [v.cast(x, state[0].dtype), index]),
        merge=join,
        result=lambda v, state, count, node: state[1],
        partial=lambda parts, count, node, start: partial(parts, node, start),
        indexed=True,
    )


def _first_of(extreme: Any) -> Callable[[State, State], State]:
    """What of two neighbours is larger or smaller, and its place where that is known."""

    def merge(a: State, b: State) -> State:
        (left, i), (right, k) = a, b
        better = right > left if extreme is np.maximum else right < left
        if left.dtype.kind == "f":
            better = (better | np.isnan(right)) & ~np.isnan(left)
        return np.where(better, right, left), None if i is None else np.where(better, k, i)

    return merge


def product(kernel: Any) -> Accumulate:
    """Products of matrices summed over the blocked dimension, block after block in float64."""

    def partial(arrays: list[Any], params: dict[str, Any], start: int) -> State:
        result = np.asarray(kernel(*arrays))
        return (result.astype(np.float64) if result.dtype.kind == "f" else result,)

    return Accumulate(partial, _add, lambda state, node: state[0].astype(node.dtype), SUM_LANES)


def _dot_partial(arrays: list[Any], params: dict[str, Any], start: int) -> State:
    a, b = arrays
    if a.dtype.kind != "f" or not (a.flags.c_contiguous and b.flags.c_contiguous):
        return (np.asarray(np.dot(a, b)).astype(wide_dtype(a.dtype)),)
    return (np.asarray(dot_wide(a, b)),)


DOT = Accumulate(_dot_partial, _add, lambda state, node: state[0].astype(node.dtype), SUM_LANES)
