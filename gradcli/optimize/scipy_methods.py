"""SciPy's methods, with gradients and Hessian-vector products from the graph."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcli.errors import WorkError, counted
from gradcli.optimize.extra import package
from gradcli.optimize.iterate import Iterate, Reached, Watch, check_start
from gradcli.optimize.methods import Method
from gradcli.optimize.objective import Objective
from gradcli.optimize.parameter_bounds import Bounds
from gradcli.optimize.point import Stop, largest
from gradcli.optimize.simplex import searched


@dataclass
class _Evaluated:
    """The objective as SciPy calls it, with vectors of float64; what was computed last is kept for whoever asks again.

    Where there is no value a search turns back from infinity, as it does not from NaN.
    """

    objective: Objective
    gradients: bool
    _last: tuple[np.ndarray, float, np.ndarray | None] | None = None

    def computed(self, x: np.ndarray) -> tuple[float, np.ndarray | None]:
        """The value and the gradient, if the method needs one."""
        if self._last is None or not np.array_equal(self._last[0], x):
            vector = x.astype(self.objective.packing.dtype)
            if self.gradients:
                value, gradient = self.objective.value_and_gradient(vector)
                self._last = x.copy(), value, gradient.astype(np.float64)
            else:
                self._last = x.copy(), self.objective.value(vector), None
        return self._last[1:]

    def at(self, x: np.ndarray) -> tuple[float, np.ndarray | None]:
        """The same for a search."""
        value, gradient = self.computed(x)
        if value == -math.inf:
            raise WorkError("the value falls to minus infinity: there is no minimum")
        return math.inf if math.isnan(value) else value, gradient

    def value(self, x: np.ndarray) -> float:
        return self.at(x)[0]

    def product(self, x: np.ndarray, direction: np.ndarray) -> np.ndarray:
        dtype = self.objective.packing.dtype
        return self.objective.product(x.astype(dtype), direction.astype(dtype)).astype(np.float64)


def run_scipy(
    method: Method,
    options: Mapping[str, Any],
    objective: Objective,
    vector: np.ndarray,
    bounds: Bounds | None,
    watch: Watch | None,
) -> Reached:
    """Where the method ends, from a vector within the bounds."""
    scipy = package("scipy.optimize", f"the method {method.name}")
    evaluated, packing = _Evaluated(objective, method.gradients), objective.packing
    value, gradient = evaluated.computed(vector.astype(np.float64))
    check_start(value, gradient, packing)
    steepness = 0.0 if gradient is None else _steepness(gradient, vector, bounds)
    steps = 0

    def callback(x: np.ndarray) -> None:
        nonlocal steps
        steps += 1
        if watch is not None:
            at = x.astype(packing.dtype)
            watch(Iterate(steps, options["max_iter"], *evaluated.at(x), objective.evaluations, at, packing))

    try:
        found, well = _searched(scipy, method, options, evaluated, vector.astype(np.float64), bounds, callback)
    except (ValueError, ArithmeticError) as error:
        # Of what it meets on its way, NaN and infinities among derivatives.
        raise _gone_wrong(method, f"after {counted(steps, 'step')}: {_one_line(error)}") from None
    at = found.x.astype(packing.dtype)
    value, gradient = evaluated.computed(at.astype(np.float64))
    if not math.isfinite(value):
        raise _gone_wrong(method, "where the value is not finite")
    stop = Stop(bool(found.success), f"SciPy says: {_one_line(found.message)}")
    if stop.converged and steps and gradient is not None and _steepness(gradient, at, bounds) >= steepness > 0:
        stop = Stop(False, f"{stop.reason}; but the gradient is not smaller than at the start")
    if stop.converged and not steps and steepness:
        # By its own measure, which knows nothing of units.
        stop = Stop(True, f"{stop.reason}; its tolerance is larger than the gradient at the start, {steepness:.3g}")
    if stop.converged and not well:
        stop = Stop(False, f"{stop.reason}; but bounds have made its simplex flat, and the value may fall further")
    return Reached(at, value, gradient, stop, steps, objective.evaluations)


def _searched(
    scipy: Any,
    method: Method,
    options: Mapping[str, Any],
    evaluated: _Evaluated,
    start: np.ndarray,
    bounds: Bounds | None,
    callback: Callable[[np.ndarray], None],
) -> tuple[Any, bool]:
    """What SciPy finds, and whether it can be believed."""

    def search(x: np.ndarray, most: int | None, **more: Any) -> Any:
        return scipy.minimize(
            evaluated.at if method.gradients else evaluated.value,
            x,
            method=method.name,
            jac=method.gradients or None,
            hessp=evaluated.product if method.hvp else None,
            bounds=None if bounds is None else scipy.Bounds(*bounds),
            tol=options["tol"],
            options=more if most is None else {"maxiter": most, **more},
            callback=callback,
        )

    def from_corners(corners: np.ndarray, most: int | None) -> Any:
        return search(corners[0], most, initial_simplex=corners)

    with warnings.catch_warnings():
        # They say what the result says as well.
        warnings.simplefilter("ignore")
        if bounds is None or method.gradients:
            return search(start, options["max_iter"]), True
        return searched(from_corners, evaluated.value, start, bounds, options["max_iter"], options["tol"])


def _gone_wrong(method: Method, how: str) -> WorkError:
    return WorkError(f"SciPy's {method.name} ended {how}", hint="choose another start, or another method")


def _one_line(message: object) -> str:
    return " ".join(str(message).split()).rstrip(".: ")


def _steepness(gradient: np.ndarray, at: np.ndarray, bounds: Bounds | None) -> float:
    """The largest element of the gradient, without those that lead out of the bounds."""
    if bounds is None:
        return largest(gradient)
    stuck = ((at <= bounds[0]) & (gradient > 0)) | ((at >= bounds[1]) & (gradient < 0))
    return largest(np.where(stuck, 0, gradient))
