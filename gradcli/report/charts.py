"""Pictures of distributions as SVG: a bar for each bin, and red ones for what is not finite."""

from __future__ import annotations

from gradcli.report.distribution import BINS, Distribution
from gradcli.report.markup import Markup, element

_HEIGHT, _BAR, _LABELS = 56.0, 8.0, 14.0


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


def _bar(x: float, width: float, share: float, kind: str) -> Markup:
    # Few among many are seen all the same.
    height = max(2.0, share * (_HEIGHT - 4))
    return element("rect", x=x, y=_HEIGHT - height, width=width, height=height, rx=1.5, class_=kind)


def _label(x: float, text: str, kind: str, anchor: str) -> Markup:
    return element("text", text, x=x, y=_HEIGHT + 11, text_anchor=anchor, class_=kind)
