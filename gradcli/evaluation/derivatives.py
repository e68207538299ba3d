"""Jacobians, Hessians and products as further results of a request, planned and computed together with its value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gradcli.autodiff.jacobian import check_derivable, curvature, filled, hessians, named_jacobians, pushed
from gradcli.errors import GradcliError, did_you_mean, written_in
from gradcli.evaluation.request import Request, leaf_of
from gradcli.evaluation.values import InputSpec
from gradcli.graph.infer import cast
from gradcli.graph.node import Node, constant
from gradcli.graph.op import Shape
from gradcli.storage.file_array import in_memory


def derive(
    request: Request,
    jacobian: bool = False,
    hessian: bool = False,
    jvp: Mapping[str, Any] | None = None,
    hvp: Mapping[str, Any] | None = None,
) -> None:
    """Add `x.jacobian`, `x,y.hessian`, `jvp` and `x.hvp` to what a request computes.

    `jvp` and `hvp` map names of inputs to vectors of their shapes, in memory or in files; numbers are broadcast, and
    inputs left out do not move. Where nothing depends on an input, there are zeros. Raises GradcliError.
    """
    results: dict[str, Node] = {}
    with written_in(request.source):
        value = request.value
        inputs = {name: request.argument(name) for name in request.names}
        if not inputs:
            raise GradcliError("no input can be differentiated", hint="only floating-point inputs have derivatives")
        check_derivable(value)
        leaves = list(inputs.values())
        if jacobian:
            results |= named_jacobians(value, inputs)
        if hessian:
            rows = hessians(_scalar(value), leaves)
            for (name, x), row in zip(inputs.items(), rows, strict=True):
                for (other, y), block in zip(inputs.items(), row, strict=True):
                    results[f"{name},{other}.hessian"] = _or_zeros(block, (*x.shape, *y.shape), x.dtype)
        if jvp:
            (found,) = pushed([value], leaves, _vectors(request, inputs, jvp, "--jvp"))
            results["jvp"] = _or_zeros(found, value.shape, value.dtype)
        if hvp:
            products = curvature(_scalar(value), leaves, _vectors(request, inputs, hvp, "--hvp"))
            for (name, x), product in zip(inputs.items(), products, strict=True):
                results[f"{name}.hvp"] = _or_zeros(product, x.shape, x.dtype)
        request.add(results)


def _or_zeros(node: Node | None, shape: Shape, dtype: np.dtype) -> Node:
    return filled(shape, dtype) if node is None else node


def _scalar(value: Node) -> Node:
    if value.size != 1:
        hint = "reduce it, as in sum(...)"
        raise GradcliError(f"the Hessian needs a scalar, the value has shape {value.shape}", hint=hint)
    return value


def _vectors(request: Request, inputs: Mapping[str, Node], given: Mapping[str, Any], option: str) -> list[Node]:
    """A vector for each input, zeros for those that none is given for."""
    for name in given:
        if name not in inputs:
            hint = did_you_mean(name, list(inputs)) or f"choose from {', '.join(inputs)}"
            raise GradcliError(f"{option}: there is no input {name!r} that is differentiated", hint=hint)
    vectors = []
    for name, x in inputs.items():
        vector = given.get(name)
        if vector is None:
            vectors.append(_or_zeros(None, x.shape, x.dtype))
        elif vector.ndim and vector.shape != request.leaves[name].shape:
            shape = request.leaves[name].shape
            raise GradcliError(f"{option}: the vector for {name} has shape {vector.shape}, the input {shape}")
        elif vector.ndim:
            leaf = leaf_of(InputSpec.of(f"{option} {name}", vector), False)
            request.given[leaf] = vector
            by_row = request.rows is not None and name in request.rows.rows
            vectors.append(cast(request.rows.row_of(leaf) if request.rows is not None and by_row else leaf, x.dtype))
        else:
            number = in_memory(vector)
            with np.errstate(all="ignore"):
                vectors.append(constant(np.broadcast_to(number.astype(x.dtype), x.shape)))
    return vectors
