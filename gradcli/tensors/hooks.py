"""Functions of a program that are told of gradients in a backward pass, and may give others in their place."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import kind_of
from gradcli.graph.node import INPUT, Node, input_node
from gradcli.tensors.elements import Elements, values_of
from gradcli.tensors.modes import enable_grad, no_grad

#: Whether the backward pass that goes on is one whose gradients can be differentiated again.
CREATING_GRAPH: ContextVar[bool] = ContextVar("gradcli_creating_graph", default=True)

Hook = Callable[[Any], Any]


class RemovableHandle:
    """What registering a hook gives: it is called until `remove()`, or until the end of a `with` block of it."""

    __slots__ = ("_hooks", "_entry")

    def __init__(self, hooks: list[tuple[Hook]], entry: tuple[Hook]) -> None:
        self._hooks, self._entry = hooks, entry

    def remove(self) -> None:
        """Call the hook no longer; once more does nothing."""
        # The same function may have been registered twice: each handle is that of its own entry.
        self._hooks[:] = [entry for entry in self._hooks if entry is not self._entry]

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


class GradientHooks:
    """The hooks of a node, in the order in which they were registered; all nodes that a leaf has shown have the same.

    `changing` are called with the gradient when it is complete, `after` with the leaf when its `.grad` has it.
    """

    __slots__ = ("_made", "changing", "after")

    def __init__(self, made: Callable[[Node], Elements]) -> None:
        self._made = made
        self.changing: list[tuple[Hook]] = []
        self.after: list[tuple[Hook]] = []

    def __call__(self, gradient: Node) -> Node:
        """What goes on in the place of a gradient."""
        creating = CREATING_GRAPH.get()
        for (hook,) in tuple(self.changing):
            # Computed once for all that hooks do with it: the rest of the pass begins here.
            node = gradient if creating else input_node(values_of([gradient])[0])
            live = node.shown_by()
            given = self._made(node) if live is None else live
            with enable_grad() if creating else no_grad():
                answer = hook(given)
            gradient = _checked(given if answer is None else answer, gradient)
        return gradient

    def accumulated(self, leaf: Elements) -> None:
        """Tell those who wait for a leaf's `.grad`."""
        for (hook,) in tuple(self.after):
            with no_grad():
                hook(leaf)


def _checked(answer: Any, gradient: Node) -> Node:
    if not isinstance(answer, Elements):
        raise GradcliError(f"a hook returns a tensor or None, got {kind_of(answer)}")
    if answer.shape != gradient.shape:
        raise SizeError("a hook returned shape {} for a gradient of shape {}", answer.shape, gradient.shape)
    if answer.dtype != gradient.dtype:
        raise GradcliError(f"a hook returned {answer.dtype} for a gradient of {gradient.dtype}")
    return answer.node


class Hooked(Elements):
    """A tensor whose gradients a program is told of."""

    __slots__ = ()

    def register_hook(self, hook: Hook) -> RemovableHandle:
        """Call a function with the gradient of this tensor in each backward pass that computes it.

        It is called when the gradient is complete, before `.grad` or anything behind gets it; a tensor that it returns
        takes the place of the gradient. What was computed from the tensor before counts too.

        >>> import gradcli as gc
        >>> x = gc.tensor([1.0, 2.0], requires_grad=True)
        >>> y = x * 3
        >>> handle = y.register_hook(lambda gradient: gradient.clamp(max=1))
        >>> (y**2).sum().backward()
        >>> x.grad
        tensor([3., 3.])
        """
        return _registered(hook, self._hooks().changing)

    def register_post_accumulate_grad_hook(self, hook: Hook) -> RemovableHandle:
        """Call a function with this leaf whenever a backward pass has added to its `.grad`."""
        if self.node.op is not INPUT:
            hint = "register_hook() is for results"
            raise GradcliError("only a leaf has a .grad that backward() adds to", hint=hint)
        return _registered(hook, self._hooks().after)

    def _hooks(self) -> GradientHooks:
        if not self.node.requires_grad:
            raise GradcliError("a hook needs a tensor that requires grad")
        if self.node.hooks is None:
            self.node.hooks = GradientHooks(type(self))
        hooks: GradientHooks = self.node.hooks
        return hooks


def _registered(hook: Hook, hooks: list[tuple[Hook]]) -> RemovableHandle:
    if not callable(hook):
        raise GradcliError(f"a hook is a function of a tensor, got {kind_of(hook)}")
    entry = (hook,)
    hooks.append(entry)
    return RemovableHandle(hooks, entry)
