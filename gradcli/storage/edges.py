"""The elements of a large array that its printed summary shows, picked from the blocks it is computed in."""

from __future__ import annotations

import itertools
import math

import numpy as np

from gradcli.storage.header import Array, DType
from gradcli.storage.ranges import Index, Ranges, Shape, parse_index, ranges_of_block


class Edges:
    """A sink that keeps the first and last `edgeitems` indices of every dimension, and all of a small array.

    Small are arrays of at most `threshold` elements, which are printed in full. What was never written is zero.
    Methods may be called from any thread.
    """

    def __init__(self, shape: Shape, dtype: DType, edgeitems: int = 3, threshold: int = 1000) -> None:
        self.shape = shape
        self.dtype: DType = np.dtype(dtype)
        self.ndim = len(shape)
        self.size = math.prod(shape)
        whole = self.size <= threshold
        # How many indices are kept at both ends of each dimension; half of those of a short one, rounded up.
        self._ends = [-(-n // 2) if whole or n <= 2 * edgeitems else edgeitems for n in shape]
        self._kept = np.zeros([min(n, 2 * end) for n, end in zip(shape, self._ends, strict=True)], self.dtype)

    @property
    def kept(self) -> Array:
        """The elements that are kept."""
        return self._kept

    def indices(self, axis: int) -> Array:
        """The places along `axis` of which anything is kept."""
        n, end = self.shape[axis] if self.shape else 1, self._ends[axis] if self.shape else 1
        return np.unique([*range(min(n, end)), *range(max(0, n - end), n)]) if self._kept.size else np.zeros(0, int)

    def write(self, axis: int, start: int, block: Array) -> None:
        """Keep what is needed of `array[..., start:start + n, ...]`, n being the length of `block` along `axis`."""
        ranges = ranges_of_block(self, axis, start, block)
        for pairs in itertools.product(*[self._parts(d, *ranges[d]) for d in range(self.ndim)]):
            self._kept[tuple([to for to, _ in pairs])] = block[tuple([of for _, of in pairs])]

    def _parts(self, dim: int, start: int, stop: int) -> list[tuple[slice, slice]]:
        """What is kept of `start:stop`: where it is kept, and where it lies from `start` on."""
        n, end = self.shape[dim], self._ends[dim]
        shift = n - self._kept.shape[dim]
        parts = []
        for low, high, moved in ((0, end, 0), (max(end, n - end), n, shift)):
            a, b = max(start, low), min(stop, high)
            if a < b:
                parts.append((slice(a - moved, b - moved), slice(a - start, b - start)))
        return parts

    def __getitem__(self, key: Index) -> Array:
        """A part within what is kept; IndexError for any other."""
        ranges, shape = parse_index(key, self.shape)
        kept: Ranges = []
        for (start, stop), n, end, k in zip(ranges, self.shape, self._ends, self._kept.shape, strict=True):
            if stop <= end or start >= stop or n == k:
                kept.append((start, stop))
            elif start >= n - end:
                kept.append((start - n + k, stop - n + k))
            else:
                raise IndexError(f"of a dimension of {n} only the first and last {end} are kept, not {start}:{stop}")
        return self._kept[tuple([slice(start, stop) for start, stop in kept])].reshape(shape)

    def flat(self) -> FlatEdges:
        """The same elements, to be picked from blocks of the array as one of a single dimension."""
        return FlatEdges(self.shape, self._ends, self._kept)


class FlatEdges:
    """A sink of one dimension that fills the `Edges` it was made from."""

    def __init__(self, shape: Shape, ends: list[int], kept: Array) -> None:
        self.size = math.prod(shape)
        self.shape = (self.size,)
        self.dtype = kept.dtype
        self.ndim = 1
        self._kept = kept.reshape(-1)
        # Where each kept element is in the whole array, in ascending order.
        places = np.zeros((), np.int64)
        for n, end in zip(shape, ends, strict=True):
            indices = np.array([*range(min(n, end)), *range(max(end, n - end), n)], np.int64)
            places = places[..., np.newaxis] * n + indices
        self._places = places.reshape(-1)

    def indices(self, axis: int) -> Array:
        """The places of the elements that are kept."""
        return self._places

    def write(self, axis: int, start: int, block: Array) -> None:
        """Keep what is needed of `array[start:start + n]`, n being the length of `block`."""
        ranges_of_block(self, axis, start, block)
        low, high = np.searchsorted(self._places, (start, start + block.size))
        self._kept[low:high] = block[self._places[low:high] - start]
