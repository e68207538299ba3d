"""Vectors of numbers in LLVM's language, with Python's operators."""

from __future__ import annotations

from functools import cache
from typing import Any, Protocol

import numpy as np

BOOL = np.dtype(np.bool_)
INT32 = np.dtype(np.int32)
INT64 = np.dtype(np.int64)
FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)

Number = bool | int | float
Operand = Any  # a Vector or a Number; `Vector | Number` would ask for a cast at each operator


@cache
def element_type(dtype: np.dtype) -> str:
    """What LLVM calls an element of the type: `float`, `double`, `i8`, a boolean `i1`."""
    if dtype.kind == "f" and dtype.itemsize >= 4:
        return "float" if dtype.itemsize == 4 else "double"
    if dtype.kind in "iub":
        return "i1" if dtype.kind == "b" else f"i{8 * dtype.itemsize}"
    raise TypeError(f"there are no vectors of {dtype}")


def literal(value: Number, dtype: np.dtype) -> str:
    """A number in IR, with every digit."""
    if dtype.kind == "b":
        return "true" if value else "false"
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return f"0x{int(np.float64(dtype.type(value)).view(np.uint64)):016X}"
    limits = np.iinfo(dtype)
    if not limits.min <= value <= limits.max or value != int(value):
        raise ValueError(f"{value} is no {dtype}")
    return str(int(value))


class Writer(Protocol):
    """What vectors need of their builder."""

    def type(self, dtype: np.dtype) -> str: ...
    def emit(self, text: str, dtype: np.dtype) -> Vector: ...
    def lift(self, value: Operand, dtype: np.dtype) -> Vector: ...
    def select(self, mask: Vector, yes: Operand, no: Operand) -> Vector: ...
    def floor_divide(self, a: Vector, b: Operand) -> Vector: ...
    def remainder(self, a: Vector, b: Operand) -> Vector: ...


class Vector:
    """A value of the function: as many elements of one type as its builder has lanes.

    `number` is what all lanes hold, where the code is written for that number alone.
    """

    __slots__ = ("builder", "dtype", "name", "number")

    def __init__(self, builder: Writer, name: str, dtype: np.dtype, number: Number | None = None) -> None:
        self.builder, self.name, self.dtype, self.number = builder, name, dtype, number

    def known(self, number: Number) -> Vector:
        """The same vector, known to hold this number."""
        return Vector(self.builder, self.name, self.dtype, number)

    @property
    def type(self) -> str:
        return self.builder.type(self.dtype)

    @property
    def typed(self) -> str:
        return f"{self.type} {self.name}"

    def binary(self, other: Operand, floats: str, signed: str, unsigned: str = "", swapped: bool = False) -> Vector:
        """By the opcode for this type."""
        opcode = {"f": floats, "i": signed, "u": unsigned or signed}.get(self.dtype.kind, "")
        if not opcode:
            raise TypeError(f"no {floats or signed} of {self.dtype}")
        left, right = self, self.builder.lift(other, self.dtype)
        if swapped:
            left, right = right, left
        return self.builder.emit(f"{opcode} {left.typed}, {right.name}", self.dtype)

    def __add__(self, other: Operand) -> Vector:
        return self.binary(other, "fadd", "add")

    __radd__ = __add__

    def __sub__(self, other: Operand) -> Vector:
        return self.binary(other, "fsub", "sub")

    def __rsub__(self, other: Operand) -> Vector:
        return self.binary(other, "fsub", "sub", swapped=True)

    def __mul__(self, other: Operand) -> Vector:
        return self.binary(other, "fmul", "mul")

    __rmul__ = __mul__

    def __truediv__(self, other: Operand) -> Vector:
        return self.binary(other, "fdiv", "")

    def __rtruediv__(self, other: Operand) -> Vector:
        return self.binary(other, "fdiv", "", swapped=True)

    def __floordiv__(self, other: Operand) -> Vector:
        return self.builder.floor_divide(self, other)

    def __mod__(self, other: Operand) -> Vector:
        return self.builder.remainder(self, other)

    def __neg__(self) -> Vector:
        if self.dtype.kind == "f":
            return self.builder.emit(f"fneg {self.typed}", self.dtype)
        return 0 - self

    def _bitwise(self, opcode: str, other: Operand) -> Vector:
        if self.dtype.kind == "f":
            raise TypeError(f"no {opcode} of {self.dtype}")
        return self.builder.emit(f"{opcode} {self.typed}, {self.builder.lift(other, self.dtype).name}", self.dtype)

    def __and__(self, other: Operand) -> Vector:
        return self._bitwise("and", other)

    def __or__(self, other: Operand) -> Vector:
        return self._bitwise("or", other)

    def __xor__(self, other: Operand) -> Vector:
        return self._bitwise("xor", other)

    def __invert__(self) -> Vector:
        return self ^ (True if self.dtype.kind == "b" else -1 if self.dtype.kind == "i" else np.iinfo(self.dtype).max)

    def __lshift__(self, other: Operand) -> Vector:
        return self._shift("shl", other)

    def __rshift__(self, other: Operand) -> Vector:
        return self._shift("ashr" if self.dtype.kind == "i" else "lshr", other)

    def _shift(self, opcode: str, other: Operand) -> Vector:
        """Beyond the width, where LLVM says nothing, every bit is shifted out, as NumPy does."""
        most = 8 * self.dtype.itemsize - 1
        if not isinstance(other, Vector) and 0 <= other <= most:
            return self.binary(other, "", opcode)
        count = self.builder.lift(other, self.dtype)
        inside = (count >= 0) & (count <= most)
        shifted = self.binary(self.builder.select(inside, count, most), "", opcode)
        return shifted if opcode == "ashr" else self.builder.select(inside, shifted, 0)

    def compare(self, other: Operand, predicate: str) -> Vector:
        """By `lt`, `le`, `gt`, `ge`, `eq` or `ne`; a NaN differs from everything."""
        if self.dtype.kind == "f":
            code = "fcmp " + ("une" if predicate == "ne" else f"o{predicate}")
        elif predicate in ("eq", "ne"):
            code = f"icmp {predicate}"
        else:
            code = f"icmp {'s' if self.dtype.kind == 'i' else 'u'}{predicate}"
        return self.builder.emit(f"{code} {self.typed}, {self.builder.lift(other, self.dtype).name}", BOOL)

    def __lt__(self, other: Operand) -> Vector:
        return self.compare(other, "lt")

    def __le__(self, other: Operand) -> Vector:
        return self.compare(other, "le")

    def __gt__(self, other: Operand) -> Vector:
        return self.compare(other, "gt")

    def __ge__(self, other: Operand) -> Vector:
        return self.compare(other, "ge")

    def __eq__(self, other: Operand) -> Vector:  # type: ignore[override]
        return self.compare(other, "eq")

    def __ne__(self, other: Operand) -> Vector:  # type: ignore[override]
        return self.compare(other, "ne")

    __hash__ = object.__hash__
