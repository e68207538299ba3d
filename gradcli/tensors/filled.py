"""Tensors filled in place, with a number or random ones, as initializations of parameters are written in PyTorch."""

from __future__ import annotations

from typing import Any, Self, overload

from gradcli.graph.op import OPS
from gradcli.tensors.elements import Elements


class Filled(Elements):
    """Other numbers in the place of a tensor's elements; random ones are PyTorch's own for a seed."""

    __slots__ = ()

    def zero_(self) -> Self:
        """Set every element to 0, as in `x.grad.zero_()`; returns the tensor itself."""
        return self._filled("_zero")

    def fill_(self, value: Any) -> Self:
        """Set every element to a number or a 0-dim tensor; returns the tensor itself."""
        return self._filled("_fill_within", value)

    def fill_diagonal_(self, fill_value: float, wrap: bool = False) -> Self:
        """Set the diagonal to a number, with `wrap` anew below the square part of a tall matrix; returns the tensor."""
        return self._filled("_fill_diagonal_within", fill_value, wrap)

    def uniform_(self, low: float = 0.0, high: float = 1.0) -> Self:
        """Draw uniform numbers from `low` up to `high`; returns the tensor itself."""
        return self._filled("_uniform_within", low, high)

    def normal_(self, mean: float = 0.0, std: float = 1.0) -> Self:
        """Draw normal numbers of a mean and a standard deviation; returns the tensor itself."""
        return self._filled("_normal_within", mean, std)

    @overload
    def random_(self) -> Self: ...
    @overload
    def random_(self, to: int) -> Self: ...
    @overload
    def random_(self, low: int, high: int | None) -> Self: ...
    def random_(self, *bounds: int | None, **named: int | None) -> Self:
        """Draw whole numbers from the first bound, or 0, up to but not including the last; returns the tensor itself.

        Without a last one they go up to the largest of the dtype; of floating-point numbers, up to 2**24 in float32.
        """
        names = ("from", "low", "high", "to")
        unknown = [word for word in named if word not in names]
        if unknown:
            raise TypeError(f"random_() takes no argument {unknown[0]!r}")
        return self._filled("_random_within", (*bounds, *(named[word] for word in names if word in named)))

    def exponential_(self, lambd: float = 1.0) -> Self:
        """Draw exponential numbers of a rate; returns the tensor itself."""
        return self._filled("_exponential_within", lambd)

    def geometric_(self, p: float) -> Self:
        """Draw how many trials of a probability it takes to the first success; returns the tensor itself."""
        return self._filled("_geometric_within", p)

    def cauchy_(self, median: float = 0.0, sigma: float = 1.0) -> Self:
        """Draw numbers of Cauchy's distribution with a median and a half width; returns the tensor itself."""
        return self._filled("_cauchy_within", median, sigma)

    def log_normal_(self, mean: float = 1.0, std: float = 2.0) -> Self:
        """Draw numbers whose logarithms are normal, of a mean and a standard deviation; returns the tensor itself."""
        return self._filled("_log_normal_within", mean, std)

    def bernoulli_(self, p: Any = 0.5) -> Self:
        """Draw 1 with a probability, or with one for each element, else 0; returns the tensor itself."""
        return self._filled("_bernoulli_within", p)

    def _filled(self, name: str, *terms: Any) -> Self:
        # Tensor has the change in place.
        tensor: Any = self
        return tensor._changed(OPS[name], *terms)
