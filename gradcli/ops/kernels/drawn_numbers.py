"""Whole numbers and permutations from a stream of random words, as PyTorch's generator draws them on the CPU."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

# So many numbers are drawn at a time.
_BLOCK = 1 << 15
#: From so many different numbers on each takes two words: one alone would favour the smaller ones.
WIDE = 1 << 28


class RandomWords(Protocol):
    """What gives the next words of 32 bits."""

    def words(self, count: int) -> np.ndarray: ...


def whole_numbers(stream: RandomWords, count: int, dtype: np.dtype, low: int, high: int) -> np.ndarray:
    """Numbers from `low` up to but not including `high`."""
    numbers, span, two = np.empty(count, dtype), np.uint64(high - low), high - low >= WIDE
    for start in range(0, count, _BLOCK):
        part = numbers[start : start + _BLOCK]
        words = stream.words(len(part) * (2 if two else 1)).astype(np.uint64)
        if two:
            words = words[0::2] << np.uint64(32) | words[1::2]
        # The sum wraps around to what it is in int64.
        part[:] = ((words % span) + np.uint64(low % 2**64)).view(np.int64)
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
