"""What residuals and derivatives at a minimum tell: errors of the parameters, and how good the fit is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gradcli.errors import WorkError
from gradcli.optimize.nonlinear import Factors, Solution

# Parameters with less than this share of a direction in which the model does not change have nothing to do with it.
_SHARE = 0.05
_MOST_NAMED = 4


class Statistics(NamedTuple):
    """How good a fit is.

    `chi_square` is the sum of the squares of the residuals in units of sigma, `r_squared` the share of the spread of
    the data that the model explains, `aic` is n*log(chi_square/n) + 2*p for n observations and p parameters, and
    `residual_std` the square root of the sum of the squares of the residuals, sigma aside, by the degrees of freedom.
    """

    observations: int
    degrees_of_freedom: int
    chi_square: float
    reduced_chi_square: float
    r_squared: float
    aic: float
    residual_std: float


class Spread:
    """The covariance of the parameters, and that of what is computed from them.

    The derivatives' columns are brought to one length before they are factored: how parameters are measured costs no
    digits then.
    """

    def __init__(self, factors: Factors, labels: Sequence[str], deviation: float) -> None:
        """`deviation` is the standard deviation of a residual. WorkError where the model does not change with some
        parameter, or with some combination of them."""
        lengths, sizes, directions, flat = factors
        none = [label for label, length in zip(labels, lengths, strict=True) if length == 0]
        if none:
            raise WorkError(
                f"the model does not depend on {_listed(none)} where the fit ends: every derivative is 0",
                hint="start from other values, or give bounds; what has no effect cannot be fitted",
            )
        if flat.any():
            raise _alike(directions[flat], labels)
        root = directions.T / sizes
        widths = np.linalg.norm(root, axis=1)
        shape = root / widths[:, None]
        self.correlation = shape @ shape.T
        np.fill_diagonal(self.correlation, 1.0)
        with np.errstate(all="ignore"):
            self.errors = widths / lengths * deviation
            #: A root of the covariance; infinite where nothing is left over to tell how large the residuals are.
            self._root = root / lengths[:, None] * deviation if deviation < math.inf else None
            self.covariance = np.full((len(labels),) * 2, np.inf) if self._root is None else self._root @ self._root.T

    def of(self, slopes: np.ndarray) -> np.ndarray:
        """The standard errors of values that change with the parameters as `slopes` says."""
        if self._root is None:
            return np.full(len(slopes), np.inf)
        with np.errstate(all="ignore"):
            errors: np.ndarray = np.linalg.norm(slopes @ self._root, axis=1)
        return errors


def _alike(directions: np.ndarray, labels: Sequence[str]) -> WorkError:
    """The error for directions of the parameters in which the model does not change."""
    shares = np.abs(directions).max(axis=0)
    names = [label for label, share in zip(labels, shares, strict=True) if share > _SHARE]
    if len(names) == 1:
        return WorkError(
            f"the model does not change with {names[0]} where the fit ends", hint="start from other values"
        )
    return WorkError(
        f"{_listed(names)} cannot be determined separately: the model stays the same when they change together",
        hint="leave one of them out, give it a value as an input, or start from other values",
    )


def _listed(names: Sequence[str]) -> str:
    shown = [*names[:_MOST_NAMED], *([f"{len(names) - _MOST_NAMED} more"] if len(names) > _MOST_NAMED else [])]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def deviation_of(solution: Solution, exponent: int, absolute: bool) -> float:
    """The standard deviation of a residual, in units of 2 to the power of `exponent` as the residuals of the solution
    are: 1 by a sigma that is absolute, else by what is left and the degrees of freedom."""
    if absolute:
        return float(2.0**-exponent)
    freedom = solution.residuals.size - solution.x.size
    return math.sqrt(solution.cost / freedom) if freedom else math.inf


def statistics(solution: Solution, exponent: int, data: np.ndarray, weights: np.ndarray) -> Statistics:
    """How good a fit is to `data`, a residual being weighted by one over its sigma.

    The residuals of the solution are in units of 2 to the power of `exponent`: in others their squares may be no
    numbers.
    """
    residuals = solution.residuals
    n, p = residuals.size, solution.x.size
    freedom = n - p or math.nan
    with np.errstate(all="ignore"):
        left = float(residuals @ residuals)
        # The data in units of their own: sums of numbers next to the largest one are infinite.
        unit = int(np.frexp(np.abs(data).max())[1]) + 1
        units = np.ldexp(data, -unit)
        mean = np.average(units, weights=(weights / weights.max()) ** 2)
        spread = np.ldexp((units - mean) * weights, unit - exponent)
        chi_square = float(np.ldexp(left, 2 * exponent))
        plain = float(np.ldexp(_length(residuals / weights), exponent))
        r_squared = 1 - left / float(spread @ spread) if spread.any() else math.nan
    return Statistics(
        observations=n,
        degrees_of_freedom=n - p,
        chi_square=chi_square,
        reduced_chi_square=chi_square / freedom,
        r_squared=r_squared,
        aic=n * (math.log(left / n) + 2 * exponent * math.log(2)) + 2 * p if left else -math.inf,
        residual_std=plain / math.sqrt(freedom),
    )


def _length(vector: np.ndarray) -> float:
    """The root of the sum of squares, even where these are no numbers."""
    largest = float(np.max(np.abs(vector))) or 1.0
    return largest * float(np.linalg.norm(vector / largest))


def quantile(freedom: int, level: float, absolute: bool) -> float:
    """How many standard errors to either side hold a share `level` of Student's distribution, or of the normal one."""
    from scipy import special

    half = (1 + level) / 2
    return float(special.ndtri(half) if absolute else special.stdtrit(freedom, half))
