"""Python's arithmetic on numbers: exact for integers, with infinities and NaN where that of others stops."""

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

# Integers are exact up to so many bits, the longest that can be written among them. Expressions come to a million
# operations, and those on longer ones would take too long.
_MAX_BITS = 2**14


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
        return _of_integers(symbol, a, b)
    return _with_infinities(symbol, a, b)


def _of_integers(symbol: str, a: int, b: int) -> Any:
    """What an operator gives for two integers; GradcliError before it takes too long."""
    bits = max(a.bit_length(), b.bit_length())
    if symbol == "**" and abs(a) > 1:
        # The least that it can have: it has no more than twice as many.
        bits = max(bits, (a.bit_length() - 1) * b + 1)
    result = _with_infinities(symbol, a, b) if bits <= _MAX_BITS else None
    if result is None or (isinstance(result, int) and result.bit_length() > _MAX_BITS):
        raise _too_large(symbol)
    return result


def _too_large(symbol: str) -> GradcliError:
    message = f"{symbol} of integers that are too large: they are exact up to {_MAX_BITS:,} bits"
    return GradcliError(message, hint="a decimal point makes a number a floating-point one, as in 2.0**10")


def _with_infinities(symbol: str, a: Any, b: Any) -> Any:
    try:
        result = _NUMBERS[symbol](a, b)
    except (ZeroDivisionError, OverflowError):
        # NumPy goes on where Python stops.
        try:
            wide = [np.float64(fitted(number, FLOAT64)) for number in (a, b)]
        except GradcliError:
            raise GradcliError(f"{symbol} of an integer that is too large for double precision") from None
        with np.errstate(all="ignore"):
            result = _NUMBERS[symbol](*wide).item()
    return math.nan if isinstance(result, complex) else result


def _shifted(symbol: str, a: int, b: int) -> int:
    if b < 0:
        raise GradcliError(f"{symbol} by a negative number", hint=f"use {'>>' if symbol == '<<' else '<<'}")
    if symbol == ">>":
        return a >> min(b, a.bit_length())
    if a.bit_length() + b > _MAX_BITS:
        raise _too_large(symbol)
    return a << b
