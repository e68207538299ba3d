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
# Differences of the value below so many units of its last place are rounding.
_UNITS = 4
# Where no more than this is promised, a search that finds nothing has met rounding; else the slope was wrong.
_MANY_UNITS = 1 << 14

_SETTLED = Stop(True, "the value changes in its last digits at most")
_NO_WAY_DOWN = Stop(False, "no step along the slope makes the value smaller: it has a jump or a kink here")
_NOT_FINITE = Stop(False, "the value is NaN or infinite wherever the next step was tried")


class _Pair(NamedTuple):
    """A step, what it did to the gradient, and their product."""

    move: np.ndarray
    bend: np.ndarray
    product: float


class LBFGS:
    """PyTorch's L-BFGS with its strong Wolfe search; `eps` is how exact the value is, relatively.

    What is small is measured by the value and by the gradient at the start, so that units do not matter.
    """

    def __init__(self, options: Mapping[str, Any], point: Point, eps: float) -> None:
        self._options = options
        self._eps = eps
        self._pairs: list[_Pair] = []
        self._fall = math.inf
        self._tolerance = options["tol"]
        if self._tolerance is None:
            self._tolerance = _TOLERANCE * min(1.0, largest(point.gradient))

    def finished(self, point: Point) -> Stop | None:
        """Where the gradient is small, or the last step has changed the value by rounding only."""
        if abs(self._fall) <= _UNITS * self._eps * abs(point.value):
            return _SETTLED
        return flat_enough(point.gradient, self._tolerance)

    def step(self, point: Point, evaluate: Evaluate) -> Stop | None:
        """Search along the direction that the history gives; where that leads nowhere, along the gradient."""
        direction = self._direction(point.gradient)
        slope = dot(point.gradient, direction)
        last_digits = self._eps * abs(point.value)
        promised = -slope
        if self._pairs:
            if 0 <= promised <= _UNITS * last_digits:
                return _SETTLED
            if slope < 0 and self._search(point, direction, slope, evaluate):
                return None
            self._pairs.clear()
            direction = -point.gradient
            slope = dot(point.gradient, direction)
        else:
            promised *= self._first(point.gradient)
        if self._search(point, direction, slope, evaluate):
            return None
        if abs(promised) <= _MANY_UNITS * last_digits:
            return _SETTLED
        return _NO_WAY_DOWN if self._was_finite else _NOT_FINITE

    def state(self) -> dict[str, Any]:
        """The history, a row for each step, the oldest first."""
        return {
            "moves": np.array([pair.move for pair in self._pairs]),
            "bends": np.array([pair.bend for pair in self._pairs]),
            "fall": self._fall,
            "tolerance": self._tolerance,
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        pairs = zip(state["moves"], state["bends"], strict=True)
        self._pairs = [_Pair(move, bend, dot(bend, move)) for move, bend in pairs]
        self._fall, self._tolerance = float(state["fall"]), float(state["tolerance"])

    def _direction(self, gradient: np.ndarray) -> np.ndarray:
        """The gradient times what the history says of the inverse Hessian, downward."""
        direction = -gradient
        shares = []
        for move, bend, product in reversed(self._pairs):
            shares.append(dot(move, direction) / product)
            direction -= bend * shares[-1]
        if self._pairs:
            last = self._pairs[-1]
            direction *= last.product / dot(last.bend, last.bend)
        for (move, bend, product), share in zip(self._pairs, reversed(shares), strict=True):
            direction += move * (share - dot(bend, direction) / product)
        return direction

    def _search(self, point: Point, direction: np.ndarray, slope: float, evaluate: Evaluate) -> bool:
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
        first = self._options["lr"] * (1.0 if self._pairs else self._first(point.gradient))
        found = strong_wolfe(start, first, trial, self._eps)
        if found is start:
            return False
        self._remember(direction * found.distance, found.gradient - point.gradient)
        # A search that gave up says nothing of what there is left to gain.
        self._fall = point.value - found.value if found.is_flat(start) else math.inf
        point.vector, point.value, point.gradient = found.vector, found.value, found.gradient
        return True

    def _first(self, gradient: np.ndarray) -> float:
        """How far to go along a gradient whose scale says nothing: a way of length 1 at most."""
        return min(1.0, 1.0 / float(np.abs(gradient).sum(dtype=np.float64)))

    def _remember(self, move: np.ndarray, bend: np.ndarray) -> None:
        product = dot(bend, move)
        # Else the objective is not convex along the step, or the difference is rounding.
        if product > self._eps * math.sqrt(dot(move, move)) * math.sqrt(dot(bend, bend)):
            self._pairs.append(_Pair(move, bend, product))
            del self._pairs[: -self._options["history_size"]]
