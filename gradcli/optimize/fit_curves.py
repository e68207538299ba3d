"""A fit as curves to draw: the data and the model with its confidence band, and what is left between both."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from gradcli.errors import GradcliError
from gradcli.optimize.problem import Problem
from gradcli.plotting.curves import Curve, Curves, all_together

# Points of a line that is drawn between the data.
_POINTS = 400

#: The model with other inputs in the place of some, or None, and how far it may be from that to either side.
Band = Callable[[Mapping[str, np.ndarray] | None], tuple[np.ndarray, np.ndarray]]


def curves_of(problem: Problem, residuals: np.ndarray, band: Band) -> Curves:
    """The data and the model against the input that the model is a function of, or else one after the other."""
    name = _horizontal(problem)
    if name is None:
        x = along = np.arange(1.0, problem.data.size + 1)
        line, width = (part.reshape(-1) for part in band(None))
        if x.size == 1:
            # A line needs two points.
            along, line, width = np.array([0.5, 1.5]), np.repeat(line, 2), np.repeat(width, 2)
    else:
        x = problem.inputs[name].astype(np.float64).reshape(-1)
        along = np.linspace(x.min(), x.max(), _POINTS)
        line, width = band({name: along})
    bars = [1 / problem.weights.reshape(-1)] if problem.weighted else []
    edges = np.stack([line - width, line + width]) if np.isfinite(width).all() else None
    fitted = Curve(problem.title, line, marks=np.stack([x, problem.data.reshape(-1), *bars]), band=edges)
    left = Curve("residuals", np.zeros_like(along), marks=np.stack([x, residuals.reshape(-1), *bars]))
    return Curves(name or "observation", along, [fitted, left], None)


def _horizontal(problem: Problem) -> str | None:
    """The only input of the model with an element for each observation, if the model is a function of each of them."""
    predictor = problem.predictor
    found = [name for name in problem.inputs if name in predictor.used and problem.inputs[name].size > 1]
    if len(found) != 1 or predictor.shape != problem.shape:
        return None
    (name,) = found
    x = problem.inputs[name]
    try:
        all_together(predictor.value, predictor.leaves[name])
    except GradcliError:
        return None
    return name if x.shape == problem.shape and x.dtype.kind in "if" and x.min() < x.max() else None
