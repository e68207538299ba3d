"""JSON by `orjson`, an extra, where it gives what Python's own module and `to_json` give."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

# Beyond, it writes exponents in another way, or where there are none here.
_LEAST, _MOST = 1e-4, 1e12


@cache
def fast_json() -> Any:
    """The module, None where it is not installed."""
    try:
        import orjson
    except ImportError:
        return None
    return orjson


def fast_text(array: np.ndarray) -> str | None:
    """Nested lists without spaces, of floats in their fewest digits; None where this is not what `to_json` writes."""
    fast = fast_json()
    if fast is None or array.dtype.kind != "f" or array.dtype.itemsize < 4:
        return None
    size = np.abs(array)
    # Of NaN nothing holds.
    if not (size.max(initial=0) < _MOST and (size.min(initial=1) >= _LEAST or ((size >= _LEAST) | (size == 0)).all())):
        return None
    return fast.dumps(array, option=fast.OPT_SERIALIZE_NUMPY).decode("ascii")
