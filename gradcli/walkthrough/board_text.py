"""Steps as text for a terminal or a page of fixed width: columns, PyTorch's prints in the last one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gradcli.render.marks import Heading, Marked, Tree
from gradcli.render.text import Style, format_tensor
from gradcli.walkthrough import board_words as words
from gradcli.walkthrough.step_types import Arrival, BackwardStep, Told

_INDENT = 2
_GAP = 3
# Lines of tensors have this much room beside other columns where they need it; a number alone has less.
_TENSOR, _NARROWEST = 30, 12
# One of more lines is moved to the left, if it has fewer there.
_TALL = 6
# What starts the backward pass, and what ends it at an input.
_START, _ACCUMULATE = "start", "AccumulateGrad"


def walkthrough_text(told: Told, width: int = 80, precision: int = 4) -> Marked:
    """The steps in lines of at most `width` columns, but for single words that are longer."""
    writer = _BoardWriter(max(width, 40), precision)
    lines = [Heading("forward"), *writer.forward(told)]
    if told.backward:
        lines += ["", Heading("backward"), *writer.backward(told)]
    unreached = told.unreached if told.backward else ()
    notes = [told.note or "", *(f"{name}.grad  None: the value does not depend on {name}" for name in unreached)]
    told_of = [f"  {line}" for note in notes if note for line in _wrapped(note, writer.width - _INDENT)]
    return Marked(_pieces([*lines, *(["", *told_of] if told_of else [])]))


def _pieces(lines: list[Any]) -> Iterator[str]:
    for k, line in enumerate(lines):
        yield "\n" if k else ""
        if isinstance(line, tuple):
            yield from line
        else:
            yield line


class _BoardWriter:
    """Rows of cells, the last of which is a tensor."""

    def __init__(self, width: int, precision: int) -> None:
        self.width = width
        self.precision = precision

    def forward(self, told: Told) -> Iterator[Any]:
        rows = [(words.call_of(step, told), words.statement(step), step) for step in told.forward]
        needed = self._needed([self._shown(step.value, step.grad_fn, step.requires_grad) for step in told.forward])
        column = self._column([len(text) + _INDENT * bool(call) for call, text, _ in rows], _INDENT, needed)
        before = ""
        for k, (call, text, step) in enumerate(rows):
            if call != before and call:
                yield f"{' ' * _INDENT}{call}:"
            before = call
            indent = _INDENT * (2 if call else 1)
            yield from self._row("", indent, text, column, "", (step.value, step.grad_fn, step.requires_grad))
            if told.leaves_out_after(k):
                yield f"{' ' * _INDENT}… {words.left_out(told)}"

    def backward(self, told: Told) -> Iterator[Any]:
        rows = list(_rows(told))
        first = max(len(name) for name, _, _, _ in rows) + _INDENT + _GAP
        labels = max(len(label) for _, _, label, _ in rows)
        needed = self._needed([self._shown(array) for _, _, _, array in rows if array is not None])
        column = self._column([len(text) for _, text, _, _ in rows], first, needed + labels + 1)
        for name, text, label, array in rows:
            tensor = None if array is None else (array, None, False)
            yield from self._row(name, first, text, column, label, tensor)

    def _column(self, lengths: list[int], start: int, needed: int) -> int:
        """Where the last column begins: as far to the right as texts ask for, and as far to the left as it needs."""
        most = max(self.width - needed, 2 * _INDENT)
        fitting = [start + length + _GAP for length in lengths if start + length + _GAP <= most]
        return max(fitting, default=min(start + _GAP, most))

    def _needed(self, shown: list[str]) -> int:
        """The room that tensors need that are printed in narrow lines."""
        return max((len(line) for text in shown for line in text.split("\n")), default=0)

    def _shown(
        self, value: Any, grad_fn: str | None = None, requires_grad: bool = False, *, start: int | None = None
    ) -> str:
        """A tensor as PyTorch prints it in lines that begin at a column, or else in narrow ones."""
        room = width = _TENSOR if start is None else max(self.width - start, _NARROWEST)
        while True:
            style = Style(precision=self.precision, linewidth=width)
            text = format_tensor(value, grad_fn=grad_fn, requires_grad=requires_grad, style=style)
            over = max(map(len, text.split("\n"))) - room
            # PyTorch does not count brackets at the end of a line.
            if over <= 0 or width <= _NARROWEST:
                return text
            width -= over

    def _row(self, name: str, indent: int, text: str, column: int, label: str, tensor: Any) -> Iterator[Any]:
        """A row: its texts where they fit before the last column, otherwise on lines of their own above it."""
        head = f"{' ' * _INDENT}{name}".ljust(indent if text else 0) if name else " " * (indent if text else _INDENT)
        lead: list[Any] = [head[:_INDENT], *((Tree(name),) if name else ()), head[_INDENT + len(name) :]]
        used = len(head) + len(text)
        if tensor is None:
            yield from self._own_lines(lead, len(head), text)
            return
        column, lines = self._placed(tensor, column, label)
        if used >= column - 1 and (text or used >= column):
            yield from self._own_lines(lead, len(head), text)
            lead, used, text = [], 0, ""
        start = column + len(label) + bool(label)
        yield (*lead, text, " " * (column - used), f"{label} " if label else "", lines[0])
        yield from (" " * start + line if line else "" for line in lines[1:])

    def _own_lines(self, lead: list[Any], start: int, text: str) -> Iterator[Any]:
        first, *others = _wrapped(text, self.width - start - 2 * _INDENT)
        yield _stripped((*lead, first))
        yield from (" " * (start + 2 * _INDENT) + line for line in others)

    def _placed(self, tensor: Any, column: int, label: str) -> tuple[int, list[str]]:
        """Where a tensor begins, and its lines: at the column, or far to the left if it is tall there."""
        used = len(label) + bool(label)
        lines = self._shown(*tensor, start=column + used).split("\n")
        if len(lines) > _TALL:
            wide = self._shown(*tensor, start=2 * _INDENT + used).split("\n")
            if len(wide) < len(lines):
                return 2 * _INDENT, wide
        return column, lines


def _stripped(pieces: tuple[str, ...]) -> tuple[str, ...]:
    kept = list(pieces)
    while kept and not kept[-1].strip():
        kept.pop()
    return (*kept[:-1], kept[-1].rstrip()) if kept and type(kept[-1]) is str else tuple(kept)


def _rows(told: Told) -> Iterator[tuple[str, str, str, Any]]:
    """The rows of the backward pass: function, derivative, where the gradient goes, and the gradient."""
    joined = {item.target for item in told.backward if isinstance(item, Arrival) and item.branches > 1}
    for item in told.backward:
        if isinstance(item, BackwardStep):
            for k, passed in enumerate(item.passed):
                text = words.derivative(passed, item.results[0]) or f"({passed.why})"
                sign = "+=" if passed.target in joined else "="
                yield item.name if not k else "", text, f"{passed.target}.grad {sign}", passed.part
        elif not item.branches:
            yield _START, "", f"{item.target}.grad =", item.total
        elif item.is_input:
            text = words.joining(item) or f"added to {item.target}.grad"
            yield _ACCUMULATE, text, f"{item.target}.grad =", item.total if item.branches > 1 else None
        elif item.branches > 1:
            yield "", words.joining(item), f"{item.target}.grad =", item.total


def _wrapped(text: str, width: int) -> list[str]:
    """A text in lines that are broken at blanks where there are any."""
    import textwrap

    return textwrap.wrap(text, max(width, 20), subsequent_indent="", break_on_hyphens=False) or [""]
