"""Elements of results that are no numbers, or infinite: counted, and told of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from gradcli.errors import WorkError
from gradcli.render.parts import MOST, parts_of

# Elements that are looked at as a whole.
_FEW = 1 << 12

#: A hint for whoever meets NaN.
WHO_KNOWS = "`gradcli check` names the operation"


class NonFinite(NamedTuple):
    """How many of `size` elements are NaN, and how many infinite."""

    nan: int
    infinite: int
    size: int

    def __bool__(self) -> bool:
        return bool(self.nan or self.infinite)

    def told(self, name: str) -> str:
        """What there is to say of a result of this name."""
        if self.size == 1:
            return f"{name} is {'NaN' if self.nan else 'infinite'}"
        counts = [f"{self.nan:,} NaN"] if self.nan else []
        if self.infinite:
            counts.append(f"{self.infinite:,} infinit{'y' if self.infinite == 1 else 'ies'}")
        return f"{name} holds {' and '.join(counts)} among {self.size:,} elements"


def count(array: Any) -> NonFinite:
    """How many elements of an array, of one in a file, or of what was counted on its way, are not finite."""
    tally = getattr(array, "tally", None)
    if tally is None:
        if math.prod(array.shape) <= MOST and (array.dtype.kind != "f" or np.isfinite(array[...]).all()):
            return NonFinite(0, 0, math.prod(array.shape))
        tally = Tally()
        for _, part in parts_of(array) if array.dtype.kind == "f" else ():
            tally.add(part)
    found: NonFinite = tally.of(array)
    return found


def all_finite(array: Any) -> bool:
    """Whether all elements of an array in memory are finite, as far as it can be told at once: of many it cannot."""
    if not array.ndim:
        return math.isfinite(array)
    # A call of `all` takes three times as long.
    return array.size <= _FEW and b"\0" not in np.isfinite(array).tobytes()


class Tally:
    """Counts what is not finite in the blocks of an array, from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.restart()

    def restart(self) -> None:
        """Forget what has been counted: all blocks come again."""
        self._nan = self._infinite = 0

    def add(self, block: Any) -> None:
        """Count a block."""
        if block.dtype.kind != "f":
            return
        finite = np.isfinite(block)
        if finite.all():
            return
        nan = int(np.count_nonzero(np.isnan(block)))
        with self._lock:
            self._nan += nan
            self._infinite += block.size - int(np.count_nonzero(finite)) - nan

    def of(self, array: Any) -> NonFinite:
        """What has been counted, for the array that the blocks make up."""
        return NonFinite(self._nan, self._infinite, math.prod(array.shape))


class Several:
    """A result that goes to several places, its elements being counted on the way."""

    def __init__(self, sinks: list[Any], tally: Tally | None = None) -> None:
        self.sinks = sinks
        self.tally = tally
        self.shape: tuple[int, ...] = sinks[0].shape
        self.dtype = sinks[0].dtype

    def view(self, shape: tuple[int, ...]) -> Several:
        return Several([sink.view(shape) for sink in self.sinks], self.tally)

    def write(self, axis: int, start: int, block: np.ndarray) -> None:
        if self.tally is not None:
            self.tally.add(block)
        for sink in self.sinks:
            sink.write(axis, start, block)

    def restart(self) -> None:
        """All blocks come again."""
        if self.tally is not None:
            self.tally.restart()

    def __getitem__(self, index: Any) -> np.ndarray:
        part: np.ndarray = self.sinks[0][index]
        return part


def told_of_several(holding: int, count: int, what: str, first: str) -> str:
    """A note on those among several whose results are not finite; `first` tells of the first."""
    counted = f"{holding} of {count} {what}{'s' if count != 1 else ''} {'holds' if holding == 1 else 'hold'}"
    return f"{counted} NaN or infinities; the first, {first}: {WHO_KNOWS}"


def remarked(found: Mapping[str, NonFinite], fail: bool) -> str | None:
    """What there is to say of the results that are not finite; WorkError where they have to be."""
    text = "; ".join([counted.told(name) for name, counted in found.items() if counted])
    if text and fail:
        raise WorkError(text, hint=WHO_KNOWS)
    return text or None
