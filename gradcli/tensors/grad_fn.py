"""The chain of backward functions, as PyTorch's `grad_fn` shows it."""

from __future__ import annotations

from collections.abc import Callable

from gradcli.autodiff.vjp import backward_function, backward_name
from gradcli.graph.node import INPUT, Node
from gradcli.tensors.elements import Elements


class GradFn:
    """A step of the chain of backward functions, as PyTorch's `grad_fn` shows it."""

    __slots__ = ("_node", "_tensor_of")

    def __init__(self, node: Node, tensor_of: Callable[[Node], Elements]) -> None:
        self._node = node
        self._tensor_of = tensor_of

    def name(self) -> str:
        """PyTorch's name of the backward function, such as MulBackward0."""
        return backward_name(self._node)

    @property
    def next_functions(self) -> tuple[tuple[GradFn | None, int], ...]:
        """The backward functions that come next, None for an operand that is not tracked."""
        edges = backward_function(self._node)[1]
        return tuple((None if node is None else GradFn(node, self._tensor_of), number) for node, number in edges)

    @property
    def variable(self) -> Elements:
        """The leaf tensor whose `.grad` an AccumulateGrad adds to."""
        if self._node.op is not INPUT:
            raise AttributeError(f"{self.name()} has no variable; AccumulateGrad has")
        # One that was changed in place shows another node by now.
        live = self._node.shown_last_by()
        return self._tensor_of(self._node) if live is None else live

    @property
    def label(self) -> str | None:
        """The name of the input that an AccumulateGrad belongs to, where it has one."""
        return self._node.params["name"] if self._node.op is INPUT else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GradFn) and other._node is self._node

    def __hash__(self) -> int:
        return hash(self._node)

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self._node):#x}>"
