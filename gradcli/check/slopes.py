"""The slope of a function along a line, measured by differences, beside what a derivative says it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from gradcli.autodiff.differences import extrapolated, sides

#: How a slope compares: the same; different; not smooth here, with the derivative between the slopes of both sides;
#: not defined on both sides, so that there is nothing to compare with.
OK, WRONG, KINK, EDGE = "ok", "wrong", "kink", "edge"
#: What only whole tensors and operations can be: right for symmetric matrices only; undefined at the point itself.
SYMMETRIC, UNDEFINED = "symmetric", "undefined"

Values = Callable[[float], Sequence[np.ndarray]]

# Steps are tried from the largest: a function may be undefined nearby, or turn within a step.
_STEPS = (1.0, 1e-2, 1e-4, 1e-6, 1e-8)
# The slopes of both sides come together with the step where a function is smooth; they halve their distance with it.
_SMOOTH = 0.75
# The slope across a jump doubles where the step is halved.
_JUMP = 1.9
# Slopes that differ by less than this part of their size are not told apart.
_APART = 1e-3
# Errors of rounding add up over some operations.
_ROUNDINGS = 20.0


class Tolerance(NamedTuple):
    """What counts as the same, and the precision that values are computed in."""

    atol: float = 1e-7
    rtol: float = 1e-5
    epsilon: float = float(np.finfo(np.float64).eps)

    @property
    def step(self) -> float:
        """The step for a point of size 1 for which rounding and curvature do equal harm."""
        return self.epsilon ** (1 / 3)


class Slope(NamedTuple):
    """What a derivative claims, what differences give, and how they compare."""

    claimed: float
    measured: float
    verdict: str

    @property
    def error(self) -> float:
        """The absolute error; not a number where there is nothing to compare with."""
        return abs(self.claimed - self.measured)

    @property
    def relative(self) -> float:
        """The error in relation to the larger of both."""
        size = max(abs(self.claimed), abs(self.measured))
        return self.error / size if size else self.error


class _Measured(NamedTuple):
    central: float
    left: float
    right: float
    # Whether the values of both sides stay apart when the step is halved.
    jumps: bool
    # How far apart the slopes of both sides are, with the whole step and with half of it.
    gap: float
    half_gap: float
    noise: float


def compare(values: Values, weights: Sequence[np.ndarray], claimed: float, size: float, tol: Tolerance) -> Slope:
    """Compare a derivative with differences of the weighted sum of `values(t)` around t = 0.

    `size` is that of the coordinates that move by t. The sums of two points are never subtracted from each other, only
    their terms, so that terms that do not change make no noise.
    """
    base = values(0.0)
    found: _Measured | None = None
    jumps = True
    for factor in _STEPS:
        step = factor * tol.step * max(1.0, size)
        seen = _measure(values, base, weights, step, tol)
        if not math.isfinite(seen.central):
            continue
        if found is not None and seen.noise > _APART * max(abs(claimed), abs(seen.central), tol.atol):
            # What so small a step shows is rounding.
            break
        jumps = jumps and seen.jumps
        allowed = tol.atol + tol.rtol * max(abs(claimed), abs(seen.central)) + seen.noise
        if found is None or abs(seen.central - claimed) < abs(found.central - claimed):
            found = seen
        if not seen.jumps and _is_kink(seen, allowed):
            between = min(seen.left, seen.right) - allowed <= claimed <= max(seen.left, seen.right) + allowed
            return Slope(claimed, seen.central, KINK if between else WRONG)
        if abs(seen.central - claimed) <= allowed:
            return Slope(claimed, seen.central, OK)
    if found is None:
        return Slope(claimed, math.nan, EDGE)
    if jumps and math.isfinite(claimed):
        # Across a jump there is no slope: what stands for it is a convention.
        return Slope(claimed, found.central, KINK)
    return Slope(claimed, found.central, WRONG)


def _measure(
    values: Values, base: Sequence[np.ndarray], weights: Sequence[np.ndarray], step: float, tol: Tolerance
) -> _Measured:
    def between(a: Sequence[np.ndarray], b: Sequence[np.ndarray]) -> float:
        return math.fsum(float(np.sum(w * (x - y))) for x, y, w in zip(a, b, weights, strict=True))

    whole, half = sides(values, step, between), sides(values, step / 2, between)
    right, left = between(whole.right, base) / step, between(base, whole.left) / step
    gap = abs(right - left)
    half_gap = abs(between(half.right, base) - between(base, half.left)) / (step / 2)
    noise = _ROUNDINGS * tol.epsilon * _changed(whole.right, whole.left, weights) / step
    jumps = abs(half.slope) > _JUMP * abs(whole.slope) or half_gap > _JUMP * gap
    return _Measured(extrapolated(whole, half), left, right, jumps, gap, half_gap, noise)


def _is_kink(seen: _Measured, allowed: float) -> bool:
    """Whether the slopes of both sides stay apart however small the step."""
    size = max(abs(seen.left), abs(seen.right))
    return seen.half_gap > _SMOOTH * seen.gap and seen.half_gap > 10 * allowed + _APART * size


def _changed(a: Sequence[np.ndarray], b: Sequence[np.ndarray], weights: Sequence[np.ndarray]) -> float:
    """The size of those terms that change."""
    total = 0.0
    for x, y, w in zip(a, b, weights, strict=True):
        terms = np.abs(w) * np.maximum(np.abs(x), np.abs(y))
        total += float(np.sum(terms, where=x != y))
    return total
