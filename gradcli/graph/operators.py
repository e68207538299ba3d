"""The operators of Python as operations: written once, for nodes and for tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, TypeVar

S = TypeVar("S", bound="Operators")


def _binary(name: str) -> Callable[[S, Any], S]:
    """The method of an operator between two operands."""

    def operator(self: S, other: Any) -> S:
        return self._operation(name, self, other)

    return operator


def _reflected(name: str) -> Callable[[S, Any], S]:
    """The method for the right operand, where the left one is a number or an array."""

    def operator(self: S, other: Any) -> S:
        return self._operation(name, other, self)

    return operator


def _unary(name: str) -> Callable[[S], S]:
    def operator(self: S) -> S:
        return self._operation(name, self)

    return operator


class Operators:
    """What has Python's operators; `_operation` says how an operation is applied to it."""

    __slots__ = ()

    def _operation(self, name: str, *operands: Any) -> Any:
        raise NotImplementedError

    __add__, __radd__ = _binary("add"), _reflected("add")
    __sub__, __rsub__ = _binary("sub"), _reflected("sub")
    __mul__, __rmul__ = _binary("mul"), _reflected("mul")
    __truediv__, __rtruediv__ = _binary("div"), _reflected("div")
    __floordiv__, __rfloordiv__ = _binary("floor_divide"), _reflected("floor_divide")
    __mod__, __rmod__ = _binary("remainder"), _reflected("remainder")
    __pow__, __rpow__ = _binary("pow"), _reflected("pow")
    __matmul__, __rmatmul__ = _binary("matmul"), _reflected("matmul")
    __and__, __rand__ = _binary("bitwise_and"), _reflected("bitwise_and")
    __or__, __ror__ = _binary("bitwise_or"), _reflected("bitwise_or")
    __xor__, __rxor__ = _binary("bitwise_xor"), _reflected("bitwise_xor")
    __lshift__, __rlshift__ = _binary("bitwise_left_shift"), _reflected("bitwise_left_shift")
    __rshift__, __rrshift__ = _binary("bitwise_right_shift"), _reflected("bitwise_right_shift")
    __lt__, __le__, __gt__, __ge__ = _binary("lt"), _binary("le"), _binary("gt"), _binary("ge")
    __neg__, __abs__, __invert__ = _unary("neg"), _unary("abs"), _unary("bitwise_not")

    def __pos__(self) -> Self:
        return self
