"""Files of measurements, and how their numbers are written. `benchmarks/record.py` tells what they hold."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

Row = Mapping[str, Any]

_LONGEST = 44


class Document(NamedTuple):
    """A file: what is said of all rows, and the rows."""

    head: Mapping[str, Any]
    rows: Sequence[Row]


def documents(folder: Path) -> dict[str, Document]:
    """The files of a folder by their names."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        head = json.loads(path.read_text(encoding="utf-8"))
        found[path.stem] = Document(head, head.pop("rows"))
    return found


def ratio(row: Row, name: str, base: str, which: str = "min") -> float | None:
    """The time of somebody over that of another one; None where one of them is missing."""
    measured = row["measured"]
    return measured[name][which] / measured[base][which] if name in measured and base in measured else None


def ratios(row: Row, name: str, base: str) -> str:
    """The same by the best rounds and by the median ones."""
    both = [ratio(row, name, base, which) for which in ("min", "median")]
    return "–" if None in both else f"{both[0]:.2f} / {both[1]:.2f}"


def milliseconds(found: Mapping[str, float]) -> str:
    """Best and median time."""
    return " / ".join(plain(found[which] * 1e3) for which in ("min", "median"))


def plain(value: float) -> str:
    """Three digits, never with an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def size(shape: Sequence[int]) -> str:
    """A shape as one writes it."""
    return " × ".join(f"{n:,}" for n in shape) or "1"


def short(expression: str) -> str:
    """An expression for a line; of a chain that goes on and on its beginning and its end."""
    statements = re.split(r";\s*", expression)
    if len(statements) > 4:
        expression = "; ".join([*statements[:2], "…", statements[-1]])
    return expression if len(expression) <= _LONGEST + 20 else f"{expression[: _LONGEST + 19]}…"


def listed(parts: Sequence[str]) -> str:
    """Words one after the other."""
    return ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1] if parts else "nobody"


def wrapped(text: str, mark: str = "") -> str:
    """A paragraph, or an item of a list with its mark, in lines of the usual length."""
    return textwrap.fill(
        text,
        120,
        initial_indent=mark,
        subsequent_indent=" " * len(mark),
        break_long_words=False,
        break_on_hyphens=False,
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """A Markdown table, so many columns of it left-aligned."""
    rows = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    widths = [max(3, *(len(row[k]) for row in [header, *rows])) for k in range(len(header))]
    rule = ["-" * width if k < left else "-" * (width - 1) + ":" for k, width in enumerate(widths)]
    lines = []
    for row in [header, rule, *rows]:
        cells = [c.ljust(w) if k < left else c.rjust(w) for k, (c, w) in enumerate(zip(row, widths, strict=True))]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
