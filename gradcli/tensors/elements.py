"""What a tensor holds: its form and its elements, as Python and NumPy ask for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, overload

import numpy as np

from gradcli.engine.execute.run import execute
from gradcli.errors import GradcliError
from gradcli.graph.arguments import as_node, kind_of, normalize_axis
from gradcli.graph.measured import Measure
from gradcli.graph.node import Node, constant
from gradcli.graph.op import OPS
from gradcli.graph.operators import Operators

# Bytes of a number in a list of Python's, and of its place there.
_LISTED = 40


class Elements(Operators):
    """The elements of a node, computed when they are first looked at; arrays handed out are read-only."""

    __slots__ = ("node", "known_value")

    node: Node
    known_value: np.ndarray | None

    # Their form -------------------------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the dimensions."""
        return self.node.shape

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self.node.ndim

    @property
    def dtype(self) -> np.dtype:
        """The element type, as NumPy's dtype."""
        return self.node.dtype

    @overload
    def size(self, dim: None = None) -> tuple[int, ...]: ...
    @overload
    def size(self, dim: int) -> int: ...
    def size(self, dim: int | None = None) -> tuple[int, ...] | int:
        """The shape, or the length of one dimension."""
        if dim is None:
            return self.shape
        axis = normalize_axis(dim, self.ndim)
        if not self.ndim:
            raise GradcliError("a 0-dim tensor has no lengths")
        return self.shape[axis]

    def dim(self) -> int:
        """The number of dimensions."""
        return self.ndim

    def numel(self) -> int:
        """The number of elements."""
        return self.node.size

    def nelement(self) -> int:
        """The number of elements, as `numel`."""
        return self.node.size

    def ndimension(self) -> int:
        """The number of dimensions, as `dim`."""
        return self.ndim

    def element_size(self) -> int:
        """The bytes of an element."""
        return self.dtype.itemsize

    @property
    def itemsize(self) -> int:
        """The bytes of an element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """The bytes of all elements."""
        return self.node.size * self.dtype.itemsize

    def is_floating_point(self) -> bool:
        """Whether the elements are floating-point numbers."""
        return self.node.is_floating

    # Its values -------------------------------------------------------------------------------------------------------

    def value(self) -> np.ndarray:
        """The elements as a read-only array, whether tracked or not."""
        if self.known_value is None:
            self._settle()
        if self.known_value is None:
            compute_values([self])
        assert self.known_value is not None
        return self.known_value

    def _settle(self) -> None:
        """Prepare for values that are asked for."""

    def numpy(self) -> np.ndarray:
        """The elements as a read-only NumPy array; refused for a tracked tensor, which would lose its gradient."""
        if self.node.requires_grad:
            raise GradcliError(
                "a tensor that requires grad cannot become a NumPy array: its gradient would be lost",
                hint="use x.detach().numpy()",
            )
        return self.value()

    def item(self) -> bool | int | float:
        """The only element as a Python number."""
        if self.numel() != 1:
            raise GradcliError(f"item() needs a tensor of one element, this one has shape {self.shape}")
        return self.value().item()

    def equal(self, other: Any) -> bool:
        """Whether another tensor has the same shape and the same elements."""
        found = OPS["equal"](self.node, lower(other))
        return bool(execute([found])[0])

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        from gradcli.engine.execute.bounds import check_free

        check_free(self.numel() * _LISTED, f"a list of {self.numel():,} numbers")
        return self.value().tolist()

    # Of no known scalar type, so that type checkers take `array * tensor` for what the tensor makes of it.
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, np.dtype[np.generic]]:
        return np.asarray(self.numpy(), dtype, copy=copy)

    def __dlpack__(self, **kwargs: Any) -> Any:
        # The consumer may write: it gets memory of its own.
        return self.numpy().copy().__dlpack__(**kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)

    def __bool__(self) -> bool:
        return bool(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iub":
            raise TypeError(f"only integer tensors can be an index, not {self.dtype}")
        return int(self.item())

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("a 0-dim tensor has no length")
        return self.shape[0]

    def __format__(self, spec: str) -> str:
        # As in PyTorch, a tensor without dimensions is formatted as its number.
        return object.__format__(self, spec) if self.ndim else format(self.item(), spec)


def measured_now(node: Node, measure: Measure) -> Node:
    """What has a shape that depends on values, where all data is there."""
    live = node.shown_by()
    return constant(measure(execute([node])[0] if live is None else live.value()))


def compute_values(tensors: Sequence[Elements]) -> None:
    """Compute the values of several tensors together, common work once."""
    waiting = [t for t in tensors if t.known_value is None]
    for tensor, array in zip(waiting, execute([t.node for t in waiting]), strict=True):
        view = array.view()
        view.flags.writeable = False
        tensor.known_value = view


def lower(value: Any) -> Any:
    """An argument of an operation on nodes: tensors, also in lists and slices, become the nodes that they show."""
    if isinstance(value, Elements):
        return value.node
    if isinstance(value, np.ndarray):
        # Values are computed later: what happens to the caller's array until then must not matter.
        return as_node(value.copy())
    if type(value) in (list, tuple):
        return type(value)(lower(v) for v in value)
    if isinstance(value, range):
        return _listed(value)
    if isinstance(value, slice):
        return slice(_lower_bound(value.start), _lower_bound(value.stop), _lower_bound(value.step))
    return value


def _listed(numbers: range) -> list[int]:
    """A range of Python's as the list of its numbers, as in x[range(n), labels]."""
    from gradcli.engine.execute.bounds import check_free

    # Its own length is an error from 2**63 on.
    count = max(0, -((numbers.start - numbers.stop) // numbers.step))
    check_free(count * _LISTED, f"a list of {count:,} numbers")
    return list(numbers)


def _lower_bound(value: Any) -> Any:
    return int(value) if isinstance(value, Elements) else value


def tensors_of(given: Any, name: str) -> list[Any]:
    """The tensors of an argument that takes one or several."""
    items = given if isinstance(given, Iterable) and not isinstance(given, Elements | str | bytes) else [given]
    try:
        tensors = list(items)
    except TypeError:
        # An array of no dimensions says that it can be gone through.
        tensors = [given]
    for tensor in tensors:
        if not isinstance(tensor, Elements):
            raise GradcliError(f"{name} must be a tensor or a list of tensors, got {kind_of(tensor)}")
    return tensors
