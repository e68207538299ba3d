"""How the value and its gradient went from step to step, as curves to plot."""

from __future__ import annotations

import math
from array import array

import numpy as np

from gradcli.plotting.curves import Curve, Curves

# Positive numbers that lie so many times apart are plotted by their logarithms.
_APART = 100.0


class Course:
    """The numbers of each step."""

    def __init__(self) -> None:
        self.steps = array("q")
        self.values = array("d")
        self.norms = array("d")

    def add(self, step: int, value: float, norm: float | None) -> None:
        """Add a step; there is no norm where nothing asks for gradients."""
        self.steps.append(step)
        self.values.append(value)
        self.norms.append(math.nan if norm is None else norm)

    def state(self) -> dict[str, np.ndarray]:
        """All steps, for a run that goes on from here."""
        return {"steps": np.array(self.steps), "values": np.array(self.values), "norms": np.array(self.norms)}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Take over the steps of an earlier run."""
        for name in ("steps", "values", "norms"):
            getattr(self, name)[:] = array(getattr(self, name).typecode, state[name].tolist())

    def curves(self) -> Curves | None:
        """The value and the largest element of the gradient over the steps; None for a step that stands alone."""
        if len(self.steps) < 2:
            return None
        norms = np.array(self.norms)
        curves = [_curve("value", np.array(self.values))]
        if not np.isnan(norms).all():
            curves.append(_curve("largest gradient element", norms))
        return Curves("step", np.array(self.steps, np.float64), curves, None)


def _curve(title: str, y: np.ndarray) -> Curve:
    """A curve, by its logarithm where that shows more."""
    known = y[np.isfinite(y) & (y != 0)]
    if known.size and (known > 0).all() and known.max() / _APART > known.min():
        with np.errstate(divide="ignore"):
            return Curve(f"log10 of the {title}", np.log10(y), logarithms=True)
    return Curve(title, y)
