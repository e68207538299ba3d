"""Python's arithmetic on numbers, with infinities and NaN where Python would stop or never end."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.graph.dtypes import FLOAT64
from gradcli.graph.node import fitted

_NUMBERS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "<<": operator.lshift,
    ">>": operator.rshift,
}

# Whole numbers beyond this many bits are of no use to a tensor and could take forever to compute.
_MAX_BITS = 2048


def calculated(symbol: str, a: Any, b: Any) -> Any:
    """What an operator of the language gives for two numbers."""
    if symbol == "@":
        raise GradcliError("@ multiplies matrices, not numbers", hint="use *")
    if symbol in ("&", "|", "^", "<<", ">>") and (isinstance(a, float) or isinstance(b, float)):
        hint = "use ** for powers" if symbol == "^" else "compare first, as in x > 0" if symbol in "&|" else None
        raise GradcliError(f"{symbol} is defined for booleans and integers", hint=hint)
    if symbol in ("<<", ">>"):
        return _shifted(symbol, a, b)
    if isinstance(a, int) and isinstance(b, int):
        bits = max(a.bit_length(), b.bit_length())
        if symbol == "**" and abs(a) > 1:
            bits = max(bits, a.bit_length() * max(b, 0))
        if bits > _MAX_BITS:
            a, b = float(fitted(a, FLOAT64)), float(fitted(b, FLOAT64))
    try:
        result = _NUMBERS[symbol](a, b)
    except (ZeroDivisionError, OverflowError):
        # NumPy goes on where Python stops.
        with np.errstate(all="ignore"):
            result = _NUMBERS[symbol](np.float64(fitted(a, FLOAT64)), np.float64(fitted(b, FLOAT64))).item()
    return math.nan if isinstance(result, complex) else result


def _shifted(symbol: str, a: int, b: int) -> int:
    if b < 0:
        raise GradcliError(f"{symbol} by a negative number", hint=f"use {'>>' if symbol == '<<' else '<<'}")
    if symbol == ">>":
        return a >> min(b, _MAX_BITS)
    if a.bit_length() + b > _MAX_BITS:
        raise GradcliError("<< gives a number of too many bits", hint="multiply by a power of 2.0")
    return a << b
