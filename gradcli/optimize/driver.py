"""One of gradcli's own methods on its way, step by step, to where it stops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcli.optimize.batches import Batches
from gradcli.optimize.iterate import Iterate, Reached, Watch, check_start, check_step, resumed, state_of
from gradcli.optimize.methods import Method
from gradcli.optimize.objective import Objective
from gradcli.optimize.point import Point, Stepper, Stop


@dataclass
class Driver:
    """A method and its options, and what it makes small: the objective, or batches of it."""

    method: Method
    options: Mapping[str, Any]
    objective: Objective
    batches: Batches | None
    watch: Watch | None
    steps: int = 0
    evaluations: int = 0

    def run(self, vector: np.ndarray, resume: Mapping[str, Any] | None) -> Reached:
        """Where the method ends, from a vector or from the state of another run."""
        kept = None if resume is None else state_of(resume, self.method.name, vector)
        if kept is not None:
            vector, self.steps = np.array(kept["vector"], vector.dtype), kept["step"]
        point = Point(vector, *self._evaluate(vector))
        check_start(point.value, point.gradient, self.objective.packing)
        assert self.method.start is not None
        stepper = self.method.start(self.options, point, self.objective.eps)
        if kept is not None:
            resumed(stepper, kept)
            self.evaluations = kept["evaluations"]
        stop = self._go(point, stepper)
        return Reached(point.vector, point.value, point.gradient, stop, self.steps, self.evaluations)

    def _evaluate(self, vector: np.ndarray) -> tuple[float, np.ndarray]:
        self.evaluations += 1
        if self.batches is not None:
            return self.batches.value_and_gradient(vector, self.steps)
        return self.objective.value_and_gradient(vector)

    def _go(self, point: Point, stepper: Stepper) -> Stop:
        packing, total = self.objective.packing, self.options[self.method.steps]
        hint = "a smaller lr may help" if "lr" in self.options else None
        while True:
            stop = stepper.finished(point)
            if stop is not None:
                return stop
            if self.steps >= total:
                return Stop(False, f"the limit of {total:,} steps is reached")
            self.steps += 1
            stop = stepper.step(point, self._evaluate)
            if stop is not None:
                self.steps -= 1
                return stop
            check_step(point.value, point.gradient, packing, self.steps, hint)
            if self.watch is not None:
                self.watch(self._iterate(point, stepper))

    def _iterate(self, point: Point, stepper: Stepper) -> Iterate:
        def state() -> dict[str, Any]:
            return {"method": self.method.name, "memory": stepper.state()}

        return Iterate(
            self.steps,
            self.options[self.method.steps],
            point.value,
            point.gradient,
            self.evaluations,
            point.vector,
            self.objective.packing,
            state,
        )
