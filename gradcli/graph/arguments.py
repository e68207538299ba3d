"""What callers pass, made into what operations take: nodes, dimensions, integers and numbers."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, quoted
from gradcli.graph.dtypes import BOOL, DEFAULT_DTYPE, FLOAT64, INT64, check_dtype
from gradcli.graph.infer import promote_pair
from gradcli.graph.node import MAX_DIMENSIONS, Node, Number, constant, fitted, weak_constant
from gradcli.graph.op import OPS


class Literal(list[Any]):
    """A list written out in an expression: a tensor of float32 where a tensor is wanted, indices where those are."""


class Library:
    """What the prefix of another library stands for: the place of its functions, such as torch.nn.functional."""

    __slots__ = ("place",)

    def __init__(self, place: str) -> None:
        self.place = place


def as_node(value: Any) -> Node:
    """The node of a tensor argument: a node, a number, an array or a (nested) list of numbers."""
    if isinstance(value, Node):
        return value
    if isinstance(value, bool | int | float) and not isinstance(value, np.generic):
        return weak_constant(value)
    if isinstance(value, np.ndarray | np.generic):
        check_dtype(value.dtype)
        return constant(value, value.dtype.newbyteorder("="))
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return list_node(value)
    fields = getattr(value, "_fields", ())
    hint = f"choose one with .{fields[0]}" if fields else array_hint(value)
    raise GradcliError(f"expected a tensor or a number, got {kind_of(value)}", hint=hint)


def array_hint(value: Any) -> str | None:
    """What to do with a tensor or a table of another library."""
    return "numpy.asarray makes an array of it" if hasattr(value, "__array__") else None


def kind_of(value: Any) -> str:
    """What an argument of the wrong kind is, for messages."""
    if hasattr(value, "_fields"):
        return ("the pair " if len(value) == 2 else "the results ") + ", ".join(f".{field}" for field in value._fields)
    if isinstance(value, Node | np.ndarray):
        return "a tensor"
    if isinstance(value, np.dtype):
        return f"the dtype {value}"
    if isinstance(value, Library):
        return f"the library {value.place}"
    shown = {type(None): "None", slice: "a slice", str: "a string", type(Ellipsis): "...", Literal: "a list"}
    name = type(value).__name__
    library = type(value).__module__.partition(".")[0]
    if hasattr(value, "__array__") and library != "gradcli":
        name = f"{library}.{name}"
    return shown.get(type(value)) or f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


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
    for _ in range(MAX_DIMENSIONS):
        items = [item for row in level for item in row]
        if any(isinstance(item, Node) for item in items):
            return True
        level = [item for item in items if isinstance(item, list | tuple)]
        if not level:
            return False
    raise GradcliError(f"a list is nested more than {MAX_DIMENSIONS} levels deep")


def list_array(values: Sequence[Any], exact: bool = False) -> np.ndarray:
    """A nested list of numbers as an array with PyTorch's dtypes (float32, int64, bool); ragged lists are refused.

    NumPy's numbers have a dtype of their own, which a list of `exact` numbers need not have.
    """
    _check_rectangular(values)
    try:
        data = np.array(values)
    except OverflowError:
        raise _too_large() from None
    except (ValueError, RecursionError):
        raise GradcliError("the list cannot be made into a tensor") from None
    dtypes, plain = _dtypes_in(values)
    if dtypes:
        check_dtype(data.dtype)
        mixed = not exact and (plain or len(dtypes) > 1)
        return data.astype(reduce(promote_pair, [*dtypes, *plain])) if mixed else data
    if data.dtype.kind not in "biuf":
        if data.dtype.kind == "O" and all(isinstance(item, Number) for item in data.ravel().tolist()):
            raise _too_large()
        raise GradcliError("a list for a tensor may hold only numbers and lists of numbers")
    if data.dtype.kind in "bf":
        check_dtype(data.dtype)
        with np.errstate(over="ignore"):
            return data if data.dtype.kind == "b" else data.astype(DEFAULT_DTYPE.get())
    if data.dtype.kind == "u":
        raise _too_large()
    return data.astype(INT64)


def _dtypes_in(values: Sequence[Any]) -> tuple[set[np.dtype], set[np.dtype]]:
    """The dtypes of NumPy's numbers and arrays in a nested list, and those that Python's numbers have beside them."""
    level = values
    while level and isinstance(level[0], list | tuple):
        level = [item for row in level for item in row]
    kinds = set(map(type, level))
    if not any(issubclass(kind, np.ndarray | np.generic) for kind in kinds):
        return set(), set()
    dtypes = {item.dtype for item in level if isinstance(item, np.ndarray | np.generic)}
    usual = {bool: BOOL, int: INT64, float: DEFAULT_DTYPE.get()}
    return dtypes, {usual[kind] for kind in kinds & usual.keys()}


def _too_large() -> GradcliError:
    hint = "write it as 1e20, with an exponent"
    return GradcliError("the list holds a number that is too large for int64", hint=hint)


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
            raise GradcliError(
                f"ragged list: rows of {few} and of {many} elements", hint="all rows must have the same length"
            )
        level = [item for row in level for item in row]
    if any(isinstance(item, list | tuple) for item in level):
        raise GradcliError("ragged list: numbers and lists are mixed at one level")


def normalize_axis(axis: Any, ndim: int) -> int:
    """A dimension counted from the left; 0-dim tensors have one virtual dimension, as in PyTorch."""
    axis = as_int(axis, "dim")
    span = max(ndim, 1)
    if not -span <= axis < span:
        have = f"a tensor of {ndim} dimension{'s' if ndim != 1 else ''}"
        hint = f"it must lie between {-span} and {span - 1}"
        raise GradcliError(f"dimension {axis} is out of range for {have}", hint=hint, argument="dim")
    return axis % span


def axis_of(x: Node, dim: Any, name: str) -> int:
    """The dimension along which a function works that takes no 0-dim tensors."""
    if not x.ndim:
        raise GradcliError(f"{name}() needs at least one dimension, the tensor has none")
    return normalize_axis(dim, x.ndim)


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
        number = operator.index(value)
    except TypeError:
        hint = "it decides the form of the result: write the number itself, or x.shape[0] and the like"
        raise GradcliError(
            f"{name} must be an integer, got {shown_value(value)}",
            hint=hint if isinstance(value, Node) else None,
            argument=name,
        ) from None
    if not -(2**63) <= number < 2**63:
        raise GradcliError(f"{name} must fit into int64", argument=name)
    return number


def as_number(value: Any, name: str) -> float:
    """A number argument of an operation."""
    if isinstance(value, bool | int | float | np.number):
        return float(fitted(value, FLOAT64) if isinstance(value, int) else value)
    raise GradcliError(f"{name} must be a number, got {shown_value(value)}", argument=name)


def as_flag(value: Any, name: str) -> bool:
    """An argument that is True or False."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise GradcliError(f"{name} must be True or False, got {shown_value(value)}", argument=name)


def as_choice(value: Any, name: str, choices: Sequence[str]) -> str:
    """An argument that is one of a few words."""
    if isinstance(value, str) and value in choices:
        return value
    hint = f"use {', '.join(repr(c) for c in choices[:-1])} or {choices[-1]!r}"
    if isinstance(value, str):
        raise GradcliError(f"unknown {name} {quoted(value)}", hint=hint, argument=name)
    raise GradcliError(f"{name} must be a string, got {shown_value(value)}", hint=hint, argument=name)


def as_function(value: Any) -> Any:
    """An argument that is called."""
    if callable(value) and not isinstance(value, type):
        return value
    raise GradcliError(f"expected a function, got {shown_value(value)}")


def shown_value(value: Any) -> str:
    """A value of the wrong kind, for messages: itself where it is short and plain."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, int):
        return repr(plain) if abs(plain) < 10**30 else "a number of many digits"
    return repr(plain) if isinstance(plain, float) or (isinstance(plain, str) and len(plain) < 30) else kind_of(value)
