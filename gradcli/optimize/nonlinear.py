"""Nonlinear least squares: SciPy's trust region steps from the start, then Gauss-Newton steps to the last digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gradcli.errors import WorkError
from gradcli.optimize.extra import package

#: What becomes of a residual: its square, or something that grows more slowly.
LOSSES = ("linear", "soft_l1", "huber", "cauchy")
#: Evaluations that a fit may take.
MOST_EVALUATIONS = 10_000
_MOST_POLISHING = 100
_EPSILON = float(np.finfo(np.float64).eps)
# Stop where nothing changes any more. SciPy takes nothing smaller than the rounding of a number.
_TOLERANCE = 1e-15
# At a minimum, a linear fit of what is left with the model's derivatives would explain no more than this of it ...
_EXPLAINED = 1e-4
# ... or what is left is nothing but rounding, by the size of the data.
_ROUNDING = 1e-10
# So much more of it may be left after one of the last steps: there its own rounding is all that it still tells.
_STILL = 1e-8
# A direction of the parameters counts as one in which the model does not change from so much rounding on.
_FLAT = 100

#: Residuals and their Jacobian at a vector of parameters.
Function = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class Loss(NamedTuple):
    """A loss, and the residual from which on it grows more slowly than the square."""

    name: str = "linear"
    scale: float = 1.0

    def cost(self, residuals: np.ndarray) -> float:
        """What a fit makes as small as it can."""
        if self.name == "linear":
            return float(residuals @ residuals)
        return float(self.scale * self.scale * np.sum(self._rho(residuals)[0]))

    def scaled(self, residuals: np.ndarray, slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals and derivatives whose least squares have the same gradient, and nearly the same curvature."""
        if self.name == "linear":
            return residuals, slopes
        _, first, second = self._rho(residuals)
        factors = np.sqrt(np.maximum(first + 2 * second * (residuals / self.scale) ** 2, _EPSILON))
        return residuals * first / factors, slopes * factors[:, None]

    def _rho(self, residuals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The loss of squared residuals, in units of the scale, and its two derivatives by them."""
        z = (residuals / self.scale) ** 2
        if self.name == "soft_l1":
            t = 1 + z
            return 2 * (np.sqrt(t) - 1), t**-0.5, -0.5 * t**-1.5
        if self.name == "cauchy":
            return np.log1p(z), 1 / (1 + z), -1 / (1 + z) ** 2
        # Huber's.
        far = np.maximum(z, 1)
        inner = z <= 1
        rho = np.where(inner, z, 2 * np.sqrt(far) - 1)
        return rho, far**-0.5, np.where(inner, 0, -0.5 * far**-1.5)


class Factors(NamedTuple):
    """Derivatives of a model as factors: columns of these `lengths`, and once these are 1, how much (`sizes`) the model
    changes in `directions` of the parameters; `flat` are those in which it does not, but for rounding."""

    lengths: np.ndarray
    sizes: np.ndarray
    directions: np.ndarray
    flat: np.ndarray

    @classmethod
    def of(cls, slopes: np.ndarray, digits: float) -> Factors:
        columns, lengths = _of_length_one(slopes)
        # The triangle has the factors of the whole, in another basis.
        triangle = np.linalg.qr(columns, mode="r")
        _, sizes, directions = np.linalg.svd(triangle)
        return cls(lengths, sizes, directions, sizes <= _FLAT * digits * sizes[0])


class Solution(NamedTuple):
    """Where a fit has ended: residuals, and the same as the loss scales them; `bound` says which
    elements stand at a bound, `reason` why it stopped (None: it did not come to an end), `minimum` whether the gradient
    vanishes there, and `factors` how the model changes with the parameters."""

    x: np.ndarray
    residuals: np.ndarray
    scaled: np.ndarray
    cost: float
    evaluations: int
    bound: np.ndarray
    reason: str | None
    minimum: bool
    factors: Factors

    @property
    def doubts(self) -> int:
        """How little it is like a minimum that stands alone."""
        return 4 * bool(self.factors.flat.any()) + 2 * (not self.minimum) + (self.reason is None)


class _Counted:
    """The function, counted, and what it gave last: SciPy asks for residuals and Jacobian one after the other."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._at: bytes | None = None
        self._found: tuple[np.ndarray, np.ndarray]
        self.count = 0

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        at = x.tobytes()
        if at != self._at:
            self.count += 1
            residuals, slopes = self._function(x)
            if not np.isfinite(slopes).all():
                # There is no step from there.
                residuals = np.full_like(residuals, np.inf)
            self._at, self._found = at, (residuals, slopes)
        return self._found

    def residuals(self, x: np.ndarray) -> np.ndarray:
        return self(x)[0]

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        return self(x)[1]


_REASONS = {1: "the gradient is zero", 2: "the sum of squares changes no more", 3: "the parameters change no more"}
_REASONS[4] = _REASONS[2]


def solve(
    function: Function,
    start: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    loss: Loss,
    size: float,
    most: int = MOST_EVALUATIONS,
    digits: float = _EPSILON,
) -> Solution:
    """The parameters nearest to `start` at which the loss of the residuals has a minimum.

    `size` is that of the data, whose `digits` are the relative rounding of what is computed. The steps are those of
    SciPy's curve_fit. Should they end at no minimum, or where the model is flat, others are tried from the start, which
    measure the parameters in other units.
    """
    counted = _Counted(function)
    found: list[Solution] = []
    for units in (1.0, "jac", np.where(start == 0, 1.0, np.abs(start))):
        solution = _attempt(counted, start, bounds, loss, size, most, digits, units)
        if solution is not None:
            found.append(solution)
            if solution.doubts == 0:
                break
        if counted.count >= most:
            break
    if not found:
        raise WorkError("the fit cannot leave its start: the model has no finite derivatives there")
    return min(found, key=lambda s: (s.doubts, s.cost))


def _attempt(
    counted: _Counted,
    start: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    loss: Loss,
    size: float,
    most: int,
    digits: float,
    units: Any,
) -> Solution | None:
    """Steps from the start, in these units, and to the last digits; None where there is no first step."""
    tolerance = max(_TOLERANCE, 4 * digits)
    with np.errstate(all="ignore"):
        try:
            found = package("scipy.optimize", "a fit").least_squares(
                counted.residuals,
                start,
                counted.jacobian,
                bounds,
                loss=loss.name,
                f_scale=loss.scale,
                x_scale=units,
                ftol=tolerance,
                xtol=tolerance,
                gtol=_TOLERANCE,
                max_nfev=max(1, most - counted.count),
            )
        except (ValueError, np.linalg.LinAlgError):
            return None
        bound = found.active_mask != 0
        x = np.where(bound, np.where(found.active_mask < 0, *bounds), found.x)
        if found.status > 0:
            x = _polished(counted, x, ~bound, bounds, loss, size * digits)
        residuals, slopes = counted(x)
        scaled, slopes = loss.scaled(residuals, slopes)
        left = float(np.linalg.norm(_explained(scaled, slopes[:, ~bound])[0]))
        minimum = left <= max(_EXPLAINED**0.5 * float(np.linalg.norm(scaled)), _ROUNDING * size, 100 * digits * size)
        cost, factors = loss.cost(residuals), Factors.of(slopes, digits)
    reason = _REASONS.get(found.status)
    return Solution(x, residuals, scaled, cost, counted.count, bound, reason, minimum, factors)


def _explained(residuals: np.ndarray, slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part of the residuals that derivatives explain, in a basis of these, and the step that takes it away.

    The columns are brought to one length first, so that it does not matter how parameters are measured.
    """
    columns, lengths = _of_length_one(slopes)
    basis, triangle = np.linalg.qr(columns)
    part = basis.T @ residuals
    try:
        step = -np.linalg.solve(triangle, part) / lengths
    except np.linalg.LinAlgError:
        step = np.full(len(lengths), np.nan)
    return part, step


def _of_length_one(slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The columns of a matrix, brought to length 1, and how long they were: zeros stay zeros."""
    largest = np.abs(slopes).max(axis=0)
    # In two steps, since squares of large numbers are infinite, and those of small ones zero.
    columns = slopes / np.where(largest == 0, 1, largest)
    lengths = np.linalg.norm(columns, axis=0)
    return columns / np.where(lengths == 0, 1, lengths), lengths * largest


def _polished(
    counted: _Counted,
    x: np.ndarray,
    free: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    loss: Loss,
    rounding: float,
) -> np.ndarray:
    """Gauss-Newton steps of what is free, as long as they bring the gradient closer to zero.

    Near a minimum the sum of squares says nothing any more about the second half of the digits; the gradient does.
    """
    best, least, highest = x, np.inf, np.inf
    for _ in range(_MOST_POLISHING if free.any() else 0):
        residuals, slopes = counted(x)
        height = loss.cost(residuals) ** 0.5
        if not (height <= highest and np.isfinite(slopes).all()):
            break
        scaled, slopes = loss.scaled(residuals, slopes)
        part, step = _explained(scaled, slopes[:, free])
        left = float(np.linalg.norm(part))
        if not left < least:
            break
        best, least = x, left
        # Else a step might lead to quite another place, where the model is flat.
        highest = min(highest, height * (1 + _STILL) + 10 * rounding)
        x = best.copy()
        x[free] += step
        inside = (x > bounds[0]) & (x < bounds[1])
        if not inside[free].all() or np.array_equal(x, best):
            break
    return best
