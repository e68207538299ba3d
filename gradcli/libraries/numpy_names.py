"""NumPy's functions by their names: the one table for `np.std(x)` in an expression, and on tensors in Python.

Where NumPy means something else than PyTorch by a name or an argument, NumPy's meaning counts here; what has none is
refused, so that nothing is computed that a reader of NumPy's documentation would not expect.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

from gradcli.errors import GradcliError
from gradcli.libraries import numpy_elementwise
from gradcli.libraries.foreign_function import LibraryFunction
from gradcli.libraries.numpy_arguments import HARMLESS, HINT, LibraryRow, in_dtype

# The modules of the tables, which are imported one after the other until a name is found.
_TABLES = ("elementwise", "reductions", "shapes", "products", "creation")

_DTYPES = "bool bool_ uint8 uint16 uint32 uint64 int8 int16 int32 int64 int_ float16 half float32 single float64 double"
# Called, the name of a dtype converts.
_CONVERTING = frozenset(_DTYPES.split())


# The names are a user's, who may ask for any number of them.
@lru_cache(maxsize=512)
def numpy_row(name: str) -> LibraryRow | None:
    """The row of a function below `numpy`, such as sum or linalg.inv; None where there is none."""
    row = numpy_elementwise.ufunc_row(name)
    for table in () if row else _TABLES:
        row = row or _table(table).get(name)
    if row is None and name in _CONVERTING:
        return LibraryRow("x", lambda x: in_dtype(x, name.rstrip("_")))
    return row


def numpy_names() -> list[str]:
    """All names below `numpy`."""
    ufuncs = [*numpy_elementwise.OWN, *numpy_elementwise.SAME]
    return [*ufuncs, *(name for table in _TABLES for name in _table(table)), *sorted(_CONVERTING)]


def numpy_at(place: str, library: str = "numpy") -> LibraryFunction | None:
    """The function of a place such as `numpy.linalg.inv`, or where another library has it."""
    row = numpy_row(place.removeprefix(f"{library}."))
    return None if row is None else LibraryFunction(place, row.text, row.answer, HARMLESS, HINT, row.family)


def numpy_function(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a function of NumPy gives for nodes; GradcliError where gradcli has no answer of the same meaning."""
    module = getattr(function, "__module__", None) or ""
    return _called(f"{module}.{function.__name__}".removeprefix("numpy."), args, kwargs)


def numpy_ufunc(ufunc: Any, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a ufunc of NumPy gives for nodes."""
    return _called(ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}", args, kwargs)


def _called(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    function = numpy_at(f"numpy.{name}")
    if function is None:
        raise GradcliError(f"numpy.{name} has no gradient here", hint=HINT)
    return function(*args, **kwargs)


def _table(name: str) -> dict[str, LibraryRow]:
    return import_module(f"gradcli.libraries.numpy_{name}").ROWS
