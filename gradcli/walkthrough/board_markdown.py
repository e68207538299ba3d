"""Steps as Markdown: a paragraph and a block of code for each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gradcli.errors import escaped
from gradcli.render.text import Style, format_tensor
from gradcli.walkthrough import board_words as words
from gradcli.walkthrough.step_types import Arrival, BackwardStep, Told


def walkthrough_markdown(told: Told, precision: int = 4) -> str:
    """The steps as Markdown; nothing of the source is markup in it."""
    style = Style(precision=precision)
    parts = ["## Forward", *_forward(told, style)]
    if told.backward:
        parts += ["## Backward", *_backward(told, style)]
    if told.note:
        parts.append(plain(told.note[:1].upper() + told.note[1:] + "."))
    return "\n\n".join(parts)


def _forward(told: Told, style: Style) -> Iterator[str]:
    before = ""
    for place, step in enumerate(told.forward):
        call = words.call_of(step, told)
        if call and call != before:
            yield f"{plain(call[:1].upper() + call[1:])}:"
        before = call
        yield code(words.statement(step))
        yield _tensor(step.value, style, step.grad_fn, step.requires_grad)
        if told.leaves_out_after(place):
            yield f"… {plain(words.left_out(told))}"


def _backward(told: Told, style: Style) -> Iterator[str]:
    joined = {item.target for item in told.backward if isinstance(item, Arrival) and item.branches > 1}
    for item in told.backward:
        if isinstance(item, BackwardStep):
            for passed in item.passed:
                text = words.derivative(passed, item.results[0])
                verb = "is increased by" if passed.target in joined else "is"
                told_of = code(text) if text else plain(passed.why)
                yield f"{code(item.name)}: {told_of}, so {code(f'{passed.target}.grad')} {verb}"
                yield _tensor(passed.part, style)
        elif not item.branches:
            yield f"It starts with {code(f'{item.target}.grad')}"
            yield _tensor(item.total, style)
        elif item.branches > 1:
            yield f"{code(f'{item.target}.grad')}, {words.joining(item)}, is"
            yield _tensor(item.total, style)


def _tensor(value: Any, style: Style, grad_fn: str | None = None, requires_grad: bool = False) -> str:
    return f"```text\n{format_tensor(value, grad_fn=grad_fn, requires_grad=requires_grad, style=style)}\n```"


def code(text: str) -> str:
    """A text as code within a line: with more backticks around it than are in it."""
    text = escaped(text)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    blank = " " if "`" in text else ""
    return f"{fence}{blank}{text}{blank}{fence}"


def plain(text: str) -> str:
    """A text in which nothing is markup."""
    return re.sub(r"([\\`*_{}\[\]<>#|~$&!])", r"\\\1", escaped(text))
