"""A model with its data: checked, and ready to be fitted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, WorkError, counted, written_in
from gradcli.evaluation.finite import count
from gradcli.evaluation.values import to_array
from gradcli.graph.dtypes import DEFAULT_DTYPE
from gradcli.language.parse import refuse_unused
from gradcli.machine.limits import having
from gradcli.optimize import nonlinear
from gradcli.optimize.model import Model
from gradcli.optimize.packing import Packing
from gradcli.optimize.parameter_bounds import bounds_of
from gradcli.optimize.residuals import Predictor, check_names, labels_of, observed

Arrays = dict[str, np.ndarray]
# Powers of two that are numbers, and one over which are.
_LARGEST = 1000
# One over less than this may be infinite.
_LEAST = 1e-300
# Beyond so many times the size of the data no residual is.
_FAR = 1e100


class Problem:
    """A model with its data: what is observed as an array, and one plan for the values that the model gives."""

    def __init__(self, model: Model, inputs: Arrays, params: Arrays, sigma: Any, dtype: str) -> None:
        check_names(inputs, params)
        self.model = model
        self.inputs = inputs
        self.params = params
        self.dtype = dtype
        self.digits = float(np.finfo(dtype).eps)
        self.packing = Packing.of(params)
        self.labels = labels_of(self.packing)
        #: What is observed, as it is written.
        self.title = model.source[slice(*model.left)]
        data, used = observed(model, inputs, params)
        named = {sigma} if isinstance(sigma, str) else set()
        # Whoever sees NaN wants to know where they come from.
        _refuse_missing({name: array for name, array in inputs.items() if name not in named})
        _refuse_missing({self.title: data})
        self.predictor = Predictor(model, inputs, params)
        refuse_unused(inputs, used | self.predictor.used | named, model.predicted)
        self.shape = self._common(data.shape)
        self.data = np.broadcast_to(data, self.shape)
        self.weighted = sigma is not None
        self.weights = np.broadcast_to(1 / self._sigma(sigma), self.shape)
        self.exponent = _exponent(data, self.weights)
        self.bounds = np.full(self.packing.size, -np.inf), np.full(self.packing.size, np.inf)
        n, p = self.data.size, self.packing.size
        if n < p:
            hint = "fewer parameters, or more data; a parameter whose value is known can be an input"
            raise GradcliError(f"{counted(n, 'observation')} cannot determine {counted(p, 'parameter')}", hint=hint)

    def predictor_at(self, inputs: Mapping[str, Any]) -> Predictor:
        """The model with other inputs in the place of some of its own."""
        for name in inputs:
            if name not in self.inputs or name not in self.predictor.used:
                there = [name for name in self.inputs if name in self.predictor.used]
                hint = f"there {'is' if len(there) == 1 else 'are'} {', '.join(there)}" if there else None
                raise GradcliError(f"the model takes no input {name!r}", hint=hint)
        with having(DEFAULT_DTYPE, np.dtype(self.dtype)):
            given = {name: converted(value, self.dtype) for name, value in inputs.items()}
            kept = {name: array for name, array in self.inputs.items() if name in self.predictor.used}
            given = {n: array.astype(np.result_type(array, kept[n])) for n, array in given.items()}
            return Predictor(self.model, {**kept, **given}, self.params)

    def bound(self, bounds: Any, start: Arrays) -> None:
        """Let parameters stay between bounds. GradcliError where the start does not."""
        packed = self.packing.pack(list(start.values()))
        low, high = bounds_of(bounds, self.packing, packed, room=True)
        self.bounds = low.astype(np.float64), high.astype(np.float64)

    def solve(self, start: Arrays, loss: nonlinear.Loss, most: int) -> nonlinear.Solution:
        """The minimum that is reached from a start, with residuals in units of 2 to the power of `exponent`: nothing
        depends on how large the data are then. WorkError where none is found."""
        x = self.packing.pack(list(start.values())).astype(np.float64)
        values = self.predictor(x)[0].reshape(self.predictor.shape)
        self._refuse_start(values)
        unit = 2.0**-self.exponent
        with np.errstate(all="ignore"):
            larger = self.data if self.data.any() else np.broadcast_to(values, self.shape)
            size = float(np.linalg.norm(self.weights * unit * larger))
        search = self._function(unit), self.bounds, _in_units(loss, unit), size, most, self.digits
        solution = nonlinear.Fitter(*search).solve(x)
        if solution.reason is None:
            hint = "start nearer to the solution, or scale the parameters to similar size"
            raise WorkError(f"the fit did not converge after {counted(solution.evaluations, 'evaluation')}", hint=hint)
        return solution

    def _refuse_start(self, values: np.ndarray) -> None:
        """Refuse a start at which the model has no values."""
        bad = np.broadcast_to(~np.isfinite(values), self.shape)
        if bad.any():
            what = "NaN" if np.isnan(values).any() else "infinite"
            hint = "choose another start, at which the model can be computed for all data"
            place = f"at {np.count_nonzero(bad):,} of {bad.size:,} observations" if bad.size > 1 else "at the data"
            raise GradcliError(f"the model is {what} at the start, {place}", hint=hint)

    def _function(self, unit: float) -> nonlinear.Function:
        data, weights = self.data.reshape(-1), self.weights.reshape(-1) * unit

        def residuals(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            values, slopes = self.predictor(x)
            with np.errstate(all="ignore"):
                return (values - data) * weights, slopes * weights[:, None]

        return residuals

    def _common(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the residuals: that of what is observed, and of the model; one may be a single number."""
        other = self.predictor.shape
        if other != shape and math.prod(shape) != 1 and math.prod(other) != 1:
            with written_in(self.model.source):
                message = f"the model has shape {other}, what is observed {shape}: they must be equal"
                raise GradcliError(message, span=self.model.right)
        return shape if math.prod(other) == 1 else other

    def _sigma(self, sigma: Any) -> np.ndarray:
        """The uncertainty of each observation."""
        if sigma is None:
            return np.ones(())
        if isinstance(sigma, str):
            if sigma not in self.inputs:
                raise GradcliError(
                    f"sigma: there is no input {sigma!r}", hint="the inputs are " + ", ".join(self.inputs)
                )
            array = self.inputs[sigma]
        else:
            array = converted(sigma, self.dtype)
        if array.size != 1 and array.shape != self.shape:
            raise GradcliError(f"sigma has shape {array.shape}, what is observed {self.shape}: they must be equal")
        _refuse_missing({"sigma": array})
        found = array.astype(np.float64)
        if (wrong := int(np.count_nonzero(found <= 0))) > 0:
            told = "is" if array.size == 1 else f"holds {counted(wrong, 'number')} that {'is' if wrong == 1 else 'are'}"
            raise GradcliError(f"sigma {told} not above 0: an uncertainty is positive")
        if (found < _LEAST).any():
            raise GradcliError(f"sigma is too small, {found.min():g}, to divide by")
        return found.reshape(self.shape) if array.size != 1 else found.reshape(())


def _exponent(data: np.ndarray, weights: np.ndarray) -> int:
    """The power of two that is about as large as the data, over their uncertainties; whatever can be a number."""
    with np.errstate(all="ignore"):
        largest = float(np.max(np.abs(data * weights), initial=0))
    return min(max(math.frexp(largest)[1], -_LARGEST), _LARGEST) if math.isfinite(largest) else _LARGEST


def _in_units(loss: nonlinear.Loss, unit: float) -> nonlinear.Loss:
    """A loss of residuals that are measured in other units."""
    scale = loss.scale * unit
    # A residual that is never so large counts as its square.
    if loss.name == "linear" or scale > _FAR:
        return nonlinear.Loss()
    if scale < 1 / _FAR:
        raise GradcliError(f"f_scale, {loss.scale:g}, is too small beside the data")
    return loss._replace(scale=scale)


def converted(value: Any, dtype: str) -> np.ndarray:
    """An input as it is computed with: floating-point numbers in `dtype`."""
    array = to_array(value)
    return array.astype(dtype) if array.dtype.kind == "f" else array


def start_from(value: Any, dtype: str) -> np.ndarray:
    array = to_array(value).astype(dtype)
    if not np.isfinite(array).all():
        raise GradcliError("the starting value of a parameter must be finite")
    return array


def _refuse_missing(arrays: Arrays) -> None:
    """Refuse data with NaN or infinities, telling how many there are."""
    for name, array in arrays.items():
        if found := count(array):
            raise GradcliError(found.told(name), hint="leave these observations out: a fit needs finite numbers")
