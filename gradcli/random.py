"""PyTorch's CPU generator on NumPy's Mersenne Twister: the same seed gives the same numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

# From this many numbers on, PyTorch makes normal ones in chunks of 16.
_CHUNK = 16


class Generator:
    """A stream of random numbers. A draw reserves its place at once and makes its numbers when they are asked for."""

    def __init__(self, seed: int | None) -> None:
        self._bits: Any = np.random.MT19937()
        if seed is not None:
            # The reference initialization of the Mersenne Twister, which PyTorch uses too.
            self._bits._legacy_seeding(seed & 0xFFFFFFFF)
        self._spare: float | None = None

    def reserve(self, kind: str, count: int, dtype: np.dtype) -> Draw:
        """Take the next `count` numbers of the stream."""
        raise NotImplementedError
