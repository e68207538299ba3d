"""Nonlinear least squares: SciPy's trust region steps from the start, then Gauss-Newton steps to the last digits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from gradcli.errors import WorkError
from gradcli.optimize.extra import package

#: Evaluations that a fit may take.
MOST_EVALUATIONS = 10_000
_MOST_POLISHING = 100
_EPSILON = float(np.finfo(np.float64).eps)
# Stop where nothing changes any more. SciPy takes nothing smaller than the rounding of a number.
_TOLERANCE = 1e-15
# At a minimum, the derivatives of the model explain no larger part of what is left than this ...
_EXPLAINED = 1e-2
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
    """Where a fit has ended. `bound` says which elements stand at a bound, `reason` why it stopped (None: it did not
    come to an end), `minimum` whether the gradient vanishes there, `factors` how the model changes with the
    parameters, as the loss scales its derivatives."""

    x: np.ndarray
    residuals: np.ndarray
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


# Why SciPy's steps end, by its number for it.
_REASONS = {
    1: "the gradient is zero",
    2: "the sum of squares changes no more",
    3: "the parameters change no more",
    4: "the sum of squares and the parameters change no more",
}


@dataclass
class Fitter:
    """Residuals as a function of parameters, and what is asked of their minimum.

    `size` is that of the data, whose `digits` are the relative rounding of what is computed; `most` is how many
    evaluations the steps may take.
    """

    function: Function
    bounds: tuple[np.ndarray, np.ndarray]
    loss: Loss
    size: float
    most: int
    digits: float
    evaluations: int = 0
    # SciPy asks for residuals and Jacobian one after the other.
    _at: bytes | None = None
    _found: tuple[np.ndarray, np.ndarray] = field(init=False)

    def solve(self, start: np.ndarray) -> Solution:
        """The parameters nearest to `start` at which the loss of the residuals has a minimum.

        The steps are those of SciPy's curve_fit. Should they end at no minimum, or where the model is flat, others are
        tried from the start, which measure the parameters in other units.
        """
        found: list[Solution] = []
        for units in (1.0, "jac", np.where(start == 0, 1.0, np.abs(start))):
            with np.errstate(all="ignore"):
                try:
                    solution = self._attempt(start, units)
                except np.linalg.LinAlgError:
                    solution = None
            if solution is not None:
                found.append(solution)
                if solution.doubts == 0:
                    break
            if self.evaluations >= self.most:
                break
        if not found:
            raise WorkError("the fit cannot leave its starting point: the model has no finite derivatives there")
        return min(found, key=lambda s: (s.doubts, s.cost))

    def _evaluate(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals and derivatives."""
        at = x.tobytes()
        if at != self._at:
            self.evaluations += 1
            residuals, slopes = self.function(x)
            if not np.isfinite(slopes).all():
                # There is no step from there.
                residuals = np.full_like(residuals, np.inf)
            self._at, self._found = at, (residuals, slopes)
        return self._found

    def _attempt(self, start: np.ndarray, units: Any) -> Solution | None:
        """Steps from the start, in these units, and to the last digits; None where there is no first step."""
        tolerance = max(_TOLERANCE, 4 * self.digits)
        try:
            found = package("scipy.optimize", "a fit").least_squares(
                lambda x: self._evaluate(x)[0],
                start,
                lambda x: self._evaluate(x)[1],
                self.bounds,
                loss=self.loss.name,
                f_scale=self.loss.scale,
                x_scale=units,
                ftol=tolerance,
                xtol=tolerance,
                gtol=_TOLERANCE,
                max_nfev=max(1, self.most - self.evaluations),
            )
        except ValueError:
            return None
        at, (low, high) = found.active_mask, self.bounds
        x = np.where(at < 0, low, np.where(at > 0, high, found.x))
        if found.status > 0:
            x = self._polished(x, at == 0)
        residuals, slopes = self._evaluate(x)
        scaled, slopes = self.loss.scaled(residuals, slopes)
        left = float(np.linalg.norm(_explained(scaled, slopes[:, at == 0])[0]))
        rounding = max(_ROUNDING, 100 * self.digits) * self.size
        minimum = left <= max(_EXPLAINED * float(np.linalg.norm(scaled)), rounding)
        reason, factors = _REASONS.get(found.status), Factors.of(slopes, self.digits)
        cost = self.loss.cost(residuals)
        return Solution(x, residuals, cost, self.evaluations, at != 0, reason, minimum, factors)

    def _polished(self, x: np.ndarray, free: np.ndarray) -> np.ndarray:
        """Gauss-Newton steps of what is free, as long as they bring the gradient closer to zero.

        Near a minimum the sum of squares says nothing any more about the second half of the digits; the gradient does.
        """
        best, least, highest = x, np.inf, np.inf
        for _ in range(_MOST_POLISHING if free.any() else 0):
            residuals, slopes = self._evaluate(x)
            height = self.loss.cost(residuals) ** 0.5
            if not (height <= highest and np.isfinite(slopes).all()):
                break
            scaled, slopes = self.loss.scaled(residuals, slopes)
            part, step = _explained(scaled, slopes[:, free])
            left = float(np.linalg.norm(part))
            if not left < least:
                break
            best, least = x, left
            # Else a step might lead to quite another place, where the model is flat.
            highest = min(highest, height * (1 + _STILL) + 10 * self.digits * self.size)
            x = best.copy()
            x[free] += step
            inside = (x > self.bounds[0]) & (x < self.bounds[1])
            if not inside[free].all() or np.array_equal(x, best):
                break
        return best


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
