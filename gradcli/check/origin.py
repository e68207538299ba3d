"""Which operation the first NaN or infinity comes from, in the value of an expression or in its gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from gradcli.autodiff.vjp import gradients_of
from gradcli.engine.execute.bounds import check_free
from gradcli.engine.execute.run import execute, op_by_op
from gradcli.errors import Span
from gradcli.evaluation.request import Request
from gradcli.graph.node import RESULT, Node, toposort


class FirstNonFinite(NamedTuple):
    """What is not finite first, as words, and its place in the source."""

    what: str
    span: Span | None

    def told(self, source: str) -> str:
        """On one line."""
        if self.span is None:
            return self.what
        text = source[slice(*self.span)]
        # Of an operator between two operands, the place is more telling than its sign.
        shown = len(text) > 2 and text.isprintable()
        return f"{self.what}: {text}" if shown else f"{self.what}, at character {self.span[0] + 1}"


def origin(request: Request, arrays: Mapping[str, np.ndarray]) -> FirstNonFinite | None:
    """Where what is not finite comes from; None where the value and its gradients are finite."""
    for name, leaf in request.leaves.items():
        leaf.params["data"] = arrays[name]
    value = request.roots[0]
    if not value.is_floating:
        return None
    gradients = gradients_of(value, [request.leaves[name] for name in request.names])
    if all(map(_is_finite, execute([value, *gradients.values()]))):
        return None
    for name, array in arrays.items():
        if not _is_finite(array):
            return FirstNonFinite(f"the input {name} holds {_which(array)}", None)
    return _of_value(value) or _of_gradients(value)


def _of_value(value: Node) -> FirstNonFinite | None:
    """The first operation that makes something infinite of what is finite."""
    order = [node for node in toposort([value]) if not node.op.results]
    arrays = _computed(order)
    for node in order:
        operands = [arrays[child] for child in node.inputs if child in arrays]
        if node.inputs and not _is_finite(arrays[node]) and all(map(_is_finite, operands)):
            return FirstNonFinite(f"{_name(node)} gives {_which(arrays[node])} in {node.dtype}", node.span)
    return None


def _of_gradients(value: Node) -> FirstNonFinite | None:
    """The last operation whose result has a finite gradient, and an operand that has none."""
    order = [node for node in toposort([value]) if node.requires_grad and not node.op.results]
    found = gradients_of(value, order)
    arrays = _computed(list(found.values()))
    for node in reversed(order):
        if node not in found or not _is_finite(arrays[found[node]]):
            continue
        for child in node.inputs:
            if child in found and not _is_finite(arrays[found[child]]):
                which = _which(arrays[found[child]])
                return FirstNonFinite(f"the derivative of {_name(node)} gives {which} in {node.dtype}", node.span)
    return None


def _computed(nodes: list[Node]) -> dict[Node, Any]:
    """The arrays of nodes, all held at once."""
    check_free(sum(node.nbytes for node in nodes), "finding where NaN and infinities come from")
    return dict(zip(nodes, op_by_op(nodes), strict=True))


def _name(node: Node) -> str:
    return (node.inputs[0] if node.op is RESULT else node).op.name


def _is_finite(array: Any) -> bool:
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def _which(array: np.ndarray) -> str:
    return "NaN" if np.isnan(array).any() else "an infinity"
