"""Tensor: PyTorch's face on the graph. Nothing is computed until a value is needed."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from functools import cache
from types import MethodType
from typing import TYPE_CHECKING, Any, Never

import numpy as np

from gradcli.autodiff.vjp import shown, vjp
from gradcli.errors import GradcliError, did_you_mean
from gradcli.graph.arguments import as_flag, kind_of
from gradcli.graph.dtypes import CATEGORY
from gradcli.graph.infer import cast
from gradcli.graph.measured import WAY
from gradcli.graph.node import INPUT, Node, input_node
from gradcli.graph.op import OPS, Op
from gradcli.machine.limits import having
from gradcli.tensors.elements import Elements, compute_values, lower, measured_now, tensors_of
from gradcli.tensors.grad_fn import GradFn
from gradcli.tensors.modes import is_grad_enabled

if TYPE_CHECKING:
    from gradcli.tensors.callable import Function


def _attribute(name: str, doc: str) -> property:
    """An operation that is written without brackets."""

    def applied(self: Tensor) -> Tensor:
        return call(OPS[name], self)

    applied.__doc__ = doc
    return property(applied)


class Tensor(Elements):
    """A multidimensional array that can track the operations applied to it.

    The functions of the language are its methods. Values are computed when they are first needed. Arrays that it
    returns are read-only, so that a graph built earlier keeps its meaning.
    """

    __slots__ = ("_grad", "_retains_grad", "_sharing", "__weakref__")

    def __init__(self, node: Node) -> None:
        if not isinstance(node, Node):
            raise GradcliError("a Tensor is not made by calling its class", hint="use gradcli.tensor(data)")
        self.node = node
        self._grad: Tensor | None = None
        self.known_value: np.ndarray | None = None
        self._retains_grad = False
        #: The tensors that show the same elements, through `detach` and `data`: a change in place is a change of all.
        self._sharing: list[weakref.ref[Tensor]] | None = None
        node.tensor = weakref.ref(self)

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
        if not self._shares_with(new):
            if not self.is_leaf:
                raise GradcliError("the data of a tracked result cannot be replaced", hint="use x.detach()")
            tracked = self.requires_grad
            self._become(input_node(new.value(), requires_grad=True) if tracked else _detached(new.node))
            self._share(new)

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
        few = len(self) <= 100_000
        return iter(call(OPS["unbind"], self)) if few else (self[k] for k in range(len(self)))

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
        from gradcli.tensors.backward_pass import receivers_of, seed_of

        seed = seed_of(self.node, lower(gradient))
        targets = receivers_of(self.node)
        if inputs is not None:
            wanted = list(dict.fromkeys(tensors_of(inputs, "inputs")))
            before = [(t, n) for t, n in targets if n is not t.node and any(t is w for w in wanted)]
            targets = [(t, t.node) for t in wanted] + before
        found = vjp([self.node], [seed], [node for _, node in targets])
        totals: dict[Tensor, Node] = {}
        for tensor, node in targets:
            if node in found:
                known = totals.get(tensor) or (None if tensor.grad is None else tensor.grad.node)
                totals[tensor] = found[node] if known is None else known + found[node]
        receivers = list(totals)
        gradients = [tensor_of(total) for total in totals.values()]
        if not create_graph:
            # Leaves of their own: a loop of backward passes must not keep every pass alive.
            gradients = as_leaves(gradients)
        for tensor, total in zip(receivers, gradients, strict=True):
            if tensor.grad is None or create_graph or tensor.grad.requires_grad:
                tensor.grad = total
            else:
                tensor.grad._update(total)

    def detach(self) -> Tensor:
        """The same values, untracked; changing them in place changes this tensor too."""
        return call(OPS["detach"], self)

    def _share(self, other: Tensor) -> None:
        """Belong to the tensors that show the same elements as `other`, and to no others."""
        if self._sharing is not None:
            self._sharing[:] = [ref for ref in self._sharing if ref() is not self]
        if other._sharing is None:
            other._sharing = [weakref.ref(other)]
        count = len(other._sharing)
        if not count & (count - 1):
            # Looked through where it has doubled, so that a thousand of them do not take a million steps.
            other._sharing[:] = [ref for ref in other._sharing if ref() is not None]
        other._sharing.append(weakref.ref(self))
        self._sharing = other._sharing

    def _shares_with(self, other: Tensor) -> bool:
        return self is other or (self._sharing is not None and self._sharing is other._sharing)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Start or stop tracking operations on this leaf; returns the tensor itself."""
        if as_flag(requires_grad, "requires_grad") != self.requires_grad:
            if not self.is_leaf:
                raise GradcliError("only a leaf can stop requiring grad", hint="use x.detach() for an untracked tensor")
            self._become(input_node(self.value(), requires_grad=requires_grad))
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

    def zero_(self) -> Tensor:
        """Set every element to 0, as in `x.grad.zero_()`; returns the tensor itself."""
        return self._update(call(OPS["_zero"], self))

    def fill_(self, value: Any) -> Tensor:
        """Set every element to a number or a 0-dim tensor; returns the tensor itself."""
        return self._update(call(OPS["fill"], self, value))

    def copy_(self, source: Any) -> Tensor:
        """Copy the elements of another tensor, broadcast and converted; returns the tensor itself."""
        new = call(OPS["expand"], source, self.shape)
        return self._update(tensor_of(cast(new.node, self.dtype)))

    def _update(self, new: Tensor) -> Tensor:
        """Take over the values of `new`, as an in-place operation does; graphs built earlier keep the old ones."""
        if new.shape != self.shape:
            raise GradcliError(f"a tensor of shape {self.shape} cannot take values of shape {new.shape} in place")
        if CATEGORY[new.dtype.kind] > CATEGORY[self.dtype.kind]:
            hint = "write it out, as in x = x / 2, or convert it first, as in x.float()"
            raise GradcliError(f"a tensor of {self.dtype} cannot take values of {new.dtype} in place", hint=hint)
        sharing = [t for ref in self._sharing or () if (t := ref()) is not None and t is not self]
        if any(not other.is_leaf for other in sharing):
            raise GradcliError(
                "the data of a tracked result cannot be changed in place: gradients through it would be wrong",
                hint="compute a new tensor, or use x.detach().clone()",
            )
        if self.is_leaf and self.requires_grad:
            if is_grad_enabled():
                raise GradcliError(
                    "a leaf that requires grad cannot be changed in place while operations are tracked",
                    hint="update it within `with gc.no_grad():`",
                )
            self._become(input_node(new.value().astype(self.dtype), requires_grad=True))
        else:
            self._become(cast(new.node, self.dtype))
        for other in sharing:
            other._become(input_node(self.value(), requires_grad=True) if other.requires_grad else _detached(self.node))
        return self

    def _become(self, node: Node) -> None:
        self.node = node
        self.known_value = None
        node.tensor = weakref.ref(self)

    # Operations -------------------------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        op = OPS.function(name)
        if op is None:
            changing = OPS.function(name[:-1]) if name.endswith("_") else None
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

    def __setitem__(self, index: Never, value: Never) -> None:
        raise TypeError(
            "a Tensor has no assignment to elements; gc.index_put(x, [i], v) and gc.where(mask, v, x) make a new one"
        )

    def _operation(self, name: str, *operands: Any) -> Any:
        return call(OPS[name], *operands)

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return call(OPS["eq"], self, other) if _comparable(other) else NotImplemented

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return call(OPS["ne"], self, other) if _comparable(other) else NotImplemented

    def __iadd__(self, other: Any) -> Tensor:
        return self._update(self + other)

    def __isub__(self, other: Any) -> Tensor:
        return self._update(self - other)

    def __imul__(self, other: Any) -> Tensor:
        return self._update(self * other)

    def __itruediv__(self, other: Any) -> Tensor:
        return self._update(self / other)

    def __hash__(self) -> int:
        return id(self)

    def __reduce__(self) -> tuple[Any, ...]:
        if not self.is_leaf:
            raise GradcliError("only leaf tensors can be copied or pickled", hint="use x.detach()")
        return _restored, (self.value(), self.requires_grad)


def tensor_of(node: Node) -> Tensor:
    """The live tensor that shows `node`, or a new one."""
    live: Tensor | None = node.shown_by()
    return Tensor(node) if live is None else live


def call(op: Op, *args: Any, **kwargs: Any) -> Any:
    """An operation on tensors: arguments become nodes, results tensors, untracked where tracking is off."""
    if "requires_grad" in kwargs and op.family == "create":
        flag = kwargs.pop("requires_grad")
        return call(op, *args, **kwargs).requires_grad_(as_flag(flag, "requires_grad"))
    if op.measures:
        with having(WAY, measured_now):
            result = _raise(op(*map(_lowered, args), **{k: _lowered(v) for k, v in kwargs.items()}))
    else:
        result = _raise(op(*map(_lowered, args), **{k: _lowered(v) for k, v in kwargs.items()}))
    if op is OPS["detach"] and args and isinstance(args[0], Tensor):
        result._share(args[0])
        # What is known stays so, whatever becomes of the other.
        result.known_value = args[0].known_value
    return result


def _comparable(value: object) -> bool:
    """Whether a tensor is compared with it element by element; with all else, such as None, by identity as a whole."""
    return isinstance(value, Tensor | complex | float | int | list | tuple) or hasattr(value, "__array__")


def _lowered(value: Any) -> Any:
    """An argument as `lower` has it; a function of tensors becomes one of nodes."""
    if callable(value) and not isinstance(value, type | Tensor):
        return lambda *nodes: lower(value(*map(_raise, nodes)))
    return lower(value)


@cache
def function_of(op: Op, name: str) -> Function:
    # Imported here: whoever evaluates text calls no functions from Python.
    from gradcli.tensors.callable import Function

    return Function(op, name, call)


@cache
def _in_place(op: Op, name: str) -> Function:
    from gradcli.tensors.callable import Function

    def change(op: Op, tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return tensor._update(call(op, tensor, *args, **kwargs))

    return Function(op, name, change)


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


def _restored(array: np.ndarray, requires_grad: bool) -> Tensor:
    """A leaf from the parts that copying and pickling keep."""
    return Tensor(input_node(np.array(array), requires_grad=requires_grad))


def as_leaves(tensors: list[Tensor]) -> list[Tensor]:
    """The values of `tensors` as new leaves, without the graph behind them."""
    compute_values(tensors)
    leaves = []
    for tensor in tensors:
        leaf = Tensor(input_node(tensor.value()))
        leaf.known_value = tensor.known_value
        leaves.append(leaf)
    return leaves
