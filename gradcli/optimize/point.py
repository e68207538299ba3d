"""Where a method is, what it knows of the objective there, and what every method on its way can do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

#: The value of the objective at a vector, and its gradient.
Evaluate = Callable[[np.ndarray], tuple[float, np.ndarray]]
# Within so many elements BLAS computes in one thread.
_PIECE = 8192


@dataclass
class Point:
    """A vector with the value and the gradient of the objective there."""

    vector: np.ndarray
    value: float
    gradient: np.ndarray


class Stop(NamedTuple):
    """Why a method takes no further step, as a sentence, and whether it has arrived."""

    converged: bool
    reason: str


class Stepper(Protocol):
    """A method of gradcli's own on its way; what it knows is in its state and in the point."""

    def finished(self, point: Point) -> Stop | None:
        """Why it is done, if it is; asked before the first step and after every one."""

    def step(self, point: Point, evaluate: Evaluate) -> Stop | None:
        """Move the point; where it cannot be moved, say why."""

    def state(self) -> dict[str, Any]:
        """All that it remembers from one step to the next: numbers, and copies of arrays."""

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from such a state to the same bits."""


def flat_enough(gradient: np.ndarray, tolerance: float) -> Stop | None:
    """The end of every method that knows when it has arrived."""
    norm = largest(gradient)
    if not norm <= tolerance:
        return None
    return Stop(True, f"no element of the gradient is larger than {tolerance:.3g}" if norm else "the gradient is zero")


def dot(a: np.ndarray, b: np.ndarray) -> float:
    """The sum of products: the same bits for any number of threads, and neither too large nor too small for float32."""
    if a.size <= _PIECE:
        found = float(a.dot(b))
    else:
        found = math.fsum([float(a[k : k + _PIECE].dot(b[k : k + _PIECE])) for k in range(0, a.size, _PIECE)])
    if a.dtype != np.float64 and (found == 0 or not math.isfinite(found)):
        return dot(a.astype(np.float64), b.astype(np.float64))
    return found


def largest(vector: np.ndarray) -> float:
    """The largest element in absolute value: NaN where there is one."""
    return float(max(vector.max(), -vector.min()))
