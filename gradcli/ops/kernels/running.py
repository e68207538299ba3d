"""Running sums and products along a dimension."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

# Elements that are taken at once: their sums in float64 stay in the cache.
_PIECE = 1 << 15


def running(ufunc: Any, out: Any, x: Any, dim: int) -> None:
    """What `ufunc` makes of the elements up to each place, one after the other; of floats in float64, then rounded."""
    if not x.ndim:
        out[...] = x
    elif x.dtype.kind != "f" or x.dtype == np.float64:
        ufunc.accumulate(x, axis=dim, dtype=out.dtype, out=out)
    elif x.size <= 2 * _PIECE or not out.flags.c_contiguous:
        out[...] = ufunc.accumulate(x, axis=dim, dtype=np.float64)
    else:
        shape = math.prod(x.shape[:dim]), x.shape[dim], math.prod(x.shape[dim + 1 :])
        _in_double(ufunc, out.reshape(shape), x.reshape(shape))


def _in_double(ufunc: Any, out: Any, x: Any) -> None:
    """The same along the second of three dimensions, a piece at a time: an array of float64 would be twice as large as
    the result, and getting its memory takes as long as adding up."""
    lead, length, inner = x.shape
    lines = max(1, _PIECE // (length * inner))
    steps = max(1, min(length, _PIECE // inner))
    # What there was before a piece is its first element.
    wide = np.empty((lines, steps + 1, inner))
    for first in range(0, lead, lines):
        for start in range(0, length, steps):
            place = slice(first, first + lines), slice(start, start + steps)
            part = x[place]
            sums = wide[: len(part), : part.shape[1] + 1]
            sums[:, 1:] = part
            own = sums if start else sums[:, 1:]
            ufunc.accumulate(own, axis=1, out=own)
            out[place] = sums[:, 1:]
            wide[: len(part), 0] = sums[:, -1]
