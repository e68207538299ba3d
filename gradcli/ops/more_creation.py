"""More rows that create tensors: like another one, of one number, and of what is there."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.arguments import as_node, shown_value
from gradcli.graph.dtypes import DEFAULT_DTYPE
from gradcli.graph.infer import cast
from gradcli.graph.node import Node, constant, fitted
from gradcli.graph.op import Op
from gradcli.ops.create import full, tensor, zeros, zeros_like
from gradcli.ops.elementwise import clone, detach, to
from gradcli.ops.family import composite, to_dtype
from gradcli.ops.notation import typeset

_UNSET = "PyTorch leaves them as they happen to be in memory, here they are zeros."

# In the dtype of another ----------------------------------------------------------------------------------------------


def _new(name: str, number: int, doc: str) -> Op:
    def build(input: Any, size: Any, dtype: Any) -> Node:
        return full(size, number, dtype=to_dtype(dtype) or as_node(input).dtype)

    return composite(
        name, build, args="input, *size, dtype=None", family="create", torch=f"Tensor.{name}", doc=doc,
        example=(f"{name}(input, 2)", "input:1"),
    )


def _new_tensor(input: Any, data: Any, dtype: Any) -> Node:
    target = to_dtype(dtype) or as_node(input).dtype
    if isinstance(data, Node):
        # A copy, that what is done to one is not done to the other.
        return detach(clone(data) if data.dtype == target else cast(data, target))
    return tensor(data, dtype=target)


new_zeros = _new("new_zeros", 0, "Zeros in the dtype of a tensor.")
new_ones = _new("new_ones", 1, "Ones in the dtype of a tensor.")
new_empty = _new("new_empty", 0, f"Elements in the dtype of a tensor: {_UNSET}")
new_full = composite(
    "new_full",
    lambda input, size, fill_value, dtype: full(size, fill_value, dtype=to_dtype(dtype) or as_node(input).dtype),
    args="input, size, fill_value, *, dtype=None", family="create", torch="Tensor.new_full",
    doc="One number in the dtype of a tensor.", example=("new_full(input, (2, 3), 7.)", "input:1"),
)
new_tensor = composite(
    "new_tensor", _new_tensor, args="input, data, *, dtype=None", family="create", torch="Tensor.new_tensor",
    doc="A tensor from a list or a number in the dtype of another, or an untracked copy of one in this dtype.",
    example=("new_tensor(input, [1, 2])", "input:1"),
)

# Unset ----------------------------------------------------------------------------------------------------------------

empty = composite(
    "empty", lambda size, dtype: zeros(size, dtype=dtype), args="*size, dtype=None", family="create",
    doc=f"Elements to be filled: {_UNSET}", numpy="zeros",
)
empty_like = composite(
    "empty_like", lambda input, dtype: zeros_like(input, dtype=dtype), args="input, *, dtype=None", family="create",
    doc=f"Elements in the shape of a tensor: {_UNSET}", latex=typeset.zeros_like, numpy="zeros_like",
)

# Of what is there -----------------------------------------------------------------------------------------------------


def _scalar_tensor(s: Any, dtype: Any) -> Node:
    if not isinstance(s, bool | int | float):
        raise GradcliError(f"scalar_tensor() needs a number, got {shown_value(s)}", argument="s")
    return constant(fitted(s, to_dtype(dtype) or DEFAULT_DTYPE.get()))


def _as_tensor(data: Any, dtype: Any) -> Node:
    if isinstance(data, Node) and not data.weak:
        target = to_dtype(dtype)
        return data if target is None or target == data.dtype else to(data, dtype=target)
    return tensor(data, dtype=dtype)


scalar_tensor = composite(
    "scalar_tensor", _scalar_tensor, args="s: number, *, dtype=None", family="create", latex=typeset.first,
    doc="A number as a 0-dim tensor of the default dtype, whatever kind of number it is.", numpy="asarray",
)
as_tensor = composite(
    "as_tensor", _as_tensor, args="data, dtype=None", family="create", aliases=("asarray",), latex=typeset.first,
    doc="A tensor from a list, a number or an array; a tensor stays what it is, with its gradient.", numpy="asarray",
)
