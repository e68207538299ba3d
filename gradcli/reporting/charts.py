"""Distributions and curves as SVG; what is not finite is red."""

from __future__ import annotations

import math

import numpy as np

from gradcli.plotting.curves import Curve
from gradcli.plotting.scale import limits, ticks
from gradcli.reporting.distribution import BINS, Distribution
from gradcli.reporting.markup import Markup, element

_HEIGHT, _BAR, _LABELS = 56.0, 8.0, 14.0
# Of a curve: its size, the room for numbers at the left, and the points that are drawn of it.
_WIDE, _HIGH, _LEFT = 720.0, 180.0, 56.0
_MOST_POINTS = 800


def histogram(found: Distribution, name: str) -> Markup:
    """The picture of a distribution: its words are for those who cannot see it."""
    most = max(1, *found.bins, found.nan, found.infinite, found.minus_infinite)
    left = 26.0 if found.minus_infinite else 0.0
    bars = [_bar(left + k * _BAR, _BAR - 1, n / most, "bar") for k, n in enumerate(found.bins) if n]
    end = left + BINS * _BAR
    labels = []
    if found.minus_infinite:
        bars.append(_bar(4, 16, found.minus_infinite / most, "bad"))
        labels.append(_label(12, "−inf", "bad", "middle"))
    if found.low < found.high:
        labels += [_label(left, f"{found.low:.3g}", "axis", "start"), _label(end, f"{found.high:.3g}", "axis", "end")]
    elif found.low == found.high:
        labels.append(_label(left + BINS * _BAR / 2, f"{found.low:.3g}", "axis", "middle"))
    line = element("line", x1=left, x2=end, y1=_HEIGHT, y2=_HEIGHT, class_="axis-line")
    for count, word in ((found.infinite, "inf"), (found.nan, "NaN")):
        if count:
            bars.append(_bar(end + 8, 16, count / most, "bad"))
            labels.append(_label(end + 16, word, "bad", "middle"))
            end += 26
    return element(
        "svg",
        line,
        *bars,
        *labels,
        viewBox=f"0 0 {end + 10:.0f} {_HEIGHT + _LABELS:.0f}",
        width=end + 10,
        height=_HEIGHT + _LABELS,
        role="img",
        aria_label=f"Distribution of {name}: {found}",
        class_="histogram",
    )


def curve_picture(curve: Curve, x: np.ndarray) -> Markup:
    """The picture of a curve over steps: a line, and a red mark for each step where it is not finite.

    There is no mark where the curve is of logarithms and the number is 0.
    """
    chosen = _few(curve.y)
    y, at = curve.y[chosen], x[chosen]
    low, high = limits(y)
    first, last = float(at[0]), float(at[-1])
    across = (_WIDE - _LEFT) / max(1.0, last - first)
    marks = []
    line: list[str] = []
    for k, v in zip(at.tolist(), y.tolist(), strict=True):
        place = _LEFT + (k - first) * across
        if not math.isfinite(v):
            if not (curve.logarithms and v == -math.inf):
                marks.append(element("line", x1=place, x2=place, y1=0, y2=_HIGH, class_="bad"))
            line.append("M")
            continue
        height = _height(min(max(v, low), high), low, high)
        line.append(f"{'L' if line and line[-1] != 'M' else '' if line else 'M'}{place:.1f} {height:.1f}")
    path = " ".join(line).rstrip("M ")
    scale = [_level(tick, low, high) for tick in ticks(low, high, 4) if low <= tick <= high]
    steps = [
        element("text", text, x=place, y=_HIGH + 14, text_anchor=anchor)
        for text, place, anchor in (
            (f"{first:.0f}", _LEFT, "start"),
            ("step", (_LEFT + _WIDE) / 2, "middle"),
            (f"{last:.0f}", _WIDE, "end"),
        )
    ]
    ends = f"from {y[0]:.4g} to {y[-1]:.4g}" if np.isfinite(y).any() else "finite at none of them"
    said = f"{curve.title} over the steps {first:.0f} to {last:.0f}, {ends}"
    return element(
        "svg",
        *(part for level in scale for part in level),
        *marks,
        element("path", d=path, class_="curve") if path else None,
        *steps,
        viewBox=f"0 0 {_WIDE:.0f} {_HIGH + 20:.0f}",
        role="img",
        aria_label=said,
        class_="course",
    )


def _few(y: np.ndarray) -> np.ndarray:
    """Places that stand for all of a long curve: of each stretch the lowest and the highest, or what is not finite."""
    if len(y) <= _MOST_POINTS:
        return np.arange(len(y))
    found = {0, len(y) - 1}
    for part in np.array_split(np.arange(len(y)), _MOST_POINTS // 2):
        found |= {int(part[np.argmin(y[part])]), int(part[np.argmax(y[part])])}
    return np.array(sorted(found))


def _height(value: float, low: float, high: float) -> float:
    """Where a number stands in the picture of a curve; halves, as the distance of two numbers may overflow."""
    return _HIGH - (value / 2 - low / 2) / (high / 2 - low / 2) * (_HIGH - 8)


def _level(value: float, low: float, high: float) -> list[Markup]:
    """A line across at a number."""
    y = _height(value, low, high)
    return [
        element("line", x1=_LEFT, x2=_WIDE, y1=y, y2=y, class_="axis-line"),
        element("text", f"{value:.4g}", x=_LEFT - 6, y=y + 4, text_anchor="end"),
    ]


def _bar(x: float, width: float, share: float, kind: str) -> Markup:
    # Few among many are seen all the same.
    height = max(2.0, share * (_HEIGHT - 4))
    return element("rect", x=x, y=_HEIGHT - height, width=width, height=height, rx=1.5, class_=kind)


def _label(x: float, text: str, kind: str, anchor: str) -> Markup:
    return element("text", text, x=x, y=_HEIGHT + 11, text_anchor=anchor, class_=kind)
