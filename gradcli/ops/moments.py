"""Mean and sum of squared deviations, and the sums that follow from them.

The simplifier puts these in the place of sums of deviations from a mean: the data is not gone through once more.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.graph.dtypes import FLOAT64
from gradcli.graph.node import Node
from gradcli.graph.op import WHOLE, Blocking, Params, Shape
from gradcli.ops import accumulators
from gradcli.ops.blocking import kept, over_dims
from gradcli.ops.family import primitive


def _infer(inputs: tuple[Node, ...], params: Params) -> tuple[tuple[Shape, np.dtype], ...]:
    return ((tuple(n for k, n in enumerate(inputs[0].shape) if k not in params["dim"]), FLOAT64),) * 2


def _kernel(x: Any, dim: tuple[int, ...], keepdim: bool) -> Any:
    wide = x.astype(np.float64)
    mean = np.true_divide(np.add.reduce(wide, axis=dim, keepdims=True), math.prod(x.shape[d] for d in dim))
    return mean.squeeze(dim), np.add.reduce((wide - mean) ** 2, axis=dim)


primitive(
    "_moments",
    _kernel,
    _infer,
    family="reduction",
    public=False,
    args="input, dim",
    doc="The mean and the sum of the squared deviations from it, in float64.",
    results=("mean", "squares"),
    blocking=Blocking(kept, over_dims, accumulators.MOMENTS),
)


def _about_kernel(mean: Any, point: Any, *squares: Any, count: int) -> Any:
    step = mean - point
    return (squares[0] + count * step * step if squares else count * step).astype(point.dtype)


primitive(
    "_about",
    _about_kernel,
    lambda inputs, params: (inputs[1].shape, inputs[1].dtype),
    family="reduction",
    public=False,
    args="mean, point, squares=None, count=0",
    blocking=WHOLE,
    doc="The sum of the deviations from a point, or of their squares where that of those from the mean is given.",
)
