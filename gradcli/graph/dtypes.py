"""The element types, by the names of the language, and the default one."""

from __future__ import annotations

from contextvars import ContextVar

import numpy as np

from gradcli.errors import GradcliError

FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)
INT64 = np.dtype(np.int64)
BOOL = np.dtype(np.bool_)

_NAMES = (
    "bool uint8 uint16 uint32 uint64 int8 int16 short=int16 int32 int=int32 int64 long=int64 "
    "float16 half=float16 float32 float=float32 float64 double=float64"
)
# The names that expressions and Python callers use; numpy's own dtype objects stand behind them.
DTYPES = {name: np.dtype(other or name) for name, _, other in (word.partition("=") for word in _NAMES.split())}

#: The dtype of literals, of created tensors and of real functions of integers (`--dtype`, `set_default_dtype`).
DEFAULT_DTYPE: ContextVar[np.dtype] = ContextVar("gradcli_default_dtype", default=FLOAT32)

CATEGORY = {"b": 0, "u": 1, "i": 1, "f": 2}


def check_dtype(dtype: np.dtype) -> None:
    """Refuse what gradcli does not compute with: complex, strings, objects, dates, records."""
    if dtype.kind not in CATEGORY or dtype.itemsize > 8:
        hint = "use bool, an integer type, float16, float32 or float64"
        raise GradcliError(f"dtype {dtype} is not supported", hint=hint)


def is_half(dtype: np.dtype) -> bool:
    """Whether it is float16, in any byte order."""
    return dtype.char == "e"


def is_wider(dtype: np.dtype, other: np.dtype) -> bool:
    """Whether it holds every number of a narrower floating-point type."""
    return dtype.kind == other.kind == "f" and dtype.itemsize > other.itemsize


def to_float(dtype: np.dtype) -> np.dtype:
    """The dtype that a function with real results computes in: integers become the default dtype, float32."""
    return dtype if dtype.kind == "f" else DEFAULT_DTYPE.get()
