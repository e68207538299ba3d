"""What is told of a step, and what is not allowed to go on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import InitVar, dataclass, field
from typing import Any, NamedTuple

import numpy as np

from gradcli.errors import GradcliError, WorkError
from gradcli.evaluation.finite import WHO_KNOWS
from gradcli.optimize.packing import Packing
from gradcli.optimize.point import Stepper, Stop, largest


@dataclass(eq=False, repr=False, slots=True)
class Iterate:
    """A step that was taken: `number` of `total` at most (None: no limit is known), and where it has led to.

    `value` and `gradient_norm`, the largest element of the gradient, are those at the new parameters, over the next
    batch where there are batches; the norm is None for methods that need no gradient.
    """

    number: int
    total: int | None
    value: float
    gradient: InitVar[np.ndarray | None]
    evaluations: int
    vector: np.ndarray
    _packing: Packing
    _state: Callable[[], dict[str, Any]] | None = None
    gradient_norm: float | None = field(init=False)

    def __post_init__(self, gradient: np.ndarray | None) -> None:
        self.gradient_norm = None if gradient is None else largest(gradient)
        # The method may change its own in place.
        self.vector = self.vector.copy()

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """The parameters by name."""
        return self._packing.unpack(self.vector)

    def state(self) -> dict[str, Any] | None:
        """What `resume` goes on from to the same bits: numbers and arrays by name, and that of the method.

        To be asked for before the next step is taken. None for SciPy's methods, which cannot be resumed.
        """
        if self._state is None:
            return None
        return {"step": self.number, "evaluations": self.evaluations, "vector": self.vector, **self._state()}


Watch = Callable[[Iterate], Any]


class Reached(NamedTuple):
    """Where a method has come to, after how many steps and evaluations, and why no further.

    The gradient is None where the method needed none.
    """

    vector: np.ndarray
    value: float
    gradient: np.ndarray | None
    stop: Stop
    steps: int
    evaluations: int


def check_start(value: float, gradient: np.ndarray | None, packing: Packing) -> None:
    """Refuse to start where there is no value or no slope."""
    if not math.isfinite(value):
        raise WorkError(f"the value at the start is {_named(value)}", hint=f"choose another start; {WHO_KNOWS}")
    if gradient is not None and not is_finite(gradient):
        raise WorkError(f"the gradient at the start is not finite: {_where(gradient, packing)}", hint=WHO_KNOWS)


def check_step(value: float, gradient: np.ndarray, packing: Packing, number: int, hint: str | None) -> None:
    """Refuse to go on from a step that has led to where there is no value or no slope."""
    if not math.isfinite(value):
        raise WorkError(f"the value became {_named(value)} at step {number:,}", hint=hint)
    if not is_finite(gradient):
        raise WorkError(f"at step {number:,} the gradient is not finite: {_where(gradient, packing)}", hint=hint)


def is_finite(gradient: np.ndarray) -> bool:
    """Whether all elements are; the square of a large one need not be."""
    return math.isfinite(gradient.dot(gradient)) or bool(np.isfinite(gradient).all())


def _named(value: float) -> str:
    return "NaN" if math.isnan(value) else "infinite" if value > 0 else "minus infinity"


def _where(gradient: np.ndarray, packing: Packing) -> str:
    return f"look at {next(name for name, part in packing.views(gradient).items() if not np.isfinite(part).all())}"


def state_of(state: Any, method: str, vector: np.ndarray) -> Mapping[str, Any]:
    """A state to resume from, checked to be one of this method and of such parameters."""
    counts = ("step", "evaluations")
    whole = isinstance(state, Mapping) and {"method", "vector", "memory", *counts} <= state.keys()
    if not whole or not all(isinstance(state[name], int) for name in counts):
        raise _no_state()
    if state["method"] != method:
        raise GradcliError(f"the state to resume from is of {state['method']}, not of {method}")
    if np.shape(state["vector"]) != vector.shape:
        count = np.size(state["vector"])
        raise GradcliError(f"the state to resume from has {count:,} numbers, the parameters have {vector.size:,}")
    return state


def resumed(stepper: Stepper, state: Mapping[str, Any]) -> None:
    """Let a method go on from what it remembered."""
    try:
        stepper.resume(state["memory"])
    except (KeyError, TypeError, ValueError):
        raise _no_state() from None


def _no_state() -> GradcliError:
    return GradcliError("this is not a state to resume from", hint="Iterate.state() gives one")
