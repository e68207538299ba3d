"""Tensors, formulas and tables as parts of a page, the same wherever they are shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from gradcli.errors import escaped
from gradcli.render.text import Style, format_tensor
from gradcli.reporting.markup import Markup, element
from gradcli.reporting.mathml import mathml

# Not the word in names such as `nan_to_num` or `InfBackward0`.
_NOT_FINITE = re.compile(r"(?<![\w.])(-?(?:nan|inf))(?![\w=])")

#: How many columns there are in cards, and elsewhere.
NARROW, WIDE = 44, 64
# Tensors of more elements are summed up, as PyTorch does with those of more than 1000.
_MOST_SHOWN = 48


class Printer(NamedTuple):
    """Shows tensors with some digits."""

    precision: int

    def tensor(
        self, value: Any, grad_fn: str | None = None, requires_grad: bool = False, columns: int = WIDE
    ) -> Markup:
        """A tensor as PyTorch prints it, NaN and infinities in red."""
        style = Style(precision=self.precision, threshold=_MOST_SHOWN, linewidth=columns)
        text = format_tensor(value, grad_fn=grad_fn, requires_grad=requires_grad, style=style)
        # Every other piece is what was looked for.
        pieces = _NOT_FINITE.split(text)
        return element("pre", *(element("mark", piece) if k % 2 else piece for k, piece in enumerate(pieces)))


def formula(latex: str | None, text: str) -> Markup:
    """A formula typeset, or as text where it cannot be."""
    found = None if latex is None else mathml(latex, text)
    return element("code", escaped(text)) if found is None else element("span", found, class_="formula")


def table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], bad: list[bool] | None = None) -> Markup:
    """Rows of cells below their heads, those that are bad in red."""
    head = element("tr", *(element("th", text, scope="col") for text in heads))
    marks = bad or [False] * len(rows)
    body = [
        element(
            "tr", element("th", row[0], scope="row"), *(element("td", c) for c in row[1:]), class_="bad" if m else None
        )
        for row, m in zip(rows, marks, strict=True)
    ]
    table = element("table", element("thead", head), element("tbody", *body))
    return element("div", table, class_="scroll", tabindex=0, role="region", aria_label=f"Table of {heads[0]}s")
