"""The operators of Python as operations: written once, for nodes and for tensors."""

from __future__ import annotations

from typing import Any, Self


class Operators:
    """What has Python's operators; `_operation` says how an operation is applied to it."""

    __slots__ = ()

    def _operation(self, name: str, *operands: Any) -> Any:
        raise NotImplementedError

    def __add__(self, other: Any) -> Self:
        return self._operation("add", self, other)

    def __radd__(self, other: Any) -> Self:
        return self._operation("add", other, self)

    def __sub__(self, other: Any) -> Self:
        return self._operation("sub", self, other)

    def __rsub__(self, other: Any) -> Self:
        return self._operation("sub", other, self)

    def __mul__(self, other: Any) -> Self:
        return self._operation("mul", self, other)

    def __rmul__(self, other: Any) -> Self:
        return self._operation("mul", other, self)

    def __truediv__(self, other: Any) -> Self:
        return self._operation("div", self, other)

    def __rtruediv__(self, other: Any) -> Self:
        return self._operation("div", other, self)

    def __floordiv__(self, other: Any) -> Self:
        return self._operation("floor_divide", self, other)

    def __rfloordiv__(self, other: Any) -> Self:
        return self._operation("floor_divide", other, self)

    def __mod__(self, other: Any) -> Self:
        return self._operation("remainder", self, other)

    def __rmod__(self, other: Any) -> Self:
        return self._operation("remainder", other, self)

    def __pow__(self, other: Any) -> Self:
        return self._operation("pow", self, other)

    def __rpow__(self, other: Any) -> Self:
        return self._operation("pow", other, self)

    def __matmul__(self, other: Any) -> Self:
        return self._operation("matmul", self, other)

    def __rmatmul__(self, other: Any) -> Self:
        return self._operation("matmul", other, self)

    def __and__(self, other: Any) -> Self:
        return self._operation("bitwise_and", self, other)

    def __rand__(self, other: Any) -> Self:
        return self._operation("bitwise_and", other, self)

    def __or__(self, other: Any) -> Self:
        return self._operation("bitwise_or", self, other)

    def __ror__(self, other: Any) -> Self:
        return self._operation("bitwise_or", other, self)

    def __lt__(self, other: Any) -> Self:
        return self._operation("lt", self, other)

    def __le__(self, other: Any) -> Self:
        return self._operation("le", self, other)

    def __gt__(self, other: Any) -> Self:
        return self._operation("gt", self, other)

    def __ge__(self, other: Any) -> Self:
        return self._operation("ge", self, other)

    def __pos__(self) -> Self:
        return self

    def __neg__(self) -> Self:
        return self._operation("neg", self)

    def __abs__(self) -> Self:
        return self._operation("abs", self)

    def __invert__(self) -> Self:
        return self._operation("bitwise_not", self)
