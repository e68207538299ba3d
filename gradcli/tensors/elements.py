"""What a tensor holds: its form and its elements, as Python and NumPy ask for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, overload

import numpy as np

from gradcli.engine.execute.run import execute, is_known
from gradcli.errors import GradcliError
from gradcli.graph.arguments import as_node, kind_of, normalize_axis
from gradcli.graph.measured import Measure
from gradcli.graph.node import Node, constant, input_node, toposort
from gradcli.graph.op import OPS, Op
from gradcli.graph.operators import Operators
from gradcli.tensors.views import origin_of, start_from, watching

# Bytes of a number in a list of Python's, and of its place there.
_LISTED = 40
# Elements that are kept as soon as they are computed, and steps behind a tensor that are many.
_SMALL, _DEEP = 1 << 16, 8
# Families of operations that mostly show elements of their operands.
_VIEWS = frozenset({"shape", "index", "diagonal"})


class Elements(Operators):
    """The elements of a node, computed when they are first looked at; arrays handed out are read-only."""

    __slots__ = ("node", "known_leaf")

    node: Node
    #: A node that has been shown, and its value as a leaf.
    known_leaf: tuple[Node, Node] | None

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

    def is_contiguous(self) -> bool:
        """Whether PyTorch would have the elements in memory in the order of their indices."""
        return self.node.strides is None

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
        # Another thread may let it show another node meanwhile.
        while (value := self.node.value) is None:
            self._settle()
            for tensor in compute_values([self]):
                tensor._forget()
        return value

    def _forget(self) -> None:
        """Show the values alone from now on, not how they were made, unless others show elements of them."""
        node = self.node
        if not _is_longer(node):
            return
        origin = origin_of(node)
        others = (origin.shown_by(), *watching(origin))
        if all(other is None or other is self for other in others):
            start_from(self, node, value_leaf(node))

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
        return bool(values_of([OPS["equal"](self.node, lower(other))])[0])

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
    return constant(measure(values_of([node])[0] if live is None else live.value()))


def compute_values(tensors: Sequence[Elements]) -> list[Elements]:
    """Compute the values of several tensors together, common work once; gives all whose values are known now.

    What live tensors show on the way there is kept: a loop that makes a new tensor of its last one, such as a momentum,
    would compute all of them in each step otherwise.
    """
    waiting = [(t, node) for t in tensors if (node := t.node).value is None]
    if not waiting:
        return []
    arrays, along = _computed([node for _, node in waiting])
    for (_, node), array in zip(waiting, arrays, strict=True):
        keep(node, array)
    return [t for t, _ in waiting] + along


def values_of(nodes: Sequence[Node]) -> list[np.ndarray]:
    """The arrays of nodes, as `compute_values` computes those of tensors."""
    return _computed(nodes)[0]


def _computed(nodes: Sequence[Node]) -> tuple[list[np.ndarray], list[Elements]]:
    """The arrays of nodes, and the tensors behind them whose values were kept."""
    along = _along(nodes)
    arrays = execute([*nodes, *along])
    for node, array in zip(along, arrays[len(nodes) :], strict=True):
        keep(node, array)
    return arrays[: len(nodes)], list(along.values())


def _along(nodes: Sequence[Node]) -> dict[Node, Elements]:
    """The nodes behind others whose values are worth keeping, with the tensors that show them: small ones, and what
    takes many steps but no more memory than what it is made of."""
    depth: dict[Node, int] = {}
    largest, along = 0, dict[Node, Elements]()
    for node in toposort(nodes, stop=is_known):
        if not node.inputs or is_known(node):
            largest = max(largest, node.nbytes)
            continue
        depth[node] = 1 + max((depth.get(child, 0) for child in node.inputs), default=0)
        live = node.shown_by()
        if live is not None and (node.size <= _SMALL or (depth[node] > _DEEP and node.nbytes <= largest)):
            along[node] = live
    asked = set(nodes)
    return {node: tensor for node, tensor in along.items() if node not in asked}


def keep(node: Node, array: np.ndarray) -> None:
    """Write down what a node was found to be."""
    view = array.view()
    view.flags.writeable = False
    node.value = view


def leaf_in_place_of(old: Node, array: Any, requires_grad: bool = False) -> Node:
    """A leaf of these values, in the layout of the old node: what is copied does not change with the copy."""
    leaf = input_node(array, requires_grad=requires_grad)
    leaf.strides = old.strides
    return leaf


def value_leaf(node: Node) -> Node:
    """What a node was found to be as a leaf."""
    leaf = leaf_in_place_of(node, node.value)
    leaf.value = node.value
    return leaf


def shortened(op: Op, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments of an operation, with the values of tensors alone where these are known and most likely enough.

    A loop that makes a new tensor of its last one would hold all that it ever made otherwise.
    """
    if op.family in _VIEWS or op.draws or not any(map(_is_shorter, args)):
        return args
    return tuple([_leaf_of(arg) if _is_shorter(arg) else arg for arg in args])


def _is_shorter(arg: Any) -> bool:
    return isinstance(arg, Elements) and _is_longer(arg.node)


def _is_longer(node: Node) -> bool:
    """Whether a node has more behind it than its value, which is known and would do."""
    return node.value is not None and bool(node.inputs) and not node.requires_grad


def _leaf_of(tensor: Elements) -> Node:
    node, known = tensor.node, tensor.known_leaf
    if not _is_longer(node):
        # Another thread was faster.
        return node
    if known is None or known[0] is not node:
        known = tensor.known_leaf = (node, value_leaf(node))
    return known[1]


def shows(result: Any, args: tuple[Any, ...]) -> bool:
    """Whether a result shows elements of one of the leaves that were given in place of tensors."""
    nodes = result if isinstance(result, tuple) else (result,)
    origins = {origin_of(node) for node in nodes if isinstance(node, Node)}
    return any(isinstance(arg, Node) and arg in origins for arg in args)


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
