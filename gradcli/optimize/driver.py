"""One of gradcli's own methods on its way, step by step, to where it stops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gradcli.optimize.batches import Batches
from gradcli.optimize.iterate import Iterate, Reached, Watch, check_start, check_step, resumed, state_of
from gradcli.optimize.methods import Method
from gradcli.optimize.objective import Objective
from gradcli.optimize.point import Point, Stepper, Stop


class Driver:
    """A method and its options, and what it makes small: the objective, or batches of it."""

    def __init__(
        self,
        method: Method,
        options: Mapping[str, Any],
        objective: Objective,
        batches: Batches | None,
        watch: Watch | None,
    ) -> None:
        self._method = method
        self._options = options
        self._objective = objective
        self._batches = batches
        self._watch = watch
        self._total: int = options[method.steps]
        self._steps = 0
        self._evaluations = 0

    def run(self, vector: np.ndarray, resume: Mapping[str, Any] | None) -> Reached:
        """Where the method ends, from a vector or from the state of another run."""
        kept = None if resume is None else state_of(resume, self._method.name, vector)
        if kept is not None:
            vector, self._steps = np.array(kept["vector"], vector.dtype), kept["step"]
        point = Point(vector, *self._evaluate(vector))
        check_start(point.value, point.gradient, self._objective.packing)
        assert self._method.start is not None
        stepper = self._method.start(self._options, point, self._objective.eps)
        if kept is not None:
            resumed(stepper, kept)
            self._evaluations = kept["evaluations"]
        stop = self._go(point, stepper)
        return Reached(point.vector, point.value, point.gradient, stop, self._steps, self._evaluations)

    def _evaluate(self, vector: np.ndarray) -> tuple[float, np.ndarray]:
        self._evaluations += 1
        if self._batches is not None:
            return self._batches.value_and_gradient(vector, self._steps)
        return self._objective.value_and_gradient(vector)

    def _go(self, point: Point, stepper: Stepper) -> Stop:
        packing = self._objective.packing
        hint = "a smaller lr may help" if "lr" in self._options else None
        while True:
            stop = stepper.finished(point)
            if stop is not None:
                return stop
            if self._steps >= self._total:
                return Stop(False, f"the limit of {self._total:,} steps is reached")
            self._steps += 1
            stop = stepper.step(point, self._evaluate)
            if stop is not None:
                self._steps -= 1
                return stop
            check_step(point.value, point.gradient, packing, self._steps, hint)
            if self._watch is not None:
                self._watch(self._iterate(point, stepper))

    def _iterate(self, point: Point, stepper: Stepper) -> Iterate:
        def state() -> dict[str, Any]:
            return {"method": self._method.name, "memory": stepper.state()}

        return Iterate(
            self._steps,
            self._total,
            point.value,
            point.gradient,
            self._evaluations,
            point.vector,
            self._objective.packing,
            state,
        )
