"""Postfix code back to text, with as few parentheses as Python's precedence allows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

# How tightly each construct binds. A number is put in parentheses before a dot: `2.x` would begin with `2.`.
_CONDITIONAL, _COMPARISON, _SUM, _PRODUCT, _UNARY, _POWER, _NUMBER, _POSTFIX = 0, 1, 6, 7, 8, 9, 10, 11
_BINDING = {
    **dict.fromkeys(["<", "<=", ">", ">=", "==", "!="], _COMPARISON),
    "|": 2,
    "^": 3,
    "&": 4,
    **dict.fromkeys(["<<", ">>"], 5),
    **dict.fromkeys(["+", "-"], _SUM),
    **dict.fromkeys(["*", "/", "//", "%", "@"], _PRODUCT),
    "**": _POWER,
}

# The first leaf of an operand, and how tightly the operand binds. It ends where the next operand begins.
_Operand = tuple[int, int]
_Call = tuple[str, int, tuple[str, ...]]


def written(code: Iterable[tuple[str, Any, int, int]]) -> str:
    """The text of one expression's instructions (those of `gradcli.language.parse.Instr`)."""
    writer = _TextWriter()
    for op, arg, _, _ in code:
        getattr(writer, op)(arg)
    return writer.text()


class _TextWriter:
    """A list of leaves with what stands before and after each, so that no text is copied more than once.

    `before` grows outwards: what was put there last is written first. Each method is the op of an instruction.
    """

    def __init__(self) -> None:
        self.leaves: list[str] = []
        self.before: list[list[str]] = []
        self.after: list[list[str]] = []
        self.operands: list[_Operand] = []

    def text(self) -> str:
        parts: list[str] = []
        for before, leaf, after in zip(self.before, self.leaves, self.after, strict=True):
            parts += reversed(before)
            parts.append(leaf)
            parts += after
        return "".join(parts)

    def _leaf(self, text: str, binding: int = _POSTFIX) -> None:
        self.operands.append((len(self.leaves), binding))
        self.leaves.append(text)
        self.before.append([])
        self.after.append([])

    def _pop(self, count: int) -> list[_Operand]:
        first = len(self.operands) - count
        popped = self.operands[first:]
        del self.operands[first:]
        return popped

    def _enclose(self, operand: _Operand, end: int, needed: int) -> None:
        """Parentheses around the leaves up to `end` if they bind less tightly than `needed`."""
        if operand[1] < needed:
            self.before[operand[0]].append("(")
            self.after[end - 1].append(")")

    def number(self, value: int | float) -> None:
        # A literal too large for a float is infinite, and "inf" would be a name.
        large = abs(value) >= 2**1024 if isinstance(value, int) else math.isinf(value)
        self._leaf("1e999" if large else repr(value), _NUMBER)

    def name(self, name: str) -> None:
        # Where steps are told, a constant stands as a name that is its number.
        self._leaf(name, _UNARY if name[:1] == "-" else _NUMBER if name[:1].isdigit() else _POSTFIX)

    prefix = name

    def function(self, named: tuple[str]) -> None:
        self._leaf(named[0])

    def string(self, text: str) -> None:
        self._leaf(f'"{text}"' if "'" in text else f"'{text}'")

    def ellipsis(self, _: None) -> None:
        self._leaf("...")

    def unary(self, operator: str) -> None:
        (operand,) = self._pop(1)
        self._enclose(operand, len(self.leaves), _UNARY)
        self.before[operand[0]].append(operator)
        self.operands.append((operand[0], _UNARY))

    def binary(self, operator: str) -> None:
        left, right = self._pop(2)
        binding = _BINDING[operator]
        # A comparison within another is no chain, powers bind a sign on their right, all else groups to the left.
        left_needed = binding + (binding in (_COMPARISON, _POWER))
        right_needed = _UNARY if binding == _POWER else binding + 1
        self._enclose(left, right[0], left_needed)
        self._enclose(right, len(self.leaves), right_needed)
        self.before[right[0]].append(operator if binding >= _PRODUCT else f" {operator} ")
        self.operands.append((left[0], binding))

    def compare(self, operators: tuple[str, ...]) -> None:
        items = self._pop(len(operators) + 1)
        for item, following in zip(items, [*items[1:], (len(self.leaves), 0)], strict=True):
            self._enclose(item, following[0], _COMPARISON + 1)
        for (first, _), symbol in zip(items[1:], operators, strict=True):
            self.before[first].append(f" {symbol} ")
        self.operands.append((items[0][0], _COMPARISON))

    def conditional(self, _: None) -> None:
        value, condition, other = self._pop(3)
        self._enclose(value, condition[0], _COMPARISON)
        self._enclose(condition, other[0], _COMPARISON)
        self.before[condition[0]].append(" if ")
        self.before[other[0]].append(" else ")
        self.operands.append((value[0], _CONDITIONAL))

    def _separate(self, items: Sequence[_Operand], opening: str, closing: str, keywords: Sequence[str] = ()) -> None:
        """Write items (at least one) with commas in between and brackets around, the last of them by keyword."""
        names = [""] * (len(items) - len(keywords)) + [f"{keyword}=" for keyword in keywords]
        for i, ((first, _), name) in enumerate(zip(items, names, strict=True)):
            self.before[first] += [name, ", " if i else opening]
        self.after[-1].append(closing)

    def call(self, arg: _Call) -> None:
        name, positional, keywords = arg
        self._sequence(positional + len(keywords), f"{name}(", ")", keywords)

    def _receiver(self, items: Sequence[_Operand]) -> None:
        """Take the receiver of a construct written after it, whose items are `items`."""
        (receiver,) = self._pop(1)
        self._enclose(receiver, items[0][0] if items else len(self.leaves), _POSTFIX)
        self.operands.append((receiver[0], _POSTFIX))

    def method(self, arg: _Call) -> None:
        name, positional, keywords = arg
        items = self._pop(positional + len(keywords))
        self._receiver(items)
        if items:
            self._separate(items, f".{name}(", ")", keywords)
        else:
            self.after[-1].append(f".{name}()")

    def attribute(self, name: str) -> None:
        self._receiver(())
        self.after[-1].append(f".{name}")

    def index(self, count: int) -> None:
        items = self._pop(count)
        self._receiver(items)
        self._separate(items, "[", "]")

    def slice(self, present: tuple[bool, bool, bool]) -> None:
        bounds = self._pop(sum(present))
        if not bounds:
            self._leaf(":")
            return
        has_start, has_stop, has_step = present
        if has_step:
            self.before[bounds[-1][0]].append(":" if has_stop else "::")
        if has_stop:
            self.before[bounds[int(has_start)][0]].append(":")
        elif not has_step:
            self.after[-1].append(":")
        self.operands.append((bounds[0][0], _POSTFIX))

    def list(self, length: int) -> None:
        self._sequence(length, "[", "]")

    def tuple(self, length: int) -> None:
        self._sequence(length, "(", ",)" if length == 1 else ")")

    def _sequence(self, length: int, opening: str, closing: str, keywords: Sequence[str] = ()) -> None:
        items = self._pop(length)
        if not items:
            self._leaf(opening + closing)
            return
        self._separate(items, opening, closing, keywords)
        self.operands.append((items[0][0], _POSTFIX))
