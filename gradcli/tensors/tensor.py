"""Tensor: PyTorch's face on the graph. Nothing is computed until a value is needed."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from functools import cache
from types import MethodType
from typing import TYPE_CHECKING, Any

from gradcli.autodiff.vjp import shown
from gradcli.errors import GradcliError, did_you_mean
from gradcli.graph.arguments import as_flag, as_node, kind_of
from gradcli.graph.measured import WAY
from gradcli.graph.node import INPUT, Node, input_node
from gradcli.graph.op import OPS, Op
from gradcli.machine.limits import having
from gradcli.tensors.changes import change, follow, lean_on, settle, settle_many
from gradcli.tensors.copying import Copied
from gradcli.tensors.elements import compute_values, leaf_in_place_of, lower, measured_now, shortened, shows
from gradcli.tensors.filled import Filled
from gradcli.tensors.grad_fn import GradFn
from gradcli.tensors.hooks import Hooked
from gradcli.tensors.modes import is_grad_enabled, no_grad
from gradcli.tensors.views import MOVING, ViewPlace, assigned, copied, join, place_of, same_place, show

if TYPE_CHECKING:
    from gradcli.tensors.callable import OperationFunction


def _attribute(name: str, doc: str) -> property:
    """An operation that is written without brackets."""

    def applied(self: Tensor) -> Tensor:
        return call(OPS[name], self)

    applied.__doc__ = doc
    return property(applied)


def _in_place_operator(name: str) -> Callable[[Tensor, Any], Tensor]:
    """An operator that changes its first operand."""

    def changed(self: Tensor, other: Any) -> Tensor:
        return self._changed(OPS[name], other)

    return changed


class Tensor(Filled, Hooked, Copied):
    """A multidimensional array that can track the operations applied to it.

    The functions of the language are its methods. Values are computed when they are first needed. Arrays that it
    returns are read-only, so that a graph built earlier keeps its meaning.
    """

    __slots__ = ("_grad", "_retains_grad", "above", "changes", "__weakref__")

    def __init__(self, node: Node) -> None:
        if not isinstance(node, Node):
            raise GradcliError("a Tensor is not made by calling its class", hint="use gradcli.tensor(data)")
        self.node = node
        self._grad: Tensor | None = None
        self.known_leaf = None
        self._retains_grad = False
        #: Where its elements belong to others too, though it is a leaf of its own.
        self.above: ViewPlace | None = None
        #: How often it was changed in place since its values were computed.
        self.changes = 0
        node.tensor = weakref.ref(self)
        join(self)

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow back to or through this tensor."""
        return self.node.requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    @property
    def grad(self) -> Tensor | None:
        """The sum of the gradients of all backward passes, None before the first."""
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None and not isinstance(value, Tensor):
            raise GradcliError(f".grad must be a tensor or None, got {kind_of(value)}")
        if value is not None and value.shape != self.shape:
            raise GradcliError(f".grad has shape {value.shape}, the tensor {self.shape}: they must be equal")
        self._grad = value

    @property
    def is_leaf(self) -> bool:
        """Whether no tracked operation made this tensor."""
        return not self.node.requires_grad or self.node.op is INPUT

    @property
    def grad_fn(self) -> GradFn | None:
        """The backward function of the operation that made this tensor; None for a leaf."""
        if self.is_leaf:
            return None
        node, _ = shown(self.node)
        return None if node is None else GradFn(node, tensor_of)

    T = _attribute("T", "All dimensions in reverse order.")
    mT = _attribute("mT", "The last two dimensions exchanged.")  # noqa: N815  (PyTorch's names)
    H = _attribute("H", "The dimensions of a matrix exchanged.")
    mH = _attribute("mH", "The last two dimensions exchanged.")  # noqa: N815

    @property
    def data(self) -> Tensor:
        """The same values, untracked; changing them in place changes this tensor too."""
        return self.detach()

    @data.setter
    def data(self, new: Tensor) -> None:
        if not isinstance(new, Tensor):
            raise GradcliError("x.data can only be set to a tensor", hint="use gradcli.tensor(data)")
        # What x.data -= y ends with is the tensor's own data.
        if not same_place(self.node, new.node):
            if not self.is_leaf:
                raise GradcliError("the data of a tracked result cannot be replaced", hint="use x.detach()")
            if self.requires_grad:
                show(self, input_node(new.value(), requires_grad=True))
                lean_on(self, place_of(new.node))
            else:
                show(self, _detached(new.node))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        # NumPy's functions name operations of all kinds; they are imported by those who call one.
        from gradcli.libraries.numpy_names import numpy_ufunc

        return _raise(numpy_ufunc(ufunc, method, tuple(lower(a) for a in inputs), kwargs))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from gradcli.libraries.numpy_names import numpy_function

        lowered = {word: lower(value) for word, value in kwargs.items()}
        return _raise(numpy_function(function, tuple(lower(a) for a in args), lowered))

    def __iter__(self) -> Iterator[Tensor]:
        if not self.ndim:
            raise TypeError("a 0-dim tensor cannot be iterated over")
        # As many as unbind() makes at once; more come one by one.
        node = self.node
        rows = _result(OPS["unbind"], node) if len(self) <= 100_000 else ()
        # Rows that nobody keeps need not be told of changes of others.
        return (_raise(rows[k]) if rows and self.node is node else self[k] for k in range(len(self)))

    def _settle(self) -> None:
        settle(self)

    def __repr__(self) -> str:
        from gradcli.render.text import format_tensor

        grad_fn = self.grad_fn
        return format_tensor(
            self.value(), grad_fn=None if grad_fn is None else grad_fn.name(), requires_grad=self.requires_grad
        )

    # Gradients --------------------------------------------------------------------------------------------------------

    def backward(
        self, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
    ) -> None:
        """Add the gradient of this tensor to the `.grad` of the leaves behind it, and of tensors that retain theirs.

        `gradient` is the vector of the vector-Jacobian product, which a non-scalar tensor needs. The graph is kept, so
        that a second call accumulates; `retain_graph` is accepted for compatibility with PyTorch.
        """
        from gradcli.tensors.backward_pass import gradients_by_tensor

        totals = gradients_by_tensor(self, gradient, inputs, create_graph)
        receivers = list(totals)
        gradients = [tensor_of(total) for total in totals.values()]
        if not create_graph:
            # Leaves of their own: a loop of backward passes must not keep every pass alive.
            gradients = as_leaves(gradients)
        while receivers:
            # The last one first: what takes over its values has them for itself then.
            tensor, total = receivers.pop(), gradients.pop()
            if tensor.grad is None or create_graph or tensor.grad.requires_grad:
                tensor.grad = total
            else:
                node = total.node
                del total
                tensor.grad._update(node)
            if tensor.node.hooks is not None and tensor.is_leaf:
                tensor.node.hooks.accumulated(tensor)

    def detach(self) -> Tensor:
        """The same values, untracked; changing them in place changes this tensor too."""
        return call(OPS["detach"], self)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Start or stop tracking operations on this leaf; returns the tensor itself."""
        if as_flag(requires_grad, "requires_grad") != self.requires_grad:
            if not self.is_leaf:
                raise GradcliError("only a leaf can stop requiring grad", hint="use x.detach() for an untracked tensor")
            values = self.value()
            with MOVING:
                old, place = self.node, place_of(self.node)
                show(self, leaf_in_place_of(old, values, requires_grad))
                if place.origin is old:
                    follow(old, self.node)
                else:
                    lean_on(self, place)
        return self

    def retain_grad(self) -> None:
        """Let `backward()` set the `.grad` of this tensor, which is not a leaf."""
        if not self.requires_grad:
            raise GradcliError("retain_grad() needs a tensor that requires grad")
        self._retains_grad = not self.is_leaf

    @property
    def retains_grad(self) -> bool:
        """Whether `backward()` sets the `.grad` of this tensor although it is not a leaf."""
        return self._retains_grad

    def copy_(self, source: Any, non_blocking: bool = False) -> Tensor:
        """Copy the elements of another tensor, broadcast and converted; returns the tensor itself."""
        as_flag(non_blocking, "non_blocking")
        settle_many(self, (source,))
        node = as_node(lower(source))
        return self._update(copied(self.node, node), node)

    def _changed(self, op: Op, *args: Any, **kwargs: Any) -> Tensor:
        """Take over the values of an operation on the tensor itself."""
        settle_many(self, (*args, *kwargs.values()))
        named = {word: _lowered(value) for word, value in kwargs.items()}
        new = _result(op, self.node, *map(_lowered, args), **named)
        if not (op.in_place and new.op.shares is True):
            return self._update(new)
        from gradcli.tensors.other_views import show_view

        show_view(self, new)
        return self

    def _update(self, new: Node, *others: Node) -> Tensor:
        given = others or tuple(node for node in new.inputs if node is not self.node)
        change(self, new, (self.node, *given))
        return self

    # Operations -------------------------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        op = OPS.method(name)
        if op is None:
            changing = OPS.method(name[:-1]) if name.endswith("_") else None
            if changing is not None and changing.changes_in_place:
                return MethodType(_in_place(changing, name), self)
            moved = "leave it out: everything is computed on the CPU" if name in ("cpu", "cuda", "device") else None
            hint = moved or did_you_mean(name, list(OPS.functions()))
            raise AttributeError(f"a Tensor has no attribute {name!r}" + (f"; {hint}" if hint else ""))
        return MethodType(function_of(op, name), self)

    def __dir__(self) -> list[str]:
        return [*object.__dir__(self), *OPS.functions()]

    def __getitem__(self, index: Any) -> Tensor:
        return call(OPS["getitem"], self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        settle_many(self, (value,))
        if isinstance(value, list | tuple):
            value = OPS["tensor"](lower(value), dtype=self.dtype)
        node, source = self.node, as_node(lower(value))
        chosen = _result(OPS["getitem"], node, _lowered(index))
        # In x[0] += 1 the value is the place itself, and changed by now.
        if source.requires_grad or not same_place(source, chosen):
            self._update(assigned(node, chosen, source), source)

    def _operation(self, name: str, *operands: Any) -> Any:
        return call(OPS[name], *operands)

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return call(OPS["eq"], self, other) if _comparable(other) else NotImplemented

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return call(OPS["ne"], self, other) if _comparable(other) else NotImplemented

    __iadd__ = _in_place_operator("add")
    __isub__ = _in_place_operator("sub")
    __imul__ = _in_place_operator("mul")
    __itruediv__ = _in_place_operator("div")
    __ipow__ = _in_place_operator("pow")
    __ifloordiv__ = _in_place_operator("floor_divide")
    __imod__ = _in_place_operator("remainder")
    __iand__ = _in_place_operator("bitwise_and")
    __ior__ = _in_place_operator("bitwise_or")
    __ixor__ = _in_place_operator("bitwise_xor")
    __ilshift__ = _in_place_operator("bitwise_left_shift")
    __irshift__ = _in_place_operator("bitwise_right_shift")

    def __hash__(self) -> int:
        return id(self)


def tensor_of(node: Node) -> Tensor:
    """The live tensor that shows `node`, or a new one."""
    live: Tensor | None = node.shown_by()
    return Tensor(node) if live is None else live


def call(op: Op, *args: Any, **kwargs: Any) -> Any:
    """An operation on tensors: arguments become nodes, results tensors, untracked where tracking is off."""
    if "requires_grad" in kwargs and op.family == "create":
        tracked = as_flag(kwargs.pop("requires_grad"), "requires_grad")
        made = call(op, *args, **kwargs)
        return (made if made.is_leaf else made.detach()).requires_grad_(tracked)
    named = {word: _lowered(value) for word, value in kwargs.items()}
    short = shortened(op, args)
    result = _result(op, *map(_lowered, short), **named)
    if short is not args and shows(result, short):
        result = _result(op, *map(_lowered, args), **named)
    if op is OPS["tensor"] and isinstance(given := args[0] if args else kwargs["data"], Tensor):
        # A leaf of its own: it does not change with the other, and no gradient goes there.
        result = _detached(OPS["clone"](result) if result is given.node else result)
    result = _raise(result)
    if op is OPS["detach"] and result.node.inputs:
        # What is known stays so, whatever becomes of the other.
        result.node.value = result.node.inputs[0].value
    if op.updates is not None:
        given = dict(zip(op.signature.names, op.signature.bind(args, kwargs), strict=True))
        for word, new in op.updates(*map(_lowered, given.values())).items():
            if isinstance(given[word], Tensor):
                with no_grad():
                    given[word].copy_(tensor_of(new))
    return result


def _result(op: Op, *args: Any, **kwargs: Any) -> Any:
    """An operation on nodes; where shapes depend on values, these are computed."""
    if not op.measures:
        return op(*args, **kwargs)
    with having(WAY, measured_now):
        return op(*args, **kwargs)


def _comparable(value: object) -> bool:
    """Whether a tensor is compared with it element by element; with all else, such as None, by identity as a whole."""
    return isinstance(value, Tensor | complex | float | int | list | tuple) or hasattr(value, "__array__")


def _lowered(value: Any) -> Any:
    """An argument as `lower` has it; a function of tensors becomes one of nodes."""
    if callable(value) and not isinstance(value, type | Tensor):
        return lambda *nodes: lower(value(*map(_raise, nodes)))
    return lower(value)


@cache
def function_of(op: Op, name: str) -> OperationFunction:
    # Imported here: whoever evaluates text calls no functions from Python.
    from gradcli.tensors.callable import OperationFunction

    return OperationFunction(op, name, call)


@cache
def _in_place(op: Op, name: str) -> OperationFunction:
    from gradcli.tensors.callable import OperationFunction

    def change(op: Op, tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return tensor._changed(op, *args, **kwargs)

    return OperationFunction(op, name, change)


def _detached(node: Node) -> Node:
    return OPS["detach"](node)


def _raise(result: Any) -> Any:
    if isinstance(result, Node):
        if result.requires_grad and not is_grad_enabled():
            result = _detached(result)
        return tensor_of(result)
    if not isinstance(result, tuple):
        return result
    # Several results, with names such as (values, indices) or without.
    raised = map(_raise, result)
    return result._make(raised) if hasattr(result, "_make") else tuple(raised)


def as_leaves(tensors: list[Tensor]) -> list[Tensor]:
    """The values of `tensors` as new leaves, without the graph behind them."""
    compute_values(tensors)
    leaves = []
    for tensor in tensors:
        node = input_node(tensor.value())
        node.value = node.params["data"]
        leaves.append(Tensor(node))
    return leaves
