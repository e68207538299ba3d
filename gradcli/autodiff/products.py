"""Products of Jacobians and Hessians with vectors, as graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradcli.autodiff.jacobian import tracked_ones
from gradcli.autodiff.vjp import vjp as pull
from gradcli.graph.node import Node, make
from gradcli.graph.op import Shape
from gradcli.ops import create


def filled(shape: Shape, dtype: Any, value: int = 0) -> Node:
    return make(create.filled, (), {"shape": shape, "value": value, "dtype": dtype})


def pushed(outputs: Sequence[Node], inputs: Sequence[Node], vectors: Sequence[Node]) -> list[Node | None]:
    """The product of the Jacobian with vectors, for each output: None where it depends on no input.

    A vector-Jacobian product is linear in its vector; its own product, taken there, comes from the other side.
    """
    weights = [tracked_ones(y) for y in outputs]
    pairs = [(y, w) for y, w in zip(outputs, weights, strict=True) if y.requires_grad]
    pulled = pull([y for y, _ in pairs], [w for _, w in pairs], inputs)
    terms = [(pulled[x], v) for x, v in zip(inputs, vectors, strict=True) if x in pulled and pulled[x].requires_grad]
    found = pull([g for g, _ in terms], [v for _, v in terms], weights) if terms else {}
    return [found.get(w) for w in weights]


def curvature(output: Node, inputs: Sequence[Node], vectors: Sequence[Node]) -> list[Node | None]:
    """The product of the Hessian of a scalar with vectors, a part for each input; None where there is none."""
    first = pull([output], [filled(output.shape, output.dtype, 1)], inputs) if output.requires_grad else {}
    terms = [(first[x], v) for x, v in zip(inputs, vectors, strict=True) if x in first and first[x].requires_grad]
    found = pull([g for g, _ in terms], [v for _, v in terms], inputs) if terms else {}
    return [found.get(x) for x in inputs]
