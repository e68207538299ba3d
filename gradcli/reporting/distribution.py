"""How the elements of an array are distributed: what a histogram is drawn from."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from gradcli.render.parts import parts_of

BINS = 24


class Distribution(NamedTuple):
    """Elements counted: NaN, the infinities, and the finite ones from `low` to `high` in bins of equal width."""

    size: int
    nan: int
    minus_infinite: int
    infinite: int
    low: float
    high: float
    mean: float
    bins: tuple[int, ...]

    def __str__(self) -> str:
        """In words.

        >>> str(distribution(np.array([1.0, 2.0, np.nan])))
        '3 elements, 1 NaN, from 1 to 2, mean 1.5'
        """
        words = [f"{self.size:,} element{'' if self.size == 1 else 's'}"]
        for count, what in ((self.nan, "NaN"), (self.minus_infinite, "-inf"), (self.infinite, "inf")):
            words += [f"{count:,} {what}"] if count else []
        if self.low < self.high:
            words += [f"from {self.low:.4g} to {self.high:.4g}", f"mean {self.mean:.4g}"]
        elif self.low == self.high and self.size > 1:
            words.append(f"all {'others ' if len(words) > 1 else ''}{self.low:.4g}")
        return ", ".join(words)


def distribution(array: Any) -> Distribution:
    """The distribution of an array in memory or in a file, which is gone through twice, part by part."""
    size = nan = minus = plus = 0
    low, high, mean, finite = math.inf, -math.inf, 0.0, 0
    for _, part in parts_of(array):
        part = part.astype(np.float64)
        some = part[np.isfinite(part)]
        size, finite = size + part.size, finite + some.size
        nan += int(np.count_nonzero(np.isnan(part)))
        minus += int(np.count_nonzero(part == -np.inf))
        plus += int(np.count_nonzero(part == np.inf))
        if some.size:
            low, high = min(low, float(some.min())), max(high, float(some.max()))
            # A mean of means, as a sum may overflow.
            mean += float(np.sum(some / finite)) - mean * (some.size / finite)
    if not finite:
        low = high = math.nan
    counts = np.zeros(BINS, np.int64)
    # Half the distance of two numbers that are hardly any may be none.
    if high / 2 - low / 2 > 0:
        for _, part in parts_of(array):
            part = part.astype(np.float64)
            # Halves, as the distance of two numbers may overflow.
            places = (part[np.isfinite(part)] / 2 - low / 2) / (high / 2 - low / 2) * BINS
            counts += np.bincount(np.minimum(places.astype(np.int64), BINS - 1), minlength=BINS)
    elif finite:
        counts[BINS // 2] = finite
    return Distribution(size, nan, minus, plus, low, high, mean, tuple(counts.tolist()))
