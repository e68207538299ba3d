"""How many threads the BLAS that NumPy brings may use: one inside blocks, where every core has a block already."""

from __future__ import annotations

import contextlib
import ctypes
import glob
import os
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

_NAMES = (
    "scipy_openblas_{}_num_threads64_",
    "scipy_openblas_{}_num_threads",
    "openblas_{}_num_threads64_",
    "openblas_{}_num_threads",
)


@cache
def _functions() -> tuple[Any, Any] | None:
    """What sets and gets the number of threads of NumPy's OpenBLAS; None where another BLAS is at work."""
    package = os.path.dirname(np.__file__)
    places = (os.path.join(package, os.pardir, "numpy.libs"), os.path.join(package, ".dylibs"))
    for library in (path for place in places for path in sorted(glob.glob(os.path.join(place, "*openblas*")))):
        with contextlib.suppress(OSError):
            # It is loaded already: this only gives a handle to it.
            handle = ctypes.CDLL(library)
            for name in _NAMES:
                setter, getter = (getattr(handle, name.format(verb), None) for verb in ("set", "get"))
                if setter is not None and getter is not None:
                    return setter, getter
    return None


@cache
def always_one_thread() -> None:
    """From now on BLAS computes in the thread that calls it: for processes whose blocks are begun and ended by many."""
    functions = _functions()
    if functions is not None:
        functions[0](1)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Within this block BLAS computes in the thread that calls it."""
    functions = _functions()
    before = functions[1]() if functions is not None else 1
    if functions is None or before == 1:
        yield
        return
    functions[0](1)
    try:
        yield
    finally:
        functions[0](before)
