"""A search by a simplex within bounds, which goes on where the bounds have made the simplex flat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

# How far the corners of a simplex lie from the first: such a part of an element, or so far from zero; as in SciPy.
_PART, _FROM_ZERO = 0.05, 0.00025
# How far from a bound to look whether the value is smaller there, as a part of an element, or of 1 for smaller ones.
_ASIDE = 1e-4
# A simplex that is thinner than this part of its length is flat.
_FLAT = 1e-2
# A simplex is set up so many times more.
_MOST_RESTARTS = 20
# What one that is set up anew must win, unless a tolerance is given: SciPy's.
_TOLERANCE = 1e-4

#: SciPy's result of a search from these corners, with so many steps at most.
Search = Callable[[np.ndarray, int | None], Any]


def searched(
    search: Search,
    value: Callable[[np.ndarray], float],
    start: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    most: int | None,
    tolerance: float | None,
) -> tuple[Any, bool]:
    """SciPy's last result, and whether its simplex was as it should be at the end.

    SciPy puts corners beyond a bound onto it. When all are there, that direction is lost: the search goes on along the
    bound, or stops, and believes that it has arrived.
    """
    low, high = (bound.astype(np.float64) for bound in bounds)
    found, steps = search(_corners(start, low, high), most), 0
    again = _collapsed(found, value, low, high)
    for _ in range(_MOST_RESTARTS):
        steps += found.nit
        if again is None or most is not None and steps >= most:
            break
        before, found = found.fun, search(_corners(again, low, high), None if most is None else most - steps)
        again = _collapsed(found, value, low, high)
        if again is found.x and before - found.fun <= (tolerance or _TOLERANCE):
            again = None
    return found, again is None


def _corners(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """A simplex at `x`: SciPy's, but turned inward at either bound; that one is flat on a lower bound."""
    away = np.where(x == 0, _FROM_ZERO, _PART * x)
    away = np.where((x + away > high) | (x + away < low), -away, away)
    return np.clip(np.concatenate([x[None], x + np.diag(away)]), low, high)


def _collapsed(
    found: Any, value: Callable[[np.ndarray], float], low: np.ndarray, high: np.ndarray
) -> np.ndarray | None:
    """Where to go on from: a little off a bound where the value is smaller there, or where a flat simplex has ended.

    None where all is well.
    """
    if not found.success:
        return None
    x, room = found.x, low < high
    stuck = room & ((x <= low) | (x >= high))
    best, least = None, float(found.fun)
    for k in np.flatnonzero(stuck):
        aside, at = _ASIDE * max(1.0, abs(x[k])), x.copy()
        at[k] = min(x[k] + aside, high[k]) if x[k] <= low[k] else max(x[k] - aside, low[k])
        there = value(at)
        if there < least:
            best, least = at, there
    if best is not None:
        return best
    edges = (found.final_simplex[0][1:] - x)[:, room & ~stuck]
    sizes = np.linalg.svd(edges, compute_uv=False)
    return x if sizes.size and not sizes[-1] > _FLAT * sizes[0] else None
