"""The least and the most that each element of the parameters may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, did_you_mean, quoted, told_of
from gradcli.evaluation.values import to_array
from gradcli.graph.arguments import kind_of
from gradcli.optimize.packing import Packing

#: Two vectors, in the dtype of that of the parameters.
Bounds = tuple[np.ndarray, np.ndarray]


def bounds_of(bounds: Any, packing: Packing, start: np.ndarray, room: bool = False) -> Bounds:
    """The bounds of each element of the vector; `bounds` maps parameters to pairs, None for a side that is open.

    GradcliError where the start is not within them; with `room`, also where both are the same.
    """
    if not isinstance(bounds, Mapping):
        raise GradcliError(f"bounds must be a dictionary from parameters to pairs, got {kind_of(bounds)}")
    # In the dtype of the vector, which a start on its bound is rounded to as well.
    least, most = (np.full(packing.size, limit, packing.dtype) for limit in (-np.inf, np.inf))
    for name, pair in bounds.items():
        if name not in packing.places:
            hint = did_you_mean(str(name), list(packing.places)) or f"the parameters are {', '.join(packing.places)}"
            raise GradcliError(f"bounds: there is no parameter {quoted(str(name))}", hint=hint)
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            hint = "for example, (0, 10), or (0, None) for a lowest one alone"
            raise GradcliError(
                f"bounds of {name} must be a pair, the least and the most, got {kind_of(pair)}", hint=hint
            )
        place = packing.places[name]
        for limits, limit in zip((least, most), pair, strict=True):
            if limit is not None:
                limits[place] = _limit(name, limit, packing.shapes[name])
        _check(name, least[place], most[place], start[place], room)
    return least, most


def _check(name: str, low: np.ndarray, high: np.ndarray, at: np.ndarray, room: bool) -> None:
    """Refuse bounds with nothing between them, or not the start."""
    fit = low < high if room else low <= high
    if not fit.all():
        k = int(np.argmin(fit))
        ends = f"between {low[k]:g} and {high[k]:g}" if room else f"from {low[k]:g} to {high[k]:g}"
        raise GradcliError(f"bounds of {name}: no number is {ends}")
    inside = (low <= at) & (at <= high)
    if not inside.all():
        k = int(np.argmin(inside))
        raise GradcliError(f"{name} starts outside its bounds: {at[k]:g} is not from {low[k]:g} to {high[k]:g}")


def _limit(name: str, limit: Any, shape: tuple[int, ...]) -> np.ndarray:
    with told_of(f"bounds of {name}"):
        array = np.float64(limit) if isinstance(limit, int | float) else to_array(limit).astype(np.float64)
    if array.shape not in ((), shape):
        raise GradcliError(f"bounds of {name} have shape {array.shape}, the parameter {shape}")
    return np.broadcast_to(array, shape).reshape(-1)
