"""One text for the kernel of an elementwise row and for its native form.

A native form takes `v`, the builder of vector expressions, and vectors. `OnArrays` has the builder's functions for
NumPy's arrays, so that the same text computes on these: a row states `**both(form)`, and its two engines cannot differ
by more than the elementary functions do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class OnArrays:
    """The functions of the builder that forms of both kinds use."""

    abs, sqrt, floor, trunc, rint = np.absolute, np.sqrt, np.floor, np.trunc, np.rint
    exp, exp2, expm1, log, log2, log1p = np.exp, np.exp2, np.expm1, np.log, np.log2, np.log1p
    sin, cos, atanh = np.sin, np.cos, np.arctanh
    isnan, copysign, maximum, minimum = np.isnan, np.copysign, np.maximum, np.minimum
    select = staticmethod(np.where)

    def cast(self, x: Any, dtype: np.dtype) -> Any:
        return x.astype(dtype)

    def at_most(self, x: Any, high: float) -> Any:
        return np.where(x > high, np.asarray(high, x.dtype), x)

    def at_least(self, x: Any, low: float) -> Any:
        return np.where(x < low, np.asarray(low, x.dtype), x)


_ON_ARRAYS = OnArrays()


class FormKernel:
    """The kernel that a native form is on arrays."""

    def __init__(self, form: Callable[..., Any]) -> None:
        self.form = form

    def __call__(self, *arrays: Any, **params: Any) -> Any:
        return np.asarray(self.form(_ON_ARRAYS, *arrays, **params))


def both(form: Callable[..., Any]) -> dict[str, Any]:
    """What a row states of its kernel and its native form."""
    return {"kernel": FormKernel(form), "native": form}
