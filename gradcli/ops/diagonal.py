"""Rows about diagonals: taking them out, putting them in, triangles, the trace."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph import layout
from gradcli.graph.arguments import as_int, as_node, normalize_axis
from gradcli.graph.dtypes import BOOL, INT64
from gradcli.graph.native_forms import Dims
from gradcli.graph.node import Node, make
from gradcli.graph.op import OPS, Blocking, Op, Params, Shape
from gradcli.ops.batching import LINEAR, written
from gradcli.ops.blocking import batch
from gradcli.ops.family import call, composite, given_shape, primitive
from gradcli.ops.formulas import places
from gradcli.ops.notation import numpy_sources, spelling, typeset
from gradcli.ops.shape import expand, strides_of


def _length(rows: int, columns: int, offset: int) -> int:
    """How many elements the diagonal has that starts `offset` to the right of the corner, or below it."""
    return max(0, min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns))


def _others(node: Node) -> list[int]:
    """The dimensions beside those of the matrices."""
    own = node.params["dim1"], node.params["dim2"]
    return [d for d in range(max(node.ndim, node.inputs[0].ndim)) if d not in own]


def _in_follow(node: Node, dim: int) -> Dims | None:
    others = _others(node)
    return (others.index(dim),) if dim in others else None


# Taking out -----------------------------------------------------------------------------------------------------------


def _diagonal_infer(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    x, dim1, dim2 = inputs[0], params["dim1"], params["dim2"]
    rest = tuple(n for k, n in enumerate(x.shape) if k not in (dim1, dim2))
    return (*rest, _length(x.shape[dim1], x.shape[dim2], params["offset"])), x.dtype


def _diagonal_layout(inputs: tuple[Node, ...], params: Params, shape: Shape) -> Shape | None:
    if params["copy"]:
        return None
    strides, dim1, dim2 = strides_of(inputs[0]), params["dim1"], params["dim2"]
    rest = tuple(n for k, n in enumerate(strides) if k not in (dim1, dim2))
    return layout.normalize(shape, (*rest, strides[dim1] + strides[dim2]))


def diagonal_of(x: Node, offset: int = 0, dim1: int = -2, dim2: int = -1, copy: bool = False) -> Node:
    """The diagonal of two dimensions, as a new last dimension."""
    place = {"offset": offset, "dim1": dim1 % x.ndim, "dim2": dim2 % x.ndim}
    return make(diagonal, (x,), {**place, "copy": copy})


def _two_dims(dim1: Any, dim2: Any, ndim: int, name: str) -> tuple[int, int]:
    first, second = normalize_axis(dim1, ndim), normalize_axis(dim2, ndim)
    if first == second:
        raise GradcliError(f"{name}() needs two different dimensions, got {dim1} and {dim2}")
    return first, second


def _diagonal(input: Any, offset: Any, dim1: Any, dim2: Any) -> Node:
    x = as_node(input)
    if x.ndim < 2:
        raise SizeError("diagonal() needs at least 2 dimensions, the tensor has shape {}", x.shape)
    return diagonal_of(x, as_int(offset, "offset"), *_two_dims(dim1, dim2, x.ndim, "diagonal"))


def _diag(input: Any, diagonal: Any) -> Node:
    x, offset = as_node(input), as_int(diagonal, "diagonal")
    if x.ndim == 1:
        return _embedded(x, offset, 0, 1)
    if x.ndim == 2:
        return diagonal_of(x, offset, copy=True)
    hint = "diagonal(x, 0, -2, -1) and diag_embed(x) take batches" if x.ndim else None
    raise SizeError("diag() takes a vector or a matrix, the tensor has shape {}", x.shape, hint=hint)


# Putting in -----------------------------------------------------------------------------------------------------------


def put_on_diagonal(out: Any, g: Any, offset: int, dim1: int, dim2: int) -> None:
    count = np.arange(g.shape[-1])
    # Moving the dimensions gives a view, so that the elements arrive in `out`.
    np.moveaxis(out, (dim1, dim2), (-2, -1))[..., count + max(-offset, 0), count + max(offset, 0)] = g


def _place_kernel(g: Any, shape: Shape, offset: int, dim1: int, dim2: int) -> Any:
    out = np.zeros(shape, g.dtype)
    put_on_diagonal(out, g, offset, dim1, dim2)
    return out


def _place_vjp(h: Node, out: Node, g: Node, shape: Shape, offset: int, dim1: int, dim2: int) -> tuple[Node]:
    return (diagonal_of(h, offset, dim1, dim2),)


def _embedded(x: Node, offset: int, dim1: int, dim2: int) -> Node:
    lengths = list(x.shape[:-1])
    for d in sorted((dim1, dim2)):
        lengths.insert(d, x.shape[-1] + abs(offset))
    return make(diag_embed, (x,), {"shape": tuple(lengths), "offset": offset, "dim1": dim1, "dim2": dim2})


def _diag_embed(input: Any, offset: Any, dim1: Any, dim2: Any) -> Node:
    x = as_node(input)
    if not x.ndim:
        raise GradcliError("diag_embed() needs at least 1 dimension, the tensor has none")
    return _embedded(x, as_int(offset, "offset"), *_two_dims(dim1, dim2, x.ndim + 1, "diag_embed"))


diagonal = primitive(
    "diagonal",
    # What lies beyond the matrix is empty, however far; NumPy counts in 32 bits here.
    lambda x, offset, dim1, dim2, copy: np.diagonal(x, max(-x.shape[dim1], min(offset, x.shape[dim2])), dim1, dim2),
    _diagonal_infer, family="diagonal", args="input, offset=0, dim1=0, dim2=1", build=_diagonal, batching=LINEAR,
    layout=_diagonal_layout,
    blocking=Blocking(lambda node, dim: (_others(node)[dim],) if dim < node.ndim - 1 else None),
    vjp=lambda g, out, x, copy, **place: (make(diagonal_back, (g,), {"shape": x.shape, **place}),),
    grad_fn=lambda node: ("DiagonalBackward0_copy" if node.params["copy"] else "DiagonalBackward0", node.inputs),
    doc="The diagonal of two dimensions, as a new last dimension; offset moves it right, or down if negative.",
    formula=places.diagonal, text=spelling.every("offset", "dim1", "dim2"), latex=typeset.diagonal_of, numpy="diagonal",
    words=("diagpart", "diagonalpart"), shares=lambda node: not node.params["copy"],
    put=lambda node, x, new: make(
        OPS["_diagonal_scatter"], (x, new), {word: node.params[word] for word in ("offset", "dim1", "dim2")}
    ),
)
diagonal_back: Op = primitive(
    "_diagonal_back", _place_kernel, given_shape, family="diagonal", batching=LINEAR, vjp=_place_vjp,
    grad_fn="DiagonalBackwardBackward0", doc="Zeros with the tensor put in as a diagonal of a given shape.",
    formula=places.on_diagonal, blocking=Blocking(_in_follow),
)
diag_embed = primitive(
    "diag_embed", _place_kernel, given_shape, family="diagonal", args="input, offset=0, dim1=-2, dim2=-1",
    build=_diag_embed, batching=LINEAR, vjp=_place_vjp,
    doc="Matrices with the last dimension as their diagonal, zeros elsewhere.", formula=places.on_diagonal,
    text=spelling.every("offset", "dim1", "dim2"), example="input:1", source=numpy_sources.DIAG_EMBED,
    blocking=Blocking(_in_follow),
)


diag = composite(
    "diag", _diag, args="input, diagonal=0", family="diagonal",
    doc="The diagonal of a matrix, or a matrix with the vector as its diagonal.", latex=typeset.diagonal_matrix,
    example="input:1", numpy="diag", words=("diagm", "diagonalmatrix"),
)


# Triangles and trace --------------------------------------------------------------------------------------------------


def _triangle(name: str, kernel: Any, doc: str) -> Op:
    def build(input: Any, diagonal: Any) -> Node:
        x = as_node(input)
        if x.ndim < 2:
            raise SizeError("{}() needs at least 2 dimensions, the tensor has shape {}", name, x.shape)
        return make(op, (x,), {"diagonal": as_int(diagonal, "diagonal")})

    op: Op = primitive(
        # All diagonals beyond the matrix are alike, and NumPy counts those in 64 bits.
        name, lambda x, diagonal: kernel(x, max(-x.shape[-2], min(diagonal, x.shape[-1]))),
        family="diagonal", args="input, diagonal=0", build=build, doc=doc,
        vjp=lambda g, out, x, diagonal: (make(op, (g,), {"diagonal": diagonal}),), batching=LINEAR,
        blocking=Blocking(batch(2)), numpy=name, in_place=True,
    )
    return op


tril = _triangle("tril", np.tril, "The lower triangle, up to a diagonal; zeros above.")
triu = _triangle("triu", np.triu, "The upper triangle, from a diagonal on; zeros below.")


def _trace(input: Any) -> Node:
    x = as_node(input)
    if x.ndim != 2:
        hint = "diagonal(x, 0, -2, -1).sum(-1) takes batches" if x.ndim > 2 else None
        raise SizeError("trace() takes a matrix, the tensor has shape {}", x.shape, hint=hint)
    if x.dtype == BOOL:
        raise GradcliError("trace() is not defined for booleans", hint="convert them first, as in x.long()")
    return make(trace, (x,), {})


def _trace_kernel(x: Any) -> Any:
    if x.dtype.kind != "f":
        return np.trace(x, dtype=np.int64)
    return np.trace(x, dtype=np.float64).astype(x.dtype)


def _trace_vjp(g: Node, out: Node, x: Node) -> tuple[Node]:
    spread = expand(g, (min(x.shape),))
    return (make(diagonal_back, (spread,), {"shape": x.shape, "offset": 0, "dim1": 0, "dim2": 1}),)


trace = primitive(
    "trace", _trace_kernel, lambda inputs, params: ((), inputs[0].dtype if inputs[0].is_floating else INT64),
    family="diagonal", build=_trace, vjp=_trace_vjp, doc="Sum of the diagonal of a matrix.", formula=places.trace,
    latex=typeset.scalar(r"\operatorname{tr}"), numpy="trace",
    batching=written(lambda node: call("sum", call("diagonal", node.inputs[0]))), words=("tr",),
)
