"""What a request has come to, as tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gradcli.evaluation.request import Request
from gradcli.graph.node import INPUT, Node, input_node, toposort, with_inputs
from gradcli.tensors.grad_fn import GradFn
from gradcli.tensors.tensor import Tensor


class Result:
    """The result of `evaluate`.

    `value` is a Tensor. `grads` maps the name of each input to the Tensor of its gradient, or to None if the value does
    not depend on it or `wrt` does not name it. `grads` itself is None if no gradient was possible; `note` then says
    why. `grad_fn` is the backward function of the value, or None if nothing was tracked. `derivatives` has Jacobians
    and other derivatives, under names such as `x.jacobian`.

    It is made of the arrays of a request's roots, None for those that are not needed; `shared` if the request will be
    used again.
    """

    __slots__ = ("_request", "_inputs", "_computed", "_shared", "_value", "_grads", "_derivatives")

    def __init__(self, request: Request, inputs: Mapping[str, Any], computed: Sequence[Any], shared: bool) -> None:
        # Tensors are made when they are first looked at: many only want one of them.
        self._request, self._inputs, self._computed, self._shared = request, inputs, computed, shared
        self._value: Tensor | None = None
        self._grads: dict[str, Tensor | None] | None = None
        self._derivatives: dict[str, Tensor] | None = None

    @property
    def value(self) -> Tensor:
        if self._value is None:
            request, inputs = self._request, self._inputs
            if self._shared:
                root = _instance(request, inputs)
            else:
                for name, leaf in request.leaves.items():
                    leaf.params["data"] = inputs[name]
                root = request.roots[0]
            self._value = _with_value(Tensor(root), self._computed[0])
        return self._value

    @property
    def grads(self) -> dict[str, Tensor | None] | None:
        request = self._request
        if not request.names or request.note is not None:
            return None
        if self._grads is None:
            found = dict(zip(request.wanted, self._computed[1:], strict=False))
            arrays = [(name, found.get(name)) for name in request.leaves]
            self._grads = {name: None if array is None else _leaf(array) for name, array in arrays}
        return self._grads

    @property
    def note(self) -> str | None:
        return self._request.note

    @property
    def derivatives(self) -> dict[str, Tensor]:
        if self._derivatives is None:
            names = self._request.derivatives
            pairs = zip(names, self._computed[len(self._computed) - len(names) :], strict=True)
            self._derivatives = {name: _leaf(array) for name, array in pairs if array is not None}
        return self._derivatives

    @property
    def grad_fn(self) -> GradFn | None:
        return self.value.grad_fn

    def __repr__(self) -> str:
        return f"Result(value={self.value!r}, grads={self.grads!r})"


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
    tensor.node.value = array
    return tensor


def _leaf(array: np.ndarray) -> Tensor:
    return _with_value(Tensor(input_node(array)), array)
