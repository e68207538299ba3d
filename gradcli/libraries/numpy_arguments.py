"""Arguments as NumPy has them: axes, dtypes, lists of arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import gradcli.ops  # noqa: F401
from gradcli.errors import GradcliError
from gradcli.graph.arguments import as_int, as_node
from gradcli.graph.dtypes import check_dtype, to_float
from gradcli.graph.infer import cast
from gradcli.graph.node import Node
from gradcli.graph.op import OPS, Op
from gradcli.libraries.foreign_function import Harmless

#: Those that NumPy's functions share.
HARMLESS: Harmless = {
    "out": (None,),
    "initial": (None,),
    "where": (None, True),
    "order": (None, "C", "K", "A"),
    "copy": (None, True, False),
    "casting": ("same_kind",),
    "subok": (None, True, False),
    "device": (None, "cpu"),
    "like": (None,),
    "kind": (None, "quicksort", "mergesort", "heapsort", "stable"),
    "stable": (None, True, False),
    "overwrite_input": (True, False),
    "optimize": (None, True, False, "greedy", "optimal"),
    "returned": (False,),
    "retstep": (False,),
    "hermitian": (False,),
    "sparse": (False,),
}

HINT = "use gradcli's functions, or x.detach().numpy()"


class LibraryRow(NamedTuple):
    """A function: its arguments, as NumPy has them, and what answers those that are not harmless."""

    text: str
    answer: Callable[..., Any]
    family: str = ""


def rows(text: str, **answers: Callable[..., Any]) -> dict[str, LibraryRow]:
    """Functions with the same arguments; the name of one in a folder is written with two underscores: linalg__inv."""
    return {name.replace("__", "."): LibraryRow(text, answer) for name, answer in answers.items()}


def as_axis(axis: Any, ndim: int) -> int:
    """An axis counted from the left; in NumPy a tensor without dimensions has none."""
    axis = as_int(axis, "axis")
    if not -ndim <= axis < ndim:
        raise GradcliError(f"axis {axis} is out of range for an array of {ndim} dimensions", argument="axis")
    return axis % ndim


def as_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """One axis or several, each once; all of them for None."""
    if axis is None:
        return tuple(range(ndim))
    axes = tuple([as_axis(a, ndim) for a in (axis if isinstance(axis, tuple | list) else (axis,))])
    if len(set(axes)) != len(axes):
        raise GradcliError(f"axis {max(axes, key=axes.count)} appears twice", argument="axis")
    return axes


def as_dtype(dtype: Any) -> np.dtype | None:
    """NumPy's meaning of a dtype: float is float64, int is int64."""
    if dtype is None:
        return None
    try:
        found = np.dtype(dtype)
    except (TypeError, ValueError):
        raise GradcliError("dtype must name a dtype such as float64", argument="dtype") from None
    check_dtype(found)
    return found


def in_dtype(a: Any, dtype: Any) -> Node:
    """An array in the dtype that is asked for, if any is; of numbers written out those that do not fit are refused."""
    target = as_dtype(dtype)
    return as_node(a) if target is None else ops.tensor(a, target)


def as_floating(a: Any, dtype: Any = None) -> Node:
    """An array of real numbers: integers become what functions with real results make of them."""
    x = in_dtype(a, dtype)
    return cast(x, to_float(x.dtype))


def as_arrays(arrays: Any, name: str) -> list[Node]:
    """A list of arrays; an array stands for the list of its rows."""
    if isinstance(arrays, Node) and arrays.ndim:
        return list(ops.unbind(arrays, 0))
    if not isinstance(arrays, tuple | list) or not arrays:
        raise GradcliError(f"{name} takes a list of arrays", hint=f"for example, {name}([x, y])")
    return [as_node(a) for a in arrays]


def as_lengths(shape: Any) -> tuple[int, ...]:
    """A shape, or the length of one with a single dimension."""
    lengths: Sequence[Any] = shape if isinstance(shape, tuple | list) else (shape,)
    found = tuple([as_int(n, "shape") for n in lengths])
    if any(n < 0 for n in found):
        raise GradcliError("a shape has no negative lengths", argument="shape")
    return found


def plain(row: str, real: bool = False) -> Callable[..., Any]:
    """The row of this name, which takes the same arguments in the same order; of real numbers first if it must."""

    def answer(**given: Any) -> Any:
        first, *others = given.values()
        return OPS[row](as_floating(first) if real else first, *others)

    return answer


class _Operations:
    """The rows as attributes: the module of one is imported when it is called."""

    def __getattr__(self, name: str) -> Op:
        try:
            return OPS[name]
        except KeyError:
            # Who looks whether there is such an attribute, as doctest does of all names, expects this.
            raise AttributeError(name) from None


ops = _Operations()
