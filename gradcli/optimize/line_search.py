"""How far to go along a direction: to where the strong Wolfe conditions hold, as PyTorch's L-BFGS searches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

# The value falls by this share of what the slope promises, and the slope becomes smaller by this factor.
_FALL, _FLATTER = 1e-4, 0.9
_MOST_TRIALS = 25
# How much further than the last trial the next one is at least, as a share of what that one went on, and at most.
_LITTLE, _FURTHER = 0.01, 10
# How far from the ends of a bracket to stay, as a share of its length.
_MARGIN = 0.1


class Trial(NamedTuple):
    """The objective at a distance along the direction; `slope` is its derivative there, along the direction."""

    distance: float
    value: float
    slope: float
    vector: np.ndarray
    gradient: np.ndarray

    @property
    def usable(self) -> bool:
        return math.isfinite(self.value) and math.isfinite(self.slope)

    def is_flat(self, start: Trial) -> bool:
        """Whether the slope is that much smaller than at the start."""
        return abs(self.slope) <= -_FLATTER * start.slope


class Found(NamedTuple):
    """The trial that a search ends with; `wolfe` says that it fulfils the conditions, `open` that the value still falls
    where the last trial was."""

    trial: Trial
    wolfe: bool
    open: bool = False


def strong_wolfe(start: Trial, first: float, trial: Callable[[float], Trial], eps: float, slack: float) -> Found:
    """A trial that fulfils the conditions, or else the lowest that was found: `start` itself where none is lower.

    Where the objective is not finite, the way was too long. Values that differ by less than `slack` count as equal:
    then the slope alone decides.
    """

    def too_high(at: Trial) -> bool:
        return not at.usable or at.value > start.value + slack + _FALL * at.distance * start.slope

    before, now, tried = start, trial(first), 0
    while True:
        if too_high(now) or (tried > 1 and now.value >= before.value + slack):
            break
        if now.is_flat(start):
            return Found(now, True)
        if now.slope >= 0:
            break
        distance = now.distance * _FURTHER
        if abs(now.value - before.value) > slack:
            least = now.distance + _LITTLE * (now.distance - before.distance)
            distance = _interpolated(before, now, least, distance)
        if tried == _MOST_TRIALS or not distance > now.distance:
            return Found(now, False, True)
        before, now, tried = now, trial(distance), tried + 1
    low, high = _ordered(before, now)
    slow = False
    while tried < _MOST_TRIALS and _apart(low, high, eps):
        left, right = sorted((low.distance, high.distance))
        distance, slow = _inside(_interpolated(low, high, left, right), left, right, slow)
        now, tried = trial(distance), tried + 1
        if too_high(now) or now.value >= low.value + slack:
            low, high = _ordered(low, now)
            continue
        if now.is_flat(start):
            return Found(now, True)
        if now.slope * (high.distance - low.distance) >= 0:
            high = low
        low = now
    return Found(low, False)


def _apart(a: Trial, b: Trial, eps: float) -> bool:
    """Whether there are vectors between two trials, but for such as differ from both in last digits only."""
    if abs(a.distance - b.distance) <= eps * max(a.distance, b.distance):
        return False
    return bool((np.abs(a.vector - b.vector) > np.spacing(np.maximum(np.abs(a.vector), np.abs(b.vector)))).any())


def _ordered(a: Trial, b: Trial) -> tuple[Trial, Trial]:
    """The lower one first."""
    return (a, b) if not b.usable or a.value <= b.value else (b, a)


def _inside(distance: float, left: float, right: float, slow: bool) -> tuple[float, bool]:
    """A distance that makes the bracket shorter; `slow` says that the last was near an end already."""
    margin = _MARGIN * (right - left)
    if min(right - distance, distance - left) >= margin:
        return distance, False
    if slow or distance >= right or distance <= left:
        return (right - margin if right - distance < distance - left else left + margin), False
    return distance, True


def _interpolated(a: Trial, b: Trial, least: float, most: float) -> float:
    """The minimum of the cubic through two trials, within bounds."""
    a, b = (a, b) if a.distance <= b.distance else (b, a)
    if not b.usable:
        # All that is known of the far end is that it is too far.
        return least + _MARGIN * (most - least)
    first = a.slope + b.slope - 3 * (a.value - b.value) / (a.distance - b.distance)
    square = first * first - a.slope * b.slope
    if not 0 <= square < math.inf:
        return (least + most) / 2
    second = math.sqrt(square)
    below = b.slope - a.slope + 2 * second
    if not below:
        return (least + most) / 2
    found = b.distance - (b.distance - a.distance) * ((b.slope + second - first) / below)
    return min(max(found, least), most)
