"""L-BFGS: the direction from the last changes of vector and gradient, and a line search along it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from gradcli.errors import WorkError
from gradcli.optimize.line_search import Trial, strong_wolfe
from gradcli.optimize.point import Evaluate, Point, Stop, dot, flat_enough, largest

# The tolerance unless one is given: for a gradient below 1 at the start, that much of it.
_TOLERANCE = 1e-7
# Differences of the value below so many times its rounding say nothing.
_UNITS = 4
# A search that gives up with less than this has found nothing; if no more was promised it has met rounding, else the
# slope was wrong.
_MANY_UNITS = 1 << 12

# So many steps in a row that change nothing are the end.
_PATIENCE = 3

_SETTLED = Stop(True, "the value changes in its last digits at most")
_NO_WAY_DOWN = Stop(False, "no step along the slope makes the value smaller: there is a jump or a kink, or rounding")
_NOT_FINITE = Stop(False, "the value is NaN or infinite wherever the next step was tried")


class _Pair(NamedTuple):
    """A step, what it did to the gradient, their product, and how long steps are for their gradients."""

    move: np.ndarray
    bend: np.ndarray
    product: float
    scale: float


class LBFGS:
    """PyTorch's L-BFGS with its strong Wolfe search; `eps` is how exact the numbers are that the value is made of.

    What is small is measured by the value and by the gradient at the start, so that units do not matter.
    """

    def __init__(self, options: Mapping[str, Any], point: Point, eps: float) -> None:
        self._options = options
        self._eps = eps
        self._size, self._dtype = point.vector.size, point.vector.dtype
        self._pairs: list[_Pair] = []
        # How far the first step along a gradient goes.
        self._reach = min(1.0, _length(point.gradient))
        self._stalls = 0
        self._was_finite = False
        self._tolerance = options["tol"]
        if self._tolerance is None:
            self._tolerance = _TOLERANCE * min(1.0, largest(point.gradient))

    def finished(self, point: Point) -> Stop | None:
        """Where the gradient is small, or the last steps have changed the value by rounding and the gradient little."""
        return _SETTLED if self._stalls == _PATIENCE else flat_enough(point.gradient, self._tolerance)

    def step(self, point: Point, evaluate: Evaluate) -> Stop | None:
        """Search along the direction that the history gives; where that leads nowhere, along the gradient."""
        rounding = self._rounding(point)
        promised = math.inf
        if self._pairs:
            direction = self._direction(point.gradient)
            slope = dot(point.gradient, direction)
            if slope < 0 and self._search(point, direction, slope, 1.0, evaluate):
                return None
            promised = abs(slope)
            self._pairs.clear()
        direction = point.gradient / -_length(point.gradient)
        slope = dot(point.gradient, direction)
        if self._search(point, direction, slope, self._reach, evaluate):
            return None
        if min(promised, -slope * min(1.0, _length(point.gradient))) <= _MANY_UNITS * rounding:
            return _SETTLED
        return _NO_WAY_DOWN if self._was_finite else _NOT_FINITE

    def state(self) -> dict[str, Any]:
        """The history, a row for each step, the oldest first, and how far to go without one."""
        return {
            "moves": np.array([pair.move for pair in self._pairs]),
            "bends": np.array([pair.bend for pair in self._pairs]),
            "reach": self._reach,
            "stalls": self._stalls,
            "tolerance": self._tolerance,
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        self._pairs.clear()
        moves, bends = (np.asarray(state[name], self._dtype) for name in ("moves", "bends"))
        if moves.size and moves.shape[1:] != (self._size,):
            raise ValueError("steps of another length")
        for move, bend in zip(moves, bends, strict=True):
            self._remember(move, bend)
        self._reach, self._tolerance = float(state["reach"]), float(state["tolerance"])
        self._stalls = int(state["stalls"])

    def _direction(self, gradient: np.ndarray) -> np.ndarray:
        """The gradient times what the history says of the inverse Hessian, downward."""
        direction = -gradient
        shares = []
        for pair in reversed(self._pairs):
            shares.append(dot(pair.move, direction) / pair.product)
            direction -= pair.bend * shares[-1]
        direction *= self._pairs[-1].scale
        for pair, share in zip(self._pairs, reversed(shares), strict=True):
            direction += pair.move * (share - dot(pair.bend, direction) / pair.product)
        return direction

    def _search(self, point: Point, direction: np.ndarray, slope: float, first: float, evaluate: Evaluate) -> bool:
        """Move the point along a direction and remember the step; False where nothing lower is found."""
        self._was_finite = False

        def trial(distance: float) -> Trial:
            vector = point.vector + direction * distance
            value, gradient = evaluate(vector)
            if value == -math.inf:
                raise WorkError("the value falls to minus infinity: there is no minimum")
            found = Trial(distance, value, dot(gradient, direction), vector, gradient)
            self._was_finite |= found.usable
            return found

        start = Trial(0.0, point.value, slope, point.vector, point.gradient)
        rounding = self._rounding(point)
        slack = _UNITS * rounding
        found, wolfe, still_falls = strong_wolfe(start, self._options["lr"] * first, trial, self._eps, slack)
        fall = point.value - found.value
        if not (wolfe or still_falls or fall > _MANY_UNITS * rounding):
            return False
        self._remember(direction * found.distance, found.gradient - point.gradient)
        if not self._pairs:
            # Nothing is known of the curvature yet: the next search begins with as long a step.
            self._reach = found.distance
        stalls = wolfe and abs(fall) <= slack and largest(found.gradient) > 0.5 * largest(point.gradient)
        self._stalls = self._stalls + 1 if stalls else 0
        point.vector, point.value, point.gradient = found.vector, found.value, found.gradient
        return True

    def _rounding(self, point: Point) -> float:
        """How exact the value is: its last digit, and what the last digits of the vector do to it."""
        return self._eps * (abs(point.value) + dot(np.abs(point.gradient), np.abs(point.vector)))

    def _remember(self, move: np.ndarray, bend: np.ndarray) -> None:
        """Keep a step in the history, unless the value is not convex along it or the difference is rounding."""
        product, square = dot(bend, move), dot(bend, bend)
        if 0 < square < math.inf and product > self._eps * math.sqrt(dot(move, move)) * math.sqrt(square):
            self._pairs.append(_Pair(move, bend, product, product / square))
            del self._pairs[: -self._options["history_size"]]


def _length(vector: np.ndarray) -> float:
    """The sum of the absolute values."""
    return float(np.abs(vector).sum(dtype=np.float64))
