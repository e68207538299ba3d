"""Derivatives as they are measured: a function evaluated at displaced points, and the differences of what it gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Sides(NamedTuple):
    """What a function of one number gives a step to the right of 0 and to the left, and its slope between them."""

    right: Any
    left: Any
    slope: Any


def sides(values: Callable[[float], Any], step: float, between: Callable[[Any, Any], Any]) -> Sides:
    """The central difference of `values(t)` at t = 0, `between(a, b)` being the difference of two of its values."""
    right, left = values(step), values(-step)
    return Sides(right, left, between(right, left) / (2 * step))


def extrapolated(whole: Sides, half: Sides) -> Any:
    """The slope from differences with a step and with half of it: by Richardson, the error of its square cancels."""
    return (4 * half.slope - whole.slope) / 3


def unit_vector(shape: tuple[int, ...], place: int, dtype: Any = np.float64) -> np.ndarray:
    """Zeros, and a 1 at one place of them as they lie."""
    unit = np.zeros(shape, dtype)
    unit.reshape(-1)[place] = 1.0
    return unit


def random_direction(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """A direction that leads away from every coordinate, at random."""
    return rng.uniform(0.5, 1.5, shape) * rng.choice((-1.0, 1.0), shape)
