"""Whole numbers, permutations and distributions from a stream of random words, as PyTorch draws them on the CPU."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from gradcli.errors import GradcliError
from gradcli.ops.kernels import orders
from gradcli.ops.kernels.fused import fused

# So many numbers are drawn at a time.
_BLOCK = 1 << 15
#: From so many different numbers on each takes two words: one alone would favour the smaller ones.
WIDE = 1 << 28


class RandomWords(Protocol):
    """What gives the next words of 32 bits."""

    def words(self, count: int) -> np.ndarray: ...


def takes_two(low: int, high: int, two: bool | None = None) -> bool:
    """Whether each whole number takes two words: that follows from the ends where it is not said."""
    return high - low >= WIDE if two is None else two


def whole_numbers(
    stream: RandomWords, count: int, dtype: np.dtype, low: int, high: int, two: bool | None = None
) -> np.ndarray:
    """Numbers from `low` up to but not including `high`."""
    two = takes_two(low, high, two)
    numbers, every = np.empty(count, dtype), high - low == 2**64
    span = np.uint64(1 if every else high - low)
    for start in range(0, count, _BLOCK):
        part = numbers[start : start + _BLOCK]
        words = stream.words(len(part) * (2 if two else 1)).astype(np.uint64)
        if two:
            words = words[0::2] << np.uint64(32) | words[1::2]
        # The sum wraps around to what it is in int64; all numbers of that type are the words themselves.
        part[:] = (words if every else (words % span) + np.uint64(low % 2**64)).view(np.int64)
    return numbers


def permutation(stream: RandomWords, count: int, dtype: np.dtype) -> np.ndarray:
    """0 to `count - 1` in an order drawn by Fisher's and Yates's exchanges."""
    numbers = np.arange(count, dtype=dtype)
    places: Any = numbers.data
    for start in range(0, count - 1, _BLOCK):
        rest = count - np.arange(start, min(start + _BLOCK, count - 1))
        for here, further in enumerate((stream.words(len(rest)) % rest).tolist(), start):
            there = here + further
            places[here], places[there] = places[there], places[here]
    return numbers


# Distributions --------------------------------------------------------------------------------------------------------


def _each(function: Callable[[float], float], numbers: np.ndarray) -> np.ndarray:
    """A function of the C library's, as in PyTorch; NumPy's own vectorized ones differ in the last bit."""
    return np.fromiter(map(function, numbers.tolist()), np.float64, len(numbers))


def _placed(numbers: np.ndarray, center: float, width: float) -> np.ndarray:
    found = fused(numbers, float(width), float(center))
    # Splitting a number next to the largest one overflows.
    return np.where(np.isfinite(found), found, numbers * width + center)


def _log(number: float) -> float:
    return math.log(number) if number else -math.inf


def _exp(number: float) -> float:
    try:
        return math.exp(number)
    except OverflowError:
        return math.inf


def exponential(uniform: np.ndarray, rate: float) -> np.ndarray:
    """Exponential numbers from uniform ones."""
    return -1.0 / rate * _each(math.log1p, -uniform)


def geometric(uniform: np.ndarray, p: float) -> np.ndarray:
    """How many trials it takes to the first success."""
    return np.ceil(_each(_log, uniform) / math.log1p(-p))


def cauchy(uniform: np.ndarray, median: float, sigma: float) -> np.ndarray:
    """Numbers of Cauchy's distribution from uniform ones."""
    return _placed(_each(math.tan, math.pi * (uniform - 0.5)), median, sigma)


def log_normal(normal: np.ndarray, mean: float, std: float) -> np.ndarray:
    """Numbers whose logarithms are normal, from standard normal ones."""
    return _each(_exp, _placed(normal, mean, std))


# By weight ------------------------------------------------------------------------------------------------------------


def by_weight(weights: np.ndarray, drawn: np.ndarray, count: int, again: bool) -> np.ndarray:
    """Indices of the last dimension with the probabilities that weights have, from exponential numbers for all weights,
    or where an index may come again from uniform numbers for the results."""
    if not ((weights >= 0) & (weights < math.inf)).all():
        raise GradcliError("multinomial() takes weights that are finite and not negative")
    if not (weights > 0).any(-1).all():
        raise GradcliError("multinomial() cannot draw from weights that are all 0")
    if not again:
        # Exponential numbers divided by rates: the smallest comes first with the probability of its rate.
        keys = weights / drawn
        return np.argmax(keys, -1)[..., None] if count == 1 else orders.first(np.ascontiguousarray(keys), count)
    # Half precision is added up in single precision.
    ends = np.add.accumulate(weights, -1, np.promote_types(weights.dtype, np.float32))
    ends /= ends[..., -1:].copy()
    ends[..., -1] = 1
    rows = ends.reshape(-1, ends.shape[-1]).astype(np.float64)
    found = [np.searchsorted(row, numbers) for row, numbers in zip(rows, drawn.reshape(-1, count), strict=True)]
    return np.array(found, np.int64).reshape(drawn.shape)
