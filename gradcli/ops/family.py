"""What families of operations share: how arguments become nodes, and which shape and dtype come out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, did_you_mean, quoted
from gradcli.graph import layout
from gradcli.graph.arguments import as_node, kind_of
from gradcli.graph.dtypes import BOOL, DEFAULT_DTYPE, DTYPES, INT64, check_dtype, to_float
from gradcli.graph.infer import broadcast_shapes, cast, operand, promote
from gradcli.graph.node import Node, make, make_results
from gradcli.graph.op import OPS, GradFn, Op, Params, Shape, register
from gradcli.ops import batching
from gradcli.ops.blocking import ALIGNED
from gradcli.ops.formulas import arithmetic
from gradcli.ops.kernels import native
from gradcli.ops.kernels.inplace import whole

#: What a row states beside its name and kernel.
Row = dict[str, Any]


def call(name: str, *args: Any, **kwargs: Any) -> Any:
    """An operation by name, for rules that need one defined in a later table."""
    return OPS[name](*args, **kwargs)


def elementwise(
    name: str, kernel: Callable[..., Any] | None = None, *, args: str = "input", dtype: str = "promote", **row: Any
) -> Op:
    """A row whose result at each place depends on its operands at that place.

    Arguments without a default are tensors, the others parameters of the kernel; where a row has `into`, that alone
    makes one. `dtype` says what the kernel computes in and returns: "promote" the common dtype; "number" the same
    without booleans, "integral" without floats; "float" with integers as float32; "bool" takes the common dtype and
    returns booleans; "logical" takes and returns booleans; "select" is promote with a boolean first. A row that states
    no native form has the builder's function of its name, if there is one.
    """
    truth = dtype in ("bool", "logical")
    usual: Row = {
        "kernel": kernel or whole(row["into"]),
        "grad_fn": _backward(name, row),
        "infer": _infer_bool if truth else _infer_elementwise,
        "layout": elementwise_layout,
        "blocking": ALIGNED,
        "batching": batching.BY_PLACE,
        "formula": arithmetic.function,
        "indicator": truth,
        "native": native.named(name),
        "build": lambda *a: _by_signature(op, a),
    }
    op: Op = register(Op(name, family="elementwise", args=args, dtype_rule=dtype, **{**usual, **row}))
    return op


def _backward(name: str, row: Row) -> str | None:
    """What PyTorch calls the backward function where it follows its rule: that of leaky_relu is LeakyReluBackward0."""
    return None if name.startswith("_") or "vjp" not in row else f"{name.title().replace('_', '')}Backward0"


def _by_signature(op: Op, values: tuple[Any, ...]) -> Node:
    """Arguments without a default are tensors, the others parameters."""
    names = op.signature.names
    count = len(op.signature.required)
    return apply(op, *values[:count], **dict(zip(names[count:], values[count:], strict=True)))


def apply(op: Op, *values: Any, **params: Any) -> Node:
    """The node of an elementwise row on tensors or numbers, promoted and cast as the row says."""
    return make(op, coerce(op, tuple(as_node(v) for v in values)), params)


def coerce(op: Op, nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """`nodes` in the dtypes that the kernel of an elementwise row takes."""
    rule = op.dtype_rule
    if rule == "logical":
        return tuple(_truth(n) for n in nodes)
    if rule == "select":
        return (_truth(nodes[0]), *_cast_all(nodes[1:], promote(nodes[1:])))
    dtype = nodes[0].dtype if len(nodes) == 1 else promote(nodes)
    if rule == "bool" and dtype.kind in "iu" and any(n.weak and not _fits(n, dtype) for n in nodes):
        # Comparing must not change the number: int64 holds it.
        dtype = INT64
    if rule == "float":
        dtype = to_float(dtype)
    elif rule == "number" and dtype == BOOL:
        raise GradcliError(f"{op.name}() is not defined for booleans", hint="use ~, & and |, or convert with .float()")
    elif rule == "integral" and dtype.kind == "f":
        usual = "compare first, as in x > 0" if op.symbol else "convert it, as in x.long()"
        hint = "use ** for powers" if op.symbol == "^" else usual
        raise GradcliError(f"{op.name}() is defined for booleans and integers, not for {dtype}", hint=hint)
    return _cast_all(nodes, dtype)


def _fits(number: Node, dtype: np.dtype) -> bool:
    bounds = np.iinfo(dtype)
    return bool(bounds.min <= number.params["number"] <= bounds.max)


def _cast_all(nodes: tuple[Node, ...], dtype: np.dtype) -> tuple[Node, ...]:
    return tuple(n if n.dtype == dtype else operand(n, dtype) for n in nodes)


def _truth(node: Node) -> Node:
    return node if node.dtype == BOOL else call("ne", node, 0)


def _infer_elementwise(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    last = inputs[-1]
    return last.shape if len(inputs) == 1 else broadcast_shapes([i.shape for i in inputs]), last.dtype


def _infer_bool(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    return broadcast_shapes([i.shape for i in inputs]), BOOL


def elementwise_layout(inputs: tuple[Node, ...], params: Params, shape: Shape) -> Shape | None:
    """The strides of a result that has the dimensions of its operands in memory in their order."""
    if all(i.strides is None for i in inputs):
        return None
    return layout.elementwise([(i.shape, i.strides) for i in inputs], shape)


def _entered(name: str, **row: Any) -> Op:
    """A row of the registry; PyTorch has some families in a module of their own."""
    if row["family"] in ("activation", "loss", "network") and not name.startswith("_"):
        row.setdefault("torch", f"nn.functional.{name}")
    return register(Op(name, **row))


def composite(name: str, build: Callable[..., Any], *, args: str = "input", **row: Any) -> Op:
    """A row that is written with other operations and adds no kernel of its own."""
    return _entered(name, build=build, args=args, **row)


def alike(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    """A result of the shape and dtype of the first operand."""
    return inputs[0].shape, inputs[0].dtype


def given_shape(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    """A result of the shape that a parameter has."""
    return params["shape"], inputs[0].dtype


def primitive(
    name: str, kernel: Callable[..., Any], infer: Callable[..., Any] = alike, *, args: str = "input", **row: Any
) -> Op:
    """A row with its own shape rule; its `build` makes nodes with `make(op, inputs, params)`, or `make_results`."""
    usual: Row = {
        "build": lambda *a: (make_results if op.results else make)(op, tuple(as_node(v) for v in a)),
        "grad_fn": _backward(name, row),
    }
    op: Op = _entered(name, kernel=kernel, infer=infer, args=args, **{**usual, **row})
    return op


def to_dtype(value: Any) -> np.dtype | None:
    """A `dtype=` argument: None, a dtype, or its name."""
    if value is None:
        return None
    if isinstance(value, str):
        if value not in DTYPES:
            hint = did_you_mean(value, list(DTYPES))
            raise GradcliError(f"unknown dtype {quoted(value)}", hint=hint, argument="dtype")
        return DTYPES[value]
    # NumPy would take a tensor for its dtype.
    if not isinstance(value, np.dtype | type):
        raise GradcliError(f"dtype must name a dtype such as float64, got {kind_of(value)}", argument="dtype")
    try:
        dtype = np.dtype(value)
    except TypeError:
        raise GradcliError("dtype must name a dtype such as float64", argument="dtype") from None
    check_dtype(dtype)
    return dtype


def float_node(value: Any, name: str) -> Node:
    """A tensor argument that must hold floating-point numbers, such as the operand of mean or det."""
    node = as_node(value)
    if node.weak:
        return cast(node, DEFAULT_DTYPE.get())
    if not node.is_floating:
        hint = "convert it first, as in x.float()"
        raise GradcliError(f"{name}() needs a floating-point tensor, got {node.dtype}", hint=hint)
    return node


def floating(value: Any) -> Node:
    """A tensor argument of a function with real results: integers are converted to the default dtype."""
    node = as_node(value)
    return cast(node, to_float(node.dtype))


def floats(*values: Any) -> tuple[Node, ...]:
    """Operands in their common floating-point dtype."""
    nodes = [as_node(v) for v in values]
    dtype = to_float(promote(nodes))
    return tuple(cast(n, dtype) for n in nodes)


def weak_aware(general: str, scalar: str, position: int = 1, first: str | None = None) -> GradFn:
    """PyTorch's overloads of a function: with a Python number, in that place or the first, there is another name and
    one edge less."""

    def grad_fn(node: Node) -> tuple[str, tuple[Node, ...]]:
        for place, name in ((position, scalar), (0, first)):
            if name is not None and node.inputs[place].weak:
                return name, tuple(n for k, n in enumerate(node.inputs) if k != place)
        return general, node.inputs

    return grad_fn
