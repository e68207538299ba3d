"""Several parameters as one vector, and back: the only place that knows where each of them lies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gradcli.errors import GradcliError

#: What is said of a parameter that decides on a shape.
OF_STEPS = "{}, which is another at every step"


class Packing:
    """Where each parameter lies in the vector of all.

    The vector is as precise as the most precise of them, and float32 at least: what steps along the gradient do to a
    number of float16 would be lost in it.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], dtypes: Mapping[str, np.dtype]) -> None:
        self.shapes = dict(shapes)
        self.dtypes = dict(dtypes)
        self.dtype: np.dtype = np.result_type(np.float32, *self.dtypes.values())
        ends = np.cumsum([math.prod(shape) for shape in shapes.values()]).tolist()
        self.places = dict(zip(shapes, map(slice, [0, *ends], ends), strict=False))
        self.size: int = ends[-1]

    @classmethod
    def of(cls, arrays: Mapping[str, Any]) -> Packing:
        """The places of arrays by name. GradcliError where there is nothing in one of them."""
        for name, array in arrays.items():
            if not math.prod(array.shape):
                raise GradcliError(f"the parameter {name!r} has no elements: its shape is {array.shape}")
        return cls({name: a.shape for name, a in arrays.items()}, {name: a.dtype for name, a in arrays.items()})

    def pack(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """A new vector of the elements of arrays, one for each parameter."""
        if len(arrays) == 1:
            return arrays[0].astype(self.dtype).reshape(-1)
        return np.concatenate([array.reshape(-1) for array in arrays], dtype=self.dtype)

    def views(self, vector: np.ndarray) -> dict[str, np.ndarray]:
        """The parameters in a vector, by name, in its dtype and its memory."""
        return {name: vector[place].reshape(self.shapes[name]) for name, place in self.places.items()}

    def unpack(self, vector: np.ndarray) -> dict[str, np.ndarray]:
        """Copies of the parameters in a vector, each in its own dtype."""
        return {name: view.astype(self.dtypes[name]) for name, view in self.views(vector).items()}


class Reading:
    """The parameters of one vector after the other, in arrays that stay the same where no dtype changes."""

    def __init__(self, packing: Packing) -> None:
        self._packing = packing
        self._vector = np.empty(packing.size, packing.dtype)
        self._views = packing.views(self._vector)
        self._same = all(dtype == packing.dtype for dtype in packing.dtypes.values())

    def of(self, vector: np.ndarray) -> dict[str, np.ndarray]:
        """The parameters in a vector, for use until the next is read."""
        self._vector[...] = vector
        if self._same:
            return self._views
        return {name: view.astype(self._packing.dtypes[name]) for name, view in self._views.items()}
