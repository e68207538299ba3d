"""Plots for the pages of figures as SVG: dots, bars and a curve on a logarithmic axis.

Text stays text, in the reader's own font, and colours follow light or dark. The same numbers give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from gradcli.reporting.markup import Markup, element, embedded

_WIDTH, _LEFT, _RIGHT, _GAP = 780.0, 236.0, 16.0, 34.0
# A longer axis is marked at the powers of ten alone.
_LONG = 500
# Of a letter in a label.
_LETTER = 6.65
_ROW, _HEAD, _FOOT = 19.0, 66.0, 40.0
_LONGEST = 48
# Ink, faint, grid and paper; then a colour for each series, which differ in shape as well.
_LIGHT = ("#1f2328", "#59636e", "#d8dee4", "#ffffff", "#0969da", "#bc4c00", "#cf222e", "#1a7f37", "#8250df")
_DARK = ("#e6edf3", "#9198a1", "#3d444d", "#0d1117", "#58a6ff", "#f0883e", "#ff7b72", "#3fb950", "#bc8cff")
_FONT = 'system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif'
_MONO = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


class Axis(NamedTuple):
    """A logarithmic axis between two numbers, from one place to another."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round numbers: 1, 2 and 5 of each power of ten where there is room, or the powers alone."""
        decades = range(math.floor(math.log10(self.low)) - 1, math.ceil(math.log10(self.high)) + 1)
        factors = (1, 2, 5) if self.high / self.low < _LONG else (1,)
        found = [factor * 10.0**decade for decade in decades for factor in factors]
        return [tick for tick in found if self.low * 0.999 <= tick <= self.high * 1.001]


def axis(values: Sequence[float], start: float, end: float) -> Axis:
    """An axis with room for some numbers, from a tick below the least of them."""
    low, high = min(values) / 1.05, max(values) * 1.2
    decade = 10.0 ** math.floor(math.log10(low))
    first = max(factor * decade for factor in (1, 2, 5) if factor * decade <= low)
    return Axis(first if high / first < _LONG else decade, high, start, end)


def dots(
    title: str,
    unit: str,
    rows: Sequence[str],
    series: Mapping[str, int],
    panels: Mapping[str, Mapping[tuple[str, str], float]],
    lines: Mapping[float, str],
) -> str:
    """A row for each thing that was measured, and in each panel a mark for each series of which there is a number.

    `panels` has the numbers by row and series, of which each has its colour and shape; `lines` are numbers to compare
    with, and what is said of them.
    """
    height = _HEAD + len(rows) * _ROW + _FOOT
    left = 24 + _LETTER * min(max(map(len, rows)), _LONGEST)
    width = (_WIDTH - left - _RIGHT - _GAP * (len(panels) - 1)) / len(panels)
    every = [value for found in panels.values() for value in found.values()] + list(lines)
    parts = [_row_label(row, k) for k, row in enumerate(rows)]
    for k, (name, found) in enumerate(panels.items()):
        start = left + k * (width + _GAP)
        across = axis(every, start, start + width)
        bottom = _HEAD + len(rows) * _ROW
        parts += _frame(across, bottom)
        parts += [_line(across.at(at), _HEAD, bottom, _stroke(at), text) for at, text in lines.items()]
        parts.append(_text(start + width / 2, _HEAD - 8, name, "faint", "middle"))
        parts.append(_text(start + width / 2, height - 6, unit, "faint", "middle"))
        for (row, one), value in found.items():
            y = _HEAD + (rows.index(row) + 0.5) * _ROW
            parts.append(_mark(series[one], across.at(value), y, f"{row}, {name}, {one}: {value:.3g}"))
    return _picture(title, height, [*parts, *_legend(series, lines)])


class Bar(NamedTuple):
    """A bar with its label, or with no number a heading; `kind` says which colour it has."""

    label: str
    value: float | None = None
    kind: int = 0


def bars(title: str, found: Sequence[Bar], said: Callable[[float], str], series: Mapping[str, int]) -> str:
    """Bars from zero, each group below its heading with an axis of its own; the numbers stand beside them."""
    height = _HEAD + len(found) * _ROW + 8
    parts: list[Markup] = []
    most = 1.0
    for k, one in enumerate(found):
        y = _HEAD + k * _ROW
        if one.value is None:
            group = []
            for other in found[k + 1 :]:
                if other.value is None:
                    break
                group.append(other.value)
            most = max(group, default=1.0)
            parts.append(_text(8, y + 14, one.label, "title", "start"))
            continue
        wide = max(1.0, (_WIDTH - _LEFT - _RIGHT - 90) * one.value / most)
        label = f"{one.label}: {said(one.value)}"
        bar = element(
            "rect", element("title", label), x=_LEFT, y=y + 3, width=wide, height=_ROW - 6, class_=f"s{one.kind}"
        )
        parts += [_text(_LEFT - 8, y + 14, one.label, "", "end"), bar]
        parts.append(_text(_LEFT + wide + 6, y + 14, said(one.value), "faint", "start"))
    return _picture(title, height, [*parts, *_legend(series)])


def curve(title: str, unit: str, below: str, values: Sequence[float], lines: Mapping[float, str]) -> str:
    """Numbers in rising order, from left to right."""
    height, left = 320.0, 56.0
    bottom = height - 44
    ordered = sorted(values)
    up = axis([*ordered, *lines], bottom, _HEAD - 20)
    parts = []
    for tick in up.ticks():
        y = up.at(tick)
        parts.append(element("line", x1=left, x2=_WIDTH - _RIGHT, y1=y, y2=y, class_="grid"))
        parts.append(_text(left - 6, y + 4, f"{tick:g}", "faint", "end"))
    for at, text in lines.items():
        y = up.at(at)
        line = element("line", element("title", text), x1=left, x2=_WIDTH - _RIGHT, y1=y, y2=y, class_="one")
        parts += [line, _text(_WIDTH - _RIGHT, y - 4, text, "faint", "end")]
    step = (_WIDTH - _RIGHT - left) / max(1, len(ordered) - 1)
    places = " ".join(f"{left + k * step:.1f},{up.at(value):.1f}" for k, value in enumerate(ordered))
    parts.append(element("polyline", points=places, class_="curve"))
    for share in (0, 25, 50, 75, 100):
        x = left + (_WIDTH - _RIGHT - left) * share / 100
        anchor = "start" if share == 0 else "end" if share == 100 else "middle"
        parts.append(_text(x, bottom + 18, f"{share} %", "faint", anchor))
    parts += [_text((left + _WIDTH) / 2, height - 8, below, "faint", "middle"), _text(8, 36, unit, "faint", "start")]
    return _picture(title, height, parts)


def _picture(title: str, height: float, parts: Sequence[Markup]) -> str:
    paper = element("rect", width=_WIDTH, height=height, rx=6, class_="paper")
    drawing = element(
        "svg",
        element("title", title),
        embedded("style", _style()),
        paper,
        _text(8, 18, title, "title", "start"),
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH:.0f} {height:.0f}",
        role="img",
    )
    # A mark a line, so that two files can be compared.
    return drawing.replace("><", ">\n<") + "\n"


def _style() -> str:
    def colours(names: Sequence[str]) -> str:
        ink, faint, grid, paper, *series = names
        rules = [f"text{{fill:{ink}}}.faint{{fill:{faint}}}.paper{{fill:{paper}}}.grid{{stroke:{grid}}}"]
        rules.append(f".one{{stroke:{ink}}}.goal{{stroke:{faint}}}.curve{{stroke:{series[0]}}}")
        return "".join(rules) + "".join(f".s{k}{{fill:{one}}}" for k, one in enumerate(series))

    shapes = f"text{{font:12px {_FONT}}}.code{{font:11px {_MONO}}}.title{{font-weight:600}}"
    shapes += ".goal{stroke-dasharray:4 3}.curve{fill:none;stroke-width:2}"
    return f"{shapes}{colours(_LIGHT)}@media (prefers-color-scheme:dark){{{colours(_DARK)}}}"


def _text(x: float, y: float, text: str, kind: str, anchor: str) -> Markup:
    return element("text", text, x=x, y=y, class_=kind or None, text_anchor=None if anchor == "start" else anchor)


def _row_label(row: str, k: int) -> Markup:
    shown = row if len(row) <= _LONGEST else row[: _LONGEST - 1] + "…"
    return element("text", shown, element("title", row), x=8, y=_HEAD + k * _ROW + 13, class_="code")


def _frame(across: Axis, bottom: float) -> list[Markup]:
    """The ticks of an axis, with lines through all rows."""
    parts = []
    for tick in across.ticks():
        x = across.at(tick)
        parts.append(element("line", x1=x, x2=x, y1=_HEAD, y2=bottom, class_="grid"))
        parts.append(_text(x, bottom + 15, f"{tick:g}", "faint", "middle"))
    return parts


def _line(x: float, top: float, bottom: float, kind: str, text: str) -> Markup:
    return element("line", element("title", text), x1=x, x2=x, y1=top, y2=bottom, class_=kind)


def _stroke(at: float) -> str:
    """The line to compare with is solid, any other one dashed."""
    return "one" if at == 1 else "goal"


def _mark(kind: int, x: float, y: float, text: str) -> Markup:
    """A circle, a square, a triangle, a diamond or a bar."""
    said = element("title", text)
    if kind == 0:
        return element("circle", said, cx=x, cy=y, r=4.0, class_="s0")
    a, b, c, d = x - 4, x + 4, y - 4, y + 4
    corners = {
        1: ((a, c), (b, c), (b, d), (a, d)),
        2: ((a, d), (b, d), (x, c - 1)),
        3: ((x, c - 1), (b + 1, y), (x, d + 1), (a - 1, y)),
        4: ((x - 1.5, c - 1), (x + 1.5, c - 1), (x + 1.5, d + 1), (x - 1.5, d + 1)),
    }[kind]
    points = " ".join(f"{i:.1f},{j:.1f}" for i, j in corners)
    return element("polygon", said, points=points, class_=f"s{kind}")


def _legend(series: Mapping[str, int], lines: Mapping[float, str] | None = None) -> list[Markup]:
    parts, x = [], 16.0
    for name, kind in series.items():
        parts += [_mark(kind, x, 32.0, name), _text(x + 10, 36, name, "", "start")]
        x += 30 + 7 * len(name)
    for at, text in (lines or {}).items():
        parts += [_line(x, 24.0, 40.0, _stroke(at), text), _text(x + 10, 36, text, "", "start")]
        x += 30 + 7 * len(text)
    return parts
