"""The graph: immutable nodes, operations and their registry, shape and dtype inference, iterative walks."""

from __future__ import annotations

import math
import operator
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, Span
from gradcli.signature import Signature

Shape = tuple[int, ...]
Params = dict[str, Any]
Number = bool | int | float

FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)
INT64 = np.dtype(np.int64)
BOOL = np.dtype(np.bool_)

# The names that expressions and Python callers use; numpy's own dtype objects stand behind them.
DTYPES: dict[str, np.dtype] = {
    name: np.dtype(numpy_name)
    for name, numpy_name in {
        "bool": "bool", "uint8": "uint8", "uint16": "uint16", "uint32": "uint32", "uint64": "uint64",
        "int8": "int8", "int16": "int16", "short": "int16", "int32": "int32", "int": "int32",
        "int64": "int64", "long": "int64", "float16": "float16", "half": "float16",
        "float32": "float32", "float": "float32", "float64": "float64", "double": "float64",
    }.items()
}  # fmt: skip

#: The dtype of literals, of created tensors and of real functions of integers (`--dtype`, `set_default_dtype`).
DEFAULT_DTYPE: ContextVar[np.dtype] = ContextVar("gradcli_default_dtype", default=FLOAT32)

_CATEGORY = {"b": 0, "u": 1, "i": 1, "f": 2}
_MAX_ELEMENTS = 2**62
# NumPy's limit.
_MAX_DIMENSIONS = 64


class Literal(list[Any]):
    """A list written out in an expression: a tensor of float32 where a tensor is wanted, indices where those are."""


class Node:
    """One operation applied to nodes: immutable, compared by identity, evaluated by whoever needs its value.

    `weak` marks a Python number, which does not promote the dtype of its partners. `tensor` is a weak reference
    that the Tensor showing this node sets, so that a value computed once for a live tensor is not computed again.
    `strides` (in elements, None when contiguous) is the layout that PyTorch would give the result: it decides which
    reshapes are views there, hence the names in the chain; how gradcli stores the result is the executor's business.
    """

    __slots__ = (
        "op", "inputs", "params", "shape", "dtype", "requires_grad", "weak", "strides", "span", "tensor", "__weakref__",
    )  # fmt: skip
    # Keeps `array * node` from being taken apart element by element by NumPy.
    __array_ufunc__ = None

    def __init__(
        self, op: Op, inputs: tuple[Node, ...], params: Params, shape: Shape, dtype: np.dtype,
        requires_grad: bool, weak: bool = False,
    ) -> None:  # fmt: skip
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
    def is_floating(self) -> bool:
        return self.dtype.kind == "f"

    def __repr__(self) -> str:
        return f"Node({self.op.name}, shape={self.shape}, dtype={self.dtype})"

    def __add__(self, other: Any) -> Node:
        return OPS["add"](self, other)

    def __radd__(self, other: Any) -> Node:
        return OPS["add"](other, self)

    def __sub__(self, other: Any) -> Node:
        return OPS["sub"](self, other)

    def __rsub__(self, other: Any) -> Node:
        return OPS["rsub"](self, other)

    def __mul__(self, other: Any) -> Node:
        return OPS["mul"](self, other)

    def __rmul__(self, other: Any) -> Node:
        return OPS["mul"](other, self)

    def __truediv__(self, other: Any) -> Node:
        return OPS["div"](self, other)

    def __rtruediv__(self, other: Any) -> Node:
        return OPS["div"](other, self)

    def __pow__(self, other: Any) -> Node:
        return OPS["pow"](self, other)

    def __rpow__(self, other: Any) -> Node:
        return OPS["pow"](other, self)

    def __matmul__(self, other: Any) -> Node:
        return OPS["matmul"](self, other)

    def __neg__(self) -> Node:
        return OPS["neg"](self)

    def __invert__(self) -> Node:
        return OPS["bitwise_not"](self)

    def __and__(self, other: Any) -> Node:
        return OPS["bitwise_and"](self, other)

    def __or__(self, other: Any) -> Node:
        return OPS["bitwise_or"](self, other)

    def __lt__(self, other: Any) -> Node:
        return OPS["lt"](self, other)

    def __le__(self, other: Any) -> Node:
        return OPS["le"](self, other)

    def __gt__(self, other: Any) -> Node:
        return OPS["gt"](self, other)

    def __ge__(self, other: Any) -> Node:
        return OPS["ge"](self, other)


GradFn = str | Callable[["Node"], tuple[str, tuple["Node | None", ...]]]


class Op:
    """One row of the registry: everything known about an operation, in one place.

    `kernel` computes arrays, `infer` gives (shape, dtype) from inputs and params, `vjp(g, out, *inputs, **params)`
    gives the gradient graph of each input (None where there is none), `grad_fn` PyTorch's name for the backward
    function, or a function of the node giving the name and the nodes behind its edges; None shows no step at all.
    `build` turns a caller's arguments into nodes; an op without a kernel is only a `build` over other ops.
    `layout` gives the strides of the result where they may differ from contiguous ones.
    """

    __slots__ = (
        "name", "family", "signature", "kernel", "infer", "vjp", "grad_fn", "doc", "domain", "aliases", "torch",
        "build", "dtype_rule", "layout", "public",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        *,
        family: str,
        args: str,
        doc: str,
        build: Callable[..., Any],
        kernel: Callable[..., Any] | None = None,
        infer: Callable[[tuple[Node, ...], Params], tuple[Shape, np.dtype]] | None = None,
        vjp: Callable[..., tuple[Node | None, ...]] | None = None,
        grad_fn: GradFn | None = None,
        domain: Any = (-2.0, 2.0),
        aliases: tuple[str, ...] = (),
        torch: str | None = None,
        dtype_rule: str = "promote",
        layout: Callable[[tuple[Node, ...], Params, Shape], Shape | None] | None = None,
        public: bool = True,
    ) -> None:
        self.name = name
        self.family = family
        self.signature = Signature(name, args)
        self.kernel = kernel
        self.infer = infer
        self.vjp = vjp
        self.grad_fn = grad_fn
        self.doc = doc
        self.domain = domain
        self.aliases = aliases
        self.torch = torch
        self.build = build
        self.dtype_rule = dtype_rule
        self.layout = layout
        self.public = public

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.build(*self.signature.bind(args, kwargs))

    def __repr__(self) -> str:
        return f"Op({self.name})"


#: Every operation by name and alias. Filled by the rows of `gradcli.ops` while they are imported, read-only after.
OPS: dict[str, Op] = {}


def register(op: Op) -> Op:
    """Enter a row into the registry; a name or alias taken twice is a mistake in the tables."""
    for name in (op.name, *op.aliases):
        if name in OPS:
            raise ValueError(f"operation {name!r} is defined twice")
        OPS[name] = op
    return op


def make(op: Op, inputs: tuple[Node, ...], params: Params | None = None) -> Node:
    """The node of `op` on inputs that already have the dtypes its kernel takes."""
    params = {} if params is None else params
    assert op.infer is not None
    shape, dtype = op.infer(inputs, params)
    _check_size(shape)
    tracked = dtype.kind == "f" and op.vjp is not None and any(i.requires_grad for i in inputs)
    node = Node(op, inputs, params, shape, dtype, tracked)
    if op.layout is not None:
        node.strides = op.layout(inputs, params, shape)
    return node


def _check_size(shape: Shape) -> None:
    """Refuse a shape that no array can have. An empty one counts by its other lengths, as NumPy's strides do."""
    if math.prod(shape) > _MAX_ELEMENTS or (0 in shape and math.prod(n or 1 for n in shape) > _MAX_ELEMENTS):
        shown = ", ".join(str(n) if n <= _MAX_ELEMENTS else f"{float(min(n, 10**300)):.3g}" for n in shape[:5])
        more = ", …" if len(shape) > 5 else "," if len(shape) == 1 else ""
        raise GradcliError(f"a tensor of shape ({shown}{more}) is too large to be addressed")
    if len(shape) > _MAX_DIMENSIONS:
        raise GradcliError(f"a tensor of {len(shape)} dimensions: at most {_MAX_DIMENSIONS} are possible")


# Leaves ---------------------------------------------------------------------------------------------------------------


def _no_build(*args: Any) -> Any:
    raise GradcliError("a leaf is not called")


INPUT = Op("input", family="leaf", args="", doc="An array given from outside.", build=_no_build, public=False)
CONSTANT = Op("constant", family="leaf", args="", doc="A value that is part of the graph.", build=_no_build, public=False)


def input_node(data: Any, *, requires_grad: bool = False, name: str | None = None) -> Node:
    """A leaf over an array (or anything with shape and dtype that storage can read), tracked if so asked."""
    if requires_grad and data.dtype.kind != "f":
        raise GradcliError(
            f"only floating-point tensors can require gradients, not {data.dtype}",
            hint="convert it first, as in x.float() or x.double()",
        )
    return Node(INPUT, (), {"data": data, "name": name}, tuple(data.shape), data.dtype, requires_grad)


def constant(value: Any, dtype: Any = None) -> Node:
    """A leaf holding a number or array that takes part in dtype promotion."""
    # A number too large for its dtype is infinite, without a warning.
    with np.errstate(over="ignore"):
        data = np.asarray(value, dtype)
    return Node(CONSTANT, (), {"value": data}, data.shape, data.dtype, False)


def weak_constant(value: Number, dtype: np.dtype | None = None) -> Node:
    """A leaf holding a Python number, which takes the dtype of the tensors that it meets."""
    if dtype is None:
        whole = isinstance(value, int) and -(2**63) <= value < 2**63
        dtype = BOOL if isinstance(value, bool) else INT64 if whole else DEFAULT_DTYPE.get()
    # Within these bounds every dtype but the small integers takes any number without complaint.
    data = np.asarray(value, dtype) if 0 <= value < 100 else fitted(value, dtype)
    return Node(CONSTANT, (), {"value": data, "number": value}, (), dtype, False, weak=True)


def fitted(value: Number, dtype: np.dtype) -> np.ndarray:
    """A number in a dtype, infinite where it is too large for a floating-point one, and refused for an integer one."""
    if dtype.kind == "f":
        try:
            wide = float(value)
        except OverflowError:
            wide = math.inf if value > 0 else -math.inf
        with np.errstate(over="ignore"):
            return np.asarray(wide, dtype)
    try:
        return np.asarray(value, dtype)
    except (OverflowError, ValueError):
        shown = value if isinstance(value, float) or abs(value) < 10**30 else "written here"
        raise GradcliError(f"the number {shown} does not fit into {dtype}") from None


def as_node(value: Any) -> Node:
    """The node of a tensor argument: a node, a number, an array or a (nested) list of numbers."""
    if isinstance(value, Node):
        return value
    if isinstance(value, bool | int | float) and not isinstance(value, np.generic):
        return weak_constant(value)
    if isinstance(value, np.ndarray | np.generic):
        check_dtype(value.dtype)
        return constant(value)
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return list_node(value)
    raise GradcliError(f"expected a tensor or a number, got {kind_of(value)}")


def kind_of(value: Any) -> str:
    """What an argument of the wrong kind is, for messages."""
    if hasattr(value, "_fields"):
        return "the pair " + ", ".join(f".{field}" for field in value._fields)
    if isinstance(value, Node | np.ndarray):
        return "a tensor"
    if isinstance(value, np.dtype):
        return f"the dtype {value}"
    shown = {type(None): "None", slice: "a slice", str: "a string", type(Ellipsis): "...", Literal: "a list"}
    return shown.get(type(value)) or f"a {type(value).__name__}"


def list_node(values: Sequence[Any]) -> Node:
    """A nested list as a tensor: constants as one array, lists with tensors in them stacked."""
    if holds_nodes(values):
        return OPS["stack"](list(values))
    data = list_array(values)
    if isinstance(values, Literal) and data.dtype.kind != "b":
        data = data.astype(DEFAULT_DTYPE.get())
    return constant(data)


def holds_nodes(values: Sequence[Any]) -> bool:
    """Whether there is a tensor among the items of a nested list, at any depth."""
    level: list[Any] = [values]
    for _ in range(_MAX_DIMENSIONS):
        items = [item for row in level for item in row]
        if any(isinstance(item, Node) for item in items):
            return True
        level = [item for item in items if isinstance(item, list | tuple)]
        if not level:
            return False
    raise GradcliError(f"a list is nested more than {_MAX_DIMENSIONS} levels deep")


def list_array(values: Sequence[Any]) -> np.ndarray:
    """A nested list of numbers as an array with PyTorch's dtypes (float32, int64, bool); ragged lists are refused."""
    _check_rectangular(values)
    try:
        data = np.array(values)
    except OverflowError:
        raise _too_large() from None
    except (ValueError, RecursionError):
        raise GradcliError("the list cannot be made into a tensor") from None
    if data.dtype.kind not in "biuf" and not _holds_arrays(values):
        if data.dtype.kind == "O" and all(isinstance(item, Number) for item in data.ravel().tolist()):
            raise _too_large()
        raise GradcliError("a list for a tensor may hold only numbers and lists of numbers")
    if data.dtype.kind in "bf" or _holds_arrays(values):
        check_dtype(data.dtype)
        with np.errstate(over="ignore"):
            return data if data.dtype.kind == "b" or _holds_arrays(values) else data.astype(DEFAULT_DTYPE.get())
    if data.dtype.kind == "u":
        raise _too_large()
    return data.astype(INT64)


def _too_large() -> GradcliError:
    hint = "write it as 1e20, with an exponent"
    return GradcliError("the list holds a number that is too large for int64", hint=hint)


def _holds_arrays(values: Any) -> bool:
    while isinstance(values, list | tuple) and values:
        values = values[0]
    return isinstance(values, np.ndarray | np.generic)


def _check_rectangular(values: Sequence[Any]) -> None:
    """Refuse rows of unequal length, naming both lengths, one level of nesting after the other."""
    level: list[Any] = [values]
    depth = 0
    while level and isinstance(level[0], list | tuple):
        depth += 1
        if depth > 64:
            raise GradcliError("a list is nested more than 64 levels deep")
        if not all(isinstance(row, list | tuple) for row in level):
            raise GradcliError("ragged list: numbers and lists are mixed at one level")
        lengths = {len(row) for row in level}
        if len(lengths) > 1:
            few, many = min(lengths), max(lengths)
            raise GradcliError(f"ragged list: rows of {few} and of {many} elements", hint="all rows need equal length")
        level = [item for row in level for item in row]
    if any(isinstance(item, list | tuple) for item in level):
        raise GradcliError("ragged list: numbers and lists are mixed at one level")


def check_dtype(dtype: np.dtype) -> None:
    """Refuse what gradcli does not compute with: complex, strings, objects, dates, records."""
    if dtype.kind not in _CATEGORY or dtype.itemsize > 8:
        raise GradcliError(
            f"dtype {dtype} is not supported", hint="use bool, an integer type, float16, float32 or float64"
        )


# Shape and dtype inference ------------------------------------------------------------------------------------------


def broadcast_shapes(shapes: Iterable[Shape]) -> Shape:
    """The common shape by NumPy's rule: aligned at the right, a length of 1 stretches.

    >>> broadcast_shapes([(2, 1, 3), (4, 1)])
    (2, 4, 3)
    """
    shapes = list(shapes)
    first = shapes[0]
    if all(s == first or not s for s in shapes[1:]):
        return first
    result: list[int] = []
    for shape in shapes:
        if len(shape) > len(result):
            result = [1] * (len(shape) - len(result)) + result
        for k in range(1, len(shape) + 1):
            if shape[-k] != 1 and result[-k] != shape[-k]:
                if result[-k] != 1:
                    named = " and ".join(str(s) for s in dict.fromkeys(shapes))
                    raise GradcliError(
                        f"shapes {named} do not fit: {result[-k]} against {shape[-k]} in dimension -{k}",
                        hint="lengths must be equal or 1, aligned at the right",
                    )
                result[-k] = shape[-k]
    return tuple(result)


def promote(nodes: Iterable[Node]) -> np.dtype:
    """PyTorch's result type: dimensioned tensors over 0-dim ones over Python numbers, unless the category is lower."""
    ranks: list[np.dtype | None] = [None, None, None]
    for node in nodes:
        rank = 2 if node.weak else 0 if node.shape else 1
        known = ranks[rank]
        ranks[rank] = node.dtype if known is None else _promote_pair(known, node.dtype)
    result: np.dtype | None = None
    for dtype in ranks:
        if dtype is None:
            continue
        if result is None or _CATEGORY[dtype.kind] > _CATEGORY[result.kind]:
            result = dtype if result is None or dtype.kind == "f" or result.kind == "b" else _promote_pair(result, dtype)
    assert result is not None
    return result


def _promote_pair(a: np.dtype, b: np.dtype) -> np.dtype:
    if a is b or a == b:
        return a
    if (a.kind == "f") != (b.kind == "f"):
        return a if a.kind == "f" else b
    result = np.promote_types(a, b)
    if result.kind == "f" and a.kind != "f":
        raise GradcliError(f"{a} and {b} have no common integer type", hint="convert one of them, as in x.long()")
    return result


def to_float(dtype: np.dtype) -> np.dtype:
    """The dtype that a function with real results computes in: integers become the default dtype, float32."""
    return dtype if dtype.kind == "f" else DEFAULT_DTYPE.get()


def cast(node: Node, dtype: np.dtype) -> Node:
    """`node` in another dtype: a Python number is simply written anew, a tensor gets a conversion node."""
    if node.dtype == dtype:
        return node
    if node.weak:
        return weak_constant(node.params["number"], dtype)
    return make(OPS["_cast"], (node,), {"dtype": dtype})


def normalize_axis(axis: Any, ndim: int) -> int:
    """A dimension counted from the left; 0-dim tensors have one virtual dimension, as in PyTorch."""
    axis = as_int(axis, "dim")
    span = max(ndim, 1)
    if not -span <= axis < span:
        have = f"a tensor of {ndim} dimension{'s' if ndim != 1 else ''}"
        raise GradcliError(
            f"dimension {axis} is out of range for {have}", hint=f"it must lie between {-span} and {span - 1}",
            argument="dim",
        )
    return axis % span


def normalize_axes(dim: Any, ndim: int) -> tuple[int, ...]:
    """Sorted dimensions of a `dim` argument: None or an empty list for all, an integer, or several."""
    if dim is None or (isinstance(dim, list | tuple) and not dim):
        return tuple(range(ndim))
    if not isinstance(dim, list | tuple):
        dim = (dim,)
    axes = [normalize_axis(d, ndim) for d in dim]
    if len(set(axes)) != len(axes):
        raise GradcliError(f"dimension {max(axes, key=axes.count)} appears twice in dim")
    return tuple(sorted(axes)) if ndim else ()


def as_int(value: Any, name: str) -> int:
    """An integer argument; floats, booleans and tensors are refused with a line that names the argument."""
    if isinstance(value, float) and value.is_integer():
        raise GradcliError(f"{name} must be an integer, got {value}", hint=f"write {int(value)}", argument=name)
    if isinstance(value, bool):
        raise GradcliError(f"{name} must be an integer, got {value}", argument=name)
    try:
        return operator.index(value)
    except TypeError:
        shown = "a tensor" if isinstance(value, Node) else repr(value) if not isinstance(value, list) else "a list"
        raise GradcliError(f"{name} must be an integer, got {shown}", argument=name) from None


def as_number(value: Any, name: str) -> float:
    """A number argument of an operation."""
    if isinstance(value, bool | int | float | np.number):
        return float(value)
    shown = "a tensor" if isinstance(value, Node) else repr(value)
    raise GradcliError(f"{name} must be a number, got {shown}", argument=name)


# Walks --------------------------------------------------------------------------------------------------------------


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
