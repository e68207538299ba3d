"""Running sums and products along a dimension."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

# Elements that are taken at once: their sums in float64 stay in the cache.
_PIECE = 1 << 15
# So many lines are gone through side by side, a place after the other: fewer are not worth a call for each place.
_BESIDE = 512


def running(ufunc: Any, out: Any, x: Any, dim: int) -> None:
    """What `ufunc` makes of the elements up to each place, one after the other; of floats in float64, then rounded."""
    if not x.ndim:
        out[...] = x
    elif x.size and _side_by_side(ufunc, out, x, dim):
        return
    elif x.dtype.kind != "f" or x.dtype == np.float64:
        ufunc.accumulate(x, axis=dim, dtype=out.dtype, out=out)
    elif x.size <= 2 * _PIECE or not out.flags.c_contiguous:
        out[...] = ufunc.accumulate(x, axis=dim, dtype=np.float64)
    else:
        shape = math.prod(x.shape[:dim]), x.shape[dim], math.prod(x.shape[dim + 1 :])
        _in_double(ufunc, out.reshape(shape), x.reshape(shape))


def _side_by_side(ufunc: Any, out: Any, x: Any, dim: int) -> bool:
    """The same, a place of many lines at once; False where these are few."""
    lead, inner = math.prod(x.shape[:dim]), math.prod(x.shape[dim + 1 :])
    if x.flags.c_contiguous and out.flags.c_contiguous:
        x, out = (array.reshape(lead, -1, inner) for array in (x, out))
        lines = min(lead, max(1, _PIECE // (x.shape[1] * inner)))
    else:
        # Its places may be what lies together.
        x, out = (np.moveaxis(array, dim, 1) if dim else array[None] for array in (x, out))
        lead = lines = len(x)
        inner = out[:1, 0].size
    if lines * inner < _BESIDE:
        return False
    for first in range(0, lead, lines):
        part, into = x[first : first + lines], out[first : first + lines]
        sums = part[:, 0].astype(np.float64 if x.dtype.kind == "f" else out.dtype)
        into[:, 0] = sums
        for place in range(1, x.shape[1]):
            ufunc(sums, part[:, place], out=sums)
            into[:, place] = sums
    return True


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
