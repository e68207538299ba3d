"""Functions of tensors that gradcli and PyTorch both understand, with their inputs: `m` is either module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Function(NamedTuple):
    """A function of the module and of inputs of these shapes, drawn from an interval."""

    name: str
    call: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]
    domain: tuple[float, float] = (0.5, 2.0)

    def arrays(self) -> list[np.ndarray]:
        """The inputs, the same at every run."""
        rng = np.random.default_rng(len(self.name))
        return [rng.uniform(*self.domain, shape) for shape in self.shapes]

    def vectors(self, shapes: Any) -> list[np.ndarray]:
        """Vectors for products, the same at every run."""
        rng = np.random.default_rng(7)
        return [rng.uniform(-1, 1, shape) for shape in shapes]


FUNCTIONS = [
    Function("elementwise", lambda m, x: m.sin(x) * m.exp(x), ((2, 3),)),
    Function("layer", lambda m, w, x: m.tanh(w @ x), ((3, 4), (4,))),
    Function("two outputs", lambda m, x, y: (x * y.sum(), y**2), ((3,), (2,))),
    Function("one of many", lambda m, x: (m.sum(x**2), m.prod(x)), ((4,),)),
    Function("scalar", lambda m, x, y: m.sum(x * x * y) + m.sum(m.log(y)), ((3,), (3,))),
    Function("unused", lambda m, x, y: m.sum(x**3), ((2,), (2, 2))),
    Function("linear", lambda m, x: m.sum(3 * x), ((2, 2),)),
    Function("number", lambda m, x: m.exp(2 * x), ((),)),
    Function("more outputs than inputs", lambda m, x, y: m.sin(m.outer(x, y)), ((5,), (2,))),
    Function("batched product", lambda m, x, y: x @ y, ((2, 2, 3), (2, 3, 2))),
    Function("matrix", lambda m, x: m.logsumexp(x @ x.T, 0), ((3, 2),)),
    Function("rows", lambda m, x: m.softmax(x, 1), ((3, 4),)),
    Function("pieces", lambda m, x: m.cat([x[1:], x[:1] * 2]).cumsum(0), ((3, 2),)),
    Function("list index", lambda m, x: x[[0, 2, 0]] ** 2, ((3, 2),)),
    Function("variance", lambda m, x: m.var(x, 0).sum().reshape(1), ((4, 2),)),
]

#: Those with one result of one element, which have a Hessian.
SCALARS = [f for f in FUNCTIONS if f.name in ("scalar", "unused", "linear", "number", "variance")]
