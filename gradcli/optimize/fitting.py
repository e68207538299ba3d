"""`gradcli.fit`: a model fitted to data in one call, and what comes of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, own_text
from gradcli.graph.arguments import as_choice, as_flag, as_int, as_number, kind_of
from gradcli.graph.dtypes import DEFAULT_DTYPE
from gradcli.graph.node import input_node
from gradcli.language.importing import importing_from
from gradcli.machine.limits import having
from gradcli.optimize import nonlinear
from gradcli.optimize.extra import LOSSES
from gradcli.optimize.fit_curves import curves_of
from gradcli.optimize.fit_report import fit_text
from gradcli.optimize.model import Model, split_model
from gradcli.optimize.problem import Arrays, Problem, converted, start_from
from gradcli.optimize.residuals import in_floats
from gradcli.optimize.statistics import Spread, Statistics, deviation_of, quantile, statistics
from gradcli.plotting.curves import Curves
from gradcli.render.marks import Marked
from gradcli.tensors.tensor import Tensor


@dataclass(frozen=True, eq=False, repr=False)
class Fit:
    """The result of `fit`; all tensors are float64.

    `parameters` and `errors` map names to values and to their standard errors, in the shapes of the parameters.
    `covariance` and `correlation` are p × p matrices over all p elements of all parameters, whose names are `labels`.
    `residuals` are the observations minus the model, in the shape of the observations. `reason` says why the fit
    stopped, and `notes` has warnings.
    """

    model: str
    parameters: dict[str, Tensor]
    errors: dict[str, Tensor]
    start: dict[str, Tensor]
    labels: list[str]
    covariance: Tensor
    correlation: Tensor
    residuals: Tensor
    statistics: Statistics
    evaluations: int
    reason: str
    notes: tuple[str, ...]
    _problem: Problem
    _vector: np.ndarray
    _spread: Spread
    _absolute: bool

    def predict(self, inputs: Mapping[str, Any] | None = None) -> Tensor:
        """The model with the fitted parameters, at the data or with other values for some `inputs`.

        The shape is the model's with these inputs. Raises GradcliError for an input that the model does not have.

        >>> import gradcli as gc
        >>> found = gc.fit("y = a*x", {"x": [1, 2, 3], "y": [2, 4, 7]}, {"a": 1})
        >>> found.predict({"x": [10, 20]}), found.prediction_errors({"x": [10, 20]})
        (tensor([22.1429, 44.2857], dtype=float64), tensor([1.1294, 2.2588], dtype=float64))
        """
        return _tensor(self._at(inputs)[0])

    def prediction_errors(self, inputs: Mapping[str, Any] | None = None) -> Tensor:
        """The standard errors of the predictions, in their shape, from those of the parameters."""
        return _tensor(self._at(inputs)[1])

    def band(self, inputs: Mapping[str, Any] | None = None, level: float = 0.95) -> tuple[Tensor, Tensor]:
        """The lower and upper limits of the model's confidence band at this level: by Student's distribution, or by the
        normal distribution with `absolute_sigma`. Both have the shape of the predictions.

        >>> import gradcli as gc
        >>> gc.fit("y = a*x", {"x": [1, 2, 3], "y": [2, 4, 7]}, {"a": 1}).band({"x": 10}, level=0.5)
        (tensor(21.2207, dtype=float64), tensor(23.0650, dtype=float64))
        """
        share = as_number(level, "level")
        if not 0 < share < 1:
            raise GradcliError(f"a level is a share between 0 and 1, got {share:g}")
        values, width = self._band(inputs, share)
        return _tensor(values - width), _tensor(values + width)

    def curves(self) -> Curves:
        """The data, the model and its band of 95 %, and the residuals, as `gradcli.plotting` draws them."""
        return curves_of(self._problem, self.residuals.value(), self._band)

    def _band(self, inputs: Mapping[str, Any] | None, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        values, errors = self._at(inputs)
        return values, quantile(self.statistics.degrees_of_freedom, level, self._absolute) * errors

    def _at(self, inputs: Mapping[str, Any] | None) -> tuple[np.ndarray, np.ndarray]:
        """The model with other inputs, and its standard errors."""
        problem = self._problem
        if inputs is not None and not isinstance(inputs, Mapping):
            raise GradcliError(f"inputs must be a dictionary from names to values, got {kind_of(inputs)}")
        predictor = problem.predictor if not inputs else problem.predictor_at(inputs)
        values, slopes = predictor(self._vector)
        errors = self._spread.of(slopes)
        shape = predictor.shape
        if not inputs and problem.shape != shape:
            # A model of one number is the same for all data.
            return np.broadcast_to(values, problem.shape), np.broadcast_to(errors, problem.shape)
        return values.reshape(shape), errors.reshape(shape)

    def report(self) -> dict[str, Any]:
        """All of it as plain data, for JSON."""
        return {
            "model": self.model,
            "parameters": {name: tensor.value() for name, tensor in self.parameters.items()},
            "errors": {name: tensor.value() for name, tensor in self.errors.items()},
            "start": {name: tensor.value() for name, tensor in self.start.items()},
            "labels": self.labels,
            "covariance": self.covariance.value(),
            "correlation": self.correlation.value(),
            **self.statistics._asdict(),
            "evaluations": self.evaluations,
            "reason": self.reason,
            "notes": list(self.notes),
        }

    def text(self) -> Marked:
        """What the command prints of it."""
        values, errors = self._vector.tolist(), self._spread.errors.tolist()
        return fit_text(self.labels, values, errors, self.correlation.value(), self.statistics)

    def __repr__(self) -> str:
        return str(self.text())


def fit(
    model: str | Model,
    inputs: Mapping[str, Any],
    params: Mapping[str, Any],
    *,
    sigma: Any = None,
    absolute_sigma: bool = False,
    loss: str = "linear",
    f_scale: float = 1.0,
    bounds: Mapping[str, tuple[Any, Any]] | None = None,
    dtype: str = "float64",
    max_evaluations: int = nonlinear.MOST_EVALUATIONS,
    imports: str | PathLike[str] | None = None,
) -> Fit:
    """Fit a model `observed = predicted` to data by nonlinear least squares.

    `inputs` maps names to data, `params` names to starting values. Everything is computed in float64, or in `dtype`.
    `sigma` is the standard deviation of the observations: a number, an array or the name of an input. With
    `absolute_sigma`, the standard errors use its values, otherwise only its ratios, as in SciPy's curve_fit. `loss` is
    linear (least squares), soft_l1, huber or cauchy; the last three give residuals above `f_scale` less weight.
    `bounds` maps names of parameters to their lowest and highest values, or None. The observations, the model and
    `sigma` have the same shape or are scalars. `imports` is a folder whose files the model may import.
    Raises GradcliError, and its subclass WorkError if the fit does not converge or the data cannot tell parameters
    apart.

    >>> import gradcli as gc
    >>> found = gc.fit("y = a*x + b", {"x": [0, 1, 2, 3], "y": [1, 3, 5, 8]}, {"a": 1, "b": 0})
    >>> found.parameters["a"], found.errors["a"]
    (tensor(2.3000, dtype=float64), tensor(0.1732, dtype=float64))
    """
    if not isinstance(model, str | Model):
        raise GradcliError(f"the model must be a string, got {kind_of(model)}")
    for what, given in (("inputs", inputs), ("params", params)):
        if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
            raise GradcliError(f"{what} must be a dictionary from names to values, got {kind_of(given)}")
    with importing_from(imports):
        split = split_model(model) if isinstance(model, str) else model
    as_choice(loss, "loss", LOSSES)
    as_choice(dtype, "dtype", ("float64", "float32"))
    scale, most = as_number(f_scale, "f_scale"), as_int(max_evaluations, "max_evaluations")
    if not 0 < scale < math.inf:
        raise GradcliError(f"f_scale must be a positive number, got {scale:g}")
    if most < 1:
        raise GradcliError(f"max_evaluations must be 1 at least, got {most}")
    absolute = as_flag(absolute_sigma, "absolute_sigma")
    with having(DEFAULT_DTYPE, np.dtype(dtype)):
        start = {name: start_from(value, dtype) for name, value in params.items()}
        data = {name: converted(value, dtype) for name, value in inputs.items()}
        problem = Problem(split, in_floats(split, data, start, dtype), start, sigma, dtype)
        problem.bound({} if bounds is None else bounds, start)
        solution = problem.solve(start, nonlinear.Loss(loss, scale), most)
        return _found(problem, solution, start, absolute)


def _found(problem: Problem, solution: nonlinear.Solution, start: Arrays, absolute: bool) -> Fit:
    """What there is to tell of a solution. WorkError where the data do not tell the parameters apart."""
    spread = Spread(solution.factors, problem.labels, deviation_of(solution, problem.exponent, absolute))
    data, weights = problem.data.reshape(-1), problem.weights.reshape(-1)
    quality = statistics(solution, problem.exponent, data, weights)
    with np.errstate(all="ignore"):
        residuals = np.ldexp(-solution.residuals, problem.exponent) / weights
    unpack = problem.packing.views
    return Fit(
        own_text(problem.model.source),
        _tensors(unpack(solution.x)),
        _tensors(unpack(spread.errors)),
        _tensors(start),
        problem.labels,
        _tensor(spread.covariance),
        _tensor(spread.correlation),
        _tensor(residuals.reshape(problem.shape)),
        quality,
        solution.evaluations,
        solution.reason or "",
        tuple(_notes(problem, solution, absolute)),
        problem,
        solution.x,
        spread,
        absolute,
    )


def _notes(problem: Problem, solution: nonlinear.Solution, absolute: bool) -> Iterator[str]:
    for label, at, x in zip(problem.labels, solution.bound, solution.x, strict=True):
        if at:
            yield f"{label} stands at its bound {x:g}: its standard error does not take that into account"
    if not solution.minimum:
        yield "the gradient is not zero where the fit stopped: this may not be a minimum; start from other values"
    if problem.data.size == problem.packing.size and not absolute:
        yield "there are no more observations than parameters, so the standard errors are unknown"


def _tensor(array: Any) -> Tensor:
    return Tensor(input_node(np.array(array, np.float64)))


def _tensors(arrays: Arrays) -> dict[str, Tensor]:
    return {name: _tensor(array) for name, array in arrays.items()}
