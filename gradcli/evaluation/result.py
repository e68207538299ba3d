"""What a request has come to, as tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gradcli.evaluation.request import Request
from gradcli.graph.node import INPUT, Node, input_node, toposort, with_inputs
from gradcli.tensors.tensor import GradFn, Tensor


class Result:
    """What `evaluate` answers.

    `value` is a Tensor; `grads` maps each input's name to the Tensor of its gradient, or to None where the value
    does not depend on it or it was not asked for; it is None itself when no gradient was possible, and `note` then
    says why. `grad_fn` is the backward function of the value, None when nothing was tracked. `derivatives` has what the
    command was asked for beyond gradients, under names such as `x.jacobian`.
    """

    __slots__ = ("grads", "note", "derivatives", "_value", "_make")

    def __init__(
        self,
        value: Callable[[], Tensor],
        grads: dict[str, Tensor | None] | None,
        note: str | None,
        derivatives: dict[str, Tensor],
    ) -> None:
        self.grads = grads
        self.note = note
        self.derivatives = derivatives
        self._make = value
        self._value: Tensor | None = None

    @property
    def value(self) -> Tensor:
        if self._value is None:
            # Its graph is built when it is first looked at: many only want the numbers.
            self._value = self._make()
        return self._value

    @property
    def grad_fn(self) -> GradFn | None:
        return self.value.grad_fn

    def __repr__(self) -> str:
        return f"Result(value={self.value!r}, grads={self.grads!r})"


def answer(request: Request, inputs: Mapping[str, Any], computed: Sequence[Any], shared: bool) -> Result:
    """The result of a request from the arrays of its roots; `shared` when the request will be used again.

    There may be None for roots that nobody will look at.
    """
    grads: dict[str, Tensor | None] | None = None
    if request.names and request.note is None:
        by_name = dict(zip(request.wanted, computed[1:], strict=False))
        grads = {n: _leaf(by_name[n]) if by_name.get(n) is not None else None for n in request.leaves}

    def value() -> Tensor:
        if shared:
            return _with_value(Tensor(_instance(request, inputs)), computed[0])
        for name, leaf in request.leaves.items():
            leaf.params["data"] = inputs[name]
        return _with_value(Tensor(request.roots[0]), computed[0])

    further = computed[len(computed) - len(request.derivatives) :]
    pairs = zip(request.derivatives, further, strict=True)
    derivatives = {name: _leaf(array) for name, array in pairs if array is not None}
    return Result(value, grads, request.note, derivatives)


def _instance(request: Request, inputs: Mapping[str, Any]) -> Node:
    """A copy of the graph of the value, over the data: the original is used again."""
    copies: dict[Node, Node] = {}
    for node in toposort([request.roots[0]]):
        params = node.params
        if node.op is INPUT:
            params = {"data": inputs[params["name"]], "name": params["name"]}
        inner = tuple([copies[child] for child in node.inputs])
        copies[node] = with_inputs(node, inner, params=params)
    return copies[request.roots[0]]


def _with_value(tensor: Tensor, array: np.ndarray) -> Tensor:
    if isinstance(array, np.ndarray):
        array = array.view()
        array.flags.writeable = False
    tensor.known_value = array
    return tensor


def _leaf(array: np.ndarray) -> Tensor:
    return _with_value(Tensor(input_node(array)), array)
