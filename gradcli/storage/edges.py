"""The elements of a large array that its printed summary shows, picked from the blocks it is computed in."""

from __future__ import annotations

import copy
import math

import numpy as np

from gradcli.storage.header import Array, DType
from gradcli.storage.ranges import Index, Shape, parse_index, ranges_of_block


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
        whole = 0 < self.size <= threshold
        # The indices of each dimension that are kept, in ascending order.
        self._places = [
            np.arange(n) if whole or n <= 2 * edgeitems else np.r_[:edgeitems, n - edgeitems : n] for n in shape
        ]
        self.kept: Array = np.zeros([len(places) for places in self._places], self.dtype)

    def indices(self, axis: int) -> Array:
        """The places along `axis` of which anything is kept."""
        return (self._places[axis] if self.shape else np.zeros(1, int)) if self.kept.size else np.zeros(0, int)

    def write(self, axis: int, start: int, block: Array) -> None:
        """Keep what is needed of `array[..., start:start + n, ...]`, n being the length of `block` along `axis`."""
        ranges = ranges_of_block(self, axis, start, block)
        kept = [self._among_kept(dim, *part) for dim, part in enumerate(ranges)]
        inner = [places[k] - begin for places, k, (begin, _) in zip(self._places, kept, ranges, strict=True)]
        self.kept[tuple(kept)] = block[np.ix_(*inner)]

    def _among_kept(self, dim: int, start: int, stop: int) -> slice:
        """Which of the places that are kept lie in `start:stop`."""
        return slice(*np.searchsorted(self._places[dim], (start, stop)).tolist())

    def __getitem__(self, key: Index) -> Array:
        """A part within what is kept; IndexError for any other."""
        ranges, shape = parse_index(key, self.shape)
        kept = [self._among_kept(dim, *part) for dim, part in enumerate(ranges)]
        for (start, stop), found, n, places in zip(ranges, kept, self.shape, self._places, strict=True):
            if self.size and found.stop - found.start < stop - start:
                end = len(places) // 2
                raise IndexError(f"of a dimension of {n} only the first and last {end} are kept, not {start}:{stop}")
        return self.kept[tuple(kept)].reshape(shape)

    def view(self, shape: Shape) -> Edges:
        """The same elements, to be picked from blocks of the array whose first dimensions have become one."""
        merged = len(self.shape) - max(0, len(shape) - 1)
        first, rest = self._places[:merged], self._places[merged:]
        if math.prod(shape) != self.size or shape[1:] != self.shape[merged:]:
            raise ValueError(f"an array of shape {self.shape} has no view of shape {shape} here")
        view = copy.copy(self)
        view.shape, view.ndim = shape, len(shape)
        places = np.zeros((), np.int64)
        for n, indices in zip(self.shape[:merged], first, strict=True):
            places = places[..., np.newaxis] * n + indices
        view._places = [places.reshape(-1), *rest] if shape else []
        view.kept = self.kept.reshape([len(places) for places in view._places])
        return view
