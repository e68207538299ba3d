"""Tensors filled with random numbers in place, as initializations of parameters are written in PyTorch."""

from __future__ import annotations

from typing import Any, Self

from gradcli.graph.op import OPS
from gradcli.tensors.elements import Elements


class Drawn(Elements):
    """Random numbers in the place of a tensor's elements, PyTorch's own for a seed."""

    __slots__ = ()

    def uniform_(self, low: float = 0.0, high: float = 1.0) -> Self:
        """Draw uniform numbers from `low` up to `high`; returns the tensor itself."""
        return self._drawn("_uniform_within", low, high)

    def normal_(self, mean: float = 0.0, std: float = 1.0) -> Self:
        """Draw normal numbers of a mean and a standard deviation; returns the tensor itself."""
        return self._drawn("_normal_within", mean, std)

    def random_(self, low: int, high: int | None = None) -> Self:
        """Draw whole numbers from `low` up to but not including `high`, or below the only one; returns the tensor."""
        return self._drawn("_randint_within", low, high)

    def bernoulli_(self, p: Any = 0.5) -> Self:
        """Draw 1 with a probability, or with one for each element, else 0; returns the tensor itself."""
        return self._drawn("_bernoulli_within", p)

    def _drawn(self, name: str, *terms: Any) -> Self:
        # Tensor has the change in place.
        tensor: Any = self
        return tensor._changed(OPS[name], *terms)
