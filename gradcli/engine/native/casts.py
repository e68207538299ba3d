"""Conversions between element types, as C makes them on x86 and NumPy shows them; none is undefined."""

from __future__ import annotations

import numpy as np

from gradcli.engine.native.expressions import Expressions
from gradcli.engine.native.vectors import FLOAT64, INT32, INT64, Vector

UINT64 = np.dtype(np.uint64)


def cast(v: Expressions, x: Vector, dtype: np.dtype) -> Vector:
    """The same numbers as another type. Integers wrap around; to a float it is rounded to the nearest."""
    if x.dtype == dtype:
        return x
    if dtype.kind == "b":
        return x != 0
    if x.dtype.kind == "f":
        return _of_float(v, x, dtype)
    if dtype.kind == "f":
        return _convert(v, "sitofp" if x.dtype.kind == "i" else "uitofp", x, dtype)
    return _of_integer(v, x, dtype)


def _convert(v: Expressions, opcode: str, x: Vector, dtype: np.dtype) -> Vector:
    return v.emit(f"{opcode} {x.typed} to {v.type(dtype)}", dtype)


def _of_integer(v: Expressions, x: Vector, dtype: np.dtype) -> Vector:
    if x.dtype.kind == "b":
        return _convert(v, "zext", x, dtype)
    if x.dtype.itemsize == dtype.itemsize:
        return v.value(x.name, dtype)  # LLVM's integers have no sign
    if x.dtype.itemsize > dtype.itemsize:
        return _convert(v, "trunc", x, dtype)
    return _convert(v, "sext" if x.dtype.kind == "i" else "zext", x, dtype)


def _of_float(v: Expressions, x: Vector, dtype: np.dtype) -> Vector:
    if dtype.kind == "f":
        return _convert(v, "fpext" if dtype == FLOAT64 else "fptrunc", x, dtype)
    if dtype == UINT64:
        half = 2.0**63
        upper = _whole(v, x - half, INT64) ^ np.iinfo(np.int64).min
        return v.value(v.select(x >= half, upper, _whole(v, x, INT64)).name, dtype)
    # Narrow types have the lower bits of a wider one, as the processor converts to 32 and 64 bits only.
    wide = INT64 if dtype.itemsize == 8 or dtype == np.uint32 else INT32
    return cast(v, _whole(v, x, wide), dtype)


def _whole(v: Expressions, x: Vector, dtype: np.dtype) -> Vector:
    """Rounded to zero; what does not fit, and NaN, become the smallest number."""
    limit = -float(np.iinfo(dtype).min)
    # -2**31 - 0.5 still fits, but only float64 has such numbers.
    fits = (x > -limit - 1) & (x < limit) if x.dtype == FLOAT64 and dtype == INT32 else (x >= -limit) & (x < limit)
    return v.select(fits, _convert(v, "fptosi", x, dtype), np.iinfo(dtype).min)
