"""NumPy's functions that make arrays; without a dtype these have gradcli's, float32 unless told otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.graph.arguments import as_flag, as_int, as_node
from gradcli.graph.dtypes import DEFAULT_DTYPE
from gradcli.graph.infer import cast
from gradcli.libraries.numpy_arguments import as_dtype, as_lengths, in_dtype, ops, rows


def _filled(name: str) -> Callable[..., Any]:
    return lambda shape, dtype: getattr(ops, name)(as_lengths(shape), dtype=as_dtype(dtype))


def _full(shape: Any, fill_value: Any, dtype: Any) -> Any:
    return ops.full(as_lengths(shape), fill_value, dtype=as_dtype(dtype))


def _full_like(a: Any, fill_value: Any, dtype: Any, shape: Any) -> Any:
    x = as_node(a)
    number = fill_value.item() if isinstance(fill_value, np.generic) else fill_value
    return ops.full(x.shape if shape is None else shape, number, dtype=as_dtype(dtype) or x.dtype)


def _like(number: int) -> Callable[..., Any]:
    return lambda a, dtype, shape: _full_like(a, number, dtype, shape)


def _eye(k: Any, dtype: Any, **lengths: Any) -> Any:
    """Ones on a diagonal, which may be another than the main one."""
    n, m = lengths.values()
    lines, columns, place = as_int(n, "N"), as_int(n if m is None else m, "M"), as_int(k, "k")
    if not place:
        return ops.eye(lines, columns, dtype=as_dtype(dtype))
    ones = ops.eq(ops.unsqueeze(ops.arange(lines), 1) + place, ops.arange(columns))
    return cast(ones, as_dtype(dtype) or DEFAULT_DTYPE.get())


def _arange(start: Any, stop: Any, step: Any, dtype: Any) -> Any:
    return ops.arange(start, stop, 1 if step is None else step, dtype=as_dtype(dtype))


def _linspace(start: Any, stop: Any, num: Any, endpoint: Any, dtype: Any, axis: Any) -> Any:
    count = as_int(num, "num")
    if axis != 0:
        raise GradcliError("numpy.linspace takes numbers, and no axis= here", argument="axis")
    if as_flag(endpoint, "endpoint"):
        return ops.linspace(start, stop, count, dtype=as_dtype(dtype))
    return ops.narrow(ops.linspace(start, stop, count + 1, dtype=as_dtype(dtype)), 0, 0, count)


def _logspace(start: Any, stop: Any, num: Any, endpoint: Any, base: Any, dtype: Any, axis: Any) -> Any:
    return in_dtype(base ** _linspace(start, stop, num, endpoint, None, axis), dtype)


_LIKE = "dtype=None, order='K', subok=None, shape=None, *, device=None"
_FILLED = "shape, dtype=None, order='C', *, device=None, like=None"

ROWS = {
    **rows(
        "object, dtype=None, *, copy=True, order='K', subok=None", array=lambda object, dtype: in_dtype(object, dtype)
    ),
    **rows("a, dtype=None, order='K', *, device=None, copy=None, like=None", asarray=in_dtype, asanyarray=in_dtype),
    **rows("a, order='K', subok=None", copy=lambda a: as_node(a)),
    **rows(_FILLED, zeros=_filled("zeros"), ones=_filled("ones")),
    **rows("shape, fill_value, dtype=None, order='C', *, device=None, like=None", full=_full),
    **rows(f"a, {_LIKE}", ones_like=_like(1), zeros_like=_like(0)),
    **rows(f"a, fill_value, {_LIKE}", full_like=_full_like),
    **rows("N, M=None, k=0, dtype=None, order='C', *, device=None, like=None", eye=_eye),
    **rows("n, dtype=None, *, like=None", identity=lambda n, dtype: ops.eye(n, n, dtype=as_dtype(dtype))),
    **rows("start, stop=None, step=None, dtype=None, *, device=None, like=None", arange=_arange),
    **rows("start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0, *, device=None", linspace=_linspace),
    **rows("start, stop, num=50, endpoint=True, base=10.0, dtype=None, axis=0", logspace=_logspace),
    **rows("x, dtype, *, copy=True, device=None", astype=lambda x, dtype: in_dtype(x, dtype)),
}
