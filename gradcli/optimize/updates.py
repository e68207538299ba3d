"""Steps along the gradient, by PyTorch's rules: what `torch.optim` does to a parameter, done to the vector of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gradcli.optimize.point import Evaluate, Point, Stop, flat_enough


class Update:
    """A rule that changes a vector in place by its gradient.

    Sums and products stand in PyTorch's order, so that a step differs by rounding at most where PyTorch fuses two.
    """

    #: The arrays that the rule remembers, all zero at first.
    moments: tuple[str, ...] = ()

    def __init__(self, options: Mapping[str, Any], point: Point, eps: float) -> None:
        self.options = options
        self.steps = 0
        self.moment = {name: np.zeros_like(point.vector) for name in self.moments}
        self._scratch, self._other, self._decayed = (np.empty_like(point.vector) for _ in range(3))

    def finished(self, point: Point) -> Stop | None:
        """Where the gradient is small, if that was asked for."""
        tolerance = self.options["tol"]
        return None if tolerance is None else flat_enough(point.gradient, tolerance)

    def step(self, point: Point, evaluate: Evaluate) -> Stop | None:
        """Move the point, and evaluate there."""
        self.steps += 1
        self.change(point.vector, point.gradient)
        point.value, point.gradient = evaluate(point.vector)
        return None

    def state(self) -> dict[str, Any]:
        """The number of steps, and the moments."""
        return {"steps": self.steps, **{name: array.copy() for name, array in self.moment.items()}}

    def resume(self, state: Mapping[str, Any]) -> None:
        self.steps = int(state["steps"])
        for name, array in self.moment.items():
            array[...] = state[name]

    def change(self, x: np.ndarray, g: np.ndarray) -> None:
        """Change the vector `x` by its gradient."""
        raise NotImplementedError

    def _with_decay(self, x: np.ndarray, g: np.ndarray) -> np.ndarray:
        """The gradient, with that of half the squares times `weight_decay`."""
        decay = self.options["weight_decay"]
        if not decay:
            return g
        np.multiply(x, decay, out=self._decayed)
        return np.add(g, self._decayed, out=self._decayed)

    def _add_square(self, total: np.ndarray, g: np.ndarray, weight: float) -> None:
        """total += weight * g * g"""
        s = self._scratch
        np.multiply(g, weight, out=s)
        np.multiply(s, g, out=s)
        np.add(total, s, out=total)

    def _divide(self, x: np.ndarray, weight: float, above: np.ndarray, below: np.ndarray) -> None:
        """x += weight * above / below"""
        s = self._other
        np.multiply(above, weight, out=s)
        np.divide(s, below, out=s)
        np.add(x, s, out=x)

    def _add(self, x: np.ndarray, weight: float, change: np.ndarray) -> None:
        """x += weight * change"""
        np.multiply(change, weight, out=self._scratch)
        np.add(x, self._scratch, out=x)


class Descent(Update):
    """`torch.optim.SGD` without momentum."""

    def change(self, x: np.ndarray, g: np.ndarray) -> None:
        self._add(x, -self.options["lr"], self._with_decay(x, g))


class Momentum(Update):
    """`torch.optim.SGD` with momentum."""

    moments = ("velocity",)

    def change(self, x: np.ndarray, g: np.ndarray) -> None:
        velocity = self.moment["velocity"]
        np.multiply(velocity, self.options["momentum"], out=velocity)
        np.add(velocity, self._with_decay(x, g), out=velocity)
        self._add(x, -self.options["lr"], velocity)


class Adam(Update):
    """`torch.optim.Adam`."""

    moments = ("mean", "square")

    def change(self, x: np.ndarray, g: np.ndarray) -> None:
        self._follow(x, self._with_decay(x, g))

    def _follow(self, x: np.ndarray, g: np.ndarray) -> None:
        (first, second), eps, step = self.options["betas"], self.options["eps"], self.steps
        mean, square, s = self.moment["mean"], self.moment["square"], self._scratch
        np.subtract(g, mean, out=s)
        if 1 - first < 0.5:
            self._add(mean, 1 - first, s)
        else:
            np.multiply(s, first, out=s)
            np.subtract(g, s, out=mean)
        np.multiply(square, second, out=square)
        self._add_square(square, g, 1 - second)
        np.sqrt(square, out=s)
        np.divide(s, (1 - second**step) ** 0.5, out=s)
        np.add(s, eps, out=s)
        self._divide(x, -self.options["lr"] / (1 - first**step), mean, s)


class AdamW(Adam):
    """`torch.optim.AdamW`: what decays is the vector itself."""

    def change(self, x: np.ndarray, g: np.ndarray) -> None:
        decay = self.options["weight_decay"]
        if decay:
            np.multiply(x, 1 - self.options["lr"] * decay, out=x)
        self._follow(x, g)


class RMSprop(Update):
    """`torch.optim.RMSprop`."""

    moments = ("square", "velocity")

    def change(self, x: np.ndarray, g: np.ndarray) -> None:
        alpha, momentum = self.options["alpha"], self.options["momentum"]
        square, s = self.moment["square"], self._scratch
        g = self._with_decay(x, g)
        np.multiply(square, alpha, out=square)
        self._add_square(square, g, 1 - alpha)
        np.sqrt(square, out=s)
        np.add(s, self.options["eps"], out=s)
        if not momentum:
            self._divide(x, -self.options["lr"], g, s)
            return
        velocity = self.moment["velocity"]
        np.multiply(velocity, momentum, out=velocity)
        self._divide(velocity, 1, g, s)
        self._add(x, -self.options["lr"], velocity)


class Adagrad(Update):
    """`torch.optim.Adagrad`."""

    moments = ("square",)

    def change(self, x: np.ndarray, g: np.ndarray) -> None:
        square, s = self.moment["square"], self._scratch
        g = self._with_decay(x, g)
        self._add_square(square, g, 1)
        np.sqrt(square, out=s)
        np.add(s, self.options["eps"], out=s)
        self._divide(x, -self.options["lr"], g, s)
