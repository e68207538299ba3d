"""The graph of the steps as SVG: every box is a link to its step, and its card is shown while it is pointed at."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from gradcli.drawing.drawing import short_form
from gradcli.errors import counted
from gradcli.reporting.layered_layout import Point, layered
from gradcli.reporting.markup import Markup, element
from gradcli.walkthrough.step_types import ForwardStep, Told

#: Graphs of more boxes are not drawn.
MOST_BOXES = 200

_CHARACTER, _LINE, _ROW, _BOX = 7.3, 17.0, 84.0, 46.0
_MARGIN = 12.0
_LONGEST = 30


def graph_picture(told: Told, bad: Collection[str]) -> Markup:
    """The steps that are told of and the arrows between them; `bad` are those with values that are not finite."""
    numbers = {step.name: k for k, step in enumerate(told.forward)}
    edges = [
        (numbers[name], k)
        for k, step in enumerate(told.forward)
        for name in dict.fromkeys(step.operands)
        if name in numbers
    ]
    labels = [_labels(step) for step in told.forward]
    widths = [max(map(len, lines)) * _CHARACTER + 24 for lines in labels]
    layout = layered(widths, edges, _ROW)
    boxes = [
        _box(k, step, labels[k], widths[k], layout.centres[k], _kind(step, told), step.name in bad)
        for k, step in enumerate(told.forward)
    ]
    width, height = layout.width + 2 * _MARGIN, layout.height + 2 * _MARGIN - (_ROW - _BOX)
    return element(
        "svg",
        element("defs", _arrow_head()),
        element("g", *(_arrow(path) for path in layout.paths), class_="arrows", aria_hidden="true"),
        *boxes,
        viewBox=f"{-_MARGIN:.0f} {(_ROW - _BOX) / 2 - _MARGIN:.0f} {width:.0f} {height:.0f}",
        width=width,
        height=height,
        role="group",
        aria_label=f"Graph of {counted(len(boxes), 'step')}; each leads to where it is told",
        class_="graph",
    )


def scalar_or_form(value: Any) -> str:
    """A single number, or what kind of tensor it is."""
    if math.prod(value.shape) == 1:
        number = value[...].reshape(()).item()
        return f"{number:.5g}" if isinstance(number, float) else str(number)
    return short_form(value.dtype, tuple(value.shape))


def _labels(step: ForwardStep) -> tuple[str, str]:
    written = f"{step.name} = {step.expression}" if step.expression else step.name
    return written if len(written) <= _LONGEST else f"{written[: _LONGEST - 1]}…", scalar_or_form(step.value)


def _kind(step: ForwardStep, told: Told) -> str:
    if step.name == told.value:
        return "output"
    if step.is_input:
        return "input" if step.requires_grad else "data"
    return "op" if step.requires_grad else "data"


def _box(
    number: int, step: ForwardStep, lines: tuple[str, str], width: float, centre: Point, kind: str, bad: bool
) -> Markup:
    x, y = centre
    name, below = lines
    return element(
        "a",
        element("rect", x=x - width / 2, y=y - _BOX / 2, width=width, height=_BOX, rx=8),
        element("text", name, x=x, y=y - 4, text_anchor="middle", class_="name"),
        element("text", below, x=x, y=y - 4 + _LINE, text_anchor="middle", class_="form"),
        id=f"n{number}",
        href=f"#s{number}",
        class_=f"node {kind}{' bad' if bad else ''}",
        aria_label=f"{name}: {below}{', not finite' if bad else ''}",
        aria_describedby=f"c{number}",
    )


def _arrow(path: list[Point]) -> Markup:
    """A smooth line through the points, from below the first box to above the last one."""
    points = [(path[0][0], path[0][1] + _BOX / 2), *path[1:-1], (path[-1][0], path[-1][1] - _BOX / 2 - 2)]
    words = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for (x, y), (to_x, to_y) in zip(points, points[1:], strict=False):
        middle = (y + to_y) / 2
        words.append(f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}")
    return element("path", d=" ".join(words), marker_end="url(#tip)")


def _arrow_head() -> Markup:
    tip = element("path", d="M0 0 L8 4 L0 8 z")
    return element(
        "marker", tip, id="tip", viewBox="0 0 8 8", refX=7, refY=4, markerWidth=7, markerHeight=7, orient="auto"
    )
