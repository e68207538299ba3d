"""Copies of tensors by `copy` and `pickle`, as Python asks for them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Self

import numpy as np

from gradcli.errors import GradcliError
from gradcli.graph.node import input_node
from gradcli.tensors.elements import Elements


class Copied(Elements):
    """What can be copied: a leaf, since a result belongs to a graph."""

    __slots__ = ()

    def __copy__(self) -> Self:
        self.__reduce__()
        # Tensor has these.
        tensor: Any = self
        copied: Self = tensor.detach().requires_grad_(tensor.requires_grad)
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        tensor: Any = self
        make, parts = self.__reduce__()
        tensor, grad = make(*parts), tensor.grad
        tensor.grad = deepcopy(grad, memo)
        copied: Self = tensor
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        tensor: Any = self
        if not tensor.is_leaf:
            raise GradcliError("only leaf tensors can be copied or pickled", hint="use x.detach()")
        return _restored, (type(self), self.value(), tensor.requires_grad)


def _restored(made: Any, array: np.ndarray, requires_grad: bool) -> Any:
    """A leaf from the parts that copying and pickling keep."""
    return made(input_node(np.array(array), requires_grad=requires_grad))
