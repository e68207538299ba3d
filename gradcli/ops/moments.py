"""What blocks contribute to means and variances: their moments, joined without loss."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.graph.native_forms import Lanes
from gradcli.graph.node import Node
from gradcli.graph.op import Accumulate
from gradcli.ops.accumulators import CHUNK, FOLD, State, sum_wide, unsigned_zero
from gradcli.ops.kernels.inplace import aligned

_F64 = np.dtype(np.float64)
# Squares may be so many times as large as what remains of them when the mean is taken off.
_CANCELLED = 2.0**20


def _moments(arrays: list[Any], params: dict[str, Any], start: int) -> State:
    """Count, mean and sum of squared deviations of a block."""
    x, dim = arrays[0], params["dim"]
    n = math.prod(x.shape[d] for d in dim)
    shape = tuple(1 if k in dim else length for k, length in enumerate(x.shape))
    lead = dim == tuple(range(len(dim))) and x.flags.c_contiguous
    matrix = x.reshape(n, -1) if lead and x.size <= n * (CHUNK // 4) else None
    if matrix is not None and x.dtype == np.float32:
        total, squares = _powers_of_rows(matrix, None)
        rest = squares - total * (total / n)
        # Squares of float32 numbers are exact in float64; what the subtraction leaves of them is plenty.
        if (squares <= _CANCELLED * rest).all():
            return n, (total / n).reshape(shape), rest.reshape(shape)
    rough = _rough_mean(x, dim)
    if matrix is not None:
        total, squares = (s.reshape(shape) for s in _powers_of_rows(matrix, rough.reshape(-1)))
    else:
        wide = x.astype(np.float64) - rough
        total, squares = sum_wide(wide, dim, True), sum_wide(wide * wide, dim, True)
    mean = total / n
    return n, rough + mean, squares - total * mean


def _rough_mean(x: Any, dim: tuple[int, ...]) -> Any:
    """The mean of a few elements: deviations from it may be taken in place of those from the mean.

    Of b rows it misses the true one by at most sqrt(b/64) standard deviations.
    """
    first = x[tuple(slice(0, 64) if k in dim else slice(None) for k in range(x.ndim))]
    rough = np.add.reduce(first, axis=dim, keepdims=True, dtype=np.float64)
    rough /= max(1, math.prod(first.shape[d] for d in dim))
    # An infinite or undefined one would spoil the finite deviations; the sums say it all by themselves.
    return np.where(np.isfinite(rough), rough, 0.0).astype(x.dtype)


def _powers_of_rows(matrix: Any, rough: Any) -> tuple[Any, Any]:
    """Sums and sums of squares of the rows, less a row if there is one: a few rows at a time, side by side."""
    rows, columns = matrix.shape
    fold = FOLD if rows >= FOLD and columns * FOLD <= CHUNK // 4 else 1
    total, squares = np.zeros(columns), np.zeros(columns)
    whole = rows // fold * fold
    for part, many in ((matrix[:whole], fold), (matrix[whole:], 1)):
        width = columns * many
        part = part.reshape(-1, width)
        row = None if rough is None else np.tile(rough.astype(np.float64), many)
        step = max(1, min(CHUNK // width, len(part)))
        ones = np.ones(step)
        wide = aligned(8 * step * width).view(np.float64).reshape(step, width)
        sums, powers = np.zeros(width), np.zeros(width)
        for start in range(0, len(part), step):
            piece = part[start : start + step]
            own, one = wide[: len(piece)], ones[: len(piece)]
            if row is None:
                np.copyto(own, piece)
            else:
                np.subtract(piece, row, out=own)
            sums += one @ own
            np.multiply(own, own, out=own)
            powers += one @ own
        total += sums.reshape(many, columns).sum(0)
        squares += powers.reshape(many, columns).sum(0)
    return total, squares


def _merge_moments(a: State, b: State) -> State:
    """Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for computing sample variances (1979)."""
    n = a[0] + b[0]
    step = b[1] - a[1]
    # An infinite mean stays infinite.
    mean = np.where(np.isfinite(step), a[1] + step * (b[0] / n), a[1] + b[1])
    return n, mean, a[2] + b[2] + step * step * (a[0] * b[0] / n)


def _variance(state: State, node: Node) -> Any:
    n, mean, squares = state
    result = np.true_divide(np.maximum(squares, 0), max(0.0, n - node.params["correction"]))
    # An infinity among the elements leaves no variance.
    result = np.where(np.isfinite(mean), result, np.nan)
    return result.reshape(node.shape)


def _add_moment(v: Any, state: list[Any], x: Any) -> list[Any]:
    """Count, shift, sum and sum of squares of the deviations from the shift, which is the first finite element.

    It is one of the elements, so squares are at most as many times as large as what remains of them as there are.
    """
    n, shift, total, squares = state
    wide = v.cast(x, _F64)
    shift = v.select((n == 0) & (v.abs(wide) < math.inf), wide, shift)
    step = wide - shift
    return [n + 1.0, shift, total + step, v.fma(step, step, squares)]


def _settle_moments(v: Any, state: list[Any]) -> list[Any]:
    """Count, mean, sum of squared deviations from it."""
    n, shift, total, squares = state
    mean = total / v.select(n == 0, 1.0, n)
    return [n, shift + mean, squares - total * mean]


def _join_moments(v: Any, a: list[Any], b: list[Any]) -> list[Any]:
    """As `_merge_moments`."""
    n = a[0] + b[0]
    many = v.select(n == 0, 1.0, n)
    step = b[1] - a[1]
    mean = v.select(v.abs(step) < math.inf, a[1] + step * (b[0] / many), a[1] + b[1])
    joined = [n, mean, a[2] + b[2] + step * step * (a[0] * b[0] / many)]
    return [v.select(b[0] == 0, x, v.select(a[0] == 0, y, z)) for x, y, z in zip(a, b, joined, strict=True)]


def _variance_lanes(root: bool) -> Lanes:
    def result(v: Any, state: list[Any], count: int, node: Node) -> Any:
        _, mean, squares = state
        # The larger one of two numbers, or of vectors that hold the same in all lanes.
        rest = count - float(node.params["correction"])
        rest = max(0.0, rest) if isinstance(rest, float) else v.select(rest < 0.0, 0.0, rest)
        spread = v.select(squares < 0.0, 0.0, squares) / rest
        spread = v.select(v.abs(mean) < math.inf, spread, math.nan)
        return v.cast(v.sqrt(spread) if root else spread, node.dtype)

    def partial(parts: list[Any], count: int, node: Node, start: int) -> State:
        shape = tuple([1 if k in node.params["dim"] else length for k, length in enumerate(node.inputs[0].shape)])
        return count, parts[1].reshape(shape), parts[2].reshape(shape)

    return Lanes(
        start=lambda v, dtype: [v.constant(0.0, _F64)] * 4,
        add=_add_moment,
        merge=_join_moments,
        settle=_settle_moments,
        result=result,
        partial=partial,
    )


def _moments_lanes(node: Node) -> Lanes:
    """The mean or the squares, by the number of the result."""
    part = 1 + node.params.get("index", 0)
    return VAR_LANES._replace(result=lambda v, state, count, node: v.cast(state[part], node.dtype))


VAR_LANES = _variance_lanes(root=False)
VAR = Accumulate(_moments, _merge_moments, lambda state, node: _variance(state, node).astype(node.dtype), VAR_LANES)
#: The mean where the moments are needed anyway.
MEAN_OF_MOMENTS = Accumulate(
    _moments,
    _merge_moments,
    lambda state, node: unsigned_zero(state[1]).reshape(node.shape).astype(node.dtype),
    _moments_lanes,
)
MOMENTS = Accumulate(
    _moments,
    _merge_moments,
    lambda state, node: (state[1].reshape(node.shape), state[2].reshape(node.shape)),
    _moments_lanes,
)
STD = Accumulate(
    _moments,
    _merge_moments,
    lambda state, node: np.sqrt(_variance(state, node)).astype(node.dtype),
    _variance_lanes(root=True),
)
