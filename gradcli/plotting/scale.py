"""What part of the numbers a plot shows, and where its ticks stand."""

from __future__ import annotations

import math

import numpy as np

# A pole is cut off where the range is so many times wider than the bulk of the values.
_POLE = 4.0
_FEWEST = 20
# So many times the range of the numbers may be shown, to end at round numbers.
_WIDEST = 1.35
# Room for a frame around the numbers.
_LARGEST = 1e300


def limits(y: np.ndarray) -> tuple[float, float]:
    """The lowest and highest number to show of a curve from left to right: all finite ones, but of a pole its feet.

    Of a family, those of all its curves, which are the rows of `y`.
    """
    if y.ndim > 1:
        lows, highs = zip(*[limits(row) for row in y if np.isfinite(row).any()] or [(-1.0, 1.0)], strict=True)
        return min(lows), max(highs)
    finite = np.clip(y[np.isfinite(y)], -_LARGEST, _LARGEST)
    if not finite.size:
        return -1.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    if finite.size >= _FEWEST and _is_pole(y):
        a, b = (float(q) for q in np.quantile(finite, (0.05, 0.95)))
        if b > a and (high - low) / _POLE > b - a:
            # Halves first: their difference may be infinite.
            low, high = max(low, a - (b - a) / 2), min(high, b + (b - a) / 2)
    if high / 2 - low / 2 <= abs(low) * 1e-9:
        spread = abs(low) / 2 or 1.0
        low, high = low - spread, high + spread
    return low, high


def _is_pole(y: np.ndarray) -> bool:
    """Whether the highest point, up or down, stands alone: on a curve that can be drawn its neighbours are near."""
    middle = float(np.median(y[np.isfinite(y)]))
    # Halves: the difference of two numbers may be infinite.
    heights = np.where(np.isfinite(y), y / 2 - middle / 2, 0.0)
    top = int(np.argmax(np.abs(heights)))
    neighbours = [heights[k] for k in (top - 2, top + 2) if 0 <= k < len(y)]
    return all(h * np.sign(heights[top]) < abs(heights[top]) / 2 for h in neighbours)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers between two bounds: multiples of 1, 2 or 5 times a power of ten, about `most` but two at least."""
    # Halves: the difference may be infinite.
    rough = 2 * ((high / 2 - low / 2) / max(1, most))
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 1e-307 else 1e-307
    found: list[float] = []
    for factor in (10, 5, 2, 1, 0.5, 0.2):
        step = power * factor
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first >= 1:
            # The multiples as decimal numbers, without what rounding adds to them.
            finer = [float(f"{k * step:.12g}") for k in range(first, last + 1)]
            if found and len(finer) > most:
                break
            found = finer
    return found


def rounded(low: float, high: float, rows: int, most: int) -> tuple[float, float, list[float]]:
    """Bounds moved outward to round numbers, and at most `most` + 1 ticks from one to the other.

    Ticks that are whole `rows` apart come first. The bounds stay as they are where much would be left empty.
    """
    rough = 2 * ((high / 2 - low / 2) / max(1, most))
    if not 1e-300 < rough < _LARGEST / 10:
        return low, high, ticks(low, high, most)
    power = 10.0 ** math.floor(math.log10(rough))
    best = None
    for factor in (0.5, 1, 2, 5, 10):
        step = power * factor
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first > most or (last - first) * step > _WIDEST * (high - low):
            continue
        found = [float(f"{k * step:.12g}") for k in range(first, last + 1)]
        if best is None or (rows - 1) % (last - first) == 0:
            best = min(low, found[0]), max(high, found[-1]), found
        if (rows - 1) % (last - first) == 0:
            break
    return best or (low, high, ticks(low, high, most))


def labels(values: list[float]) -> list[str]:
    """The ticks as text, with as many digits as tell them apart."""
    if not values:
        return []
    largest = max(abs(v) for v in values)
    step = min((b - a for a, b in zip(values, values[1:], strict=False)), default=largest or 1.0)
    if largest and (largest >= 1e6 or step < 1e-4):
        digits = max(0, math.floor(math.log10(largest)) - math.floor(math.log10(step) + 1e-9))
        return [f"{v:.{digits}e}" if v else "0" for v in values]
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return [f"{v:.{digits}f}" if abs(v) > step / 2 else "0" for v in values]
