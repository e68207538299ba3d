"""The same expression on PyTorch's side: evaluated by Python itself with PyTorch's functions under our names."""

from __future__ import annotations

import math
import warnings
from functools import cache
from typing import Any

import numpy as np

from gradcli.graph.dtypes import DTYPES
from gradcli.graph.op import OPS
from tests.oracle import torch


def namespace() -> dict[str, Any]:
    """Every name of the language, bound to what the registry says it is in PyTorch."""
    names: dict[str, Any] = {"pi": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan}
    for name, dtype in DTYPES.items():
        names[name] = getattr(torch, str(dtype))
    for name, op in OPS.items():
        if op.public:
            found = _function(name, op.torch)
            if found is not None:
                names[name] = found
    return names


@cache
def _function(name: str, path: str | None) -> Any:
    path = path or name
    if path.startswith("Tensor."):
        method = path.removeprefix("Tensor.")
        return lambda x, *args, **kwargs: getattr(x, method)(*args, **kwargs)
    target: Any = torch
    for part in path.split("."):
        target = getattr(target, part, None)
    return target


def tensors(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """The inputs as PyTorch's leaves, floating-point ones tracked."""
    return {n: torch.tensor(a, requires_grad=a.dtype.kind == "f") for n, a in arrays.items()}


def evaluate(expression: str, inputs: dict[str, Any]) -> Any:
    """The expression's value; the texts are our own test table."""
    with warnings.catch_warnings():
        # Of functions that PyTorch would rather not have.
        warnings.simplefilter("ignore")
        return eval(expression, {**namespace(), **inputs})


def chain(grad_fn: Any) -> Any:
    """Names and edges as nested tuples; shared functions appear each time."""
    if grad_fn is None:
        return None
    name = grad_fn.name().removeprefix("torch::autograd::")
    return (name, *(chain(edge) for edge, _ in grad_fn.next_functions))
