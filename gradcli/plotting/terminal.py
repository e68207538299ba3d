"""Plots made of characters: one frame for each curve, with axes and ticks."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from gradcli.plotting.curves import Curve, Curves
from gradcli.plotting.scale import labels, limits, rounded, ticks

_MIN_WIDTH, _MIN_HEIGHT = 20, 3
# Columns between two labels of the horizontal axis, and rows between two of the vertical one.
_TICK_COLUMNS, _TICK_ROWS = 9, 3
# Cyan, yellow, green and magenta.
_COLORS, _RESET = ("\x1b[36m", "\x1b[33m", "\x1b[32m", "\x1b[35m"), "\x1b[0m"

#: All that a plot is made of beyond ASCII, but for names.
SIGNS = "\u2800\u28ff│┤└─┬┈"

# A point beside a line, and every how many dots of a dotted line is one.
_MARK, _DOTTED = "o", 5

# The bits of a braille character by row and column of its dots.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


class Screen(NamedTuple):
    """What a plot may use: columns and rows in all, colors, and characters beyond ASCII."""

    width: int = 80
    height: int = 24
    color: bool = False
    plain: bool = False


def plot_text(found: Curves, screen: Screen) -> str:
    """The curves one above the other over the same horizontal axis."""
    count = len(found.curves)
    # A title and the axis for each, and the labels below the last.
    rows = max(_MIN_HEIGHT, (screen.height - 2 * count - 1) // count)
    scales = [rounded(*limits(curve.heights()), rows, max(2, rows // _TICK_ROWS)) for curve in found.curves]
    bounds = [(low, high) for low, high, _ in scales]
    marks = [values for *_, values in scales]
    margin = max((len(text) for values in marks for text in labels(values)), default=1)
    # The names of a family stand at the right of its curves.
    beside = max((len(name) + 1 for name in found.members), default=0)
    columns = max(_MIN_WIDTH, screen.width - margin - 2 - beside)
    across = ticks(float(found.x[0]), float(found.x[-1]), max(2, columns // _TICK_COLUMNS))
    places = _places(found.x, across, columns)
    line, tick, corner = ("-", "+", "+") if screen.plain else ("─", "┬", "└")
    axis = f"{'':{margin}} {corner}{''.join(tick if k in places else line for k in range(columns))}"
    frames = []
    for k, curve in enumerate(found.curves):
        canvas = _Canvas(columns, rows, screen.plain)
        _draw_all(canvas, found, curve, bounds[k])
        color = _COLORS[k % len(_COLORS)] if screen.color else ""
        frames += _frame(curve.title, canvas, bounds[k], marks[k], margin, color)
        frames.append(axis)
    frames.append(_below(places, labels(across), columns, margin, found.name))
    return "\n".join(line.rstrip() for line in frames)


class _Canvas:
    """A grid of dots: 2 by 4 of them in a braille character, one in an ASCII one."""

    def __init__(self, columns: int, rows: int, plain: bool) -> None:
        self.columns, self.rows, self.plain = columns, rows, plain
        self.across, self.down = (1, 1) if plain else (2, 4)
        self.dots = np.zeros((rows * self.down, columns * self.across), bool)
        self.zero: int | None = None
        # Which curve of a family each character is of.
        self.owner = np.zeros((rows, columns), np.int64)
        # Characters with a mark.
        self.marked = np.zeros((rows, columns), bool)
        # Of a family, the curve whose name stands at the right of a row, and that name.
        self.names: dict[int, tuple[int, str]] | None = None

    def add(self, other: _Canvas, owner: int) -> None:
        """Draw what another canvas of this size shows over this one."""
        cells = other.dots.reshape(self.rows, self.down, self.columns, self.across).any((1, 3))
        self.dots |= other.dots
        self.owner[cells] = owner
        self.zero = other.zero

    def row(self, part: float) -> int:
        """The row of characters for a part of the height, from 0 at the bottom to 1 at the top."""
        height = len(self.dots)
        return (height - 1 - round(min(max(part, 0), 1) * (height - 1))) // self.down

    def lines(self) -> list[str]:
        """The rows of characters, from the top; a dotted line where the height is zero and nothing else is."""
        if self.plain:
            rows = ["".join("*" if dot else " " for dot in row) for row in self.dots]
        else:
            cells = np.zeros((self.rows, self.columns), np.int64)
            for i, bits in enumerate(_DOTS):
                for j, bit in enumerate(bits):
                    cells += bit * self.dots[i :: self.down, j :: self.across]
            rows = ["".join(chr(0x2800 + cell) if cell else " " for cell in row) for row in cells.tolist()]
        if self.zero is not None:
            line = ("-" if self.plain else "┈") * self.columns
            row = rows[self.zero]
            rows[self.zero] = "".join(z if c == " " else c for c, z in zip(row, line, strict=True))
        for k in np.flatnonzero(self.marked.any(1)):
            rows[k] = "".join(_MARK if mark else c for c, mark in zip(rows[k], self.marked[k], strict=True))
        return rows


def _draw_all(canvas: _Canvas, found: Curves, curve: Curve, bounds: tuple[float, float]) -> None:
    """Draw a curve, or those of a family with their names."""
    if not found.members:
        for edge in () if curve.band is None else curve.band:
            layer = _drawn(canvas, found.x, edge, bounds)
            # A dotted line.
            layer.dots[:, np.arange(layer.dots.shape[1]) % _DOTTED > 0] = False
            canvas.add(layer, 0)
        canvas.add(_drawn(canvas, found.x, curve.y, bounds), 0)
        if curve.marks is not None:
            _mark(canvas, found.x, curve.marks, bounds)
        return
    low, high = bounds
    ends: list[tuple[float, int]] = []
    for k, y in enumerate(curve.y):
        canvas.add(_drawn(canvas, found.x, y, bounds), k)
        known = y[np.isfinite(y)]
        if known.size:
            ends.append((min(max((known[-1] / 3 - low / 3) / (high / 3 - low / 3), 0.0), 1.0), k))
    ends.sort(reverse=True)
    canvas.names, below = {}, 0
    for place, (part, k) in enumerate(ends[: canvas.rows]):
        # Beside its end, or as near as the names above and below leave room.
        row = min(max(canvas.row(part), below), canvas.rows - min(len(ends), canvas.rows) + place)
        canvas.names[row], below = (k, found.members[k]), row + 1


def _drawn(like: _Canvas, x: np.ndarray, y: np.ndarray, bounds: tuple[float, float]) -> _Canvas:
    """A curve on a canvas of its own: a line between neighbouring points, nothing where a number is missing."""
    canvas, (low, high) = _Canvas(like.columns, like.rows, like.plain), bounds
    height, width = canvas.dots.shape
    # Thirds: the difference of two large numbers may be infinite.
    across = (x / 3 - x[0] / 3) / (x[-1] / 3 - x[0] / 3) * (width - 1)
    with np.errstate(all="ignore"):
        up = (y / 3 - low / 3) / (high / 3 - low / 3) * (height - 1)
    if low < 0 < high:
        canvas.zero = canvas.row((0 - low / 3) / (high / 3 - low / 3))
    known = np.isfinite(up)
    # Far outside, a place is as good as any other, and an integer must hold it.
    up = np.clip(np.where(known, up, 0), -4 * height, 5 * height)
    columns, heights = np.rint(across).astype(int), np.rint(up).astype(int)
    pairs = known[:-1] & known[1:]
    # From above the frame to below it: a pole, not a line.
    pairs &= ~((np.minimum(up[:-1], up[1:]) < 0) & (np.maximum(up[:-1], up[1:]) > height - 1))
    # Points in ascending order: as many pairs as there are columns lead from one to another, however many there are.
    apart = columns[:-1] != columns[1:]
    for k in np.flatnonzero(pairs & apart):
        _line(canvas.dots, columns[k], heights[k], columns[k + 1], heights[k + 1])
    _upright(canvas.dots, columns[:-1], heights, pairs & ~apart)
    alone = known & (heights >= 0) & (heights < height)
    canvas.dots[height - 1 - heights[alone], columns[alone]] = True
    return canvas


def _mark(canvas: _Canvas, x: np.ndarray, marks: np.ndarray, bounds: tuple[float, float]) -> None:
    """Set the marks of those points that are numbers."""
    low, high = bounds
    with np.errstate(all="ignore"):
        across = (marks[0] / 3 - x[0] / 3) / (x[-1] / 3 - x[0] / 3)
        up = (marks[1] / 3 - low / 3) / (high / 3 - low / 3)
    inside = (across >= 0) & (across <= 1) & (up >= 0) & (up <= 1)
    height, width = canvas.dots.shape
    columns = np.rint(across[inside] * (width - 1)).astype(int) // canvas.across
    rows = (height - 1 - np.rint(up[inside] * (height - 1)).astype(int)) // canvas.down
    canvas.marked[rows, columns] = True


def _line(dots: np.ndarray, x0: int, y0: int, x1: int, y1: int) -> None:
    """The dots between two places, of which the frame shows those inside it."""
    height, width = dots.shape
    count = max(abs(x1 - x0), abs(y1 - y0), 1)
    xs = np.rint(np.linspace(x0, x1, count + 1)).astype(int)
    ys = np.rint(np.linspace(y0, y1, count + 1)).astype(int)
    inside = (ys >= 0) & (ys < height)
    dots[height - 1 - ys[inside], xs[inside]] = True


def _upright(dots: np.ndarray, columns: np.ndarray, heights: np.ndarray, pairs: np.ndarray) -> None:
    """The lines between neighbouring points that lie in the same column."""
    height, width = dots.shape
    low = np.maximum(np.minimum(heights[:-1], heights[1:]), 0)
    high = np.minimum(np.maximum(heights[:-1], heights[1:]), height - 1)
    shown = pairs & (low <= high)
    # So many lines begin at a dot, or end below it.
    steps = np.zeros((height + 1, width), np.int64)
    np.add.at(steps, (low[shown], columns[shown]), 1)
    np.add.at(steps, (high[shown] + 1, columns[shown]), -1)
    dots |= np.cumsum(steps, 0)[height - 1 :: -1] > 0


def _frame(
    title: str, canvas: _Canvas, bounds: tuple[float, float], marks: list[float], margin: int, color: str
) -> list[str]:
    """The title, and the rows of a curve with their ticks."""
    low, high = bounds
    at: dict[int, str] = {}
    for value, text in zip(marks, labels(marks), strict=True):
        at.setdefault(canvas.row((value / 3 - low / 3) / (high / 3 - low / 3)), text)
    plain = canvas.plain
    lines = [f"{'':{margin}} {color}{title}{_RESET if color else ''}"]
    for row, text in enumerate(canvas.lines()):
        edge = ("+" if plain else "┤") if row in at else "|" if plain else "│"
        if canvas.names is not None:
            body = _family_row(text, canvas.owner[row], canvas.names.get(row), bool(color))
        else:
            body = f"{color}{text.rstrip()}{_RESET}" if color and text.strip() else text
            if color and canvas.marked[row].any():
                body = body.replace(_MARK, f"{_RESET}{_MARK}{color}")
        lines.append(f"{at.get(row, ''):>{margin}} {edge}{body}")
    return lines


def _family_row(text: str, owner: np.ndarray, named: tuple[int, str] | None, colored: bool) -> str:
    """A row of a family, each character in the color of its curve, and the name that stands beside it."""
    member, name = named or (0, "")
    if not colored:
        return f"{text} {name}"
    parts: list[str] = []
    for k, run in itertools.groupby(zip(owner.tolist(), text, strict=True), key=lambda pair: pair[0]):
        shown = "".join(character for _, character in run)
        parts.append(f"{_COLORS[k % len(_COLORS)]}{shown}{_RESET}" if shown.strip() else shown)
    beside = "" if named is None else f" {_COLORS[member % len(_COLORS)]}{name}{_RESET}"
    return "".join(parts) + beside


def _places(x: np.ndarray, across: list[float], columns: int) -> list[int]:
    first, last = float(x[0]) / 3, float(x[-1]) / 3
    places = [round((tick / 3 - first) / (last - first) * (columns - 1)) for tick in across]
    return [min(max(place, 0), columns - 1) for place in places]


def _below(places: list[int], texts: list[str], columns: int, margin: int, name: str) -> str:
    """The labels of the horizontal axis, and its name where there is room on the right."""
    line = [" "] * (margin + 2 + columns)
    for place, text in zip(places, texts, strict=True):
        start = min(max(0, margin + 2 + place - len(text) // 2), len(line) - len(text))
        before = line[max(0, start - 1) : start + len(text) + 1]
        if start >= 0 and all(c == " " for c in before):
            line[start : start + len(text)] = text
    if all(c == " " for c in line[-len(name) - 1 :]):
        line[len(line) - len(name) :] = name
    return "".join(line)
