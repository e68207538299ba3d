"""The graph: immutable nodes, leaves, and an iterative walk."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from gradcli.errors import GradcliError, Span
from gradcli.graph.dtypes import BOOL, DEFAULT_DTYPE, FLOAT64, INT64
from gradcli.graph.native_forms import Dims
from gradcli.graph.op import OPS, Batching, Blocking, Op, Params, Shape
from gradcli.graph.operators import Operators

Ties = tuple[int | None, ...]
Forms = tuple[tuple[Shape, np.dtype], ...]


class Batched(NamedTuple):
    """A tensor for each index of a seed.

    `node` has the dimensions of the seed first, then the tensor's own; one of the seed has length 1 where the members
    do not depend on it, or where it is tied. `ties` has, for each own dimension, the dimension of the seed that it is
    tied to, or None. Where there is a `scale`, all members are still to be multiplied by it.
    """

    node: Node
    ties: Ties
    scale: Node | None = None

    @property
    def lead(self) -> int:
        """How many dimensions the seed has."""
        return self.node.ndim - len(self.ties)

    @property
    def own(self) -> Shape:
        """The shape of one member."""
        return self.node.shape[self.lead :]


class BatchedResults(NamedTuple):
    """The batches of several results, where they do not come in this form from one operation."""

    results: tuple[Batched, ...]


Operands = tuple[Batched | None, ...]


Number = bool | int | float

# Addresses are int64. Empty arrays may be converted to any dtype, others need their memory first.
_MAX_BYTES, _WIDEST = 2**63 - 1, 8

# NumPy's limit.
MAX_DIMENSIONS = 64


class Node(Operators):
    """One operation applied to nodes: immutable, compared by identity, evaluated by whoever needs its value.

    `weak` marks a Python number, which does not promote the dtype of its partners. `tensor` is a weak reference
    that the Tensor showing this node sets, so that a value computed once for a live tensor is not computed again;
    `views` are such references to the tensors that show elements of it. `value` is what it was found to be, where that
    is kept, and `now` the node that tensors show instead since they started from that value. `hooks` gives what goes on
    in the place of its gradient, where a program wants to know of that.
    `strides` (in elements, None when contiguous) is the layout that PyTorch would give the result: it decides which
    reshapes are views there, hence the names in the chain; how gradcli stores the result is the executor's business.
    """

    __slots__ = (
        "op",
        "inputs",
        "params",
        "shape",
        "dtype",
        "requires_grad",
        "weak",
        "strides",
        "span",
        "tensor",
        "views",
        "value",
        "now",
        "hooks",
        "__weakref__",
    )
    # Keeps `array * node` from being taken apart element by element by NumPy.
    __array_ufunc__ = None

    def __init__(
        self,
        op: Op,
        inputs: tuple[Node, ...],
        params: Params,
        shape: Shape,
        dtype: np.dtype,
        requires_grad: bool,
        weak: bool = False,
    ) -> None:
        self.op = op
        self.inputs = inputs
        self.params = params
        self.shape = shape
        self.dtype = dtype
        self.requires_grad = requires_grad
        self.weak = weak
        self.strides: Shape | None = None
        self.span: Span | None = None
        self.tensor: weakref.ref[Any] | None = None
        self.views: list[weakref.ref[Any]] | None = None
        self.value: np.ndarray | None = None
        self.now: Node | None = None
        self.hooks: Any = None

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def cost(self) -> float:
        """What computing an element costs, the operands being there, in walks over a block."""
        cost = self.op.cost
        return 0.0 if self.op.blocking.view else cost(self) if callable(cost) else cost

    @property
    def is_floating(self) -> bool:
        return self.dtype.kind == "f"

    def shown_last_by(self) -> Any:
        """The live tensor that has shown this node last, None where there is none; it may show another one by now."""
        return None if self.tensor is None else self.tensor()

    def shown_by(self) -> Any:
        """The live tensor that shows this node, None where there is none, or where it was changed in place since."""
        tensor = self.shown_last_by()
        return tensor if tensor is not None and tensor.node is self else None

    def __repr__(self) -> str:
        return f"Node({self.op.name}, shape={self.shape}, dtype={self.dtype})"

    def _operation(self, name: str, *operands: Any) -> Any:
        return OPS[name](*operands)

    def __rsub__(self, other: Any) -> Node:
        # As in PyTorch, where this is an operation of its own.
        return OPS["rsub"](self, other)


class SeveralResults(Node):
    """An operation with several results, which is computed once for all of them; nobody but its results looks at it.

    `forms` are shapes and dtypes, one a result. Its `shape` is that of the first, its `dtype` that of the first with
    floating-point numbers, if any; its size is that of all together.
    """

    __slots__ = ("forms", "_known")

    def __init__(self, op: Op, inputs: tuple[Node, ...], params: Params, forms: Forms, requires_grad: bool) -> None:
        dtype = next((dtype for _, dtype in forms if dtype.kind == "f"), forms[0][1])
        super().__init__(op, inputs, params, forms[0][0], dtype, requires_grad)
        self.forms = forms
        self._known: list[weakref.ref[Node] | None] = [None] * len(forms)

    @property
    def size(self) -> int:
        return sum(math.prod(shape) for shape, _ in self.forms)

    @property
    def nbytes(self) -> int:
        return sum(math.prod(shape) * dtype.itemsize for shape, dtype in self.wanted)

    @property
    def wanted(self) -> Forms:
        """The forms of the results that somebody looks at."""
        wanted = self.params.get("wanted")
        return self.forms if wanted is None else tuple(f for f, w in zip(self.forms, wanted, strict=True) if w)

    def result(self, index: int) -> Node:
        """The node of one result, the same as long as anybody has it."""
        known = self._known[index]
        node = None if known is None else known()
        if node is None:
            node = make(RESULT, (self,), {"index": index})
            node.span = self.span
            self._known[index] = weakref.ref(node)
        return node

    def results(self) -> Any:
        """The nodes of all results, by their names."""
        return self.op.named(map(self.result, range(len(self.forms))))


def make(op: Op, inputs: tuple[Node, ...], params: Params | None = None) -> Node:
    """The node of `op` on inputs that already have the dtypes its kernel takes."""
    params = {} if params is None else params
    assert op.infer is not None
    if op.results:
        return _several(op, inputs, params)
    shape, dtype = op.infer(inputs, params)
    _check_size(shape, dtype)
    tracked = dtype.kind == "f" and op.vjp is not None and any(i.requires_grad for i in inputs)
    node = Node(op, inputs, params, shape, dtype, tracked)
    if op.layout is not None:
        node.strides = op.layout(inputs, params, shape)
    return node


def _several(op: Op, inputs: tuple[Node, ...], params: Params) -> SeveralResults:
    assert op.infer is not None
    forms = op.infer(inputs, params)
    for shape, dtype in forms:
        _check_size(shape, dtype)
    differentiable = op.vjp is not None and any(dtype.kind == "f" for _, dtype in forms)
    return SeveralResults(op, inputs, params, forms, differentiable and any(i.requires_grad for i in inputs))


def make_results(op: Op, inputs: tuple[Node, ...], params: Params | None = None) -> Any:
    """The nodes of the results of an operation that has several, by their names."""
    return _several(op, inputs, {} if params is None else params).results()


def _check_size(shape: Shape, dtype: np.dtype) -> None:
    """Refuse a shape that no array can have; an empty one counts by its other lengths, as NumPy's strides do."""
    if math.prod(n or 1 for n in shape) * (_WIDEST if 0 in shape else dtype.itemsize) > _MAX_BYTES:
        shown = ", ".join(str(n) if n < 2**63 else f"{float(min(n, 10**300)):.3g}" for n in shape[:5])
        more = ", …" if len(shape) > 5 else "," if len(shape) == 1 else ""
        raise GradcliError(f"a tensor of shape ({shown}{more}) is too large to be addressed")
    if len(shape) > MAX_DIMENSIONS:
        raise GradcliError(f"a tensor of {len(shape)} dimensions: at most {MAX_DIMENSIONS} are possible")


def _no_build(*args: Any) -> Any:
    raise GradcliError("a leaf is not called")


INPUT = Op("input", family="leaf", args="", doc="An array given from outside.", build=_no_build, public=False)

CONSTANT = Op(
    "constant", family="leaf", args="", doc="A value that is part of the graph.", build=_no_build, public=False
)


def _follow_result(node: Any, dim: int) -> Dims | None:
    several = node.inputs[0]
    return (dim,) if dim < several.ndim and several.op.blocking.follow(several, dim) is not None else None


def _result_layout(inputs: tuple[Any, ...], params: Params, shape: Shape) -> Shape | None:
    several = inputs[0]
    return None if several.op.layout is None else several.op.layout(several.inputs, several.params, shape)


def _result_of_batch(node: Any, operands: Operands) -> Batched:
    (batched,) = operands
    if isinstance(batched, BatchedResults):
        return batched.results[node.params["index"]]
    assert batched is not None and isinstance(batched.node, SeveralResults)
    return Batched(batched.node.result(node.params["index"]), (None,) * node.ndim)


def _by_its_part(builder: Any, op: Op, inputs: tuple[Any, ...], params: Params) -> Any:
    part = part_of(inputs[0], params["index"])
    return part and builder.build(part.op, part.inputs, part.params, part.shape)


def _passed_on(g: Any, out: Any, several: Any, index: int) -> tuple[Any, ...]:
    raise AssertionError("the gradients of all results go to the rule of their operation together")


RESULT = Op(
    "_result",
    family="structure",
    args="input, index",
    doc="One of the results of an operation that has several.",
    build=_no_build,
    kernel=lambda results, index: results[index],
    infer=lambda inputs, params: inputs[0].forms[params["index"]],
    layout=_result_layout,
    vjp=_passed_on,
    # The array is there; nothing is copied.
    blocking=Blocking(_follow_result, view=True),
    batching=Batching(_result_of_batch, scales=True),
    simplify=_by_its_part,
)


def part_of(several: Node, index: int) -> Node | None:
    """One of several results by an operation that gives it alone; None where there is none."""
    part = several.op.part
    return None if part is None else part(several, index)


def input_node(data: Any, *, requires_grad: bool = False, name: str | None = None) -> Node:
    """A leaf over an array (or anything with shape and dtype that storage can read), tracked if so asked."""
    if requires_grad and data.dtype.kind != "f":
        hint = "convert it first, as in x.float() or x.double()"
        raise GradcliError(f"only floating-point tensors can require gradients, not {data.dtype}", hint=hint)
    return Node(INPUT, (), {"data": data, "name": name}, tuple(data.shape), data.dtype, requires_grad)


def constant(value: Any, dtype: Any = None) -> Node:
    """A leaf holding a number or array that takes part in dtype promotion."""
    # A number too large for its dtype is infinite, without a warning.
    with np.errstate(over="ignore"):
        data = np.asarray(value, dtype)
    return Node(CONSTANT, (), {"value": data}, data.shape, data.dtype, False)


#: The largest number of float32.
_MOST_SINGLE = 2**128 - 2**104


def weak_constant(value: Number, dtype: np.dtype | None = None) -> Node:
    """A leaf holding a Python number, which takes the dtype of the tensors that it meets."""
    if dtype is None:
        whole = isinstance(value, int) and -(2**63) <= value < 2**63
        dtype = BOOL if isinstance(value, bool) else INT64 if whole else DEFAULT_DTYPE.get()
        if isinstance(value, int) and abs(value) > _MOST_SINGLE:
            # Whether it fits is known when it meets a tensor.
            dtype = FLOAT64
    # Within these bounds every dtype but the small integers takes any number without complaint.
    data = np.asarray(value, dtype) if 0 <= value < 100 else fitted(value, dtype)
    return Node(CONSTANT, (), {"value": data, "number": value}, (), dtype, False, weak=True)


def fitted(value: Number, dtype: np.dtype) -> np.ndarray:
    """A number in a dtype, infinite where a float is too large for it; an integer that is too large is refused."""
    floating = dtype.kind == "f"
    try:
        with np.errstate(over="ignore"):
            data = np.asarray(float(value) if floating else value, dtype)
    except (OverflowError, ValueError):
        raise _unfitting(value, dtype) from None
    # As in PyTorch, which knows no integers but those of 64 bits.
    if floating and isinstance(value, int) and not -(2**63) <= value < 2**64 and np.isinf(data):
        raise _unfitting(value, dtype)
    return data


def _unfitting(value: Number, dtype: np.dtype) -> GradcliError:
    shown = value if isinstance(value, float) or abs(value) < 10**30 else "written here"
    hint = "write inf for infinity, or convert to a wider dtype" if dtype.kind == "f" else None
    return GradcliError(f"the number {shown} does not fit into {dtype}", hint=hint)


def with_inputs(node: Node, inputs: tuple[Node, ...], op: Op | None = None, params: Params | None = None) -> Node:
    """The same operation, or another version of it, on other operands of the same shapes and dtypes."""
    op, params = op or node.op, node.params if params is None else params
    if isinstance(node, SeveralResults):
        new: Node = SeveralResults(op, inputs, params, node.forms, node.requires_grad)
    else:
        new = Node(op, inputs, params, node.shape, node.dtype, node.requires_grad, node.weak)
    new.strides, new.span = node.strides, node.span
    return new


def toposort(roots: Iterable[Node], stop: Callable[[Node], bool] | None = None) -> list[Node]:
    """Every node that `roots` need, inputs before users, each once; below a node for which `stop` holds is not looked.

    Iterative, so that a chain of any length can be walked.
    """
    order: list[Node] = []
    seen: set[Node] = set()
    stack: list[tuple[Node, Iterator[Node]]] = []
    for root in roots:
        if root in seen:
            continue
        seen.add(root)
        stack.append((root, iter(() if stop is not None and stop(root) else root.inputs)))
        while stack:
            node, rest = stack[-1]
            for child in rest:
                if child not in seen:
                    seen.add(child)
                    stack.append((child, iter(() if stop is not None and stop(child) else child.inputs)))
                    break
            else:
                order.append(node)
                stack.pop()
    return order
